"""Points seen in several views: the line they lie on in another view, and their place in the patient."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .camera import Camera
from .se3 import apply

_LEAST_ANGLE_DEG = 1.0
"""Between two rays; below, their depth is as uncertain as sixty times the pointing."""

_SHORTEST_PX = 0.01  # a line in an image shorter than this is a point


@dataclass(frozen=True)
class Triangulated:
    """A point from its images in several views.

    Attributes:
        point: (3,) patient, mm.
        miss_mm: how far the rays miss each other: of two rays their distance, of more the double of the
            largest distance of a ray from the point.
        errors_px: (views,) from each image to that of the point.
    """

    point: np.ndarray
    miss_mm: float
    errors_px: np.ndarray


def epipolar_segment(camera_from: Camera, pixel: np.ndarray, camera_to: Camera) -> np.ndarray | None:
    """Where in one view lies what is at a pixel of another: the image of that pixel's ray.

    Args:
        pixel: (2,) image point of ``camera_from``.

    Returns:
        (2, 2) the ends, (u, v) each, of the part in the image of ``camera_to``, the end nearer to the source
        of ``camera_from`` first; None if the ray is not in the image or is only a point there.

    Source: Hartley and Zisserman, Multiple View Geometry, 2004, chapter 9.
    """
    source, direction = _ray(camera_from, pixel)
    # Homogeneous images of the ray's start and of its point at infinity; all between are mixtures of the two.
    start = camera_to.K @ apply(camera_to.camera_from_patient, source)
    end = camera_to.K @ camera_to.camera_from_patient[:3, :3] @ direction * 1000
    columns, rows = camera_to.size
    # Within the image: not left of, right of, above or below it. Each is linear along the mixture.
    sides = np.array([[1, 0, 0.5], [-1, 0, columns - 0.5], [0, 1, 0.5], [0, -1, rows - 0.5]])
    first, last = 0.0, 1.0
    for at_start, at_end in zip(sides @ start, sides @ end, strict=True):
        if at_start < 0 and at_end < 0:
            return None
        crossing = at_start / (at_start - at_end) if at_start != at_end else 0.0
        if at_start < 0:
            first = max(first, crossing)
        elif at_end < 0:
            last = min(last, crossing)
    if first >= last:
        return None
    ends = np.array([(1 - t) * start + t * end for t in (first, last)])
    if (ends[:, 2] <= 0).any():
        return None
    segment = ends[:, :2] / ends[:, 2:]
    return segment if np.linalg.norm(segment[1] - segment[0]) > _SHORTEST_PX else None


def triangulate(cameras: Sequence[Camera], pixels: np.ndarray) -> Triangulated:
    """The point nearest to the rays of its images, by least squares of its distances from them.

    Args:
        pixels: (views, 2) image points, one of each camera.

    Raises:
        InputError: if the rays are parallel, all but for a degree, or meet behind a source.

    Source: Hartley and Sturm, Triangulation, Computer Vision and Image Understanding, 1997 (mid-point).
    """
    rays = [_ray(camera, pixel) for camera, pixel in zip(cameras, pixels, strict=True)]
    directions = np.array([direction for _, direction in rays])
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    sines = np.linalg.norm(np.cross(directions[:, None], directions[None]), axis=-1)
    if sines.max() < np.sin(np.radians(_LEAST_ANGLE_DEG)):
        raise InputError("the X-rays look along the same line", remedy="use X-rays from other directions")
    sources = np.array([source for source, _ in rays])
    point = np.linalg.solve(across.sum(axis=0), np.einsum("nij,nj->i", across, sources))
    images = np.array([camera.project(point) for camera in cameras])
    if not np.isfinite(images).all():
        raise InputError(
            "the lines of sight meet behind an X-ray source", remedy="point at the same spot in each"
        )
    distances = np.linalg.norm(np.einsum("nij,nj->ni", across, point - sources), axis=1)
    errors = np.linalg.norm(images - np.asarray(pixels, dtype=float), axis=1)
    return Triangulated(point, float(2 * distances.max()), errors)


def _ray(camera: Camera, pixel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Source (3,), mm, and unit direction (3,) of a pixel's ray, patient."""
    direction = camera.patient_from_camera[:3, :3] @ camera.ray_directions(pixel)
    return camera.source_patient, direction / np.linalg.norm(direction)
