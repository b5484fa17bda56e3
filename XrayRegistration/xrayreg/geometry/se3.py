"""Rigid motions: exponential, logarithm and adjoint of SE(3).

A twist is a 6-vector (omega, v): omega in rad, v in mm. Transforms are 4x4 float64 arrays named
`a_from_b`, so that ``p_a = a_from_b @ p_b``. Closed forms: J. Sola et al., "A micro Lie theory for
state estimation in robotics" (2018), equations 134 (Rodrigues), 172-175 (SE(3)).
"""

import numpy as np

_SMALL_ANGLE = 1e-4  # rad; below it the Taylor series is exact to double precision


def hat(omega: np.ndarray) -> np.ndarray:
    """The 3x3 matrix with ``hat(omega) @ x == cross(omega, x)``."""
    x, y, z = omega
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _series(angle: float) -> tuple[float, float, float]:
    """sin(t)/t, (1 - cos(t))/t^2 and (t - sin(t))/t^3, without cancellation near zero."""
    if angle < _SMALL_ANGLE:
        square = angle * angle
        return 1 - square / 6, 0.5 - square / 24, 1 / 6 - square / 120
    half_sine = np.sin(angle / 2)
    return (
        np.sin(angle) / angle,
        2 * half_sine * half_sine / angle**2,
        (angle - np.sin(angle)) / angle**3,
    )


def exp_se3(twist: np.ndarray) -> np.ndarray:
    """The rigid motion (4, 4) of a twist (6,) = (omega in rad, v in mm)."""
    twist = np.asarray(twist, dtype=float)
    omega, v = twist[:3], twist[3:]
    a, b, c = _series(float(np.linalg.norm(omega)))
    w = hat(omega)
    motion = np.eye(4)
    motion[:3, :3] = np.eye(3) + a * w + b * w @ w
    motion[:3, 3] = (np.eye(3) + b * w + c * w @ w) @ v
    return motion


def log_se3(motion: np.ndarray) -> np.ndarray:
    """The twist (6,) with ``exp_se3(twist) == motion``; rotation angle in [0, pi]."""
    rotation, translation = np.asarray(motion)[:3, :3], np.asarray(motion)[:3, 3]
    omega = log_so3(rotation)
    angle = float(np.linalg.norm(omega))
    _, b, c = _series(angle)
    w = hat(omega)
    left_jacobian = np.eye(3) + b * w + c * w @ w
    return np.concatenate([omega, np.linalg.solve(left_jacobian, translation)])


def log_so3(rotation: np.ndarray) -> np.ndarray:
    """The rotation vector (3,), rad, of a rotation matrix (3, 3), through its unit quaternion.

    The quaternion is stable at every angle, also near pi, where the antisymmetric part vanishes
    (S. W. Shepperd, "Quaternion from rotation matrix", 1978).
    """
    r = np.asarray(rotation, dtype=float)
    # Rows of 4*q*q^T; the one with the largest diagonal is free of cancellation.
    outer = np.array(
        [
            [1 + r[0, 0] + r[1, 1] + r[2, 2], r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1]],
            [r[2, 1] - r[1, 2], 1 + r[0, 0] - r[1, 1] - r[2, 2], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0]],
            [r[0, 2] - r[2, 0], r[0, 1] + r[1, 0], 1 - r[0, 0] + r[1, 1] - r[2, 2], r[1, 2] + r[2, 1]],
            [r[1, 0] - r[0, 1], r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], 1 - r[0, 0] - r[1, 1] + r[2, 2]],
        ]
    )
    quaternion = outer[np.argmax(np.diag(outer))]
    quaternion = quaternion / np.linalg.norm(quaternion)
    if quaternion[0] < 0:
        quaternion = -quaternion
    sine = float(np.linalg.norm(quaternion[1:]))
    if sine < 1e-9:
        return 2 * quaternion[1:]
    return 2 * np.arctan2(sine, quaternion[0]) / sine * quaternion[1:]


def adjoint(a_from_b: np.ndarray) -> np.ndarray:
    """The 6x6 matrix with ``a_from_b @ exp_se3(x) == exp_se3(adjoint(a_from_b) @ x) @ a_from_b``."""
    rotation, translation = a_from_b[:3, :3], a_from_b[:3, 3]
    result = np.zeros((6, 6))
    result[:3, :3] = result[3:, 3:] = rotation
    result[3:, :3] = hat(translation) @ rotation
    return result


def inverse(a_from_b: np.ndarray) -> np.ndarray:
    """``b_from_a`` of a rigid transform (4, 4), exactly orthogonal where the input is."""
    b_from_a = np.eye(4)
    b_from_a[:3, :3] = a_from_b[:3, :3].T
    b_from_a[:3, 3] = -a_from_b[:3, :3].T @ a_from_b[:3, 3]
    return b_from_a


def translation(offset: np.ndarray) -> np.ndarray:
    """The pure shift (4, 4) by ``offset`` (3,), mm."""
    shift = np.eye(4)
    shift[:3, 3] = offset
    return shift


def apply(a_from_b: np.ndarray, points_b: np.ndarray) -> np.ndarray:
    """Points (..., 3) of b in a, for a rigid or affine 4x4 transform."""
    return np.asarray(points_b) @ a_from_b[:3, :3].T + a_from_b[:3, 3]


def about(centre: np.ndarray, twist: np.ndarray) -> np.ndarray:
    """The motion of ``twist`` turned about ``centre`` (3,) instead of about the origin."""
    return translation(centre) @ exp_se3(twist) @ translation(-np.asarray(centre))


def rotation_angle_deg(a_from_b: np.ndarray) -> float:
    """The angle of the rotation part, degrees, in [0, 180]."""
    return float(np.degrees(np.linalg.norm(log_so3(a_from_b[:3, :3]))))


def is_rigid(transform: np.ndarray, tolerance: float = 1e-4) -> bool:
    """Whether a 4x4, or each of (..., 4, 4), is a proper rigid motion.

    That is: finite, orthogonal within ``tolerance`` per entry, determinant > 0, last row (0, 0, 0, 1).
    """
    t = np.asarray(transform, dtype=float)
    if t.ndim < 2 or t.shape[-2:] != (4, 4) or not np.isfinite(t).all():
        return False
    rotation = t[..., :3, :3]
    gram = rotation @ np.swapaxes(rotation, -1, -2)
    return bool(
        (np.abs(t[..., 3, :] - [0, 0, 0, 1]) <= 1e-8).all()
        and (np.abs(gram - np.eye(3)) <= tolerance).all()
        and (np.linalg.det(rotation) > 0).all()
    )


def nearest_rigid(transform: np.ndarray) -> np.ndarray:
    """The rigid motion (4, 4) nearest to one that has drifted by rounding, as products of many do."""
    result = transform.copy()
    result[:3, :3] = nearest_rotation(transform[:3, :3])
    return result


def nearest_rotation(matrix: np.ndarray) -> np.ndarray:
    """The rotation (3, 3) nearest to any matrix (3, 3); of a sum of rotations, their chordal mean.

    K. S. Arun et al., "Least-squares fitting of two 3-D point sets", 1987, with Umeyama's sign, 1991.
    """
    u, _, vt = np.linalg.svd(matrix)
    return u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
