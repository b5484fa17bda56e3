"""Projection by hand, the half-pixel rules of crops and bins, and what is no camera."""

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import Camera, CArm, apply, exp_se3, intrinsics, inverse, translation

# Columns 0.5 mm, rows 0.8 mm, detector at 1000 mm: fx = 1000 / 0.5 = 2000, fy = 1000 / 0.8 = 1250.
K = np.array([[2000.0, 0, 30.5], [0, 1250, 200], [0, 0, 1]])
CAMERA = Camera((400, 300), K, translation([0, 0, 800]), 1000.0)  # patient origin 800 mm before the source


def test_intrinsics_by_hand():
    np.testing.assert_array_equal(intrinsics(1000.0, (0.5, 0.8), (30.5, 200)), K)


def test_projection_by_hand():
    # (8, 16, 0) lies at (8, 16, 800) in the camera: u = 30.5 + 2000 * 8 / 800 = 50.5,
    # v = 200 + 1250 * 16 / 800 = 225. At (8, 16, 200), 1000 mm away: 30.5 + 16, 200 + 20.
    points = [[8, 16, 0], [8, 16, 200], [0, 0, 123]]
    np.testing.assert_allclose(CAMERA.project(points), [[50.5, 225], [46.5, 220], [30.5, 200]])


def test_skew_moves_columns_with_rows():
    skewed = Camera((400, 300), K + [[0, 125, 0], [0, 0, 0], [0, 0, 0]], CAMERA.camera_from_patient)
    # + 125 * 16 / 800 = 2.5 columns.
    np.testing.assert_allclose(skewed.project([8, 16, 0]), [53, 225])
    np.testing.assert_allclose(skewed.ray_directions([53, 225]), [0.01, 0.02, 1], atol=1e-15)


def test_a_point_at_or_behind_the_source_has_no_image():
    image = CAMERA.project([[8, 16, 0], [8, 16, -800], [8, 16, -801]])
    np.testing.assert_array_equal(np.isnan(image), [[False, False], [True, True], [True, True]])


def test_ray_directions_by_hand_and_back():
    # Pixel (50.5, 225): (20 / 2000, 25 / 1250, 1).
    np.testing.assert_allclose(CAMERA.ray_directions([50.5, 225]), [0.01, 0.02, 1], atol=1e-15)
    np.testing.assert_allclose(CAMERA.ray_directions([30.5, 200]), [0, 0, 1], atol=1e-15)
    pixels = np.random.default_rng(0).uniform(-50, 450, (6, 7, 2))
    on_rays = CAMERA.ray_directions(pixels) * 640.0
    np.testing.assert_allclose(CAMERA.project(apply(CAMERA.patient_from_camera, on_rays)), pixels, atol=1e-9)


def test_source_in_the_patient():
    np.testing.assert_array_equal(CAMERA.source_patient, [0, 0, -800])
    # A quarter turn about z (x to y, y to -x) and 800 forward; the source is R^T (0, 0, -800) = itself;
    # with (10, 20, 800) it is -(20, -10, 800).
    quarter = exp_se3([0, 0, np.pi / 2, 0, 0, 0])
    quarter[:3, 3] = [10, 20, 800]
    np.testing.assert_allclose(CAMERA.moved(quarter).source_patient, [-20, 10, -800], atol=1e-12)


def test_moving_a_camera_keeps_all_but_its_pose():
    pose = exp_se3([0.1, 0.2, 0.3, 1, 2, 700])
    moved = CAMERA.moved(pose)
    np.testing.assert_array_equal(moved.camera_from_patient, pose)
    np.testing.assert_array_equal(moved.K, K)
    assert (moved.size, moved.source_to_detector_mm) == (CAMERA.size, 1000.0)
    np.testing.assert_array_equal(CAMERA.camera_from_patient, translation([0, 0, 800]))
    np.testing.assert_allclose(moved.patient_from_camera, inverse(pose))


def test_a_camera_keeps_its_own_copy_of_what_it_is_given():
    own_k, pose = K.copy(), np.eye(4)
    camera = Camera((4, 3), own_k, pose)
    own_k[0, 0], pose[0, 3] = 1, 1
    assert camera.K[0, 0] == 2000
    assert camera.camera_from_patient[0, 3] == 0


def test_pixel_spacing_needs_the_distance_to_the_detector():
    assert CAMERA.pixel_spacing_mm == (0.5, 0.8)
    with pytest.raises(InputError, match=r"source-to-detector distance .* unknown .* source_to_detector_mm"):
        _ = Camera((400, 300), K, np.eye(4)).pixel_spacing_mm


