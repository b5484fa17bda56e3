"""The engine for processors: Joseph's method compiled by numba, on all cores."""

import threading
from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np
import torch

from ...images import Grid
from ..views import Views
from ..workers import share
from .kernels import axes_used, backproject, integrate, integrate_labels, scratch_for
from .slabs import empty, packed, unpacked

# Rays of a tile go through the volume together; taller than wide, since what lies along its run of
# pixels is adjacent in memory.
_RUN, _RUNS = 96, 32

_OF_THREAD = threading.local()

_View = tuple[np.ndarray, ...]  # see `kernels.integrate`


def line_integrals(
    values: torch.Tensor, grid: Grid, views: Views, jacobian: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """(B, R) line integrals and, if wanted, (B, R, 6) derivatives by a twist left of each pose."""
    images = np.zeros((views.count, views.rays), np.float32)
    by_twist = np.zeros((views.count, views.rays, 6), np.float32) if jacobian else None
    jobs = []
    for number, axis, view, rows_run in _passes(grid, views):
        slabs = packed(values, axis)
        derivatives = by_twist[number] if jacobian else None
        for first, counts in _tiles(views, rows_run):
            where = (first, counts, views.size[0], rows_run, views.pixels)
            jobs.append(
                (slabs.values, grid.size, slabs.scale, axis, view, views.has_source)
                + (*where, images[number], derivatives)
            )
    share(_integrate, jobs)
    return torch.from_numpy(images), torch.from_numpy(by_twist) if jacobian else None


def _integrate(*job) -> None:
    """A tile, in working memory that the thread keeps: to get it anew costs as much as a small image."""
    if not hasattr(_OF_THREAD, "scratch"):
        _OF_THREAD.scratch = scratch_for(_RUN * _RUNS)
    integrate(*job, _OF_THREAD.scratch)


def by_volume(weights: torch.Tensor, grid: Grid, views: Views) -> torch.Tensor:
    """The transpose of `line_integrals`: [k, j, i] from weights (B, R)."""
    weights = np.ascontiguousarray(weights.numpy(), dtype=np.float32)
    total = np.zeros(grid.array_shape, np.float32)
    passes = list(_passes(grid, views))
    for axis in range(3):
        mine = [(number, view) for number, other, view, _ in passes if other == axis]
        if not mine:
            continue
        slabs = empty(grid.array_shape, axis, np.float32)

        def add(first: int, behind: int, axis=axis, mine=mine, slabs=slabs) -> None:
            for number, view in mine:
                backproject(
                    slabs, grid.size, axis, view, views.has_source, first, behind,
                    views.size[0], views.pixels, weights[number],
                )  # fmt: skip

        # Each thread has groups of slices of its own, so that none waits for another.
        parts = np.array_split(np.arange(len(slabs) + 1), 4 * torch.get_num_threads())
        edges = sorted({int(part[0]) for part in parts if len(part)} | {len(slabs)})
        share(add, list(pairwise(edges)))
        total += unpacked(slabs, axis, grid.array_shape)
    return torch.from_numpy(total)


def label_integrals(
    values: torch.Tensor, channels: torch.Tensor, count: int, grid: Grid, views: Views, soft: bool
) -> torch.Tensor:
    """(B, count, R) line integrals by structure, as `reference.joseph_labels`."""
    images = np.zeros((views.count, count, views.rays), np.float32)
    jobs = []
    for number, axis, view, rows_run in _passes(grid, views):
        for first, counts in _tiles(views, rows_run):
            where = (first, counts, views.size[0], rows_run, views.pixels)
            jobs.append(
                (values.numpy(), channels.numpy(), soft, axis, view, views.has_source, *where, images[number])
            )
    share(integrate_labels, jobs)
    return torch.from_numpy(images)


def _passes(grid: Grid, views: Views) -> Iterator[tuple[int, int, _View, bool]]:
    """(view, axis, geometry, whether tiles run along the rows) for each axis that dominates some ray."""
    for number, index_from_camera in enumerate(views.index_from_camera(grid)):
        linear = np.ascontiguousarray(index_from_camera[:3, :3])
        origins = linear @ views.origins[number]
        origins[:, 2] += index_from_camera[:3, 3]
        directions = linear @ views.directions[number]
        view = (
            origins, directions, np.ascontiguousarray(views.origins[number]),
            np.ascontiguousarray(views.directions[number]), linear,
        )  # fmt: skip
        for axis in np.flatnonzero(axes_used(directions, *views.size, views.pixels)):
            # Voxels along p lie farthest apart: a run of pixels should keep to one p.
            p_axis = 1 if axis == 0 else 0
            by_column, by_row = np.abs(directions[p_axis, :2]) + np.abs(origins[p_axis, :2])
            yield number, int(axis), view, bool(by_row <= by_column)


def _tiles(views: Views, rows_run: bool) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """(first pixel, counts), (row, column) each; for a list of pixels, (first, 0) and (count, 1)."""
    columns, rows = (1, views.rays) if len(views.pixels) else views.size
    high, wide = (_RUN, _RUNS) if rows_run else (_RUNS, _RUN)
    if len(views.pixels):
        high, wide = _RUN * _RUNS, 1
    for row, column in product(range(0, rows, high), range(0, columns, wide)):
        yield (row, column), (min(high, rows - row), min(wide, columns - column))
