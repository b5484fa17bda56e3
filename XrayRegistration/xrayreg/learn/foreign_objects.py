"""What is in X-rays besides the patient: instruments, wires, implants, electrodes, letters, blocks.

Lengths are parts of the image's shorter side; places are parts of its height and width.
"""

from dataclasses import dataclass

import torch

from ..errors import InputError
from .draws import Draws

_THINNEST_PX = 0.8  # radius; thinner wires are drawn as thick and as much fainter

# Ranges of half length, radius, bend, taper, depth: one line a kind. The bend is how far the ends lie beside
# the tangent in the middle; the taper is by what part an end is thicker than the middle; the depth is a
# part of the largest line integral.
_KINDS = {
    "rod or drill": ((0.10, 0.70), (0.005, 0.025), (0.0, 0.0), (-0.1, 0.1), (0.5, 1.0)),
    "wire or catheter": ((0.15, 0.60), (0.002, 0.008), (-0.4, 0.4), (0.0, 0.0), (0.05, 0.6)),
    "screw": ((0.03, 0.12), (0.006, 0.018), (0.0, 0.0), (-0.6, 0.6), (0.4, 1.0)),
    "plate": ((0.06, 0.25), (0.012, 0.040), (-0.03, 0.03), (-0.1, 0.1), (0.2, 0.8)),
    "electrode": ((0.001, 0.006), (0.010, 0.030), (0.0, 0.0), (0.0, 0.0), (0.1, 0.6)),
    "table or cable": ((0.30, 0.90), (0.020, 0.090), (-0.1, 0.1), (0.0, 0.0), (0.02, 0.15)),
}
_FLAT = ("plate", "electrode")  # as thick at the edge as in the middle
_EDGE = 3.0  # of flat ones: how steeply they rise, so that edges are not stairs


@dataclass(frozen=True)
class Rods:
    """Straight or bent bodies, one an image; all [n, 1, 1], lengths in pixels.

    Attributes:
        column, row: of the middle.
        angle: of the axis, rad, from the columns' direction to the rows'.
        half_length, radius: the ends are half discs.
        bend, taper: see `_KINDS`; the bend in pixels.
        flat: 1 where the thickness is the same all over, 0 where that of a round bar.
        depth: line integral through the axis: attenuation times thickness.
    """

    column: torch.Tensor
    row: torch.Tensor
    angle: torch.Tensor
    half_length: torch.Tensor
    radius: torch.Tensor
    bend: torch.Tensor
    taper: torch.Tensor
    flat: torch.Tensor
    depth: torch.Tensor

    def line_integrals(self, rows: int, columns: int) -> torch.Tensor:
        """[n, row, column] of what is in each image."""
        u = torch.arange(columns, device=self.row.device, dtype=self.row.dtype) - self.column
        v = torch.arange(rows, device=self.row.device, dtype=self.row.dtype)[:, None] - self.row
        cos, sin, length = self.angle.cos(), self.angle.sin(), self.half_length
        along = (cos / length) * u + (sin / length) * v  # in half lengths
        across = (cos / self.radius) * v - (sin / self.radius) * u  # in radii
        across.addcmul_(self.bend / self.radius * along, along, value=-1)
        within = along.clamp(-1, 1)
        beyond = along.sub_(within).mul_(length / self.radius)
        distance2 = across.square_().addcmul_(beyond, beyond)
        distance2.div_(within.mul_(self.taper).add_(1).square_())
        height = distance2.neg_().add_(1).clamp_(min=0).sqrt_()
        return height.mul_(1 + (_EDGE - 1) * self.flat).clamp_(max=1).mul_(self.depth)


