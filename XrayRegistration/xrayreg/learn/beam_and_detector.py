"""From line integrals to what a detector measures, batched; each image has its own settings, [n, 1, 1]."""

from collections.abc import Mapping

import numpy as np
import torch

from ..render import C_ARM_BEAM
from .coarse import CoarseGrid

FAINTEST = 1e-30
"""Intensities below are taken for this: a line integral of 69."""


def attenuated(
    paths: Mapping[str, torch.Tensor], gains: Mapping[str, torch.Tensor],
    soft_kev: torch.Tensor, hard_kev: torch.Tensor, hard_share: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """Transmitted intensity [n, row, column], the open beam 1, of a beam of two energies.

    Two energies harden a beam as many do (Alvarez and Macovski's basis has two functions); each image has
    its own two.

    Args:
        paths: for each material its line integrals at 70 keV.
        gains: factors of them; 1 for materials that are not named.
        soft_kev, hard_kev: from 40 to 100.
        hard_share: of the photons, in the open beam.

    Raises:
        InputError: for a material without a table.
    """
    parts = []
    for kev, share in ((soft_kev, 1 - hard_share), (hard_kev, hard_share)):
        logarithm = share.log()  # of the intensity
        for name, path in paths.items():
            logarithm = torch.addcmul(
                logarithm, path, gains.get(name, 1.0) * _relative_attenuation(name, kev), value=-1
            )
        parts.append(logarithm.exp_())
    return parts[0].add_(parts[1])


def scattered(
    intensity: torch.Tensor, grid: CoarseGrid, ratio: torch.Tensor, width: torch.Tensor
) -> torch.Tensor:
    """The smooth intensity [n, row, column] that scatter adds.

    Photons scatter along the path and are attenuated as the beam is, so their source goes with ``p
    exp(-p)``: none beside the patient (B. Ohnesorge et al., European Radiology 9, 1999, "Efficient object
    scatter correction algorithm").

    Args:
        ratio: of scatter to primary behind a uniform body, for each unit of its line integral.
        width: standard deviation of the blur, parts of the image's side.
    """
    primary = grid.means(intensity).clamp(min=FAINTEST)
    source = -primary.log().clamp(max=0) * primary
    return grid.smooth(grid.blurred(source, width) * ratio)


def blurred(images: torch.Tensor, width_px: torch.Tensor) -> torch.Tensor:
    """Three taps, twice in each direction: of standard deviation ``width_px``, up to 1.15; edges stay."""
    side = width_px.square() / 4
    for _ in range(2):
        for axis in (-1, -2):
            images = _three_taps(images, side, axis)
    return images


def noise_level(intensity: torch.Tensor, grid: CoarseGrid, photons: torch.Tensor) -> torch.Tensor:
    """Counts [n, 1, 1] per unit of intensity that give ``photons`` behind the image's mean line integral.

    As exposure control does: it holds the dose behind the patient, not that of the open beam.
    """
    mean = grid.means(intensity).clamp(min=FAINTEST).log().mean((1, 2), keepdim=True)
    return photons / mean.exp()


def noisy(intensity: torch.Tensor, counts: torch.Tensor, normal: torch.Tensor) -> torch.Tensor:
    """Photon noise; below half a photon nothing is told apart.

    Args:
        counts: per unit of intensity.
        normal: [n, row, column] standard normal numbers. Poisson's law is Gaussian at 10 counts and more.
    """
    sigma = (intensity / counts).sqrt_()
    return torch.maximum(torch.addcmul(intensity, sigma, normal), 0.5 / counts)


def ramp(size: tuple[int, int], slope: torch.Tensor, angle: torch.Tensor, bowl: torch.Tensor) -> torch.Tensor:
    """[n, row, column] smooth change of the line integrals: heel effect and uneven gain.

    Args:
        slope: change over the image's side, in the direction ``angle`` (rad).
        bowl: change from the middle to the middle of an edge.
    """
    rows, columns = size
    v = torch.linspace(-0.5, 0.5, rows, dtype=slope.dtype, device=slope.device)[:, None]
    u = torch.linspace(-0.5, 0.5, columns, dtype=slope.dtype, device=slope.device)
    by_row = slope * angle.sin() * v + 4 * bowl * v * v
    return by_row + (slope * angle.cos() * u + 4 * bowl * u * u)


def toned(
    images: torch.Tensor, low: torch.Tensor, high: torch.Tensor, bend: torch.Tensor, steep: torch.Tensor
) -> torch.Tensor:
    """A rising tone curve between two values, which stay; what is beyond them is clipped.

    Args:
        bend: ratio of the slopes at the two ends is its square: above 1 spreads small line integrals as the
            logarithm of an intensity does, below 1 compresses them.
        steep: from -1 to 1: above 0 as a sigmoid, steepest in the middle; below 0 the other way.
    """
    part = ((images - low) / (high - low)).clamp_(0, 1)
    part = part * bend / (1 + (bend - 1) * part)
    # part + steep * (3 part^2 - 2 part^3 - part)
    part = part * (part * (3 * steep - 2 * steep * part) + (1 - steep))
    return low + (high - low) * part


def locally_flattened(images: torch.Tensor, grid: CoarseGrid, part: torch.Tensor) -> torch.Tensor:
    """Less ``part`` of what is smooth over an eighth of the image: as adaptive histograms leave it."""
    smooth = grid.blurred(grid.means(images), 0.12)
    return images - grid.smooth((smooth - smooth.mean((1, 2), keepdim=True)) * part)


def robust_ends(images: torch.Tensor, grid: CoarseGrid) -> tuple[torch.Tensor, torch.Tensor]:
    """Least and largest mean over a cell [n, 1, 1], which noise hardly moves; at least 1e-3 apart."""
    means = grid.means(images)
    low = means.amin((1, 2), keepdim=True)
    return low, torch.maximum(means.amax((1, 2), keepdim=True), low + 1e-3)


def _relative_attenuation(material: str, kev: torch.Tensor) -> torch.Tensor:
    """Attenuation relative to that at 70 keV, linear between the energies of `C_ARM_BEAM`; 1 at 70 keV."""
    energies = np.array([*C_ARM_BEAM.energies_kev, 70.0])
    table = np.array([*C_ARM_BEAM.relative_attenuation([material])[:, 0], 1.0])
    order = np.argsort(energies)
    values = np.interp(kev.detach().cpu().double().numpy(), energies[order], table[order])
    return torch.as_tensor(values).to(kev)


def _three_taps(images: torch.Tensor, side: torch.Tensor, axis: int) -> torch.Tensor:
    """Each pixel's part ``side`` goes to each of its two neighbours; at an edge it stays."""
    steps = images.diff(dim=axis) * side
    count = images.shape[axis]
    result = images.clone()
    result.narrow(axis, 0, count - 1).add_(steps)
    result.narrow(axis, 1, count - 1).sub_(steps)
    return result
