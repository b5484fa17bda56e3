"""Start poses from landmarks: points of the patient that were found again in the X-rays.

Some pairs may be wrong (a mislabelled vertebra). Poses of three pairs each are ranked by how well all
pairs agree with them (M. Fischler and R. Bolles, "Random sample consensus", 1981), and the best are
refined on all pairs by Levenberg-Marquardt with Cauchy's weights (P. Holland and R. Welsch, "Robust
regression using iteratively reweighted least-squares", 1977), then on the pairs that agree.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..geometry import Camera, about, apply, exp_se3

# A click counts as right within this angle at the source, rad: 5 mm on a detector at 1 m. Clicks on
# bone in fluoroscopy are off by about 2 mm there; 2.5 times that takes in nearly all of them.
_TOLERANCE = 0.005
_LEAST_PAIRS = 4  # three leave up to four poses
_LEAST_WIDTH = 0.03  # of their length: points closer to a line (1 mm per 30 mm) leave the turn about it open
_TRIPLES = 300  # all of up to 13 pairs; at 40 % wrong pairs, 65 of 300 random triples are right
_REFINED = 10  # so many are refined of those that come near all pairs, and of those that most agree with
_ROTATIONS = 500  # 98 % of all rotations have one of them within 30 degrees
_FAR = 1e6  # tolerances; stands for the error of a point behind the source in a loss


@dataclass(frozen=True)
class LandmarkPose:
    """Where a view lies by its landmarks.

    Attributes:
        camera_from_patient: (4, 4) rigid.
        errors_px: (n,) distance between the point in the X-ray and the projected one, pixel; infinite
            where the point lies behind the source.
        inliers: (n,) bool, the pairs that agree with the pose; the others were left out.
    """

    camera_from_patient: np.ndarray
    errors_px: np.ndarray
    inliers: np.ndarray


def pose_from_landmarks(
    camera: Camera, points_patient: np.ndarray, points_image: np.ndarray, *, tolerance_px: float | None = None
) -> LandmarkPose:
    """The pose of one view from at least four landmarks, some of which may be wrong.

    Four pairs have next to no redundancy: a gross error is mostly refused, but which of the four is
    wrong cannot be told, and a smaller error bends the pose unseen. One wrong pair among six or more is
    found out nearly always, among five not. X-ray beams are narrow, and so two mix-ups fit nearly as
    well as the truth: landmarks in one plane have a second, mirrored tilt (the one with the smaller
    errors is returned), and those of a mirrored image pass for the patient seen from behind.

    Args:
        camera: its size and K count; its pose is ignored.
        points_patient: (n, 3), patient, mm.
        points_image: (n, 2), (column, row), pixel, where they were found.
        tolerance_px: the largest error of a right pair, pixel. Without it 0.5 % of K's mean focal
            length, which is 5 mm on a detector 1 m from the source.

    Raises:
        InputError: for fewer than four pairs, points on a line, or if fewer than four pairs, or no more
            than half of them, agree with one pose in front of the source.
    """
    view = _view(camera.moved(np.eye(4)), points_patient, points_image, tolerance_px)
    return _landmark_pose(view, _solve([view]))


def rig_pose_from_landmarks(
    cameras: Sequence[Camera],
    points_by_view: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    tolerance_px: float | None = None,
) -> tuple[np.ndarray, tuple[LandmarkPose, ...]]:
    """One motion of the patient for views that keep their relative geometry.

    Views may have few landmarks or none, as long as all have four together; a landmark counts once in
    each view that shows it.

    Args:
        cameras: at their start poses, which only say how the views lie to each other.
        points_by_view: a view's points (n, 3), patient, mm, and (n, 2), (column, row), pixel.
        tolerance_px: as in `pose_from_landmarks`, for all views; without it by each view's own K.

    Returns:
        motion (4, 4), patient frame: camera_from_patient = start @ motion; and each view's pose.

    Raises:
        InputError: as `pose_from_landmarks`, with the pairs of all views counted together.
    """
    views = [
        _view(camera, points, pixels, tolerance_px)
        for camera, (points, pixels) in zip(cameras, points_by_view, strict=True)
    ]
    motion = _solve(views)
    return motion, tuple(_landmark_pose(view, motion) for view in views)


# --- The pairs of a view and their errors ---


@dataclass(frozen=True)
class _View:
    """A camera at its start and its pairs: points (n, 3), patient, mm, and pixels (n, 2)."""

    camera: Camera
    points: np.ndarray
    pixels: np.ndarray
    tolerance_px: float

    @property
    def rays(self) -> np.ndarray:
        """(n, 3) unit vectors from the source through the pixels, camera."""
        rays = self.camera.ray_directions(self.pixels)
        return rays / np.linalg.norm(rays, axis=-1, keepdims=True)

    def in_camera(self, motions: np.ndarray) -> np.ndarray:
        """The points (..., n, 3), camera, mm, after motions (..., 4, 4) of the patient."""
        poses = self.camera.camera_from_patient @ motions
        return self.points @ np.swapaxes(poses[..., :3, :3], -1, -2) + poses[..., None, :3, 3]

    def differences(self, motions: np.ndarray) -> np.ndarray:
        """Projected minus found (..., n, 2), pixel; infinite behind the source."""
        homogeneous = self.in_camera(motions) @ self.camera.K.T
        depth = homogeneous[..., 2:]
        in_front = depth > 0
        projected = homogeneous[..., :2] / np.where(in_front, depth, 1)
        return np.where(in_front, projected - self.pixels, np.inf)


def _view(camera: Camera, points, pixels, tolerance_px: float | None) -> _View:
    points, pixels = np.asarray(points, dtype=float), np.asarray(pixels, dtype=float)
    if points.shape != (len(points), 3) or pixels.shape != (len(points), 2):
        raise InputError(
            f"landmarks of shape {points.shape} and {pixels.shape}", remedy="they must be (n, 3) and (n, 2)"
        )
    if not (np.isfinite(points).all() and np.isfinite(pixels).all()):
        raise InputError("a landmark is NaN or infinite", remedy="leave it out")
    if tolerance_px is None:
        tolerance_px = _TOLERANCE * (camera.K[0, 0] + camera.K[1, 1]) / 2
    if not tolerance_px > 0:
        raise InputError(f"a tolerance of {tolerance_px:g} pixels", remedy="it must be positive")
    return _View(camera, points, pixels, tolerance_px)


def _landmark_pose(view: _View, motion: np.ndarray) -> LandmarkPose:
    errors = np.linalg.norm(view.differences(motion), axis=-1)
    return LandmarkPose(view.camera.camera_from_patient @ motion, errors, errors <= view.tolerance_px)


def _errors(views: Sequence[_View], motions: np.ndarray) -> np.ndarray:
    """The errors (..., pairs of all views), in tolerances, after motions (..., 4, 4)."""
    return np.concatenate(
        [np.linalg.norm(view.differences(motions), axis=-1) / view.tolerance_px for view in views], axis=-1
    )


def _loss(errors: np.ndarray) -> np.ndarray:
    """Cauchy's, summed over the pairs: a wrong pair hardly pulls, yet even far away some pull is left."""
    return np.log1p(np.minimum(errors, _FAR) ** 2).sum(axis=-1)


