"""Rigid motions: closed forms, round trips at every angle, and what is no rigid motion."""

import numpy as np
import pytest
from xrayreg.geometry import (
    about,
    adjoint,
    apply,
    exp_se3,
    inverse,
    is_rigid,
    log_se3,
    rotation_angle_deg,
    translation,
)

QUARTER = np.pi / 2
# A quarter turn about z, then (1, 2, 3): x goes to y, y to -x.
TURN_AND_SHIFT = np.array([[0.0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]])


def random_twists(count, largest_angle=np.pi, seed=0):
    """Twists of random axis, of angles up to ``largest_angle`` and shifts of some 100 mm."""
    rng = np.random.default_rng(seed)
    axes = rng.normal(size=(count, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    angles = rng.uniform(0, largest_angle, (count, 1))
    return np.hstack([axes * angles, rng.normal(0, 100, (count, 3))])


def power_series(twist):
    """exp of a twist as the plain sum of x^n / n!, without any closed form."""
    (x, y, z), v = twist[:3], twist[3:]
    generator = np.array([[0, -z, y, v[0]], [z, 0, -x, v[1]], [-y, x, 0, v[2]], [0, 0, 0, 0]])
    term, total = np.eye(4), np.eye(4)
    for n in range(1, 40):
        term = term @ generator / n
        total = total + term
    return total


def test_a_twist_without_rotation_is_a_shift():
    np.testing.assert_array_equal(exp_se3([0, 0, 0, 1, 2, 3]), translation([1, 2, 3]))
    np.testing.assert_array_equal(log_se3(translation([1, 2, 3])), [0, 0, 0, 1, 2, 3])


def test_a_quarter_turn_about_z_while_moving_along_x_ends_at_1_1():
    # Speed pi/2 along the moving x axis while turning pi/2: a quarter of a circle of radius 1 from
    # (0, 0), heading for x, ends at (1, 1). Along z nothing turns: 5 stays 5.
    expected = [[0, -1, 0, 1], [1, 0, 0, 1], [0, 0, 1, 5], [0, 0, 0, 1]]
    np.testing.assert_allclose(exp_se3([0, 0, QUARTER, QUARTER, 0, 5]), expected, atol=1e-15)
    np.testing.assert_allclose(log_se3(expected), [0, 0, QUARTER, QUARTER, 0, 5], atol=1e-15)


def test_a_half_turn_while_moving_ends_a_diameter_away():
    # Half of a circle of circumference 2 pi, from (0, 0) heading for x and turning to y: (0, 2).
    expected = [[-1, 0, 0, 0], [0, -1, 0, 2], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(exp_se3([0, 0, np.pi, np.pi, 0, 0]), expected, atol=1e-15)


def test_exp_is_the_power_series():
    for twist in random_twists(20):
        np.testing.assert_allclose(exp_se3(twist), power_series(twist), atol=1e-11)


@pytest.mark.parametrize("angle", [1e-3, 1.0001e-4, 0.9999e-4, 1e-6, 1e-12])
def test_exp_is_the_power_series_of_small_turns(angle):
    # 1e-4 is where the closed form hands over to its Taylor series.
    twist = np.array([0.6 * angle, 0, -0.8 * angle, 300.0, -200, 100])
    np.testing.assert_allclose(exp_se3(twist), power_series(twist), atol=1e-12)


def test_log_undoes_exp():
    for twist in random_twists(200, np.pi - 1e-3):
        np.testing.assert_allclose(log_se3(exp_se3(twist)), twist, rtol=0, atol=1e-9)


@pytest.mark.parametrize("angle", [1e-3, 1.0001e-4, 0.9999e-4, 1e-6, 1e-9, 1e-12, 0.0])
def test_log_undoes_exp_near_zero(angle):
    for twist in random_twists(20, 0):
        twist[:3] = angle * np.array([2, -1, 2]) / 3
        recovered = log_se3(exp_se3(twist))
        np.testing.assert_allclose(recovered[:3], twist[:3], rtol=0, atol=1e-15)
        np.testing.assert_allclose(recovered[3:], twist[3:], rtol=0, atol=1e-12)


@pytest.mark.parametrize("below", [1e-2, 1e-4, 1e-6, 1e-8, 1e-10])
def test_log_undoes_exp_just_below_a_half_turn(below):
    axes = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [2 / 3, -1 / 3, 2 / 3], [-0.6, 0, -0.8]]
    for axis in axes:
        twist = np.array([*((np.pi - below) * np.array(axis)), 10, -20, 30])
        np.testing.assert_allclose(log_se3(exp_se3(twist)), twist, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    "axis", [[1, 0, 0], [0, 1, 0], [0, 0, 1], [2 / 3, -1 / 3, 2 / 3], [0.6, 0.8, 0], [0, -0.6, 0.8]]
)
def test_log_of_exactly_a_half_turn_is_pi_about_either_sense_of_its_axis(axis):
    motion = np.eye(4)
    motion[:3, :3] = 2 * np.outer(axis, axis) - np.eye(3)  # half a turn about a unit axis
    motion[:3, 3] = [10, -20, 30]
    twist = log_se3(motion)
    assert np.linalg.norm(twist[:3]) == pytest.approx(np.pi, abs=1e-12)
    assert abs(twist[:3] @ axis) == pytest.approx(np.pi, abs=1e-12)
    np.testing.assert_allclose(exp_se3(twist), motion, atol=1e-12)


def test_adjoint_carries_a_twist_to_the_other_side():
    for a, x in zip(random_twists(20, seed=1), random_twists(20, seed=2), strict=True):
        a_from_b = exp_se3(a)
        left = exp_se3(adjoint(a_from_b) @ x) @ a_from_b
        np.testing.assert_allclose(left, a_from_b @ exp_se3(x), atol=1e-9)


def test_adjoint_of_a_product_is_the_product():
    a, b = map(exp_se3, random_twists(2))
    np.testing.assert_allclose(adjoint(a @ b), adjoint(a) @ adjoint(b), atol=1e-9)


def test_seen_from_a_frame_shifted_by_x_a_turn_about_z_also_moves_along_minus_y():
    # t x omega = (1, 0, 0) x (0, 0, 1) = (0, -1, 0).
    twist = adjoint(translation([1, 0, 0])) @ [0, 0, 1, 0, 0, 0]
    np.testing.assert_array_equal(twist, [0, 0, 1, 0, -1, 0])


def test_a_quarter_turn_about_a_centre_leaves_the_centre_and_moves_the_origin_around_it():
    # The origin lies at (-1, 0, 0) from the centre (1, 0, 0); turned: (0, -1, 0); so it comes to (1, -1, 0).
    motion = about([1, 0, 0], [0, 0, QUARTER, 0, 0, 0])
    np.testing.assert_allclose(apply(motion, [1, 0, 0]), [1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(apply(motion, [0, 0, 0]), [1, -1, 0], atol=1e-15)


def test_a_shift_about_any_centre_is_the_same_shift():
    np.testing.assert_allclose(about([7, 8, 9], [0, 0, 0, 1, 2, 3]), translation([1, 2, 3]), atol=1e-15)


def test_apply_by_hand():
    # (10, 20, 30) turned a quarter: (-20, 10, 30); then + (1, 2, 3).
    np.testing.assert_array_equal(apply(TURN_AND_SHIFT, [10, 20, 30]), [-19, 12, 33])
    points = np.tile([10.0, 20, 30], (4, 5, 1))
    assert apply(TURN_AND_SHIFT, points).shape == (4, 5, 3)
    assert (apply(TURN_AND_SHIFT, points) == [-19, 12, 33]).all()


def test_inverse_by_hand():
    # R^T = x to -y, y to x; -R^T (1, 2, 3) = -(2, -1, 3).
    expected = [[0, 1, 0, -2], [-1, 0, 0, 1], [0, 0, 1, -3], [0, 0, 0, 1]]
    np.testing.assert_array_equal(inverse(TURN_AND_SHIFT), expected)
    np.testing.assert_array_equal(inverse(TURN_AND_SHIFT) @ TURN_AND_SHIFT, np.eye(4))


@pytest.mark.parametrize("degrees", [0, 1e-6, 1, 90, 179.999999, 180])
def test_rotation_angle(degrees):
    motion = exp_se3([*(np.radians(degrees) * np.array([2, -1, 2]) / 3), 1, 2, 3])
    assert rotation_angle_deg(motion) == pytest.approx(degrees, abs=1e-9)


def test_a_rigid_motion_is_rigid_also_when_written_with_six_decimals():
    for twist in random_twists(20):
        assert is_rigid(exp_se3(twist))
        assert is_rigid(np.round(exp_se3(twist), 6))


def changed(row, column, value):
    transform = np.eye(4)
    transform[row, column] = value
    return transform


@pytest.mark.parametrize(
    "transform",
    [
        pytest.param(np.diag([-1.0, 1, 1, 1]), id="mirrored in x"),
        pytest.param(np.diag([-1.0, -1, -1, 1]), id="mirrored in the origin"),
        pytest.param(np.eye(4)[[1, 0, 2, 3]], id="two axes exchanged"),
        pytest.param(np.diag([1.001, 1.001, 1.001, 1]), id="scaled by a thousandth"),
        pytest.param(np.diag([2.0, 0.5, 1, 1]), id="stretched, determinant 1"),
        pytest.param(changed(0, 1, 0.01), id="sheared"),
        pytest.param(changed(3, 0, 0.1), id="perspective row"),
        pytest.param(changed(3, 3, 2), id="homogeneous 2"),
        pytest.param(changed(0, 3, np.nan), id="NaN"),
        pytest.param(changed(0, 3, np.inf), id="infinite"),
        pytest.param(np.eye(3), id="3x3"),
        pytest.param(np.zeros((4, 4)), id="zeros"),
    ],
)
def test_what_is_no_rigid_motion(transform):
    assert not is_rigid(transform)
