"""How unlike two DRRs, or two projected structures, are; differentiable, for batches of small images."""

import torch

_PATCHES = 4  # across the image; they overlap by half
_FLAT = 0.01  # of the mean energy of the true patches: those that vary less count as alike


def ncc_loss(moving: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
    """(B,) 1 - NCC of images (B, N, N), half of it of the whole ones, half of patches; 0 where they agree.

    Patches count by the energy of the true ones. Each holds one further pixel of little energy, common to
    both, so that faint patches count as alike and the gradient is bounded where an image is empty.
    """
    side = fixed.shape[-1]
    scales = (side, max(2, side // _PATCHES))
    return 1 - sum(_ncc(_patches(moving, size), _patches(fixed, size)) for size in scales) / len(scales)


def dice_loss(moving: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
    """(B,) 1 - Dice overlap of masks (B, N, N) in [0, 1]; 0 where they agree, also where both are empty.

    Of squares (F. Milletari et al., "V-Net", 3DV 2016), so that soft masks, too, agree with themselves; one
    pixel is added to both, so that little at the image's edge counts little.
    """
    both = (moving * fixed).sum(dim=(1, 2))
    each = (moving.square() + fixed.square()).sum(dim=(1, 2))
    return 1 - (2 * both + 1) / (each + 1)


def _ncc(moving: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
    """(B,) of patches (B, n, pixels) about their means."""
    energies = fixed.square().sum(dim=2)
    extra = _FLAT * energies.mean(dim=1, keepdim=True) + 1e-12
    product = (moving * fixed).sum(dim=2) + extra
    ncc = product / ((moving.square().sum(dim=2) + extra) * (energies + extra)).sqrt()
    weight = energies + extra
    return (weight * ncc).sum(dim=1) / weight.sum(dim=1)


def _patches(images: torch.Tensor, size: int) -> torch.Tensor:
    """(B, n, size * size) about their means; they overlap by half."""
    step = max(1, size // 2)
    patches = images.unfold(1, size, step).unfold(2, size, step).flatten(3).flatten(1, 2)
    return patches - patches.mean(dim=2, keepdim=True)
