"""The motion of everything, blended from those of the bodies: rigid in each, smooth between, without folds.

As log-Euclidean polyrigid transformations (V. Arsigny, O. Commowick, N. Ayache and X. Pennec, JMIV 33, 2009)
and PolyPose (V. Gopalakrishnan, N. Dey and P. Golland, 2025), motions are blended by their logarithms. Here
they are blended along the way: a point flows with the velocity

    v(x, t) = sum_k w_k(x, t) log(M_k) x

whose weights are of the distance d_k to where body k is at time t. So what is around a body goes with it
all the way, which weights of the rest position do not give, and a flow has no folds. Weights 1 / d^2 are the
limit of PolyPose's 1 / (1 + d^2) near a body: one in it, zero in all others. The bodies themselves do not
flow: what is in one goes by its motion, as bodies that lie apart at the end may pass through each other on
the way.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..geometry import apply, exp_se3, inverse, log_se3
from ..images import Grid
from .shapes import Shapes

Kernel = Callable[[np.ndarray], np.ndarray]

_NEAREST_MM = 0.05
_STEPS = 8
_ROUNDS = 8  # of the fixed-point iteration that inverts a step
_CHUNK = 200_000  # points at once


def inverse_square(distance_mm: np.ndarray) -> np.ndarray:
    """1 / d^2 of distances (n,), mm."""
    return 1 / np.maximum(distance_mm, _NEAREST_MM) ** 2


def inverse_fourth_power(distance_mm: np.ndarray) -> np.ndarray:
    """1 / d^4: each body's neighbourhood follows it more closely."""
    return 1 / np.maximum(distance_mm, _NEAREST_MM) ** 4


def polypose(distance_mm: np.ndarray) -> np.ndarray:
    """1 / (1 + d^2), as PolyPose; bodies bend a little where others are near."""
    return 1 / (1 + np.maximum(distance_mm, 0) ** 2)


