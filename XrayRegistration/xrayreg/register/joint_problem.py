"""The least-squares problem of many bodies in many views: their DRRs add up to the X-ray's."""

from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from ..geometry import Camera, about, adjoint, apply, translation
from ..images import Xray
from ..render import Density, render, render_with_pose_jacobian
from ..similarity import JointEquations, Window
from .bodies import Body, Parts
from .levels import Level, LevelView, prepare_joint_view

_Windows = Sequence[tuple[tuple[int, int], torch.Tensor]]  # first pixel (column, row) and image of each

_FEWEST = 2  # pixels across, below which a body is not in the image


@dataclass(frozen=True)
class Posture:
    """Where everything is.

    Attributes:
        motions: (K, 4, 4) of each body since the preoperative scan, patient frame, mm.
        rigs: (R, 4, 4) of the whole patient, remainder and all, since the start pose of each rig.
        shifts: (T, 3) of the cells of soft tissue since the preoperative scan, patient frame, mm.
    """

    motions: np.ndarray
    rigs: np.ndarray
    shifts: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))

    def stepped(self, centres: np.ndarray, step: np.ndarray, shift: np.ndarray | float = 0.0) -> "Posture":
        """With twists (K + R - 1, 6): of the bodies about ``centres``, then of all rigs but the first.

        And with cells of tissue shifted by (T, 3), mm.
        """
        count = len(self.motions)
        motions = [about(c, t) @ m for c, t, m in zip(centres, step, self.motions, strict=False)]
        middle = centres.mean(axis=0)
        rigs = [about(middle, t) @ r for t, r in zip(step[count:], self.rigs[1:], strict=True)]
        return Posture(np.stack(motions), np.stack([self.rigs[0], *rigs]), self.shifts + shift)


@dataclass(frozen=True)
class JointView:
    """The equations of one view, and which unknowns they are of.

    Attributes:
        unknowns: (n,) numbers among all unknowns.
        image: [row, column] the DRR.
    """

    equations: JointEquations
    unknowns: np.ndarray
    image: torch.Tensor


@dataclass(frozen=True)
class JointEvaluation:
    """The problem at a posture, linearised by n unknowns as `Posture.stepped` takes them.

    6 for each body and each rig but the first; then, if tissue moves, 3 for each of its cells.

    Attributes:
        similarity: weighted mean over the views.
        hessian: (n, n) and
        gradient: (n,) of 1 - similarity.
    """

    similarity: float
    hessian: np.ndarray
    gradient: np.ndarray
    views: tuple[JointView, ...]


@dataclass(frozen=True)
class _Still:
    """The remainder in one view, as long as the rig stays where it is.

    Attributes:
        motion: (4, 4) of the rig.
        image: [row, column] the DRR.
        by_tissue: [row, column, 3 T] its derivative, or None.
    """

    motion: np.ndarray
    image: torch.Tensor
    by_tissue: torch.Tensor | None


@dataclass(frozen=True)
class _Drawn:
    """A body in one view, as long as it stays where it is.

    Attributes:
        pose: (4, 4) camera_from_rest.
        windows: first pixel (column, row) and DRR [row, column] of each of its pieces.
    """

    pose: np.ndarray
    windows: _Windows


