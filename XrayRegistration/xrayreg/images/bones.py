"""Bones from a CT by threshold and connected parts: rough and quick, for outlines and the eye."""

from collections.abc import Callable

import numpy as np
import SimpleITK

from ..errors import InputError
from .volume import Grid, LabelMap, Volume

_MOST_VOXELS = 16_000_000  # surfaces of more take minutes
_MOST_BONES = 255


def segment_bones(
    volume: Volume,
    threshold_hu: float = 200.0,
    least_ml: float = 2.0,
    report: Callable[[str], None] = lambda step: None,
) -> LabelMap:
    """The connected parts of a CT above a threshold: "bone 1", "bone 2", ... from the largest down.

    Bones that touch at the CT's resolution, as in joints, are one part. Whatever else is as dense is taken
    for bone too: contrast medium (a higher threshold helps), implants, the table.

    Args:
        threshold_hu: the least value of bone.
        least_ml: smaller parts are left out.
        report: called with each step, in words; an exception that it raises ends the work.

    Returns:
        On the volume's grid, or on one of its blocks if it has very many voxels.

    Raises:
        InputError: if nothing is left.
    """
    report("preparing the CT")
    factors = _factors(volume.grid)
    image = SimpleITK.BinShrink(SimpleITK.GetImageFromArray(volume.hu), factors)
    grid = _grid_of_blocks(volume.grid, factors)
    report("finding what is as dense as bone")
    above = SimpleITK.BinaryThreshold(image, float(threshold_hu), float(np.finfo(np.float32).max), 1, 0)
    report("joining it to parts")
    parts = SimpleITK.ConnectedComponent(above, False)
    report("sorting the parts by size")
    voxel_ml = float(np.prod(grid.spacing_mm)) / 1000
    parts = SimpleITK.RelabelComponent(parts, minimumObjectSize=max(1, round(least_ml / voxel_ml)))
    labels = SimpleITK.GetArrayFromImage(parts)
    bones = min(int(labels.max()), _MOST_BONES)
    if not bones:
        raise InputError(
            f"no part of at least {least_ml:g} ml is above {threshold_hu:g} HU",
            where=volume.name,
            remedy="choose a lower threshold, or a CT in Hounsfield units",
        )
    labels = np.where(labels <= bones, labels, 0).astype(np.uint8)
    return LabelMap(labels, grid, {label: f"bone {label}" for label in range(1, bones + 1)})


def _factors(grid: Grid) -> list[int]:
    """How many voxels along i, j, k become one block: the finest axes first, until few enough are left."""
    factors = np.ones(3, int)
    while np.prod(grid.size // factors) > _MOST_VOXELS:
        factors[np.argmin(grid.spacing_mm * factors)] *= 2
    return factors.tolist()


def _grid_of_blocks(grid: Grid, factors: list[int]) -> Grid:
    """The centre of the first block lies (f - 1) / 2 voxels from the centre of its first voxel."""
    index_from_block = np.diag([*map(float, factors), 1.0])
    index_from_block[:3, 3] = (np.array(factors) - 1) / 2
    size = tuple(n // f for n, f in zip(grid.size, factors, strict=True))
    return Grid(size, grid.patient_from_index @ index_from_block)
