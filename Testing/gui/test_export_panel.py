"""Export by clicks: files that come back as they went, and folders that stay as they were when it fails."""

import hashlib
import json
from pathlib import Path

import numpy as np
import phantom
import pydicom
import pytest
from story import run_to_the_end, state

EVERYTHING = {"registration.json", "scene.mrb", "report.html"} | {
    name.format(view)
    for view in ("frontal", "lateral")
    for name in ("camera_from_patient_{}.tfm", "overlay_{}.png", "xray_{}.dcm", "drr_{}.dcm")
}


@pytest.fixture
def decided(application, ready):
    """Registered, and accepted with a comment."""
    run_to_the_end(application, ready)
    ready.review._ui.commentEdit.text = "both fit <script>alert(1)</script>"
    application.click(ready.review._ui.acceptButton)
    return ready


def export(application, desk, folder, *left_out):
    ui = desk.export._ui
    ui.exportFolder.currentPath = str(folder)
    for box in left_out:
        box.checked = False
    application.click(ui.writeButton)
    assert desk.busy
    application.wait_until(lambda: not desk.busy, timeout_s=120)


def names(folder):
    return {path.name for path in folder.iterdir()}


def shown(scene):
    """Its state, but for the storage nodes that saving a scene gives to nodes."""
    return {node_id: what for node_id, what in state(scene).items() if "StorageNode" not in node_id}


def poses(session):
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.nodes import camera_of

    return [camera_of(node).camera_from_patient for node in roles.references(session, roles.VIEW)]


def test_what_is_exported_comes_back(application, decided, files, tmp_path):
    import slicer
    from XrayRegistrationLib import roles

    session, out = decided.session, tmp_path / "new" / "out"
    before = poses(session)
    told = (roles.CONFIDENCE, roles.DECISION, roles.COMMENT)
    attributes = {name: session.GetAttribute(name) for name in told}
    decided.selector.addNode()  # a second registration in the scene, which is not exported
    decided.selector.setCurrentNode(session)
    scene = shown(slicer.mrmlScene)
    export(application, decided, out)
    assert application.errors == []
    assert names(out) == EVERYTHING
    assert names(tmp_path / "new") == {"out"}  # no temporary folder is left
    assert shown(slicer.mrmlScene) == scene
    assert f"Written to {out}" in decided.export._ui.exportHint.text

    slicer.mrmlScene.Clear()
    application.process(0.05)
    assert not decided.export._ui.exportButton.enabled
    decided.ui.resultFolder.currentPath = str(out)
    application.click(decided.ui.loadButton)
    assert application.errors == []
    back = decided.session
    for a, b in zip(poses(back), before, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)
    assert {name: back.GetAttribute(name) for name in attributes} == attributes
    assert back.GetAttribute(roles.EXPORTED) is None
    assert "accepted" in decided.review._ui.decisionLabel.text
    assert decided.export._ui.exportButton.enabled

    result = json.loads((out / "registration.json").read_text())
    assert result["review"] == {"decision": "accepted", "comment": "both fit <script>alert(1)</script>"}
    assert result["confidence"]["verdict"] == json.loads(attributes[roles.CONFIDENCE])["verdict"]
    assert [each["path"] for each in result["inputs"]["xrays"]] == [str(path) for path in files.xrays]
    assert result["inputs"]["volume"]["path"] is None  # the tests make the node, no file was read
    assert "scene" in result["inputs"]["volume"]["reason"]
    assert set(result["timing_s"]) == {"initialise", "refine", "total"}
    for view, pose in zip(result["views"], before, strict=True):
        np.testing.assert_allclose(view["camera_from_patient"], pose, rtol=0, atol=1e-9)
        assert view["similarity"] > view["initial_similarity"]
        assert np.array(view["covariance"]).shape == (6, 6)


