"""What the registration job computes: core objects in, core objects out; nothing of the scene.

The door to torch: imported when a job starts, not with the module.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from xrayreg.articulate import how_far, plan_at_rest
from xrayreg.audit import check_inputs, raise_problems, warnings
from xrayreg.deform import Blend
from xrayreg.geometry import Camera, CArm
from xrayreg.images import Grid, LabelMap, Markup, Volume, Xray
from xrayreg.overlays import Layers, Overlay, layers_on
from xrayreg.register import (
    Articulated,
    Confidence,
    PoseUncertainty,
    Progress,
    RegisteredBody,
    SearchRange,
    confidence_in,
    groups,
    least,
    not_of_a_ct,
    register_rigid,
    within_its_size,
)
from xrayreg.render import Density, mr_density, render
from xrayreg.results import Outcome, software_json

from .bodies import Moved, MovedBody
from .networks import Network, Start, start_from

_PREVIEW_PX = 256


@dataclass(frozen=True)
class FoundView:
    """One view where it was found, and what is laid over its X-ray there.

    Attributes:
        rigid: (4, 4) camera_from_patient before bones were registered each by itself.
    """

    camera: Camera
    similarity: float
    uncertainty: PoseUncertainty
    layers: Layers
    rigid: np.ndarray | None = None


@dataclass(frozen=True)
class Found:
    """All views, in the session's order, and how far to trust them.

    Attributes:
        structures: the names of the labels in the views' outlines, and maybe of others.
        made: "software" and "timing_s" as in registration.json.
        notices: what the check of the inputs has to say.
        moved: the bones, if they were registered each by itself.
        plan: as it was made.
    """

    views: tuple[FoundView, ...]
    confidence: Confidence
    structures: dict[int, str]
    made: dict = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    moved: Moved | None = None
    plan: tuple[Markup, ...] = ()


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
    network: Network | None = None,
) -> Found:
    """Check the inputs, register and judge.

    Args:
        turn_deg, shift_mm: how far the starts may be off, each way and axis; both 0 only refine them.
        segmentation: whose structures are outlined, or None.
        markups: whose points are reprojected.
        report: called with every state; an exception it raises ends the work.
        modality: as in `density_of`.
        network: that gives the starts, and says how far they may be off.

    Raises:
        InputError: for the first problem that the check finds, as a beam that misses the volume; or if the
            network is unfit.
    """
    start = Start(xrays, _reach(volume, turn_deg, shift_mm))
    if network is not None:
        report(Moving("asking the network", 0.0, ()))
        start = start_from(network, xrays, volume)
    xrays = start.xrays
    report(Moving("checking the inputs", 0.0, ()))
    checked = check_inputs(replace(volume, kind=modality.lower()), xrays, segmentation, markups)
    raise_problems(checked)
    report(Moving("preparing the volume", 0.0, ()))
    started = time.perf_counter()
    density = density_of(volume, modality)
    prepared = time.perf_counter() - started
    labels = () if segmentation is None else tuple(segmentation.names)
    overlay = Overlay(segmentation, labels, markups)
    views, statements, refined = {}, [], 0.0
    for together in groups(xrays):
        started, watch = time.perf_counter(), _Watch(density, together, report)
        (rig,) = register_rigid(density, together, search=start.search, progress=watch)
        refined += time.perf_counter() - started
        statements.append(confidence_in(rig.evidence))
        for view in rig.views:
            report(Moving(f"drawing {view.name}", 1.0, ()))
            layers = layers_on(density, view.camera, overlay, rig.uncertainty.in_image)
            views[view.name] = FoundView(view.camera, view.similarity, rig.uncertainty, layers)
    confidence = least(statements)
    if modality == "MR":
        confidence = not_of_a_ct(confidence, "an MR")
    seconds = {"initialise": prepared, "refine": refined, "total": prepared + refined}
    made = {"software": software_json(density.values.device.type), "timing_s": seconds}
    in_order = tuple(views[xray.name] for xray in xrays)
    notices = (*start.notices, *warnings(checked))
    return Found(in_order, confidence, structures_of(overlay), made, notices, plan=markups)


def _reach(volume: Volume, turn_deg: float, shift_mm: float) -> SearchRange | None:
    if not (turn_deg or shift_mm):
        return None
    return within_its_size(SearchRange((turn_deg,) * 3, (shift_mm,) * 3), volume.grid)


def density_of(volume: Volume, modality: str) -> Density:
    """What X-rays see of a "CT", in HU, or of an "MR", whose bright tissue is taken as water."""
    return mr_density(volume) if modality == "MR" else Density.from_volume(volume)


def found_in(outcome: Outcome, layers: dict[str, Layers]) -> Found:
    """What the command line has found, as a registration in the module would hand it over.

    Args:
        layers: by view, what is laid over its X-ray.
    """
    views = [
        FoundView(view.camera, view.similarity, outcome.uncertainties[view.name], layers[view.name])
        for view in outcome.registration.views
    ]
    made = {"software": outcome.software, "timing_s": outcome.registration.seconds}
    structures, blend = structures_of(outcome.overlay), outcome.blend
    if blend is None:
        return Found(tuple(views), outcome.confidence, structures, made, plan=outcome.overlay.markups)
    moved = moved_of(outcome.articulated, blend, outcome.overlay.segmentation)
    plan = plan_at_rest(outcome.overlay, blend)
    return Found(tuple(views), outcome.confidence, structures, made, moved=moved, plan=plan)


def moved_of(found: Articulated, blend: Blend, segmentation: LabelMap) -> Moved:
    """Bodies as the scene keeps them."""
    bodies = tuple((_moved_body(body, segmentation), body.patient_from_rest) for body in found.bodies)
    return Moved(bodies, found.remainder, blend.displacements, blend.grid)


def _moved_body(found: RegisteredBody, segmentation: LabelMap) -> MovedBody:
    sure = found.uncertainty
    kept = {
        "covariance": sure.pose.covariance.tolist(),
        "seen": np.asarray(sure.seen).tolist(),
        "lead": found.lead,
        "support": float(found.support),
    }
    centre = tuple(float(x) for x in found.body.centre)
    told = (found.verdict, found.reasons, *how_far(found), float(sure.sigma_mm))
    segments = tuple(segmentation.name_of(label) for label in found.labels)
    return MovedBody(found.name, found.labels, segments, centre, *told, kept)


def structures_of(overlay: Overlay) -> dict[int, str]:
    """The names of what is outlined, by label."""
    return {label: overlay.segmentation.name_of(label) for label in overlay.labels}


class _Watch:
    """Turns the search's and refinement's steps into states with pictures, one picture per step at most."""

    def __init__(self, density: Density, xrays: list[Xray], report: Callable[[Moving], None]):
        self._density, self._xrays, self._report = density, xrays, report

    def __call__(self, state: Progress) -> None:
        drrs = []
        if state.images:
            for xray in self._xrays:
                camera = xray.camera.binned(xray.camera.binning_to(_PREVIEW_PX))
                camera = camera.moved(camera.camera_from_patient @ state.patient_motion)
                drrs.append((xray.name, render(self._density.matched(camera), camera).cpu().numpy(), camera))
        what = "refining" if state.images else "searching"
        text = f"{what}, level {state.level + 1} of {state.levels}: similarity {state.similarity:.2f}"
        self._report(Moving(text, state.level / state.levels, tuple(drrs)))
