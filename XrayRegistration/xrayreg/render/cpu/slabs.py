"""Volumes packed for the kernels: by groups of slices of one axis, the slices of a group side by side."""

from dataclasses import dataclass

import numpy as np
import torch

from ..memory import PREPARED
from ..workers import share
from .kernels import pack
from .lanes import LANES

# A ray passes at most this many columns of voxels per axis within a group of slices.
_LEAST_COLUMNS = LANES + 1

# Of [k, j, i], the axes (p, q, slice) for slices along i, j, k.
_ORDERS = ((1, 0, 2), (2, 0, 1), (2, 1, 0))

_FULL_SCALE = 32767


@dataclass(frozen=True)
class Slabs:
    """Voxels for rays that advance most along one axis.

    Attributes:
        values: [group of slices, p, q, lane]; p and q are the other two axes in the order i, j, k. Zeros
            fill up groups and narrow volumes.
        scale: to multiply the values by.
    """

    values: np.ndarray
    scale: float


def packed(values: torch.Tensor, axis: int) -> Slabs:
    """The slabs of a float32 volume [k, j, i] for one axis, made once and remembered.

    16-bit integers: memory is what limits the kernels, and the rounding, 1.5e-5 of the largest voxel,
    averages out along a ray. A volume that is being learned stays float32, since it changes at every step.
    """
    if values.requires_grad:
        return _packed(values.detach().numpy(), axis, np.float32)

    def make() -> tuple[Slabs, int]:
        slabs = _packed(values.numpy(), axis, np.int16)
        return slabs, slabs.values.nbytes

    return PREPARED.get(values, ("slabs", axis), make)


def empty(array_shape: tuple[int, int, int], axis: int, dtype: type) -> np.ndarray:
    count_p, count_q, count = (array_shape[n] for n in _ORDERS[axis])
    wide = (max(count_p, _LEAST_COLUMNS), max(count_q, _LEAST_COLUMNS))
    return np.zeros((-(-count // LANES), *wide, LANES), dtype)


def unpacked(slabs: np.ndarray, axis: int, array_shape: tuple[int, int, int]) -> np.ndarray:
    """[k, j, i] from slabs."""
    order = _ORDERS[axis]
    count_p, count_q, count = (array_shape[n] for n in order)
    columns = slabs[:, :count_p, :count_q].transpose(1, 2, 0, 3).reshape(count_p, count_q, -1)
    return columns[..., :count].transpose(np.argsort(order))


def _packed(values: np.ndarray, axis: int, dtype: type) -> Slabs:
    scale, rounded = 1.0, dtype == np.int16
    if rounded:
        scale = max(abs(float(values.max())), abs(float(values.min()))) / _FULL_SCALE or 1.0
    slabs = empty(values.shape, axis, dtype)
    view = values.transpose(_ORDERS[axis])
    share(
        lambda first, behind: pack(view, np.float32(1 / scale), rounded, first, behind, slabs),
        [(group, group + 1) for group in range(len(slabs))],
    )
    return Slabs(slabs, scale)
