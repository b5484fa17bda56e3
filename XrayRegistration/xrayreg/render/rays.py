"""Rays in the index space of a volume, for the reference projectors."""

from dataclasses import dataclass

import numpy as np
import torch

from ..images import Grid
from .views import Views


@dataclass(frozen=True)
class Rays:
    """R pieces of rays, each from its source, or from before the volume, to behind it.

    The volume's box meets each at fractions in [0, 1] or not at all; distances along a ray scale with
    its length.

    Attributes:
        sources, ends: (R, 3) index coordinates (i, j, k).
        lengths_mm: (R,) from source to end, mm.
    """

    sources: torch.Tensor
    ends: torch.Tensor
    lengths_mm: torch.Tensor


def ends_in_camera(views: Views, number: int, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Camera-frame sources and ends (R, 3) each, mm, of the rays of one view."""
    origins = views.homogeneous @ views.origins[number].T
    directions = views.homogeneous @ views.directions[number].T
    pose = views.poses[number].detach().cpu().double().numpy()
    centre = pose[:3, :3] @ grid.centre_patient + pose[:3, 3]
    radius = np.linalg.norm(grid.corners_patient - grid.centre_patient, axis=1).max()
    # Scaled per ray to one length: an oblique ray is not shorter in depth than the central one.
    reach = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    reach *= np.linalg.norm(centre) + 2 * radius
    return (origins if views.has_source else origins - reach), origins + reach


def rays_in_index(
    sources_camera: torch.Tensor,
    ends_camera: torch.Tensor,
    camera_from_patient: torch.Tensor,
    index_from_patient: torch.Tensor,
) -> Rays:
    """Rays of a pose (4, 4), differentiable in it; sources and ends (R, 3) in the camera frame, mm."""
    index_from_camera = index_from_patient @ torch.linalg.inv(camera_from_patient)
    rotation, origin = index_from_camera[:3, :3], index_from_camera[:3, 3]
    return Rays(
        sources_camera @ rotation.T + origin,
        ends_camera @ rotation.T + origin,
        (ends_camera - sources_camera).norm(dim=1),
    )


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
