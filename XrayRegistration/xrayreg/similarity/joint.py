"""The normal equations of patchwise NCC where many parts move, each in its own part of the image.

As in `patches.py`, with ``C`` the covariances over a patch, n its pixels, m the DRR's norm and

    along = C(M, dI) / m,  across = C(F, dI) / |F|:
    hessian = (C(dI, dI') + along along' (|z(M)|^2 - 2)) / m^2,  gradient = (along NCC - across) / m.

Of C(dI, dI') = sum dI dI' - sum dI sum dI' / n the first term, summed over patches, is a sum over pixels with
weights; all else needs each derivative's sums over the patches alone. So no more is computed than where the
parts overlap, and memory is that of the parts' own windows.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from .patches import PatchwiseNcc, covariances

_AT_ONCE = 12  # derivatives, whose smoothed ones take several times their own space


@dataclass(frozen=True)
class Window:
    """The derivative of a DRR by one motion; zero outside a part of the image.

    Attributes:
        first: (column, row) of its first pixel.
        jacobian: [row, column, n]; n = 6 for a rigid motion.
    """

    first: tuple[int, int]
    jacobian: torch.Tensor


@dataclass(frozen=True)
class JointEquations:
    """The least-squares problem by the n unknowns of all windows, in double precision.

    Attributes:
        similarity: () the weighted mean of the NCCs.
        hessian: (n, n) Gauss-Newton, J^T J, of the loss, 1 - similarity.
        centres: (p, 2) image points (u, v), pixel, of the patches.
        weight: (p,) of each patch.
        ncc: (p,)
        gradients: (p, n) what each patch adds to the loss's gradient.
    """

    similarity: torch.Tensor
    hessian: torch.Tensor
    centres: torch.Tensor
    weight: torch.Tensor
    ncc: torch.Tensor
    gradients: torch.Tensor

    def __add__(self, other: "JointEquations") -> "JointEquations":
        return JointEquations(
            self.similarity + other.similarity,
            self.hessian + other.hessian,
            *(
                torch.cat([getattr(self, name), getattr(other, name)])
                for name in ("centres", "weight", "ncc", "gradients")
            ),
        )


def joint_equations(
    term: PatchwiseNcc, moving: torch.Tensor, windows: Sequence[Window], share: float
) -> JointEquations:
    """The equations of one term, which counts ``share``; see `Comparison.joint_equations`."""
    moving = moving - moving.mean()
    channels = term.channels(moving)
    cells = term.cells(channels)
    covariance = covariances(term.sums([term.fixed, cells]))  # (channel, patch, 2, 2)
    alike = term.alike(covariance)
    weight = share * term.weight.expand_as(alike.ncc).double()
    # About zero the sums lose fewer digits.
    images = torch.stack([torch.ones_like(cells), term.fixed - term.fixed.mean(), cells], dim=-1)
    parts = [_Part(term, window) for window in windows]
    ends = np.cumsum([0, *(window.jacobian.shape[-1] for window in windows)])
    spans = [slice(a, b) for a, b in itertools.pairwise(ends.tolist())]
    hessian = moving.new_zeros((ends[-1], ends[-1]), dtype=torch.float64)
    gradients = []
    for channel in range(len(channels)):
        sums = hessian.new_zeros(*term.valid.shape[:2], ends[-1], 3)
        for part, span in zip(parts, spans, strict=True):
            sums[part.rows, part.columns, span] = part.sums(channel, images[channel])
        sums = term.patches_of(sums).flatten(0, 1).movedim(-1, 0)  # (3, patch, n)
        pixels, fixed_sum, moving_sum = _plain_sums(term, images[channel])
        total, with_fixed, with_moving = sums.unbind(0)
        norm = alike.norm[channel].double()[:, None]
        along = (with_moving - moving_sum * total / pixels) / norm
        across = (with_fixed - fixed_sum * total / pixels) / term.fixed_norm[channel][:, None]
        per_norm2 = weight[channel][:, None] / norm.square()
        hessian += along.T @ (along * per_norm2 * (alike.length2[channel][:, None] - 2))
        hessian -= total.T @ (total * per_norm2 / pixels)
        _add_products(hessian, parts, spans, channel, term, per_norm2)
        gradients.append(weight[channel][:, None] * (along * alike.ncc[channel][:, None] - across) / norm)
    gradients = torch.cat(gradients)
    use = weight.flatten() > 0
    return JointEquations(
        (weight * alike.ncc).sum(),
        hessian,
        term.centres().expand(*weight.shape, 2).flatten(0, 1)[use],
        weight.flatten()[use],
        alike.ncc.flatten()[use],
        gradients[use],
    )


class _Part:
    """One derivative on the whole cells around its window.

    Attributes:
        rows, columns: the slices of cells.
        cells: (channel, n, cell row, cell column, pixel) its channels, 0 where the mask hides.
    """

    def __init__(self, term: PatchwiseNcc, window: Window):
        spans = [
            _cells_around(
                window.first[1 - axis], window.jacobian.shape[axis], term.cell[axis], term.shape[axis]
            )
            for axis in (0, 1)
        ]
        (top, bottom), (left, right) = spans
        high, wide = term.cell
        first = top * high, left * wide
        size = min(bottom * high, term.shape[0]) - first[0], min(right * wide, term.shape[1]) - first[1]
        row, column = window.first[1] - first[0], window.first[0] - first[1]
        rows, columns, count = window.jacobian.shape
        self.rows, self.columns = slice(top, bottom), slice(left, right)
        valid = term.valid[self.rows, self.columns]
        self.cells = window.jacobian.new_empty(len(term.fixed), count, *valid.shape)
        for begin in range(0, count, _AT_ONCE):
            some = slice(begin, begin + _AT_ONCE)
            part = window.jacobian[..., some]
            region = part.new_zeros(part.shape[-1], *size)
            region[:, row : row + rows, column : column + columns] = part.movedim(-1, 0)
            self.cells[:, some] = term.cells(term.channels(region).movedim(1, 0)) * valid

    def sums(self, channel: int, images: torch.Tensor) -> torch.Tensor:
        """[cell row, cell column, n, image] the derivatives' products with images, summed over pixels."""
        images = images[self.rows, self.columns]
        return torch.einsum("nrcp,rcpk->rcnk", self.cells[channel], images).double()


