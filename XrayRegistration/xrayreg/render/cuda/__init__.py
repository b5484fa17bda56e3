"""The engine for NVIDIA's graphics cards: Joseph's method compiled by numba, one thread per ray."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numba import cuda

from ...images import Grid
from ..reference import HARD_SAMPLES
from ..views import Views
from .kernels import backproject, integrate, integrate_labels, integrate_with_jacobian

# Threads of a block. For images its 32-thread warps are 8 x 4 pixels, whose rays meet the same few voxels.
_IMAGE_BLOCK, _LIST_BLOCK = (8, 16), (128, 1)
_MOST_BLOCKS_DEEP = 65535

# A short list of pixels cannot fill a graphics card, and needs not to.
warnings.filterwarnings("ignore", message="Grid size .* low occupancy")


@cuda.jit
def _nothing(array):
    pass


def line_integrals(
    values: torch.Tensor, grid: Grid, views: Views, jacobian: bool
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """(B, R) line integrals and, if wanted, (B, R, 6) derivatives by a twist left of each pose."""
    values = values.detach()
    images = values.new_empty(views.count, views.rays)
    if not jacobian:
        _launch(integrate, values.reshape(-1), grid, views, images)
        return images, None
    by_twist = values.new_empty(*images.shape, 6)
    _launch(integrate_with_jacobian, values.reshape(-1), grid, views, images, by_twist)
    return images, by_twist


def by_volume(weights: torch.Tensor, grid: Grid, views: Views) -> torch.Tensor:
    """The transpose of `line_integrals`: [k, j, i] from weights (B, R)."""
    weights = weights.detach().to(torch.float32).contiguous()
    total = weights.new_zeros(grid.array_shape)
    _launch(backproject, total.reshape(-1), grid, views, weights)
    return total


def label_integrals(
    values: torch.Tensor, channels: torch.Tensor, count: int, grid: Grid, views: Views, soft: bool
) -> torch.Tensor:
    """(B, count, R) line integrals by structure, as `reference.joseph_labels`."""
    values = values.detach()
    images = values.new_zeros(views.count, count, views.rays)
    channels = channels.to(values.device).reshape(-1)
    _launch(integrate_labels, values.reshape(-1), grid, views, channels, 0 if soft else HARD_SAMPLES, images)
    return images


def _launch(kernel, volume: torch.Tensor, grid: Grid, views: Views, *more: torch.Tensor | int) -> None:
    """Runs a kernel for every ray; its arguments are as of `kernels.integrate`, the last of them ``more``."""
    listed = len(views.pixels) > 0
    columns, rows = (views.rays, 1) if listed else views.size
    block = _LIST_BLOCK if listed else _IMAGE_BLOCK
    blocks = (-(-columns // block[0]), -(-rows // block[1]), min(views.count, _MOST_BLOCKS_DEEP))
    pixels = views.pixels if listed else np.zeros((1, 2))  # an empty array has no address to hand over
    arrays = [torch.from_numpy(x).to(volume.device) for x in (_layout(grid), *_frames(grid, views), pixels)]
    arguments = (volume, *arrays, columns, rows, listed, views.has_source, *more)
    with _stream(volume.device) as stream:
        kernel[blocks, block, stream](*[_handed_over(x) for x in arguments])


def _layout(grid: Grid) -> np.ndarray:
    """As `kernels.integrate` takes it, of a flat volume with i fastest."""
    strides = (1, grid.size[0], grid.size[0] * grid.size[1])
    i, j, k = zip(grid.size, strides, strict=True)
    return np.array([(i, j, k), (j, i, k), (k, i, j)], np.int32)


def _frames(grid: Grid, views: Views) -> tuple[np.ndarray, np.ndarray]:
    """``index_frames`` and ``camera_frames``, as `kernels.integrate` takes them."""
    index_from_camera = views.index_from_camera(grid)
    linear = index_from_camera[:, :3, :3]
    origins, directions = linear @ views.origins, linear @ views.directions
    origins[:, :, 2] += index_from_camera[:, :3, 3]
    camera = np.stack([views.origins, views.directions, linear], axis=1)
    return np.stack([origins, directions], axis=1), camera.astype(np.float32)


@contextmanager
def _stream(device: torch.device) -> Iterator[object]:
    """Torch's current stream on the device, as numba takes it; the simulator has none."""
    if device.type != "cuda":
        yield 0
        return
    with torch.cuda.device(device), cuda.gpus[device.index]:
        number = torch.cuda.current_stream(device).cuda_stream
        yield cuda.external_stream(number) if number else 0


def _handed_over(x):
    """A tensor as the same memory seen by numba; numpy's for the simulator. Other arguments as they are."""
    if not isinstance(x, torch.Tensor):
        return x
    return cuda.as_cuda_array(x) if x.is_cuda else x.numpy()


def _check() -> None:
    """Drivers, compilers and packages of different ages may not fit: better known now than amid a render."""
    try:
        array = torch.zeros(1, device="cuda" if torch.cuda.is_available() else "cpu")
        with _stream(array.device) as stream:
            _nothing[1, 1, stream](_handed_over(array))
    except Exception as problem:
        raise ImportError(f"numba cannot run kernels: {problem!r}") from problem


_check()
