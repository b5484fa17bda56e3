"""Errors against a known truth, exact to a billionth of a millimetre.

An error compares where the same patient point lies under the two poses, `camera_from_patient @ p`. Taking
the inverse by mistake, `patient_from_camera @ p`, fails here: for these numbers it answers 11 mm instead of 0
for the isocenter under a 1 degree orbit, and 0.8 instead of 12.2 mm for a 1 degree turn about the source.
"""

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.evaluate import projection_distance, reprojection_distance, tre
from xrayreg.geometry import Camera, CArm, about, apply, exp_se3, inverse, translation

ONE_DEGREE = np.radians(1)
ISOCENTER = np.array([20.0, -30, 40])
TRUTH = CArm(1000.0, 700.0, 25, -10, 5, tuple(ISOCENTER)).camera((1001, 801), (0.5, 0.8), (480, 420))
EXACT = 1e-9


def moved_in_camera(motion):
    """TRUTH with the patient moved, in the camera's axes."""
    return TRUTH.moved(motion @ TRUTH.camera_from_patient)


def patient_point(x, y, z):
    """The patient point that TRUTH sees at (x, y, z) in its camera frame."""
    return apply(TRUTH.patient_from_camera, np.array([[x, y, z]], dtype=float))


def test_no_error_is_no_distance():
    points = np.random.default_rng(0).normal(0, 50, (10, 3)) + ISOCENTER
    assert (tre(points, TRUTH.camera_from_patient, TRUTH.camera_from_patient) == 0).all()
    assert (projection_distance(points, TRUTH, TRUTH) == 0).all()
    assert (reprojection_distance(points, TRUTH, TRUTH) < EXACT).all()


def test_a_one_degree_orbit_moves_a_target_50_mm_from_its_axis_by_the_chord_and_the_isocenter_not():
    # About the patient's z through the isocenter; 50 mm beside it: 2 * 50 * sin(0.5 deg) = 0.872654 mm.
    orbit = TRUTH.camera_from_patient @ about(ISOCENTER, [0, 0, ONE_DEGREE, 0, 0, 0])
    points = ISOCENTER + np.array([[0, 0, 0], [50, 0, 0], [30, 40, 0], [0, 50, 77], [0, 0, 77]])
    chord = 2 * 50 * np.sin(ONE_DEGREE / 2)
    assert chord == pytest.approx(0.872654, abs=1e-6)
    errors = tre(points, orbit, TRUTH.camera_from_patient)
    np.testing.assert_allclose(errors, [0, chord, chord, chord, 0], atol=EXACT)
    # The mistake takes the isocenter for a camera point, which is near the source; and the source orbits.
    wrong = apply(inverse(orbit), ISOCENTER) - apply(TRUTH.patient_from_camera, ISOCENTER)
    assert np.linalg.norm(wrong) > 10


def test_a_one_degree_turn_about_the_source_moves_a_target_by_the_chord_of_its_distance():
    # At 700 mm: 2 * 700 * sin(0.5 deg) = 12.217 mm; on the axis of the turn: 0. The inverse takes isocenter
    # (20, -30, 40) for a camera point, hypot(20, 40) mm from the axis: 0.78 mm, a sixteenth.
    turn = exp_se3([0, ONE_DEGREE, 0, 0, 0, 0])
    estimated = moved_in_camera(turn).camera_from_patient
    points = np.vstack([ISOCENTER, patient_point(300, 0, 400), patient_point(0, 90, 0)])
    expected = [2 * 700 * np.sin(ONE_DEGREE / 2), 2 * 500 * np.sin(ONE_DEGREE / 2), 0]
    assert expected[0] == pytest.approx(12.2171, abs=1e-4)
    np.testing.assert_allclose(tre(points, estimated, TRUTH.camera_from_patient), expected, atol=EXACT)


@pytest.mark.parametrize("frame", ["patient", "camera"])
def test_a_pure_shift_is_the_same_error_everywhere(frame):
    # |(3, -4, 12)| = 13.
    shift = translation([3, -4, 12])
    truth = TRUTH.camera_from_patient
    estimated = truth @ shift if frame == "patient" else shift @ truth
    points = np.random.default_rng(0).normal(0, 200, (20, 3))
    np.testing.assert_allclose(tre(points, estimated, truth), 13, atol=EXACT)


