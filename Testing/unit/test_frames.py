"""RAS and LPS, DICOM's C-arm angles, and the detector's place: every number worked out by hand."""

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import (
    LPS_FROM_RAS,
    Camera,
    CArm,
    apply,
    carm_from_camera,
    detector_from_image,
    exp_se3,
    flip_ras_lps,
    patient_from_detector,
    ras_from_lps,
    rotation_angle_deg,
)

QUARTER = np.pi / 2
ISOCENTER = (5.0, -10.0, 20.0)


def test_ras_and_lps_differ_in_the_sign_of_the_first_two_axes():
    # 10 mm to the left, 20 to posterior, 30 to superior in LPS is -10 to the right, -20 to anterior.
    np.testing.assert_array_equal(flip_ras_lps([10, 20, 30]), [-10, -20, 30])
    np.testing.assert_array_equal(flip_ras_lps([[1, 2, 3], [-4, 5, 6]]), [[-1, -2, 3], [4, -5, 6]])
    np.testing.assert_array_equal(apply(LPS_FROM_RAS, [10, 20, 30]), [-10, -20, 30])


def test_a_turn_about_z_is_the_same_in_ras_and_its_shift_is_flipped():
    lps = exp_se3([0, 0, QUARTER, 0, 0, 0])
    lps[:3, 3] = [1, 2, 3]
    expected = [[0, -1, 0, -1], [1, 0, 0, -2], [0, 0, 1, 3], [0, 0, 0, 1]]
    np.testing.assert_allclose(ras_from_lps(lps), expected, atol=1e-15)