def _cells_around(first: int, size: int, cell: int, end: int) -> tuple[int, int]:
    """The cells of a span of pixels and of one more on each side, where the image has one."""
    return max(0, first - 1) // cell, -(-min(first + size + 1, end) // cell)


def _plain_sums(term: PatchwiseNcc, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(patch, 1) each: open pixels, and sums of X-ray and DRR over them."""
    cells = (images * term.valid[..., None]).double().sum(dim=-2)
    pixels, fixed, moving = term.patches_of(cells).flatten(0, 1).unbind(-1)
    return pixels.clamp(min=1)[:, None], fixed[:, None], moving[:, None]


def _add_products(
    hessian: torch.Tensor,
    parts: Sequence[_Part],
    spans: Sequence[slice],
    channel: int,
    term: PatchwiseNcc,
    per_norm2: torch.Tensor,
) -> None:
    """Adds the sums over pixels of products of derivatives, each pair of parts where both are.

    Weighs the parts' cells in place.
    """
    grid = term.patches_of(term.valid[..., 0]).shape
    roots = term.onto_cells(per_norm2.reshape(grid)).sqrt()[..., None]
    for a, one in enumerate(parts):
        one.cells[channel] *= roots[one.rows, one.columns].to(one.cells)
        for b, other in enumerate(parts[: a + 1]):
            rows, columns = _both(one.rows, other.rows), _both(one.columns, other.columns)
            if rows is None or columns is None:
                continue
            left, right = (_within(part, channel, rows, columns).flatten(1) for part in (one, other))
            product = (left @ right.T).double()
            hessian[spans[a], spans[b]] += product
            if a != b:
                hessian[spans[b], spans[a]] += product.T


def _both(a: slice, b: slice) -> slice | None:
    first, end = max(a.start, b.start), min(a.stop, b.stop)
    return slice(first, end) if first < end else None


def _within(part: _Part, channel: int, rows: slice, columns: slice) -> torch.Tensor:
    row, column = part.rows.start, part.columns.start
    return part.cells[channel][
        :, rows.start - row : rows.stop - row, columns.start - column : columns.stop - column
    ]