def random_rods(draws: Draws, count: int, size: tuple[int, int], largest: tuple[float, float]) -> Rods:
    """One of a random kind for each of ``count`` images of ``size`` (rows, columns).

    Args:
        largest: range of the line integral that the kinds' depths are parts of.
    """
    rows, columns = size
    side = min(size)
    ranges = torch.tensor(list(_KINDS.values()))
    flat = torch.tensor([float(name in _FLAT) for name in _KINDS])
    kinds = draws.whole(count, (0, len(_KINDS) - 1))
    part = draws.unit(count, ranges.shape[1])
    low, high = ranges.to(part)[kinds].unbind(-1)
    values = low + (high - low) * part
    half_length, radius, bend, taper, depth = values[:, :, None, None].unbind(1)
    thin = (radius * side / _THINNEST_PX).clamp(max=1)
    return Rods(
        column=draws.uniform(count, (0.0, 1.0)) * columns,
        row=draws.uniform(count, (0.0, 1.0)) * rows,
        angle=draws.uniform(count, (-torch.pi, torch.pi)),
        half_length=half_length * side,
        radius=radius * side / thin,
        bend=bend * side,
        taper=taper,
        flat=flat.to(part)[kinds][:, None, None],
        depth=depth * thin * draws.log_uniform(count, largest),
    )


def random_tools(
    draws: Draws, counts: torch.Tensor, size: tuple[int, int], largest: tuple[float, float]
) -> torch.Tensor:
    """Line integrals [n, row, column] of ``counts`` [n] bodies an image; the counts may not rise.

    Raises:
        InputError: if they do.
    """
    if (counts.diff() > 0).any():
        raise InputError("the numbers of tools rise", remedy="sort the images by them, largest first")
    paths = draws.zeros(len(counts), *size)
    for number in range(int(counts[0]) if len(counts) else 0):
        first = int((counts > number).sum())  # so that they lie together in memory
        paths[:first] += random_rods(draws, first, size, largest).line_integrals(*size)
    return paths


def with_letters(images: torch.Tensor, draws: Draws, low: torch.Tensor, high: torch.Tensor) -> torch.Tensor:
    """Signs burned into [n, row, column] near an edge, in the darkest or the brightest value, or a bar.

    Args:
        low, high: [n, 1, 1] the ends of the image's values.
    """
    count, rows, columns = images.shape
    cells = (5, 11)  # three letters of five by three
    signs = (draws.unit(count, *cells) < 0.55) | draws.chance(count, 0.2)[:, None, None]
    signs[:, :, 3::4] = False
    cell = draws.uniform(count, (0.008, 0.022)) * min(rows, columns)
    near, anywhere = draws.uniform(count, (0.0, 0.15)), draws.uniform(count, (0.0, 0.85))
    near = torch.where(draws.chance(count, 0.5)[:, None, None], near, 0.92 - near)
    across = draws.chance(count, 0.5)[:, None, None]
    in_rows = _cells(rows, torch.where(across, near, anywhere) * rows, cell, cells[0])
    in_columns = _cells(columns, torch.where(across, anywhere, near) * columns, cell, cells[1])
    written = in_rows.mT @ signs.to(images) @ in_columns
    return torch.lerp(images, torch.where(draws.chance(count, 0.5)[:, None, None], low, high), written)


def with_blocks(
    images: torch.Tensor, draws: Draws, counts: torch.Tensor, sides: tuple[float, float],
    low: torch.Tensor, high: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """[n, row, column] with ``counts`` [n] rectangles of one value each over what was there.

    Args:
        sides: range of their height and width, parts of the image's.
        low, high: [n, 1, 1] the ends of the values.
    """
    count, rows, columns = images.shape
    for number in range(int(counts.max()) if count else 0):
        height, width = draws.uniform(count, sides) * rows, draws.uniform(count, sides) * columns
        in_rows = _cells(rows, draws.uniform(count, (0, 1)) * rows - height / 2, height, 1)
        in_columns = _cells(columns, draws.uniform(count, (0, 1)) * columns - width / 2, width, 1)
        value = low + (high - low) * draws.uniform(count, (0, 1))
        covered = in_rows.mT * in_columns * (counts > number)[:, None, None]
        images = torch.lerp(images, value, covered)
    return images


def _cells(pixels: int, first: torch.Tensor, size: torch.Tensor, cells: int) -> torch.Tensor:
    """[n, cell, pixel]: 1 where the pixel lies in the cell, else 0; the first cell begins at ``first``."""
    place = torch.arange(pixels, device=first.device, dtype=first.dtype)
    number = torch.arange(cells, device=first.device)[:, None]
    return (((place - first) / size).floor() == number).to(first)
