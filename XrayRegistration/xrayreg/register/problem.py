"""The least-squares problem of a rigid registration: all views of a rig, by one motion of the anatomy."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..geometry import Camera, about, adjoint, translation
from ..images import Grid, Xray
from ..render import Density, render, render_with_pose_jacobian
from ..similarity import NormalEquations, PatchEquations, Shifts
from .levels import Level, LevelView, prepare_view

_DRAWN_AT_ONCE = 128  # images, to be compared

Behind = Callable[[Camera], torch.Tensor | float]


def _nothing(camera: Camera) -> float:
    return 0.0


@dataclass(frozen=True)
class Evaluation:
    """The problem at B motions, linearised; by a twist about the anatomy's centre, left of the motion.

    Attributes:
        similarity: (B,) weighted mean over the views.
        hessian: (B, 6, 6) and
        gradient: (B, 6) of 1 - similarity.
        images: for each view the DRRs (B, row, column) of its cropped, averaged X-ray.
    """

    similarity: np.ndarray
    hessian: np.ndarray
    gradient: np.ndarray
    images: tuple[torch.Tensor, ...]


class Problem:
    """The X-rays of one rig at one level.

    Args:
        density: the volume.
        xrays: their cameras hold the start poses; a motion moves the anatomy since then.
        motions: all that will be tried; the X-rays are cropped to where these put the anatomy.
        level: what is compared, and how finely.
        weights: of the views.
        behind: for each view what else is in the image and stays where it is: its DRR [row, column], given
            the camera of the cropped, averaged image.
    """

    def __init__(
        self,
        density: Density,
        xrays: Sequence[Xray],
        motions: Sequence[np.ndarray],
        level: Level,
        weights: Sequence[float] | None = None,
        behind: Sequence[Behind] | None = None,
    ):
        self.views = tuple(prepare_view(xray, motions, density, level) for xray in xrays)
        self._densities = [
            density.matched(view.camera.moved(_first_pose(view, motions))) for view in self.views
        ]
        drawn = behind or [_nothing] * len(xrays)
        self._behind = [draw(view.camera) for draw, view in zip(drawn, self.views, strict=True)]
        shares = np.ones(len(xrays)) if weights is None else np.asarray(weights, dtype=float)
        self._shares = shares / shares.sum()
        self.centre = density.grid.centre_patient
        self.pixel_mm = min(view.camera.pixel_size_at(self.centre) for view in self.views)
        self.corners = self.centre + 0.5 * (density.grid.corners_patient - self.centre)
        self.radius_mm = anatomy_radius_mm(density.grid)

    def at(self, motions: np.ndarray) -> Evaluation:
        """At motions (B, 4, 4)."""
        total, images = None, []
        for view, density, share, behind in self._each():
            poses = _poses(view.camera, motions)
            image, by_camera = render_with_pose_jacobian(density, view.camera, camera_from_patient=poses)
            image = image + behind
            by_camera = view.comparison.normal_equations(image, by_camera)
            equations = _about_the_centre(by_camera, view.camera, self.centre) * float(share)
            total = equations if total is None else total + equations
            images.append(image)
        return Evaluation(
            *(part.double().cpu().numpy() for part in (total.similarity, total.hessian, total.gradient)),
            tuple(images),
        )

    def similarity(self, motions: np.ndarray) -> np.ndarray:
        """(B,) mean over views at motions (B, 4, 4); cheaper than `at`."""
        total = np.zeros(len(motions))
        for first in range(0, len(motions), _DRAWN_AT_ONCE):
            some = slice(first, first + _DRAWN_AT_ONCE)
            for view, density, share, behind in self._each():
                poses = _poses(view.camera, motions[some])
                images = render(density, view.camera, camera_from_patient=poses) + behind
                total[some] += share * view.comparison.similarity(images).double().cpu().numpy()
        return total

    def best_shifts(
        self, motions: np.ndarray, margin_mm: float, count: int
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each view where the anatomy's centre should be shifted to, and how well the DRR fits there.

        Args:
            motions: (B, 4, 4) tried.
            margin_mm: how far the anatomy may be shifted either way, in the plane of the view.
            count: how many different places.

        Returns:
            for each view image points (B, count, 2), pixel, and fits (B, count), -inf for none.
        """
        result = []
        for view, density, _, _ in self._each():
            camera, poses = view.camera, view.camera.camera_from_patient @ motions
            pixel_mm = camera.moved(poses[0]).pixel_size_at(self.centre)
            margin = tuple(min(n, math.ceil(margin_mm / pixel_mm)) for n in camera.size)
            size = tuple(n + 2 * m for n, m in zip(camera.size, margin, strict=True))
            larger = camera.cropped((-margin[0], -margin[1]), size)
            images = render(density, larger, camera_from_patient=torch.as_tensor(poses))
            shifts, fits = Shifts(view.image, view.mask).best(images, count)
            here = apply_each(poses, self.centre) @ camera.K.T
            points = (here[:, :2] / here[:, 2:])[:, None] + shifts.cpu().numpy()
            result.append((points, fits.double().cpu().numpy()))
        return result

    def patches(self, motion: np.ndarray) -> list[PatchEquations]:
        """The equations of every patch of each view at one motion (4, 4), by the same twist as `at`."""
        result = []
        for view, density, _, behind in self._each():
            camera = view.camera.moved(view.camera.camera_from_patient @ motion)
            image, by_camera = render_with_pose_jacobian(density, camera)
            patches = view.comparison.patch_equations(image + behind, by_camera)
            result.append(_about_the_centre(patches, view.camera, self.centre))
        return result

    def _each(self) -> Iterator[tuple[LevelView, Density, float, torch.Tensor | float]]:
        return zip(self.views, self._densities, self._shares, self._behind, strict=True)

    def moved(self, motion: np.ndarray, twist: np.ndarray) -> np.ndarray:
        return about(self.centre, twist) @ motion

    def distances_mm(self, motion: np.ndarray, others: np.ndarray) -> np.ndarray:
        """(n,) root mean square distances of the anatomy between ``motion`` and ``others`` (n, 4, 4)."""
        difference = self.corners @ (others - motion)[:, :3, :3].transpose(0, 2, 1)
        difference += (others - motion)[:, None, :3, 3]
        return np.sqrt((difference**2).sum(axis=2).mean(axis=1))

    def seen_distances_mm(self, motion: np.ndarray, others: np.ndarray) -> np.ndarray:
        """As `distances_mm`, of the parts in the planes of the views: their root mean square."""
        difference = self.corners @ (others - motion)[:, :3, :3].transpose(0, 2, 1)
        difference += (others - motion)[:, None, :3, 3]
        across = np.stack([view.camera.camera_from_patient[:2, :3] for view in self.views])
        seen = np.einsum("vij,npj->vnpi", across, difference)
        return np.sqrt((seen**2).sum(axis=3).mean(axis=(0, 2)))

    def length_mm(self, twist: np.ndarray) -> float:
        """How far a twist about the centre moves the anatomy, roughly."""
        return float(np.hypot(self.radius_mm * np.linalg.norm(twist[:3]), np.linalg.norm(twist[3:])))


