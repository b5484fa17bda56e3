"""The way back from the scene to the core, and a session from its inputs to the decision."""

import json

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

import slicer
import vtk
from finding import CONFIDENCE, UNCERTAINTY, layers_of
from xrayreg.errors import InputError
from xrayreg.geometry import (
    LPS_FROM_RAS,
    apply,
    detector_from_image,
    exp_se3,
    flip_ras_lps,
    patient_from_detector,
)
from xrayreg.images import Xray
from xrayreg.overlays import Mark
from XrayRegistrationLib import roles
from XrayRegistrationLib.bundle import read_mrb, write_mrb
from XrayRegistrationLib.choosing import check_place, choose, choose_modality
from XrayRegistrationLib.headless import headless
from XrayRegistrationLib.mrml import array_of, matrix_array, vtk_matrix, world_from_index
from XrayRegistrationLib.nodes import camera_of, image_points_of, label_map_of, markup_of, volume_of, xray_of
from XrayRegistrationLib.overlays import add_markup_on
from XrayRegistrationLib.pointing import point_list
from XrayRegistrationLib.scene import add_markup, add_result, add_volume
from XrayRegistrationLib.segments import add_segmentation
from XrayRegistrationLib.session import add_view, decide, remove_view, show_found, undo, xrays_at_start
from XrayRegistrationLib.slices import ras_from_slice_view, show_xray
from XrayRegistrationLib.work import Found, FoundView


@pytest.fixture
def session(opened, volume, registration):
    """A volume and the two X-rays of `registration` at their start poses; the second is masked."""
    node = add_result(opened.scene)
    node.SetNodeReferenceID(roles.VOLUME, add_volume(opened.scene, volume).GetID())
    first, second = (view.xray for view in registration.views)
    mask = second.mask.copy()
    mask[:, :11] = False
    add_view(node, first)
    add_view(node, Xray(second.line_integrals, second.camera, mask, second.name, "rig", ("assumed",)))
    return node


def found_at(session, motion):
    """What a registration would hand over if it had moved the patient by a motion (4, 4)."""
    views = []
    for xray in xrays_at_start(session):
        camera = xray.camera.moved(xray.camera.camera_from_patient @ motion)
        shown = camera.binned(2)
        drr = np.full(shown.size[::-1], 2.0, np.float32)
        outlines = np.zeros(drr.shape, np.int16)
        outlines[3, 5] = 2
        mark = Mark("tip", np.array([12.0, 20.0]), np.array([[10.0, 20], [12, 24], [14, 20], [10, 20]]))
        views.append(FoundView(camera, 0.9, UNCERTAINTY, layers_of(shown, drr, outlines, (mark,))))
    return Found(tuple(views), CONFIDENCE, {2: "rib"})


def show(session, found):
    """All steps of `show_found`."""
    for _ in show_found(session, found):
        pass


MOTION = exp_se3(np.array([0.02, -0.01, 0.03, 4.0, -2, 6]))


def node_ids(scene):
    return {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}


# --- Nodes to core ---


def test_a_volume_comes_back_as_it_went(opened, volume):
    back = volume_of(add_volume(opened.scene, volume)).converted()
    np.testing.assert_array_equal(back.hu, volume.hu)
    np.testing.assert_allclose(back.grid.patient_from_index, volume.grid.patient_from_index, atol=1e-12)
    assert back.name == "preop CT"


def test_a_volume_comes_from_where_the_scene_shows_it(opened, volume):
    node = add_volume(opened.scene, volume)
    moved = opened.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = vtk.vtkMatrix4x4()
    matrix.SetElement(0, 3, 7)  # to the patient's right: LPS x falls
    matrix.SetElement(2, 3, -3)
    moved.SetMatrixTransformToParent(matrix)
    node.SetAndObserveTransformNodeID(moved.GetID())
    back = volume_of(node)
    np.testing.assert_allclose(back.grid.centre_patient - volume.grid.centre_patient, [-7, 0, -3], atol=1e-9)


