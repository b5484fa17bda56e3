"""The field that a collimator leaves open: a rectangle, an octagon or a circle, turned and off centre."""

from dataclasses import dataclass

import torch

from .draws import Draws

# Of `Apertures.corners`: |u| + |v| times this is at most 1, in units of the half sides.
_RECTANGLE, _OCTAGON = 0.5, 0.5**0.5


@dataclass(frozen=True)
class Apertures:
    """Open fields, one an image; all [n, 1, 1], lengths in pixels.

    Attributes:
        column, row: of the middle.
        angle: of the first axis, rad, from the columns' direction to the rows'.
        half_width, half_height: along the first and the second axis.
        corners: 1/2 leaves a rectangle its corners, 1/sqrt(2) makes it an octagon.
        round: 1 for an ellipse with these half axes, 0 for the others.
    """

    column: torch.Tensor
    row: torch.Tensor
    angle: torch.Tensor
    half_width: torch.Tensor
    half_height: torch.Tensor
    corners: torch.Tensor
    round: torch.Tensor

    def depth(self, rows: int, columns: int) -> torch.Tensor:
        """[n, row, column]: how far inside the field, about in pixels; negative outside."""
        u = torch.arange(columns, device=self.row.device, dtype=self.row.dtype) - self.column
        v = torch.arange(rows, device=self.row.device, dtype=self.row.dtype)[:, None] - self.row
        cos, sin = self.angle.cos(), self.angle.sin()
        x = ((cos * u + sin * v) / self.half_width).abs_()
        y = ((cos * v - sin * u) / self.half_height).abs_()
        straight = torch.maximum(torch.maximum(x, y), (x + y) * self.corners)
        ellipse = x.square_().addcmul_(y, y).sqrt_()
        reach = torch.lerp(straight, ellipse, self.round)
        return (1 - reach) * torch.minimum(self.half_width, self.half_height)


def random_apertures(
    draws: Draws, count: int, size: tuple[int, int], opening: tuple[float, float]
) -> Apertures:
    """Fields for ``count`` images of ``size`` (rows, columns).

    Args:
        opening: range of a field's width and height, parts of the image's shorter side. Octagons and
            circles are as wide as high.
    """
    rows, columns = size
    side = min(size)
    kind = draws.whole(count, (0, 3))[:, None, None]  # rectangles are twice as frequent
    half_width = draws.uniform(count, opening) * side / 2
    half_height = torch.where(kind < 2, draws.uniform(count, opening) * side / 2, half_width)
    straight = draws.chance(count, 0.5)[:, None, None] & (kind < 2)
    return Apertures(
        column=(columns - 1) / 2 + draws.uniform(count, (-0.12, 0.12)) * columns,
        row=(rows - 1) / 2 + draws.uniform(count, (-0.12, 0.12)) * rows,
        angle=torch.where(straight, 0.0, draws.uniform(count, (-torch.pi / 4, torch.pi / 4))),
        half_width=half_width,
        half_height=half_height,
        corners=torch.where(kind == 2, _OCTAGON, _RECTANGLE).to(half_width),
        round=(kind == 3).to(half_width),
    )
