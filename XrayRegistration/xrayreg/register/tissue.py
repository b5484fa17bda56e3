"""Soft tissue between the bones, which moves by itself: overlapping cells, each with a shift of its own.

A cell is the remainder times a weight that falls from one in its middle to zero at its neighbours' (hat
functions on a lattice), so the cells add up to the remainder, and shifts that vary slowly from cell to cell
are, to first order, the smooth field that interpolates them.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from ..images import Grid, grid_of
from ..render import Density

_CELL_MM = 120.0
_APART_MM, _FAR_MM = 5.0, 15.0  # standard deviations of shifts: from the cell beside, and at all
_EMPTY = 0.01  # of the fullest cell: less than this is air


@dataclass(frozen=True)
class Tissue:
    """T cells of a remainder.

    Attributes:
        rest: all of it, at rest.
        weights: of each cell, along i, j and k.
        beside: (n, 2) numbers of cells next to each other.
    """

    rest: Density
    weights: tuple[tuple[np.ndarray, np.ndarray, np.ndarray], ...]
    beside: np.ndarray

    def __len__(self) -> int:
        return len(self.weights)

    def cells(self) -> Iterator[Density]:
        """Their attenuation, at rest; made anew each time, as together they take eight times the space."""
        return (_cell(self.rest, weights) for weights in self.weights)

    @cached_property
    def smoothness(self) -> np.ndarray:
        """(T, T) precision of each component of the shifts: cells move as those beside them, and not far."""
        result = np.eye(len(self)) / _FAR_MM**2
        for a, b in self.beside:
            result[[a, b], [a, b]] += 1 / _APART_MM**2
            result[[a, b], [b, a]] -= 1 / _APART_MM**2
        return result

    def moved(self, shifts: np.ndarray) -> Density:
        """All of it, the cells shifted by (T, 3), patient, mm."""
        grid = self.rest.grid
        steps = shifts @ grid.index_from_patient[:3, :3].T
        room = np.ceil(np.abs(steps).max(axis=0)).astype(int) + 1
        around = tuple(slice(-r, n + r) for r, n in zip(room, grid.size, strict=True))[::-1]
        values = self.rest.values.new_zeros(grid_of(around, grid).array_shape)
        for cell, step in zip(self.cells(), steps, strict=True):
            whole = np.floor(step).astype(int)
            first = _offset(grid, cell.grid) + room + whole
            drawn = _shifted(cell.values, (step - whole)[::-1])
            k, j, i = (slice(a, a + n) for a, n in zip(first[::-1], drawn.shape, strict=True))
            values[k, j, i] += drawn
        return Density(values, grid_of(around, grid))


def in_cells(rest: Density) -> Tissue:
    """The remainder of a volume in cells."""
    size = np.array(rest.grid.size)
    counts = np.maximum(1, np.round(size * rest.grid.spacing_mm / _CELL_MM)).astype(int)
    along = [np.linspace(0, count, n) for n, count in zip(size, counts, strict=True)]
    weights = {
        node: tuple(np.clip(1 - np.abs(places - at), 0, 1) for places, at in zip(along, node, strict=True))
        for node in itertools.product(*(range(count + 1) for count in counts))
    }
    full = {node: float(_cell(rest, weight).values.sum()) for node, weight in weights.items()}
    kept = [node for node in weights if full[node] > _EMPTY * max(full.values())]
    numbers = {node: number for number, node in enumerate(kept)}
    steps = np.eye(3, dtype=int)
    beside = [
        (number, numbers[after])
        for node, number in numbers.items()
        for after in (tuple(np.add(node, step).tolist()) for step in steps)
        if after in numbers
    ]
    return Tissue(rest, tuple(weights[node] for node in kept), np.array(beside, int).reshape(-1, 2))


def _cell(rest: Density, weights: Sequence[np.ndarray]) -> Density:
    """A part of the remainder, by its weights along i, j and k."""
    spans = [slice(w.nonzero()[0][0], w.nonzero()[0][-1] + 1) for w in weights]
    i, j, k = (w[span] for w, span in zip(weights, spans, strict=True))
    weight = torch.from_numpy((k[:, None, None] * j[:, None] * i).astype(np.float32))
    box = tuple(spans[::-1])
    return Density(rest.values[box] * weight.to(rest.values), grid_of(box, rest.grid))


def _offset(grid: Grid, part: Grid) -> np.ndarray:
    """(i, j, k) of a part's first voxel."""
    return np.rint((grid.index_from_patient @ part.patient_from_index)[:3, 3]).astype(int)


def _shifted(values: torch.Tensor, part: np.ndarray) -> torch.Tensor:
    """[k, j, i] one larger each way: moved by ``part`` of a voxel along each axis, interpolated."""
    for axis, by in enumerate(part):
        pad = [0, 0] * (2 - axis)
        ahead, behind = (torch.nn.functional.pad(values, (*pad, *ends)) for ends in ((0, 1), (1, 0)))
        values = torch.lerp(ahead, behind, float(by))
    return values
