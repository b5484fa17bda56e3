"""The volume by clicks: bones, TotalSegmentator, MR."""

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import phantom
import pytest
from story import add, run_to_the_end, state

# --- Bones ---


def segmentation_of(desk):
    from XrayRegistrationLib import roles

    return desk.session.GetNodeReference(roles.SEGMENTATION)


def test_bones_are_segmented_beside_the_gui_and_chosen(application, desk):
    from XrayRegistrationLib.nodes import label_map_of

    ui, before = desk.preoperative._ui, segmentation_of(desk)
    application.click(ui.bonesButton)
    application.wait_until(lambda: not desk.busy)
    assert application.errors == []
    node = segmentation_of(desk)
    assert node is not before
    assert node.GetName().endswith("bones")
    assert ui.segmentationSelector.currentNode() is node
    found = label_map_of(node)
    assert list(found.names.values()) == ["bone 1", "bone 2"]  # the talus has 1.1 ml, less than 2
    affine = found.grid.patient_from_index
    by_size = (phantom.BONES[1], phantom.BONES[0])  # half axes 5, 12, 20 mm, and 16, 9, 7
    for label, (_, _, centre, _) in zip(found.names, by_size, strict=True):
        middle = np.argwhere(found.labels == label).mean(axis=0)[::-1]
        at = affine[:3, :3] @ middle + affine[:3, 3]
        np.testing.assert_allclose(at, phantom.CENTRE + centre, atol=0.5)
    segment = node.GetSegmentation().GetNthSegment(0)
    assert segment.GetRepresentation("Closed surface").GetNumberOfPolys() > 100


def test_segmenting_can_be_stopped_and_keeps_registration_away(application, desk, files, monkeypatch):
    import time

    import slicer
    from XrayRegistrationLib import segmenting

    def forever(volume, threshold_hu, report):
        while True:
            report(f"looking above {threshold_hu} HU")
            time.sleep(0.01)

    add(application, desk, files.xrays[0])
    ui, before = desk.preoperative._ui, state(slicer.mrmlScene)
    monkeypatch.setattr(segmenting, "segment_bones", forever)
    ui.bonesThreshold.value = 350
    application.click(ui.bonesButton)
    application.wait_until(lambda: "above 350 HU" in ui.preoperativeHint.text)
    assert ui.bonesButton.text == "Stop"
    for held in (desk.register._ui.runButton, desk.xrays._ui.xraysButton, ui.volumeSelector, desk.selector):
        assert not held.enabled
    application.click(ui.bonesButton)
    application.wait_until(lambda: not desk.busy)
    assert ui.bonesButton.text == "Segment bones"
    assert desk.register._ui.runButton.enabled
    assert state(slicer.mrmlScene) == before
    application.click(ui.bonesButton)
    slicer.mrmlScene.Clear()
    application.process(0.1)
    assert not desk.busy
    assert application.errors == []


def test_where_there_are_no_bones_that_is_told(application, desk):
    import slicer

    ui, before = desk.preoperative._ui, state(slicer.mrmlScene)
    ui.bonesThreshold.value = 2000
    application.click(ui.bonesButton)
    application.wait_until(lambda: not desk.busy)
    (message,) = application.errors
    assert "above 2000 HU" in message
    assert state(slicer.mrmlScene) == before


class TotalSegmentatorLogic:
    """In place of the extension's: puts a segment into the segmentation, or fails."""

    error = None
    ready = False

    def setupPythonRequirements(self, upgrade=False):  # noqa: N802 - the extension's name
        self.ready = True

    def process(self, inputVolume, outputSegmentation, fast=True, cpu=False, task=None, subset=None):
        assert self.ready
        assert inputVolume.IsA("vtkMRMLScalarVolumeNode")
        if self.error:
            raise RuntimeError(self.error)
        type(self).task = task
        outputSegmentation.GetSegmentation().AddEmptySegment("rib_left_1", "rib_left_1")


@pytest.fixture
def total(application, monkeypatch):
    """The extension TotalSegmentator is installed."""
    import slicer

    monkeypatch.setattr(TotalSegmentatorLogic, "error", None)
    monkeypatch.setattr(slicer.modules, "totalsegmentator", SimpleNamespace(), raising=False)
    extension = ModuleType("TotalSegmentator")
    extension.TotalSegmentatorLogic = TotalSegmentatorLogic
    monkeypatch.setitem(sys.modules, "TotalSegmentator", extension)
    return TotalSegmentatorLogic


def test_total_segmentator_is_offered_only_where_it_is_installed(application, desk):
    assert desk.preoperative._ui.totalButton.isHidden()


def test_total_segmentator_fills_and_becomes_the_segmentation(application, total, desk):
    application.click(desk.preoperative._ui.totalButton)
    assert application.errors == []
    node = segmentation_of(desk)
    assert node.GetName().endswith("TotalSegmentator")
    assert node.GetSegmentation().GetNthSegmentID(0) == "rib_left_1"
    assert total.task == "total"


