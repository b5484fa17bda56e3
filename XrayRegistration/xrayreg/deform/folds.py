"""How a field changes volumes: its Jacobian determinant, and where it folds."""

import numpy as np

from ..images import Grid

_FLATTEST = 0.05  # of its volume: less counts as a fold, that rounding makes none
_ROUNDS = 100


def determinants(displacements: np.ndarray, grid: Grid) -> np.ndarray:
    """[k, j, i] how many times its volume what is at each voxel takes; 0 or less where the field folds.

    By central differences, one-sided at the borders.

    Args:
        displacements: [k, j, i, 3] patient, mm, at the grid's voxels.
    """
    by_index = np.stack([np.gradient(displacements, axis=axis) for axis in (2, 1, 0)], axis=-1)
    by_patient = by_index @ grid.index_from_patient[:3, :3]
    return np.linalg.det(by_patient + np.eye(3))


def fold_count(displacements: np.ndarray, grid: Grid) -> int:
    """At how many voxels a field folds: where space is turned inside out."""
    return int((determinants(displacements, grid) <= 0).sum())


def unfolded(displacements: np.ndarray, grid: Grid) -> tuple[np.ndarray, int]:
    """The field without its folds, and at how many voxels it was changed.

    Where bodies that are off push into each other no field follows both. There, and one voxel farther with
    each round, every voxel takes the mean of those around it. It may still fold after a hundred rounds.
    """
    changed = np.zeros(grid.array_shape, bool)
    for _ in range(_ROUNDS):
        folding = determinants(displacements, grid) < _FLATTEST
        if not folding.any():
            break
        changed |= _mean_around(folding.astype(float)) > 0
        displacements = np.where(changed[..., None], _mean_around(displacements), displacements)
    return displacements, int(changed.sum())


def _mean_around(values: np.ndarray) -> np.ndarray:
    """[k, j, i, ...] over three voxels along each axis; border voxels count again beyond the border."""
    for axis in range(3):
        ends = [(1, 1) if axis == n else (0, 0) for n in range(values.ndim)]
        padded = np.moveaxis(np.pad(values, ends, mode="edge"), axis, 0)
        values = np.moveaxis((padded[:-2] + padded[1:-1] + padded[2:]) / 3, 0, axis)
    return values
