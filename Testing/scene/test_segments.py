"""Label maps as segmentations."""

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from vtk.util.numpy_support import vtk_to_numpy
from xrayreg.images import Grid, LabelMap
from XrayRegistrationLib.segments import add_segmentation


def surface(node, label: int):
    return node.GetSegmentation().GetSegment(f"label_{label}").GetRepresentation("Closed surface")


def test_every_label_becomes_a_named_segment_of_its_own_colour(opened, labels):
    segmentation = add_segmentation(opened.scene, labels).GetSegmentation()
    segments = [segmentation.GetNthSegment(n) for n in range(segmentation.GetNumberOfSegments())]
    assert [segment.GetName() for segment in segments] == ["vertebra_T8", "vertebra_T7"]
    assert segments[0].GetColor() != segments[1].GetColor()


def test_only_the_labels_asked_for_are_shown_and_absent_ones_are_left_out(opened, labels):
    segmentation = add_segmentation(opened.scene, labels, (9, 3)).GetSegmentation()
    assert segmentation.GetNumberOfSegments() == 1
    assert segmentation.GetNthSegment(0).GetName() == "vertebra_T7"


@pytest.mark.parametrize("handedness", [1, -1])
def test_the_surface_lies_around_its_voxels_in_ras(opened, labels, handedness):
    # i 6..25, j 4..15, k 2..11 on a 1 mm grid from LPS (-5, -15, 5): x 1..20, y -11..0, z 7..16; the
    # surface runs half a voxel outside. Left-handed: x runs down from -5, -11..-30. RAS flips x and y.
    affine = labels.grid.patient_from_index @ np.diag([handedness, 1, 1, 1])
    node = add_segmentation(opened.scene, LabelMap(labels.labels, Grid((30, 30, 30), affine), labels.names))
    low, high = np.reshape(surface(node, 7).GetBounds(), (3, 2)).T
    assert (low + high) / 2 == pytest.approx([-10.5 if handedness == 1 else 20.5, 5.5, 11.5], abs=0.3)
    # Smoothing lets a box bulge by about a voxel.
    assert high - low == pytest.approx([20, 12, 10], abs=2.5)


def test_voxels_of_the_shared_label_map_are_the_labels_renumbered(opened, labels):
    node = add_segmentation(opened.scene, labels)
    image = node.GetSegmentation().GetSegment("label_9").GetRepresentation("Binary labelmap")
    voxels = vtk_to_numpy(image.GetPointData().GetScalars())
    assert node.GetSegmentation().GetNumberOfLayers() == 1
    assert np.count_nonzero(voxels == 2) == np.count_nonzero(labels.labels == 9)


@pytest.mark.parametrize("handedness", [1, -1])
def test_surfaces_point_outwards_whatever_the_handedness_of_the_grid(opened, labels, handedness):
    affine = labels.grid.patient_from_index @ np.diag([handedness, 1, 1, 1])
    node = add_segmentation(opened.scene, LabelMap(labels.labels, Grid((30, 30, 30), affine), labels.names))
    mesh = surface(node, 7)
    points = vtk_to_numpy(mesh.GetPoints().GetData())
    normals = vtk_to_numpy(mesh.GetPointData().GetNormals())
    outwards = points - (points.max(axis=0) + points.min(axis=0)) / 2
    assert np.mean(np.sum(normals * outwards, axis=1) > 0) > 0.95


def test_a_label_map_without_the_labels_gives_an_empty_segmentation(opened, labels):
    assert add_segmentation(opened.scene, labels, (3,)).GetSegmentation().GetNumberOfSegments() == 0
