"""Polyrigid registration: every body its own motion, all of them together, coarse to fine.

Bodies do not bend, and line integrals add: the X-ray is the sum of the bodies' DRRs and of what lies around
them. All views and bodies make one least-squares problem, of which no more has to be computed than the
products of the bodies' derivatives where they overlap in the image.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry import Camera, apply, inverse
from ..images import Xray
from ..similarity import Term
from .bodies import Body, Parts, together
from .joint_problem import JointProblem, Posture, composite
from .joint_solver import joint_levenberg_marquardt
from .levels import Level
from .links import Link, beyond, cost_of
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
        tissue: whether soft tissue moves too; else it stays where an earlier stage left it.
    """

    level: Level
    link_weight: float
    search: SearchRange | None = None
    tissue: bool = False


_COARSE = Level(96, _GRADIENT, poses=1, margin=0.05, iterations=30, step_px=0.2)
_MIDDLE = Level(192, _GRADIENT, poses=1, margin=0.05, iterations=12, step_px=0.05)
_FINE = Level(384, _BOTH, poses=1, margin=0.05, iterations=15, step_px=0.02)

# First neighbours hardly part, and all go where most of them are; then each finds its own place.
STAGES = (
    Stage(_COARSE, 3e-2),
    Stage(_COARSE, 3e-3, tissue=True),
    Stage(_MIDDLE, 2e-4, _AROUND, tissue=True),
    Stage(_MIDDLE, 1e-4, _AROUND, tissue=True),
    Stage(_FINE, 1e-4),
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
    rig_of, posture, leads, places = rigs_of(xrays), start, {}, {}
    if parts.tissue is not None and not len(posture.shifts):
        posture = replace(posture, shifts=np.zeros((len(parts.tissue), 3)))

    for number, stage in enumerate(stages):
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
            if leads[body] == 1 and _apart_mm(parts.bodies[body], place, posture.motions[body]) < _SAME_MM
        ]
        for found in _searched(problem, xrays, posture, links, stage, sure):
            leads[found.body], posture = found.lead, found.posture
            places[found.body] = posture.motions[found.body]
            yield JointProgress(number, len(stages), found.body, found.similarity, posture, dict(leads))
        for alike, moved in _moved(problem, posture, links, stage):
            yield JointProgress(number, len(stages), None, alike, moved, dict(leads))
        posture = moved


def _moved(
    problem: JointProblem, posture: Posture, links: Sequence[Link], stage: Stage
) -> Iterator[tuple[float, Posture]]:
    """Similarity and posture after each step."""
    level = stage.level
    states = joint_levenberg_marquardt(
        problem, posture, links, stage.link_weight, level.iterations, level.step_px
    )
    return ((state.evaluation.similarity, state.posture) for state in states)


def rigs_of(xrays: Sequence[Xray]) -> list[int]:
    """The number of each X-ray's rig, in the order of their first views."""
    together = groups(xrays)
    rig_of = {id(xray): number for number, group in enumerate(together) for xray in group}
    return [rig_of[id(xray)] for xray in xrays]


@dataclass(frozen=True)
class _Found:
    """After one body has been looked for."""

    body: int
    posture: Posture
    similarity: float
    lead: float


def _searched(
    problem: JointProblem,
    xrays: Sequence[Xray],
    posture: Posture,
    links: Sequence[Link],
    stage: Stage,
    skip: Collection[int],
) -> Iterator[_Found]:
    """Each body is looked for, largest first, and goes where similarity and links gain most.

    First with all that hang on it, for a limb that is off as a whole comes nowhere bone by bone; then alone.
    If the best place elsewhere is held back by its links, it is tried once more as its neighbours follow.
    """
    bodies = problem.parts.bodies
    sizes = [sum(float(piece.values.sum()) for piece in body.pieces) for body in bodies]
    for number in [each for each in np.argsort(sizes)[::-1].tolist() if each not in skip]:
        hanging = beyond(links, len(bodies), number)
        for group in [(number, *hanging), (number,)] if hanging else [(number,)]:
            similarity = problem.with_some_elsewhere(posture, group)
            found = _elsewhere(problem.parts, xrays, posture, group, links, stage.search)
            places = [posture, *(replace(posture, motions=motions) for motions in found)]
            alike = [similarity(each.motions) for each in places]
            posture = places[_best(places, alike, problem, links, stage)]
        away = [_apart_mm(bodies[number], each.motions[number], posture.motions[number]) for each in places]
        other = int(np.argmax([fit if mm > _SAME_MM else -1 for fit, mm in zip(alike, away, strict=True)]))
        if away[other] > _SAME_MM and alike[other] > similarity(posture.motions):
            followed = _followed(problem, places[other], number, links, stage)
            places, alike = [*places, followed], [*alike, problem.similarity(followed)]
            posture = places[_best(places, alike, problem, links, stage)]
        best = next(n for n, each in enumerate(places) if each is posture)
        lead = _lead(bodies[number], [each.motions[number] for each in places], alike, best)
        yield _Found(number, posture, alike[best], lead)


