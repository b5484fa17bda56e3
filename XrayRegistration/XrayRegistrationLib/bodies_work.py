"""What the job computes that registers bone by bone: core objects in, core objects out; nothing of the scene.

The door to torch: imported when a job starts, not with the module.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from xrayreg.articulate import Bodies, articulated, blend_of, overlay_now, require_ct, step_in_words
from xrayreg.errors import InputError
from xrayreg.images import LabelMap, Markup, Volume, Xray, resample_labels
from xrayreg.overlays import Overlay, layers_of, picture_camera
from xrayreg.register import (
    Articulated,
    JointProgress,
    PoseUncertainty,
    body_labels,
    confidence_in_bodies,
)
from xrayreg.results import BlendNoise, software_json

from .asking import Asked
from .work import Found, FoundView, Moving, moved_of, structures_of


@dataclass(frozen=True)
class Registered:
    """What was registered rigidly.

    Attributes:
        volume: its kind is "ct" or "mr".
        xrays: their cameras stand where they were found.
        covariances: (6, 6) of each.
        seconds: that it took, by stage.
    """

    volume: Volume
    xrays: Sequence[Xray]
    covariances: Sequence[np.ndarray]
    segmentation: LabelMap
    markups: tuple[Markup, ...]
    seconds: dict[str, float]


def register_bones(before: Registered, asked: Asked, report: Callable[[Moving], None]) -> Found:
    """Register the bones, blend their motions and draw all as it is now.

    Args:
        report: called with every state; an exception it raises ends the work.

    Raises:
        InputError: for bodies that are not there or unfit.
    """
    volume, started = before.volume, time.perf_counter()
    require_ct(volume)
    report(Moving("taking the volume apart", 0.0, ()))
    bodies = bodies_asked(asked, before.segmentation, volume)

    def watch(state: JointProgress) -> None:
        text = f"{step_in_words(state)}: similarity {state.similarity:.2f}"
        report(Moving(text, state.stage / state.stages, ()))

    found = articulated(bodies, volume, before.xrays, progress=watch)
    blending = "blending the motions"
    report(Moving(blending, 0.0, ()))
    blend = blend_of(bodies, found, volume.grid, lambda part: report(Moving(blending, part, ())))
    overlay = overlay_now(Overlay(before.segmentation, (), before.markups), found, blend)
    views = []
    for number, xray in enumerate(before.xrays):
        report(Moving(f"drawing {xray.name}", 1.0, ()))
        views.append(_view(before, found, overlay, BlendNoise(found, blend), number))
    taken = time.perf_counter() - started
    seconds = {**before.seconds, "bodies": taken}
    seconds["total"] = sum(seconds.values())
    device = found.parts.bodies[0].whole.values.device.type
    made = {"software": software_json(device), "timing_s": seconds}
    return Found(
        tuple(views),
        confidence_in_bodies(found),
        structures_of(overlay),
        made,
        blend.notices,
        moved_of(found, blend, before.segmentation),
        before.markups,
    )


def bodies_asked(asked: Asked, segmentation: LabelMap, volume: Volume) -> Bodies:
    """The bodies that a session asks for.

    Raises:
        InputError: for joined segments that are not there, or if nothing is to move, or what is at rest is
            no body.
    """
    joined = body_labels(segmentation, asked.joined) if asked.joined.strip() else {}
    held = {label for labels in joined.values() for label in labels}
    alone = {
        label: name
        for label, name in segmentation.names.items()
        if name not in asked.still and label not in held
    }
    labels = {name: (label,) for label, name in alone.items()} | joined
    if len(labels) < len(alone) + len(joined):
        raise InputError("two of the bodies have the same name", where="bodies", remedy="rename a segment")
    if not labels:
        raise InputError("no bone is ticked", where="bodies", remedy="tick those that may have moved")
    reference = None
    if asked.at_rest:
        numbers = {label for label, name in segmentation.names.items() if name == asked.at_rest}
        reference = next((name for name, own in labels.items() if numbers & {*own}), None)
        if reference is None:
            remedy = "tick it, or choose another"
            raise InputError("what is at rest is not among the bodies", where=asked.at_rest, remedy=remedy)
    return Bodies(resample_labels(segmentation, volume.grid), labels, reference, asked.linked)


def _view(
    before: Registered, found: Articulated, overlay: Overlay, noise: BlendNoise, number: int
) -> FoundView:
    camera, uncertainty = found.cameras[number], PoseUncertainty(before.covariances[number])
    shown = picture_camera(camera)
    drr = found.drr(shown).cpu().numpy().astype(np.float32)
    layers = layers_of(drr, overlay.borders(shown), camera, overlay, noise.in_image)
    rigid = before.xrays[number].camera.camera_from_patient
    return FoundView(camera, float(found.similarities[number]), uncertainty, layers, rigid)