def test_a_shift_across_the_view_is_magnified_on_the_detector():
    # 5 mm across at 700 mm, detector at 1000 mm: 5 * 1000 / 700 = 7.142857 mm, in whatever direction the
    # 0.5 x 0.8 mm pixels are crossed.
    for x, y in [(5, 0), (0, 5), (3, -4)]:
        distance = projection_distance(ISOCENTER[None], moved_in_camera(translation([x, y, 0])), TRUTH)
        np.testing.assert_allclose(distance, [50 / 7], atol=EXACT)


def test_projection_distance_grows_towards_the_source():
    # At 500 mm: twice 5 mm.
    distance = projection_distance(patient_point(10, 20, 500), moved_in_camera(translation([3, 4, 0])), TRUTH)
    np.testing.assert_allclose(distance, [10], atol=EXACT)


def test_projection_distance_needs_the_distance_to_the_detector():
    unknown = Camera(TRUTH.size, TRUTH.K, TRUTH.camera_from_patient)
    with pytest.raises(InputError, match="source-to-detector"):
        projection_distance(ISOCENTER[None], unknown, unknown)


def test_reprojection_distance_of_a_shift_across_the_view():
    # True at (0, 0, 700), shown on the ray through (5, 0, 700). The distance of the former from that ray is
    # the height of the triangle: 700 * 5 / sqrt(700^2 + 5^2) = 4.999872.
    distance = reprojection_distance(ISOCENTER[None], moved_in_camera(translation([5, 0, 0])), TRUTH)
    np.testing.assert_allclose(distance, [3500 / np.hypot(700, 5)], atol=EXACT)
    assert distance[0] == pytest.approx(4.999872, abs=1e-6)


def test_a_depth_shift_is_no_reprojection_distance_on_the_central_ray_but_all_of_the_tre():
    estimated = moved_in_camera(translation([0, 0, 70]))
    np.testing.assert_allclose(reprojection_distance(ISOCENTER[None], estimated, TRUTH), [0], atol=EXACT)
    np.testing.assert_allclose(projection_distance(ISOCENTER[None], estimated, TRUTH), [0], atol=EXACT)
    errors = tre(ISOCENTER[None], estimated.camera_from_patient, TRUTH.camera_from_patient)
    np.testing.assert_allclose(errors, [70], atol=EXACT)


def test_a_depth_shift_off_the_central_ray_shows_as_the_little_it_moves_the_image():
    # (70, 0, 700) moved to (70, 0, 770) is shown at slope 1 / 11. Distance of (70, 700) from that ray:
    # |70 * 11 - 700 * 1| / sqrt(1 + 121) = 70 / sqrt(122) = 6.337502; on the detector
    # 1000 * (1 / 10 - 1 / 11) = 9.090909 mm.
    point, estimated = patient_point(70, 0, 700), moved_in_camera(translation([0, 0, 70]))
    reprojection = reprojection_distance(point, estimated, TRUTH)
    np.testing.assert_allclose(reprojection, [70 / np.sqrt(122)], atol=EXACT)
    np.testing.assert_allclose(projection_distance(point, estimated, TRUTH), [100 / 11], atol=EXACT)


def test_a_turn_about_the_source_is_seen_in_full_by_the_view():
    # The ray itself turns by 1 degree: 700 * sin(1 deg) = 12.216684; on the detector 1000 * tan(1 deg).
    estimated = moved_in_camera(exp_se3([0, ONE_DEGREE, 0, 0, 0, 0]))
    reprojection = reprojection_distance(ISOCENTER[None], estimated, TRUTH)
    np.testing.assert_allclose(reprojection, [700 * np.sin(ONE_DEGREE)], atol=EXACT)
    projection = projection_distance(ISOCENTER[None], estimated, TRUTH)
    np.testing.assert_allclose(projection, [1000 * np.tan(ONE_DEGREE)], atol=EXACT)


def test_a_point_behind_the_source_has_no_error_in_the_image():
    behind = patient_point(0, 0, -10)
    assert np.isnan(projection_distance(behind, TRUTH, TRUTH)).all()
    assert np.isnan(reprojection_distance(behind, TRUTH, TRUTH)).all()
