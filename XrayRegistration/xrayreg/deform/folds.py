"""How a field changes volumes: its Jacobian determinant, and where it folds."""

import numpy as np

from ..images import Grid


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
