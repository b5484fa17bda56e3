"""Polyrigid registration: every body its own motion, all of them together, coarse to fine.

Bodies do not bend, and line integrals add: the X-ray is the sum of the bodies' DRRs and of what lies around
them. All views and bodies make one least-squares problem, of which no more has to be computed than the
products of the bodies' derivatives where they overlap in the image.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry import Camera, apply, inverse
from ..images import Xray
from ..similarity import Term
from .bodies import Body, Parts
from .joint_problem import JointProblem, Posture, composite
from .joint_solver import State, joint_levenberg_marquardt
from .levels import Level
from .links import Link, cost_of
from .problem import Problem
from .rigid import groups
from .search import SearchRange, candidate_motions
from .solver import levenberg_marquardt, settled

_GRADIENT = (Term(True, 24),)
_BOTH = (Term(False, 24), Term(True, 24))

_ALONE = Level(64, (Term(True, 16),), poses=10, margin=0.3, iterations=10, step_px=0.2)
_AROUND = SearchRange((12.0,) * 3, (20.0,) * 3, candidates=512)
_JUDGED = 4  # places found for a body that are tried among the others
_SAME_MM = 4.0  # a place nearer than this is the same


@dataclass(frozen=True)
class Stage:
    """One of the steps from nearly rigid to free.

    Attributes:
        level: what is compared; of ``poses`` there is one.
        link_weight: of half a squared standard deviation of a link, against the mean similarity.
        search: how far from where this stage leaves it each body is searched for by itself; None does not.
    """

    level: Level
    link_weight: float
    search: SearchRange | None = None


_COARSE = Level(96, _GRADIENT, poses=1, margin=0.05, iterations=12, step_px=0.2)
_MIDDLE = Level(192, _GRADIENT, poses=1, margin=0.05, iterations=12, step_px=0.05)
_FINE = Level(384, _BOTH, poses=1, margin=0.05, iterations=10, step_px=0.02)

# First neighbours hardly part, and all go where most of them are; then each finds its own place.
STAGES = (
    Stage(_COARSE, 3e-2),
    Stage(_COARSE, 3e-3),
    Stage(_MIDDLE, 1e-3, _AROUND),
    Stage(_MIDDLE, 5e-4, _AROUND),
    Stage(_FINE, 2e-4),
)


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

    At each stage all bodies move; where it asks for a search each is then looked for by itself, the others
    where they are, largest first, and all move again. Stop iterating to cancel; nothing is changed in place.

    Args:
        xrays: their cameras hold the start poses of the patient as a whole.
        start: where the bodies are about; of as many rigs as the X-rays have.
        stages: from nearly rigid to free, from coarse to fine.

    Raises:
        InputError: if no body projects into an X-ray.
    """
    rig_of, posture, leads = rigs_of(xrays), start, {}

    def progress(number: int, state: State, body: int | None = None) -> JointProgress:
        alike = state.evaluation.similarity
        return JointProgress(number, len(stages), body, alike, state.posture, dict(leads))

    for number, stage in enumerate(stages):
        problem = JointProblem(parts, xrays, rig_of, posture, stage.level)
        for state in _moved(problem, posture, links, stage):
            yield progress(number, state)
        posture = state.posture
        if stage.search is None:
            continue
        for body, found, lead in _searched(problem, xrays, state, links, stage):
            leads[body], posture = lead, found.posture
            yield progress(number, found, body)
        if posture is not state.posture:
            for again in _moved(problem, posture, links, stage):
                yield progress(number, again)
            posture = again.posture


def _moved(problem: JointProblem, posture: Posture, links: Sequence[Link], stage: Stage) -> Iterator[State]:
    level = stage.level
    return joint_levenberg_marquardt(
        problem, posture, links, stage.link_weight, level.iterations, level.step_px
    )


def rigs_of(xrays: Sequence[Xray]) -> list[int]:
    """The number of each X-ray's rig, in the order of their first views."""
    together = groups(xrays)
    rig_of = {id(xray): number for number, group in enumerate(together) for xray in group}
    return [rig_of[id(xray)] for xray in xrays]


def _searched(
    problem: JointProblem, xrays: Sequence[Xray], state: State, links: Sequence[Link], stage: Stage
) -> Iterator[tuple[int, State, float]]:
    """The state after each body has been looked for by itself, largest first; it goes where all gain.

    And the body's lead.
    """
    parts = problem.parts
    sizes = [sum(float(piece.values.sum()) for piece in body.pieces) for body in parts.bodies]
    for number in np.argsort(sizes)[::-1].tolist():
        similarity = problem.with_one_elsewhere(state.posture, number)
        found = _elsewhere(parts, xrays, state.posture, number, links, stage.search)
        places = [state.posture.motions[number], *found]
        alike = [similarity(motion) for motion in places]
        for motion, fit in zip(found, alike[1:], strict=True):
            motions = state.posture.motions.copy()
            motions[number] = motion
            posture = replace(state.posture, motions=motions)
            cost = cost_of(links, posture, problem.centres(posture)).value
            if (objective := fit - stage.link_weight * cost) > state.objective:
                state = replace(state, posture=posture, objective=objective)
        yield number, state, _lead(parts.bodies[number], state.posture.motions[number], places, alike)


def _lead(body: Body, here: np.ndarray, places: Sequence[np.ndarray], alike: Sequence[float]) -> float:
    """Of ``here``, which is one of the places."""
    points = apply(here, body.points)
    away = [float(np.sqrt(((apply(each, body.points) - points) ** 2).sum(axis=1).mean())) for each in places]
    mine = alike[int(np.argmin(away))]
    return min((mine - fit for fit, mm in zip(alike, away, strict=True) if mm > _SAME_MM), default=1.0)


def _elsewhere(
    parts: Parts,
    xrays: Sequence[Xray],
    posture: Posture,
    number: int,
    links: Sequence[Link],
    search: SearchRange,
) -> list[np.ndarray]:
    """Where a body may be: (4, 4) motions found by registering it alone, the others where they are.

    Poses spread around where it is, and those to which its neighbours' motions would bring it, are compared
    as they are: line integrals add, so that what overlaps the body does not draw it away.
    """
    motion, body = posture.motions[number], parts.bodies[number].whole
    seen, behind = [], []
    for xray, rig in zip(xrays, rigs_of(xrays), strict=True):
        whole = xray.camera.camera_from_patient @ posture.rigs[rig]
        seen.append(replace(xray, camera=xray.camera.moved(whole @ motion)))
        behind.append(_behind(parts, whole, posture.motions, number))
    beside = {link.b if link.a == number else link.a for link in links if number in (link.a, link.b)}
    tried = np.concatenate(
        [
            candidate_motions(search, body.grid.centre_patient),
            *(inverse(motion)[None] @ posture.motions[each][None] for each in sorted(beside)),
        ]
    )
    problem = Problem(body, seen, [np.eye(4)], _ALONE, behind=behind)
    best = np.argsort(-problem.similarity(tried))[: _ALONE.poses]
    state = settled(levenberg_marquardt(problem, tried[best], _ALONE.iterations, _ALONE.step_px))
    return [motion @ found for found in state.motions[np.argsort(-state.similarity)[:_JUDGED]]]


def _behind(
    parts: Parts, camera_from_patient: np.ndarray, motions: np.ndarray, number: int
) -> Callable[[Camera], object]:
    return lambda camera: composite(parts, camera.moved(camera_from_patient), motions, skip=number)