def test_a_bent_volume_is_refused(opened, volume):
    node = add_volume(opened.scene, volume)
    bent = opened.scene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    spline = slicer.vtkOrientedBSplineTransform()
    bent.SetAndObserveTransformFromParent(spline)
    node.SetAndObserveTransformNodeID(bent.GetID())
    with pytest.raises(InputError, match="bends it"):
        volume_of(node)


def test_segments_come_back_at_their_place(opened, labels):
    back = label_map_of(add_segmentation(opened.scene, labels))
    assert back.names == {1: "vertebra_T8", 2: "vertebra_T7"}
    for new, old in ((1, 7), (2, 9)):
        points = [
            apply(each.grid.patient_from_index, np.argwhere(each.labels == value)[:, ::-1].astype(float))
            for each, value in ((back, new), (labels, old))
        ]
        np.testing.assert_allclose(*(np.unique(p.round(6), axis=0) for p in points))


def test_hidden_segments_stay_away(opened, labels):
    node = add_segmentation(opened.scene, labels)
    node.GetDisplayNode().SetSegmentVisibility("label_7", False)
    back = label_map_of(node)
    assert back.names == {2: "vertebra_T7"}


def test_segments_that_do_not_share_an_image_are_merged(opened, labels):
    node = add_segmentation(opened.scene, labels)
    alone = label_map_of(node)
    node.GetSegmentation().SeparateSegmentLabelmap("label_9")
    back = label_map_of(node)
    assert back.names == alone.names
    for value in (1, 2):
        points = [
            apply(each.grid.patient_from_index, np.argwhere(each.labels == value)[:, ::-1].astype(float))
            for each in (back, alone)
        ]
        assert len(points[0])
        np.testing.assert_allclose(*(np.unique(p.round(6), axis=0) for p in points))


def test_an_empty_segmentation_is_refused(opened):
    node = opened.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "nothing")
    with pytest.raises(InputError, match="no segment"):
        label_map_of(node)


def test_plans_come_back_as_they_went(opened, markups):
    for markup in markups:
        back = markup_of(add_markup(opened.scene, markup))
        np.testing.assert_allclose(back.points, markup.points)
        assert (back.name, back.kind) == (markup.name, markup.kind)
        if any(markup.labels):  # Slicer labels the points of others itself
            assert back.labels == markup.labels


def test_xrays_come_back_as_they_went(session, registration):
    first, second = xrays_at_start(session)
    for back, view in zip((first, second), registration.views, strict=True):
        np.testing.assert_array_equal(back.line_integrals, view.xray.line_integrals)
        np.testing.assert_allclose(back.camera.K, view.xray.camera.K)
        np.testing.assert_allclose(
            back.camera.camera_from_patient, view.xray.camera.camera_from_patient, atol=1e-9
        )
        assert back.camera.size == view.xray.camera.size
        assert back.camera.source_to_detector_mm == view.xray.camera.source_to_detector_mm
    assert first.mask.all()
    assert not second.mask[:, :11].any()
    assert second.mask[:, 11:].all()
    assert (second.name, second.rig, second.notes) == ("oblique", "rig", ("assumed",))


def test_a_point_on_the_detector_and_one_on_its_ray_have_the_same_pixel(session):
    xray = roles.references(session, roles.VIEW)[0]
    camera = camera_of(xray)
    on_detector = add_markup_on(xray, "test", "vtkMRMLMarkupsFiducialNode", [np.array([12.0, 7.5])], camera)
    on_ray = point_list(session, "test", "on the ray")
    ends = (camera.source_patient, markup_of(on_detector).points[0])
    on_ray.AddControlPointWorld(*flip_ras_lps(0.7 * ends[0] + 0.3 * ends[1]))
    assert point_list(session, "test", "again") is on_ray
    for points in (on_detector, on_ray):
        np.testing.assert_allclose(image_points_of(points, xray), [[12.0, 7.5]], atol=1e-9)


# --- A session ---


