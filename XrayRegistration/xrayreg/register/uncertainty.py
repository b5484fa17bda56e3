"""How well the X-rays determine a pose: its covariance, and where that leaves any point.

At a least-squares optimum the patches' gradients g sum to nothing, but scatter: noise, and what only one
of the two images shows, pull each its own way. With H the loss's second derivative, the covariance of the
estimate is the cluster-robust "sandwich" ``H^-1 (sum_b g_b g_b^T) H^-1`` (K.-Y. Liang and S. L. Zeger,
Biometrika 73, 1986), summed over blocks of the image larger than what its pixels share with each other:
overlapping patches, scatter, blur. It needs no model of the noise, and says nothing of errors that pull all
blocks alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..geometry import Camera, adjoint, inverse, translation
from ..similarity import JointEquations, PatchEquations
from .problem import Problem

BLOCKS = 6  # along each side of the image
_UNSEEN = 1e-9  # of the information's trace: directions that no view sees get a large, finite variance


class PointUncertainty(ABC):
    """Where points may come to lie."""

    @abstractmethod
    def of_points(self, points_patient: np.ndarray) -> np.ndarray:
        """(n, 3, 3) covariances, patient frame, mm2, of where points (n, 3), patient, mm, come to lie."""

    def expected_tre_mm(self, points_patient: np.ndarray) -> float:
        """Root mean square distance of points (n, 3) from their true places."""
        return float(np.sqrt(np.trace(self.of_points(points_patient), axis1=1, axis2=2).mean()))

    def in_image(self, camera: Camera, point_patient: np.ndarray) -> np.ndarray:
        """(2, 2) covariance, pixel2, of the image of a point (3,), patient, mm, in a registered view.

        Its ellipse with semi-axes of 2.45 standard deviations holds 95 % of where the point may be.
        """
        x, y, z = camera.camera_from_patient[:3, :3] @ point_patient + camera.camera_from_patient[:3, 3]
        by_camera = camera.K[:2] @ np.array([[1 / z, 0, -x / z**2], [0, 1 / z, -y / z**2], [0, 0, 0]])
        by_patient = by_camera @ camera.camera_from_patient[:3, :3]
        return by_patient @ self.of_points(point_patient)[0] @ by_patient.T


@dataclass(frozen=True)
class PoseUncertainty(PointUncertainty):
    """The covariance of a registered pose.

    Attributes:
        covariance: (6, 6) of a twist (omega in rad, v in mm) in the patient frame at the registered pose,
            ``camera_from_patient @ exp_se3(twist)``.
    """

    covariance: np.ndarray

    def of_points(self, points_patient: np.ndarray) -> np.ndarray:
        jacobians = np.stack([_by_twist(point) for point in np.atleast_2d(points_patient)])
        return jacobians @ self.covariance @ jacobians.transpose(0, 2, 1)


def pose_uncertainty(
    problem: Problem, motion: np.ndarray, patches: Sequence[PatchEquations]
) -> PoseUncertainty:
    """The covariance at a registered motion (4, 4), from the equations of its patches in each view."""
    hessian, scatter = np.zeros((6, 6)), np.zeros((6, 6))
    for view, part in zip(problem.views, patches, strict=True):
        gradients, hessians = block_sums(part, view.camera.size, BLOCKS)
        count = len(gradients)
        centred = gradients - gradients.mean(axis=0)
        scatter += centred.T @ centred * count / max(1, count - 1)
        hessian += mean_ncc(part) * hessians.sum(axis=0)
    inverse_hessian = np.linalg.inv(hessian + _UNSEEN * np.trace(hessian) * np.eye(6))
    about_centre = inverse_hessian @ scatter @ inverse_hessian.T
    # From a twist about the centre, left of the motion, to one about the origin, right of it.
    turn = adjoint(inverse(motion) @ translation(problem.centre))
    return PoseUncertainty(turn @ about_centre @ turn.T)


def mean_ncc(patches: PatchEquations | JointEquations) -> float:
    """Of unit vectors z(M), z(F) the loss |z(M) - z(F)|^2 / 2 curves by NCC times Gauss-Newton's J^T J."""
    mean = (patches.weight * patches.ncc).sum() / patches.weight.sum()
    return float(mean.clamp(0.05, 1))


def block_sums(patches: PatchEquations, size: tuple[int, int], blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """(n, 6) gradients and (n, 6, 6) Gauss-Newton matrices of the blocks of an image that hold patches."""
    number = block_of(patches.centres, size, blocks)
    gradients, hessians = np.zeros((blocks**2, 6)), np.zeros((blocks**2, 6, 6))
    np.add.at(gradients, number, patches.gradient.double().cpu().numpy())
    np.add.at(hessians, number, patches.hessian.double().cpu().numpy())
    used = np.bincount(number, minlength=blocks**2) > 0
    return gradients[used], hessians[used]


def block_of(centres: torch.Tensor, size: tuple[int, int], blocks: int) -> np.ndarray:
    """(p,) in which of the blocks of an image patches lie, by their middles (p, 2), pixel."""
    place = centres.double().cpu().numpy() / np.array(size) * blocks
    column, row = np.clip(place.astype(int), 0, blocks - 1).T
    return row * blocks + column


def _by_twist(point: np.ndarray) -> np.ndarray:
    """(3, 6) derivative of a point by a twist about the origin: omega x p + v."""
    x, y, z = point
    return np.array([[0, z, -y, 1, 0, 0], [-z, 0, x, 0, 1, 0], [y, -x, 0, 0, 0, 1.0]])