def test_a_failing_total_segmentator_is_told_in_a_line(application, total, desk, monkeypatch):
    import slicer

    before, node = state(slicer.mrmlScene), segmentation_of(desk)
    monkeypatch.setattr(total, "error", "no graphics card\nTraceback: ...")
    application.click(desk.preoperative._ui.totalButton)
    (message,) = application.errors
    assert "TotalSegmentator failed (no graphics card)" in message
    assert "\n" not in message
    assert state(slicer.mrmlScene) == before
    assert segmentation_of(desk) is node


# --- MR ---


@pytest.fixture
def mr(application, desk, files):
    """A volume without values below 0, chosen."""
    import slicer
    from xrayreg.images import Volume, read_volume
    from XrayRegistrationLib.scene import add_volume

    ct = read_volume(files.ct)
    node = add_volume(slicer.mrmlScene, Volume(ct.hu + 1000, ct.grid, "mr"))
    desk.preoperative._ui.volumeSelector.setCurrentNode(node)
    return node


def test_a_volume_that_is_not_what_it_is_said_to_be_is_warned_of(application, desk, mr):
    ui = desk.preoperative._ui
    assert "no CT in Hounsfield units" in ui.preoperativeHint.text
    ui.modalityCombo.currentIndex = 1
    assert "Next, add X-rays" in ui.preoperativeHint.text
    assert not ui.bonesButton.enabled
    ct = [n for n in (ui.volumeSelector.nodeFromIndex(i) for i in range(2)) if n is not mr]
    ui.volumeSelector.setCurrentNode(ct[0])
    assert "looks like a CT" in ui.preoperativeHint.text
    ui.modalityCombo.currentIndex = 0
    assert "Next, add X-rays" in ui.preoperativeHint.text


def test_an_mr_is_registered_as_one_and_stays_one(application, desk, mr, files, monkeypatch, tmp_path):
    import slicer
    import XrayRegistrationLib.work as work
    from XrayRegistrationLib import roles

    taken = []
    monkeypatch.setattr(work, "mr_density", lambda v, make=work.mr_density: taken.append(v.name) or make(v))
    desk.preoperative._ui.modalityCombo.currentIndex = 1
    add(application, desk, files.xrays[0])
    desk.register._ui.rotationSlider.value = desk.register._ui.translationSlider.value = 0
    run_to_the_end(application, desk)
    assert application.errors == []
    assert taken == [mr.GetName()]
    sure = json.loads(desk.session.GetAttribute(roles.CONFIDENCE))
    assert sure["verdict"] != "accept"
    assert "the volume is an MR" in sure["reasons"][-1]
    export = desk.export._ui
    export.exportFolder.currentPath = str(tmp_path / "out")
    application.click(export.writeButton)
    application.wait_until(lambda: not desk.busy)
    assert application.errors == []
    assert len(taken) == 2  # its DRRs are made of the MR too
    slicer.util.saveScene(str(tmp_path / "mr.mrb"))
    slicer.mrmlScene.Clear()
    assert desk.preoperative._ui.modalityCombo.currentIndex == 0  # a new session
    slicer.util.loadScene(str(tmp_path / "mr.mrb"))
    (back,) = [n for n in roles.result_nodes(slicer.mrmlScene) if n.GetNumberOfNodeReferences(roles.VIEW)]
    desk.selector.setCurrentNode(back)
    assert desk.preoperative._ui.modalityCombo.currentIndex == 1


def test_a_verdict_is_about_the_volume_that_was_registered(application, ready, files):
    import slicer
    from xrayreg.images import read_volume
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.scene import add_volume

    ready.register._ui.rotationSlider.value = ready.register._ui.translationSlider.value = 0
    run_to_the_end(application, ready)
    ui, review = ready.preoperative._ui, ready.review._ui
    application.click(review.acceptButton)
    ui.planSelector.setCheckState(ui.planSelector.nodeFromIndex(0), 0)
    views = roles.references(ready.session, roles.VIEW)
    assert not any(view.GetNodeReference(roles.REPROJECTED) for view in views)
    assert "accepted" in review.decisionLabel.text
    ui.planSelector.setCheckState(ui.planSelector.nodeFromIndex(0), 2)
    assert "Register again" in ui.preoperativeHint.text
    ui.volumeSelector.setCurrentNode(add_volume(slicer.mrmlScene, read_volume(files.ct)))
    assert review.verdictLabel.text == review.decisionLabel.text == ""
    assert not review.reviewButton.enabled
    assert not ready.export._ui.exportButton.enabled
    assert ready.session.GetAttribute(roles.DECISION) is None
    composite = slicer.app.layoutManager().sliceWidget("Xray1").sliceLogic().GetSliceCompositeNode()
    assert not composite.GetForegroundVolumeID()
    assert not composite.GetLabelVolumeID()
    assert application.errors == []