def test_the_views_show_xray_drr_and_outlines_of_a_view_and_of_no_other(opened, session):
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLApplicationLogic(opened.application)
    logic.SetMRMLScene(opened.scene)
    logic.AddSliceNode("Red")
    first, second = roles.references(session, roles.VIEW)
    composite = logic.GetSliceCompositeNode()
    show(session, found_at(session, MOTION))
    show_xray(logic, first, 0.6)
    assert composite.GetForegroundVolumeID() == first.GetNodeReferenceID(roles.DRR)
    assert composite.GetLabelVolumeID() == first.GetNodeReferenceID(roles.OUTLINES)
    assert composite.GetForegroundOpacity() == pytest.approx(0.6)
    undo(session)
    show_xray(logic, second)
    assert composite.GetBackgroundVolumeID() == second.GetID()
    assert not composite.GetForegroundVolumeID()
    assert not composite.GetLabelVolumeID()
    shown = matrix_array(logic.GetSliceNode().GetSliceToRAS())
    np.testing.assert_allclose(shown, ras_from_slice_view(second), atol=1e-9)


def test_a_view_is_not_added_twice(session, registration):
    before = node_ids(session.GetScene())
    with pytest.raises(InputError, match="already"):
        add_view(session, registration.views[0].xray)
    assert node_ids(session.GetScene()) == before


def test_removing_a_view_leaves_nothing_of_it(opened, session, registration):
    show(session, found_at(session, MOTION))
    remove_view(session, 1)
    names = [node.GetName() for node in _nodes(opened.scene) if node.GetName().startswith("oblique")]
    assert names == []
    assert [xray.name for xray in xrays_at_start(session)] == ["frontal"]
    add_view(session, registration.views[1].xray)
    assert len(xrays_at_start(session)) == 2


def _nodes(scene):
    return [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]


def test_what_was_found_is_shown_where_the_core_says(session):
    found = found_at(session, MOTION)
    show(session, found)
    for node, view in zip(roles.references(session, roles.VIEW), found.views, strict=True):
        np.testing.assert_allclose(
            camera_of(node).camera_from_patient, view.camera.camera_from_patient, atol=1e-9
        )
        detector = patient_from_detector(view.camera)
        # A pixel of the DRR, the outline and the X-ray lie where the core puts pixels on the detector.
        for role, camera in ((roles.DRR, view.layers.camera), (roles.OUTLINES, view.layers.camera)):
            placed = LPS_FROM_RAS @ world_from_index(node.GetNodeReference(role))
            np.testing.assert_allclose(placed, detector @ detector_from_image(camera), atol=1e-6)
        points, ellipse = roles.references(node, roles.REPROJECTED)
        at = np.zeros(3)
        points.GetNthControlPointPositionWorld(0, at)
        expected = apply(detector @ detector_from_image(view.camera), np.array([12.0, 20, 0]))
        np.testing.assert_allclose(at * [-1, -1, 1], expected, atol=1e-6)
        # And from there the camera projects them to the pixel they were drawn at.
        np.testing.assert_allclose(view.camera.project(at * [-1, -1, 1]), [12, 20], atol=1e-6)
        assert ellipse.GetNumberOfControlPoints() == 3
        assert points.GetNthControlPointLabel(0) == "tip"
    assert json.loads(session.GetAttribute(roles.CONFIDENCE))["verdict"] == "review"


def test_showing_again_replaces_the_pictures(opened, session):
    show(session, found_at(session, MOTION))
    count = opened.scene.GetNumberOfNodes()
    show(session, found_at(session, MOTION))
    assert opened.scene.GetNumberOfNodes() == count


def test_undo_puts_everything_back(opened, session):
    before = node_ids(opened.scene)
    poses = [xray.camera.camera_from_patient for xray in xrays_at_start(session)]
    show(session, found_at(session, MOTION))
    decide(session, "accepted", "fits")
    undo(session)
    assert node_ids(opened.scene) == before
    for xray, pose in zip(xrays_at_start(session), poses, strict=True):
        np.testing.assert_allclose(xray.camera.camera_from_patient, pose, atol=1e-9)
    for name in (roles.CONFIDENCE, roles.DECISION, roles.COMMENT):
        assert session.GetAttribute(name) is None