def _best(
    places: Sequence[Posture],
    alike: Sequence[float],
    problem: JointProblem,
    links: Sequence[Link],
    stage: Stage,
) -> int:
    costs = [cost_of(links, each, problem.centres(each)).value for each in places]
    return int(np.argmax(np.array(alike) - stage.link_weight * np.array(costs)))


def _followed(
    problem: JointProblem, posture: Posture, number: int, links: Sequence[Link], stage: Stage
) -> Posture:
    """A body and its neighbours registered from a posture, all others where they are."""
    own = [link for link in links if number in (link.a, link.b)]
    free = sorted({number, *(end for link in own for end in (link.a, link.b))})
    touching = [link for link in links if link.a in free or link.b in free]
    few = problem.with_few_free(posture, free)
    *_, (_, result) = _moved(few, posture, touching, stage)
    return result


def _lead(body: Body, places: Sequence[np.ndarray], alike: Sequence[float], best: int) -> float:
    """How much more alike the best of the places is than those that are elsewhere."""
    away = [_apart_mm(body, each, places[best]) for each in places]
    others = [fit for fit, mm in zip(alike, away, strict=True) if mm > _SAME_MM]
    return min((alike[best] - fit for fit in others), default=1.0)


def _apart_mm(body: Body, one: np.ndarray, other: np.ndarray) -> float:
    away = apply(one, body.points) - apply(other, body.points)
    return float(np.sqrt((away**2).sum(axis=1).mean()))


def _elsewhere(
    parts: Parts,
    xrays: Sequence[Xray],
    posture: Posture,
    group: Sequence[int],
    links: Sequence[Link],
    search: SearchRange,
) -> list[np.ndarray]:
    """(K, 4, 4) motions with a group of bodies where it may be, registered as one, the others where they are.

    Poses spread around where it is, and those to which its neighbours' motions would bring it, are compared
    as they are: line integrals add, so that what overlaps the body does not draw it away.
    """
    motion = posture.motions[group[0]]
    bodies = [parts.bodies[number] for number in group]
    body = bodies[0].whole if len(group) == 1 else together(bodies, posture.motions[list(group)])
    seen, behind = [], []
    for xray, rig in zip(xrays, rigs_of(xrays), strict=True):
        whole = xray.camera.camera_from_patient @ posture.rigs[rig]
        seen.append(replace(xray, camera=xray.camera.moved(whole @ motion)))
        behind.append(_behind(parts, whole, posture.motions, group))
    ends = {end for link in links for end in (link.a, link.b) if {link.a, link.b} & set(group)}
    tried = np.concatenate(
        [
            candidate_motions(search, body.grid.centre_patient),
            *(inverse(motion)[None] @ posture.motions[each][None] for each in sorted(ends - set(group))),
        ]
    )
    problem = Problem(body, seen, [np.eye(4)], _ALONE, behind=behind)
    best = np.argsort(-problem.similarity(tried))[: _ALONE.poses]
    state = settled(levenberg_marquardt(problem, tried[best], _ALONE.iterations, _ALONE.step_px))
    result = []
    for found in state.motions[np.argsort(-state.similarity)[:_JUDGED]]:
        motions = posture.motions.copy()
        motions[list(group)] = motion @ found @ inverse(motion) @ motions[list(group)]
        result.append(motions)
    return result


def _behind(
    parts: Parts, camera_from_patient: np.ndarray, motions: np.ndarray, group: Sequence[int]
) -> Callable[[Camera], object]:
    return lambda camera: composite(parts, camera.moved(camera_from_patient), motions, skip=group)