def test_an_exported_x_ray_is_registered_where_its_tags_say(application, decided, tmp_path):
    from xrayreg.images import read_dicom_xray
    from XrayRegistrationLib.nodes import xray_of
    from XrayRegistrationLib.roles import VIEW, references

    ui = decided.export._ui
    export(application, decided, tmp_path, ui.sceneCheckBox, ui.reportCheckBox, ui.picturesCheckBox)
    frames = set()
    for node in references(decided.session, VIEW):
        shown = xray_of(node)
        dataset = pydicom.dcmread(tmp_path / f"xray_{shown.name}.dcm")
        place = dataset.ImageComments.split("LPS (")[1].split(")")[0]
        back = read_dicom_xray(tmp_path / f"xray_{shown.name}.dcm", tuple(map(float, place.split(","))))
        off = back.camera.project(phantom.targets()) - shown.camera.project(phantom.targets())
        assert np.abs(off).max() < 0.01
        frames.add(back.frame_of_reference_uid)
        assert not dataset.PatientName
    assert len(frames) == 1


def test_only_what_is_ticked_is_written_and_a_rejection_is_marked(application, ready, tmp_path):
    run_to_the_end(application, ready)
    application.click(ready.review._ui.rejectButton)
    ui = ready.export._ui
    (tmp_path / "notes.txt").write_text("the user's own")
    boxes = (ui.sceneCheckBox, ui.transformsCheckBox, ui.picturesCheckBox)
    export(application, ready, tmp_path, *boxes)
    dicom = {f"{kind}_{view}.dcm" for kind in ("xray", "drr") for view in ("frontal", "lateral")}
    assert names(tmp_path) == {"registration.json", "report.html", "notes.txt"} | dicom
    assert "REJECTED by the reviewer" in (tmp_path / "report.html").read_text()
    for name in dicom:
        dataset = pydicom.dcmread(tmp_path / name)
        assert "REJECTED" in dataset.ImageComments
        assert dataset.SeriesDescription.startswith("REJECTED")


def test_without_a_decision_the_report_says_so(application, ready, tmp_path):
    assert not ready.export._ui.exportButton.enabled
    run_to_the_end(application, ready)
    ui = ready.export._ui
    export(application, ready, tmp_path, ui.sceneCheckBox, ui.dicomCheckBox)
    assert "Not reviewed" in (tmp_path / "report.html").read_text()
    assert "review" not in json.loads((tmp_path / "registration.json").read_text())


@pytest.mark.parametrize(
    ("where", "error", "words"),
    [
        ("write_report", OSError(28, "No space left on device"), "No space left on device"),
        ("whole_or_nothing", PermissionError(13, "Permission denied"), "Permission denied"),
        ("draw", RuntimeError("the projector broke"), "the projector broke"),
    ],
)
def test_a_failure_is_told_in_one_line_and_leaves_all_as_it_was(
    application, decided, tmp_path, monkeypatch, where, error, words
):
    import slicer
    import XrayRegistrationLib.writing as writing

    def fail(*arguments):
        raise error

    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "registration.json").write_text("of an earlier export")
    before = shown(slicer.mrmlScene)
    monkeypatch.setattr(writing, where, fail)
    export(application, decided, tmp_path / "out")
    (message,) = application.errors
    assert words in message
    assert "\n" not in message
    assert names(tmp_path) == {"out"}
    assert names(tmp_path / "out") == {"registration.json"}
    assert (tmp_path / "out" / "registration.json").read_text() == "of an earlier export"
    assert shown(slicer.mrmlScene) == before
    assert not any(path.is_dir() for path in Path(slicer.app.temporaryPath).iterdir())
    assert decided.export._ui.writeButton.enabled


def test_a_scene_that_cannot_be_saved_is_told(application, decided, tmp_path, monkeypatch):
    import slicer

    monkeypatch.setattr(slicer.util, "saveScene", lambda path, properties=None: False)
    export(application, decided, tmp_path)
    (message,) = application.errors
    assert "the scene could not be saved" in message
    assert names(tmp_path) == set()


