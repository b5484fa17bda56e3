"""Bodies looked for one by one, or limb by limb, the others where they are."""

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
from .links import Link, beyond, held_against
from .problem import Problem
from .refine import different
from .rigid import rigs_of
from .search import SearchRange, candidate_motions
from .solver import levenberg_marquardt, settled
from .stages import Stage

_ALONE = (
    Level(64, (Term(True, 16),), poses=10, margin=0.3, iterations=10, step_px=0.2),
    Level(128, (Term(True, 16),), poses=5, margin=0.3, iterations=6, step_px=0.2),
)
SAME_MM = 4.0  # a place nearer than this is the same
_CLOSE = 5e-4  # of what a place is worth


@dataclass(frozen=True)
class Found:
    """After one body has been looked for.

    Attributes:
        body: its number.
        posture: of all, now.
        lead: how much more alike the images are than with the body at the best different place.
    """

    body: int
    posture: Posture
    similarity: float
    lead: float


def searched(
    problem: JointProblem,
    xrays: Sequence[Xray],
    posture: Posture,
    links: Sequence[Link],
    stage: Stage,
    skip: Collection[int],
) -> Iterator[Found]:
    """Each body is looked for, largest first, and goes where similarity and links gain most.

    First with all that hang on it, for a limb that is off as a whole comes nowhere bone by bone; then alone.
    The best places elsewhere are tried once more as its neighbours follow.
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
            worth = _worth(places, alike, links, stage)
            posture = places[int(np.argmax(worth))]
        for rival in _rivals(bodies[number], number, places, alike, worth):
            followed = _followed(problem, places[rival], number, links, stage)
            places, alike = [*places, followed], [*alike, problem.similarity(followed)]
            worth = np.append(worth, _worth(places[-1:], alike[-1:], links, stage))
        best = int(np.argmax(worth))
        posture = places[best]
        lead = _lead(bodies[number], [each.motions[number] for each in places], alike, best)
        yield Found(number, posture, alike[best], lead)


def _worth(
    places: Sequence[Posture], alike: Sequence[float], links: Sequence[Link], stage: Stage
) -> np.ndarray:
    """Of each place: how much alike, less what the links hold against it."""
    costs = [held_against(links, each.motions) for each in places]
    return np.array(alike) - stage.link_weight * np.array(costs)


def _rivals(
    body: Body, number: int, places: Sequence[Posture], alike: Sequence[float], worth: np.ndarray
) -> set[int]:
    """Which different places may be better than the best, if the neighbours follow.

    The one that is most alike, if links hold it back, and the one that is worth most, if little less.
    """
    best = int(np.argmax(worth))
    away = [
        n
        for n, each in enumerate(places)
        if apart_mm(body, each.motions[number], places[best].motions[number]) > SAME_MM
    ]
    alikest, worthiest = (max(away, key=lambda n: by[n], default=best) for by in (alike, worth))
    found = {alikest} if alike[alikest] > alike[best] else set()
    return found | ({worthiest} if worth[best] - _CLOSE < worth[worthiest] < worth[best] else set())


def _followed(
    problem: JointProblem, posture: Posture, number: int, links: Sequence[Link], stage: Stage
) -> Posture:
    """A body and its neighbours registered from a posture, all others where they are."""
    own = [link for link in links if number in (link.a, link.b)]
    free = sorted({number, *(end for link in own for end in (link.a, link.b))})
    touching = [link for link in links if link.a in free or link.b in free]
    few = problem.with_few_free(posture, free)
    level = stage.level
    *_, state = joint_levenberg_marquardt(
        few, posture, touching, stage.link_weight, level.iterations, level.step_px
    )
    return state.posture


def _lead(body: Body, places: Sequence[np.ndarray], alike: Sequence[float], best: int) -> float:
    """How much more alike the best of the places is than those that are elsewhere."""
    away = [apart_mm(body, each, places[best]) for each in places]
    others = [fit for fit, mm in zip(alike, away, strict=True) if mm > SAME_MM]
    return min((alike[best] - fit for fit in others), default=1.0)


def apart_mm(body: Body, one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square distance of a body at two motions, (4, 4) each."""
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
    beside = inverse(motion) @ posture.motions[sorted(ends - set(group))]
    tried, followed = candidate_motions(search, body.grid.centre_patient), beside
    for level in _ALONE:
        problem = Problem(body, seen, [np.eye(4)], level, behind=behind)
        best = different(problem, tried[np.argsort(-problem.similarity(tried))], level.poses)
        starts = np.concatenate([best, followed])
        state = settled(levenberg_marquardt(problem, starts, level.iterations, level.step_px))
        tried, followed = np.split(state.motions, [len(best)])
    result = []
    for found in [*state.motions, *beside]:
        motions = posture.motions.copy()
        motions[list(group)] = motion @ found @ inverse(motion) @ motions[list(group)]
        result.append(motions)
    return result


def _behind(
    parts: Parts, camera_from_patient: np.ndarray, motions: np.ndarray, group: Sequence[int]
) -> Callable[[Camera], object]:
    return lambda camera: composite(parts, camera.moved(camera_from_patient), motions, skip=group)
