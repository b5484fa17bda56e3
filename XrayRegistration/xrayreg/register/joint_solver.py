"""Levenberg-Marquardt for all bodies together; as `solver.py`, one posture at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .joint_problem import JointEvaluation, JointProblem, Posture
from .links import Cost, Link, cost_of

_FIRST_DAMPING = 1e-3
_UNSEEN = 1e-7  # of the mean curvature: keeps what no view sees where it is
_LONGEST_PX = 3.0  # no body goes farther in one step


@dataclass(frozen=True)
class State:
    """The best so far.

    Attributes:
        objective: the similarity, less what the links hold against the posture.
    """

    posture: Posture
    evaluation: JointEvaluation
    objective: float


def joint_levenberg_marquardt(
    problem: JointProblem,
    posture: Posture,
    links: Sequence[Link],
    weight: float,
    iterations: int,
    step_px: float,
) -> Iterator[State]:
    """Yields the best posture after each evaluation.

    Args:
        weight: of the links' cost against the similarity.
        step_px: it rests when the next step would move no body by more than this.
    """
    state, cost = _state(problem, posture, links, weight)
    damping = _FIRST_DAMPING
    yield state
    for _ in range(iterations):
        step = _step(problem, state, cost, weight, damping)
        if _lengths_mm(problem, step).max() < step_px * problem.pixel_mm:
            return
        tried, its_cost = _state(
            problem, state.posture.stepped(problem.centres(state.posture), step), links, weight
        )
        if tried.objective > state.objective:
            state, cost, damping = tried, its_cost, damping / 4
        else:
            damping = max(damping, 1e-4) * 8
        yield state


def _state(
    problem: JointProblem, posture: Posture, links: Sequence[Link], weight: float
) -> tuple[State, Cost]:
    evaluation, cost = problem.at(posture), cost_of(links, posture, problem.centres(posture))
    return State(posture, evaluation, evaluation.similarity - weight * cost.value), cost


def _step(problem: JointProblem, state: State, cost: Cost, weight: float, damping: float) -> np.ndarray:
    """(K + R - 1, 6) twists."""
    hessian, gradient = state.evaluation.hessian.copy(), state.evaluation.gradient.copy()
    bodies = len(cost.gradient)
    hessian[:bodies, :bodies] += weight * cost.hessian
    gradient[:bodies] += weight * cost.gradient
    diagonal = np.diag(hessian)
    # Turns are measured in mm at the bodies' surfaces, that one floor serves both.
    lever = np.ones((len(hessian) // 6, 6))
    lever[:, :3] = _levers(problem, len(lever))[:, None]
    floor = _UNSEEN * np.mean(diagonal / lever.ravel() ** 2) * lever.ravel() ** 2 + 1e-30
    damped = hessian + np.diag(damping * diagonal + floor)
    step = -np.linalg.solve(damped, gradient).reshape(-1, 6)
    lengths = _lengths_mm(problem, step)
    longest = _LONGEST_PX * problem.pixel_mm
    return step * np.minimum(1, longest / np.maximum(lengths, 1e-12))[:, None]


def _levers(problem: JointProblem, count: int) -> np.ndarray:
    radii = [body.radius_mm for body in problem.parts.bodies]
    return np.array(radii + [float(np.mean(radii))] * (count - len(radii)))


def _lengths_mm(problem: JointProblem, step: np.ndarray) -> np.ndarray:
    """How far each twist moves what it moves, roughly."""
    turn = _levers(problem, len(step)) * np.linalg.norm(step[:, :3], axis=1)
    return np.hypot(turn, np.linalg.norm(step[:, 3:], axis=1))
