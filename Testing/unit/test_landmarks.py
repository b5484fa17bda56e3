"""Poses from landmarks: exact ones from exact pairs, sound ones from clicks, none from what gives none."""

from dataclasses import replace

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import Camera, CArm, about, apply, exp_se3, inverse, is_rigid, translation
from xrayreg.register import landmarks, pose_from_landmarks, rig_pose_from_landmarks

# --- Worked out by hand ---

# A camera whose x, y, z are the patient's y, z, x, with the patient's origin 500 mm in front of it, so
# that (x, y, z) projects to u = 100 + fx y / (500 + x), v = 50 + fy z / (500 + x).
POSE = np.array([[0.0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 500], [0, 0, 0, 1]])
POINTS = np.array([[0.0, 0, 0], [0, 50, 0], [0, 0, -25], [-100, 40, 20], [300, 80, -40], [-100, 0, 0]])
BY_FOCAL_LENGTHS = {
    (1000, 1000): [[100, 50], [200, 50], [100, 0], [200, 100], [200, 0], [100, 50]],
    (1000, 500): [[100, 50], [200, 50], [100, 25], [200, 75], [200, 25], [100, 50]],
    (2000, 500): [[100, 50], [300, 50], [100, 25], [300, 75], [300, 25], [100, 50]],
}


def by_hand(fx=1000, fy=1000) -> Camera:
    """Principal point in the upper left, no distance to the detector, at a pose that means nothing."""
    return Camera((640, 480), [[fx, 0, 100], [0, fy, 50], [0, 0, 1]], exp_se3([1, 2, -1, 30, 20, -900]))


@pytest.mark.parametrize("count", [4, 5, 6])
@pytest.mark.parametrize("focal_lengths", BY_FOCAL_LENGTHS)
def test_the_pose_is_found_whatever_k(focal_lengths, count):
    pixels = BY_FOCAL_LENGTHS[focal_lengths][:count]
    found = pose_from_landmarks(by_hand(*focal_lengths), POINTS[:count], pixels)
    np.testing.assert_allclose(found.camera_from_patient, POSE, atol=1e-6)
    assert is_rigid(found.camera_from_patient, 1e-12)
    np.testing.assert_allclose(found.errors_px, 0, atol=1e-6)
    assert found.inliers.tolist() == [True] * count


def test_a_skew_of_the_pixels_counts():
    camera = Camera((640, 480), [[1000, 200, 100], [0, 1000, 50], [0, 0, 1]], np.eye(4))
    # u grows by 200 z / (500 + x) = 0.2 (v - 50).
    pixels = [[100, 50], [200, 50], [90, 0], [210, 100], [190, 0]]
    found = pose_from_landmarks(camera, POINTS[:5], pixels)
    np.testing.assert_allclose(found.camera_from_patient, POSE, atol=1e-6)


def test_a_square_seen_head_on():
    """Isosceles triangles, for which one of Grunert's formulas is 0 / 0; in one plane, too."""
    square = [[-50, -50, 0], [50, -50, 0], [50, 50, 0], [-50, 50, 0]]
    pixels = [[0, -50], [200, -50], [200, 150], [0, 150]]
    found = pose_from_landmarks(by_hand(), square, pixels)
    np.testing.assert_allclose(found.camera_from_patient, translation([0, 0, 500]), atol=1e-5)


def test_the_error_of_a_wrong_pair_is_its_distance_in_pixels():
    pixels = np.array(BY_FOCAL_LENGTHS[1000, 1000], dtype=float)
    points = np.r_[POINTS, [[200.0, 70, 35]]]  # projects to (200, 100)
    found = pose_from_landmarks(by_hand(), points, [*pixels, [230, 140]])  # (30, 40) away
    assert found.inliers.tolist() == [True] * 6 + [False]
    assert found.errors_px[6] == pytest.approx(50, abs=1e-5)
    np.testing.assert_allclose(found.camera_from_patient, POSE, atol=1e-6)


def test_a_point_behind_the_source_is_infinitely_wrong():
    points = np.r_[POINTS, [[-600.0, 10, 10]]]  # 100 mm behind; the formula would give (0, -50)
    found = pose_from_landmarks(by_hand(), points, [*BY_FOCAL_LENGTHS[1000, 1000], [0, -50]])
    assert found.inliers.tolist() == [True] * 6 + [False]
    assert found.errors_px[6] == np.inf
    np.testing.assert_allclose(found.camera_from_patient, POSE, atol=1e-6)


