"""The network: an X-ray in, a pose code and how far it may be off out."""

import importlib
from dataclasses import asdict, dataclass
from types import ModuleType

import torch
from torch import nn

from ..errors import InputError
from .codes import CODE_LENGTH, DEPTH, PLACE, rotation_of

_PARTS = 3  # rotation, place, depth: each has a variance of its own
_GROUP = 8  # channels that are normalised together
_LEAST_LOG, _MOST_LOG = -7.0, 2.0


@dataclass(frozen=True)
class NetworkConfig:
    """The shape of a pose network.

    Attributes:
        pixels: it sees N x N images.
        channels: of each stage; every stage after the first halves the resolution.
        blocks: residual blocks of each stage.
        cells: the last maps are averaged to so many cells squared before the head, which keeps where
            something was seen.
    """

    pixels: int = 64
    channels: tuple[int, ...] = (24, 48, 96, 192)
    blocks: tuple[int, ...] = (1, 1, 1, 1)
    cells: int = 4

    def __post_init__(self):
        for name in ("channels", "blocks"):
            object.__setattr__(self, name, tuple(int(n) for n in getattr(self, name)))
        numbers = (self.pixels, self.cells, *self.channels, *self.blocks)
        if len(self.channels) != len(self.blocks) or not self.channels or min(numbers) < 1:
            raise InputError(f"{self} is no network", remedy="give as many channels as blocks, all positive")
        if any(n % _GROUP for n in self.channels):
            raise InputError(f"channels {self.channels}", remedy=f"choose multiples of {_GROUP}")

    @property
    def as_json(self) -> dict:
        return asdict(self)


class PoseNetwork(nn.Module):
    """A residual network with group normalisation (batches of DRRs tell nothing of an X-ray's statistics).

    K. He et al., "Deep residual learning for image recognition", CVPR 2016; Y. Wu and K. He, "Group
    normalization", ECCV 2018.
    """

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.config = config
        first, last = config.channels[0], config.channels[-1]
        self.stem = nn.Sequential(
            nn.Conv2d(1, first, 5, stride=2, padding=2, bias=False),
            nn.GroupNorm(first // _GROUP, first),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        self.stages = _stages(config)
        self.pool = nn.AdaptiveAvgPool2d(config.cells)
        self.head = nn.Linear(last * config.cells**2, CODE_LENGTH + _PARTS)
        nn.init.zeros_(self.head.weight)
        with torch.no_grad():  # the untrained network says: the middle of all ranges
            self.head.bias.copy_(torch.tensor([1.0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 12) codes and the logarithms of the three errors, of `standardised` images (B, 1, N, N)."""
        maps = self.stages(self.stem(images))
        return self.head(self.pool(maps).flatten(1))


@dataclass(frozen=True)
class Prediction:
    """What the network says.

    Attributes:
        codes: (B, 9).
        log_errors: (B, 3) of the expected errors of rotation (rad), place (half widths) and depth.
    """

    codes: torch.Tensor
    log_errors: torch.Tensor

    @classmethod
    def of(cls, outputs: torch.Tensor) -> "Prediction":
        outputs = outputs.float()
        return cls(outputs[:, :CODE_LENGTH], outputs[:, CODE_LENGTH:].clamp(_LEAST_LOG, _MOST_LOG))

    def errors(self, truth: torch.Tensor) -> torch.Tensor:
        """(B, 3) angle (rad), distance of the places, difference of the depths to codes (B, 9)."""
        place = (self.codes[:, PLACE] - truth[:, PLACE]).norm(dim=1)
        depth = (self.codes[:, DEPTH] - truth[:, DEPTH]).abs()[:, 0]
        return torch.stack([angle(rotation_of(self.codes), rotation_of(truth)), place, depth], dim=1)


def angle(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(B,) the geodesic distance of rotations (B, 3, 3), rad; with a gradient everywhere but at 0 and pi."""
    chord = (a - b).flatten(1).norm(dim=1) / 8**0.5
    return 2 * torch.asin(chord.clamp(max=1 - 1e-6))


def residual_blocks() -> ModuleType:
    """MONAI's module of residual blocks, loaded when a network is made, as it takes seconds.

    Raises:
        InputError: without MONAI.
    """
    try:
        return importlib.import_module("monai.networks.nets.resnet")
    except ImportError:
        remedy = "pip install 'xrayreg[networks]'"
        raise InputError("pose networks need MONAI", remedy=remedy) from None


def _stages(config: NetworkConfig) -> nn.Sequential:
    block_of = residual_blocks().ResNetBlock
    stages, here = [], config.channels[0]
    for stage, (channels, count) in enumerate(zip(config.channels, config.blocks, strict=True)):
        norm = ("group", {"num_groups": channels // _GROUP})
        for block in range(count):
            stride = 2 if stage and not block else 1
            shortcut = None
            if stride > 1 or here != channels:
                shortcut = nn.Sequential(
                    nn.Conv2d(here, channels, 1, stride=stride, bias=False),
                    nn.GroupNorm(channels // _GROUP, channels),
                )
            stages.append(block_of(here, channels, 2, stride, shortcut, norm=norm))
            here = channels
    return nn.Sequential(*stages)
