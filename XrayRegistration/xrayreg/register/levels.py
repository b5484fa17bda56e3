"""Coarse-to-fine levels: each X-ray cropped to the anatomy and averaged to a size, the CT to match."""

from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from ..geometry import Camera
from ..images import Xray
from ..render import Density
from ..similarity import Comparison, Term


@dataclass(frozen=True)
class Level:
    """One rung of the ladder.

    Attributes:
        pixels: the longer side of the cropped X-ray is averaged down to about this many pixels.
        terms: what is compared.
        starts: how many of the best candidate poses are refined here.
        margin: widens the anatomy's box in the image by this part of its size, on each side.
        iterations: at most.
        step_mm: the level ends when a step moves the anatomy by less than this.
    """

    pixels: int
    terms: tuple[Term, ...]
    starts: int
    margin: float
    iterations: int
    step_mm: float


@dataclass(frozen=True)
class LevelView:
    """One X-ray at one level.

    Attributes:
        camera: of the cropped, averaged image.
        comparison: with its line integrals.
    """

    camera: Camera
    comparison: Comparison


def prepare_view(xray: Xray, camera: Camera, density: Density, level: Level) -> LevelView:
    """Crop an X-ray to where ``camera`` (its current pose) sees the volume, average, make comparable.

    Raises:
        InputError: if the volume does not project into the image at all.
    """
    first, size = anatomy_box(camera, density, level.margin, xray.name)
    factor = max(1, round(max(size) / level.pixels))
    size = tuple(max(factor, n // factor * factor) for n in size)
    rows, columns = (slice(start, start + n) for start, n in zip(first[::-1], size[::-1], strict=True))
    image, mask = averaged(xray.line_integrals[rows, columns], xray.mask[rows, columns], factor)
    if not mask.any():
        raise InputError("the volume projects only onto masked pixels", where=xray.name)
    like = density.values
    return LevelView(
        camera.cropped(first, size).binned(factor),
        Comparison(
            torch.as_tensor(image, dtype=like.dtype, device=like.device),
            torch.as_tensor(mask, device=like.device),
            level.terms,
        ),
    )


def anatomy_box(
    camera: Camera, density: Density, margin: float, name: str
) -> tuple[tuple[int, int], tuple[int, int]]:
    """First pixel and size, (column, row) each, of the image part in which the volume's box lies."""
    corners = camera.project(density.grid.corners_patient)
    if np.isnan(corners).any():  # the source is inside or beside the box: every pixel may see it
        return (0, 0), camera.size
    low, high = corners.min(axis=0), corners.max(axis=0)
    low, high = low - margin * (high - low), high + margin * (high - low)
    end = np.array(camera.size)
    low, high = np.clip(np.floor(low), 0, end).astype(int), np.clip(np.ceil(high) + 1, 0, end).astype(int)
    if (high - low < 8).any():
        raise InputError(
            "the volume does not project into the X-ray from the start pose",
            where=name,
            remedy="check the start pose, or that the volume and the X-ray show the same region",
        )
    return (int(low[0]), int(low[1])), (int(high[0] - low[0]), int(high[1] - low[1]))


def averaged(image: np.ndarray, mask: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the unmasked pixels of factor x factor blocks; a block counts if half of it does."""
    rows, columns = (n // factor for n in image.shape)

    def blocks(array: np.ndarray) -> np.ndarray:
        return array[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor).sum(axis=(1, 3))

    count = blocks(mask.astype(np.float64))
    total = blocks(np.where(mask, image, 0).astype(np.float64))
    return total / np.maximum(count, 1), count >= 0.5 * factor * factor


def matched_density(density: Density, view: LevelView) -> Density:
    """The volume averaged to the pixel size at its own depth: finer voxels cost time and alias."""
    depth = np.linalg.norm(density.grid.centre_patient - view.camera.source_patient)
    return density.to_spacing(depth / max(view.camera.K[0, 0], view.camera.K[1, 1]))