@dataclass(frozen=True)
class PolyrigidField:
    """Where everything has gone since the preoperative scan.

    Attributes:
        shapes: the bodies at rest.
        motions: (K, 4, 4) patient_from_rest of each.
        kernel: a body's weight from its distance, mm. Points in a body are its alone, but for `polypose`.
        steps: along the way.
    """

    shapes: Shapes
    motions: np.ndarray
    kernel: Kernel = inverse_square
    steps: int = _STEPS

    @cached_property
    def _logs(self) -> np.ndarray:
        return np.stack([log_se3(motion) for motion in self.motions])

    def rest_from_patient(self, points: np.ndarray) -> np.ndarray:
        """Where points (n, 3), patient, mm, were in the preoperative scan; what images are resampled by."""
        return self._chunks(self._back, points)

    def patient_from_rest(self, points: np.ndarray) -> np.ndarray:
        """Where points (n, 3) of the preoperative scan, mm, are now: the inverse of `rest_from_patient`."""
        return self._chunks(self._forth, points)

    def displacements(self, grid: Grid) -> np.ndarray:
        """[k, j, i, 3] ``rest_from_patient(x) - x`` at every voxel centre, mm."""
        k, j, i = np.indices(grid.array_shape, dtype=np.float32).reshape(3, -1)
        points = apply(grid.patient_from_index, np.stack([i, j, k], axis=-1))
        return (self.rest_from_patient(points) - points).reshape(*grid.array_shape, 3)

    def shares(self, points: np.ndarray) -> np.ndarray:
        """(n, K) the part of each body in where points (n, 3), patient, mm, are now; they add to 1."""
        return self._weights(np.atleast_2d(np.asarray(points, dtype=float)), 1.0)

    def _chunks(self, move: Callable[[np.ndarray], np.ndarray], points: np.ndarray) -> np.ndarray:
        points = np.atleast_2d(np.asarray(points, dtype=float))
        parts = [move(points[n : n + _CHUNK]) for n in range(0, len(points), _CHUNK)]
        return np.concatenate(parts) if parts else points

    def _back(self, points: np.ndarray) -> np.ndarray:
        back = [inverse(motion) for motion in self.motions]
        return self._with_bodies(points, self._owner_now, back, self._flow_back)

    def _forth(self, points: np.ndarray) -> np.ndarray:
        return self._with_bodies(points, self._owner_at_rest, self.motions, self._flow_forth)

    def _with_bodies(
        self, points: np.ndarray, owner_of: Callable, motions: Sequence[np.ndarray], flow: Callable
    ) -> np.ndarray:
        """What is in no body (owner -1) flows, all else goes with the motion of its own."""
        if self.kernel is polypose:
            return flow(points)
        owner = owner_of(points)
        moved, free = np.empty_like(points), owner < 0
        moved[free] = flow(points[free])
        for number in np.unique(owner[~free]):
            own = owner == number
            moved[own] = apply(motions[number], points[own])
        return moved

    def _owner_at_rest(self, points: np.ndarray) -> np.ndarray:
        return self.shapes.inside(points) - 1

    def _owner_now(self, points: np.ndarray) -> np.ndarray:
        """(n,) the number of the body that each point is in, of several the one it is deepest in; or -1."""
        owner, deepest = np.full(len(points), -1), np.full(len(points), np.inf)
        for number, motion in enumerate(self.motions):
            at_rest = apply(inverse(motion), points)
            inside = np.flatnonzero(self.shapes.inside(at_rest) == number + 1)
            distance = self.shapes.distance(number, at_rest[inside])
            nearer = distance < deepest[inside]
            owner[inside[nearer]], deepest[inside[nearer]] = number, distance[nearer]
        return owner

    def _flow_back(self, points: np.ndarray) -> np.ndarray:
        for n in range(self.steps, 0, -1):
            points = _moved(points, -self._velocity(points, n / self.steps) / self.steps)
        return points

    def _flow_forth(self, points: np.ndarray) -> np.ndarray:
        """Each step of `_flow_back` undone: the point from which it leads here."""
        for n in range(1, self.steps + 1):
            here, velocity = points, self._velocity(points, (n - 1) / self.steps)
            for _ in range(_ROUNDS):
                points = _moved(here, velocity / self.steps)
                velocity = self._velocity(points, n / self.steps)
            points = _moved(here, velocity / self.steps)
        return points

    def _velocity(self, points: np.ndarray, time: float) -> np.ndarray:
        """(n, 6) the blended twists at points (n, 3) at a time of 0 (rest) to 1."""
        return self._weights(points, time) @ self._logs

    def _weights(self, points: np.ndarray, time: float) -> np.ndarray:
        """(n, K) of the bodies, which add to one."""
        weights, own = np.zeros((len(points), len(self.motions))), np.zeros(len(points), bool)
        for number, log in enumerate(self._logs):
            at_rest = apply(inverse(exp_se3(time * log)), points)
            weight = self.kernel(self.shapes.distance(number, at_rest))
            if self.kernel is not polypose:
                inside = self.shapes.inside(at_rest) == number + 1
                # Where two bodies have moved into each other both count, and nothing else.
                weights[inside & ~own] = 0
                weight = np.where(inside, 1.0, np.where(own, 0.0, weight))
                own |= inside
            weights[:, number] = weight
        return weights / weights.sum(axis=1, keepdims=True)


def _moved(points: np.ndarray, twists: np.ndarray) -> np.ndarray:
    """Points (n, 3), each moved by its own twist (n, 6): Rodrigues' formula."""
    omega, v = twists[:, :3], twists[:, 3:]
    angle = np.linalg.norm(omega, axis=1)[:, None]
    small = angle < 1e-6
    safe = np.where(small, 1.0, angle)
    b = np.where(small, 0.5, 2 * np.sin(safe / 2) ** 2 / safe**2)
    c = np.where(small, 1 / 6, (safe - np.sin(safe)) / safe**3)
    velocity = np.cross(omega, points) + v
    once = np.cross(omega, velocity)
    return points + velocity + b * once + c * np.cross(omega, once)
