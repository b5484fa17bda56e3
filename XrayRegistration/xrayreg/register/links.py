"""What is known of bodies beforehand: neighbours move alike, joints have limits. All may be left out."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..geometry import about, apply, inverse, log_se3, translation
from .bodies import Body
from .joint_problem import Posture

_EPSILON = 1e-5
_NEAR_MM = 4.0  # bodies this near to each other are neighbours
_FAR_MM = 10.0  # and up to here those that would else hang on nothing
_POINTS = 1000  # of each body, among which the nearest are looked for
# What lies on each other, with muscles between, and slides: no joint. Parts of names.
_SLIDING = (("scapula", "rib"), ("humerus", "rib"))
_LOOSE = 3.0  # standard deviations, all axes together, from which on a link gives way


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

    Groups of bodies that none of these join are joined by the shortest that does, up to 10 mm. Bones turn in
    their joints more than they come apart there. Shoulder blades and arms have none with ribs.

    Args:
        widths: of `Link`.
    """
    found, voxels = [], [_voxels(body) for body in bodies]
    for a, b in itertools.combinations(range(len(bodies)), 2):
        if not _slide(bodies[a].name, bodies[b].name):
            apart, at = _nearest(voxels[a], voxels[b], max(near_mm, _FAR_MM))
            found.append((apart, Link(a, b, at, **widths)))
    links, group_of = [], list(range(len(bodies)))
    for apart, link in sorted(found, key=lambda each: each[0]):
        one, other = group_of[link.a], group_of[link.b]
        if apart <= near_mm or (apart <= _FAR_MM and one != other):
            links.append(link)
            group_of = [one if group == other else group for group in group_of]
    return tuple(links)


def _nearest(one: np.ndarray, other: np.ndarray, far_mm: float) -> tuple[float, np.ndarray]:
    """How far points are from others, and the place between; infinite from ``far_mm`` on."""
    here, there = _facing(one, other, far_mm), _facing(other, one, far_mm)
    if not len(here) or not len(there):
        return np.inf, np.zeros(3)
    apart = torch.cdist(torch.from_numpy(here), torch.from_numpy(there))
    i, j = divmod(int(apart.argmin()), len(there))
    return float(apart[i, j]), (here[i] + there[j]) / 2


def beyond(links: Sequence[Link], count: int, number: int) -> tuple[int, ...]:
    """The bodies that hang on this one of ``count``: without it no links join them to most of the others."""
    parts, left = [], set(range(count)) - {number}
    beside = {link.b if link.a == number else link.a for link in links if number in (link.a, link.b)}
    for first in sorted(beside):
        if first not in left:
            continue
        found, new = set(), {first}
        while new:
            found |= new
            ends = {end for link in links for end in (link.a, link.b) if {link.a, link.b} & new}
            new = (ends & left) - found
        left -= found
        parts.append(found)
    trunk = max(parts, key=len, default=None)
    return tuple(sorted(each for part in parts if part is not trunk for each in part))


def _slide(one: str, other: str) -> bool:
    return any((a in one and b in other) or (a in other and b in one) for a, b in _SLIDING)


def _voxels(body: Body) -> np.ndarray:
    """(n, 3) of its attenuation, patient, mm."""
    found = []
    for piece in body.pieces:
        k, j, i = torch.nonzero(piece.values > 0).cpu().numpy().T
        found.append(apply(piece.grid.patient_from_index, np.stack([i, j, k], axis=-1).astype(float)))
    return np.concatenate(found)


def _facing(points: np.ndarray, others: np.ndarray, near_mm: float) -> np.ndarray:
    """Some of the points: of those no farther than this from the box of the others."""
    low, high = others.min(axis=0) - near_mm, others.max(axis=0) + near_mm
    near = points[((points >= low) & (points <= high)).all(axis=1)]
    return near[np.random.default_rng(0).permutation(len(near))[:_POINTS]]


def held_against(links: Sequence[Link], motions: np.ndarray) -> float:
    """What the links hold against motions (K, 4, 4).

    Of each c^2 / 2 log(1 + r^2 / c^2) with r^2 the sum of its squared residuals (Cauchy): half of r^2 while
    it is small; a wrong link does not hold a whole chain of bodies back.
    """
    squares = (np.square(link.residual(motions[link.a], motions[link.b])).sum() for link in links)
    return float(sum(0.5 * _LOOSE**2 * np.log1p(square / _LOOSE**2) for square in squares))


@dataclass(frozen=True)
class Cost:
    """`held_against` a posture, linearised by the bodies' unknowns, (6 K,)."""

    value: float
    hessian: np.ndarray
    gradient: np.ndarray


def cost_of(links: Sequence[Link], posture: Posture, centres: np.ndarray) -> Cost:
    """By Gauss and Newton.

    Args:
        centres: (K, 3) about which the twists turn, as in `Posture.stepped`.
    """
    motions = posture.motions
    count = 6 * len(motions)
    hessian, gradient = np.zeros((count, count)), np.zeros(count)
    moved = [
        [about(centre, twist) @ motion for twist in _EPSILON * np.eye(6)]
        for centre, motion in zip(centres, motions, strict=True)
    ]
    for link in links:
        here = link.residual(motions[link.a], motions[link.b])
        by_a = [link.residual(each, motions[link.b]) - here for each in moved[link.a]]
        by_b = [link.residual(motions[link.a], each) - here for each in moved[link.b]]
        jacobian = np.stack([*by_a, *by_b], axis=-1) / _EPSILON
        gives = 1 + float(here @ here) / _LOOSE**2
        own = np.concatenate([np.arange(6) + 6 * link.a, np.arange(6) + 6 * link.b])
        hessian[np.ix_(own, own)] += jacobian.T @ jacobian / gives
        gradient[own] += jacobian.T @ here / gives
    return Cost(held_against(links, motions), hessian, gradient)
