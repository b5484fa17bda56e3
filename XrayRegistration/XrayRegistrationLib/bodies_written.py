"""Bones that have moved, from what the scene keeps of them to what the command line writes of them.

The door to torch: imported when a job starts, not with the module.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from xrayreg.articulate import Bodies, blend_of, overlay_now
from xrayreg.errors import InputError
from xrayreg.images import Volume, resample_labels
from xrayreg.register import (
    Articulated,
    Body,
    BodyUncertainty,
    PoseUncertainty,
    RegisteredBody,
    taken_apart,
)
from xrayreg.results import Outcome

if TYPE_CHECKING:
    from .bodies import MovedBody
    from .exporting import Taken, TakenBodies


def bodies_taken(taken: Taken, volume: Volume) -> Bodies:
    """What moved.

    Raises:
        InputError: if a bone is not among the segments any more.
    """
    label_of = (
        {} if taken.segmentation is None else {n: label for label, n in taken.segmentation.names.items()}
    )
    labels = {}
    for body in taken.bodies.bodies:
        gone = [name for name in body.segments if name not in label_of]
        if gone:
            remedy = "show it under its name, or register the bones again"
            raise InputError("this bone is not in the segmentation any more", where=gone[0], remedy=remedy)
        labels[body.name] = tuple(label_of[name] for name in body.segments)
    return Bodies(resample_labels(taken.segmentation, volume.grid), labels)


def articulated(
    outcome: Outcome, taken: TakenBodies, bodies: Bodies, report: Callable[[str], None]
) -> Outcome:
    """The outcome of a registration as a whole, with its bones where they are.

    Args:
        report: called with each step; an exception it raises ends the work.
    """
    report("taking the volume apart")
    views, volume = outcome.registration.views, outcome.registration.volume
    parts = taken_apart(volume, bodies.segmentation, bodies.labels)
    each = zip(taken.bodies, parts.bodies, taken.motions, strict=True)
    found = Articulated(
        tuple(_registered(*one) for one in each),
        parts,
        taken.remainder,
        tuple(view.camera for view in views),
        np.array([view.similarity for view in views]),
    )
    blend = blend_of(bodies, found, volume.grid, lambda part: report("blending the motions"))
    overlay = overlay_now(outcome.overlay, found, blend)
    return replace(outcome, articulated=found, blend=blend, overlay=overlay)


def _registered(kept: MovedBody, body: Body, motion: np.ndarray) -> RegisteredBody:
    told = kept.kept
    pose = PoseUncertainty(np.array(told["covariance"]))
    uncertainty = BodyUncertainty(pose, kept.sigma_mm, np.array(told["seen"]))
    return RegisteredBody(body, motion, uncertainty, told["lead"], told["support"])
