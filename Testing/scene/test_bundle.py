"""scene.mrb: what goes in comes out."""

import json
import os

import numpy as np
import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

import vtk
from XrayRegistrationLib import roles
from XrayRegistrationLib.bundle import read_mrb, write_mrb
from XrayRegistrationLib.headless import headless
from XrayRegistrationLib.mrml import array_of, matrix_array, world_from_index


@pytest.fixture
def reopened(opened, result, tmp_path):
    """The result node of the same scene, read from a file into another scene."""
    write_mrb(opened.scene, tmp_path / "scene.mrb")
    with headless() as other:
        read_mrb(other.scene, tmp_path / "scene.mrb")
        (node,) = roles.result_nodes(other.scene)
        yield node


def test_every_reference_leads_to_the_same_kind_of_node(result, reopened):
    for role in (roles.VOLUME, roles.SEGMENTATION, roles.VIEW, roles.PLAN):
        before, after = roles.references(result, role), roles.references(reopened, role)
        assert [(n.GetClassName(), n.GetName()) for n in after] == [
            (n.GetClassName(), n.GetName()) for n in before
        ]
        assert before
    for xray in roles.references(reopened, roles.VIEW):
        for role in (roles.CAMERA, roles.DETECTOR, roles.DRR, roles.FRUSTUM):
            assert xray.GetNodeReference(role) is not None


def test_x_rays_and_drrs_keep_values_and_place(result, reopened):
    for before, after in zip(
        roles.references(result, roles.VIEW), roles.references(reopened, roles.VIEW), strict=True
    ):
        drrs = [node.GetNodeReference(roles.DRR) for node in (before, after)]
        for one, other in ((before, after), drrs):
            np.testing.assert_array_equal(array_of(other), array_of(one))
            assert array_of(other).dtype == np.float32
            np.testing.assert_allclose(world_from_index(other), world_from_index(one), atol=1e-4)


def test_poses_are_exact(result, reopened):
    for before, after in zip(
        roles.references(result, roles.VIEW), roles.references(reopened, roles.VIEW), strict=True
    ):
        for role in (roles.CAMERA, roles.DETECTOR):
            one, other = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
            before.GetNodeReference(role).GetMatrixTransformToWorld(one)
            after.GetNodeReference(role).GetMatrixTransformToWorld(other)
            np.testing.assert_allclose(matrix_array(other), matrix_array(one), atol=1e-9)


def test_every_voxel_of_a_left_handed_volume_is_where_it_was(result, reopened):
    # Slicer's reader turns left-handed files right-handed by reversing k: other index, same place.
    before, after = (node.GetNodeReference(roles.VOLUME) for node in (result, reopened))
    k, j, i = np.indices(array_of(before).shape).reshape(3, -1)
    index_after_from_before = np.linalg.inv(world_from_index(after)) @ world_from_index(before)
    exact = (index_after_from_before @ np.stack([i, j, k, np.ones_like(i)]))[:3]
    i_after, j_after, k_after = np.rint(exact).astype(int)
    np.testing.assert_allclose(exact, [i_after, j_after, k_after], atol=1e-4)
    np.testing.assert_array_equal(array_of(after)[k_after, j_after, i_after], array_of(before)[k, j, i])
    assert array_of(after).dtype == np.int16


def test_camera_numbers_windows_and_plans_survive(registration, result, reopened):
    for view, before, after in zip(
        registration.views,
        roles.references(result, roles.VIEW),
        roles.references(reopened, roles.VIEW),
        strict=True,
    ):
        assert json.loads(after.GetAttribute(roles.K)) == view.camera.K.tolist()
        assert json.loads(after.GetAttribute(roles.VIEW_NAME)) == view.name
        assert after.GetDisplayNode().GetWindow() == pytest.approx(
            before.GetDisplayNode().GetWindow(), rel=1e-4
        )
    assert reopened.GetNodeReference(roles.PLAN).GetNthControlPointPosition(1) == pytest.approx((-12, -3, 25))


def test_segments_come_back_with_names_colours_and_surfaces(result, reopened):
    before = result.GetNodeReference(roles.SEGMENTATION).GetSegmentation()
    after = reopened.GetNodeReference(roles.SEGMENTATION).GetSegmentation()
    assert after.GetNumberOfSegments() == before.GetNumberOfSegments() == 2
    for n in range(2):
        assert after.GetNthSegment(n).GetName() == before.GetNthSegment(n).GetName()
        assert after.GetNthSegment(n).GetColor() == pytest.approx(
            before.GetNthSegment(n).GetColor(), abs=1e-3
        )
        assert after.GetNthSegment(n).GetRepresentation("Closed surface").GetNumberOfCells() > 100


def test_writing_and_reading_leave_nothing_behind(opened, result, tmp_path, monkeypatch):
    folder, temporary = tmp_path / "out", tmp_path / "tmp"
    folder.mkdir()
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with headless() as other:
        write_mrb(opened.scene, folder / "scene.mrb")
        read_mrb(other.scene, folder / "scene.mrb")
    assert os.listdir(folder) == ["scene.mrb"]
    assert os.listdir(temporary) == []


class SceneThatCannotBeWritten:
    def WriteToMRB(self, path, thumbnail, messages):  # noqa: N802
        return False


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "scene.mrb"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match=r"scene\.mrb: the scene could not be written"):
        write_mrb(SceneThatCannotBeWritten(), path)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["scene.mrb"]
