"""Where to stand to see a whole C-arm set-up."""

from dataclasses import dataclass

import numpy as np

VIEW_ANGLE_DEG = 25.0
"""Vertical opening of the 3D view's camera."""
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Spot:
    """A place for the 3D view's camera, RAS, mm; the head is up.

    Attributes:
        position, focus: (3,) where the camera is and where it looks.
        distance: between the two.
    """

    position: np.ndarray
    focus: np.ndarray
    distance: float


def best_spot(points: np.ndarray, beams: np.ndarray, aspect: float) -> Spot:
    """The spot from which all points fill the picture, close by and oblique to every beam.

    Half-way between looking along a beam (the C-arm end on) and across it (its X-ray edge on) is best.
    On the source side the X-ray appears as in the slice view, on the other side mirrored.

    Args:
        points: (n, 3) RAS, what must be in the picture.
        beams: (views, 3) unit vectors from source to detector, RAS.
        aspect: width / height of the picture.
    """
    azimuth, elevation = np.radians(np.mgrid[0:360:10, 5:46:10].reshape(2, -1))
    sideways = np.cos(elevation)
    candidates = np.stack([sideways * np.cos(azimuth), sideways * np.sin(azimuth), np.sin(elevation)], axis=1)
    misfit = np.abs(candidates @ beams.T + 0.5).max(axis=1)
    spots = [fitting_spot(points, towards, aspect) for towards in candidates]
    cost = [spot.distance * (1 + 3 * bad**2) for spot, bad in zip(spots, misfit, strict=True)]
    return spots[int(np.argmin(cost))]


def fitting_spot(points: np.ndarray, towards: np.ndarray, aspect: float, margin: float = 0.06) -> Spot:
    """The nearest spot in direction ``towards`` (3,) from which all points are inside the margin."""
    forward = -towards
    right = np.cross(forward, _UP)
    right /= np.linalg.norm(right)
    up = np.cross(right, forward)
    reach = np.tan(np.radians(VIEW_ANGLE_DEG / 2)) * (1 - margin) * np.array([aspect, 1.0])
    focus = points.mean(axis=0)
    for _ in range(30):  # moving the focus changes the distance that is needed, and the reverse
        sides, depth, distance = _extent(points - focus, forward, right, up, reach)
        tangents = sides / (distance + depth)[:, None]
        shift = (tangents.max(axis=0) + tangents.min(axis=0)) / 2 * distance
        focus = focus + shift[0] * right + shift[1] * up
    _, _, distance = _extent(points - focus, forward, right, up, reach)
    return Spot(focus - forward * distance, focus, distance)


def _extent(offset: np.ndarray, forward: np.ndarray, right: np.ndarray, up: np.ndarray, reach: np.ndarray):
    """Sideways (n, 2) and forward (n,) offsets from the focus, mm, and the distance that shows them all."""
    sides = np.stack([offset @ right, offset @ up], axis=1)
    depth = offset @ forward
    return sides, depth, float((np.abs(sides) / reach - depth[:, None]).max())