def _disagreement(errors: np.ndarray) -> np.ndarray:
    """Squares summed over the pairs; a wrong one costs 1, however wrong it is (the loss of MSAC)."""
    return (np.minimum(errors, 1) ** 2).sum(axis=-1)


# --- The search ---


def _solve(views: Sequence[_View]) -> np.ndarray:
    """The motion (4, 4) with which most pairs agree."""
    points = np.concatenate([view.points for view in views])
    pairs = sum(len(np.unique(view.points, axis=0)) for view in views)
    if pairs < _LEAST_PAIRS:
        raise InputError(
            f"{pairs} landmark(s), but even 3 leave up to four poses",
            remedy=f"give at least {_LEAST_PAIRS}, better 6 or more",
        )
    motions = _candidates(views)
    errors = _errors(views, motions)
    near = motions[np.argsort(_loss(errors), kind="stable")[:_REFINED]]
    agreed = motions[np.argsort(_disagreement(errors), kind="stable")[:_REFINED]]
    everything = np.ones(errors.shape[-1], dtype=bool)
    settled = [_settled(views, motion, everything) for motion in near]
    settled += [_settled(views, motion, _errors(views, motion) <= 1) for motion in agreed]
    motion = min(settled, key=lambda motion: _disagreement(_errors(views, motion)), default=np.eye(4))
    inliers = _errors(views, motion) <= 1
    count = int(inliers.sum())
    if count < _LEAST_PAIRS or 2 * count <= len(inliers):
        raise InputError(
            f"only {count} of {len(inliers)} landmarks agree with one pose in front of the source",
            remedy="check their labels and places, K, and whether the image is mirrored",
        )
    _check_spread(points[inliers])
    return motion


def _check_spread(points: np.ndarray) -> None:
    """Raise InputError for points (n, 3) on a line."""
    length, width, _ = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if width <= _LEAST_WIDTH * length:
        raise InputError(
            "the landmarks lie on one line, which leaves the turn about it open",
            remedy="add one that lies well beside it",
        )


