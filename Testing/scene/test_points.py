"""Points shown in two X-rays of the scene: lines, places in 3D, and what comes back."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from xrayreg.geometry import exp_se3
from XrayRegistrationLib import roles
from XrayRegistrationLib.bundle import read_mrb, write_mrb
from XrayRegistrationLib.headless import headless
from XrayRegistrationLib.mrml import remove_references
from XrayRegistrationLib.nodes import camera_of, image_points_of, markup_of
from XrayRegistrationLib.overlays import on_detector
from XrayRegistrationLib.pointing import point_list
from XrayRegistrationLib.points import update, watched
from XrayRegistrationLib.scene import place_view
from XrayRegistrationLib.session import remove_view

SPOT, OTHER = np.array([12.0, 3, 22]), np.array([8.0, -4, 25])  # patient LPS, mm


def views_of(session):
    return roles.references(session, roles.VIEW)


def show(xray, point, number, off=(0, 0)):
    """As if the user had clicked on a point of the patient, some pixels off."""
    camera = camera_of(xray)
    points = point_list(xray, roles.POINTS_HERE, "points", xray)
    at = on_detector([camera.project(point) + off], camera)[0]
    points.SetNthControlPointPosition(points.AddControlPoint(0, 0, 0, number), *at)
    return points


def off_line(xray, point) -> float:
    """Pixels from a point's image to the only line in a view."""
    (line,) = roles.references(xray, roles.EPIPOLAR)
    a, b = image_points_of(line, xray)
    along = (b - a) / np.linalg.norm(b - a)
    return abs((camera_of(xray).project(point) - a) @ [-along[1], along[0]])


def test_a_point_in_one_view_draws_its_line_in_the_other(result):
    frontal, oblique = views_of(result)
    show(frontal, SPOT, "1")
    (shown,) = update(result)
    assert (shown.number, shown.views, shown.place) == ("1", (0,), None)
    assert off_line(oblique, SPOT) < 1e-6
    assert not roles.references(frontal, roles.EPIPOLAR)
    assert result.GetNodeReference(roles.POINTS) is None
    (line,) = roles.references(oblique, roles.EPIPOLAR)
    assert line.GetLocked()
    assert line.GetParentTransformNode() is oblique.GetNodeReference(roles.DETECTOR)


def test_points_in_both_views_are_where_they_are(result):
    for xray in views_of(result):
        show(xray, OTHER, "2")
        show(xray, SPOT, "1")
    show(views_of(result)[0], SPOT, "10")
    first, second, third = update(result)
    assert [first.number, second.number, third.number] == ["1", "2", "10"]
    assert first.place.miss_mm == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(first.place.errors_px, 0, atol=1e-6)
    markup = markup_of(result.GetNodeReference(roles.POINTS))
    assert markup.labels == ("1", "2")
    np.testing.assert_allclose(markup.points, [SPOT, OTHER], atol=1e-6)


def test_a_point_that_is_moved_takes_its_line_and_its_place_along(opened, result):
    frontal, oblique = views_of(result)
    points = show(frontal, SPOT, "1")
    show(oblique, SPOT, "1")
    update(result)
    count = opened.scene.GetNumberOfNodes()
    camera = camera_of(frontal)
    points.SetNthControlPointPosition(0, *on_detector([camera.project(SPOT) + [0, 4]], camera)[0])
    (shown,) = update(result)
    assert opened.scene.GetNumberOfNodes() == count
    # 4 rows of 0.25 mm on the detector are 1 mm / 1000 * 703 mm at the point.
    assert shown.place.miss_mm == pytest.approx(0.7, abs=0.1)
    assert off_line(oblique, SPOT) > 0.5
    assert shown.place.errors_px.max() > 0.5


def test_the_line_follows_the_pose(result):
    frontal, oblique = views_of(result)
    show(frontal, SPOT, "1")
    update(result)
    motion = exp_se3(np.array([0.02, -0.01, 0.03, 4.0, -2, 6]))
    pixel = camera_of(frontal).project(SPOT)
    for xray in (frontal, oblique):
        place_view(xray, camera_of(xray).moved(camera_of(xray).camera_from_patient @ motion))
    np.testing.assert_allclose(image_points_of(frontal.GetNodeReference(roles.POINTS_HERE), frontal), [pixel])
    update(result)
    moved = np.linalg.solve(motion, [*SPOT, 1])[:3]
    assert off_line(oblique, moved) < 1e-6


def test_a_point_that_is_not_placed_yet_does_not_count(result):
    points = point_list(views_of(result)[0], roles.POINTS_HERE, "points", views_of(result)[0])
    points.SetNthControlPointPosition(points.AddControlPoint(0, 0, 0, "1"), 0, 0, 0)
    points.UnsetNthControlPointPosition(0)
    assert update(result) == []


def test_a_point_behind_one_without_a_place_keeps_its_number(result):
    for xray in views_of(result):
        show(xray, SPOT, "1")
        points = show(xray, OTHER, "2")
    points.UnsetNthControlPointPosition(0)
    first, second = update(result)
    assert (first.number, first.views, first.place) == ("1", (0,), None)
    assert (second.number, second.views) == ("2", (0, 1))
    np.testing.assert_allclose(second.place.point, OTHER, atol=1e-6)


def test_rays_that_do_not_cross_are_told(result):
    frontal, oblique = views_of(result)
    place_view(oblique, camera_of(oblique).moved(camera_of(frontal).camera_from_patient))
    for xray in (frontal, oblique):
        show(xray, SPOT, "1")
    (shown,) = update(result)
    assert shown.place is None
    assert "same line" in shown.problem
    assert result.GetNodeReference(roles.POINTS) is None


def test_points_come_back_and_lines_go_with_their_points(opened, result, tmp_path):
    for xray in views_of(result):
        show(xray, SPOT, "1")
    update(result)
    write_mrb(opened.scene, tmp_path / "scene.mrb")
    with headless() as other:
        read_mrb(other.scene, tmp_path / "scene.mrb")
        (back,) = roles.result_nodes(other.scene)
        count = other.scene.GetNumberOfNodes()
        (shown,) = update(back)
        np.testing.assert_allclose(shown.place.point, SPOT, atol=1e-4)
        assert other.scene.GetNumberOfNodes() == count
        assert len(watched(back)) == 2 * 5
    for xray in views_of(result):
        remove_references(xray, roles.POINTS_HERE)
    assert update(result) == []
    assert result.GetNodeReference(roles.POINTS) is None
    assert not any(roles.references(xray, roles.EPIPOLAR) for xray in views_of(result))
    assert opened.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") == 1  # the plan's screw


def test_a_view_goes_with_its_points_and_lines(opened, result):
    frontal, oblique = views_of(result)
    show(frontal, SPOT, "1")
    show(oblique, SPOT, "1")
    update(result)
    remove_view(result, 0)
    (shown,) = update(result)
    assert shown.views == (0,)
    assert not roles.references(oblique, roles.EPIPOLAR)
    names = [opened.scene.GetNthNode(n).GetName() for n in range(opened.scene.GetNumberOfNodes())]
    assert not [name for name in names if name and name.startswith("frontal")]