class JointProblem:
    """The X-rays at one level.

    Args:
        xrays: their cameras hold the start poses of the patient as a whole.
        rig_of: the number of each X-ray's rig, from 0.
        posture: about where the bodies are; the X-rays are cropped to that.
        tissue: whether the cells of soft tissue move too; else they stay where ``posture`` has them. Their
            DRRs change linearly, from there on.

    Attributes:
        parts: with the tissue where ``posture`` has it.
        smoothness: (T, T) precision of the shifts of the cells that move.
        free: the numbers of the bodies that move; rigs and tissue only if all bodies do.
    """

    def __init__(
        self,
        parts: Parts,
        xrays: Sequence[Xray],
        rig_of: Sequence[int],
        posture: Posture,
        level: Level,
        tissue: bool = False,
    ):
        self.parts, self._rig_of = parts.with_tissue(posture.shifts), tuple(rig_of)
        moving = tissue and parts.tissue is not None
        self.smoothness = parts.tissue.smoothness if moving else np.zeros((0, 0))
        self.free = tuple(range(len(parts.bodies)))
        self._shifts = posture.shifts
        like = parts.bodies[0].pieces[0].values
        self.views: tuple[LevelView, ...] = tuple(
            prepare_joint_view(xray, self._corners(posture, rig), like, level)
            for xray, rig in zip(xrays, rig_of, strict=True)
        )
        self._still: dict[int, _Still] = {}
        self._drawn: dict[tuple[int, int], _Drawn] = {}

    def _corners(self, posture: Posture, rig: int) -> np.ndarray:
        return np.concatenate(
            [
                apply(posture.rigs[rig] @ motion, body.corners)
                for body, motion in zip(self.parts.bodies, posture.motions, strict=True)
            ]
        )

    @cached_property
    def pixel_mm(self) -> float:
        """The finest, at the depth of the middle of the bodies."""
        middle = np.mean([body.centre for body in self.parts.bodies], axis=0)
        return min(view.camera.pixel_size_at(middle) for view in self.views)

    def free_unknowns(self, posture: Posture) -> np.ndarray:
        """(n,) bool; the others stay as they are."""
        bodies = np.isin(np.arange(len(posture.motions)), self.free).repeat(6)
        rigs = np.full(6 * (len(posture.rigs) - 1), bodies.all())
        return np.concatenate([bodies, rigs, np.ones(3 * len(self.smoothness), bool)])

    def centres(self, posture: Posture) -> np.ndarray:
        """(K, 3) the bodies' middles where they are, patient, mm; steps turn about them."""
        return np.stack(
            [
                apply(motion, body.centre)
                for body, motion in zip(self.parts.bodies, posture.motions, strict=True)
            ]
        )

    def at(self, posture: Posture) -> JointEvaluation:
        """Linearised."""
        count = 6 * (len(posture.motions) + len(posture.rigs) - 1) + 3 * len(self.smoothness)
        similarity, hessian, gradient, views = 0.0, np.zeros((count, count)), np.zeros(count), []
        for number in range(len(self.views)):
            view = self._view(number, posture)
            block = np.ix_(view.unknowns, view.unknowns)
            similarity += float(view.equations.similarity) / len(self.views)
            hessian[block] += view.equations.hessian.cpu().numpy() / len(self.views)
            gradient[view.unknowns] += view.equations.gradients.sum(dim=0).cpu().numpy() / len(self.views)
            views.append(view)
        return JointEvaluation(similarity, hessian, gradient, tuple(views))

    def similarity(self, posture: Posture) -> float:
        """Mean over the views; cheaper than `at`."""
        return float(np.mean(self.similarities(posture)))

    def similarities(self, posture: Posture, skip: Collection[int] = ()) -> np.ndarray:
        """(V,) of the views, maybe as if some of the bodies were not there."""
        images = (self._image(number, posture, skip) for number in range(len(self.views)))
        alike = (view.comparison.similarity(image) for view, image in zip(self.views, images, strict=True))
        return np.array([float(each) for each in alike])

    def with_some_elsewhere(
        self, posture: Posture, numbers: Collection[int]
    ) -> Callable[[np.ndarray], float]:
        """The similarity as a function of motions (K, 4, 4) that differ from the posture's in some bodies."""
        cameras = [view.camera.moved(self.pose(n, posture)) for n, view in enumerate(self.views)]
        behind = [self._image(number, posture, skip=numbers) for number in range(len(self.views))]

        def similarity(motions: np.ndarray) -> float:
            total = 0.0
            for view, camera, others in zip(self.views, cameras, behind, strict=True):
                image = others.clone()
                for number in numbers:
                    _add(image, _windows(self.parts.bodies[number], camera, motions[number]))
                total += float(view.comparison.similarity(image))
            return total / len(self.views)

        return similarity

    def with_few_free(self, posture: Posture, free: Sequence[int]) -> "JointProblem":
        """The same where only these bodies move: all else stays where ``posture`` has it."""
        result = copy(self)
        result.free, result.smoothness = tuple(free), np.zeros((0, 0))
        result._still = {
            number: _Still(posture.rigs[self._rig_of[number]], self._image(number, posture, free), None)
            for number in range(len(self.views))
        }
        return result

    def pose(self, number: int, posture: Posture) -> np.ndarray:
        return self.views[number].camera.camera_from_patient @ posture.rigs[self._rig_of[number]]

    def _image(self, number: int, posture: Posture, skip: Collection[int]) -> torch.Tensor:
        image, pose = self._remainder(number, posture), self.pose(number, posture)
        for body in set(self.free) - set(skip):
            _add(image, self._own(number, body, pose, posture.motions[body]))
        return image

    def _own(self, number: int, body: int, pose: np.ndarray, motion: np.ndarray) -> _Windows:
        """`_Drawn.windows` of a body; remembered, as mostly one body of many has moved."""
        drawn = self._drawn.get((number, body))
        if drawn is None or not np.array_equal(drawn.pose, pose @ motion):
            camera = self.views[number].camera.moved(pose)
            drawn = _Drawn(pose @ motion, _windows(self.parts.bodies[body], camera, motion))
            self._drawn[number, body] = drawn
        return drawn.windows

    def _view(self, number: int, posture: Posture) -> JointView:
        view, rig, pose = self.views[number], self._rig_of[number], self.pose(number, posture)
        centres = self.centres(posture)
        image = self._remainder(number, posture)
        by_rig = self._by_rig(number, pose) if rig and len(self.free) == len(centres) else None
        windows, unknowns = [], []
        for body_number in self.free:
            body = self.parts.bodies[body_number]
            seen = list(_seen(body.pieces, view.camera, pose @ posture.motions[body_number]))
            if not seen:
                continue
            by_body = _turn(pose, centres[body_number], image)
            for first, camera, piece in seen:
                drawn, jacobian = render_with_pose_jacobian(piece, camera)
                _part(image, first, drawn).add_(drawn)
                if by_rig is not None:
                    _part(by_rig, first, drawn).add_(jacobian)
                windows.append((body_number, Window(first, jacobian @ by_body)))
        merged = []
        for body_number in sorted({number for number, _ in windows}):
            merged.append(_merged([window for n, window in windows if n == body_number]))
            unknowns.append(np.arange(6 * body_number, 6 * body_number + 6))
        if by_rig is not None:
            merged.append(Window((0, 0), by_rig @ _turn(pose, centres.mean(axis=0), image)))
            unknowns.append(6 * (len(centres) + rig - 1) + np.arange(6))
        if len(self.smoothness):
            by_tissue = self._still[number].by_tissue
            merged.append(Window((0, 0), by_tissue))
            unknowns.append(6 * (len(centres) + len(posture.rigs) - 1) + np.arange(by_tissue.shape[-1]))
        equations = view.comparison.joint_equations(image, merged)
        return JointView(equations, np.concatenate(unknowns) if unknowns else np.zeros(0, int), image)

    def _remainder(self, number: int, posture: Posture) -> torch.Tensor:
        """[row, column] the DRR of what is no body; a copy."""
        motion = posture.rigs[self._rig_of[number]]
        still = self._still.get(number)
        if still is None or not np.array_equal(still.motion, motion):
            camera = self.views[number].camera.moved(self.pose(number, posture))
            by_tissue = self._by_tissue(camera) if len(self.smoothness) else None
            still = self._still[number] = _Still(motion, self.parts.still(camera), by_tissue)
        if still.by_tissue is None:
            return still.image.clone()
        return still.image + still.by_tissue @ torch.as_tensor((posture.shifts - self._shifts).ravel()).to(
            still.image
        )

    def _by_tissue(self, camera: Camera) -> torch.Tensor:
        """[row, column, 3 T] the derivative of the remainder's DRR by the shifts of its cells."""
        tissue = self.parts.tissue
        image = tissue.rest.values.new_zeros(*camera.size[::-1], len(tissue), 3)
        turn = torch.as_tensor(camera.camera_from_patient[:3, :3]).to(image)
        for number, (cell, shift) in enumerate(zip(tissue.cells(), self._shifts, strict=True)):
            for first, part, piece in _seen((cell,), camera, camera.camera_from_patient @ translation(shift)):
                _, jacobian = render_with_pose_jacobian(piece, part)
                _part(image, first, jacobian)[..., number, :] = jacobian[..., 3:] @ turn
        return image.flatten(-2)

    def _by_rig(self, number: int, pose: np.ndarray) -> torch.Tensor:
        """[row, column, 6] the derivative of the remainder's DRR by a twist left of the camera's pose."""
        view = self.views[number]
        if self.parts.rest is None:
            return view.image.new_zeros(*view.image.shape, 6)
        camera = view.camera.moved(pose)
        return render_with_pose_jacobian(self.parts.rest.matched(camera), camera)[1]


