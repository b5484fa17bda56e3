"""Volumes and label maps, boiled down to what comparing them needs."""

from dataclasses import dataclass, replace

import numpy as np

from ..geometry import apply
from ..images import Grid, LabelMap, Volume

_MOST_VOXELS = 4_000_000
_MOST_POINTS = 20_000
_AIR_HU = -500.0  # below is more air than tissue


@dataclass(frozen=True)
class Body:
    """What of a volume attenuates.

    Attributes:
        grid: of the whole volume.
        coarse: every n-th voxel of it.
        points: (n, 3) centres of voxels above air, patient LPS, mm, some thousands, evenly picked.
    """

    name: str
    grid: Grid
    coarse: Volume
    points: np.ndarray


@dataclass(frozen=True)
class Structures:
    """Where the labels of a segmentation lie.

    Attributes:
        grid: of the whole label map.
        coarse: every n-th voxel of it.
        centres: (3,) mean place of each label of ``coarse``, patient LPS, mm.
        names: of labels, where they have any.
    """

    name: str
    grid: Grid
    coarse: LabelMap
    centres: dict[int, np.ndarray]
    names: dict[int, str]


def body_of(volume: Volume, air_hu: float = -1000.0) -> Body:
    """A volume's `Body`.

    Args:
        air_hu: what counts as nothing; at least -500 HU, and at least the volume's lowest value, do.
    """
    hu, grid = _coarse(volume.hu, volume.grid)
    coarse = replace(volume, hu=hu, grid=grid)
    above = max(air_hu, _AIR_HU, float(hu.min()))
    return Body(volume.name, volume.grid, coarse, _points(hu > above, grid))


def structures_of(label_map: LabelMap, name: str) -> Structures:
    """A label map's `Structures`."""
    labels, grid = _coarse(label_map.labels, label_map.grid)
    k, j, i = np.nonzero(labels)
    found, number = np.unique(labels[k, j, i], return_inverse=True)
    counts = np.bincount(number)
    sums = [np.bincount(number, weights=axis) for axis in (i, j, k)]
    centres = apply(grid.patient_from_index, np.stack(sums, axis=-1) / np.maximum(counts, 1)[:, None])
    by_label = {int(label): centre for label, centre in zip(found, centres, strict=True)}
    coarse = LabelMap(labels, grid, label_map.names)
    return Structures(name, label_map.grid, coarse, by_label, label_map.names)


def labelled_points(structures: Structures, labels: list[int] | None = None) -> np.ndarray:
    """(n, 3) centres of labelled voxels, patient LPS, mm, evenly picked; of some labels or of all."""
    array = structures.coarse.labels
    return _points(array > 0 if labels is None else np.isin(array, labels), structures.coarse.grid)


def inside(points: np.ndarray, grid: Grid) -> np.ndarray:
    """(n,) bool: which points (n, 3), patient LPS, mm, lie in a grid's box."""
    index = apply(grid.index_from_patient, points)
    return ((index >= -0.5) & (index <= np.array(grid.size) - 0.5)).all(axis=-1)


def values_at(points: np.ndarray, volume: Volume) -> np.ndarray:
    """(n,) values of the voxels nearest to points (n, 3), patient LPS, mm; NaN outside the box."""
    index = np.round(apply(volume.grid.index_from_patient, points)).astype(int)
    within = ((index >= 0) & (index < np.array(volume.grid.size))).all(axis=-1)
    result = np.full(len(points), np.nan)
    i, j, k = index[within].T
    result[within] = volume.hu[k, j, i]
    return result


def _coarse(array: np.ndarray, grid: Grid) -> tuple[np.ndarray, Grid]:
    """Every n-th voxel along each axis, the finest axes thinned first, until few enough are left."""
    steps = np.ones(3, int)
    while np.prod(np.ceil(np.array(grid.size) / steps)) > _MOST_VOXELS:
        steps[np.argmin(grid.spacing_mm * steps)] += 1
    i, j, k = (int(step) for step in steps)
    thinned = np.ascontiguousarray(array[::k, ::j, ::i])
    return thinned, Grid(thinned.shape[::-1], grid.patient_from_index @ np.diag([i, j, k, 1.0]))


def _points(chosen: np.ndarray, grid: Grid) -> np.ndarray:
    flat = np.flatnonzero(chosen)
    picked = flat[:: max(1, len(flat) // _MOST_POINTS)]
    k, j, i = np.unravel_index(picked, chosen.shape)
    return apply(grid.patient_from_index, np.stack([i, j, k], axis=-1).astype(float))
