"""The reference projectors for views, in pieces that fit into memory."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from ..errors import InputError
from .density import Density
from .rays import Rays, ends_in_camera, rays_in_index
from .reference import joseph, joseph_labels, siddon, trilinear_ray_sum
from .views import Views

_SAMPLES_AT_ONCE = 4_000_000  # keeps the working memory of a piece near 200 MB

PROJECTORS = ("joseph", "trilinear", "siddon")

Integrate = Callable[[torch.Tensor, Rays], torch.Tensor]


def projector_for(density: Density, name: str, step_mm: float | None) -> Integrate:
    """The projector called ``name``.

    Raises:
        InputError: if there is none, or it takes no step.
    """
    if name not in PROJECTORS:
        raise InputError(f"unknown projector {name!r}", remedy=f"use one of {', '.join(PROJECTORS)}")
    if name != "trilinear":
        if step_mm is not None:
            raise InputError(f"the projector {name} has no step", remedy="choose trilinear, or give no step")
        return {"joseph": joseph, "siddon": siddon}[name]
    step = step_mm if step_mm is not None else float(density.grid.spacing_mm.min()) / 2
    return lambda values, rays: trilinear_ray_sum(values, rays, step)


def line_integrals(density: Density, views: Views, integrate: Integrate) -> torch.Tensor:
    """(B, R), differentiable in the volume and in the poses."""
    images = []
    for number in range(views.count):
        parts = [
            integrate(density.values, rays_in_index(*ends, pose, index))
            for ends, pose, index in _pieces(density, views, number)
        ]
        images.append(torch.cat(parts))
    return torch.stack(images)


def line_integrals_with_jacobian(
    density: Density, views: Views, integrate: Integrate
) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, R) and (B, R, 6) derivatives by a twist (omega, v) on the left of each pose.

    A pixel depends on the pose only through the two ends of its own ray, so one backward pass gives the
    gradient of every pixel by its ends, and the rest is the chain rule: moving the patient by the twist
    moves a ray point x, seen from the patient, by -(omega x x + v).
    """
    values = density.values.detach()
    images, jacobians = [], []
    for number in range(views.count):
        parts = []
        for ends_camera, pose, index in _pieces(density, views, number):
            pose = pose.detach()
            index_from_camera = (index @ torch.linalg.inv(pose))[:3, :3]
            rays = rays_in_index(*ends_camera, pose, index)
            ends = [end.detach().clone().requires_grad_() for end in (rays.sources, rays.ends)]
            image = integrate(values, Rays(*ends, rays.lengths_mm))
            by_ends = torch.autograd.grad(image.sum(), ends)
            by_twist = 0
            for point, by_index in zip(ends_camera, by_ends, strict=True):
                by_point = by_index @ index_from_camera
                by_twist = by_twist - torch.cat([torch.linalg.cross(point, by_point), by_point], dim=1)
            parts.append((image.detach(), by_twist))
        images.append(torch.cat([image for image, _ in parts]))
        jacobians.append(torch.cat([jacobian for _, jacobian in parts]))
    return torch.stack(images), torch.stack(jacobians)


def label_integrals(
    density: Density, channels: torch.Tensor, count: int, views: Views, soft: bool
) -> torch.Tensor:
    """(B, count, R) line integrals by structure, see `reference.joseph_labels`."""
    images = []
    for number in range(views.count):
        parts = [
            joseph_labels(density.values, channels, count, rays_in_index(*ends, pose, index), soft)
            for ends, pose, index in _pieces(density, views, number)
        ]
        images.append(torch.cat(parts, dim=1))
    return torch.stack(images)


def _pieces(
    density: Density, views: Views, number: int
) -> Iterator[tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor, torch.Tensor]]:
    """(sources and ends in the camera, pose, index_from_patient) of as many rays as fit at once."""
    like = density.values
    ends = [_tensor(points, like) for points in ends_in_camera(views, number, density.grid)]
    pose = views.poses[number].to(like)
    index_from_patient = _tensor(density.grid.index_from_patient, like)
    at_once = max(1, _SAMPLES_AT_ONCE // sum(density.grid.size))
    for start in range(0, views.rays, at_once):
        part = slice(start, start + at_once)
        yield (ends[0][part], ends[1][part]), pose, index_from_patient


def _tensor(array: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(array, dtype=like.dtype, device=like.device)
