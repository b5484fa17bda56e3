"""DRRs: one function per question, whichever engine answers."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from ..errors import InputError
from ..geometry import Camera
from .density import Density
from .rays import Rays, box_fractions, ends_in_camera, rays_in_index
from .reference import siddon, trilinear_ray_sum

_SAMPLES_AT_ONCE = 4_000_000  # keeps the working memory of a chunk near 200 MB

PROJECTORS = ("trilinear", "siddon")


def render(
    density: Density,
    camera: Camera,
    *,
    projector: str = "trilinear",
    step_mm: float | None = None,
    camera_from_patient: torch.Tensor | None = None,
) -> torch.Tensor:
    """The DRR of a camera: line integrals [row, column], dimensionless.

    Args:
        density: the volume.
        camera: the view; its pose is used unless ``camera_from_patient`` is given.
        projector: "trilinear" (ray sum) or "siddon" (exact through voxels).
        step_mm: largest step of the ray sum; half the smallest voxel spacing if None.
        camera_from_patient: (4, 4) tensor to differentiate in.
    """
    like = density.values
    if camera_from_patient is None:
        camera_from_patient = _tensor(camera.camera_from_patient, like)
    else:  # the rays must reach behind the volume from there too
        camera = camera.moved(camera_from_patient.detach().cpu().numpy())
    integrate = _integrator(density, projector, step_mm)
    ends = _tensor(ends_in_camera(camera, density.grid), like)
    index_from_patient = _tensor(density.grid.index_from_patient, like)
    parts = [
        integrate(density.values, rays_in_index(ends[part], camera_from_patient, index_from_patient))
        for part in _chunks(len(ends), density)
    ]
    return torch.cat(parts).reshape(camera.size[::-1])


def render_with_pose_jacobian(
    density: Density, camera: Camera, *, projector: str = "trilinear", step_mm: float | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The DRR [row, column] and its derivative [row, column, 6] by the pose.

    The derivative is by a twist (omega in rad, v in mm) applied on the left of
    ``camera_from_patient``. A pixel depends on the pose only through the two ends of its own ray, so
    one backward pass gives the gradient of every pixel by its ends, and the rest is the chain rule:
    moving the patient by the twist moves a ray point x, seen from the patient, by -(omega x x + v).
    """
    integrate = _integrator(density, projector, step_mm)
    like = density.values.detach()
    ends_camera = _tensor(ends_in_camera(camera, density.grid), like)
    index_from_patient = _tensor(density.grid.index_from_patient, like)
    pose = _tensor(camera.camera_from_patient, like)
    index_from_camera = (index_from_patient @ torch.linalg.inv(pose))[:3, :3]
    images, jacobians = [], []
    for part in _chunks(len(ends_camera), density):
        rays = rays_in_index(ends_camera[part], pose, index_from_patient)
        sources, ends = rays.sources.clone().requires_grad_(), rays.ends.clone().requires_grad_()
        image = integrate(like, Rays(sources, ends, rays.lengths_mm))
        by_source, by_end = torch.autograd.grad(image.sum(), (sources, ends))
        by_source, by_end = by_source @ index_from_camera, by_end @ index_from_camera
        by_rotation = -torch.linalg.cross(ends_camera[part], by_end)
        images.append(image.detach())
        jacobians.append(torch.cat([by_rotation, -(by_source + by_end)], dim=1))
    shape = camera.size[::-1]
    return torch.cat(images).reshape(shape), torch.cat(jacobians).reshape(*shape, 6)


def render_labels(
    labels: torch.Tensor,
    density: Density,
    camera: Camera,
    values: tuple[int, ...],
    *,
    step_mm: float | None = None,
) -> torch.Tensor:
    """One DRR per structure [label, row, column] in one pass; structures add up where they overlap.

    Args:
        labels: [k, j, i] integers on the density's grid; each sample takes its nearest voxel's label.
        density: the volume; a density of ones gives the length of each ray in each structure, mm.
        camera: the view.
        values: the labels asked for, one channel each.
        step_mm: largest step; half the smallest voxel spacing if None.
    """
    step_mm = _step(density, step_mm)
    present = int(labels.max()) + 1
    channel_of = torch.full((max(present, max(values) + 1),), len(values), device=labels.device)
    channel_of[list(values)] = torch.arange(len(values), device=labels.device)
    channels = channel_of[labels.long()]  # the last channel is for everything not asked for
    like = density.values.detach()
    ends = _tensor(ends_in_camera(camera, density.grid), like)
    index_from_patient = _tensor(density.grid.index_from_patient, like)
    pose = _tensor(camera.camera_from_patient, like)
    parts = []
    for part in _chunks(len(ends), density):
        rays = rays_in_index(ends[part], pose, index_from_patient)
        parts.append(_label_sums(channels, len(values) + 1, like, rays, step_mm)[:, :-1])
    return torch.cat(parts).T.reshape(len(values), *camera.size[::-1])


def _label_sums(
    channels: torch.Tensor, count: int, values: torch.Tensor, rays: Rays, step_mm: float
) -> torch.Tensor:
    """Sums (R, count) of attenuation by the channel of the nearest voxel."""
    size = values.shape[::-1]
    enter, leave = box_fractions(rays, size)
    chords_mm = (leave - enter) * rays.lengths_mm
    steps = max(1, int(-(-float(chords_mm.max()) // step_mm)))
    sums = values.new_zeros(len(enter), count)
    flat_channels, flat_values = channels.reshape(-1), values.reshape(-1)
    for step in range(steps):
        fraction = enter + (leave - enter) * ((step + 0.5) / steps)
        points = rays.sources + fraction[:, None] * (rays.ends - rays.sources)
        i, j, k = ((points + 0.5).floor().long().clamp_(min=0)).unbind(dim=1)
        flat = (k.clamp_(max=size[2] - 1) * size[1] + j.clamp_(max=size[1] - 1)) * size[0] + i.clamp_(
            max=size[0] - 1
        )
        sums.scatter_add_(1, flat_channels[flat][:, None], flat_values[flat][:, None])
    return sums * (chords_mm / steps)[:, None]


def _integrator(
    density: Density, projector: str, step_mm: float | None
) -> Callable[[torch.Tensor, Rays], torch.Tensor]:
    if projector == "siddon":
        return siddon
    if projector == "trilinear":
        step = _step(density, step_mm)
        return lambda values, rays: trilinear_ray_sum(values, rays, step)
    raise InputError(f"unknown projector {projector!r}", remedy=f"use one of {', '.join(PROJECTORS)}")


def _step(density: Density, step_mm: float | None) -> float:
    return step_mm if step_mm is not None else float(density.grid.spacing_mm.min()) / 2


def _chunks(count: int, density: Density) -> Iterator[slice]:
    """Slices of the rays, few enough at once that their samples fit into memory."""
    at_once = max(1, _SAMPLES_AT_ONCE // sum(density.grid.size))
    return (slice(start, start + at_once) for start in range(0, count, at_once))


def _tensor(array: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(array, dtype=like.dtype, device=like.device)