@pytest.mark.parametrize(
    ("off_px", "tolerance_px", "agrees"), [(4, None, True), (8, None, False), (8, 10, True), (4, 2, False)]
)
def test_a_click_counts_as_right_within_half_a_percent_of_the_focal_length_or_what_is_given(
    off_px, tolerance_px, agrees
):
    """5 mm on a detector at 1 m: 5 pixels for a focal length of 1000."""
    points = np.concatenate([POINTS, POINTS * [-1, 1, -1] + [0, 3, 0]])
    camera = by_hand().moved(POSE)
    pixels = camera.project(points)
    pixels[4, 0] += off_px
    found = pose_from_landmarks(camera, points, pixels, tolerance_px=tolerance_px)
    assert found.inliers[4] == agrees
    assert np.delete(found.inliers, 4).all()


# --- The parts that must be exact ---


@pytest.mark.parametrize("isosceles", [False, True])
def test_the_true_pose_is_among_those_of_three_points(isosceles):
    for seed in range(20):
        points = np.random.default_rng(seed).uniform(-60, 60, size=(3, 3))
        points[:, 0] -= 200
        if isosceles:  # in front of the source, at one distance from it
            points = np.array([[-200.0, 0, 0], [-200, 40 + seed, 0], [-200, 0, 40 + seed]])
        in_camera = apply(POSE, points)
        poses = landmarks.three_point_poses(
            in_camera / np.linalg.norm(in_camera, axis=1, keepdims=True), points
        )
        assert all(is_rigid(pose, 1e-9) for pose in poses)
        # The quartic of a narrow triangle has nearly equal roots, which cost half of the digits.
        assert np.abs(poses - POSE)[:, :3, 3].max(axis=1).min() < 0.1  # mm


def test_the_derivative_is_that_of_the_loss():
    """Two views with different pixels, one of them slanted; one pair far off."""
    random = np.random.default_rng(0)
    points = random.uniform(-100, 100, size=(6, 3))
    views = [
        landmarks._view(Camera((640, 480), K, pose), points, random.uniform(0, 300, size=(6, 2)), None)
        for K, pose in (
            ([[1000, 0, 100], [0, 900, 50], [0, 0, 1]], POSE),
            ([[3000, 400, 200], [0, 2500, 90], [0, 0, 1]], translation([20, -10, 900])),
        )
    ]
    motion, centre, radius_mm = exp_se3([0.2, -0.1, 0.3, 4, 5, -6]), np.array([3.0, 9, -5]), 70.0
    used = np.arange(12) != 4

    def loss(step):
        moved = about(centre, step / np.repeat([radius_mm, 1], 3)) @ motion
        return landmarks._loss(landmarks._errors(views, moved)[used])

    _, gradient = landmarks._normal_equations(views, motion, used, centre, radius_mm)
    numeric = [(loss(1e-4 * axis) - loss(-1e-4 * axis)) / 2e-4 for axis in np.eye(6)]
    np.testing.assert_allclose(2 * gradient, numeric, rtol=1e-5, atol=1e-8)


# --- Clicks on fluoroscopy ---

CENTRE = np.array([15.0, -120, 300])
C_ARM = CArm(1000, 700, 20, -15, 5, isocenter=tuple(CENTRE))
TRUTH = C_ARM.camera((1024, 1024), (0.3, 0.3))
CLICK_PX = 2 / 0.3 / np.sqrt(2)  # 2 mm on the detector in the root of the mean square


def clicked(count, seed, camera=TRUTH, noise_px=CLICK_PX):
    """Landmarks spread over 120 mm and clicks on them, none off by more than two standard deviations."""
    random = np.random.default_rng(seed)
    points = CENTRE + random.uniform(-60, 60, size=(count, 3))
    return points, camera.project(points) + noise_px * random.normal(size=(count, 2)).clip(-2, 2)


def errors_mm(found, points, camera=TRUTH):
    """Mean distance of the landmarks from their true places: across the beam and along it."""
    shift = apply(found.camera_from_patient, points) - apply(camera.camera_from_patient, points)
    return np.linalg.norm(shift[:, :2], axis=1).mean(), np.abs(shift[:, 2]).mean()


@pytest.mark.parametrize(("count", "across_mm", "along_mm"), [(6, 3, 40), (12, 1.5, 20), (40, 1, 10)])
def test_clicks_give_a_start_that_gets_better_with_their_number(count, across_mm, along_mm):
    for seed in range(4):
        points, pixels = clicked(count, seed)
        found = pose_from_landmarks(TRUTH, points, pixels)
        across, along = errors_mm(found, points)
        assert across < across_mm
        assert along < along_mm
        assert found.inliers.all()


