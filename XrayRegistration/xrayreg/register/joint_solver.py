"""Levenberg-Marquardt for all bodies together; as `solver.py`, one posture at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .joint_problem import JointEvaluation, JointProblem, Posture
from .links import Cost, Link, cost_of

_FIRST_DAMPING = 1e-3
_UNSEEN = 1e-7  # of the mean curvature: keeps what no view sees where it is
_LONGEST_PX = 3.0  # no body goes farther in one step
_LEAST_GAIN = 2e-5  # of the objective
_FUTILE = 3  # steps in a row that gain nothing


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
        step_px: it rests when the next step would move no body by more than this, or gains nothing.
    """
    state, cost = _state(problem, posture, links, weight)
    damping, futile = _FIRST_DAMPING, 0
    yield state
    for _ in range(iterations):
        twists, shifts = _step(problem, state, cost, weight, damping)
        longest = max(_lengths_mm(problem, twists).max(), np.linalg.norm(shifts, axis=1).max(initial=0))
        if longest < step_px * problem.pixel_mm:
            return
        moved = state.posture.stepped(problem.centres(state.posture), twists, shifts if len(shifts) else 0.0)
        tried, its_cost = _state(problem, moved, links, weight)
        gain = tried.objective - state.objective
        futile = 0 if gain > _LEAST_GAIN else futile + 1
        if gain > 0:
            state, cost, damping = tried, its_cost, damping / 4
        else:
            damping = max(damping, 1e-4) * 8
        yield state
        if futile == _FUTILE:
            return


def _state(
    problem: JointProblem, posture: Posture, links: Sequence[Link], weight: float
) -> tuple[State, Cost]:
    evaluation, cost = problem.at(posture), cost_of(links, posture, problem.centres(posture))
    held = cost.value + 0.5 * float((_pull(problem, posture) * _moving(problem, posture)).sum())
    return State(posture, evaluation, evaluation.similarity - weight * held), cost


def _pull(problem: JointProblem, posture: Posture) -> np.ndarray:
    """(T, 3) the gradient of what smoothness holds against the shifts of the cells that move."""
    return problem.smoothness @ _moving(problem, posture)


def _moving(problem: JointProblem, posture: Posture) -> np.ndarray:
    """(T, 3) shifts, if the tissue moves, or none."""
    return posture.shifts[: len(problem.smoothness)]


def _step(
    problem: JointProblem, state: State, cost: Cost, weight: float, damping: float
) -> tuple[np.ndarray, np.ndarray]:
    """(K + R - 1, 6) twists and (T, 3) shifts."""
    hessian, gradient = state.evaluation.hessian.copy(), state.evaluation.gradient.copy()
    bodies, twists = len(cost.gradient), len(gradient) - 3 * len(problem.smoothness)
    hessian[:bodies, :bodies] += weight * cost.hessian
    gradient[:bodies] += weight * cost.gradient
    hessian[twists:, twists:] += weight * np.kron(problem.smoothness, np.eye(3))
    gradient[twists:] += weight * _pull(problem, state.posture).ravel()
    diagonal = np.diag(hessian)
    # Turns are measured in mm at the bodies' surfaces, that one floor serves all.
    lever = np.ones(len(gradient))
    lever[:twists].reshape(-1, 6)[:, :3] = _levers(problem, twists // 6)[:, None]
    floor = _UNSEEN * np.mean(diagonal[:twists] / lever[:twists] ** 2) * lever**2 + 1e-30
    damped, free = hessian + np.diag(damping * diagonal + floor), problem.free_unknowns(state.posture)
    step = np.zeros(len(gradient))
    step[free] = -np.linalg.solve(damped[np.ix_(free, free)], gradient[free])
    longest = _LONGEST_PX * problem.pixel_mm
    turned, shifted = step[:twists].reshape(-1, 6), step[twists:].reshape(-1, 3)
    return (
        turned * _at_most(longest, _lengths_mm(problem, turned)),
        shifted * _at_most(longest, np.linalg.norm(shifted, axis=1)),
    )


def _at_most(longest: float, lengths: np.ndarray) -> np.ndarray:
    return np.minimum(1, longest / np.maximum(lengths, 1e-12))[:, None]


def _levers(problem: JointProblem, count: int) -> np.ndarray:
    radii = [body.radius_mm for body in problem.parts.bodies]
    return np.array(radii + [float(np.mean(radii))] * (count - len(radii)))


def _lengths_mm(problem: JointProblem, step: np.ndarray) -> np.ndarray:
    """How far each twist moves what it moves, roughly."""
    turn = _levers(problem, len(step)) * np.linalg.norm(step[:, :3], axis=1)
    return np.hypot(turn, np.linalg.norm(step[:, 3:], axis=1))
