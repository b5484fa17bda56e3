"""What the registration job computes: core objects in, core objects out; nothing of the scene.

The door to torch: imported when a job starts, not with the module.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from xrayreg.geometry import Camera, CArm
from xrayreg.images import Grid, LabelMap, Markup, Volume, Xray
from xrayreg.overlays import ellipse_points, structure_outlines
from xrayreg.register import (
    Confidence,
    PoseUncertainty,
    Progress,
    RegisteredView,
    SearchRange,
    confidence_in,
    groups,
    least,
    register_rigid,
    within_its_size,
)
from xrayreg.render import Density, mr_density, render
from xrayreg.results import software_json

_PREVIEW_PX = 256
_DRR_PX = 1024


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
class FoundView:
    """One view where it was found.

    Attributes:
        drr: [row, column] line integrals at the pose, in the pixels of
        shown: the view's camera, its pixels averaged if it has many.
        outlines: [row, column] number of the label whose outline is there, 0 elsewhere, in the same pixels.
        marks: the points of the plan that project into the picture.
    """

    camera: Camera
    similarity: float
    uncertainty: PoseUncertainty
    drr: np.ndarray
    shown: Camera
    outlines: np.ndarray
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Found:
    """All views, in the session's order, and how far to trust them.

    Attributes:
        made: "software" and "timing_s" as in registration.json.
    """

    views: tuple[FoundView, ...]
    confidence: Confidence
    made: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Moving:
    """The state while it runs.

    Attributes:
        text: for people.
        part: of the levels done, 0 to 1.
        drrs: for each view whose rig is at work its name, a DRR [row, column] at the best pose so far and the
            camera of its pixels.
    """

    text: str
    part: float
    drrs: tuple[tuple[str, np.ndarray, Camera], ...]


def load_projector() -> None:
    """Draw next to nothing: what the projector imports and compiles for its first picture is there then."""
    density = Density.from_volume(Volume(np.zeros((2, 2, 2), np.float32), Grid((2, 2, 2), np.eye(4))))
    render(density, CArm(1000.0, 700.0, 0.0, 0.0).camera((8, 8), (1.0, 1.0)))


def register(
    volume: Volume,
    xrays: list[Xray],
    turn_deg: float,
    shift_mm: float,
    segmentation: LabelMap | None,
    markups: tuple[Markup, ...],
    report: Callable[[Moving], None],
    modality: str = "CT",
) -> Found:
    """Register and judge.

    Args:
        turn_deg, shift_mm: how far the starts may be off, each way and axis; both 0 only refine them.
        segmentation: whose structures are outlined, or None.
        markups: whose points are reprojected.
        report: called with every state; an exception it raises ends the work.
        modality: as in `density_of`.

    Raises:
        InputError: if the volume does not project into an X-ray.
    """
    report(Moving("preparing the volume", 0.0, ()))
    started = time.perf_counter()
    density = density_of(volume, modality)
    prepared = time.perf_counter() - started
    search = None
    if turn_deg or shift_mm:
        search = within_its_size(SearchRange((turn_deg,) * 3, (shift_mm,) * 3), volume.grid)
    views, statements, refined = {}, [], 0.0
    for together in groups(xrays):
        started = time.perf_counter()
        (rig,) = register_rigid(density, together, search=search, progress=_Watch(density, together, report))
        refined += time.perf_counter() - started
        statements.append(confidence_in(rig.evidence))
        for view in rig.views:
            report(Moving(f"drawing {view.name}", 1.0, ()))
            views[view.name] = _drawn(density, view, rig.uncertainty, segmentation, markups)
    confidence = least(statements)
    if modality == "MR":
        confidence = _of_an_mr(confidence)
    seconds = {"initialise": prepared, "refine": refined, "total": prepared + refined}
    made = {"software": software_json(density.values.device.type), "timing_s": seconds}
    return Found(tuple(views[xray.name] for xray in xrays), confidence, made)


def density_of(volume: Volume, modality: str) -> Density:
    """What X-rays see of a "CT", in HU, or of an "MR", whose bright tissue is taken as water."""
    return mr_density(volume) if modality == "MR" else Density.from_volume(volume)


def _of_an_mr(confidence: Confidence) -> Confidence:
    """Never "accept": what is known of errors was learned from CTs."""
    verdict = "review" if confidence.verdict == "accept" else confidence.verdict
    reasons = (*confidence.reasons, "the volume is an MR; how far to trust that is known of CTs only")
    return replace(confidence, verdict=verdict, reasons=reasons)


def _drawn(
    density: Density,
    view: RegisteredView,
    uncertainty: PoseUncertainty,
    segmentation: LabelMap | None,
    markups: tuple[Markup, ...],
) -> FoundView:
    shown = _smaller(view.camera, _DRR_PX)
    drr = render(density, shown).cpu().numpy()
    outlines = np.zeros(drr.shape, np.int16)
    if segmentation is not None:
        for label, border in structure_outlines(segmentation, shown, tuple(segmentation.names)).items():
            outlines[border] = label
    marks = _marks(view.camera, uncertainty, markups)
    return FoundView(view.camera, view.similarity, uncertainty, drr, shown, outlines, marks)


def _marks(camera: Camera, uncertainty: PoseUncertainty, markups: tuple[Markup, ...]) -> tuple[Mark, ...]:
    marks = []
    for markup in markups:
        for point, label, at in zip(markup.points, markup.labels, camera.project(markup.points), strict=True):
            if np.isfinite(at).all():
                ellipse = ellipse_points(at, uncertainty.in_image(camera, point))[::3]
                marks.append(Mark(label or markup.name, at, ellipse))
    return tuple(marks)


class _Watch:
    """Turns the search's and refinement's steps into states with pictures, one picture per step at most."""

    def __init__(self, density: Density, xrays: list[Xray], report: Callable[[Moving], None]):
        self._density, self._xrays, self._report = density, xrays, report

    def __call__(self, state: Progress) -> None:
        drrs = []
        if state.images:
            for xray in self._xrays:
                camera = _smaller(xray.camera, _PREVIEW_PX)
                camera = camera.moved(camera.camera_from_patient @ state.patient_motion)
                drrs.append((xray.name, render(self._density.matched(camera), camera).cpu().numpy(), camera))
        what = "refining" if state.images else "searching"
        text = f"{what}, level {state.level + 1} of {state.levels}: similarity {state.similarity:.2f}"
        self._report(Moving(text, state.level / state.levels, tuple(drrs)))


def _smaller(camera: Camera, pixels: int) -> Camera:
    """With pixels averaged until the longer side has no more than this many."""
    return camera.binned(max(1, -(-max(camera.size) // pixels)))
