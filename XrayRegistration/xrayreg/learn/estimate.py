"""Where X-rays were taken from, by a trained network, and how sure it is of that."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ..errors import InputError
from ..geometry import Camera, apply, inverse, nearest_rotation, rotation_angle_deg
from ..images import Xray
from .codes import decode, fields_of
from .network import PoseNetwork, Prediction
from .network_input import standardised
from .ranges import PoseRanges
from .simulation import squared

# The field as it is, then narrower, wider and shifted: (zoom, shift to the right and down in field widths).
_GLANCES = ((1.0, 0.0, 0.0), (1.08, 0.0, 0.0), (0.93, 0.0, 0.0), (1.0, 0.05, 0.03), (1.0, -0.05, -0.03))


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


@dataclass(frozen=True)
class TrainedNetwork:
    """A network and what its codes refer to.

    Attributes:
        module: in evaluation mode.
        ranges: the poses that it knows.
        reference: (3,) the anatomy's centre in the frame that the network was trained in, mm.
        description: all that its file says.
        network_from_patient: (4, 4) from the patient to that frame: the identity for a network of this
            CT, else as the CT was brought into the template.
    """

    module: PoseNetwork
    ranges: PoseRanges
    reference: np.ndarray
    description: dict
    network_from_patient: np.ndarray = field(default_factory=lambda: np.eye(4))

    @property
    def centre(self) -> np.ndarray:
        """(3,) the anatomy's centre, patient, mm."""
        return apply(inverse(self.network_from_patient), self.reference)

    def outside(self, camera_from_patient: np.ndarray) -> dict[str, float]:
        """By how much a pose (4, 4) is outside of what the network knows, see `PoseRanges.outside`."""
        return self.ranges.outside(camera_from_patient @ inverse(self.network_from_patient), self.reference)

    @torch.no_grad()
    def estimated(self, xray: Xray) -> Estimate:
        """The pose of an X-ray; what the X-ray's camera says of it is not looked at.

        Raises:
            InputError: if the network's answer is no pose.
        """
        pixels = self.module.config.pixels
        images, masks, cameras = zip(*(field_image(xray, pixels, glance) for glance in _GLANCES), strict=True)
        device = next(self.module.parameters()).device
        inputs = standardised(torch.stack(images), torch.stack(masks), pixels).to(device)
        prediction = Prediction.of(self.module(inputs).cpu())
        fields = fields_of(cameras)
        reference, middle = (torch.as_tensor(array) for array in (self.reference, self.ranges.middle))
        poses = (
            decode(prediction.codes.double(), reference, middle, fields).numpy() @ self.network_from_patient
        )
        if not np.isfinite(poses).all():
            raise InputError("the network's answer is no pose", where=xray.name, remedy="train it anew")
        errors = torch.exp(prediction.log_errors).mean(dim=0).numpy()
        half = float(fields.half.mean())
        depth_mm = float(apply(poses[0], self.centre)[2])
        rotation_deg, across, depth = np.degrees(errors[0]), errors[1] * half * depth_mm, errors[2] * depth_mm
        return combined(poses, self.centre, float(rotation_deg), float(across), float(depth))


def field_image(
    xray: Xray, pixels: int, glance: tuple[float, float, float] = _GLANCES[0]
) -> tuple[torch.Tensor, torch.Tensor, Camera]:
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


def combined(
    poses: np.ndarray, centre: np.ndarray, rotation_deg: float, across_mm: float, depth_mm: float
) -> Estimate:
    """Several poses (n, 4, 4) of one X-ray as one: the mean rotation (chordal) and place of the centre.

    Args:
        rotation_deg, across_mm, depth_mm: errors that are expected anyway.
    """
    places = np.stack([apply(pose, centre) for pose in poses])
    place = places.mean(axis=0)
    best = np.eye(4)
    best[:3, :3] = nearest_rotation(poses[:, :3, :3].sum(axis=0))
    best[:3, 3] = place - best[:3, :3] @ centre
    apart = [rotation_angle_deg(pose[:3, :3] @ best[:3, :3].T) for pose in poses]
    across, along = np.linalg.norm((places - place)[:, :2], axis=1), (places - place)[:, 2]
    return Estimate(
        np.concatenate([best[None], poses]),
        max(rotation_deg, _rms(apart)),
        max(across_mm, _rms(across)),
        max(depth_mm, _rms(along)),
    )


def _rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
