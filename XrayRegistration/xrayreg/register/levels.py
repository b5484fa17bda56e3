"""Coarse-to-fine levels: each X-ray cropped to the anatomy and averaged to a size, the CT to match."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from ..geometry import Camera, apply
from ..images import Xray
from ..render import Density
from ..similarity import Comparison, Term

_FEWEST = 8  # pixels across, below which there is nothing to compare


@dataclass(frozen=True)
class Level:
    """One rung of the ladder.

    Attributes:
        pixels: the X-ray is averaged until the longer side of the anatomy, at its start and with the margin,
            has about this many.
        terms: what is compared.
        poses: how many of the best poses of the rung before are refined here.
        margin: widens the anatomy's box in the image by this part of its size, on each side.
        iterations: at most.
        step_px: a pose is done when its next step would move the anatomy by less than this, in pixels.
    """

    pixels: int
    terms: tuple[Term, ...]
    poses: int
    margin: float
    iterations: int
    step_px: float


@dataclass(frozen=True)
class LevelView:
    """One X-ray at one level.

    Attributes:
        camera: of the cropped, averaged image, at the X-ray's start pose.
        image, mask: [row, column] its line integrals, and which of them count.
        comparison: with them.
    """

    camera: Camera
    image: torch.Tensor
    mask: torch.Tensor
    comparison: Comparison


def prepare_view(xray: Xray, motions: Sequence[np.ndarray], density: Density, level: Level) -> LevelView:
    """Crop an X-ray to where the volume may lie, average, make comparable.

    Args:
        motions: (4, 4) each, of the anatomy since the X-ray's start pose: all that will be tried.

    Raises:
        InputError: if the volume does not project onto unmasked pixels, or the source starts inside it.
    """
    _check_source(xray, density)
    corners, poses = density.grid.corners_patient, xray.camera.camera_from_patient @ np.stack(motions)
    box = anatomy_box(xray.camera, poses, corners, level.margin, xray.name)
    _, alone = anatomy_box(xray.camera, poses[:1], corners, level.margin, xray.name)
    return _prepared(xray, box, max(alone), density.values, level)


def prepare_joint_view(xray: Xray, corners: np.ndarray, like: torch.Tensor, level: Level) -> LevelView:
    """As `prepare_view`, cropped to where points (n, 3), patient, mm, the corners of several bodies, may lie.

    Args:
        like: a tensor on the device, and of the kind, that is asked for.

    Raises:
        InputError: if they do not project onto unmasked pixels.
    """
    pose = xray.camera.camera_from_patient[None]
    box = anatomy_box(xray.camera, pose, corners, level.margin, xray.name)
    return _prepared(xray, box, max(box[1]), like, level)


def _prepared(
    xray: Xray, box: tuple[tuple[int, int], tuple[int, int]], across: int, like: torch.Tensor, level: Level
) -> LevelView:
    """``box``: first pixel and size of what is kept; ``across``: the pixels that become `Level.pixels`."""
    first, size = box
    factor = max(1, min(round(across / level.pixels), min(size) // _FEWEST))
    small = xray.cropped(first, size).binned(factor)
    image = torch.as_tensor(small.line_integrals, dtype=like.dtype, device=like.device)
    mask = torch.as_tensor(small.mask, device=like.device)
    if not mask.any():
        raise InputError("the mask leaves no pixel to compare", where=xray.name)
    return LevelView(small.camera, image, mask, Comparison(image, mask, level.terms))


def _check_source(xray: Xray, density: Density) -> None:
    index = apply(density.grid.index_from_patient, xray.camera.source_patient)
    if ((index > -0.5) & (index < np.array(density.grid.size) - 0.5)).all():
        raise InputError(
            "the start pose puts the X-ray source inside the volume",
            where=xray.name,
            remedy="check the start pose (mm, patient LPS to camera)",
        )


def anatomy_box(
    camera: Camera, poses: np.ndarray, corners: np.ndarray, margin: float, name: str
) -> tuple[tuple[int, int], tuple[int, int]]:
    """First pixel and size, (column, row) each, of the image part in which a box may lie.

    Args:
        poses: (n, 4, 4) camera_from_patient, tried.
        corners: (m, 3) of the box, patient, mm.
    """
    in_camera = corners @ poses[:, :3, :3].transpose(0, 2, 1) + poses[:, None, :3, 3]
    at = camera.moved(np.eye(4)).project(in_camera.reshape(-1, 3))
    if np.isnan(at).any() and not np.isnan(at).all():
        return (0, 0), camera.size  # the source is inside or beside the box: every pixel may see it
    low, high = at.min(axis=0), at.max(axis=0)
    low, high = low - margin * (high - low), high + margin * (high - low)
    end = np.array(camera.size)
    low, high = np.clip(np.floor(low), 0, end), np.clip(np.ceil(high) + 1, 0, end)
    if not (high - low >= _FEWEST).all():  # NaN: all of it is behind the source
        raise InputError(
            "the volume does not project into the X-ray from the start pose",
            where=name,
            remedy="check the start pose, or that the volume and the X-ray show the same region",
        )
    return (int(low[0]), int(low[1])), (int(high[0] - low[0]), int(high[1] - low[1]))
