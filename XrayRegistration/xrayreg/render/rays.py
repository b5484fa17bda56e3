"""Rays of a camera in the index space of a volume."""

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry import Camera
from ..images import Grid


@dataclass(frozen=True)
class Rays:
    """R rays from the source towards pixel centres.

    The points lie at z = depth in the camera frame, behind the volume, so that the volume's box
    meets each ray at fractions in [0, 1] or not at all; distances along a ray scale with its length.

    Attributes:
        sources, ends: (R, 3) index coordinates (i, j, k).
        lengths_mm: (R,) from source to end, mm.
    """

    sources: torch.Tensor
    ends: torch.Tensor
    lengths_mm: torch.Tensor


def ends_in_camera(camera: Camera, grid: Grid, pixels: np.ndarray | None = None) -> np.ndarray:
    """Camera-frame points (R, 3), mm, on the rays of ``pixels`` (R, 2) and behind the volume's box.

    Without pixels: every pixel of the image, row by row.
    """
    if pixels is None:
        columns, rows = camera.size
        pixels = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    directions = camera.ray_directions(pixels)
    radius = np.linalg.norm(grid.corners_patient - grid.centre_patient, axis=1).max()
    depth = np.linalg.norm(grid.centre_patient - camera.source_patient) + 2 * radius
    # Scaled per ray to one length: an oblique ray is not shorter in depth than the central one.
    return directions / np.linalg.norm(directions, axis=1, keepdims=True) * depth


def rays_in_index(
    ends_camera: torch.Tensor, camera_from_patient: torch.Tensor, index_from_patient: torch.Tensor
) -> Rays:
    """Rays of a pose (4, 4), differentiable in it; ends (R, 3) in the camera frame, mm."""
    index_from_camera = index_from_patient @ torch.linalg.inv(camera_from_patient)
    rotation, origin = index_from_camera[:3, :3], index_from_camera[:3, 3]
    ends = ends_camera @ rotation.T + origin
    return Rays(origin.expand_as(ends), ends, ends_camera.norm(dim=1))


def box_fractions(rays: Rays, size: tuple[int, int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Where each ray enters and leaves the voxel box, (R,) fractions; equal where it misses.

    The box reaches half a voxel beyond the outer voxel centres. Slab method (Kay and Kajiya 1986).
    """
    directions = rays.ends - rays.sources
    tiny = torch.finfo(directions.dtype).tiny
    safe = torch.where(directions.abs() < tiny, torch.full_like(directions, tiny), directions)
    upper = torch.tensor(size, dtype=directions.dtype, device=directions.device) - 0.5
    first, second = (-0.5 - rays.sources) / safe, (upper - rays.sources) / safe
    enter = torch.minimum(first, second).amax(dim=1).clamp(0, 1)
    leave = torch.maximum(first, second).amin(dim=1).clamp(0, 1)
    return enter, torch.maximum(enter, leave)
