"""Where to look: candidate motions of the anatomy, spread evenly over a range."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..errors import InputError
from ..images import Grid
from .problem import Problem, anatomy_radius_mm, apply_each

_PLACES = 3  # tried for each candidate
_MISS_MM = 15.0  # a pixel of the coarsest level, and what a wrong orientation adds


@dataclass(frozen=True)
class SearchRange:
    """How far the true pose may be from the start.

    Attributes:
        rotation_deg: (x, y, z) largest turn about each patient axis through the volume's centre; 180 is a
            full turn.
        translation_mm: (x, y, z) largest shift along each patient axis.
        candidates: how many poses are looked at.
        pixels: to about this many the longer side of the X-ray is averaged for that.

    Raises:
        InputError: if a range is negative or no number.
    """

    rotation_deg: tuple[float, float, float]
    translation_mm: tuple[float, float, float]
    candidates: int = 256
    pixels: int = 32

    def __post_init__(self):
        limits = np.array([*self.rotation_deg, *self.translation_mm], dtype=float)
        if (
            limits.shape != (6,)
            or not np.isfinite(limits).all()
            or (limits < 0).any()
            or limits[:3].max() > 180
        ):
            raise InputError(
                f"the search range {self.rotation_deg} degrees, {self.translation_mm} mm is none",
                remedy="give up to 180 degrees, and millimetres, from 0 up",
            )
        if self.candidates < 1:
            raise InputError(f"a search needs candidates, not {self.candidates}")


def within_its_size(search: SearchRange, grid: Grid) -> SearchRange:
    """The search with shifts of no more than half the distance from the volume's centre to its corners.

    A single bone 60 mm away from its start would lie where another bone is.
    """
    reach = anatomy_radius_mm(grid)
    return replace(search, translation_mm=tuple(min(shift, reach) for shift in search.translation_mm))


def candidate_motions(search: SearchRange, centre: np.ndarray) -> np.ndarray:
    """(n, 4, 4) the identity, then motions about ``centre`` (3,), patient, mm; always the same.

    Sobol's sequence fills the range more evenly than random numbers do. Every second candidate lies in the
    inner third of the range, since starts are mostly better than feared.
    """
    sobol = torch.quasirandom.SobolEngine(6, scramble=True, seed=0)
    unit = 2 * sobol.draw(search.candidates - 1, dtype=torch.float64).numpy() - 1
    unit[len(unit) // 2 :] /= 3
    angles = unit[:, :3] * np.radians(search.rotation_deg)
    shifts = unit[:, 3:] * np.array(search.translation_mm)
    # About z, then y, then x, one after the other: so large turns stay in range.
    turns = _turns(0, angles) @ _turns(1, angles) @ _turns(2, angles)
    motions = np.tile(np.eye(4), (search.candidates, 1, 1))
    motions[1:, :3, :3] = turns
    motions[1:, :3, 3] = centre - turns @ centre + shifts
    return motions


def _turns(axis: int, angles: np.ndarray) -> np.ndarray:
    """(n, 3, 3) about one axis, by that column of angles (n, 3), rad."""
    cos, sin = np.cos(angles[:, axis]), np.sin(angles[:, axis])
    a, b = (axis + 1) % 3, (axis + 2) % 3
    turns = np.tile(np.eye(3), (len(angles), 1, 1))
    turns[:, a, a] = turns[:, b, b] = cos
    turns[:, b, a], turns[:, a, b] = sin, -sin
    return turns


def shifted(problem: Problem, motions: np.ndarray, margin_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Motions (n, 4, 4), each shifted across the beams to a few places where its DRRs fit the X-rays well.

    The depth along a single beam stays as it is. With several views the anatomy's centre goes to the point
    nearest to the rays through the places found in each; places whose rays pass each other do not belong
    together.

    Returns:
        (m, 4, 4) motions and (m,) how well they fit, for choosing among them.
    """
    found = problem.best_shifts(motions, margin_mm, _PLACES)
    centres = apply_each(motions, problem.centre)
    moved, fits = [], []
    for choice in itertools.product(range(_PLACES), repeat=len(found)):
        chosen = [(points[:, n], fit[:, n]) for n, (points, fit) in zip(choice, found, strict=True)]
        shift, miss_mm = _meeting(problem, centres, [points for points, _ in chosen])
        moved.append(motions.copy())
        moved[-1][:, :3, 3] += shift
        fits.append(np.where(miss_mm < _MISS_MM, sum(fit for _, fit in chosen), -np.inf))
    fit = np.concatenate(fits)
    possible = np.isfinite(fit)
    return np.concatenate(moved)[possible], fit[possible]


def _meeting(
    problem: Problem, centres: np.ndarray, places: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Shifts (n, 3) that bring centres (n, 3) to where rays through image points (n, 2) of each view meet.

    And by how much, mm, they miss the rays. What no ray decides stays.
    """
    normal, right = 1e-3 * np.broadcast_to(np.eye(3), (len(centres), 3, 3)), np.zeros((len(centres), 3))
    rays = []
    for view, points in zip(problem.views, places, strict=True):
        patient_from_camera = view.camera.patient_from_camera
        directions = view.camera.ray_directions(points) @ patient_from_camera[:3, :3].T
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
        to_ray = np.einsum("nij,nj->ni", across, patient_from_camera[:3, 3] - centres)
        normal, right = normal + across, right + to_ray
        rays.append((across, to_ray))
    shift = np.linalg.solve(normal, right[..., None])[..., 0]
    misses = [np.einsum("nij,nj->ni", across, shift) - to_ray for across, to_ray in rays]
    return shift, np.linalg.norm(misses, axis=2).max(axis=0)


def without_visible_shift(problem: Problem, motions: np.ndarray) -> np.ndarray:
    """Motions (n, 4, 4) that leave the anatomy's centre where it is, but for the depth of a single beam."""
    across = np.zeros((3, 3))
    for view in problem.views:
        beam = view.camera.patient_from_camera[:3, :3] @ view.camera.ray_directions(
            view.camera.project(problem.centre)
        )
        beam /= np.linalg.norm(beam)
        across += np.eye(3) - np.outer(beam, beam)
    values, axes = np.linalg.eigh(across)
    seen = axes[:, values > 0.1]
    result = motions.copy()
    shift = apply_each(motions, problem.centre) - problem.centre
    result[:, :3, 3] -= shift @ seen @ seen.T
    return result
