"""Bone by bone, by clicks: bones that have moved are told in a table, drawn, and put into the scene."""

import functools
import json
from types import SimpleNamespace

import moved_bones
import numpy as np
import phantom
import pytest
from story import add, state

FRAME = "1.2.826.0.1.3680043.8.498.78"
NAMES = [name for _, name, _, _ in phantom.BONES]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The phantom's CT, and two X-rays of it after its bones have moved; the C-arm stands where it says."""
    from xrayreg.images import read_volume
    from xrayreg.render import Detector, simulate_xray

    folder = tmp_path_factory.mktemp("moved")
    ct = phantom.write_ct(folder / "ct.nii.gz")
    volume = read_volume(moved_bones.write_ct(folder / "now.nii.gz"))
    views, xrays = [], []
    for seed, (name, primary, secondary) in enumerate(phantom.VIEWS):
        camera = phantom.nominal_camera(primary, secondary)
        pixels = simulate_xray(volume, camera, Detector(seed=seed), np.ones(camera.size[::-1], bool))
        views.append(phantom.View(name, phantom.carm(primary, secondary), camera, camera, pixels))
        path = folder / f"{name}.dcm"
        xrays.append(phantom.write_dicom(path, views[-1], frame_of_reference_uid=FRAME))
    return SimpleNamespace(folder=folder, ct=ct, xrays=xrays, views=views)


@pytest.fixture
def registered(application, desk, files, monkeypatch):
    """As after a registration of the whole; that of the bones takes a few coarse steps."""
    import xrayreg.articulate.bodies as core
    from xrayreg.register import Confidence, Level, PoseUncertainty, Stage
    from xrayreg.similarity import Term
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.nodes import camera_of
    from XrayRegistrationLib.session import show_found
    from XrayRegistrationLib.work import Found, FoundView

    level = Level(96, (Term(False, 24), Term(True, 24)), poses=1, margin=0.05, iterations=8, step_px=0.05)
    quick = functools.partial(core.register_bodies, stages=(Stage(level, 2e-4),))
    monkeypatch.setattr(core, "register_bodies", quick)
    for path in files.xrays:
        add(application, desk, path)
    views = []
    for node in roles.references(desk.session, roles.VIEW):
        camera = camera_of(node)
        layers = _nothing(camera)
        views.append(FoundView(camera, 0.8, PoseUncertainty(np.eye(6) * 1e-5), layers))
    found = Found(tuple(views), Confidence("accept", 0.9, 0.5, 1.0, ("the whole",)), {})
    for _ in show_found(desk.session, found):
        pass
    desk.bodies._ui.bonesButton.collapsed = False
    desk.refresh()
    return desk


def _nothing(camera):
    from xrayreg.overlays import Layers

    shape = camera.size[::-1]
    return Layers(camera, np.zeros(shape, np.float32), np.zeros(shape, np.int16), ())


def run(application, desk):
    application.click(desk.bodies._ui.runBonesButton)
    assert desk.busy
    application.wait_until(lambda: not desk.busy, timeout_s=120)


def cells(table):
    return [[table.item(row, column).text() for column in range(5)] for row in range(table.rowCount)]


def untick(desk, name):
    import qt

    bones = desk.bodies._ui.boneList
    bones.item([bones.item(row).text() for row in range(bones.count)].index(name)).setCheckState(
        qt.Qt.Unchecked
    )


# --- All goes well ---


@pytest.fixture
def found(application, registered):
    run(application, registered)
    assert application.errors == []
    return registered


def middles():
    """(3, 3) of the bones at rest, patient LPS, mm."""
    return phantom.CENTRE + np.array([middle for _, _, middle, _ in phantom.BONES])


def views_of(desk):
    from XrayRegistrationLib import roles

    return roles.references(desk.session, roles.VIEW)


def test_the_table_tells_how_far_each_bone_has_moved_and_its_verdict(found):
    from xrayreg.geometry import apply
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.bodies import motions_of

    ui, session = found.bodies._ui, found.session
    rows = cells(ui.bodyTable)
    assert [row[0] for row in rows] == NAMES
    truth = moved_bones.MOTIONS.values()
    for row, rest, motion, true in zip(rows, middles(), motions_of(session), truth, strict=True):
        assert row[1] in ("accept", "review")
        assert np.linalg.norm(apply(motion, rest) - apply(true, rest)) < 1
        assert float(row[2]) == pytest.approx(np.linalg.norm(apply(true, rest) - rest), abs=1)
        assert 0 < float(row[4]) < 1.5
    assert ui.bodyTable.item(0, 0).toolTip()
    assert ui.bonesHint.text.startswith("Done")
    assert "bodies are found beyond doubt" in found.review._ui.reasonsLabel.text
    made = json.loads(session.GetAttribute(roles.MADE))["timing_s"]
    assert made["total"] >= made["bodies"] > 0


