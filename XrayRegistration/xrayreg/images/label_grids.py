"""Segmentations on the grid of a volume."""

import numpy as np

from ..errors import InputError
from .volume import Grid, LabelMap


def resample_labels(label_map: LabelMap, grid: Grid) -> LabelMap:
    """The label map on another grid: nearest neighbour through the patient frame, 0 outside its box.

    Raises:
        InputError: if the boxes lie apart (with the distance), or no labelled voxel falls into the grid.
    """
    check_overlap(label_map.grid, grid)
    source = label_map.grid.index_from_patient @ grid.patient_from_index
    size = np.array(label_map.grid.size)
    j, i = np.meshgrid(np.arange(grid.size[1]), np.arange(grid.size[0]), indexing="ij")
    in_plane = np.stack([i, j], axis=-1) @ source[:3, :2].T + source[:3, 3]
    result = np.zeros(grid.array_shape, dtype=label_map.labels.dtype)
    for k in range(grid.size[2]):
        index = np.floor(in_plane + k * source[:3, 2] + 0.5).astype(np.intp)
        inside = ((index >= 0) & (index < size)).all(axis=-1)
        x, y, z = index[inside].T
        result[k][inside] = label_map.labels[z, y, x]
    if not result.any():
        raise InputError(
            "no labelled voxel lies inside the volume",
            where="segmentation",
            remedy="check that the segmentation belongs to this volume",
        )
    return LabelMap(result, grid, label_map.names)


def check_overlap(segmentation: Grid, volume: Grid) -> None:
    """Raise InputError with the distance if the patient-aligned boxes around the two grids lie apart."""
    a, b = segmentation, volume
    low = np.maximum(a.corners_patient.min(axis=0), b.corners_patient.min(axis=0))
    high = np.minimum(a.corners_patient.max(axis=0), b.corners_patient.max(axis=0))
    gap = float(np.linalg.norm(np.maximum(low - high, 0)))
    if (low >= high).any():
        between = np.linalg.norm(a.centre_patient - b.centre_patient)
        raise InputError(
            f"segmentation and volume do not overlap: {gap:.1f} mm apart, centres {between:.1f} mm apart",
            where="segmentation",
            remedy="check that both come from the same CT and are in the patient's frame",
        )
