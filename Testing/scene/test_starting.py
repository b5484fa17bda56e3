"""Starts in the scene: the pivot, views that are carried along, and landmarks by their labels."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from xrayreg.errors import InputError
from xrayreg.geometry import apply, exp_se3, flip_ras_lps
from XrayRegistrationLib import roles
from XrayRegistrationLib.landmarking import (
    errors_px,
    landmark_list,
    landmark_list_on,
    left_out,
    name_new_point,
    next_label,
    show_start,
    start_of,
)
from XrayRegistrationLib.nodes import camera_of, defined_points, markup_of, markups_of
from XrayRegistrationLib.overlays import add_markup_on
from XrayRegistrationLib.pointing import point_list
from XrayRegistrationLib.scene import add_result, add_volume, show_drr
from XrayRegistrationLib.session import add_view, remove_view
from XrayRegistrationLib.starting import back_to_start, move, offsets, pivot_of, set_offset, start_here

# Corners of a box around the CT's middle, patient LPS, mm.
POINTS = np.array([[8.0, -5, 19], [14, 4, 30], [3, 8, 21], [4, -9, 32], [16, 9, 18], [2, -2, 24]])


@pytest.fixture
def session(opened, volume, registration, monkeypatch):
    """The CT and one of the two X-rays, without the application around them."""
    import slicer

    monkeypatch.setattr(slicer, "app", _NoWindow(), raising=False)
    node = add_result(opened.scene)
    node.SetNodeReferenceID(roles.VOLUME, add_volume(opened.scene, volume).GetID())
    for view in registration.views:
        add_view(node, view.xray)
    return node


class _NoWindow:
    def layoutManager(self):  # noqa: N802 - Slicer's name
        return None


@pytest.fixture
def xray(session):
    return session.GetNthNodeReference(roles.VIEW, 0)


def place_on(xray, label, pixel):
    """As the user clicks it."""
    spot = add_markup_on(xray, "test", "vtkMRMLMarkupsFiducialNode", [np.asarray(pixel)], camera_of(xray))
    at = flip_ras_lps(markup_of(spot).points[0])
    landmark_list_on(xray).AddControlPointWorld(*at, label)


def in_ct(session, points=POINTS, names="ABCDEF"):
    for name, point in zip(names, points, strict=True):
        landmark_list(session).AddControlPointWorld(*flip_ras_lps(point), name)


def test_the_pivot_is_the_middle_of_the_ct(session):
    # 12 x 10 x 8 voxels of -2 x 3 x 4 mm from (21, -15, 5): 21 - 11, -15 + 13.5, 5 + 14.
    np.testing.assert_allclose(pivot_of(session), [10, -1.5, 19], atol=1e-12)
    session.RemoveNodeReferenceIDs(roles.VOLUME)
    with pytest.raises(InputError, match="no volume is chosen"):
        pivot_of(session)


def test_offsets_count_from_where_the_views_were(session, xray):
    start = camera_of(xray).camera_from_patient
    set_offset(session, xray, "right_mm", 5)
    set_offset(session, xray, "turn_deg", 20)
    now = offsets(session, xray)
    np.testing.assert_allclose(list(vars(now).values()), [5, 0, 0, 20, 0, 0], atol=1e-9)
    # The camera's columns run to the patient's left: the pivot goes 5 mm there, as seen from the patient.
    pivot = pivot_of(session)
    moved = apply(camera_of(xray).camera_from_patient, pivot) - apply(start, pivot)
    np.testing.assert_allclose(moved, [5, 0, 0], atol=1e-9)
    start_here(session)
    assert offsets(session, xray).right_mm == pytest.approx(0, abs=1e-9)
    move(session, xray, exp_se3([0, 0, 0, 1, 2, 3]))
    back_to_start(session, xray)
    np.testing.assert_allclose(offsets(session, xray).turn_deg, 0, atol=1e-9)


def test_a_point_that_is_still_being_placed_is_none(session):
    points = landmark_list(session)
    points.AddControlPointWorld(1, 2, 3)
    points.AddControlPointWorld(4, 5, 6)
    points.SetNthControlPointPositionMissing(0)
    assert defined_points(points) == [1]
    np.testing.assert_array_equal(markup_of(points).points, [[-4, -5, 6]])
    assert len(markup_of(points).labels) == 1
    points.SetNthControlPointPositionMissing(1)
    assert markups_of([points]) == ()


def test_points_on_an_xray_are_named_in_the_order_of_the_ct(session, xray):
    assert next_label(session, xray) is None
    in_ct(session)
    place_on(xray, "", (10, 10))
    name_new_point(session, xray)
    place_on(xray, "", (20, 10))
    name_new_point(session, xray)
    assert markup_of(landmark_list_on(xray)).labels == ("A", "B")
    # One that is taken away is asked for again.
    landmark_list_on(xray).RemoveNthControlPoint(0)
    assert next_label(session, xray) == "A"


def test_errors_are_in_pixels_and_follow_the_pose(session, xray):
    in_ct(session)
    seen = camera_of(xray).project(POINTS)
    place_on(xray, "A", seen[0])
    place_on(xray, "B", seen[1] + [3, 4])
    place_on(xray, "elsewhere", seen[2])
    rows = errors_px(session)
    assert list(rows) == [*"ABCDEF", "elsewhere"]
    assert [rows["A"][0], rows["B"][0]] == [pytest.approx(0, abs=1e-4), pytest.approx(5, abs=1e-4)]
    assert rows["A"][1] is None
    assert np.isnan(rows["elsewhere"][0])
    # 700 mm from the source, 2000 pixels by the focal length: 1 mm along the columns is 2.8 pixels.
    set_offset(session, xray, "right_mm", 1)
    depth = apply(camera_of(xray).camera_from_patient, POINTS[0])[2]
    assert errors_px(session)["A"][0] == pytest.approx(2000 / depth, rel=1e-4)


def test_a_start_from_landmarks_places_only_the_views_that_have_some(session, xray):
    in_ct(session)
    truth = camera_of(xray)
    other = session.GetNthNodeReference(roles.VIEW, 1)
    unmoved = camera_of(other).camera_from_patient
    for label, pixel in zip("ABCDEF", truth.project(POINTS), strict=True):
        place_on(xray, label, pixel + [15, -20] if label == "C" else pixel)
    set_offset(session, xray, "tilt_right_deg", 60)
    show_drr(xray, np.ones((120, 64), np.float32), truth)
    work = start_of(session)
    assert show_start(session, work(lambda state: None)) == [xray]
    np.testing.assert_allclose(camera_of(xray).camera_from_patient, truth.camera_from_patient, atol=1e-4)
    np.testing.assert_array_equal(camera_of(other).camera_from_patient, unmoved)
    assert left_out(xray) == ["C"]
    assert left_out(other) == []
    assert xray.GetNodeReference(roles.DRR) is None  # it was drawn elsewhere


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (lambda session, xray: None, "no landmark is placed in the CT"),
        (lambda session, xray: in_ct(session), "no landmark is placed on an X-ray"),
        (lambda session, xray: in_ct(session, names="AABCDE"), "two points are labelled A"),
        (
            lambda session, xray: (in_ct(session), place_on(xray, "A", (1, 1)), place_on(xray, "A", (2, 2))),
            "view frontal: A is there twice",
        ),
    ],
)
def test_what_is_missing_is_told(session, xray, place, words):
    place(session, xray)
    with pytest.raises(InputError, match=words):
        start_of(session)


def test_landmarks_leave_with_their_view(opened, session, xray):
    place_on(xray, "A", (1, 1))
    node = landmark_list_on(xray)
    assert point_list(xray, roles.LANDMARKS_2D, "again") is node
    remove_view(session, 0)
    assert node.GetScene() is None