def test_x_rays_show_bones_where_they_are_and_the_ct_can_be_shown_so(application, found, files):
    from xrayreg.geometry import apply, flip_ras_lps
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.bodies import motions_of
    from XrayRegistrationLib.nodes import camera_of, markup_of, volume_of
    from XrayRegistrationLib.overlays import outlined

    ui, session, views = found.bodies._ui, found.session, views_of(found)
    for node, view in zip(views, files.views, strict=True):  # without a reference they stay
        there = view.truth.camera_from_patient
        np.testing.assert_allclose(camera_of(node).camera_from_patient, there, atol=1e-6)
    assert [each.name for each in outlined(views)] == [f"{row[0]}: {row[1]}" for row in cells(ui.bodyTable)]
    chosen = (roles.VOLUME, roles.SEGMENTATION, roles.PLAN)
    volume, bones, plan = (session.GetNodeReference(role) for role in chosen)
    field = session.GetNodeReference(roles.FIELD)
    assert ui.nowCheckBox.checked
    assert all(node.GetParentTransformNode() is field for node in (volume, bones, plan))
    shown = np.zeros(3)
    plan.GetNthControlPointPositionWorld(0, shown)
    rest = markup_of(plan).points[0]  # what is asked of it is still as it was
    np.testing.assert_allclose(rest, middles()[0], atol=1e-6)
    # The field is sampled every 4 mm.
    np.testing.assert_allclose(flip_ras_lps(shown), apply(motions_of(session)[0], rest), atol=0.5)
    assert volume_of(volume).grid.size == (52, 40, 40)
    ui.nowCheckBox.checked = False
    assert all(node.GetParentTransformNode() is None for node in (volume, bones, plan))
    ui.nowCheckBox.checked = True
    assert volume.GetParentTransformNode() is field
    found.landmarks._ui.landmarksButton.collapsed = False
    application.click(found.landmarks._ui.placeInCtButton)  # landmarks are clicked in the CT as it was
    assert not ui.nowCheckBox.checked
    assert volume.GetParentTransformNode() is None


def test_a_bone_that_is_selected_comes_into_the_middle_of_the_views(found):
    import slicer
    from xrayreg.geometry import apply, flip_ras_lps
    from XrayRegistrationLib.bodies import motions_of
    from XrayRegistrationLib.nodes import camera_of

    ui, manager = found.bodies._ui, slicer.app.layoutManager()

    def middle_of(name):
        axes = manager.sliceWidget(name).mrmlSliceNode().GetSliceToRAS()
        return flip_ras_lps(np.array([axes.GetElement(row, 3) for row in range(3)]))

    ui.bodyTable.selectRow(1)
    assert NAMES[1] in ui.bodyReasonsLabel.text
    now = apply(motions_of(found.session)[1], middles()[1])
    for name, node in zip(("Xray1", "Xray2"), views_of(found), strict=True):
        camera = camera_of(node)
        seen, depth = middle_of(name), camera.require_source_to_detector()
        assert np.linalg.norm(camera.project(seen) - camera.project(now)) < 2
        assert (camera.camera_from_patient @ [*seen, 1])[2] == pytest.approx(depth)  # still on the X-ray
    found.views._ui.layoutComboBox.currentIndex = 2  # with the CT's own views
    found.views._ui.layoutComboBox.activated.emit(2)
    ui.bodyTable.selectRow(0)
    now = apply(motions_of(found.session)[0], middles()[0])
    np.testing.assert_allclose(middle_of("Red"), now, atol=1)


def test_what_follows_takes_its_place_and_undo_takes_it_away(application, found, files, tmp_path):
    import slicer
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.bodies import motions_of
    from XrayRegistrationLib.nodes import camera_of

    ui, before = found.bodies._ui, state(slicer.mrmlScene)
    ui.restComboBox.setCurrentIndex(2)
    run(application, found)
    assert application.errors == []
    assert len(state(slicer.mrmlScene)) == len(before)
    np.testing.assert_allclose(motions_of(found.session)[1], np.eye(4), atol=1e-9)
    for node, view in zip(views_of(found), files.views, strict=True):
        way = camera_of(node).camera_from_patient - view.truth.camera_from_patient
        assert 1 < np.abs(way).max() < 40  # the views have moved instead
    rows = cells(ui.bodyTable)
    slicer.util.saveScene(str(tmp_path / "all.mrb"))
    slicer.mrmlScene.Clear()
    application.process(0.05)
    assert not ui.bodyTable.visible
    slicer.util.loadScene(str(tmp_path / "all.mrb"))
    application.process(0.05)
    assert cells(ui.bodyTable) == rows
    assert ui.nowCheckBox.checked
    assert ui.restComboBox.currentText == NAMES[1]
    application.click(found.review._ui.undoButton)
    assert not ui.bodyTable.visible
    assert found.session.GetNodeReference(roles.VOLUME).GetParentTransformNode() is None
    every = [slicer.mrmlScene.GetNthNode(n) for n in range(slicer.mrmlScene.GetNumberOfNodes())]
    assert not [node for node in every if node.GetAttribute(roles.BODY) or node.GetAttribute(roles.FIELD)]
    for node, view in zip(views_of(found), files.views, strict=True):
        start = camera_of(node).camera_from_patient
        np.testing.assert_allclose(start, view.truth.camera_from_patient, atol=1e-4)


