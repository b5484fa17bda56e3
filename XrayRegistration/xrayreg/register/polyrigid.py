"""Polyrigid registration: every body its own motion, all of them together, coarse to fine.

Bodies do not bend, and line integrals add: the X-ray is the sum of the bodies' DRRs and of what lies around
them. All views and bodies make one least-squares problem, of which no more has to be computed than the
products of the bodies' derivatives where they overlap in the image.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry import translation
from ..images import Xray
from .bodies import Parts
from .body_search import SAME_MM, apart_mm, searched
from .joint_problem import JointProblem, Posture
from .joint_solver import joint_levenberg_marquardt
from .links import Link
from .rigid import rigs_of
from .stages import STAGES, Stage

_BESIDE_STEPS = 12


@dataclass(frozen=True)
class JointProgress:
    """The state after a step.

    Attributes:
        stage, stages: which, from 0, of how many.
        body: the number of the body that was looked for by itself, or None while all move.
        similarity: mean over views.
        leads: by body, how much more alike the image is than with the body at the best different place that
            was found for it; of those that were looked for in this stage or the last that did.
    """

    stage: int
    stages: int
    body: int | None
    similarity: float
    posture: Posture
    leads: dict[int, float]


def refine_bodies(
    parts: Parts,
    xrays: Sequence[Xray],
    start: Posture,
    links: Sequence[Link] = (),
    stages: Sequence[Stage] = STAGES,
) -> Iterator[JointProgress]:
    """Register all bodies in all views; yields after each step, the last state is the result.

    At each stage all bodies move; where it asks for a search each is then looked for, the others where they
    are, and all move again. Stop iterating to cancel; nothing is changed in place.

    Args:
        xrays: their cameras hold the start poses of the patient as a whole.
        start: where the bodies are about; of as many rigs as the X-rays have.
        stages: from nearly rigid to free, from coarse to fine.

    Raises:
        InputError: if no body projects into an X-ray.
    """
    rig_of, posture, leads, places = rigs_of(xrays), start, {}, {}
    if parts.tissue is not None and not len(posture.shifts):
        posture = replace(posture, shifts=np.zeros((len(parts.tissue), 3)))
    for number, stage in enumerate(stages):
        for alike, begun in _begun(parts, xrays, posture, links, stage):
            yield JointProgress(number, len(stages), None, alike, begun, dict(leads))
            posture = begun
        problem = JointProblem(parts, xrays, rig_of, posture, stage.level, stage.tissue)
        for alike, moved in _moved(problem, posture, links, stage):
            yield JointProgress(number, len(stages), None, alike, moved, dict(leads))
        posture = moved
        if stage.search is None:
            continue
        problem = JointProblem(parts, xrays, rig_of, posture, stage.level, stage.tissue)
        # What had no other place when it was looked for, and is still there, is not looked for again.
        sure = [
            body
            for body, place in places.items()
            if leads[body] == 1 and apart_mm(parts.bodies[body], place, posture.motions[body]) < SAME_MM
        ]
        for found in searched(problem, xrays, posture, links, stage, sure):
            leads[found.body], posture = found.lead, found.posture
            places[found.body] = posture.motions[found.body]
            yield JointProgress(number, len(stages), found.body, found.similarity, posture, dict(leads))
        for alike, moved in _moved(problem, posture, links, stage):
            yield JointProgress(number, len(stages), None, alike, moved, dict(leads))
        posture = moved


def _begun(
    parts: Parts, xrays: Sequence[Xray], posture: Posture, links: Sequence[Link], stage: Stage
) -> Iterator[tuple[float, Posture]]:
    """Similarity and posture after each step from each of the places to begin at; the last is the best.

    A spine that lies half a vertebra off would else go to the wrong one as a whole.
    """
    if not stage.beside_mm:
        return
    sides = stage.beside_mm * np.array([[0, 0, 0], [0, 1, 0], [0, -1, 0], [1, 0, 0], [-1, 0, 0]])
    ends = []
    for shift in sides @ xrays[0].camera.camera_from_patient[:3, :3]:
        shifted = replace(posture, motions=translation(shift) @ posture.motions)
        problem = JointProblem(parts, xrays, rigs_of(xrays), shifted, stage.level)
        states = joint_levenberg_marquardt(
            problem, shifted, links, stage.link_weight, _BESIDE_STEPS, stage.level.step_px
        )
        for state in states:
            yield state.evaluation.similarity, state.posture
        ends.append(state)
    best = max(ends, key=lambda state: state.objective)
    yield best.evaluation.similarity, best.posture


def _moved(
    problem: JointProblem, posture: Posture, links: Sequence[Link], stage: Stage
) -> Iterator[tuple[float, Posture]]:
    """Similarity and posture after each step."""
    level = stage.level
    states = joint_levenberg_marquardt(
        problem, posture, links, stage.link_weight, level.iterations, level.step_px
    )
    return ((state.evaluation.similarity, state.posture) for state in states)
