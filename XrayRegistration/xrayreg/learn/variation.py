"""Other shapes of the same anatomy, for networks that are trained on few CTs.

A stretch is a symmetric matrix: it turns nothing and shifts nothing about the anatomy's centre, so that poses
mean the same for the stretched patient. Only the grid changes; our projectors take sheared grids as they are.
"""

import numpy as np

from ..errors import InputError
from ..images import Grid

_MOST_STRETCH = 0.08
_MOST_SHEAR = 0.03


def stretch(factors: np.ndarray, shears: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """(4, 4): patient points moved away from a point that stays.

    Args:
        factors: (3,) along x, y, z; 1 leaves them.
        shears: (3,) of y with z, z with x, and x with y; 0 leaves the angles right.
        centre: (3,) patient, mm.

    Raises:
        InputError: if it would mirror or flatten the patient.
    """
    yz, zx, xy = shears
    matrix = np.diag(np.asarray(factors, dtype=float)) + [[0, xy, zx], [xy, 0, yz], [zx, yz, 0]]
    if np.linalg.eigvalsh(matrix)[0] <= 0:
        raise InputError(f"factors {factors} and shears {shears} would mirror or flatten the patient")
    result = np.eye(4)
    result[:3, :3] = matrix
    result[:3, 3] = centre - matrix @ centre
    return result


def varied(grid: Grid, rng: np.random.Generator, centre: np.ndarray) -> Grid:
    """The grid of a patient of another shape: stretched by up to 8 % along x, y and z, sheared by up to 0.03.

    Args:
        grid: of a CT, or of anything made from it.
        centre: (3,) of the anatomy, patient, mm; it stays.
    """
    factors = 1 + rng.uniform(-_MOST_STRETCH, _MOST_STRETCH, 3)
    shears = rng.uniform(-_MOST_SHEAR, _MOST_SHEAR, 3)
    return Grid(grid.size, stretch(factors, shears, np.asarray(centre, float)) @ grid.patient_from_index)
