"""Where core objects stand in the scene: RAS numbers worked out by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk
from vtk.util.numpy_support import vtk_to_numpy
from xrayreg.errors import InputError
from xrayreg.geometry import Camera, flip_ras_lps
from xrayreg.images import Xray
from XrayRegistrationLib import roles
from XrayRegistrationLib.mrml import array_of, matrix_array, world_from_index
from XrayRegistrationLib.scene import add_xray


def ras_of(node, *index) -> np.ndarray:
    return (world_from_index(node) @ [*index, 1])[:3]


def world_matrix(transform) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    transform.GetMatrixTransformToWorld(matrix)
    return matrix_array(matrix)


@pytest.fixture
def frontal(result):
    return result.GetNthNodeReference(roles.VIEW, 0)


def test_the_first_pixel_of_the_frontal_x_ray_lies_where_the_detector_has_it(frontal):
    # Principal ray at LPS (10, 300, 20); 30 columns of 0.5 mm to the patient's right of it and 100
    # rows of 0.25 mm above it: LPS (-5, 300, 45).
    assert ras_of(frontal, 0, 0, 0) == pytest.approx([5, -300, 45])


def test_pixels_are_as_far_apart_as_on_the_detector(frontal):
    assert ras_of(frontal, 1, 0, 0) - ras_of(frontal, 0, 0, 0) == pytest.approx([-0.5, 0, 0])
    assert ras_of(frontal, 0, 1, 0) - ras_of(frontal, 0, 0, 0) == pytest.approx([0, 0, -0.25])


def test_the_drr_lies_on_its_x_ray(frontal):
    drr = frontal.GetNodeReference(roles.DRR)
    np.testing.assert_allclose(world_from_index(drr), world_from_index(frontal), atol=1e-12)
    np.testing.assert_allclose(array_of(drr), 2 * array_of(frontal))


def test_the_camera_stands_at_the_source_and_the_detector_where_the_central_ray_meets_it(frontal):
    assert world_matrix(frontal.GetNodeReference(roles.CAMERA))[:3, 3] == pytest.approx([-10, 700, 20])
    assert world_matrix(frontal.GetNodeReference(roles.DETECTOR))[:3, 3] == pytest.approx([-10, -300, 20])


def test_the_frustum_runs_from_the_source_to_the_outer_corner_of_the_first_pixel(frontal):
    frustum = frontal.GetNodeReference(roles.FRUSTUM)
    points = vtk_to_numpy(frustum.GetPolyData().GetPoints().GetData())
    world = points @ world_matrix(frustum.GetParentTransformNode())[:3, :3].T
    world += world_matrix(frustum.GetParentTransformNode())[:3, 3]
    assert world[0] == pytest.approx([-10, 700, 20])
    assert world[1] == pytest.approx([5.25, -300, 45.125])


@pytest.mark.parametrize("view", [0, 1])
def test_source_landmark_and_its_pixel_are_on_one_line(result, registration, view):
    landmark_patient = np.array([12.0, 5.0, 24.0])
    xray = result.GetNthNodeReference(roles.VIEW, view)
    u, v = registration.views[view].camera.project(landmark_patient)
    source = world_matrix(xray.GetNodeReference(roles.CAMERA))[:3, 3]
    to_pixel = ras_of(xray, u, v, 0) - source
    to_landmark = flip_ras_lps(landmark_patient) - source
    assert np.cross(to_pixel, to_landmark) / np.linalg.norm(to_landmark) == pytest.approx([0, 0, 0], abs=1e-6)


def test_a_left_handed_volume_keeps_its_voxels_at_their_place(result, volume):
    node = result.GetNodeReference(roles.VOLUME)
    # Voxel (i, j, k) = (3, 2, 1): LPS (21 - 6, -15 + 6, 5 + 4) = (15, -9, 9).
    assert ras_of(node, 3, 2, 1) == pytest.approx([-15, 9, 9])
    assert array_of(node)[1, 2, 3] == 100 + 20 + 3 - 500
    assert np.linalg.det(world_from_index(node)[:3, :3]) < 0
    assert array_of(node).dtype == np.int16


def test_the_camera_can_be_read_back_from_the_x_ray_node(frontal, registration):
    camera = registration.views[0].camera
    assert json.loads(frontal.GetAttribute(roles.K)) == camera.K.tolist()
    assert json.loads(frontal.GetAttribute(roles.SIZE)) == [64, 120]
    assert json.loads(frontal.GetAttribute(roles.SOURCE_TO_DETECTOR_MM)) == 1000
    assert json.loads(frontal.GetAttribute(roles.PIXEL_SPACING_MM)) == [0.5, 0.25]


def test_plans_are_markups_of_their_kind_in_ras(result):
    nodes = roles.references(result, roles.PLAN)
    assert [node.GetClassName() for node in nodes] == [
        "vtkMRMLMarkupsFiducialNode",
        "vtkMRMLMarkupsLineNode",
        "vtkMRMLMarkupsCurveNode",
    ]
    assert nodes[0].GetNthControlPointPosition(0) == pytest.approx((-10, 1, 20))
    assert nodes[1].GetNthControlPointLabel(1) == "tip"


def test_pixels_outside_the_mask_may_hold_anything_and_do_not_reach_the_display(opened, registration):
    view = registration.views[0]
    image = view.xray.line_integrals.copy()
    mask = np.ones(image.shape, bool)
    image[:10], mask[:10] = np.nan, False
    node = add_xray(opened.scene, Xray(image, view.camera, mask, "masked"), (1, 0, 0))
    assert np.isfinite(array_of(node)).all()
    display = node.GetDisplayNode()
    assert display.GetLevel() - display.GetWindow() / 2 >= 10  # rows are worth their number
    assert node.GetNodeReference(roles.DRR) is None


def test_a_view_without_source_to_detector_distance_is_refused_in_words(opened, registration):
    view = registration.views[0]
    camera = Camera(view.camera.size, view.camera.K, view.camera.camera_from_patient)
    nowhere = replace(view.xray, camera=camera)
    with pytest.raises(InputError, match="source_to_detector_mm"):
        add_xray(opened.scene, nowhere, (1, 0, 0))