def test_a_cancel_leaves_the_folder_as_it_was(application, decided, tmp_path):
    ui = decided.export._ui
    ui.exportFolder.currentPath = str(tmp_path)
    application.click(ui.writeButton)
    application.wait_until(lambda: "Drawing" in ui.exportHint.text, timeout_s=60)
    assert not decided.register._ui.runButton.enabled
    application.click(ui.cancelExportButton)
    application.wait_until(lambda: not decided.busy, timeout_s=60)
    assert application.errors == []
    assert names(tmp_path) == set()
    assert "as before" in ui.exportHint.text


def test_an_x_ray_that_was_added_later_has_to_be_registered_first(application, decided, files, tmp_path):
    from xrayreg.images import read_xray
    from XrayRegistrationLib.session import add_view

    add_view(decided.session, read_xray(files.xrays[0], name="later"))
    ui = decided.export._ui
    ui.exportFolder.currentPath = str(tmp_path)
    application.click(ui.writeButton)
    (message,) = application.errors
    assert message == "later: this X-ray has not been registered - register again"
    assert not decided.busy


def test_a_volume_read_from_a_file_is_named_by_it_until_it_is_changed(application, decided, files, tmp_path):
    import slicer
    from XrayRegistrationLib.exporting import taken_from
    from XrayRegistrationLib.roles import VOLUME

    storage = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(files.ct))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    node.SetAndObserveStorageNodeID(storage.GetID())
    assert storage.ReadData(node)
    decided.session.SetNodeReferenceID(VOLUME, node.GetID())
    ui = decided.export._ui
    export(application, decided, tmp_path, ui.sceneCheckBox, ui.dicomCheckBox, ui.reportCheckBox)
    inputs = json.loads((tmp_path / "registration.json").read_text())["inputs"]
    assert inputs["volume"] == {
        "path": str(files.ct),
        "sha256": hashlib.sha256(files.ct.read_bytes()).hexdigest(),
    }
    node.GetImageData().Modified()
    assert taken_from(decided.session).volume_files == ()


def test_closing_the_module_ends_an_export(application, decided, tmp_path):
    ui = decided.export._ui
    ui.exportFolder.currentPath = str(tmp_path)
    application.click(ui.writeButton)
    application.wait_until(lambda: "Drawing" in ui.exportHint.text, timeout_s=60)
    export = decided.export._export
    application.close_module()
    application.wait_until(lambda: not export._job._thread.is_alive(), timeout_s=60)
    application.process(0.1)
    assert names(tmp_path) == set()


def test_the_folder_is_opened(application, decided, tmp_path, monkeypatch):
    from XrayRegistrationLib.panels import export as panel

    opened = []
    monkeypatch.setattr(panel.qt.QDesktopServices, "openUrl", opened.append)
    ui = decided.export._ui
    assert not ui.openFolderButton.enabled
    ui.exportFolder.currentPath = str(tmp_path)
    application.click(ui.openFolderButton)
    assert opened[0].toLocalFile() == str(tmp_path)


def test_a_de_identified_export_holds_no_name_of_a_file(application, decided, files, tmp_path):
    ui = decided.export._ui
    ui.deidentifyCheckBox.checked = True
    assert not ui.sceneCheckBox.enabled  # it would hold the nodes' names
    export(application, decided, tmp_path)
    kinds = ("camera_from_patient_{}.tfm", "overlay_{}.png", "xray_{}.dcm", "drr_{}.dcm")
    views = {kind.format(f"view_{number}") for kind in kinds for number in (1, 2)}
    assert names(tmp_path) == {"registration.json", "report.html"} | views
    for path in tmp_path.iterdir():
        assert b"frontal" not in path.read_bytes()
        assert str(files.xrays[0].parent).encode() not in path.read_bytes()
    assert json.loads((tmp_path / "registration.json").read_text())["inputs"]["xrays"][0]["sha256"]
    ui.deidentifyCheckBox.checked = False
    assert ui.sceneCheckBox.enabled