def test_a_session_survives_saving(opened, session, tmp_path):
    show(session, found_at(session, MOTION))
    decide(session, "rejected", "the left hip is off")
    write_mrb(opened.scene, tmp_path / "scene.mrb")
    expected = xrays_at_start(session)
    with headless() as other:
        read_mrb(other.scene, tmp_path / "scene.mrb")
        (back,) = roles.result_nodes(other.scene)
        for xray, before in zip(xrays_at_start(back), expected, strict=True):
            np.testing.assert_allclose(
                xray.camera.camera_from_patient, before.camera.camera_from_patient, atol=1e-6
            )
            np.testing.assert_array_equal(xray.mask, before.mask)
        assert back.GetAttribute(roles.DECISION) == "rejected"
        assert back.GetAttribute(roles.COMMENT) == "the left hip is off"
        first = back.GetNthNodeReference(roles.VIEW, 0)
        assert array_of(first.GetNodeReference(roles.OUTLINES)).sum() == 2
        undo(back)  # references hold: nothing is found by name
        assert xray_of(first).name == "frontal"


# --- What no longer holds ---


def registered_and_accepted(session):
    show(session, found_at(session, MOTION))
    decide(session, "accepted", "fits")
    return roles.references(session, roles.VIEW)


@pytest.mark.parametrize("change", ["another CT", "no CT", "MR"])
def test_another_volume_takes_all_that_was_found_with_the_one_before(opened, session, volume, change):
    before = node_ids(opened.scene)
    views = registered_and_accepted(session)
    choose(session, roles.VOLUME, roles.references(session, roles.VOLUME))  # the same is no change
    choose_modality(session, "CT")
    assert session.GetAttribute(roles.DECISION) == "accepted"
    poses = [camera_of(view).camera_from_patient for view in views]
    if change == "MR":
        choose_modality(session, "MR")
    else:
        other = add_volume(opened.scene, volume)
        before |= {other.GetID(), other.GetDisplayNodeID()}
        choose(session, roles.VOLUME, [other] if change == "another CT" else [])
    for name in (roles.CONFIDENCE, roles.DECISION, roles.COMMENT, roles.MADE):
        assert session.GetAttribute(name) is None
    for view, pose in zip(views, poses, strict=True):
        assert view.GetAttribute(roles.COVARIANCE) is None
        np.testing.assert_array_equal(camera_of(view).camera_from_patient, pose)
    assert node_ids(opened.scene) == before


def test_another_segmentation_or_plan_takes_what_was_drawn_of_the_one_before(
    opened, session, labels, markups
):
    views = registered_and_accepted(session)
    choose(session, roles.SEGMENTATION, [add_segmentation(opened.scene, labels)])
    assert not any(view.GetNodeReference(roles.OUTLINES) for view in views)
    assert not any(view.GetNodeReference(roles.OUTLINE_COLORS) for view in views)
    assert all(view.GetNodeReference(roles.REPROJECTED) for view in views)
    choose(session, roles.PLAN, [add_markup(opened.scene, markups[0])])
    assert not any(view.GetNodeReference(roles.REPROJECTED) for view in views)
    assert session.GetAttribute(roles.DECISION) == "accepted"


def test_a_verdict_goes_with_a_view_that_it_is_about_and_with_no_other(session, registration):
    from dataclasses import replace

    registered_and_accepted(session)
    add_view(session, replace(registration.views[0].xray, name="later"))
    remove_view(session, 2)
    assert session.GetAttribute(roles.DECISION) == "accepted"
    remove_view(session, 0)
    assert session.GetAttribute(roles.CONFIDENCE) is None
    assert session.GetAttribute(roles.DECISION) is None


def test_a_volume_that_is_moved_after_the_registration_is_noticed(opened, session, tmp_path):
    registered_and_accepted(session)
    check_place(session)
    write_mrb(opened.scene, tmp_path / "all.mrb")  # its left-handed grid is read in another order
    opened.scene.Clear(0)
    read_mrb(opened.scene, tmp_path / "all.mrb")
    (back,) = roles.result_nodes(opened.scene)
    check_place(back)
    transform = opened.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(vtk_matrix(exp_se3(np.array([0.0, 0, 0.01, 0, 0, 0]))))
    volume = back.GetNodeReference(roles.VOLUME)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(InputError, match="moved since the registration"):
        check_place(back)
    volume.SetAndObserveTransformNodeID(None)
    check_place(back)
    undo(back)
    assert back.GetAttribute(roles.PLACE) is None
