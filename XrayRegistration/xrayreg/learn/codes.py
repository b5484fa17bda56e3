"""Poses as networks say them: in a camera of its own for each field of view.

The X-ray is seen through a square field, centred on the image, as wide as its longer side. The anatomy's
centre is told as its place in that field and as the logarithm of the field's half width at its depth; both
depend on what is seen, not on the detector's distance, pixels or principal point, so that one network
serves them all. The rotation is told as seen along the ray to the anatomy's centre ("allocentric": A. Kundu
et al., "3D-RCNN", CVPR 2018): shifting the anatomy across the field leaves its look, and so its code, alone.
It is the first two columns of the rotation matrix, which is continuous (Y. Zhou et al., "On the continuity
of rotation representations in neural networks", CVPR 2019).
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry import Camera

ROTATION, PLACE, DEPTH = slice(0, 6), slice(6, 8), slice(8, 9)
CODE_LENGTH = 9
_UNIT_MM = 100.0  # half width of the field whose depth code is 0


@dataclass(frozen=True)
class Fields:
    """The square fields of B views in the plane z = 1 of their cameras.

    Attributes:
        middle: (B, 2) float64.
        half: (B,) half widths.
    """

    middle: torch.Tensor
    half: torch.Tensor


def fields_of(cameras: list[Camera]) -> Fields:
    """Each camera's field: about the middle of its image, as wide as its longer side."""
    middles, halves = [], []
    for camera in cameras:
        columns, rows = camera.size
        first, last = camera.ray_directions([(-0.5, -0.5), (columns - 0.5, rows - 0.5)])[:, :2]
        middles.append((first + last) / 2)
        halves.append(max(last - first) / 2)
    return Fields(torch.as_tensor(np.array(middles)), torch.as_tensor(np.array(halves)))


def encode(poses: torch.Tensor, centre: torch.Tensor, middle: torch.Tensor, fields: Fields) -> torch.Tensor:
    """(B, 9) codes of camera_from_patient (B, 4, 4), float64.

    Args:
        centre: (3,) or (B, 3) the anatomy's centre, patient, mm.
        middle: (3, 3) camera_from_patient rotation that is told as no rotation.
    """
    rotation, position = poses[:, :3, :3], _placed(poses, centre)
    seen = position[:, :2] / position[:, 2:]
    along = _along_ray(seen, fields.middle).mT @ rotation @ middle.T
    place = (seen - fields.middle) / fields.half[:, None]
    depth = torch.log(position[:, 2:] * fields.half[:, None] / _UNIT_MM)
    return torch.cat([along[:, :, 0], along[:, :, 1], place, depth], dim=1)


def decode(codes: torch.Tensor, centre: torch.Tensor, middle: torch.Tensor, fields: Fields) -> torch.Tensor:
    """camera_from_patient (B, 4, 4) of any codes (B, 9), rigid whatever their six numbers; differentiable."""
    seen = codes[:, PLACE] * fields.half[:, None] + fields.middle
    depth = torch.exp(codes[:, DEPTH].clamp(-4, 4)) * _UNIT_MM / fields.half[:, None]
    rotation = _along_ray(seen, fields.middle) @ rotation_of(codes) @ middle
    position = torch.cat([seen * depth, depth], dim=1)
    shift = position - (rotation @ centre.expand(len(codes), 3)[..., None])[..., 0]
    top = torch.cat([rotation, shift[..., None]], dim=2)
    bottom = torch.tensor([0.0, 0.0, 0.0, 1.0]).to(top).expand(len(codes), 1, 4)
    return torch.cat([top, bottom], dim=1)


def rotation_of(codes: torch.Tensor) -> torch.Tensor:
    """(B, 3, 3) by Gram and Schmidt from the first six numbers of codes (B, n)."""
    x = torch.nn.functional.normalize(codes[:, 0:3], dim=1)
    y = codes[:, 3:6]
    y = torch.nn.functional.normalize(y - (x * y).sum(dim=1, keepdim=True) * x, dim=1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=2)


def _placed(poses: torch.Tensor, centre: torch.Tensor) -> torch.Tensor:
    return (poses[:, :3, :3] @ centre.expand(len(poses), 3)[..., None])[..., 0] + poses[:, :3, 3]


def _along_ray(seen: torch.Tensor, middle: torch.Tensor) -> torch.Tensor:
    """(B, 3, 3) the smallest rotations that turn the ray to the field's middle to the ray to ``seen``."""
    one = torch.ones_like(seen[:, :1])
    start, end = (
        torch.nn.functional.normalize(torch.cat([point, one], dim=1), dim=1) for point in (middle, seen)
    )
    axis = torch.linalg.cross(start, end)
    zero = torch.zeros_like(axis[:, 0])
    x, y, z = axis.unbind(dim=1)
    hat = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).reshape(-1, 3, 3)
    cosine = (start * end).sum(dim=1)[:, None, None]
    return torch.eye(3).to(hat) + hat + hat @ hat / (1 + cosine)
