"""Coarse-to-fine levels: each X-ray cropped to the anatomy and averaged to a size, the CT to match."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..errors import InputError
from ..geometry import Camera
from ..images import Xray
from ..render import Density
from ..similarity import Comparison, Term

_FEWEST = 8  # pixels across, below which there is nothing to compare


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
        InputError: if the volume does not project onto unmasked pixels.
    """
    first, size = anatomy_box(camera, density, level.margin, xray.name)
    factor = max(1, min(round(max(size) / level.pixels), min(size) // _FEWEST))
    small = replace(xray, camera=camera).cropped(first, size).binned(factor)
    like = density.values
    image = torch.as_tensor(small.line_integrals, dtype=like.dtype, device=like.device)
    mask = torch.as_tensor(small.mask, device=like.device)
    return LevelView(small.camera, Comparison(image, mask, level.terms))


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
    if (high - low < _FEWEST).any():
        raise InputError(
            "the volume does not project into the X-ray from the start pose",
            where=name,
            remedy="check the start pose, or that the volume and the X-ray show the same region",
        )
    return (int(low[0]), int(low[1])), (int(high[0] - low[0]), int(high[1] - low[1]))
