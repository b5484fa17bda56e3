"""Pictures of an X-ray with things drawn on it."""

import io
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFont

from ..geometry import Camera
from ..images import Markup, Xray

Colour = tuple[int, int, int]

_WITHIN_95 = 2.4477  # standard deviations: sqrt of chi squared's 95 % quantile, two degrees of freedom

LONG_SIDE = 1024  # of a picture, at most; at least half of it


def picture_camera(camera: Camera) -> Camera:
    """The camera of a picture's pixels before it is enlarged: as `for_display` averages the X-ray."""
    return camera.binned(camera.binning_to(LONG_SIDE))


def for_display(xray: Xray) -> tuple[Xray, int]:
    """The X-ray in the pixels of a picture, and the factor by which it is then enlarged.

    Large detectors are averaged, small ones enlarged, so that lines and letters keep their size.
    """
    binned = xray.binned(xray.camera.binning_to(LONG_SIDE))
    return binned, max(1, LONG_SIDE // max(binned.camera.size))


def grey(line_integrals: np.ndarray, mask: np.ndarray, focus: np.ndarray | None = None) -> np.ndarray:
    """[row, column] uint8 as on a radiograph, bone bright.

    Most of the large-scale brightness is taken away, as viewing stations do (dynamic range
    compression), so that bones show over lung and liver alike.

    Args:
        mask: [row, column] bool, pixels outside are black.
        focus: [row, column] bool, the part that sets the contrast; all unmasked pixels if None or empty.
    """
    if not mask.any():
        return np.zeros(line_integrals.shape, dtype=np.uint8)
    filled = np.where(mask, line_integrals, line_integrals[mask].mean()).astype(np.float32)
    sigma = max(line_integrals.shape) / 16
    background = sitk.GetArrayFromImage(
        sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(filled), sigma)
    )
    flattened = filled - 0.6 * background
    measured = mask if focus is None or not (mask & focus).any() else mask & focus
    low, high = np.percentile(flattened[measured], [0.5, 99.5])
    scaled = np.clip((flattened - low) / max(high - low, 1e-6), 0, 1)
    return (np.where(mask, scaled, 0) * 255).astype(np.uint8)


def ellipse_points(centre: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """(73, 2) closed line within which a point of mean (2,) and covariance (2, 2) is with 95 %."""
    values, axes = np.linalg.eigh(covariance)
    angles = np.linspace(0, 2 * np.pi, 73)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return centre + (circle * _WITHIN_95 * np.sqrt(np.maximum(values, 0))) @ axes.T


class Canvas:
    """One picture of a view.

    Args:
        background: [row, column] uint8.
        enlarge: whole factor by which the picture is larger than the background.
    """

    def __init__(self, background: np.ndarray, enlarge: int = 1):
        self._scale = enlarge
        size = (background.shape[1] * enlarge, background.shape[0] * enlarge)
        self.image = Image.fromarray(background).convert("RGB").resize(size, Image.Resampling.BICUBIC)
        self._draw = ImageDraw.Draw(self.image)
        self._font = ImageFont.load_default(max(13, min(size) // 48))

    def outline(self, border: np.ndarray, colour: Colour) -> None:
        """Colour the True pixels of [row, column]."""
        alpha = Image.fromarray((border * 255).astype(np.uint8))
        alpha = alpha.resize(self.image.size, Image.Resampling.BILINEAR)
        self.image.paste(Image.new("RGB", self.image.size, colour), mask=alpha)

    def markup(self, markup: Markup, camera: Camera, colour: Colour) -> None:
        """Project a plan or landmark with ``camera`` (of the background's pixels, any pose) and draw it."""
        at = [self._pixel(uv) for uv in camera.project(markup.points)]
        seen = [(spot, label) for spot, label in zip(at, markup.labels, strict=True) if spot is not None]
        if markup.kind in ("line", "curve") and len(seen) > 1:
            self._draw.line([spot for spot, _ in seen], fill=colour, width=3)
        radius = 5
        for (x, y), label in seen:
            if markup.kind == "points":
                self._draw.line([(x - 3 * radius, y), (x + 3 * radius, y)], fill=colour, width=2)
                self._draw.line([(x, y - 3 * radius), (x, y + 3 * radius)], fill=colour, width=2)
            self._draw.ellipse([x - radius, y - radius, x + radius, y + radius], outline=colour, width=2)
            if label:
                self.text((x + 2 * radius, y - 3 * radius), label, colour)

    def ellipse(self, centre: np.ndarray, covariance: np.ndarray, colour: Colour) -> None:
        """Where a point may be with 95 %: its image (2,) and (2, 2) covariance, background pixels."""
        if self._pixel(centre) is None:
            return
        around = ellipse_points(centre, covariance)
        self._draw.line([self._pixel(point) for point in around], fill=colour, width=2)

    def text(self, at: tuple[float, float], words: str, colour: Colour) -> None:
        """Words with a dark rim; ``at`` is the upper left corner in picture pixels."""
        self._draw.text(at, words, fill=colour, font=self._font, stroke_width=2, stroke_fill=(0, 0, 0))

    def save(self, path: Path) -> None:
        self.image.save(path)

    def png(self) -> bytes:
        """The picture as a PNG file's content."""
        stream = io.BytesIO()
        self.image.save(stream, "PNG")
        return stream.getvalue()

    def _pixel(self, uv: np.ndarray) -> tuple[float, float] | None:
        """Picture position of an image point; None where it does not project."""
        if not np.isfinite(uv).all():
            return None
        x, y = (np.asarray(uv) + 0.5) * self._scale - 0.5
        return float(x), float(y)


def write_grey_png(path: Path, line_integrals: np.ndarray) -> None:
    """An 8-bit picture of a DRR [row, column], bone bright, pixel for pixel."""
    Image.fromarray(grey(line_integrals, np.ones(line_integrals.shape, dtype=bool))).save(path)
