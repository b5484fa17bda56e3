"""Levenberg-Marquardt for several start poses side by side.

D. Marquardt, 1963; K. Madsen et al., "Methods for non-linear least squares problems", 2004.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from .problem import Problem

_FIRST_DAMPING = 1e-3


@dataclass(frozen=True)
class Poses:
    """B poses under refinement, each at its best so far.

    Attributes:
        motions: (B, 4, 4) of the anatomy since the start.
        similarity: (B,)
        best: which has the highest.
        images: DRR of each view, [row, column], at the best pose.
    """

    motions: np.ndarray
    similarity: np.ndarray
    images: tuple[torch.Tensor, ...]

    @property
    def best(self) -> int:
        return int(np.argmax(self.similarity))


def levenberg_marquardt(
    problem: Problem, motions: np.ndarray, iterations: int, step_px: float
) -> Iterator[Poses]:
    """Yields the poses after each evaluation; all take their steps at once, so one render serves them.

    Args:
        motions: (B, 4, 4) starts.
        step_px: a pose rests when its next step would move the anatomy by less.
    """
    motions = np.array(motions)
    at = problem.at(motions)
    similarity, hessian, gradient = at.similarity, at.hessian, at.gradient
    best = int(np.argmax(similarity))
    images = tuple(image[best] for image in at.images)
    damping = np.full(len(motions), _FIRST_DAMPING)
    active = np.arange(len(motions))
    yield Poses(motions.copy(), similarity.copy(), images)
    for _ in range(iterations):
        twists = {n: _step(hessian[n], gradient[n], damping[n]) for n in active}
        active = np.array([n for n in active if problem.length_mm(twists[n]) >= step_px * problem.pixel_mm])
        if not len(active):
            return
        tried = np.stack([problem.moved(motions[n], twists[n]) for n in active])
        at = problem.at(tried)
        better = at.similarity > similarity[active]
        damping[active] = np.where(better, damping[active] / 4, np.maximum(damping[active], 1e-4) * 8)
        gained = active[better]
        motions[gained] = tried[better]
        similarity[gained] = at.similarity[better]
        hessian[gained], gradient[gained] = at.hessian[better], at.gradient[better]
        best = int(np.argmax(similarity))
        if best in gained:
            row = int(np.flatnonzero(active == best)[0])
            images = tuple(image[row] for image in at.images)
        yield Poses(motions.copy(), similarity.copy(), images)


def settled(states: Iterator[Poses]) -> Poses:
    """The last of the states."""
    return deque(states, maxlen=1)[0]


def _step(hessian: np.ndarray, gradient: np.ndarray, damping: float) -> np.ndarray:
    """Marquardt's scaling; the small floor keeps directions that no view can see from running away."""
    scale = np.diag(hessian) + 1e-9 * np.trace(hessian) + 1e-30
    return -np.linalg.solve(hessian + damping * np.diag(scale), gradient)
