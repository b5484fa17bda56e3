"""What a pose network sees of an X-ray: the same in training and in use."""

import torch

from ..errors import InputError
from .coarse import CoarseGrid

CHANNELS = 1
"""Of the network's input."""

BOUND = 4.0
"""Values lie between minus and plus this."""

_WINDOW = 0.07  # standard deviation of the blur that makes "local", parts of the side
_QUIET = 0.15  # of the mean local contrast: what varies less is not amplified further
_FLAT = 0.01  # the same, of the whole image's contrast
_RESOLUTION = 1e-4  # of the largest value: contrast below it is rounding
_AT_ONCE = 16  # images: what is computed in between stays in the processor's cache


def standardised(images: torch.Tensor, masks: torch.Tensor, pixels: int) -> torch.Tensor:
    """Locally normalised images [n, CHANNELS, pixels, pixels]; differentiable.

    Each value becomes its distance from the mean around it, in standard deviations around it. A tone curve
    is nearly a gain and an offset within such a neighbourhood, and scatter, uneven gain and the thickness
    of soft tissue nearly an offset: most of them goes. A gain above 0 and an offset of a whole image do not
    matter at all.

    Args:
        images: [n, side, side] line integrals, of any size. Outside the masks they may be anything.
        masks: [n, side, side] bool, False where a pixel says nothing about the patient; there the result
            is 0, as it is for an image without contrast.
        pixels: side of the result. Images of another size are averaged or interpolated: the field of view
            stays.

    Raises:
        InputError: if images are not square, masks do not fit them, or a value within a mask is not finite.
    """
    if images.ndim != 3 or images.shape != masks.shape or images.shape[1] != images.shape[2]:
        raise InputError(
            f"images {tuple(images.shape)} with masks {tuple(masks.shape)} are not square and of one shape",
            remedy="crop or pad them to squares [n, side, side]",
        )
    parts = zip(images.split(_AT_ONCE), masks.split(_AT_ONCE), strict=True)
    contrasts = [_local_contrast(*_resized(_centred(*part), part[1], pixels)) for part in parts]
    return torch.cat(contrasts)[:, None]


def _local_contrast(values: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """Of images that are 0 outside; 1 is inside, 0 outside."""
    grid = CoarseGrid.of(values)
    known = grid.blurred(grid.means(inside), _WINDOW).clamp(min=1e-6)
    mean = grid.blurred(grid.means(values), _WINDOW) / known
    square = grid.blurred(grid.means(values * values), _WINDOW) / known
    spread = (square - mean * mean).clamp(min=0).add(1e-12).sqrt()
    shares = grid.means(inside)
    quiet = (spread * shares).sum((1, 2), keepdim=True) / shares.sum((1, 2), keepdim=True).clamp(min=1e-6)
    factor = 1 / (spread + _QUIET * quiet + _FLAT)
    contrast = (values - grid.smooth(mean)) * grid.smooth(factor) * inside
    return contrast.clamp(-BOUND, BOUND)


def _centred(images: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """Less the mean and over the standard deviation within the masks; 0 outside."""
    images = _finite(images, masks)
    inside = masks.to(images.dtype)
    count = inside.sum((1, 2), keepdim=True).clamp(min=1)
    images = images * inside
    images = images / images.abs().amax((1, 2), keepdim=True).clamp(min=1e-30)  # squares must not overflow
    images = (images - images.sum((1, 2), keepdim=True) / count) * inside
    spread = ((images * images).sum((1, 2), keepdim=True) / count).sqrt()
    return images / spread.clamp(min=_RESOLUTION)


def _finite(images: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """With zeros in place of what is not finite outside the masks."""
    finite = images.isfinite()
    if finite.all():
        return images
    if (masks & ~finite).any():
        raise InputError("an image holds NaN or infinite values", remedy="leave them out of its mask")
    return images.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)


def _resized(values: torch.Tensor, masks: torch.Tensor, pixels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """At the new size, means over what is inside; and 1 where half a pixel is, else 0."""
    inside = masks.to(values.dtype)
    if values.shape[-1] == pixels:
        return values, inside
    size, options = (pixels, pixels), {"mode": "bilinear", "antialias": True, "align_corners": False}
    both = torch.nn.functional.interpolate(torch.stack([values, inside], 1), size, **options)
    share = both[:, 1]
    inside = (share >= 0.5).to(values.dtype)
    return both[:, 0] / share.clamp(min=0.5) * inside, inside