def anatomy_radius_mm(grid: Grid) -> float:
    """A typical lever arm: a turn by omega about the centre moves the anatomy by radius * omega."""
    corners = grid.corners_patient - grid.centre_patient
    return 0.5 * float(np.linalg.norm(corners, axis=1).mean())


def apply_each(motions: np.ndarray, point: np.ndarray) -> np.ndarray:
    """(B, 3) where motions (B, 4, 4) put a point (3,)."""
    return motions[:, :3, :3] @ point + motions[:, :3, 3]


def _first_pose(view: LevelView, motions: Sequence[np.ndarray]) -> np.ndarray:
    return view.camera.camera_from_patient @ motions[0]


def _poses(camera, motions: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(camera.camera_from_patient @ motions)


def _about_the_centre(equations, camera, centre: np.ndarray):
    """Equations by a twist left of camera_from_patient, as those by a twist of the anatomy.

    camera_from_patient = start exp(twist about the centre) motion: the adjoint moves the twist to the left.
    """
    camera_by_twist = torch.as_tensor(adjoint(camera.camera_from_patient @ translation(centre)))
    turn = camera_by_twist.to(equations.hessian)
    hessian = turn.T @ equations.hessian @ turn
    gradient = equations.gradient @ turn
    if isinstance(equations, NormalEquations):
        return NormalEquations(equations.similarity, hessian, gradient)
    return PatchEquations(equations.centres, equations.weight, equations.ncc, hessian, gradient)
