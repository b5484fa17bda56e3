"""The pictures of a registered view: X-ray, DRR, checkerboard, outlines and the plan."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from ..geometry import Camera
from ..images import LabelMap, Markup, Xray
from ..render import Density, render
from .canvas import Canvas, Colour, for_display, grey, picture_camera
from .comparisons import checkerboard
from .outlines import edges, structure_outlines

# Told apart also without red-green vision (Okabe and Ito, 2008).
_VERTEBRA: Colour = (86, 180, 233)
_RIB: Colour = (240, 228, 66)
_OTHER: tuple[Colour, ...] = ((230, 159, 0), (0, 158, 115), (204, 121, 167), (213, 94, 0))
_PLAN: Colour = (255, 90, 60)
_EDGE: Colour = (86, 180, 233)
_WORDS: Colour = (235, 235, 235)


@dataclass(frozen=True)
class Overlay:
    """What is drawn on a view.

    Attributes:
        segmentation: or None, then the DRR's edges stand in for outlines.
        labels: the structures to outline.
        markups: plans and landmarks.
        motions: (4, 4) of structures that have moved since the segmentation, by label, patient, mm.
    """

    segmentation: LabelMap | None = None
    labels: tuple[int, ...] = ()
    markups: tuple[Markup, ...] = ()
    motions: Mapping[int, np.ndarray] = field(default_factory=dict)

    def borders(self, camera: Camera) -> dict[int, np.ndarray]:
        """The outline of each structure in view by its label, [row, column] bool."""
        if self.segmentation is None:
            return {}
        still = tuple(label for label in self.labels if label not in self.motions)
        found = structure_outlines(self.segmentation, camera, still) if still else {}
        for label in self.labels:
            if label in self.motions:
                moved = camera.moved(camera.camera_from_patient @ self.motions[label])
                found |= structure_outlines(self.segmentation, moved, (label,))
        return found


def view_drr(density: Density, xray: Xray, camera_from_patient: np.ndarray) -> np.ndarray:
    """The DRR [row, column] in the pixels of `for_display`'s X-ray, at a pose."""
    return render(density, picture_camera(xray.camera).moved(camera_from_patient)).cpu().numpy()


def overlay_picture(
    xray: Xray,
    camera: Camera,
    drr: np.ndarray,
    overlay: Overlay,
    title: str,
    spread: Callable[[Camera, np.ndarray], np.ndarray] | None = None,
    borders: dict[int, np.ndarray] | None = None,
) -> Canvas:
    """The X-ray with the outlines (or the DRR's edges) and the plan as ``camera``'s pose places them.

    Args:
        spread: the (2, 2) covariance, pixel2, of a point's image, given a camera and the point (3,), patient,
            mm; each point of the plan then gets the ellipse within which it is with 95 %.
        borders: `Overlay.borders` in the picture's pixels, where they are known already.
    """
    shown, enlarge = for_display(xray)
    placed = shown.camera.moved(camera.camera_from_patient)
    canvas = _titled(grey(shown.line_integrals, shown.mask, focus=drr > 0), enlarge, title)
    if overlay.segmentation is not None and overlay.labels:
        for label, border in (overlay.borders(placed) if borders is None else borders).items():
            canvas.outline(border, colour_of(overlay.segmentation.name_of(label), label))
    else:
        canvas.outline(edges(drr), _EDGE)
    for markup in overlay.markups:
        canvas.markup(markup, placed, _PLAN)
        for point, centre in zip(markup.points, placed.project(markup.points), strict=True):
            if spread is not None:
                canvas.ellipse(centre, spread(placed, point), _PLAN)
    return canvas


def xray_picture(xray: Xray, title: str) -> Canvas:
    """The X-ray alone."""
    shown, enlarge = for_display(xray)
    return _titled(grey(shown.line_integrals, shown.mask), enlarge, title)


def drr_picture(xray: Xray, drr: np.ndarray, title: str) -> Canvas:
    """The DRR as the X-ray's detector would show it."""
    shown, enlarge = for_display(xray)
    return _titled(grey(drr, shown.mask, drr > 0), enlarge, title)


def checkerboard_picture(xray: Xray, drr: np.ndarray, title: str) -> Canvas:
    """X-ray and DRR in alternate tiles: edges that run on across tiles fit."""
    shown, enlarge = for_display(xray)
    return _titled(checkerboard(shown, drr), enlarge, title)


def colour_of(structure: str, label: int) -> Colour:
    """Vertebrae and ribs have their colours; others take theirs by label."""
    if structure.startswith("vertebra"):
        return _VERTEBRA
    if structure.startswith("rib"):
        return _RIB
    return _OTHER[label % len(_OTHER)]


def _titled(background: np.ndarray, enlarge: int, title: str) -> Canvas:
    canvas = Canvas(background, enlarge)
    canvas.text((8, 8), title, _WORDS)
    return canvas
