"""How simulated X-rays look: changed at random, so that a network trained on DRRs knows real X-rays.

What the pose does not change is drawn anew for each image: contrast of the tissues and hardness of the beam,
instruments and implants, scatter, blur, noise, uneven gain, the tone curve, the collimator, letters and
blocks. M. Unberath et al., "DeepDRR", MICCAI 2018, for the physics; C. Gao et al., "SyntheX", Nature Machine
Intelligence 5, 2023, for how much of it a network needs.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from . import beam_and_detector as chain
from .coarse import CoarseGrid
from .collimators import random_apertures
from .draws import Draws
from .foreign_objects import random_tools, with_blocks, with_letters


@dataclass(frozen=True)
class Looks:
    """The stages, in their order: `p_...` is the share of images that a stage changes, the others are ranges.

    Attributes:
        soft_kev, hard_kev, hard_share: the two energies of the beam, 40 to 100 keV, and the harder one's
            share; where the stage is off, 70 keV alone.
        water_gain, bone_gain: factors of the line integrals of soft tissue, and of bone and metal.
        tools, tool_depth: how many in an image, and the line integral through the densest of them.
        scatter, scatter_width: see `beam_and_detector.scattered`.
        blur_px: standard deviation, pixels, up to 1.15.
        photons: per pixel, behind the image's mean line integral.
        ramp, bowl: see `beam_and_detector.ramp`.
        tone_bend, tone_steep: see `beam_and_detector.toned`.
        clip_low, clip_high: parts of the range of values that are clipped.
        gain, offset: of the line integrals as read: detectors and readers choose them.
        flattening: see `beam_and_detector.locally_flattened`.
        p_inverted: share of images with bright and dark exchanged; none, as readers know the polarity.
        letters: groups of them in an image.
        opening: width and height of the collimator's field, parts of the shorter side.
        blades: how much darker than the densest anatomy it is outside, parts of the image's range of values.
        p_blank: share of the collimated images that are bright outside in place of dark.
        p_hidden: share of the collimated images whose mask does not tell.
        blocks, block_sides: how many are erased, and their sides, parts of the image's.

    Raises:
        InputError: if a share is not between 0 and 1, or a range is none or holds impossible values.
    """

    p_contrast: float = 0.9
    soft_kev: tuple[float, float] = (40.0, 60.0)
    hard_kev: tuple[float, float] = (60.0, 100.0)
    hard_share: tuple[float, float] = (0.2, 0.8)
    water_gain: tuple[float, float] = (0.6, 1.4)
    bone_gain: tuple[float, float] = (0.6, 1.6)
    p_tools: float = 0.5
    tools: tuple[int, int] = (1, 3)
    tool_depth: tuple[float, float] = (0.5, 5.0)
    p_scatter: float = 0.8
    scatter: tuple[float, float] = (0.03, 0.4)
    scatter_width: tuple[float, float] = (0.06, 0.2)
    p_blur: float = 0.5
    blur_px: tuple[float, float] = (0.3, 1.1)
    p_noise: float = 0.9
    photons: tuple[float, float] = (100.0, 20_000.0)
    p_ramp: float = 0.5
    ramp: tuple[float, float] = (0.0, 0.8)
    bowl: tuple[float, float] = (-0.3, 0.3)
    p_tone: float = 0.7
    tone_bend: tuple[float, float] = (0.3, 3.5)
    tone_steep: tuple[float, float] = (-0.5, 0.9)
    clip_low: tuple[float, float] = (0.0, 0.15)
    clip_high: tuple[float, float] = (0.0, 0.15)
    gain: tuple[float, float] = (0.5, 2.0)
    offset: tuple[float, float] = (-1.0, 1.0)
    p_flattening: float = 0.3
    flattening: tuple[float, float] = (0.2, 0.8)
    p_inverted: float = 0.0
    p_letters: float = 0.2
    letters: tuple[int, int] = (1, 2)
    p_collimator: float = 0.45
    opening: tuple[float, float] = (0.6, 1.15)
    blades: tuple[float, float] = (-0.1, 2.5)
    p_blank: float = 0.15
    p_hidden: float = 0.4
    p_blocks: float = 0.2
    blocks: tuple[int, int] = (1, 3)
    block_sides: tuple[float, float] = (0.04, 0.25)

    def __post_init__(self):
        for name, value in dataclasses.asdict(self).items():
            object.__setattr__(self, name, _share(name, value) if name[:2] == "p_" else _range(name, value))

    @classmethod
    def none(cls) -> "Looks":
        """Every stage off: line integrals at 70 keV, as they are."""
        shares = (field.name for field in dataclasses.fields(cls) if field.name.startswith("p_"))
        return cls(**dict.fromkeys(shares, 0.0))

    def rarer(self, part: float) -> "Looks":
        """Every stage in so much fewer images: 0 is `none`, 1 the same."""
        shares = (field.name for field in dataclasses.fields(self) if field.name.startswith("p_"))
        return dataclasses.replace(self, **{name: part * getattr(self, name) for name in shares})


@dataclass(frozen=True)
class Degraded:
    """Simulated X-rays as a reader of files would give them.

    Attributes:
        images: [n, row, column], like line integrals: larger where more was attenuated. Only their order
            can be relied upon, for a tone curve has passed over them.
        masks: [n, row, column] bool, False where a collimator is known to be.
    """

    images: torch.Tensor
    masks: torch.Tensor


@torch.no_grad()
def degraded(
    paths: Mapping[str, torch.Tensor] | torch.Tensor, generator: torch.Generator, looks: Looks
) -> Degraded:
    """X-rays of a batch, each with looks of its own.

    Args:
        paths: for each material its line integrals [n, row, column] at 70 keV, as of `render` for each of
            `materials_of`; or line integrals of one density, which count as water.
        generator: the same state gives the same result, bit for bit, on the same kind of machine.

    Returns:
        images of the paths' device and dtype. Line integrals above 69 are cut there.

    Raises:
        InputError: if the paths are not images of one shape in floating point, or of an unknown material.
    """
    paths = paths if isinstance(paths, Mapping) else {"water": paths}
    like = _checked(paths)
    draws, grid = Draws(generator, like), CoarseGrid.of(like)
    intensity = _beam(paths, draws, looks)
    for stage in (_with_tools, _with_scatter, _with_blur, _with_noise):
        intensity = stage(intensity, draws, grid, looks)
    images = intensity.clamp_(min=chain.FAINTEST).log_().neg_()
    for stage in (_with_ramp, _with_tone, _with_flattening):
        images = stage(images, draws, grid, looks)
    return _covered(images, draws, grid, looks)


def _beam(paths: Mapping[str, torch.Tensor], draws: Draws, looks: Looks) -> torch.Tensor:
    count = len(next(iter(paths.values())))
    on = draws.chance(count, looks.p_contrast)[:, None, None]
    kev = [torch.where(on, draws.uniform(count, ends), 70.0) for ends in (looks.soft_kev, looks.hard_kev)]
    water = torch.where(on, draws.log_uniform(count, looks.water_gain), 1.0)
    others = torch.where(on, draws.log_uniform(count, looks.bone_gain), 1.0)
    gains = {name: water if name == "water" else others for name in paths}
    return chain.attenuated(paths, gains, *kev, draws.uniform(count, looks.hard_share))


def _with_tools(images: torch.Tensor, draws: Draws, grid: CoarseGrid, looks: Looks) -> torch.Tensor:
    chosen = draws.some(len(images), looks.p_tools)
    counts, order = draws.whole(len(chosen), looks.tools).sort(descending=True, stable=True)
    bodies = random_tools(draws, counts, images.shape[1:], looks.tool_depth)
    chosen = chosen[order]
    images[chosen] = images[chosen].mul_(bodies.neg_().exp_())
    return images


def _with_scatter(images: torch.Tensor, draws: Draws, grid: CoarseGrid, looks: Looks) -> torch.Tensor:
    count = len(images)
    on = draws.chance(count, looks.p_scatter)[:, None, None]
    ratio = draws.log_uniform(count, looks.scatter) * on
    return images + chain.scattered(images, grid, ratio, draws.uniform(count, looks.scatter_width))


def _with_blur(images: torch.Tensor, draws: Draws, grid: CoarseGrid, looks: Looks) -> torch.Tensor:
    chosen = draws.some(len(images), looks.p_blur)
    images[chosen] = chain.blurred(images[chosen], draws.uniform(len(chosen), looks.blur_px))
    return images


def _with_noise(images: torch.Tensor, draws: Draws, grid: CoarseGrid, looks: Looks) -> torch.Tensor:
    chosen = draws.some(len(images), looks.p_noise)
    intensity = images[chosen]
    counts = chain.noise_level(intensity, grid, draws.log_uniform(len(chosen), looks.photons))
    images[chosen] = chain.noisy(intensity, counts, draws.normal(*intensity.shape))
    return images


def _with_ramp(images: torch.Tensor, draws: Draws, grid: CoarseGrid, looks: Looks) -> torch.Tensor:
    count = len(images)
    on = draws.chance(count, looks.p_ramp)[:, None, None]
    angle = draws.uniform(count, (-torch.pi, torch.pi))
    slope, bowl = draws.uniform(count, looks.ramp) * on, draws.uniform(count, looks.bowl) * on
    return images + chain.ramp(images.shape[1:], slope, angle, bowl)


def _with_tone(images: torch.Tensor, draws: Draws, grid: CoarseGrid, looks: Looks) -> torch.Tensor:
    chosen = draws.some(len(images), looks.p_tone)
    count, shown = len(chosen), images[chosen]
    low, high = chain.robust_ends(shown, grid)
    clip_low, clip_high = draws.uniform(count, looks.clip_low), draws.uniform(count, looks.clip_high)
    ends = low + clip_low * (high - low), high - clip_high * (high - low)
    bend, steep = draws.log_uniform(count, looks.tone_bend), draws.uniform(count, looks.tone_steep)
    shown = chain.toned(shown, *ends, bend, steep)
    images[chosen] = shown * draws.log_uniform(count, looks.gain) + draws.uniform(count, looks.offset)
    return images


def _with_flattening(images: torch.Tensor, draws: Draws, grid: CoarseGrid, looks: Looks) -> torch.Tensor:
    chosen = draws.some(len(images), looks.p_flattening)
    part = draws.uniform(len(chosen), looks.flattening)
    images[chosen] = chain.locally_flattened(images[chosen], grid, part)
    return images


def _covered(images: torch.Tensor, draws: Draws, grid: CoarseGrid, looks: Looks) -> Degraded:
    """What lies over the picture of the patient: letters, blocks, the collimator; and the polarity."""
    count = len(images)
    low, high = chain.robust_ends(images, grid)
    chosen = draws.some(count, looks.p_letters)
    for _ in range(looks.letters[1]):
        images[chosen] = with_letters(images[chosen], draws, low[chosen], high[chosen])
        chosen = chosen[draws.chance(len(chosen), 0.5)]
    chosen = draws.some(count, looks.p_blocks)
    counts = draws.whole(len(chosen), looks.blocks)
    images[chosen] = with_blocks(images[chosen], draws, counts, looks.block_sides, low[chosen], high[chosen])
    masks = _collimated(images, draws, low, high, looks)
    inverted = draws.some(count, looks.p_inverted)
    images[inverted] = low[inverted] + high[inverted] - images[inverted]
    return Degraded(images, masks)


def _collimated(
    images: torch.Tensor, draws: Draws, low: torch.Tensor, high: torch.Tensor, looks: Looks
) -> torch.Tensor:
    """Covers what is outside the field, in place; the masks [n, row, column]."""
    masks = torch.ones_like(images, dtype=torch.bool)
    chosen = draws.some(len(images), looks.p_collimator)
    count, size = len(chosen), images.shape[1:]
    depth = random_apertures(draws, count, size, looks.opening).depth(*size)
    edge = draws.uniform(count, (0.5, 2.0))  # half the width of the penumbra, pixels
    low, high = low[chosen], high[chosen]
    blade = high + (high - low) * draws.uniform(count, looks.blades)
    blade = torch.where(draws.chance(count, looks.p_blank)[:, None, None], low, blade)
    leak = draws.uniform(count, (0.0, 0.15))
    open_part = (0.5 + 0.5 * depth / edge).clamp_(0, 1)
    images[chosen] = blade + (images[chosen] - blade) * (leak + (1 - leak) * open_part)
    told = ~draws.chance(count, looks.p_hidden)
    masks[chosen[told]] = depth[told] >= edge[told]
    return masks


def _checked(paths: Mapping[str, torch.Tensor]) -> torch.Tensor:
    shapes = {tuple(path.shape) for path in paths.values()}
    fine = len(shapes) == 1 and len(*shapes) == 3 and all(path.is_floating_point() for path in paths.values())
    if not fine or 0 in next(iter(shapes)):
        raise InputError(
            f"line integrals of the shapes {sorted(shapes)} are no batch of images",
            remedy="give each material as floating point [n, row, column]",
        )
    return next(iter(paths.values()))


def _share(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise InputError(f"looks: {name} is {value}", remedy="choose a share of the images, from 0 to 1")
    return float(value)


# Beyond these no image is plausible, or a logarithm is none.
_LIMITS = {
    "soft_kev": (40, 100), "hard_kev": (40, 100), "hard_share": (0, 1), "water_gain": (1e-3, 1e3),
    "bone_gain": (1e-3, 1e3), "tools": (0, 100), "tool_depth": (1e-3, 1e3), "scatter": (1e-6, 10),
    "scatter_width": (1e-3, 1), "blur_px": (0, 1.15), "photons": (1, 1e12), "tone_bend": (1e-2, 1e2),
    "tone_steep": (-0.999, 1), "clip_low": (0, 0.49), "clip_high": (0, 0.49), "gain": (1e-3, 1e3),
    "flattening": (0, 1), "letters": (0, 100), "opening": (0.05, 10), "blocks": (0, 100),
    "block_sides": (0, 1),
}  # fmt: skip


def _range(name: str, value: tuple[float, float]) -> tuple[float, float]:
    least, largest = _LIMITS.get(name, (-1e3, 1e3))
    ends = np.array(value, dtype=float)
    if ends.shape != (2,) or not least <= ends[0] <= ends[1] <= largest:
        raise InputError(
            f"looks: {name} is {value}", remedy=f"give two rising numbers from {least:g} to {largest:g}"
        )
    return tuple(value)