@pytest.mark.parametrize("count", [10, 20])
def test_30_percent_wrong_pairs_are_named_and_left_out(count):
    wrong = np.arange(0, count, 10 // 3)[: 3 * count // 10]
    for seed in range(4):
        points, pixels = clicked(count, seed)
        turn = np.random.default_rng(seed).uniform(0, 2 * np.pi, len(wrong))
        pixels[wrong] += np.linspace(60, 300, len(wrong))[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
        found = pose_from_landmarks(TRUTH, points, pixels)
        assert np.flatnonzero(~found.inliers).tolist() == wrong.tolist()
        right = np.delete(np.arange(count), wrong)
        alone = pose_from_landmarks(TRUTH, points[right], pixels[right])
        np.testing.assert_allclose(found.camera_from_patient, alone.camera_from_patient, atol=1e-4)


def test_two_labels_swapped():
    points, pixels = clicked(8, seed=1)
    pixels[[2, 5]] = pixels[[5, 2]]
    found = pose_from_landmarks(TRUTH, points, pixels)
    assert np.flatnonzero(~found.inliers).tolist() == [2, 5]


def test_the_same_pairs_give_the_same_pose():
    points, pixels = clicked(20, seed=2)  # so many that triples are drawn at random
    first, again = (pose_from_landmarks(TRUTH, points, pixels) for _ in range(2))
    np.testing.assert_array_equal(first.camera_from_patient, again.camera_from_patient)


# --- What gives no pose ---


def refused(points, pixels, camera=TRUTH, **options) -> str:
    with pytest.raises(InputError) as error:
        pose_from_landmarks(camera, points, pixels, **options)
    message = str(error.value)
    assert "\n" not in message
    assert " - " in message  # the remedy
    return message


@pytest.mark.parametrize("count", [0, 1, 3])
def test_three_pairs_leave_several_poses(count):
    points, pixels = clicked(count, seed=0)
    assert f"{count} landmark(s), but even 3 leave up to four poses" in refused(points, pixels)


def test_a_pair_given_twice_counts_once():
    points, pixels = clicked(3, seed=0)
    assert "3 landmark(s)" in refused(points[[0, 1, 2, 2]], pixels[[0, 1, 2, 2]])


@pytest.mark.parametrize("beside_mm", [0, 0.5])
def test_points_on_a_line(beside_mm):
    points = CENTRE + np.outer(np.linspace(-60, 60, 6), [0.6, 0, 0.8])
    points[::2, 1] += beside_mm
    assert "on one line" in refused(points, TRUTH.project(points))


def test_points_on_a_line_but_for_a_wrong_one():
    points = CENTRE + np.outer(np.linspace(-60, 60, 6), [0.6, 0, 0.8])
    points[3, 1] += 40
    pixels = TRUTH.project(points)
    pixels[3] += 300
    assert "on one line" in refused(points, pixels)


def test_four_pairs_of_which_one_is_far_off():
    points, pixels = clicked(4, seed=3, noise_px=0)
    pixels[1] += [250, -200]
    assert "only 3 of 4 landmarks agree" in refused(points, pixels)


def test_a_minority_that_agrees_proves_nothing():
    points, pixels = clicked(12, seed=4, noise_px=0)
    pixels[:6] += np.random.default_rng(4).uniform(-300, 300, size=(6, 2))
    assert "of 12 landmarks agree" in refused(points, pixels)


def close_up(count, seed):
    """Points spread over 400 mm at 500 mm: in a wide beam, front and back look different."""
    return np.random.default_rng(seed).uniform(-200, 200, size=(count, 3))


@pytest.mark.parametrize("count", [8, 12])
def test_a_mirrored_image_in_a_wide_beam(count):
    points = close_up(count, seed=0)
    pixels = by_hand().moved(POSE).project(points)
    pixels[:, 0] = 639 - pixels[:, 0]
    assert "whether the image is mirrored" in refused(points, pixels, by_hand())


def test_a_patient_behind_the_source():
    """The formula of projection knows no front and back."""
    points = close_up(8, seed=1)
    homogeneous = apply(translation([0, 0, -1000]) @ POSE, points) @ by_hand().K.T
    assert (homogeneous[:, 2] < 0).all()
    message = refused(points, homogeneous[:, :2] / homogeneous[:, 2:], by_hand())
    assert "in front of the source" in message


def test_what_is_no_list_of_pairs():
    points, pixels = clicked(6, seed=0)
    assert "NaN" in refused(points, np.full_like(pixels, np.nan))
    assert "(6, 3) and (5, 2)" in refused(points, pixels[:5])
    assert "(6, 2) and (6, 2)" in refused(points[:, :2], pixels)
    assert "0 pixels" in refused(points, pixels, tolerance_px=0)


# --- Views that keep their relative geometry ---

MOTION = about(CENTRE, [1.5, -0.8, 2.0, 400, -150, 80])
ANGLES = ((0, 0), (90, 0), (45, 30))


def rig(count=3):
    """Cameras as they were and, with the patient moved back, as the rig starts."""
    cameras = [
        replace(C_ARM, primary_deg=primary, secondary_deg=secondary).camera((1024, 1024), (0.3, 0.3))
        for primary, secondary in ANGLES[:count]
    ]
    return cameras, [camera.moved(camera.camera_from_patient @ inverse(MOTION)) for camera in cameras]


def seen(cameras, numbers_by_view, seed, noise_px=0.0):
    """Which of the patient's landmarks are clicked in each view."""
    random = np.random.default_rng(seed)
    points = CENTRE + random.uniform(-60, 60, size=(12, 3))
    return [
        (
            points[numbers],
            camera.project(points[numbers]) + noise_px * random.normal(size=(len(numbers), 2)).clip(-2, 2),
        )
        for camera, numbers in zip(cameras, numbers_by_view, strict=True)
    ]


@pytest.mark.parametrize(
    "numbers_by_view",
    [
        [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]],
        [[0, 1, 2, 3, 4, 5], []],
        [[0, 1, 2], [3, 4, 5]],
        [[0, 1, 2], [0, 1, 2]],
        [[0, 1, 2], [3]],
        [[0, 1], [2, 3], [4, 5]],
        [[0, 1], [1, 2], [2, 0]],
    ],
)
def test_one_motion_from_the_landmarks_of_all_views(numbers_by_view):
    cameras, starts = rig(len(numbers_by_view))
    pairs = seen(cameras, numbers_by_view, seed=0)
    motion, found = rig_pose_from_landmarks(starts, pairs)
    np.testing.assert_allclose(motion, MOTION, atol=1e-5)
    for view, start, camera, numbers in zip(found, starts, cameras, numbers_by_view, strict=True):
        np.testing.assert_allclose(view.camera_from_patient, start.camera_from_patient @ motion, atol=1e-9)
        np.testing.assert_allclose(view.camera_from_patient, camera.camera_from_patient, atol=1e-5)
        assert view.inliers.tolist() == [True] * len(numbers)
        np.testing.assert_allclose(view.errors_px, 0, atol=1e-5)


def test_two_views_leave_no_doubt_about_depth():
    cameras, starts = rig(2)
    for seed in range(3):
        pairs = seen(cameras, [range(6), range(6)], seed, CLICK_PX)
        motion, _ = rig_pose_from_landmarks(starts, pairs)
        shift = apply(motion, pairs[0][0]) - apply(MOTION, pairs[0][0])
        assert np.linalg.norm(shift, axis=1).mean() < 2


def test_wrong_pairs_are_named_in_their_view():
    cameras, starts = rig()
    for seed in range(3):
        pairs = seen(cameras, [range(4), range(2, 6), range(4, 8)], seed, CLICK_PX)
        pairs[0][1][2] += [150, 80]
        pairs[2][1][1] += [-40, 120]
        _, found = rig_pose_from_landmarks(starts, pairs)
        assert [view.inliers.tolist() for view in found] == [
            [True, True, False, True],
            [True] * 4,
            [True, False, True, True],
        ]


def test_each_view_has_the_tolerance_of_its_own_pixels():
    """The same click, 3 mm off on the detector, is 10 pixels of 0.3 mm or 2 of 1.5 mm."""
    cameras, starts = rig(2)
    cameras[1], starts[1] = (
        replace(c, size=(205, 205), K=np.diag([0.2, 0.2, 1]) @ c.K) for c in (cameras[1], starts[1])
    )
    pairs = seen(cameras, [range(6), range(6)], seed=1)
    pairs[0][1][0, 0] += 10
    pairs[1][1][0, 0] += 2
    _, found = rig_pose_from_landmarks(starts, pairs)
    assert all(view.inliers.all() for view in found)
    pairs[1][1][0, 0] += 8  # 15 mm
    _, found = rig_pose_from_landmarks(starts, pairs)
    assert [view.inliers.sum() for view in found] == [6, 5]


@pytest.mark.parametrize(
    ("numbers_by_view", "says"),
    [
        ([[0, 1], [0]], "3 landmark(s)"),
        ([[], []], "0 landmark(s)"),
        ([[0, 1], [0, 1]], "on one line"),
    ],
)
def test_too_little_for_a_rig(numbers_by_view, says):
    cameras, starts = rig(2)
    with pytest.raises(InputError) as error:
        rig_pose_from_landmarks(starts, seen(cameras, numbers_by_view, seed=0))
    assert says in str(error.value)
    assert " - " in str(error.value)


def test_a_rig_whose_views_are_confused():
    cameras, starts = rig(2)
    pairs = seen(cameras, [range(5), range(5)], seed=0)
    with pytest.raises(InputError, match="of 10 landmarks agree with one pose"):
        rig_pose_from_landmarks(starts, pairs[::-1])
