"""Rigid registration: search around the start, then refinement coarse to fine, of all views of a rig at once.

Views registered together keep their relative geometry (a biplane system, or one C-arm whose angles
are known), so one motion of the patient is sought: ``camera_from_patient = start @ motion``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..images import Xray
from ..render import Density
from ..similarity import Term
from .levels import Level
from .problem import Behind, Problem
from .search import SearchRange, candidate_motions, shifted, without_visible_shift
from .solver import Poses, levenberg_marquardt

NEAR = SearchRange((25.0,) * 3, (60.0,) * 3)
FAR = SearchRange((45.0,) * 3, (100.0,) * 3, candidates=1024)

_GRADIENT = (Term(True, 24),)
_BOTH = (Term(False, 24), Term(True, 24))

# The coarse levels compare gradients alone: where the volume holds one bone, the brightness around
# it in the X-ray is that of tissue which the DRR does not have.
DEFAULT_LEVELS = (
    Level(48, _GRADIENT, poses=24, margin=0.1, iterations=10, step_px=0.2),
    Level(80, _GRADIENT, poses=10, margin=0.25, iterations=10, step_px=0.1),
    Level(128, _BOTH, poses=3, margin=0.15, iterations=10, step_px=0.05),
    Level(256, _BOTH, poses=1, margin=0.1, iterations=8, step_px=0.02),
)
_SEARCH = Level(0, (Term(True, None),), poses=1, margin=0.1, iterations=0, step_px=0.0)
_SCORED = 6  # candidates compared at the first level for each that is refined there
_TRIED_AT_ONCE = 64
_SAME_PX = 0.5  # poses this near to a better one are left out


@dataclass(frozen=True)
class Progress:
    """The state after a step.

    Attributes:
        level, levels: which rung, from 0, of how many; the search counts to the first.
        poses: how many are at work.
        iteration: within the level; 0 while candidates are scored.
        similarity: of the best pose, mean over views; rises within a level.
        patient_motion: (4, 4) best motion of the anatomy since the start, patient frame, mm; best so far
            at this level.
        images: DRR of each view at that pose, cropped and averaged as the level compares; none while
            candidates are scored.
    """

    level: int
    levels: int
    poses: int
    iteration: int
    similarity: float
    patient_motion: np.ndarray
    images: tuple[torch.Tensor, ...] = ()


def refine(
    density: Density,
    xrays: Sequence[Xray],
    levels: tuple[Level, ...] = DEFAULT_LEVELS,
    search: SearchRange | None = NEAR,
    weights: Sequence[float] | None = None,
    behind: Sequence[Behind] | None = None,
) -> Iterator[Progress]:
    """Register views that move together; yields after each step, the last state is the result.

    Candidates spread over the range of the search are turned and moved along the beam at random, and
    shifted across it to where they fit best; the start itself is one of them. The most similar are refined
    at the coarsest level, and each level hands its best on to the next. Stop iterating to cancel; nothing
    is changed in place.

    Args:
        density: the volume.
        xrays: their cameras hold the start poses.
        levels: coarse to fine.
        search: how far the start may be off; None refines it as it is, as for the next image of a sequence.
        weights: of the views; equal if None.
        behind: what else is in the images; see `Problem`.

    Raises:
        InputError: if the volume does not project into an X-ray.
    """
    motions = np.eye(4)[None]
    if search is not None:
        motions = candidate_motions(search, density.grid.centre_patient)
    for number, level in enumerate(levels):
        problem = Problem(density, xrays, motions, level, weights, behind)
        if number == 0 and search is not None:
            coarse = Problem(density, xrays, motions, replace(_SEARCH, pixels=search.pixels), weights, behind)
            margin_mm = max(search.translation_mm)
            for best, fit in _best_fitting(coarse, motions, _SCORED * level.poses, margin_mm):
                yield Progress(0, len(levels), len(best), 0, fit, best[min(1, len(best) - 1)])
            motions = different(problem, best[np.argsort(-problem.similarity(best))], level.poses)
        starts = motions[: level.poses]
        states = levenberg_marquardt(problem, starts, level.iterations, level.step_px)
        for iteration, state in enumerate(states):
            yield _progress(number, len(levels), iteration, state)
        motions = different(problem, state.motions[np.argsort(-state.similarity)], len(starts))


def _progress(level: int, levels: int, iteration: int, state: Poses) -> Progress:
    best = state.best
    return Progress(
        level,
        levels,
        len(state.motions),
        iteration,
        float(state.similarity[best]),
        state.motions[best],
        state.images,
    )


def _best_fitting(
    problem: Problem, motions: np.ndarray, count: int, margin_mm: float
) -> Iterator[tuple[np.ndarray, float]]:
    """Yields while candidates are tried: the start, the best so far, at most ``count``, and the best fit."""
    start, turned = motions[:1], without_visible_shift(problem, motions)
    kept, fits = np.empty((0, 4, 4)), np.empty(0)
    for first in range(0, len(turned), _TRIED_AT_ONCE):
        tried, fit = shifted(problem, turned[first : first + _TRIED_AT_ONCE], margin_mm)
        kept, fits = np.concatenate([kept, tried]), np.append(fits, fit)
        order = np.argsort(-fits)[: count - 1]
        kept, fits = kept[order], fits[order]
        yield np.concatenate([start, kept]), float(fits[0] / len(problem.views)) if len(fits) else 0.0


def different(problem: Problem, motions: np.ndarray, count: int) -> np.ndarray:
    """Of motions (n, 4, 4), best first, those unlike any better one, at most ``count``."""
    kept = []
    while len(motions) and len(kept) < count:
        kept.append(motions[0])
        motions = motions[problem.distances_mm(motions[0], motions) > _SAME_PX * problem.pixel_mm]
    return np.stack(kept)
