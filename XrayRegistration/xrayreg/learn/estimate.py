"""Where X-rays were taken from, by a trained network, and how sure it is of that."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..errors import InputError
from ..geometry import apply, nearest_rotation, rotation_angle_deg
from ..images import Xray
from .codes import decode, fields_of
from .network import PoseNetwork, Prediction
from .network_input import standardised
from .ranges import PoseRanges
from .simulation import squared

# The field as it is, then narrower, wider and shifted: (zoom, shift to the right and down in field widths).
_GLANCES = ((1.0, 0.0, 0.0), (1.08, 0.0, 0.0), (0.93, 0.0, 0.0), (1.0, 0.05, 0.03), (1.0, -0.05, -0.03))


@dataclass(frozen=True)
class TrainedNetwork:
    """A network and what its codes refer to.

    Attributes:
        module: in evaluation mode.
        ranges: the poses that it knows.
        centre: (3,) the anatomy's centre, patient, mm; of an agnostic network in the template's frame.
        description: all that its file says.
    """

    module: PoseNetwork
    ranges: PoseRanges
    centre: np.ndarray
    description: dict


@dataclass(frozen=True)
class Estimate:
    """What a network says of one X-ray.

    Attributes:
        poses: (n, 4, 4) camera_from_patient: first the one to take, then what single glances said.
        rotation_deg, across_mm, depth_mm: expected errors of the first: of its angle, of the anatomy's
            centre across the beam, and along it. The larger of what the network expects and of how far its
            glances differ.
    """

    poses: np.ndarray
    rotation_deg: float
    across_mm: float
    depth_mm: float


def field_image(xray: Xray, pixels: int, glance: tuple[float, float, float] = _GLANCES[0]) -> tuple:
    """An X-ray through the square field of a network: (image, mask, camera).

    Returns:
        (N, N) float32 line integrals, (N, N) bool, False also beside the X-ray, and the field's `Camera`.
    """
    zoom, right, down = glance
    xray = xray.binned(max(1, max(xray.camera.size) // (2 * pixels)))
    camera = squared(xray.camera, pixels, zoom)
    K = camera.K.copy()
    K[:2, 2] -= pixels * np.array([right, down])
    camera = replace(camera, K=K)
    v, u = np.indices((pixels, pixels), dtype=float)
    rays = camera.ray_directions(np.stack([u, v], axis=-1)) @ xray.camera.K.T
    columns, rows = xray.camera.size
    grid = torch.as_tensor((rays[..., :2] + 0.5) / [columns, rows] * 2 - 1, dtype=torch.float32)[None]
    mask = torch.from_numpy(xray.mask)
    values = torch.where(mask, torch.from_numpy(xray.line_integrals), 0.0)
    both = torch.stack([values, mask.float()])[None]
    sampled = torch.nn.functional.grid_sample(both, grid, mode="bilinear", align_corners=False)[0]
    inside = sampled[1] > 0.5
    return torch.where(inside, sampled[0] / sampled[1].clamp(min=0.5), 0.0), inside, camera


@torch.no_grad()
def estimated(network: TrainedNetwork, xray: Xray) -> Estimate:
    """The pose of an X-ray; what the X-ray's camera says of it is not looked at.

    Raises:
        InputError: if the network's answer is no pose.
    """
    pixels = network.module.config.pixels
    images, masks, cameras = zip(*(field_image(xray, pixels, glance) for glance in _GLANCES), strict=True)
    device = next(network.module.parameters()).device
    inputs = standardised(torch.stack(images), torch.stack(masks), pixels).to(device)
    prediction = Prediction.of(network.module(inputs).cpu())
    fields = fields_of(cameras)
    centre, middle = (torch.as_tensor(array) for array in (network.centre, network.ranges.middle))
    poses = decode(prediction.codes.double(), centre, middle, fields).numpy()
    if not np.isfinite(poses).all():
        raise InputError("the network's answer is no pose", where=xray.name, remedy="train it anew")
    errors = torch.exp(prediction.log_errors).mean(dim=0).numpy()
    places = np.stack([apply(pose, network.centre) for pose in poses])
    place = places.mean(axis=0)
    best = np.eye(4)
    best[:3, :3] = nearest_rotation(poses[:, :3, :3].sum(axis=0))
    best[:3, 3] = place - best[:3, :3] @ network.centre
    apart = [rotation_angle_deg(pose[:3, :3] @ best[:3, :3].T) for pose in poses]
    half_mm = float(fields.half.mean()) * place[2]
    return Estimate(
        np.concatenate([best[None], poses]),
        max(float(np.degrees(errors[0])), _rms(apart)),
        max(float(errors[1]) * half_mm, _rms(np.linalg.norm((places - place)[:, :2], axis=1))),
        max(float(errors[2]) * place[2], _rms((places - place)[:, 2])),
    )


def _rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
