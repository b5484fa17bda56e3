"""Beams of many energies: the softer photons are lost first, so thick and dense bodies look thinner."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from ..images import WATER_PER_MM, Volume
from .density import Density
from .project import render
from .views import AnyCamera

REFERENCE_KEV = 70
"""Volumes and line integrals hold the attenuation at this energy, as `WATER_PER_MM` does."""

ENERGIES_KEV = (30, 40, 50, 60, 70, 80, 90, 100, 110, 120)

# Mass attenuation, cm2/g, with coherent scattering, at ENERGIES_KEV: NIST XCOM; Hubbell and Seltzer,
# NISTIR 5632, tables 3 (elements) and 4 (water; cortical bone of ICRU-44), which have 30 to 60, 80 and
# 100 keV; the energies between are from the same cross sections as fitted by Elam, Ravel and Sieber, Rad.
# Phys. Chem. 63 (2002), within 0.07 % of the tables where both have values. Steel is 316L by weight:
# 65.5 % Fe, 17 % Cr, 12 % Ni, 2.5 % Mo, 2 % Mn, 1 % Si. Iodine's K edge is at 33.17 keV.
_MASS_ATTENUATION = {
    "water": (0.3756, 0.2683, 0.2269, 0.2059, 0.1929, 0.1837, 0.1766, 0.1707, 0.1657, 0.1614),
    "bone": (1.331, 0.6655, 0.4242, 0.3148, 0.2570, 0.2229, 0.2008, 0.1855, 0.1743, 0.1656),
    "steel": (8.550, 3.808, 2.057, 1.266, 0.8562, 0.6228, 0.4796, 0.3865, 0.3231, 0.2782),
    "titanium": (4.972, 2.214, 1.213, 0.7661, 0.5361, 0.4052, 0.3247, 0.2721, 0.2360, 0.2102),
    "iodine": (8.561, 22.10, 12.32, 7.579, 5.016, 3.510, 2.565, 1.942, 1.515, 1.211),
}
MATERIALS = tuple(_MASS_ATTENUATION)
METALS = ("steel", "titanium")

# Between these HU a voxel turns from all soft tissue to all bone, and from all bone to all metal. Scanners
# of 12 bits clip at 3071 HU.
_BONE_HU, _METAL_HU = (150.0, 800.0), (2500.0, 3000.0)


@dataclass(frozen=True)
class Spectrum:
    """The photons that an open beam leaves in the detector.

    Attributes:
        energies_kev: of `ENERGIES_KEV`.
        weights: share of the photons of each energy; scaled to the sum 1.

    Raises:
        InputError: if an energy is not tabulated, or weights do not fit.
    """

    energies_kev: tuple[float, ...]
    weights: tuple[float, ...]

    def __post_init__(self):
        unknown = sorted(set(self.energies_kev) - set(ENERGIES_KEV))
        if unknown:
            raise InputError(
                f"no attenuation is tabulated at {', '.join(f'{energy:g}' for energy in unknown)} keV",
                remedy=f"use bins at {', '.join(map(str, ENERGIES_KEV))} keV",
            )
        weights = np.array(self.weights, dtype=float)
        fit = weights.size > 0 and weights.shape == (len(self.energies_kev),)
        if not fit or not ((weights > 0) & np.isfinite(weights)).all():
            raise InputError(
                f"{len(self.energies_kev)} energies do not fit the weights {self.weights}",
                remedy="give one positive weight for each energy",
            )
        object.__setattr__(self, "weights", tuple((weights / weights.sum()).tolist()))

    def relative_attenuation(self, materials: Sequence[str]) -> np.ndarray:
        """[energy, material] attenuation relative to that at 70 keV."""
        unknown = sorted(set(materials) - set(MATERIALS))
        if unknown or not materials:
            raise InputError(
                f"unknown materials {', '.join(unknown)}" if unknown else "there is no material",
                remedy=f"use {', '.join(MATERIALS)}",
            )
        columns = [ENERGIES_KEV.index(energy) for energy in self.energies_kev]
        tables = np.array([_MASS_ATTENUATION[material] for material in materials])
        return (tables[:, columns] / tables[:, [ENERGIES_KEV.index(REFERENCE_KEV)]]).T


C_ARM_BEAM = Spectrum((40, 50, 60, 80, 100), (0.16, 0.29, 0.28, 0.22, 0.05))
"""A strongly filtered C-arm beam of 60 keV on average, in coarse bins; of the right size, not measured."""


def materials_of(
    volume: Volume, metal: str = "steel", device: str | torch.device = "cpu"
) -> dict[str, Density]:
    """A CT divided into water (soft tissue), bone and, where there are any, metal: attenuation at 70 keV.

    The parts add up to `attenuation_per_mm`, so metal that the scanner clipped is too transparent. Bone and
    metal are left out where no voxel has any.

    Args:
        metal: "steel" or "titanium": what voxels of about 3000 HU and more are made of.

    Raises:
        InputError: if the metal is another.
    """
    if metal not in METALS:
        raise InputError(f"unknown metal {metal!r}", remedy=f"use {' or '.join(METALS)}")
    hu = torch.as_tensor(volume.hu, dtype=torch.float32, device=device)
    attenuation = (hu + 1000).clamp(min=0) * (WATER_PER_MM / 1000)
    bone_or_metal, metal_part = _ramp(hu, _BONE_HU), _ramp(hu, _METAL_HU)
    parts = {"water": 1 - bone_or_metal, "bone": bone_or_metal - metal_part, metal: metal_part}
    return {
        name: Density(attenuation * part, volume.grid)
        for name, part in parts.items()
        if name == "water" or part.any()
    }


def polyenergetic(paths: Mapping[str, torch.Tensor], spectrum: Spectrum) -> torch.Tensor:
    """Effective line integrals: -ln of the part of the photons that passes all materials; differentiable.

    The transmitted intensity is exp(-result).

    Args:
        paths: for each material its line integrals at 70 keV, all of one shape.

    Raises:
        InputError: if a material is not tabulated, or there is none.
    """
    relative = spectrum.relative_attenuation(list(paths))
    stack = torch.stack(list(paths.values()))
    log_weights = torch.as_tensor(np.log(spectrum.weights)).to(stack)
    by_energy = torch.tensordot(torch.as_tensor(relative).to(stack), stack, dims=1)
    # In logarithms, as behind metal the intensity of every energy may round to zero.
    return -torch.logsumexp(log_weights.reshape(-1, *[1] * (stack.ndim - 1)) - by_energy, dim=0)


def render_polyenergetic(
    materials: Mapping[str, Density],
    cameras: AnyCamera | Sequence[AnyCamera],
    spectrum: Spectrum = C_ARM_BEAM,
    *,
    subsamples: int = 1,
    **options,
) -> torch.Tensor:
    """DRRs of a beam of many energies: effective line integrals, shaped as those of `render`.

    Args:
        materials: from `materials_of`; `vessel_density` may be added as "iodine". Grids may differ.
        cameras: one view or several, as of `render`.
        subsamples: each pixel is the mean intensity of this many rays squared, spread evenly over its
            area. A detector averages intensities, so an edge is brighter than with averaged integrals.
        options: of `render`, but for ``pixels``.
    """
    size = (cameras if isinstance(cameras, AnyCamera) else cameras[0]).size
    pixels = _subpixels(size, subsamples) if subsamples > 1 else None
    paths = {name: render(density, cameras, pixels=pixels, **options) for name, density in materials.items()}
    image = polyenergetic(paths, spectrum)
    if subsamples > 1:
        columns, rows = size
        by_ray = image.reshape(*image.shape[:-1], rows, columns, subsamples**2)
        image = 2 * math.log(subsamples) - torch.logsumexp(-by_ray, dim=-1)
    return image


def _ramp(hu: torch.Tensor, ends: tuple[float, float]) -> torch.Tensor:
    return ((hu - ends[0]) / (ends[1] - ends[0])).clamp(0, 1)


def _subpixels(size: tuple[int, int], count: int) -> np.ndarray:
    """(rows * columns * count^2, 2) image points, all of a pixel together."""
    columns, rows = size
    offsets = (np.arange(count) + 0.5) / count - 0.5
    v, u, dv, du = np.meshgrid(np.arange(rows), np.arange(columns), offsets, offsets, indexing="ij")
    return np.stack([u + du, v + dv], axis=-1).reshape(-1, 2)
