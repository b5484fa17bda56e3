"""Motions by hand: every number worked out on a camera whose axes can be followed on paper."""

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import (
    Camera,
    Offsets,
    apply,
    depth_shift,
    exp_se3,
    is_rigid,
    motion_of,
    offsets_of,
    shift_by_drag,
    tilt_by_drag,
    turn_by_drag,
)

# Source 800 mm in front of the patient (at y = -800), beam to posterior: columns run to the patient's left
# (x), rows to the feet (-z), depth to posterior (y). 1000 mm to the detector, pixels of 0.5 x 0.25 mm.
K = np.array([[2000.0, 0, 100], [0, 4000, 50], [0, 0, 1]])
CAMERA = Camera(
    (200, 400), K, np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 800], [0, 0, 0, 1]]), 1000.0
)
AXIS = np.zeros(3)  # on the central ray, 800 mm deep: 0.4 mm per column, 0.2 mm per row
ASIDE = np.array([60.0, 0, -45.0])  # at (60, 45, 800) in the camera


def seen(motion, point):
    return CAMERA.moved(CAMERA.camera_from_patient @ motion).project(point)


def test_a_drag_takes_the_pivot_along_and_keeps_its_depth():
    motion = shift_by_drag(CAMERA, AXIS, (10, 20), (30, -20))
    # 20 columns of 0.4 mm to the patient's left, 40 rows of 0.2 mm towards the head.
    np.testing.assert_allclose(motion, [[1, 0, 0, 8], [0, 1, 0, 0], [0, 0, 1, 8], [0, 0, 0, 1]], atol=1e-12)
    before = CAMERA.project(ASIDE)
    after = seen(shift_by_drag(CAMERA, ASIDE, (10, 20), (30, -20)), ASIDE)
    np.testing.assert_allclose(after - before, [20, -40], atol=1e-9)


def test_depth_goes_along_the_ray_of_the_pivot():
    np.testing.assert_allclose(apply(depth_shift(CAMERA, AXIS, 30), AXIS), [0, 30, 0], atol=1e-12)
    # 60, 45, 800 goes on by a tenth of its length: 6 to the left, 4.5 to the feet, 80 deeper.
    motion = depth_shift(CAMERA, ASIDE, np.sqrt(60**2 + 45**2 + 800**2) / 10)
    np.testing.assert_allclose(apply(motion, ASIDE), [66, 80, -49.5], atol=1e-9)
    np.testing.assert_allclose(seen(motion, ASIDE), CAMERA.project(ASIDE), atol=1e-9)


def test_a_drag_around_the_pivot_turns_in_the_image():
    # The pivot is seen at (100, 50). From 10 mm right of it on the detector to 10 mm below: a quarter turn.
    motion = turn_by_drag(CAMERA, AXIS, (120, 50), (100, 90))
    # What lies to the patient's left goes towards the feet.
    np.testing.assert_allclose(apply(motion, [10, 0, 0]), [0, 0, -10], atol=1e-9)
    np.testing.assert_allclose(seen(motion, [8.0, 0, 0]), [100, 90], atol=1e-9)
    aside = CAMERA.project(ASIDE)
    motion = turn_by_drag(CAMERA, ASIDE, aside + [20, 0], aside + [0, 40])
    np.testing.assert_allclose(seen(motion, ASIDE), aside, atol=1e-9)
    np.testing.assert_allclose(seen(motion, ASIDE + [8, 0, 0]), aside + [0, 40], atol=1e-9)


@pytest.mark.parametrize(
    ("end", "near_goes_to"),
    [((50.0, 0.0), [5, 0, 0]), ((0.0, 50.0), [0, 0, -5]), ((0.0, -50.0), [0, 0, 5])],
    ids=["right", "down", "up"],
)
def test_a_drag_tilts_the_near_side_along_with_it(end, near_goes_to):
    # 50 of 400 pixels are an eighth of 120 degrees; the point 10 mm before the pivot moves by 10 sin 15.
    motion = tilt_by_drag(CAMERA, ASIDE, (0, 0), end)
    np.testing.assert_allclose(apply(motion, ASIDE), ASIDE, atol=1e-9)
    moved = apply(motion, ASIDE - [0, 10, 0]) - ASIDE
    sine, cosine = np.sin(np.radians(15)), np.cos(np.radians(15))
    np.testing.assert_allclose(moved, np.array(near_goes_to) * 2 * sine + [0, -10 * cosine, 0], atol=1e-9)


@pytest.mark.parametrize(
    ("offsets", "point", "expected"),
    [
        (Offsets(right_mm=3), [1, 2, 5], [4, 2, 5]),
        (Offsets(up_mm=3), [1, 2, 5], [1, 2, 8]),
        (Offsets(farther_mm=3), [1, 2, 5], [1, 5, 5]),
        (Offsets(turn_deg=90), [10, 0, 0], [0, 0, -10]),
        (Offsets(tilt_right_deg=90), [0, -10, 0], [10, 0, 0]),
        (Offsets(tilt_up_deg=90), [0, -10, 0], [0, 0, 10]),
        # First turned (left to the feet), then tilted up (the feet come to the front of the patient).
        (Offsets(turn_deg=90, tilt_up_deg=90), [10, 0, 0], [0, -10, 0]),
    ],
)
def test_each_offset_does_what_its_name_says(offsets, point, expected):
    np.testing.assert_allclose(apply(motion_of(CAMERA, AXIS, offsets), point), expected, atol=1e-9)


def test_offsets_come_back_from_their_motion():
    random = np.random.default_rng(0)
    for _ in range(50):
        numbers = random.uniform(-1, 1, 6) * [200, 200, 300, 180, 90, 180]
        offsets = Offsets(*numbers)
        motion = motion_of(CAMERA, ASIDE, offsets)
        assert is_rigid(motion, 1e-12)
        back = offsets_of(CAMERA, ASIDE, motion)
        np.testing.assert_allclose(list(vars(back).values()), numbers, atol=1e-8)


def test_any_motion_has_offsets():
    motion = exp_se3(np.array([1.5, -2.0, 0.4, 30, -20, 50]))
    np.testing.assert_allclose(motion_of(CAMERA, ASIDE, offsets_of(CAMERA, ASIDE, motion)), motion, atol=1e-9)


def test_a_pivot_behind_the_source_is_refused():
    with pytest.raises(InputError, match="behind the X-ray source"):
        shift_by_drag(CAMERA, np.array([0.0, -900, 0]), (0, 0), (1, 1))
