"""The views that are rendered together: the same pixels of one or several cameras."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from ..errors import InputError
from ..geometry import Camera, ParallelCamera, is_rigid
from ..images import Grid

AnyCamera = Camera | ParallelCamera


@dataclass(frozen=True)
class Views:
    """B views of R pixels each.

    Attributes:
        poses: (B, 4, 4) tensor camera_from_patient, maybe differentiated.
        origins, directions: (B, 3, 3); camera-frame ray of a pixel from its (u, v, 1), mm.
        size: (columns, rows) of whole images.
        pixels: (R, 2) float64 image points if not the whole images, else empty.
        has_source: whether rays start at their origins.
        image_shape: of what is rendered: a batch axis if a batch was asked for, then rows and columns
            or R.
    """

    poses: torch.Tensor
    origins: np.ndarray
    directions: np.ndarray
    size: tuple[int, int]
    pixels: np.ndarray
    has_source: bool
    image_shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return len(self.poses)

    @property
    def rays(self) -> int:
        """R, per view."""
        return len(self.pixels) or self.size[0] * self.size[1]

    @cached_property
    def homogeneous(self) -> np.ndarray:
        """(R, 3) pixels (u, v, 1), row by row."""
        pixels = self.pixels
        if not len(pixels):
            columns, rows = self.size
            pixels = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
        return np.concatenate([pixels, np.ones((len(pixels), 1))], axis=1)

    def subsampled(self, count: int) -> "list[Views]":
        """The count x count views through the middles of the equal parts of each pixel."""
        offsets = (np.arange(count) + 0.5) / count - 0.5
        shifts = [np.array([[1, 0, u], [0, 1, v], [0, 0, 1]]) for v in offsets for u in offsets]
        return [replace(self, origins=self.origins @ s, directions=self.directions @ s) for s in shifts]

    def index_from_camera(self, grid: Grid) -> np.ndarray:
        """(B, 4, 4) float64; camera frame, mm, to index coordinates of a volume."""
        poses = self.poses.detach().cpu().double().numpy()
        return grid.index_from_patient @ np.linalg.inv(poses)


def views_of(
    cameras: AnyCamera | Sequence[AnyCamera],
    camera_from_patient: torch.Tensor | None = None,
    pixels: np.ndarray | None = None,
) -> Views:
    """The views of one camera or several of one size, at their own poses or at those given.

    Args:
        cameras: one camera, or a sequence: then the images have a batch axis.
        camera_from_patient: (4, 4), or (B, 4, 4): then the images have a batch axis, and there is one
            camera or as many. Moves the cameras.
        pixels: (R, 2) image points (u, v); the whole images if None.

    Raises:
        InputError: if numbers or sizes do not fit, or a pose is not rigid.
    """
    batch = not isinstance(cameras, AnyCamera)
    cameras = list(cameras) if batch else [cameras]
    if not cameras:
        raise InputError("there is no camera to render")
    if len({(camera.size, camera.has_source) for camera in cameras}) > 1:
        raise InputError(
            "cameras of different sizes cannot be rendered together", remedy="render them one by one"
        )
    if camera_from_patient is None:
        camera_from_patient = torch.as_tensor(np.stack([camera.camera_from_patient for camera in cameras]))
    else:
        batch = batch or camera_from_patient.ndim == 3
        camera_from_patient = camera_from_patient.reshape(-1, 4, 4)
        if len(cameras) not in (1, len(camera_from_patient)):
            raise InputError(f"{len(cameras)} cameras do not fit {len(camera_from_patient)} poses")
        if not is_rigid(camera_from_patient.detach().cpu().numpy(), 1e-3):
            raise InputError("camera_from_patient is not a rigid 4x4 transform")
    pixels = np.zeros((0, 2)) if pixels is None else _checked(pixels)
    shape = (len(pixels),) if len(pixels) else cameras[0].size[::-1]
    count = len(camera_from_patient)
    rays = [camera.rays for camera in cameras] * (count // len(cameras))
    return Views(
        camera_from_patient,
        np.stack([origins for origins, _ in rays]),
        np.stack([directions for _, directions in rays]),
        cameras[0].size,
        pixels,
        cameras[0].has_source,
        (count, *shape) if batch else shape,
    )


def _checked(pixels: np.ndarray) -> np.ndarray:
    pixels = np.ascontiguousarray(pixels, dtype=float)
    if pixels.ndim != 2 or pixels.shape[1] != 2 or not len(pixels) or not np.isfinite(pixels).all():
        raise InputError(f"pixels must be finite (R, 2) image points, not of shape {pixels.shape}")
    return pixels