def test_a_crop_starts_to_count_at_its_first_pixel():
    crop = CAMERA.cropped((10, 20), (50, 40))
    assert crop.size == (50, 40)
    np.testing.assert_array_equal(crop.K, [[2000, 0, 20.5], [0, 1250, 180], [0, 0, 1]])
    point = [[8, 16, 0]]
    np.testing.assert_allclose(crop.project(point), CAMERA.project(point) - [10, 20])


def test_a_bin_of_four_moves_the_principal_point_by_the_half_pixel_rule():
    # The first block averages pixels 0..3; its centre is 1.5, so u' = (u - 1.5) / 4:
    # 30.5 -> 7.25, 200 -> 49.625; focals and skew / 4; 402 x 303 pixels make 100 x 75 blocks.
    camera = Camera((402, 303), K + [[0, 8, 0], [0, 0, 0], [0, 0, 0]], CAMERA.camera_from_patient, 1000.0)
    binned = camera.binned(4)
    np.testing.assert_array_equal(binned.K, [[500, 2, 7.25], [0, 312.5, 49.625], [0, 0, 1]])
    assert binned.size == (100, 75)
    assert binned.pixel_spacing_mm == (2.0, 3.2)


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
def test_a_binned_pixel_shows_what_the_middle_of_its_block_showed(factor):
    blocks = np.array([[0, 0], [3, 7], [11, 2]])
    middles = blocks * factor + (factor - 1) / 2
    directions = CAMERA.binned(factor).ray_directions(blocks)
    np.testing.assert_allclose(directions, CAMERA.ray_directions(middles), atol=1e-12)


def test_cropping_then_binning_is_one_camera_of_the_sub_image():
    # Block (2, 1) of 4x4 pixels of the crop from (10, 20) is centred on pixel (10 + 8 + 1.5, 20 + 4 + 1.5).
    small = CAMERA.cropped((10, 20), (80, 60)).binned(4)
    np.testing.assert_allclose(small.ray_directions([2, 1]), CAMERA.ray_directions([19.5, 25.5]), atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": (0, 300)}, "no pixels"),
        ({"size": (400, -1)}, "no pixels"),
        ({"K": np.eye(4)}, "3x3"),
        ({"K": np.where(K == 30.5, np.nan, K)}, "finite"),
        ({"K": np.diag([-2000.0, 1250, 1])}, "focal lengths -2000, 1250"),
        ({"K": np.diag([2000.0, 0, 1])}, "focal lengths 2000, 0"),
        ({"K": K.T}, r"K must be \[\[fx, s, cx\]"),
        ({"K": 2 * K}, r"K must be \[\[fx, s, cx\]"),
        ({"camera_from_patient": np.diag([1.0, 1, -1, 1])}, "not a rigid 4x4 .* image must be flipped"),
        ({"camera_from_patient": np.diag([2.0, 2, 2, 1])}, "not a rigid 4x4"),
        ({"camera_from_patient": np.eye(3)}, "not a rigid 4x4"),
    ],
)
def test_what_is_no_camera_is_refused(change, message):
    fields = {"size": (400, 300), "K": K, "camera_from_patient": np.eye(4)} | change
    with pytest.raises(InputError, match=message):
        Camera(**fields)


def test_a_bin_larger_than_the_image_is_refused():
    with pytest.raises(InputError, match="no pixels"):
        CAMERA.binned(500)


def test_a_found_pose_turns_with_its_c_arm():
    # The patient was found 7 mm aside; whatever the C-arm does, he stays there.
    first, second = (CArm(1000, 600, angle, 0).camera((9, 9), (1, 1)) for angle in (0, 90))
    patient = translation([7.0, 0, 0])
    found = first.moved(first.camera_from_patient @ patient)
    turned = found.moved_as(first.camera_from_patient, second.camera_from_patient)
    np.testing.assert_allclose(turned.camera_from_patient, second.camera_from_patient @ patient, atol=1e-12)
    # LAO 90: the source stands 600 mm to the right (LPS -x); the patient's frame came 7 mm to the left.
    np.testing.assert_allclose(turned.source_patient, [-607, 0, 0], atol=1e-9)


def test_the_factor_of_binning_leaves_no_more_pixels_than_asked():
    assert [CAMERA.binning_to(pixels) for pixels in (1000, 400, 399, 200, 150)] == [1, 1, 2, 2, 3]
    assert max(CAMERA.binned(CAMERA.binning_to(150)).size) <= 150
