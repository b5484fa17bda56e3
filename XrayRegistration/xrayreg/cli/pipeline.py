"""From inputs to result files: what `register` and `demo` have in common."""

import time
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

from ..articulate import Bodies, blend_of, moved_views, overlay_now, write_articulated
from ..images import Volume, Xray, sha256
from ..learn import TrainedNetwork
from ..overlays import Overlay, layers_of
from ..register import (
    NEAR,
    Confidence,
    Progress,
    RegisteredRig,
    RegisteredView,
    Registration,
    SearchRange,
    confidence_in,
    confidence_in_bodies,
    doubted,
    groups,
    least,
    not_of_a_ct,
    register_rigid,
)
from ..render import Density, density_of
from ..results import (
    Drawing,
    Outcome,
    deidentified,
    draw,
    software_json,
    write_overlay,
    write_registration,
    write_transform,
)
from .articulation import registered_bodies
from .attention import checked_attention
from .files import say

_SCENE_WRITERS = "xrayreg.scene_writer"
_NO_CT = {"mr": "an MR", "mr-inverted": "an MR, inverted", "vessels": "vessels alone"}


@dataclass(frozen=True)
class Inputs:
    """Everything that was read.

    Attributes:
        air_hu: the HU that counts as nothing.
        search: how far the start may be off.
        files: the "inputs" of registration.json: path and checksum of volume, xrays and segmentation.
        deidentify: write nothing of the files' names.
        network: that found the start poses, whose attention is then checked.
        bodies: that move each by itself, or None.
    """

    volume: Volume
    air_hu: float
    xrays: tuple[Xray, ...]
    overlay: Overlay
    files: dict
    search: SearchRange | None = NEAR
    deidentify: bool = False
    network: TrainedNetwork | None = None
    bodies: Bodies | None = None


def described(path: Path, shown_as: Path | None = None) -> dict:
    """A file in registration.json: where it lies (or will lie) and its checksum."""
    return {"path": str(shown_as or path), "sha256": sha256(path)}


@dataclass(frozen=True)
class Result:
    """What was found.

    Attributes:
        drawings: by view.
        density: the prepared volume, for more pictures.
    """

    outcome: Outcome
    drawings: dict[str, Drawing]
    density: Density


def register_and_write(inputs: Inputs, folder: Path) -> Result:
    """Register and write registration.json, overlays, transforms and the scene into ``folder``."""
    for note in inputs.volume.notes:
        say(f"{inputs.volume.name}: {note}")
    for xray in inputs.xrays:
        for note in xray.notes:
            say(f"{xray.name}: {note}")
    started = time.perf_counter()
    density = density_of(inputs.volume, inputs.air_hu)
    prepared = time.perf_counter()
    together = groups(inputs.xrays)
    for group in together:
        say(f"registering {' and '.join(xray.name for xray in group)}{' together' if len(group) > 1 else ''}")
    rigs = register_rigid(density, inputs.xrays, search=inputs.search, progress=_LevelReporter())
    done = time.perf_counter()
    seconds = {"initialise": prepared - started, "refine": done - prepared, "total": done - started}
    by_name = {view.name: view for rig in rigs for view in rig.views}
    views = tuple(by_name[xray.name] for xray in inputs.xrays)
    doubts = checked_attention(inputs.network, inputs.volume, views, folder)
    confidence, overlay, found, blend = _confidence(rigs, inputs.volume), inputs.overlay, None, None
    if inputs.bodies is not None:
        found = registered_bodies(inputs.bodies, inputs.volume, inputs.air_hu, views)
        views, confidence = moved_views(found, views), confidence_in_bodies(found)
        seconds["bodies"] = time.perf_counter() - done
        seconds["total"] += seconds["bodies"]
        say("blending the motions")
        blend = blend_of(inputs.bodies, found, inputs.volume.grid)
        for notice in blend.notices:
            say(notice)
        overlay = overlay_now(inputs.overlay, found, blend)
    outcome = Outcome(
        Registration(inputs.volume, views, seconds),
        doubted(confidence, doubts),
        {view.name: rig.uncertainty for rig in rigs for view in rig.views},
        overlay,
        inputs.files,
        software_json(density.values.device.type),
        articulated=found,
        blend=blend,
        joints=inputs.bodies.joints if inputs.bodies is not None else (),
    )
    if inputs.deidentify:
        outcome = deidentified(outcome)
    write_registration(folder, outcome)
    if inputs.bodies is not None:
        write_articulated(folder, inputs.bodies, outcome, inputs.air_hu)
    drawings = {}
    for view in outcome.registration.views:
        say(f"drawing {view.name}")
        write_transform(folder, view)
        drawings[view.name] = draw(outcome, view, density)
        write_overlay(folder, view, drawings[view.name])
    _write_scene(outcome, drawings, folder)
    return Result(outcome, drawings, density)


def _confidence(rigs: list[RegisteredRig], volume: Volume) -> Confidence:
    """Of the worst rig; less where the volume is no CT."""
    worst = least([confidence_in(rig.evidence) for rig in rigs])
    return worst if volume.kind == "ct" else not_of_a_ct(worst, _NO_CT[volume.kind])


class _LevelReporter:
    """One line of progress per level."""

    def __init__(self):
        self._last: Progress | None = None

    def __call__(self, state: Progress) -> None:
        if self._last is None or state.level != self._last.level:
            say(f"level {state.level + 1} of {state.levels}, {state.poses} pose(s)")
        self._last = state


def _write_scene(outcome: Outcome, drawings: dict[str, Drawing], folder: Path) -> None:
    """The Slicer scene, written by whoever answers to the entry point; the core knows no Slicer."""
    writer = next(iter(entry_points(group=_SCENE_WRITERS)), None)
    if writer is None:
        say("scene.mrb left out: no scene writer is installed - pip install 'xrayreg[scene]'")
        return
    say("writing the Slicer scene")
    views = tuple(_on_a_plane(view) for view in outcome.registration.views)
    layers = {
        view.name: layers_of(
            drawings[view.name].drr,
            drawings[view.name].borders,
            view.camera,
            outcome.overlay,
            outcome.noise(view.name).in_image,
        )
        for view in views
    }
    placed = replace(outcome, registration=replace(outcome.registration, views=views))
    try:
        notices = writer.load()(placed, folder, layers=layers)
    except ImportError as error:
        notices = [f"scene.mrb left out: {error}"]
    for notice in notices:
        say(notice)


def _on_a_plane(view: RegisteredView) -> RegisteredView:
    """The view with a distance to its detector: the X-ray has to lie somewhere in the scene.

    Calibrations such as MayaCam's give no distance. Any plane across the beam shows the same
    projection; the one twice as far from the source as the patient's origin is as right as any.
    """
    if view.camera.source_to_detector_mm is not None:
        return view
    distance_mm = 2.0 * float(np.linalg.norm(view.camera.camera_from_patient[:3, 3]))
    say(f"{view.name}: source-to-detector distance unknown, shown at {distance_mm:.0f} mm in the scene")
    return replace(
        view,
        xray=replace(view.xray, camera=replace(view.xray.camera, source_to_detector_mm=distance_mm)),
        camera=replace(view.camera, source_to_detector_mm=distance_mm),
    )
