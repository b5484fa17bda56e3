"""What is smooth is computed on few cells: a hundred times less work than at every pixel."""

from dataclasses import dataclass

import torch

_CELLS = 16  # in each direction


@dataclass(frozen=True)
class CoarseGrid:
    """Cells of equal size over an image, the same number in both directions.

    Attributes:
        down_rows, down_columns: (cells, rows) and (cells, columns): means over cells.
        up_rows, up_columns: (rows, cells) and (columns, cells): linear between the cells' centres, constant
            beyond the outermost.
    """

    down_rows: torch.Tensor
    down_columns: torch.Tensor
    up_rows: torch.Tensor
    up_columns: torch.Tensor

    @classmethod
    def of(cls, images: torch.Tensor) -> "CoarseGrid":
        """For images [..., row, column], on their device; at most one cell a pixel."""
        rows, columns = images.shape[-2:]
        cells = min(_CELLS, rows, columns)
        by_rows, by_columns = _means(cells, rows), _means(cells, columns)
        ups = _linear(rows, cells), _linear(columns, cells)
        return cls(*(each.to(images) for each in (by_rows, by_columns, *ups)))

    def means(self, images: torch.Tensor) -> torch.Tensor:
        """[..., cell, cell] of [..., row, column]."""
        return self.down_rows @ (images @ self.down_columns.mT)

    def smooth(self, cells: torch.Tensor) -> torch.Tensor:
        """[..., row, column] of [..., cell, cell]."""
        return self.up_rows @ cells @ self.up_columns.mT

    def blurred(self, cells: torch.Tensor, width: float | torch.Tensor) -> torch.Tensor:
        """Gaussian blur of [n, cell, cell]; edges count as continued by what is inside.

        Args:
            width: standard deviation, parts of the image's side; or [n, 1, 1], one for each.
        """
        count = cells.shape[-1]
        places = torch.arange(count, dtype=cells.dtype, device=cells.device) / count
        kernel = torch.exp(-0.5 * ((places[:, None] - places) / width) ** 2)
        kernel = kernel / kernel.sum(-1, keepdim=True)
        return kernel @ cells @ kernel.mT


def _means(cells: int, pixels: int) -> torch.Tensor:
    """(cells, pixels): the share of each pixel in each cell, rows of sum 1."""
    edges = torch.arange(cells + 1, dtype=torch.float64) * pixels / cells
    first = torch.arange(pixels, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], first + 1) - torch.maximum(edges[:-1, None], first)
    return overlap.clamp(min=0) * cells / pixels


def _linear(pixels: int, cells: int) -> torch.Tensor:
    """(pixels, cells): weights of linear interpolation, rows of sum 1."""
    place = ((torch.arange(pixels, dtype=torch.float64) + 0.5) * cells / pixels - 0.5).clamp(0, cells - 1)
    return (1 - (place[:, None] - torch.arange(cells, dtype=torch.float64)).abs()).clamp(min=0)