def test_the_export_is_the_command_lines(application, found, tmp_path):
    import SimpleITK as sitk
    from xrayreg.geometry import apply
    from XrayRegistrationLib.bodies import motions_of

    ui = found.export._ui
    ui.exportFolder.currentPath = str(tmp_path)
    for box in (ui.sceneCheckBox, ui.picturesCheckBox, ui.dicomCheckBox, ui.reportCheckBox):
        box.checked = False
    application.click(ui.writeButton)
    application.wait_until(lambda: not found.busy, timeout_s=120)
    assert application.errors == []
    result = json.loads((tmp_path / "registration.json").read_text())
    assert result["model"] == "polyrigid"
    rows = cells(found.bodies._ui.bodyTable)
    assert [[body["name"], body["verdict"]] for body in result["bodies"]] == [row[:2] for row in rows]
    motions = motions_of(found.session)
    for body, motion, row in zip(result["bodies"], motions, rows, strict=True):
        np.testing.assert_allclose(body["patient_from_rest"], motion, atol=1e-9)
        assert float(row[4]) == pytest.approx(body["expected_tre_mm"], abs=0.06)
        assert len(body["seen"]) == 2
    field = sitk.ReadTransform(str(tmp_path / "rest_from_patient.h5"))
    for rest, motion in zip(middles(), motions, strict=True):
        np.testing.assert_allclose(field.TransformPoint(apply(motion, rest).tolist()), rest, atol=0.5)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"volume_now.nrrd", "segmentation_now.nrrd", "plan_now.mrk.json"} <= names
    assert {f"rest_from_patient_{name}.tfm" for name in NAMES} <= names


# --- And not so well ---


def test_cancelling_leaves_the_scene_as_it_was(application, registered):
    import slicer

    ui, before = registered.bodies._ui, state(slicer.mrmlScene)
    application.click(ui.runBonesButton)
    application.wait_until(lambda: "similarity" in ui.bonesHint.text, timeout_s=120)
    assert not registered.register._ui.runButton.enabled
    assert not registered.review._ui.undoButton.enabled
    assert not ui.boneList.enabled
    application.click(ui.cancelBonesButton)
    application.wait_until(lambda: not registered.busy, timeout_s=60)
    assert state(slicer.mrmlScene) == before
    assert "as before" in ui.bonesHint.text
    assert application.errors == []
    assert ui.runBonesButton.enabled
    application.click(ui.runBonesButton)
    slicer.mrmlScene.Clear()
    application.process(0.3)
    assert not registered.busy
    assert application.errors == []


def test_bad_input_and_failures_are_told_in_one_line(application, registered, monkeypatch):
    import slicer
    import xrayreg.articulate.bodies as core
    from XrayRegistrationLib import roles

    ui, session = registered.bodies._ui, registered.session

    def told(words):
        before = state(slicer.mrmlScene)
        application.click(ui.runBonesButton)
        application.wait_until(lambda: not registered.busy, timeout_s=60)
        (message,) = application.errors
        assert words in message
        assert "\n" not in message
        assert state(slicer.mrmlScene) == before
        assert session.GetAttribute(roles.CONFIDENCE)
        application.errors.clear()

    ui.joinedEdit.text = "talus+fibula"
    told("no label is called fibula")
    ui.joinedEdit.text = ""
    ui.restComboBox.setCurrentIndex(2)
    untick(registered, NAMES[1])
    told(f"{NAMES[1]}: what is at rest is not among the bodies")
    ui.restComboBox.setCurrentIndex(0)
    application.click(ui.noneButton)
    told("no bone is ticked")
    application.click(ui.allButton)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shift")
    session.GetNodeReference(roles.SEGMENTATION).SetAndObserveTransformNodeID(transform.GetID())
    told("lies under a transform")
    session.GetNodeReference(roles.SEGMENTATION).SetAndObserveTransformNodeID(None)

    def fail(*arguments, **options):
        raise RuntimeError("the projector broke")

    monkeypatch.setattr(core, "register_bodies", fail)
    told("the projector broke")


def test_bones_are_registered_only_after_the_whole(application, desk):
    ui = desk.bodies._ui
    assert not ui.bonesButton.enabled
    assert "as a whole" in ui.bonesHint.text


def test_what_is_asked_stays_with_the_session(application, registered):
    from XrayRegistrationLib.asking import Asked, asked_of

    ui, first = registered.bodies._ui, registered.session
    untick(registered, NAMES[0])
    ui.joinedEdit.text = "rib*+talus"
    ui.joinedEdit.editingFinished.emit()
    ui.restComboBox.setCurrentIndex(3)
    ui.linkedCheckBox.checked = False
    assert asked_of(first) == Asked((NAMES[0],), "rib*+talus", NAMES[2], False)
    registered.selector.addNode()
    assert asked_of(registered.session) == Asked()
    assert ui.joinedEdit.text == ""
    registered.selector.setCurrentNode(first)
    assert ui.joinedEdit.text == "rib*+talus"
    assert not ui.linkedCheckBox.checked
