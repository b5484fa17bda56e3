"""Epipolar lines and triangulation of two C-arm views at right angles, with numbers worked out by hand."""

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import Camera, apply, epipolar_segment, exp_se3, inverse, triangulate

# 1000 mm to the detector, pixels of 0.5 x 1 mm: focal lengths 2000 and 1000 pixels.
K = np.array([[2000.0, 0, 100], [0, 1000, 50], [0, 0, 1]])
SIZE = (201, 101)


def placed(*patient_from_camera) -> Camera:
    """A camera by the first three rows of its pose."""
    return Camera(SIZE, K, inverse(np.array([*patient_from_camera, [0, 0, 0, 1]], float)), 1000.0)


# From the front: source at (0, -700, 0), beam along +y, columns along +x (to the left), rows to the feet.
FRONT = placed([1.0, 0, 0, 0], [0, 0, 1, -700], [0, -1, 0, 0])
# From the right: source at (-800, 0, 0), beam along +x, columns along -y, rows to the feet.
SIDE = placed([0, 0, 1.0, -800], [-1, 0, 0, 0], [0, -1, 0, 0])


def test_the_line_of_a_pixel_in_the_view_across():
    # Pixel (100, 70) of the front: 20 / 1000 downwards per mm of depth, on the plane x = 0. At depth d, y = d
    # - 700 and z = -0.02 d. The side sees x = 0 at 800 mm: u = 100 + 2000 (700 - d) / 800, v = 50 + 1000 *
    # 0.02 d / 800. The image begins at u = 200.5 where d = 659.8, v = 66.495, and ends at u = -0.5 where d =
    # 740.2, v = 68.505.
    segment = epipolar_segment(FRONT, np.array([100.0, 70]), SIDE)
    np.testing.assert_allclose(segment, [[200.5, 66.495], [-0.5, 68.505]], atol=1e-9)


def test_the_line_ends_where_the_ray_starts():
    # A source at (0, 0, 0), beam along -y: it sees the front's source in the middle, 700 mm away.
    back = placed([-1.0, 0, 0, 0], [0, 0, -1, 0], [0, -1, 0, 0])
    # Pixel (110, 50) of the front: x = 0.005 d at y = d - 700, 700 - d before the other source. The ray
    # starts at d = 0, and its image u = 100 - 2000 * 0.005 d / (700 - d) runs out of the picture.
    segment = epipolar_segment(FRONT, np.array([110.0, 50]), back)
    np.testing.assert_allclose(segment, [[100, 50], [-0.5, 50]], atol=1e-9)


def test_every_point_of_the_ray_lies_on_the_line():
    moved = SIDE.moved(SIDE.camera_from_patient @ exp_se3(np.array([0.2, -0.1, 0.3, 10, -20, 5.0])))
    a, b = epipolar_segment(FRONT, np.array([90.0, 55]), moved)
    along = (b - a) / np.linalg.norm(b - a)
    for depth in (650.0, 700.0, 750.0):
        point = apply(FRONT.patient_from_camera, FRONT.ray_directions([90.0, 55]) * depth)
        offset = moved.project(point) - a
        assert abs(offset @ [-along[1], along[0]]) < 1e-9


@pytest.mark.parametrize(
    ("pixel", "camera"),
    [
        ((100, 500), SIDE),  # runs below the image
        ((100, 50), FRONT),  # of its own source: a point
    ],
)
def test_no_line_in_the_image(pixel, camera):
    assert epipolar_segment(FRONT, np.array(pixel, float), camera) is None


def test_no_line_behind_the_other_source():
    away = placed([0, 0, -1.0, -800], [1, 0, 0, 0], [0, -1, 0, 0])
    assert epipolar_segment(FRONT, np.array([100.0, 70]), away) is None


def test_two_rays_that_meet():
    # (14, 20, -9): depth 720 from the front: u = 100 + 2000 * 14 / 720, v = 50 + 1000 * 9 / 720 = 62.5;
    # depth 814 from the side: u = 100 - 2000 * 20 / 814, v = 50 + 9000 / 814.
    found = triangulate((FRONT, SIDE), [(100 + 28000 / 720, 62.5), (100 - 40000 / 814, 50 + 9000 / 814)])
    np.testing.assert_allclose(found.point, [14, 20, -9], atol=1e-9)
    assert found.miss_mm == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(found.errors_px, 0, atol=1e-8)


def test_two_rays_that_miss_each_other():
    # Both look through the middle column, the front 2 / 1000 down, the side along its axis: the front's ray
    # is (0, d - 700, -0.002 d), the side's (s - 800, 0, 0). Their shortest distance is across the plane of
    # the two: the normal of (0, 1, -0.002) and (1, 0, 0) is (0, 0.002, 1) but for its length and sign, so
    # from source to source, (-800, 700, 0), it is 0.002 * 700 / sqrt(1 + 0.002^2) = 1.3999972 mm. The point
    # lies half way.
    found = triangulate((FRONT, SIDE), [(100, 52), (100, 50)])
    assert found.miss_mm == pytest.approx(1.4 / np.sqrt(1 + 4e-6), rel=1e-12)
    assert found.point == pytest.approx([0, 0, -0.7], abs=2e-3)
    # 0.7 mm from either ray: at 700 and 800 mm depth 1 and 0.875 rows.
    assert found.errors_px == pytest.approx([1, 0.875], abs=5e-3)


def test_a_third_ray_takes_its_part():
    # The third stands where the front stands and points 3 rows higher than the others want.
    found = triangulate((FRONT, SIDE, FRONT), [(100, 50), (100, 50), (100, 53)])
    # Along z, the least squares of 0, 0 and -2.1 mm (3 / 1000 * 700) is -0.7; the third is 1.4 mm away, twice
    # 2.8.
    assert found.point == pytest.approx([0, 0, -0.7], abs=5e-3)
    assert found.miss_mm == pytest.approx(2.8, abs=1e-2)


def test_rays_along_the_same_line_are_refused():
    with pytest.raises(InputError, match="same line"):
        triangulate((FRONT, FRONT), [(100, 50), (101, 50)])


def test_rays_that_meet_behind_a_source_are_refused():
    # They diverge to the front: the front's ray goes to the right, a second one, 100 mm left of it, to the
    # left.
    left = placed([1.0, 0, 0, 100], [0, 0, 1, -700], [0, -1, 0, 0])
    with pytest.raises(InputError, match="behind"):
        triangulate((FRONT, left), [(50, 50), (150, 50)])


def test_one_ray_alone_is_refused():
    with pytest.raises(InputError):
        triangulate((FRONT,), [(50, 50)])
