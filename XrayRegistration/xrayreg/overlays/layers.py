"""What is laid over an X-ray: a DRR, outlines of structures, and the plan with its ellipses."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..geometry import Camera
from ..render import Density, render
from .canvas import ellipse_points, picture_camera
from .pictures import Overlay

_ELLIPSE_STEP = 3  # of the points of an ellipse, one in so many is enough for a smooth curve


@dataclass(frozen=True)
class Mark:
    """A point of the plan on an X-ray.

    Attributes:
        at: (2,) image point, pixel of the X-ray.
        ellipse: (n, 2) closed line around it that holds it with 95 %.
    """

    label: str
    at: np.ndarray
    ellipse: np.ndarray


@dataclass(frozen=True)
class Layers:
    """What is laid over one X-ray at a pose.

    Attributes:
        camera: of the pixels below: the X-ray's, or averaged ones if it has many.
        drr: [row, column] float32 line integrals.
        outlines: [row, column] int16, number of the label whose outline is there, 0 elsewhere.
        marks: the points of the plan that project, in pixels of the X-ray.
    """

    camera: Camera
    drr: np.ndarray
    outlines: np.ndarray
    marks: tuple[Mark, ...]


def layers_on(
    density: Density,
    camera: Camera,
    overlay: Overlay,
    spread: Callable[[Camera, np.ndarray], np.ndarray],
) -> Layers:
    """All that is laid over an X-ray.

    Args:
        camera: of the X-ray, at the pose that is to be shown.
        spread: the (2, 2) covariance, pixel2, of a point's image, given a camera and the point (3,),
            patient, mm.
    """
    shown = picture_camera(camera)
    return layers_of(render(density, shown).cpu().numpy(), overlay.borders(shown), camera, overlay, spread)


def layers_of(
    drr: np.ndarray,
    borders: dict[int, np.ndarray],
    camera: Camera,
    overlay: Overlay,
    spread: Callable[[Camera, np.ndarray], np.ndarray],
) -> Layers:
    """As `layers_on`, where the DRR and the structures' borders have been drawn in a picture's pixels."""
    outlines = np.zeros(drr.shape, np.int16)
    for label, border in borders.items():
        outlines[border] = label
    return Layers(picture_camera(camera), drr, outlines, _marks(camera, overlay, spread))


def _marks(camera: Camera, overlay: Overlay, spread: Callable) -> tuple[Mark, ...]:
    marks = []
    for markup in overlay.markups:
        for point, label, at in zip(markup.points, markup.labels, camera.project(markup.points), strict=True):
            if np.isfinite(at).all():
                ellipse = ellipse_points(at, spread(camera, point))[::_ELLIPSE_STEP]
                marks.append(Mark(label or markup.name, at, ellipse))
    return tuple(marks)