def _settled(views: Sequence[_View], motion: np.ndarray, used: np.ndarray) -> np.ndarray:
    """A motion refined on the ``used`` pairs, then on those that agree with it until these stay the same."""
    for _ in range(10):
        if used.sum() < _LEAST_PAIRS:
            break
        motion = _refined(views, motion, used)
        agreeing = _errors(views, motion) <= 1
        if (agreeing == used).all():
            break
        used = agreeing
    return motion


def _refined(views: Sequence[_View], motion: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Levenberg-Marquardt on the ``used`` pairs, by twists on the left of the motion (4, 4).

    Twists turn about the middle of the points, and turns are measured by the arc at a typical point,
    so that all six numbers are mm.
    """
    points = np.concatenate([view.points for view in views])[used]
    radius_mm = max(math.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()), 1.0)
    loss, damping = _loss(_errors(views, motion)[used]), 1e-3
    for _ in range(50):
        centre = apply(motion, points.mean(axis=0))
        hessian, gradient = _normal_equations(views, motion, used, centre, radius_mm)
        floor = 1e-12 * np.trace(hessian) + 1e-30  # keeps the system solvable whatever the points
        step = -np.linalg.solve(hessian + np.diag(damping * np.diag(hessian) + floor), gradient)
        candidate = about(centre, step / np.repeat([radius_mm, 1], 3)) @ motion
        candidate_loss = _loss(_errors(views, candidate)[used])
        if candidate_loss < loss:
            motion, loss, damping = candidate, candidate_loss, damping / 10
        else:
            damping = max(damping, 1e-6) * 10
        if np.abs(step).max() < 1e-9:
            break
    return motion


def _normal_equations(
    views: Sequence[_View], motion: np.ndarray, used: np.ndarray, centre: np.ndarray, radius_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Hessian (6, 6) and gradient (6,) of the weighted squares by a twist about ``centre``, in mm."""
    rows, residuals = [], []
    for view in views:
        x, y, z = view.in_camera(motion).T
        z = np.where(z > 0, z, np.inf)  # a point behind the source has no derivative
        (fx, skew, _), (_, fy, _), _ = view.camera.K
        zero = np.zeros_like(z)
        pixel_by_camera = np.moveaxis(
            np.array([[fx / z, skew / z, -(fx * x + skew * y) / z**2], [zero, fy / z, -fy * y / z**2]]), 2, 0
        )
        arms = (apply(motion, view.points) - centre) / radius_mm
        turns = np.cross(np.eye(3), arms[:, None])  # (n, 3, 3): [n, k] is the shift by a turn about axis k
        patient_by_twist = np.concatenate([turns.swapaxes(1, 2), np.tile(np.eye(3), (len(z), 1, 1))], axis=2)
        rotation = view.camera.camera_from_patient[:3, :3]
        rows.append(pixel_by_camera @ rotation @ patient_by_twist / view.tolerance_px)
        residuals.append(view.differences(motion) / view.tolerance_px)
    jacobian, residual = np.concatenate(rows), np.concatenate(residuals)
    weights = used / (1 + (residual**2).sum(axis=1))  # zero where the error is infinite
    residual = np.where(np.isfinite(residual), residual, 0)
    weighted = weights[:, None, None] * jacobian
    return np.einsum("nij,nik->jk", weighted, jacobian), np.einsum("nij,ni->j", weighted, residual)


# --- Candidates ---


def _candidates(views: Sequence[_View]) -> np.ndarray:
    """Motions (m, 4, 4) to start from.

    A view with three pairs gives some. Views that have fewer each, such as three with two, have enough
    together: for a rig, rotations of every kind are tried as well.
    """
    motions = [_of_view(view) for view in views]
    return np.concatenate(motions if len(views) == 1 else [*motions, _of_rotations(views)])


def _of_view(view: _View) -> np.ndarray:
    """Motions (m, 4, 4) by the pairs of one view, three at a time."""
    rays = view.rays
    poses = [three_point_poses(rays[triple], view.points[triple]) for triple in _triples(len(view.points))]
    return view.camera.patient_from_camera @ np.concatenate([np.zeros((0, 4, 4)), *poses])


def _triples(count: int) -> Iterable[list[int]]:
    """Three of ``count`` numbers: all such, or where they are too many random ones, always the same."""
    if math.comb(count, 3) <= _TRIPLES:
        return map(list, itertools.combinations(range(count), 3))
    random = np.random.default_rng(0)
    return (random.choice(count, 3, replace=False).tolist() for _ in range(_TRIPLES))


def three_point_poses(rays: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Poses (m, 4, 4) that bring three points (3, 3) onto unit rays (3, 3), camera, from the source.

    Grunert's quartic for v = s3 / s1 of the distances s from the source (R. Haralick et al., "Review
    and analysis of solutions of the three point perspective pose estimation problem", 1994, equation
    9), then both u = s2 / s1 from the law of cosines, which unlike Grunert's quotient is defined for
    isosceles triangles too. One u of the two is mostly wrong, and a complex pair of roots, made by
    noise from a real one, gives its real part: the ranking sorts such poses out.
    """
    cos_a, cos_b, cos_c = rays[1] @ rays[2], rays[0] @ rays[2], rays[0] @ rays[1]
    a, b, c = (((points[i] - points[j]) ** 2).sum() for i, j in ((1, 2), (0, 2), (0, 1)))
    if min(a, b, c) == 0:
        return np.zeros((0, 4, 4))
    p, q = (a - c) / b, (a + c) / b
    quartic = [
        (p - 1) ** 2 - 4 * c / b * cos_a**2,
        4 * (p * (1 - p) * cos_b - (1 - q) * cos_a * cos_c + 2 * c / b * cos_a**2 * cos_b),
        2 * (p**2 * (1 + 2 * cos_b**2) - 1)
        + 4 * ((1 - c / b) * cos_a**2 + (1 - a / b) * cos_c**2 - 2 * q * cos_a * cos_b * cos_c),
        4 * (-p * (1 + p) * cos_b + 2 * a / b * cos_c**2 * cos_b - (1 - q) * cos_a * cos_c),
        (1 + p) ** 2 - 4 * a / b * cos_c**2,
    ]
    v = np.roots(quartic).real
    third = 1 + v**2 - 2 * v * cos_b  # the side b between first and third point, by s1
    root = np.sqrt(np.maximum(cos_c**2 - 1 + c / b * third, 0))
    first = np.sqrt(b / np.maximum(third, 1e-12))  # 0 where two points share a pixel
    ratios = [np.stack([np.ones_like(v), cos_c + sign * root, v], axis=-1) for sign in (-1, 1)]
    distances = np.concatenate([first[:, None] * ratio for ratio in ratios])
    distances = distances[(distances > 0).all(axis=1)]
    return _rigid(points, distances[..., None] * rays)


def _rigid(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """b_from_a (..., 4, 4) of points a, b (..., n, 3): W. Kabsch (1976), never a mirror image."""
    middle_a, middle_b = a.mean(axis=-2, keepdims=True), b.mean(axis=-2, keepdims=True)
    u, _, vt = np.linalg.svd(np.swapaxes(b - middle_b, -1, -2) @ (a - middle_a))
    u[..., 2] *= np.linalg.det(u @ vt)[..., None]
    b_from_a = np.zeros((*u.shape[:-2], 4, 4))
    b_from_a[..., :3, :3] = u @ vt
    b_from_a[..., :3, 3:] = np.swapaxes(middle_b - middle_a @ np.swapaxes(u @ vt, -1, -2), -1, -2)
    b_from_a[..., 3, 3] = 1
    return b_from_a


def _of_rotations(views: Sequence[_View]) -> np.ndarray:
    """Motions (m, 4, 4): rotations of every kind, each with the shift that brings points nearest to rays.

    Of a point in the camera frame, the part across its ray must vanish, which is linear in the shift.
    """
    across, sources, moved = [], [], []
    rotations = _random_rotations()
    for view in views:
        rays = view.rays
        camera_from_patient = view.camera.camera_from_patient[:3, :3]
        across.append((np.eye(3) - rays[:, :, None] * rays[:, None]) @ camera_from_patient)
        sources.append(np.broadcast_to(view.camera.source_patient, rays.shape))
        moved.append(view.points @ rotations.swapaxes(1, 2))
    # across @ (rotation point + shift - source) = 0 for every pair, all in the patient frame
    by_shift = np.concatenate(across).reshape(-1, 3)
    from_source = np.concatenate(moved, axis=1) - np.concatenate(sources)
    constant = np.einsum("nij,mnj->mni", np.concatenate(across), from_source)
    shifts = -constant.reshape(len(rotations), -1) @ np.linalg.pinv(by_shift).T
    motions = np.tile(np.eye(4), (len(rotations), 1, 1))
    motions[:, :3, :3], motions[:, :3, 3] = rotations, shifts
    return motions


def _random_rotations() -> np.ndarray:
    """(m, 3, 3), evenly spread and always the same: K. Shoemake, "Uniform random rotations" (1992)."""
    q = np.random.default_rng(0).normal(size=(_ROTATIONS, 4))
    length = np.linalg.norm(q[:, 1:], axis=1, keepdims=True)
    vectors = 2 * np.arctan2(length, q[:, :1]) / length * q[:, 1:]
    return np.array([exp_se3([*vector, 0, 0, 0])[:3, :3] for vector in vectors])
