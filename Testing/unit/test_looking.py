"""The eye at the source, by hand."""

import numpy as np
import pytest
from xrayreg.geometry import Camera, CArm, along_the_beam, translation

# Columns and rows of 1 mm, detector at 1000 mm, 200 x 100 pixels, principal point in their middle.
K = np.array([[1000.0, 0, 99.5], [0, 1000, 49.5], [0, 0, 1]])
CAMERA = Camera((200, 100), K, translation([0, 0, 700]), 1000.0)


def test_the_eye_is_at_the_source_and_looks_at_the_anatomy_with_rows_downwards():
    eye = along_the_beam(CAMERA, np.array([30.0, -20, 50]), 2.0)
    np.testing.assert_allclose(eye.position, [0, 0, -700])
    np.testing.assert_allclose(eye.focus, [0, 0, 50])  # on the central ray, 750 mm from the source
    np.testing.assert_allclose(eye.up, [0, -1, 0])
    # The upper edge is 50 mm from the middle at 1000 mm.
    assert eye.opening_deg == pytest.approx(2 * np.degrees(np.arctan(0.05)))


@pytest.mark.parametrize(
    ("aspect", "half"),
    [(2.0, 0.05), (3.0, 0.05), (1.0, 0.1), (0.5, 0.2)],
    ids=["as the X-ray", "wider", "square", "narrow"],
)
def test_all_of_the_xray_is_in_the_picture(aspect, half):
    # 100 mm to either side at 1000 mm: a picture of aspect 1 must open by 0.1 upwards too.
    eye = along_the_beam(CAMERA, np.zeros(3), aspect)
    assert np.tan(np.radians(eye.opening_deg / 2)) == pytest.approx(half)


def test_a_principal_point_off_the_middle_opens_the_eye_wider():
    moved = Camera((200, 100), K + [[0, 0, 0], [0, 0, 20], [0, 0, 0]], CAMERA.camera_from_patient, 1000.0)
    eye = along_the_beam(moved, np.zeros(3), 2.0)  # now 70 mm to the upper edge
    assert np.tan(np.radians(eye.opening_deg / 2)) == pytest.approx(0.07)
    np.testing.assert_allclose(eye.focus - eye.position, [0, 0, 700])


def test_anatomy_behind_the_source_leaves_the_eye_looking_forwards():
    eye = along_the_beam(CAMERA, np.array([0.0, 0, -900]), 2.0)
    assert eye.focus[2] > eye.position[2]


def test_an_oblique_eye_keeps_its_axes():
    camera = CArm(1100, 780, 40, -25, 5, isocenter=(10, -20, 30)).camera((300, 200), (0.5, 0.5))
    eye = along_the_beam(camera, np.array([10.0, -20, 30]), 1.5)
    forward = (eye.focus - eye.position) / np.linalg.norm(eye.focus - eye.position)
    np.testing.assert_allclose(camera.camera_from_patient[:3, :3] @ forward, [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(camera.camera_from_patient[:3, :3] @ eye.up, [0, -1, 0], atol=1e-12)
    np.testing.assert_allclose(eye.focus, [10, -20, 30], atol=1e-9)
