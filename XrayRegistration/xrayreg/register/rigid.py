"""Rigid registration from a given start, coarse to fine, one or several views at once.

Views registered together keep their relative geometry (a biplane system, or one C-arm whose angles
are known), so one motion of the patient is sought: ``camera_from_patient = start @ motion``.
Levenberg-Marquardt (D. Marquardt, 1963; K. Madsen et al., "Methods for non-linear least squares
problems", 2004) on the residuals of `xrayreg.similarity`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..geometry import about, adjoint, translation
from ..images import Xray
from ..render import Density, render, render_with_pose_jacobian
from ..similarity import NormalEquations, Term
from .levels import Level, LevelView, prepare_view
from .result import RegisteredView

_GRADIENT = (Term(True, 24),)
_BOTH = (Term(False, 24), Term(True, 24))

# The coarsest level compares gradients alone: where the volume holds one bone, the brightness around
# it in the X-ray is that of tissue which the DRR does not have.
DEFAULT_LEVELS = (
    Level(48, _GRADIENT, starts=16, margin=0.25, iterations=20, step_mm=0.5),
    Level(96, _BOTH, starts=4, margin=0.15, iterations=15, step_mm=0.1),
    Level(192, _BOTH, starts=1, margin=0.1, iterations=10, step_mm=0.02),
)

# Candidate starts are drawn this far around the given one, per axis, and the best are refined.
_CANDIDATES = 256
_SPREAD_DEG = 10.0
_SPREAD_OF_RADIUS = 0.4
_SPREAD_AT_MOST_MM = 20.0


@dataclass(frozen=True)
class Progress:
    """The state after an iteration.

    Attributes:
        level, levels: which rung, from 0, of how many.
        start, starts: which candidate start is being refined, from 0, of how many.
        iteration: within this candidate.
        loss: of this candidate; what is minimised, falls with the iterations.
        similarity: of this candidate, mean over views.
        patient_motion: (4, 4) best motion of the anatomy found since the start, patient frame, mm;
            best so far at this level.
    """

    level: int
    levels: int
    start: int
    starts: int
    iteration: int
    loss: float
    similarity: float
    patient_motion: np.ndarray


def refine(
    density: Density, xrays: Sequence[Xray], levels: tuple[Level, ...] = DEFAULT_LEVELS
) -> Iterator[Progress]:
    """Register views that move together; yields after each iteration, the last state is the result.

    The start is joined by candidates scattered around it, the most similar of which are refined at
    the coarsest level; each level hands its best on to the next. Stop iterating to cancel; nothing is
    changed in place.

    Args:
        density: the volume.
        xrays: their cameras hold the start poses.
        levels: coarse to fine.

    Raises:
        InputError: if the volume does not project into an X-ray.
    """
    motions = candidate_motions(density, _CANDIDATES)
    for number, level in enumerate(levels):
        cameras = [xray.camera.moved(xray.camera.camera_from_patient @ motions[0]) for xray in xrays]
        views = [
            prepare_view(xray, camera, density, level) for xray, camera in zip(xrays, cameras, strict=True)
        ]
        problem = _Problem(density, xrays, views)
        if number == 0:  # the given start is always among those refined
            motions[1:] = sorted(motions[1:], key=problem.similarity, reverse=True)
        starts = motions[: level.starts]
        refined: list[tuple[float, np.ndarray]] = []
        for start, candidate in enumerate(starts):
            for iteration, (state, motion) in enumerate(_levenberg_marquardt(problem, candidate, level)):
                best = min([*refined, (state.loss, motion)], key=lambda entry: entry[0])[1]
                yield Progress(
                    number, len(levels), start, len(starts), iteration, state.loss, state.similarity, best
                )
            refined.append((state.loss, motion))
        motions = [motion for _, motion in sorted(refined, key=lambda entry: entry[0])]


def register_rigid(
    density: Density,
    xrays: Sequence[Xray],
    levels: tuple[Level, ...] = DEFAULT_LEVELS,
    progress: Callable[[Progress], None] = lambda state: None,
) -> tuple[RegisteredView, ...]:
    """Register every view from its start pose; those of one rig together, the others each alone.

    Args:
        density: the volume.
        xrays: their cameras hold the start poses, `Xray.rig` says which move together.
        progress: called after each iteration; an exception it raises ends the registration.

    Returns:
        the views in the order given.

    Raises:
        InputError: if the volume does not project into an X-ray.
    """
    motions: dict[int, np.ndarray] = {}
    for group in groups(xrays):
        for state in refine(density, group, levels):
            progress(state)
        motions.update({id(xray): state.patient_motion for xray in group})
    return tuple(_registered(density, xray, motions[id(xray)], levels[-1]) for xray in xrays)


def groups(xrays: Sequence[Xray]) -> list[list[Xray]]:
    """The X-rays by what moves together, in the order given."""
    by_rig: dict[str, list[Xray]] = {}
    for number, xray in enumerate(xrays):
        by_rig.setdefault(xray.rig or f"alone {number}", []).append(xray)
    return list(by_rig.values())


def _registered(density: Density, xray: Xray, motion: np.ndarray, level: Level) -> RegisteredView:
    start = xray.camera.camera_from_patient
    pose = _orthonormal(start @ motion)
    return RegisteredView(
        xray,
        xray.camera.moved(pose),
        similarity_of(density, xray, pose, level),
        similarity_of(density, xray, start, level),
    )


def _orthonormal(transform: np.ndarray) -> np.ndarray:
    """The nearest rigid motion: products of many rotations drift by rounding."""
    u, _, vt = np.linalg.svd(transform[:3, :3])
    result = transform.copy()
    result[:3, :3] = u @ vt
    return result


def candidate_motions(density: Density, count: int) -> list[np.ndarray]:
    """The identity and count - 1 motions (4, 4) of the anatomy about its centre, always the same."""
    centre = density.grid.centre_patient
    spread_mm = min(_SPREAD_AT_MOST_MM, _SPREAD_OF_RADIUS * anatomy_radius_mm(density))
    spread = np.repeat([np.radians(_SPREAD_DEG), spread_mm], 3)
    twists = np.random.default_rng(0).uniform(-spread, spread, size=(count - 1, 6))
    return [np.eye(4), *(about(centre, twist) for twist in twists)]


def anatomy_radius_mm(density: Density) -> float:
    """A typical lever arm: a turn by omega about the centre moves the anatomy by radius * omega."""
    corners = density.grid.corners_patient - density.grid.centre_patient
    return 0.5 * float(np.linalg.norm(corners, axis=1).mean())


def similarity_of(
    density: Density, xray: Xray, camera_from_patient: np.ndarray, level: Level = DEFAULT_LEVELS[-1]
) -> float:
    """The similarity of one view at a pose: NCC and gradient NCC in patches, 1 is perfect."""
    camera = xray.camera.moved(camera_from_patient)
    view = prepare_view(xray, camera, density, level)
    return float(view.comparison.similarity(render(density.matched(view.camera), view.camera)))


class _Problem:
    """The normal equations of all views by one motion of the anatomy about its centre."""

    def __init__(self, density: Density, xrays: Sequence[Xray], views: list[LevelView]):
        self._starts = [xray.camera.camera_from_patient for xray in xrays]
        self._views = views
        self._densities = [density.matched(view.camera) for view in views]
        self.centre = density.grid.centre_patient
        self.radius_mm = anatomy_radius_mm(density)

    def at(self, motion: np.ndarray) -> NormalEquations:
        """At a motion (4, 4) since the start; derivative by a twist about the centre on its left."""
        total = None
        for start, view, density in self._each():
            image, by_camera = render_with_pose_jacobian(density, view.camera.moved(start @ motion))
            # camera <- start exp(twist about centre) motion: move the twist to the camera's left.
            camera_by_twist = adjoint(start @ translation(self.centre))
            jacobian = by_camera @ torch.as_tensor(camera_by_twist, dtype=image.dtype, device=image.device)
            equations = view.comparison.normal_equations(image, jacobian)
            total = equations if total is None else total + equations
        count = len(self._views)
        return NormalEquations(
            total.loss / count, total.similarity / count, total.hessian / count, total.gradient / count
        )

    def similarity(self, motion: np.ndarray) -> float:
        """Mean over views at a motion (4, 4) since the start; cheaper than `at`."""
        values = [
            view.comparison.similarity(render(density, view.camera.moved(start @ motion)))
            for start, view, density in self._each()
        ]
        return float(sum(values)) / len(values)

    def _each(self) -> Iterator[tuple[np.ndarray, LevelView, Density]]:
        return zip(self._starts, self._views, self._densities, strict=True)

    def moved(self, motion: np.ndarray, twist: np.ndarray) -> np.ndarray:
        return about(self.centre, twist) @ motion

    def length_mm(self, twist: np.ndarray) -> float:
        return float(np.hypot(self.radius_mm * np.linalg.norm(twist[:3]), np.linalg.norm(twist[3:])))


def _levenberg_marquardt(
    problem: _Problem, motion: np.ndarray, level: Level
) -> Iterator[tuple[NormalEquations, np.ndarray]]:
    """Yields the best state and its motion after each evaluation."""
    best = problem.at(motion)
    damping = 1e-3
    yield best, motion
    for _ in range(level.iterations):
        hessian = best.hessian.double().cpu().numpy()
        gradient = best.gradient.double().cpu().numpy()
        # Marquardt's scaling; the small floor keeps directions that no view can see from running away.
        scale = np.diag(hessian) + 1e-9 * np.trace(hessian) + 1e-30
        twist = -np.linalg.solve(hessian + damping * np.diag(scale), gradient)
        step_mm = problem.length_mm(twist)
        candidate_motion = problem.moved(motion, twist)
        candidate = problem.at(candidate_motion)
        if candidate.loss < best.loss:
            best, motion, damping = candidate, candidate_motion, damping / 4
        else:
            damping = max(damping, 1e-4) * 8
        yield best, motion
        if step_mm < level.step_mm:
            return
