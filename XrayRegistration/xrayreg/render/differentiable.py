"""Compiled line integrals as a function that torch differentiates."""

from types import ModuleType

import numpy as np
import torch

from ..images import Grid
from .views import Views


def line_integrals(engine: ModuleType, values: torch.Tensor, grid: Grid, views: Views) -> torch.Tensor:
    """(B, R); gradients reach the volume [k, j, i] and the poses (B, 4, 4), not the intrinsics.

    The gradient by a pose is tangent to the rigid motions: moving it off them has no meaning here.
    """
    return _LineIntegrals.apply(values, views.poses, engine, grid, views)


class _LineIntegrals(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values, poses, engine, grid, views):
        image, by_twist = engine.line_integrals(values, grid, views, jacobian=ctx.needs_input_grad[1])
        ctx.save_for_backward(poses, *([] if by_twist is None else [by_twist]))
        ctx.engine, ctx.grid, ctx.views = engine, grid, views
        return image

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, by_image):
        by_values = by_poses = None
        poses, *saved = ctx.saved_tensors
        if ctx.needs_input_grad[0]:
            by_values = ctx.engine.by_volume(by_image, ctx.grid, ctx.views)
        if ctx.needs_input_grad[1]:
            by_twist = torch.einsum("br,brn->bn", by_image, saved[0])
            by_poses = _ambient(by_twist.to(poses), poses)
        return by_values, by_poses, None, None, None


def _ambient(by_twist: torch.Tensor, poses: torch.Tensor) -> torch.Tensor:
    """The matrices X (B, 4, 4) with <X, hat(twist) @ pose> = by_twist . twist for every twist (omega, v).

    With X = Y pose^-T this asks <Y, hat(twist)> = by_twist . twist, and hat(omega) counts each
    component twice.
    """
    generators = np.zeros((6, 4, 4))
    for n, (row, column) in enumerate([(2, 1), (0, 2), (1, 0)]):
        generators[n, row, column], generators[n, column, row] = 0.5, -0.5
        generators[3 + n, n, 3] = 1
    y = torch.einsum("bn,nij->bij", by_twist, torch.as_tensor(generators).to(poses))
    return y @ torch.linalg.inv(poses).mT
