"""Where in the X-ray a DRR fits best, if it may only be shifted."""

import torch

_APART = 2  # pixels between places that count as different, at least
_EMPTY = 0.05  # places with less than this part of the gradients of the whole do not win by chance
_NEIGHBOURS = 25  # pixels across: the strength of an edge counts against those around it
_FAINT = 0.05  # of the X-ray's mean square gradient: fainter neighbourhoods than this stay faint


class Shifts:
    """A fixed X-ray ready to be compared with many larger DRRs at every shift.

    The measure is the normalised correlation of the gradient images, over the open pixels. The X-ray's
    gradients are divided by their local mean: a faint bone in soft tissue counts as much as a strong edge
    elsewhere, to which everything would else be drawn.

    Args:
        fixed: [row, column] line integrals.
        mask: [row, column] bool; pixels outside, and next to them, do not count.
    """

    def __init__(self, fixed: torch.Tensor, mask: torch.Tensor):
        open_ = 1 - torch.nn.functional.max_pool2d(1 - mask[None].to(fixed.dtype), 3, stride=1, padding=1)
        filled = torch.where(mask, fixed, fixed[mask].mean())[None]
        gradient = _of_even_strength(_gradients(filled)[0] * open_, open_)
        self._kernel = (gradient / gradient.norm().clamp(min=1e-12))[None]
        self._square = self._kernel.square().sum(dim=1, keepdim=True)
        self._open = open_[None].expand(1, 2, -1, -1)

    def best(self, moving: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The best shifts of each DRR, away from each other, and how well it fits there.

        Args:
            moving: (B, row, column) DRRs whose camera sees (m, n) more pixels (columns, rows) than the
                X-ray's, on each side.
            count: how many shifts.

        Returns:
            (B, count, 2) shifts (u, v) of the DRR's content, pixel, up to (m, n) either way; (B, count) fits
            in [-1, 1], best first; -inf where there is no other place.
        """
        gradient = _gradients(moving)
        product = torch.nn.functional.conv2d(gradient, self._kernel)[:, 0]
        energy = torch.nn.functional.conv2d(gradient.square(), self._open)[:, 0].clamp(min=0)
        floor = _EMPTY * energy.amax(dim=(-2, -1), keepdim=True) + 1e-20
        # The X-ray counts where the volume is: a single bone is not drawn to the strongest edges around.
        support = torch.nn.functional.max_pool2d((moving > 0).to(moving)[:, None], 3, stride=1, padding=1)
        beneath = torch.nn.functional.conv2d(support, self._square)[:, 0].clamp(min=_EMPTY)
        fit = product / ((energy + floor) * beneath).sqrt()
        around = torch.nn.functional.max_pool2d(fit, 2 * _APART + 1, stride=1, padding=_APART)
        peaks = torch.where(fit == around, fit, -torch.inf).flatten(1)
        missing = max(0, count - peaks.shape[1])
        values, places = torch.nn.functional.pad(peaks, (0, missing), value=-torch.inf).topk(count, dim=1)
        rows, columns = fit.shape[-2:]
        v, u = (rows - 1) // 2 - places // columns, (columns - 1) // 2 - places % columns
        return torch.stack([u, v], dim=-1), values


def _of_even_strength(gradient: torch.Tensor, open_: torch.Tensor) -> torch.Tensor:
    """Gradients [2, row, column] over their root mean square in the open pixels around."""
    square = gradient.square().sum(dim=0, keepdim=True)
    around, count = (
        torch.nn.functional.avg_pool2d(image, _NEIGHBOURS, stride=1, padding=_NEIGHBOURS // 2)
        for image in (square, open_)
    )
    local = around / count.clamp(min=1 / _NEIGHBOURS**2)
    return gradient / (local + _FAINT * square.mean() + 1e-20).sqrt()


def _gradients(images: torch.Tensor) -> torch.Tensor:
    """[image, 2, row, column] central differences along columns and rows; 0 at the border."""
    result = images.new_zeros(len(images), 2, *images.shape[-2:])
    result[:, 0, :, 1:-1] = (images[:, :, 2:] - images[:, :, :-2]) / 2
    result[:, 1, 1:-1] = (images[:, 2:] - images[:, :-2]) / 2
    return result
