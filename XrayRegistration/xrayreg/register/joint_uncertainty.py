"""How well the X-rays determine each body, and which they do not.

As `uncertainty.py`: the sandwich H^-1 S H^-1 of the joint problem, S from the scatter of the patches'
gradients over blocks of each image. What the links hold adds its own information, and in directions that no
view sees leaves the links' own spread.

Tissue and neighbours that are not quite where they are thought to be pull a body alike everywhere, of which
the scatter knows nothing: errors in simulated chests were 1.8 to 2.6 times as large (docs/polyrigid.md). So
they are taken as 2.5 times as large.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..geometry import adjoint, apply, inverse, translation
from ..similarity import JointEquations
from .joint_problem import JointProblem, Posture
from .links import Link, cost_of
from .uncertainty import BLOCKS, PoseUncertainty, block_of, mean_ncc

_VAGUE = np.repeat([1.0, 100.0], 3)  # rad, mm: standard deviations where neither views nor links say anything
_BEYOND_NOISE = 2.5
_UNDETERMINED_MM = 12.0
_LEAST_SEEN = 0.3  # of a body's points, in a view


@dataclass(frozen=True)
class BodyUncertainty:
    """What the X-rays say of one body.

    Attributes:
        pose: its covariance, with what the links hold; relative to the views.
        sigma_mm: root mean square error over the body that is expected; without the links.
        seen: (V,) the part of the body that lies in the open field of each view.
    """

    pose: PoseUncertainty
    sigma_mm: float
    seen: np.ndarray

    @property
    def standing(self) -> str:
        """ "determined", or why not: "out of view", "one view" or "undetermined"."""
        enough = int((self.seen >= _LEAST_SEEN).sum())
        if not enough:
            return "out of view"
        if self.sigma_mm > _UNDETERMINED_MM:
            return "undetermined"
        return "one view" if enough == 1 else "determined"


def body_uncertainties(
    problem: JointProblem, posture: Posture, links: Sequence[Link], weight: float
) -> list[BodyUncertainty]:
    """Of every body at a registered posture."""
    evaluation, centres = problem.at(posture), problem.centres(posture)
    count = len(evaluation.gradient)
    hessian, scatter = np.zeros((count, count)), np.zeros((count, count))
    for view, joint in zip(problem.views, evaluation.views, strict=True):
        own, equations = np.ix_(joint.unknowns, joint.unknowns), joint.equations
        blocks = _block_sums(equations, view.camera.size)
        centred = blocks - blocks.mean(axis=0)
        scatter[own] += centred.T @ centred * len(blocks) / max(1, len(blocks) - 1)
        hessian[own] += mean_ncc(equations) * equations.hessian.cpu().numpy()
    # The similarity is a mean over views; what is known beforehand is weighed against that.
    views = len(problem.views)
    temperature = views * weight
    bodies = 6 * len(centres)
    vague = np.diag(np.tile(1 / _VAGUE**2, count // 6))
    known = vague.copy()
    known[:bodies, :bodies] += cost_of(links, posture, centres).hessian
    data = _sandwich(hessian, scatter, vague, temperature)
    held = _sandwich(hessian, scatter, known, temperature)
    result = []
    for number, (body, motion) in enumerate(zip(problem.parts.bodies, posture.motions, strict=True)):
        own = slice(6 * number, 6 * number + 6)
        # From a twist about where the centre is, left of the motion, to one about the origin, right of it.
        turn = adjoint(inverse(motion) @ translation(centres[number]))
        alone = PoseUncertainty(turn @ data[own, own] @ turn.T)
        pose = PoseUncertainty(turn @ held[own, own] @ turn.T)
        seen = np.array([_seen(problem, n, posture, apply(motion, body.points)) for n in range(views)])
        result.append(BodyUncertainty(pose, alone.expected_tre_mm(body.points), seen))
    return result


def _sandwich(hessian: np.ndarray, scatter: np.ndarray, prior: np.ndarray, temperature: float) -> np.ndarray:
    """The covariance where a prior of precision ``prior`` counts ``temperature`` against the loss."""
    inverse_hessian = np.linalg.inv(hessian + temperature * prior)
    return inverse_hessian @ (_BEYOND_NOISE**2 * scatter + temperature**2 * prior) @ inverse_hessian.T


def _block_sums(equations: JointEquations, size: tuple[int, int]) -> np.ndarray:
    """(n, unknowns) gradients of the blocks of an image that hold patches."""
    number = block_of(equations.centres, size, BLOCKS)
    gradients = equations.gradients.cpu().numpy()
    sums = np.zeros((BLOCKS**2, gradients.shape[1]))
    np.add.at(sums, number, gradients)
    return sums[np.bincount(number, minlength=BLOCKS**2) > 0]


def _seen(problem: JointProblem, number: int, posture: Posture, points: np.ndarray) -> float:
    view = problem.views[number]
    pixel = view.camera.moved(problem.pose(number, posture)).project(points)
    columns, rows = view.camera.size
    index = np.rint(np.nan_to_num(pixel, nan=-1)).astype(int)
    inside = ((index >= 0) & (index < [columns, rows])).all(axis=1)
    u, v = index[inside].T
    return float(view.mask.cpu().numpy()[v, u].sum() / len(points))
