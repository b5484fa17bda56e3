"""Boxes of voxels, and their grids."""

from collections.abc import Sequence

import numpy as np

from .volume import Grid

Box = tuple[slice, slice, slice]


def box_around(mask: np.ndarray, room: Sequence[int] = (0, 0, 0)) -> Box | None:
    """The box [k, j, i] around a mask, with ``room`` (i, j, k) voxels on each side as far as there are any.

    None for an empty mask.
    """
    box = []
    for axis, spare in enumerate(room[::-1]):
        where = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        if not len(where):
            return None
        box.append(slice(max(0, int(where[0]) - spare), min(mask.shape[axis], int(where[-1]) + spare + 1)))
    return tuple(box)


def grid_of(box: Box, grid: Grid) -> Grid:
    """The grid of a box of its voxels."""
    index_from_box = np.eye(4)
    index_from_box[:3, 3] = [each.start for each in box][::-1]
    size = tuple(each.stop - each.start for each in box)[::-1]
    return Grid(size, grid.patient_from_index @ index_from_box)