def composite(
    parts: Parts, camera: Camera, motions: Sequence[np.ndarray], skip: Collection[int] = ()
) -> torch.Tensor:
    """[row, column] the DRR of a patient whose bodies have moved.

    Args:
        camera: at the pose of the patient as a whole.
        motions: (4, 4) of each body.
        skip: the numbers of bodies that are left out.
    """
    image = parts.still(camera)
    for number in set(range(len(parts.bodies))) - set(skip):
        _add(image, _windows(parts.bodies[number], camera, motions[number]))
    return image


def _windows(body: Body, camera: Camera, motion: np.ndarray) -> _Windows:
    """First pixel and DRR of each of a body's pieces that a camera sees."""
    seen = _seen(body.pieces, camera, camera.camera_from_patient @ motion)
    return [(first, render(piece, part)) for first, part, piece in seen]


def _add(image: torch.Tensor, windows: _Windows) -> None:
    for first, drawn in windows:
        _part(image, first, drawn).add_(drawn)


def _turn(pose: np.ndarray, centre: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """(6, 6) from a derivative by a twist left of the camera's pose to one by a twist of the patient's.

    ``pose @ about(centre, twist) @ motion``: the adjoint moves the twist to the left.
    """
    return torch.as_tensor(adjoint(pose @ translation(centre))).to(like)


def _seen(pieces: Sequence[Density], camera: Camera, camera_from_rest: np.ndarray):
    """First pixel (column, row), the camera of the part of the image that holds it, and density, by piece."""
    moved = camera.moved(camera_from_rest)
    for piece in pieces:
        at = moved.project(piece.grid.corners_patient)
        if np.isnan(at).all():
            continue
        low, high = np.zeros(2), np.array(camera.size, float)
        if not np.isnan(at).any():
            low = np.clip(np.floor(at.min(axis=0)) - 1, 0, high)
            high = np.clip(np.ceil(at.max(axis=0)) + 2, 0, high)
        if not (high - low >= _FEWEST).all():
            continue
        first, size = tuple(low.astype(int).tolist()), tuple((high - low).astype(int).tolist())
        yield first, moved.cropped(first, size), piece.matched(moved)


def _part(image: torch.Tensor, first: tuple[int, int], window: torch.Tensor) -> torch.Tensor:
    """The part of an image [row, column, ...] on which a window [row, column, ...] lies."""
    (column, row), (rows, columns) = first, window.shape[:2]
    return image[row : row + rows, column : column + columns]


def _merged(windows: Sequence[Window]) -> Window:
    """One window around those of a body's pieces."""
    if len(windows) == 1:
        return windows[0]
    firsts = np.array([window.first for window in windows])
    ends = firsts + [window.jacobian.shape[1::-1] for window in windows]
    low, high = firsts.min(axis=0), ends.max(axis=0)
    whole = windows[0].jacobian.new_zeros(high[1] - low[1], high[0] - low[0], 6)
    for window, (column, row) in zip(windows, firsts - low, strict=True):
        rows, columns = window.jacobian.shape[:2]
        whole[row : row + rows, column : column + columns] += window.jacobian
    return Window((int(low[0]), int(low[1])), whole)
