"""What is known of bodies beforehand: neighbours move alike, joints have limits. All may be left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry import about, inverse, log_se3, translation
from .bodies import Body
from .joint_problem import Posture

_EPSILON = 1e-5
_NEAR_MM = 8.0  # bodies this near to each other are neighbours


@dataclass(frozen=True)
class Link:
    """Two bodies that are not independent of each other.

    Attributes:
        a, b: their numbers.
        at: (3,) the place of the joint at rest, patient, mm.
        rotation_deg, translation_mm: standard deviations of b's motion relative to a, there.
        free_deg, free_mm: as far, either way and per axis, it may go at no cost: the joint's limits.
    """

    a: int
    b: int
    at: np.ndarray
    rotation_deg: float = 10.0
    translation_mm: float = 3.0
    free_deg: float = 0.0
    free_mm: float = 0.0

    def relative(self, motion_a: np.ndarray, motion_b: np.ndarray) -> np.ndarray:
        """(6,) b's motion relative to a at the joint: a turn, rad, and a shift, mm, in a's rest frame."""
        between = translation(-self.at) @ inverse(motion_a) @ motion_b @ translation(self.at)
        return log_se3(between)

    def residual(self, motion_a: np.ndarray, motion_b: np.ndarray) -> np.ndarray:
        """(6,) in standard deviations."""
        moved = self.relative(motion_a, motion_b)
        free = np.repeat([np.radians(self.free_deg), self.free_mm], 3)
        sigma = np.repeat([np.radians(self.rotation_deg), self.translation_mm], 3)
        return np.sign(moved) * np.maximum(np.abs(moved) - free, 0) / sigma


def neighbours(bodies: Sequence[Body], near_mm: float = _NEAR_MM, **widths: float) -> tuple[Link, ...]:
    """A link between any two bodies that come near each other at rest, where they are nearest: a joint.

    Bones turn in their joints more than they come apart there.

    Args:
        widths: of `Link`.
    """
    links = []
    for a, one in enumerate(bodies):
        for b in range(a + 1, len(bodies)):
            apart = np.linalg.norm(one.points[:, None] - bodies[b].points[None], axis=2)
            if apart.min() > near_mm:
                continue
            i, j = np.unravel_index(np.argmin(apart), apart.shape)
            links.append(Link(a, b, (one.points[i] + bodies[b].points[j]) / 2, **widths))
    return tuple(links)


@dataclass(frozen=True)
class Cost:
    """What the links hold against a posture, linearised by the bodies' unknowns, (6 K,)."""

    value: float
    hessian: np.ndarray
    gradient: np.ndarray


def cost_of(links: Sequence[Link], posture: Posture, centres: np.ndarray) -> Cost:
    """Half the sum of squared residuals, by Gauss and Newton.

    Args:
        centres: (K, 3) about which the twists turn, as in `Posture.stepped`.
    """
    count = 6 * len(posture.motions)
    value, hessian, gradient = 0.0, np.zeros((count, count)), np.zeros(count)
    for link in links:
        here = link.residual(posture.motions[link.a], posture.motions[link.b])
        value += 0.5 * float(here @ here)
        jacobian = np.zeros((6, 12))
        for axis in range(6):
            twist = np.zeros(6)
            twist[axis] = _EPSILON
            moved_a = about(centres[link.a], twist) @ posture.motions[link.a]
            moved_b = about(centres[link.b], twist) @ posture.motions[link.b]
            jacobian[:, axis] = link.residual(moved_a, posture.motions[link.b]) - here
            jacobian[:, 6 + axis] = link.residual(posture.motions[link.a], moved_b) - here
        jacobian /= _EPSILON
        own = np.concatenate([np.arange(6) + 6 * link.a, np.arange(6) + 6 * link.b])
        hessian[np.ix_(own, own)] += jacobian.T @ jacobian
        gradient[own] += jacobian.T @ here
    return Cost(value, hessian, gradient)