def test_a_turn_about_x_is_the_opposite_turn_in_ras():
    # LPS: posterior (y) to superior (z). RAS: anterior is -posterior, so -y to z, that is y to -z.
    expected = exp_se3([-QUARTER, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(ras_from_lps(exp_se3([QUARTER, 0, 0, 0, 0, 0])), expected, atol=1e-15)


def test_ras_from_lps_maps_flipped_points_to_flipped_points():
    motion = exp_se3([0.3, -0.2, 0.9, 10, 20, 30])
    points = np.array([[1.0, 2, 3], [-40, 50, 60]])
    flipped = apply(ras_from_lps(motion), flip_ras_lps(points))
    np.testing.assert_allclose(flipped, flip_ras_lps(apply(motion, points)), atol=1e-12)


# Source 700 mm from the isocenter, detector 1000 mm from the source, so 300 mm beyond the isocenter.
# L, P, S: the patient's left, posterior, superior. c, s: cosine and sine.
C30, S30 = 0.8660254037844386, 0.5
C20, S20 = 0.9396926207859084, 0.3420201433256687
CARMS = [
    # Frontal: source behind the back, detector before the chest; columns to the right, rows to the feet.
    pytest.param((0, 0, 0), [-1, 0, 0], [0, 0, -1], [0, -1, 0], id="frontal"),
    # Detector at the patient's left; columns to anterior.
    pytest.param((90, 0, 0), [0, -1, 0], [0, 0, -1], [1, 0, 0], id="LAO 90"),
    # Detector at the patient's right; columns to posterior.
    pytest.param((-90, 0, 0), [0, 1, 0], [0, 0, -1], [-1, 0, 0], id="RAO 90"),
    # Detector at the head; rows, to the feet before, now to anterior.
    pytest.param((0, 90, 0), [-1, 0, 0], [0, -1, 0], [0, 0, 1], id="cranial 90"),
    # Detector at the feet; rows to posterior.
    pytest.param((0, -90, 0), [-1, 0, 0], [0, 1, 0], [0, 0, -1], id="caudal 90"),
    # z: sin 30 of cos 20 to the left, cos 30 of cos 20 to anterior, sin 20 to superior. x stays across the
    # body: (-cos 30, -sin 30, 0). y = z cross x = (s20 s30, -s20 c30, -c20).
    pytest.param(
        (30, 20, 0),
        [-C30, -S30, 0],
        [S20 * S30, -S20 * C30, -C20],
        [S30 * C20, -C30 * C20, S20],
        id="LAO 30 CRAN 20",
    ),
    # Frontal, turned about z by a quarter: x goes where y was (feet), y where -x was (left).
    pytest.param((0, 0, 90), [0, 0, -1], [1, 0, 0], [0, -1, 0], id="tertiary 90"),
]


def carm(angles, isocenter=ISOCENTER):
    return CArm(1000.0, 700.0, *angles, isocenter=isocenter)


@pytest.mark.parametrize(("angles", "x", "y", "z"), CARMS)
def test_axes_source_and_detector_of_a_carm(angles, x, y, z):
    camera = carm(angles).camera((101, 81), (0.5, 0.4))
    expected = np.stack([x, y, z], axis=1)
    np.testing.assert_allclose(camera.patient_from_camera[:3, :3], expected, atol=1e-12)
    np.testing.assert_allclose(camera.source_patient, ISOCENTER - 700 * np.array(z), atol=1e-9)
    detector = patient_from_detector(camera)
    np.testing.assert_allclose(detector[:3, 3], ISOCENTER + 300 * np.array(z), atol=1e-9)
    np.testing.assert_allclose(detector[:3, :3], expected, atol=1e-12)


@pytest.mark.parametrize(
    ("angles", "column", "row"),
    [
        # The point lies 14 mm to the left, 0 to posterior and 7 mm to superior of the isocenter. The image
        # centre is (50, 40); fx = 1000 / 0.5 = 2000, fy = 1000 / 0.4 = 2500.
        # Frontal: camera (-14, -7, 700): 50 - 14 * 2000 / 700, 40 - 7 * 2500 / 700.
        ((0, 0, 0), 10.0, 15.0),
        # LAO 90: (0, -7, 700 + 14): 50, 40 - 7 * 2500 / 714.
        ((90, 0, 0), 50.0, 40 - 17500 / 714),
        # RAO 90: (0, -7, 700 - 14): 50, 40 - 7 * 2500 / 686.
        ((-90, 0, 0), 50.0, 40 - 17500 / 686),
        # Cranial 90: (-14, 0, 700 + 7): 50 - 14 * 2000 / 707, 40.
        ((0, 90, 0), 50 - 28000 / 707, 40.0),
        # Tertiary 90: (-7, 14, 700): 50 - 7 * 2000 / 700, 40 + 14 * 2500 / 700.
        ((0, 0, 90), 30.0, 90.0),
        # LAO 30 CRAN 20: x = -14 c30 = -12.12436; y = 14 s20 s30 - 7 c20 = 2.39414 - 6.57785 = -4.18371;
        # z = 700 + 14 s30 c20 + 7 s20 = 700 + 6.57785 + 2.39414 = 708.97199;
        # 50 - 12.12436 * 2000 / 708.97199 = 15.79734; 40 - 4.18371 * 2500 / 708.97199 = 25.24726.
        ((30, 20, 0), 15.79734, 25.24726),
    ],
)
def test_pixel_of_a_patient_point(angles, column, row):
    camera = carm(angles).camera((101, 81), (0.5, 0.4))
    pixel = camera.project(np.array(ISOCENTER) + [14, 0, 7])
    np.testing.assert_allclose(pixel, [column, row], atol=1e-4)


@pytest.mark.parametrize(("angles", "x", "y", "z"), CARMS)
def test_the_isocenter_lies_on_the_principal_point_at_every_angle(angles, x, y, z):
    camera = carm(angles).camera((101, 81), (0.5, 0.4), (12.5, 70))
    np.testing.assert_allclose(camera.project(ISOCENTER), [12.5, 70], atol=1e-9)


def test_a_principal_point_in_the_first_pixel_is_not_taken_for_none():
    assert carm((0, 0, 0)).camera((101, 81), (0.5, 0.4), (0.0, 0.0)).K[:2, 2].tolist() == [0, 0]


def test_the_angles_of_a_camera_are_those_it_was_made_with():
    rng = np.random.default_rng(0)
    for _ in range(100):
        primary, tertiary = rng.uniform(-179, 179, 2)
        made = CArm(
            1020.0, 750.0, primary, rng.uniform(-89, 89), tertiary, isocenter=tuple(rng.normal(0, 100, 3))
        )
        found = carm_from_camera(made.camera((101, 81), (0.5, 0.4)), 750.0)
        angles = [found.primary_deg, found.secondary_deg, found.tertiary_deg]
        expected = [made.primary_deg, made.secondary_deg, made.tertiary_deg]
        np.testing.assert_allclose(angles, expected, atol=1e-9)
        np.testing.assert_allclose(found.isocenter, made.isocenter, atol=1e-9)
        assert (found.source_to_detector_mm, found.source_to_isocenter_mm) == (1020.0, 750.0)


def test_any_camera_pose_is_some_carm():
    rng = np.random.default_rng(1)
    K = np.diag([2000.0, 2500, 1])
    for _ in range(100):
        pose = exp_se3(np.concatenate([rng.normal(0, 2, 3), rng.normal(0, 300, 3)]))
        found = carm_from_camera(Camera((101, 81), K, pose, 1000.0), 600.0)
        np.testing.assert_allclose(found.camera_from_patient, pose, atol=1e-9)
        assert -90 <= found.secondary_deg <= 90


@pytest.mark.parametrize("angles", [(0, 90, 0), (40, 90, 10), (0, -90, 0), (-70, -90, 25)])
def test_straight_from_the_head_or_feet_the_pose_is_kept_though_its_angles_are_not_unique(angles):
    made = carm(angles)
    found = carm_from_camera(made.camera((101, 81), (0.5, 0.4)), 700.0)
    difference = found.camera_from_patient @ np.linalg.inv(made.camera_from_patient)
    assert rotation_angle_deg(difference) < 1e-5  # arcsin at 1 keeps half of the digits
    np.testing.assert_allclose(found.camera_from_patient, made.camera_from_patient, atol=1e-4)


@pytest.mark.parametrize("distance", [0.0, -700.0, 1000.0, 1200.0])
def test_the_isocenter_must_lie_between_source_and_detector(distance):
    with pytest.raises(InputError, match="must lie between 0 and the source-to-detector distance 1000 mm"):
        CArm(1000.0, distance, 0, 0)


# Pixels of 0.3 x 0.4 mm, the central ray off the middle: on pixel (10, 70).
OFF_CENTRE = CArm(1000.0, 700.0, 0, 0).camera((101, 81), (0.3, 0.4), (10.0, 70.0))


def test_pixels_on_the_detector_by_hand():
    # Pixel (0, 0) lies 10 columns of 0.3 mm and 70 rows of 0.4 mm before the central ray; pixel (100, 80)
    # 90 columns and 10 rows behind it.
    image = detector_from_image(OFF_CENTRE)
    np.testing.assert_allclose(apply(image, [0, 0, 0]), [-3, -28, 0], atol=1e-12)
    np.testing.assert_allclose(apply(image, [100, 80, 0]), [27, 4, 0], atol=1e-12)
    np.testing.assert_allclose(apply(image, [10, 70, 2]), [0, 0, 2], atol=1e-12)


def test_the_first_pixel_in_the_patient_by_hand():
    # The detector is 300 mm before the isocenter (y = -300), its columns run to the right (-x) and its
    # rows to the feet (-z): (-3, -28) on it is 3 mm to the left and 28 mm to the head.
    patient_from_image = patient_from_detector(OFF_CENTRE) @ detector_from_image(OFF_CENTRE)
    np.testing.assert_allclose(apply(patient_from_image, [0, 0, 0]), [3, -300, 28], atol=1e-9)


@pytest.mark.parametrize("pixel", [(0, 0), (100, 80), (37, 11)])
@pytest.mark.parametrize("angles", [(0, 0, 0), (30, 20, 0), (-75, 12, 130)])
def test_a_pixel_on_the_detector_lies_on_its_own_ray(angles, pixel):
    camera = carm(angles).camera((101, 81), (0.3, 0.4), (10.0, 70.0))
    place = apply(patient_from_detector(camera) @ detector_from_image(camera), [*pixel, 0])
    np.testing.assert_allclose(camera.project(place), pixel, atol=1e-9)
    assert apply(camera.camera_from_patient, place)[2] == pytest.approx(1000)


def test_slanted_pixels_have_no_place_in_a_scene():
    skewed = Camera((101, 81), [[2000, 3, 50], [0, 2500, 40], [0, 0, 1]], np.eye(4), 1000.0)
    with pytest.raises(InputError, match="skew"):
        detector_from_image(skewed)


@pytest.mark.parametrize("place", [patient_from_detector, detector_from_image])
def test_a_detector_at_unknown_distance_has_no_place(place):
    with pytest.raises(InputError, match="source-to-detector distance of this view is unknown"):
        place(Camera((101, 81), np.diag([2000.0, 2500, 1]), np.eye(4)))
