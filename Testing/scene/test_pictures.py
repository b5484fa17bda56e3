"""Pictures drawn by Slicer's views: is the right thing at the right pixel?"""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from dataclasses import replace

from finding import add_registration, layers_of
from PIL import Image
from xrayreg.images import Xray
from xrayreg.register import Registration
from XrayRegistrationLib import roles
from XrayRegistrationLib.slices import ras_from_slice_view
from XrayRegistrationLib.spot import VIEW_ANGLE_DEG, best_spot, fitting_spot
from XrayRegistrationLib.views import write_pictures

WIDTH, HEIGHT = SIZE = (400, 300)
LANDMARK_PATIENT = np.array([14.0, 50.0, 26.0])


def with_a_bright_spot_at(registration, point_patient):
    """The same views, black but for 3 x 3 pixels around the point's projection."""
    views = []
    for view in registration.views:
        u, v = np.rint(view.camera.project(point_patient)).astype(int)
        image = np.zeros_like(view.xray.line_integrals)
        image[v - 1 : v + 2, u - 1 : u + 2] = 1
        views.append(replace(view, xray=Xray(image, view.camera, np.ones(image.shape, bool), view.name)))
    return Registration(registration.volume, tuple(views), {})


def brightest_spot(path) -> tuple[float, float]:
    """Centre of the brightest pixels, (column, row)."""
    grey = np.asarray(Image.open(path).convert("L"), dtype=float)
    rows, columns = np.nonzero(grey > 0.6 * grey.max())
    return columns.mean(), rows.mean()


def test_a_landmark_appears_in_the_slice_view_where_the_pinhole_formula_puts_it(
    opened, opengl, registration, tmp_path
):
    spotted = with_a_bright_spot_at(registration, LANDMARK_PATIENT)
    write_pictures(opened, add_registration(opened.scene, spotted), tmp_path, SIZE)
    # Frontal, source at LPS (10, -700, 20), beam along +y: 750 mm deep, 4 mm to the patient's left and
    # 6 mm up, so u = 30 + 2000 * 4 / 750 = 40.7, v = 100 - 4000 * 6 / 750 = 68; drawn at whole pixels.
    u, v = 41, 68
    # 64 x 0.5 mm by 120 x 0.25 mm in 400 x 300: the height fits, 0.1 mm per screen pixel. Screen pixel
    # centres are half a pixel off the edge, image pixel (31.5, 59.5) is in the middle.
    expected = (199.5 + (u - 31.5) * 0.5 / 0.1, 149.5 + (v - 59.5) * 0.25 / 0.1)
    assert brightest_spot(tmp_path / "slice_frontal.png") == pytest.approx(expected, abs=1.5)


def test_a_landmark_appears_where_it_should_in_an_oblique_view_too(opened, opengl, registration, tmp_path):
    spotted = with_a_bright_spot_at(registration, [11.0, 4.0, 22.0])
    write_pictures(opened, add_registration(opened.scene, spotted), tmp_path, SIZE)
    u, v = np.rint(registration.views[1].camera.project([11.0, 4.0, 22.0]))
    # 80 x 60 pixels in 400 x 300: five screen pixels each.
    expected = (199.5 + (u - 39.5) * 5, 149.5 + (v - 29.5) * 5)
    assert brightest_spot(tmp_path / "slice_oblique.png") == pytest.approx(expected, abs=1.5)


def test_the_slice_view_looks_along_the_beam_with_columns_to_the_right_and_rows_down(result):
    xray = result.GetNthNodeReference(roles.VIEW, 0)
    ras_from_view = ras_from_slice_view(xray)
    # Frontal from the front: the patient's left (-R) on the right, the head up, the viewer in front (+A).
    assert ras_from_view[:3, 0] == pytest.approx([-1, 0, 0])
    assert ras_from_view[:3, 1] == pytest.approx([0, 0, 1])
    assert ras_from_view[:3, 2] == pytest.approx([0, 1, 0])


def test_the_drr_is_blended_over_its_x_ray(opened, opengl, registration, tmp_path):
    black = with_a_bright_spot_at(registration, LANDMARK_PATIENT)
    drrs = {view.name: np.ones_like(view.xray.line_integrals) for view in registration.views}
    for image in drrs.values():
        image[:, : image.shape[1] // 2] = 0
    layers = {view.name: layers_of(view.camera, drrs[view.name]) for view in registration.views}
    write_pictures(opened, add_registration(opened.scene, black, layers), tmp_path, SIZE)
    picture = np.asarray(Image.open(tmp_path / "slice_oblique.png").convert("RGB"), dtype=int)
    left, right = picture[250, 100], picture[250, 300]
    assert left.max() < 10
    red, green, blue = right
    assert green == blue > red + 60


def test_the_3d_view_shows_both_c_arms_the_bones_and_the_plan(opened, opengl, result, tmp_path):
    write_pictures(opened, result, tmp_path, SIZE)
    picture = np.asarray(Image.open(tmp_path / "view3d.png").convert("RGB"), dtype=int)
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    assert picture.shape == (HEIGHT, WIDTH, 3)
    assert np.count_nonzero((blue > 230) & (red < 90)) > 200  # first frustum
    assert np.count_nonzero((red > 230) & (blue < 90)) > 200  # second frustum
    assert np.count_nonzero((red > 150) & (green < 90) & (blue < 100)) > 5  # plan


def test_a_picture_takes_the_views_name_even_where_the_ct_has_it_too(opened, opengl, registration, tmp_path):
    named = replace(registration, volume=replace(registration.volume, name="frontal"))
    write_pictures(opened, add_registration(opened.scene, named), tmp_path, SIZE)
    assert (tmp_path / "slice_frontal.png").is_file()


def test_without_bones_the_3d_view_shows_cuts_through_the_ct(opened, opengl, registration, tmp_path):
    bare = add_registration(opened.scene, registration)
    written = write_pictures(opened, bare, tmp_path, SIZE)
    assert [path.name for path in written] == ["slice_frontal.png", "slice_oblique.png", "view3d.png"]


def test_the_camera_stands_where_all_points_are_in_the_picture():
    rng = np.random.default_rng(3)
    points = rng.uniform([-500, -300, -200], [500, 800, 200], (40, 3))
    for towards in ([0.6, 0.0, 0.8], [-0.8, 0.6, 0.0], [0.0, 1.0, 0.0]):
        spot = fitting_spot(points, np.array(towards), WIDTH / HEIGHT)
        forward = (spot.focus - spot.position) / spot.distance
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        offset = points - spot.position
        depth = offset @ forward
        half = np.tan(np.radians(VIEW_ANGLE_DEG / 2))
        assert depth.min() > 0
        assert np.abs(offset @ right / depth).max() <= half * WIDTH / HEIGHT
        assert np.abs(offset @ np.cross(right, forward) / depth).max() <= half


def test_the_camera_looks_neither_along_a_beam_nor_across_it():
    beams = np.array([[0.0, -1, 0], [1, 0, 0]])
    corners = np.array([[x, y, z] for x in (-400, 400) for y in (-400, 400) for z in (-100, 100)], float)
    spot = best_spot(corners, beams, WIDTH / HEIGHT)
    towards = (spot.position - spot.focus) / spot.distance
    assert np.all(towards @ beams.T < -0.2)
    assert np.all(towards @ beams.T > -0.9)
