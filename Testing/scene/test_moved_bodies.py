"""Bones that have moved, in the scene: directions worked out by hand, the field as the core has it."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

import slicer
import vtk
from finding import layers_of, outcome_of
from xrayreg.articulate import overlay_now
from xrayreg.deform import blended, write_field
from xrayreg.geometry import apply, exp_se3, flip_ras_lps
from xrayreg.images import LabelMap
from xrayreg.register import Articulated, Body, BodyUncertainty, PoseUncertainty, RegisteredBody
from XrayRegistrationLib import roles
from XrayRegistrationLib.bodies import VERDICT_COLORS, bodies_of, motions_of
from XrayRegistrationLib.bundle import read_mrb, write_mrb
from XrayRegistrationLib.choosing import choose, forget_all
from XrayRegistrationLib.headless import headless
from XrayRegistrationLib.mrml import matrix_array
from XrayRegistrationLib.nodes import label_map_of, markup_of, volume_of
from XrayRegistrationLib.now import is_now, show_now
from XrayRegistrationLib.overlays import outlined
from XrayRegistrationLib.session import add_outcome
from XrayRegistrationLib.work import found_in

# A quarter turn about the x axis, which carries y to z and z to -y, then 1, 2 and 3 mm along the axes.
QUARTER = np.array([[1.0, 0, 0, 1], [0, 0, -1, 2], [0, 1, 0, 3], [0, 0, 0, 1]])
SMALL = exp_se3(np.array([0.05, -0.04, 0.06, 1.0, -1.5, 0.5]))


def body(name, label, points, motion, sigma=0.2):
    sure = BodyUncertainty(PoseUncertainty(np.eye(6) * 1e-4), sigma, np.array([1.0, 1.0]))
    return RegisteredBody(Body(name, (label,), (), None, points), motion, sure, 1.0, 0.1)


@pytest.fixture
def blend(volume, labels):
    return blended(labels, {"T8": (7,), "T7": (9,)}, [SMALL, np.eye(4)], volume.grid)


@pytest.fixture
def moved(opened, registration, labels, markups, blend):
    """The session of a result with bodies, as the command line hands it over; the first stays uncertain."""
    outcome = outcome_of(registration, segmentation=labels, markups=markups)
    points = [apply(labels.grid.patient_from_index, np.argwhere(labels.labels == n)[:, ::-1]) for n in (7, 9)]
    bodies = (body("T8", 7, points[0], QUARTER, sigma=3.0), body("T7", 9, points[1], np.eye(4)))
    cameras = tuple(view.camera for view in registration.views)
    found = Articulated(bodies, None, np.eye(4), cameras, np.ones(2))
    outcome = replace(outcome, articulated=found, blend=blend)
    outcome = replace(outcome, overlay=overlay_now(outcome.overlay, found, blend))
    outlines = np.zeros(registration.views[0].camera.size[::-1], np.int16)
    outlines[10:20, 10:20], outlines[30:40, 10:20] = 7, 9
    layers = {view.name: layers_of(view.camera) for view in registration.views}
    layers["frontal"] = layers_of(registration.views[0].camera, outlines=outlines)
    return add_outcome(opened.scene, outcome, found_in(outcome, layers))


def test_a_bodys_transform_carries_it_from_the_ct_to_where_it_is(moved):
    node = moved.GetNthNodeReference(roles.BODY, 0)
    # In RAS, x and y change their signs: y goes to -z, z to y; and -1, -2, 3 mm.
    expected = [[1, 0, 0, -1], [0, 0, 1, -2], [0, -1, 0, 3], [0, 0, 0, 1]]
    matrix = vtk.vtkMatrix4x4()
    node.GetMatrixTransformToParent(matrix)
    np.testing.assert_allclose(matrix_array(matrix), expected, atol=1e-12)
    point = moved.GetScene().AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    point.AddControlPoint(10, -20, 30)
    point.SetAndObserveTransformNodeID(node.GetID())
    world = np.zeros(3)
    point.GetNthControlPointPositionWorld(0, world)
    assert world == pytest.approx([9, 28, 23])
    # The same point in LPS, (-10, 20, 30), goes to (-9, -28, 23).
    assert apply(QUARTER, np.array([-10.0, 20, 30])) == pytest.approx([-9, -28, 23])
    np.testing.assert_allclose(motions_of(moved), [QUARTER, np.eye(4)], atol=1e-12)


def test_what_is_known_of_a_body_is_kept_with_it(moved):
    first, second = bodies_of(moved)
    assert (first.name, first.labels, first.verdict, second.verdict) == ("T8", (7,), "review", "accept")
    assert first.reasons == ("it may well be off by 3.0 mm",)
    assert first.turned_deg == pytest.approx(90)
    centre = np.array(first.centre)
    assert first.moved_mm == pytest.approx(np.linalg.norm(apply(QUARTER, centre) - centre))
    assert second.moved_mm == second.turned_deg == 0


def transformed(transform, points):
    return np.array([transform.TransformPoint(point) for point in points])


def test_the_fields_node_is_the_field_of_the_core(moved, blend, tmp_path):
    rng = np.random.default_rng(0)
    grid = blend.grid
    index = rng.uniform(0, np.array(grid.size) - 1, (200, 3))
    node = moved.GetNodeReference(roles.FIELD)
    field = node.GetTransformFromParent()
    voxels = apply(grid.patient_from_index, np.rint(index))
    back = flip_ras_lps(transformed(field, flip_ras_lps(voxels)))
    np.testing.assert_allclose(back, blend.field.rest_from_patient(voxels), atol=1e-9)
    # Between the voxels as Slicer reads the command line's file.
    write_field(tmp_path / "rest_from_patient.h5", blend.displacements, grid)
    storage, read = slicer.vtkMRMLTransformStorageNode(), slicer.vtkMRMLTransformNode()
    storage.SetFileName(str(tmp_path / "rest_from_patient.h5"))
    assert storage.ReadData(read)
    points = flip_ras_lps(apply(grid.patient_from_index, index))
    np.testing.assert_allclose(
        transformed(field, points), transformed(read.GetTransformFromParent(), points), atol=1e-6
    )
    # And forward: what lies under it goes where it is now.
    inner = apply(grid.patient_from_index, rng.uniform(1, np.array(grid.size) - 2, (50, 3)))
    there = flip_ras_lps(transformed(node.GetTransformToParent(), flip_ras_lps(inner)))
    np.testing.assert_allclose(flip_ras_lps(transformed(field, flip_ras_lps(there))), inner, atol=1e-2)


def test_the_scene_is_shown_as_it_is_now_or_as_it_was(moved, volume, labels, markups, registration):
    assert is_now(moved)
    plan = moved.GetNthNodeReference(roles.PLAN, 0)
    shown = np.zeros(3)
    for now in (True, False):
        show_now(moved, now)
        assert is_now(moved) is now
        # What is asked of them is as the CT shows it, either way.
        np.testing.assert_allclose(markup_of(plan).points, markups[0].points, atol=1e-3)
        np.testing.assert_allclose(
            volume_of(moved.GetNodeReference(roles.VOLUME)).grid.patient_from_index,
            volume.grid.patient_from_index,
        )
        assert isinstance(label_map_of(moved.GetNodeReference(roles.SEGMENTATION)), LabelMap)
        plan.GetNthControlPointPositionWorld(0, shown)
        way = np.linalg.norm(flip_ras_lps(shown) - markups[0].points[0])
        assert bool(way > 0.5) is now


def test_outlines_have_the_color_and_the_word_of_the_verdict(moved):
    first, second = outlined(roles.references(moved, roles.VIEW))
    assert (first.name, second.name) == ("vertebra_T8: review", "vertebra_T7: accept")
    assert first.color == pytest.approx(VERDICT_COLORS["review"], abs=0.01)
    assert second.color == pytest.approx(VERDICT_COLORS["accept"], abs=0.01)


def test_another_plan_is_shown_as_it_is_now_too_and_another_segmentation_ends_it(opened, moved):
    old = roles.references(moved, roles.PLAN)
    new = opened.scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode")
    choose(moved, roles.PLAN, [new])
    assert new.GetParentTransformNode() is moved.GetNodeReference(roles.FIELD)
    assert all(node.GetParentTransformNode() is None for node in old)
    choose(moved, roles.SEGMENTATION, [])
    assert not moved.GetNumberOfNodeReferences(roles.BODY)
    assert new.GetParentTransformNode() is None


def test_all_of_it_is_saved_and_goes_together(opened, moved, tmp_path):
    write_mrb(opened.scene, tmp_path / "scene.mrb")
    with headless() as other:
        read_mrb(other.scene, tmp_path / "scene.mrb")
        (back,) = roles.result_nodes(other.scene)
        assert bodies_of(back) == bodies_of(moved)
        np.testing.assert_allclose(motions_of(back), motions_of(moved), atol=1e-9)
        assert is_now(back)
        points = np.random.default_rng(1).uniform(-20, 20, (20, 3))
        fields = [each.GetNodeReference(roles.FIELD).GetTransformFromParent() for each in (back, moved)]
        one, two = (transformed(field, points) for field in fields)
        np.testing.assert_allclose(one, two, atol=1e-6)
    count = opened.scene.GetNumberOfNodes()
    forget_all(moved)
    assert not moved.GetNumberOfNodeReferences(roles.FIELD)
    assert opened.scene.GetNumberOfNodes() < count - 3
    assert moved.GetNodeReference(roles.VOLUME).GetParentTransformNode() is None
