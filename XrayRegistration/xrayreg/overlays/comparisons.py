"""X-ray and DRR compared in one picture, as arrays in the pixels they have in common."""

import numpy as np

from ..errors import InputError
from ..images import Xray
from .canvas import grey

TILES = 8
"""Of the checkerboard, along the longer side."""

MIDDLE = 128
"""Of a difference picture: no difference."""

_SAMPLES = 20_000  # pixels that are enough for a line through all of them
_FIT_STEPS = 10
_TUKEY = 4.685  # standard deviations at which Tukey's weight reaches zero: 95 % efficient for normal noise


def in_common_pixels(xray: Xray, drr: np.ndarray, longest: int) -> tuple[Xray, np.ndarray]:
    """X-ray and DRR averaged to the same pixels.

    Args:
        drr: [row, column], its pixels those of the X-ray or blocks of them.
        longest: pixels of the longer side, at most.

    Raises:
        InputError: if the DRR does not cover the X-ray.
    """
    size = xray.camera.size
    block = max(1, max(size) // max(drr.shape))
    if drr.shape != (size[1] // block, size[0] // block):
        raise InputError(
            f"the DRR of {drr.shape[::-1]} pixels does not lie on an X-ray of {size}",
            where=xray.name,
            remedy="register again",
        )
    factor = max(1, -(-max(drr.shape) // longest))
    ours = xray.binned(block * factor)
    if factor > 1:
        drr = Xray(drr, xray.camera.binned(block), np.ones(drr.shape, bool)).binned(factor).line_integrals
    return ours, drr


def checkerboard(xray: Xray, drr: np.ndarray) -> np.ndarray:
    """[row, column] uint8: X-ray and DRR in alternate tiles; edges that run on across tiles fit."""
    rows, columns = np.indices(drr.shape, sparse=True)
    side = max(1, -(-max(drr.shape) // TILES))
    xray_grey, drr_grey = (grey(image, xray.mask, drr > 0) for image in (xray.line_integrals, drr))
    return np.where((rows // side + columns // side) % 2 == 0, xray_grey, drr_grey)


def matched(xray: Xray, drr: np.ndarray) -> np.ndarray:
    """[row, column] float32: the DRR in the X-ray's brightness and contrast.

    A line through the pixels inside the mask to which the volume projects, with Tukey's weights: implants and
    bones that lie elsewhere do not turn it (Huber and Ronchetti, Robust Statistics, 2009).
    """
    measured = xray.mask & (drr > 0)
    if not measured.any():
        measured = xray.mask
    values = np.stack([drr[measured], xray.line_integrals[measured]]).astype(float)
    slope, offset = _robust_line(*values[:, :: max(1, values.shape[1] // _SAMPLES)])
    return (slope * drr + offset).astype(np.float32)


def difference(xray: Xray, drr: np.ndarray) -> np.ndarray:
    """[row, column] uint8: the X-ray less the matched DRR, grey where they agree, bright where it has more.

    Black and white are half of the X-ray's own range away, whatever the match: a better fit looks flatter.
    Outside the mask there is nothing to compare, and it is grey.
    """
    low, high = np.percentile(xray.line_integrals[xray.mask], [1, 99])
    scaled = (xray.line_integrals - matched(xray, drr)) * ((MIDDLE - 1) / max((high - low) / 2, 1e-6))
    shown = np.where(xray.mask, MIDDLE + scaled, MIDDLE)
    return np.clip(np.rint(shown), 0, 255).astype(np.uint8)


def _robust_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and offset of y = slope * x + offset; the slope is not negative."""
    weights = np.ones(len(x))
    for _ in range(_FIT_STEPS):
        mean_x, mean_y = np.average(x, weights=weights), np.average(y, weights=weights)
        variance = np.average((x - mean_x) ** 2, weights=weights)
        covariance = np.average((x - mean_x) * (y - mean_y), weights=weights)
        slope = max(covariance / variance, 0.0) if variance > 0 else 0.0
        residuals = y - mean_y - slope * (x - mean_x)
        spread = 1.4826 * np.median(np.abs(residuals))  # the standard deviation, were they normal
        if spread <= 1e-9 * max(np.abs(y).max(), 1e-30):
            break
        weights = np.maximum(1 - (residuals / (_TUKEY * spread)) ** 2, 0) ** 2
    return slope, mean_y - slope * mean_x
