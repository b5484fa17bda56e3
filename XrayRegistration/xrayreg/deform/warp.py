"""A volume and its segmentation as they are after the bodies have moved."""

from collections.abc import Mapping, Sequence

import numpy as np
import SimpleITK

from ..geometry import apply, inverse
from ..images import Box, Grid, LabelMap, Volume, box_around, grid_of, itk_image


def field_grid(grid: Grid, spacing_mm: float = 4.0) -> Grid:
    """A coarser grid over the same box, for a field."""
    factors = np.maximum(1, np.round(spacing_mm / grid.spacing_mm)).astype(int)
    size = tuple(-(-n // int(f)) + 1 for n, f in zip(grid.size, factors, strict=True))
    return Grid(size, grid.patient_from_index @ np.diag([*map(float, factors), 1.0]))


def warped_volume(
    volume: Volume,
    segmentation: LabelMap,
    bodies: Mapping[Sequence[int], np.ndarray],
    displacements: np.ndarray,
    grid: Grid,
    empty: float = -1000.0,
) -> Volume:
    """The volume on its own grid: soft tissue by the field, each body pasted by its own exact motion.

    Args:
        segmentation: on the volume's grid.
        bodies: motions (4, 4) patient_from_rest, by the labels of each body.
        displacements: [k, j, i, 3] ``rest_from_patient(x) - x`` on ``grid``, patient, mm.
        empty: the value outside.
    """
    field = _transform(displacements, grid)
    like = itk_image(volume.hu, volume.grid)
    moved = SimpleITK.Resample(like, like, field, SimpleITK.sitkLinear, empty)
    hu = SimpleITK.GetArrayFromImage(moved)
    for labels, motion in bodies.items():
        mask = np.isin(segmentation.labels, labels)
        for held, box, inside in _pasted(mask, volume.grid, motion):
            values = _resampled(volume.hu, volume.grid, held, motion, box, SimpleITK.sitkLinear, empty)
            hu[box] = np.where(inside, values, hu[box])
    return Volume(hu, volume.grid, volume.name, kind=volume.kind)


def warped_labels(
    segmentation: LabelMap,
    bodies: Mapping[Sequence[int], np.ndarray],
    displacements: np.ndarray,
    grid: Grid,
) -> LabelMap:
    """The segmentation on its own grid, as `warped_volume`; nearest neighbour."""
    field = _transform(displacements, grid)
    held = [label for labels in bodies for label in labels]
    others = np.where(np.isin(segmentation.labels, held), 0, segmentation.labels)
    like = itk_image(others, segmentation.grid)
    moved = SimpleITK.Resample(like, like, field, SimpleITK.sitkNearestNeighbor, 0)
    result = SimpleITK.GetArrayFromImage(moved)
    for labels, motion in bodies.items():
        for label in labels:
            for _, box, inside in _pasted(segmentation.labels == label, segmentation.grid, motion):
                result[box] = np.where(inside, label, result[box])
    return LabelMap(result, segmentation.grid, segmentation.names)


def _pasted(mask: np.ndarray, grid: Grid, motion: np.ndarray):
    """The box of a mask, that to which a motion brings it, and which voxels it fills; none if it leaves."""
    held = box_around(mask, (1, 1, 1))  # one more: what is interpolated at its rim
    if held is None:
        return
    corners = grid_of(held, grid).corners_patient
    now = apply(grid.index_from_patient @ motion, corners)
    low = np.clip(np.floor(now.min(axis=0)).astype(int), 0, grid.size)
    high = np.clip(np.ceil(now.max(axis=0)).astype(int) + 1, 0, grid.size)
    if (high > low).all():
        box = tuple(slice(int(a), int(b)) for a, b in zip(low[::-1], high[::-1], strict=True))
        filled = _resampled(mask.astype(np.uint8), grid, held, motion, box, SimpleITK.sitkNearestNeighbor, 0)
        yield held, box, filled > 0


def _resampled(
    values: np.ndarray, grid: Grid, held: Box, motion: np.ndarray, box: Box, how: int, empty: float
) -> np.ndarray:
    """The values of the box ``held``, moved, at the voxels of ``box``."""
    part = grid_of(box, grid)
    like = itk_image(np.zeros(part.array_shape, np.uint8), part)
    rest_from_patient = SimpleITK.AffineTransform(3)
    back = inverse(motion)
    rest_from_patient.SetMatrix(back[:3, :3].ravel().tolist())
    rest_from_patient.SetTranslation(back[:3, 3].tolist())
    moved = SimpleITK.Resample(
        itk_image(values[held], grid_of(held, grid)), like, rest_from_patient, how, empty
    )
    return SimpleITK.GetArrayFromImage(moved)


def _transform(displacements: np.ndarray, grid: Grid) -> SimpleITK.DisplacementFieldTransform:
    vectors = np.ascontiguousarray(displacements, dtype=np.float64)
    return SimpleITK.DisplacementFieldTransform(itk_image(vectors, grid, vectors=True))


def write_field(path, displacements: np.ndarray, grid: Grid) -> None:
    """Write a field as an ITK displacement transform (.h5), of a point to where it was at rest.

    Slicer reads it as a grid transform; volumes, models and points put under it go where they are now.

    Raises:
        OSError: if it cannot be written.
    """
    try:
        SimpleITK.WriteTransform(_transform(displacements, grid), str(path))
    except RuntimeError:  # ITK does not say why
        raise OSError(5, "cannot be written", str(path)) from None
