"""The pose networks of xvr: a ResNet of timm with two linear heads, and the picture that they expect.

Names of modules are those of timm's ResNet (`timm.models.resnet`) and of xvr's `PoseRegressor` (0.1.0), so
that their state dictionaries fit key by key; the residual blocks are MONAI's, which have the same names.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..geometry import DiffdrrView, camera_from_diffdrr
from ..images import Xray
from .network import residual_blocks

XVR_BACKBONES = {
    "resnet18": ("ResNetBlock", (2, 2, 2, 2)),
    "resnet34": ("ResNetBlock", (3, 4, 6, 3)),
    "resnet50": ("ResNetBottleneck", (3, 4, 6, 3)),
    "resnet101": ("ResNetBottleneck", (3, 4, 23, 3)),
}
"""timm's name of each backbone that is known: kind of block, and how many in each stage."""

XVR_NORMS = {"groupnorm": ("group", {"num_groups": 32}), "batchnorm": "batch"}
"""timm's names of normalisations, as MONAI says them."""

_EPS = 1e-6  # of xvr's scaling to [0, 1]
_MEAN, _DEVIATION = 0.15, 0.1  # `XrayTransforms`


class XvrRegressor(nn.Module):
    """xvr's `PoseRegressor`, up to its raw numbers.

    Args:
        backbone: of `XVR_BACKBONES`.
        norm: of `XVR_NORMS`.
        rotation_size: numbers of its rotation code.

    Raises:
        InputError: without MONAI.
    """

    def __init__(self, backbone: str, norm: str, rotation_size: int):
        super().__init__()
        kind, counts = XVR_BACKBONES[backbone]
        self.backbone = _ResNet(kind, counts, XVR_NORMS[norm])
        self.xyz_regression = nn.Linear(self.backbone.features, 3)
        self.rot_regression = nn.Linear(self.backbone.features, rotation_size)

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Rotation codes (B, n) and translations (B, 3), in the network's unit, of pictures (B, 1, N, N)."""
        features = self.backbone(pictures)
        return self.rot_regression(features), self.xyz_regression(features)


class _ResNet(nn.Module):
    """timm's, for one channel and without a classifier. (MONAI's own builds its stages with batch norm.)"""

    def __init__(self, kind: str, counts: tuple[int, ...], norm: object):
        super().__init__()
        block = getattr(residual_blocks(), kind)
        from monai.networks.layers.utils import get_norm_layer  # there, as the blocks were

        self.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = get_norm_layer(norm, spatial_dims=2, channels=64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        here = 64
        for stage, count in enumerate(counts):
            planes, blocks = 64 * 2**stage, []
            for number in range(count):
                stride, out = 2 if stage and not number else 1, planes * block.expansion
                shortcut = None
                if stride > 1 or here != out:
                    narrow = nn.Conv2d(here, out, 1, stride=stride, bias=False)
                    shortcut = nn.Sequential(narrow, get_norm_layer(norm, spatial_dims=2, channels=out))
                blocks.append(block(here, planes, 2, stride, shortcut, norm=norm))
                here = out
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.features = here

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        maps = self.maxpool(functional.relu(self.bn1(self.conv1(pictures))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            maps = stage(maps)
        return maps.mean((2, 3))


@dataclass(frozen=True)
class XvrDetector:
    """The detector on whose DRRs a network was trained: square, the beam's perpendicular in its middle.

    Attributes:
        sdd: source to detector, mm.
        height: pixels a side.
        delx: pixel spacing, mm.
        orientation, reverse_x_axis: as `DiffdrrView` has them.
    """

    sdd: float
    height: int
    delx: float
    orientation: str | None
    reverse_x_axis: bool

    def view(self, pose: np.ndarray) -> DiffdrrView:
        """DiffDRR's view at its pose (4, 4)."""
        size, spacing = (self.height, self.height), (self.delx, self.delx)
        return DiffdrrView(self.sdd, *size, *spacing, 0, 0, self.reverse_x_axis, self.orientation, pose)

    @property
    def is_mirrored(self) -> bool:
        """Whether its images show the patient as seen from the detector."""
        return camera_from_diffdrr(self.view(np.eye(4)), np.zeros(3)).flip_columns


def xvr_pictures(xray: Xray, detector: XvrDetector) -> torch.Tensor:
    """(2, 1, N, N) pictures of one X-ray as a network expects it, N = `height`.

    As `predict_pose` of xvr: the X-ray is resampled to the network's detector, in as many pixels as its
    shorter side has, scaled to [0, 1], brought to N pixels with smoothing, and normalised. What lies outside
    of the X-ray, or is masked, is 0, as beside the patient.

    The first picture has xvr's tone, ln 2 - ln(1 + I) of the intensity I scaled to [0, 1]. The second
    has line integrals, as the DRRs of the training had them.
    """
    lines = torch.from_numpy(np.where(xray.mask, xray.line_integrals, 0).astype(np.float32))
    mask = torch.from_numpy(xray.mask)
    inside = lines[mask].double()
    intensity = torch.exp(-inside)
    intensity = (intensity - intensity.min()) / (intensity.max() - intensity.min() + _EPS)
    tones = torch.zeros(2, *lines.shape)
    tones[0, mask] = (torch.log1p(intensity.max()) - torch.log1p(intensity)).float()
    tones[1, mask] = (inside - inside.min()).float()
    pictures = _seen_by(tones[:, None], xray, detector)
    low, high = (extreme(pictures, (1, 2, 3), keepdim=True) for extreme in (torch.amin, torch.amax))
    pictures = (pictures - low) / (high - low + _EPS)
    size = (detector.height, detector.height)
    pictures = functional.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)
    return (pictures - _MEAN) / _DEVIATION


def _seen_by(images: torch.Tensor, xray: Xray, detector: XvrDetector) -> torch.Tensor:
    """Images (B, 1, rows, columns) of the X-ray's camera on the network's detector, (B, 1, n, n)."""
    columns, rows = xray.camera.size
    n = min(columns, rows)
    middle = (n - 1) / 2
    spacing = detector.delx * detector.height / n
    steps = (np.arange(n) - middle) * spacing / detector.sdd
    across = -steps if detector.is_mirrored else steps
    K = xray.camera.K
    x, y = np.meshgrid(across, steps)
    u = K[0, 0] * x + K[0, 1] * y + K[0, 2]
    v = K[1, 1] * y + K[1, 2]
    # grid_sample's -1 to 1 is from the outer edge of the first pixel to that of the last.
    grid = np.stack([(2 * u + 1) / columns - 1, (2 * v + 1) / rows - 1], axis=-1)
    grid = torch.from_numpy(grid.astype(np.float32))[None].expand(len(images), -1, -1, -1)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
