"""X-rays by clicks: geometry by hand, runs of frames, masked areas."""

import json

import numpy as np
import phantom
import pytest
from story import add, run_to_the_end, state
from xrayreg.images import write_dicom_xray

RED = "#b3261e"


def views_of(desk):
    from XrayRegistrationLib import roles

    return roles.references(desk.session, roles.VIEW)


def missing_fields(desk):
    """The names of the fields with a red border."""
    ui = desk.xrays._ui
    names = [
        f"{name}Edit" for name in ("sourceToDetector", "sourceToIsocenter", "columnSpacing", "rowSpacing")
    ]
    names += ["primaryAngleEdit", "secondaryAngleEdit", "intensityCombo", "seenFromCombo"]
    return [name for name in names if RED in getattr(ui, name).styleSheet]


# --- Geometry ---


def test_a_picture_with_its_geometry_by_hand_stands_where_its_camera_file_puts_it(
    application, desk, files, tmp_path
):
    from XrayRegistrationLib.nodes import xray_of

    view, ui = files.views[1], desk.xrays._ui  # the lateral: LAO 80, cranial 10
    camera = phantom.write_camera(tmp_path / "camera.json", view.start)
    add(application, desk, phantom.write_xray(tmp_path / "with_file.png", view.pixels), camera)
    by_hand = phantom.write_xray(tmp_path / "by_hand.png", view.pixels)
    ui.xrayPath.currentPath = str(by_hand)
    assert len(missing_fields(desk)) == 8
    ui.sourceToDetectorEdit.text, ui.sourceToIsocenterEdit.text = "1000", "700"
    ui.columnSpacingEdit.text, ui.rowSpacingEdit.text = "1,2", "1.2"  # as some countries write it
    ui.primaryAngleEdit.text, ui.secondaryAngleEdit.text = "80", "10"
    ui.intensityCombo.currentIndex, ui.seenFromCombo.currentIndex = 1, 1
    assert missing_fields(desk) == []
    application.click(ui.addButton)
    assert application.errors == []
    first, second = (xray_of(node) for node in views_of(desk))
    np.testing.assert_allclose(second.camera.camera_from_patient, first.camera.camera_from_patient, atol=1e-6)
    np.testing.assert_allclose(second.camera.K, first.camera.K)
    np.testing.assert_array_equal(second.line_integrals, first.line_integrals)
    assert ui.xrayTable.currentRow() == 1
    assert "given by hand" in ui.notesLabel.text


def test_what_is_not_filled_in_is_named_and_nothing_is_added(application, desk, files, tmp_path):
    import slicer

    ui, before = desk.xrays._ui, state(slicer.mrmlScene)
    ui.xrayPath.currentPath = str(phantom.write_xray(tmp_path / "x.png", files.views[0].pixels))
    ui.sourceToDetectorEdit.text, ui.columnSpacingEdit.text = "1000", "1.2"
    application.click(ui.addButton)
    ui.primaryAngleEdit.text = "frontal"
    application.click(ui.addButton)
    incomplete, no_number = application.errors
    assert "incomplete: source-to-isocenter distance, pixel spacing, primary angle" in incomplete
    assert "source-to-detector" not in incomplete
    assert "'frontal' is not a number" in no_number
    assert "\n" not in incomplete + no_number
    assert state(slicer.mrmlScene) == before


def test_the_fields_show_what_a_dicom_file_says_and_mark_what_it_lacks(application, desk, files, tmp_path):
    import pydicom
    from XrayRegistrationLib.nodes import camera_of

    ui = desk.xrays._ui
    ui.xrayPath.currentPath = str(files.xrays[1])
    assert missing_fields(desk) == []
    assert (ui.sourceToDetectorEdit.text, ui.primaryAngleEdit.text) == ("1000.0", "80.0")
    application.click(ui.addButton)
    assert not desk.xrays._geometry.shown  # the path is empty again
    dataset = pydicom.dcmread(files.xrays[1])
    del dataset.DistanceSourceToPatient
    dataset.save_as(tmp_path / "lacks.dcm")
    ui.xrayPath.currentPath = str(tmp_path / "lacks.dcm")
    assert missing_fields(desk) == ["sourceToIsocenterEdit"]
    ui.sourceToIsocenterEdit.text = "700"
    application.click(ui.addButton)
    assert application.errors == []
    whole, mended = (camera_of(node).camera_from_patient for node in views_of(desk))
    np.testing.assert_allclose(mended, whole, atol=1e-9)
    ui.xrayPath.currentPath = str(files.xrays[0])
    ui.cameraPath.currentPath = "some.json"
    assert not desk.xrays._geometry.shown  # a camera file goes before


# --- Runs of frames ---


def write_run(path, view, steps=(0.0, 0.0), frames=3):
    """Frame 2 is the view's picture, the others are darker copies."""
    pictures = np.stack([view.pixels // (1 if number == 1 else 2) for number in range(frames)])
    write_dicom_xray(path, pictures, view.carm, view.start.pixel_spacing_mm, angle_steps_deg=steps)
    return path


def shown(node):
    from XrayRegistrationLib.mrml import array_of

    return array_of(node)[0].copy()


def test_the_slider_scrolls_through_a_run_and_the_frame_of_the_registration_is_kept(
    application, desk, files, tmp_path
):
    import slicer
    from xrayreg.images import read_xray
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.nodes import camera_of

    ui, path = desk.xrays._ui, write_run(tmp_path / "run.dcm", files.views[0])
    add(application, desk, files.xrays[1])
    assert ui.frameSlider.isHidden()
    add(application, desk, path)
    assert application.errors == []
    (_, node) = views_of(desk)
    assert not ui.frameSlider.isHidden()
    assert (ui.frameSlider.value, ui.frameSlider.maximum) == (1, 3)
    pose = camera_of(node).camera_from_patient
    ui.frameSlider.value = 2
    np.testing.assert_array_equal(shown(node), read_xray(path, frame=2).line_integrals)
    np.testing.assert_array_equal(camera_of(node).camera_from_patient, pose)
    assert ui.xrayTable.item(1, 1).text().endswith("frame 2 of 3")

    desk.register._ui.rotationSlider.value = desk.register._ui.translationSlider.value = 0
    run_to_the_end(application, desk)
    assert "registered on" not in ui.xrayTable.item(1, 2).text()
    review, over = desk.review._ui, views_of(desk)[1]
    assert review.acceptButton.enabled
    review.compareComboBox.setCurrentIndex(review.compareComboBox.findText("Difference"))
    compared = over.GetNodeReference(roles.COMPARISON).GetImageData()
    ui.frameSlider.value = 3
    assert over.GetNodeReference(roles.COMPARISON).GetImageData() is not compared  # with what is seen now
    assert ui.xrayTable.item(1, 2).text().endswith("(registered on frame 2)")
    assert "frame 3 is shown, but frame 2 was registered" in review.verdictLabel.text
    assert not review.acceptButton.enabled
    ui.frameSlider.value = 2
    assert "frame 3" not in review.verdictLabel.text
    assert review.acceptButton.enabled
    ui.frameSlider.value = 3
    desk.export._ui.exportFolder.currentPath = str(tmp_path / "out")
    application.click(desk.export._ui.writeButton)
    assert "frame 3 is shown, but frame 2 was registered" in application.errors.pop()
    application.click(desk.review._ui.undoButton)
    assert ui.xrayTable.item(1, 2).text() == ""
    np.testing.assert_allclose(camera_of(node).camera_from_patient, pose, atol=1e-9)

    before = state(slicer.mrmlScene)
    path.unlink()
    ui.frameSlider.value = 1
    (message,) = application.errors
    assert "run.dcm: no such file" in message
    assert ui.frameSlider.value == 3
    assert state(slicer.mrmlScene) == before


def test_linked_runs_scroll_together_and_a_turning_c_arm_turns_its_view(application, desk, files, tmp_path):
    from xrayreg.geometry import carm_from_camera
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.nodes import camera_of

    ui, (frontal, lateral) = desk.xrays._ui, files.views
    add(application, desk, write_run(tmp_path / "still.dcm", frontal, frames=5))
    add(application, desk, write_run(tmp_path / "turning.dcm", lateral, (4.0, -1.0)))
    add(application, desk, files.xrays[0])
    ui.xrayTable.selectRow(0)
    ui.frameSlider.value = 2
    assert [roles.frame_of(node) for node in views_of(desk)] == [2, 1, 1]
    ui.linkedCheckBox.checked = True
    ui.frameSlider.value = 5
    assert [roles.frame_of(node) for node in views_of(desk)] == [5, 3, 1]
    # LAO 80, cranial 10 and two steps of 4 and -1 degrees.
    found = carm_from_camera(camera_of(views_of(desk)[1]), 700.0)
    assert (found.primary_deg, found.secondary_deg) == pytest.approx((88, 8), abs=1e-6)
    assert application.errors == []


def test_a_turned_c_arm_leaves_nothing_of_the_former_pose(application, desk, files, tmp_path):
    from XrayRegistrationLib import roles

    add(application, desk, write_run(tmp_path / "turning.dcm", files.views[1], (4.0, -1.0)))
    desk.register._ui.rotationSlider.value = desk.register._ui.translationSlider.value = 0
    run_to_the_end(application, desk)
    review, (node,) = desk.review._ui, views_of(desk)
    review.compareComboBox.setCurrentIndex(review.compareComboBox.findText("Checkerboard"))
    assert review.structureList.count > 0
    desk.xrays._ui.frameSlider.value = 2
    drawn = (roles.DRR, roles.COMPARISON, roles.OUTLINES, roles.OUTLINE_COLORS, roles.REPROJECTED)
    assert [node.GetNumberOfNodeReferences(role) for role in drawn] == [0] * 5
    assert review.structureList.count == 0
    assert application.errors == []


# --- Masks ---


def place(desk, node, pixels):
    """What the user's clicks at pixels (n, 2) of a view would add to the curve that is being placed."""
    import slicer
    from xrayreg.geometry import apply, detector_from_image, flip_ras_lps
    from XrayRegistrationLib.nodes import camera_of

    selection = slicer.app.applicationLogic().GetSelectionNode()
    curve = slicer.mrmlScene.GetNodeByID(selection.GetActivePlaceNodeID())
    for point in flip_ras_lps(
        apply(detector_from_image(camera_of(node)), np.column_stack([pixels, 0 * pixels[:, 0]]))
    ):
        curve.AddControlPoint(*map(float, point))
    return curve


def test_what_is_masked_by_hand_does_not_count(application, desk, files):
    import slicer
    from XrayRegistrationLib.nodes import xray_of

    ui = desk.xrays._ui
    add(application, desk, files.xrays[0])
    (node,) = views_of(desk)
    whole = xray_of(node).mask
    application.click(ui.maskButton)
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.Place
    np.testing.assert_array_equal(xray_of(node).mask, whole)  # nothing is placed yet
    circle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    place(desk, node, np.column_stack([60 + 20 * np.cos(circle), 90 + 20 * np.sin(circle)]))
    left_out = ~xray_of(node).mask
    rows, columns = np.nonzero(left_out)
    assert (rows.mean(), columns.mean()) == pytest.approx((90, 60), abs=0.5)
    assert left_out.sum() == pytest.approx(np.pi * 20**2, rel=0.03)
    application.click(ui.maskButton)
    place(desk, node, np.array([[10.0, 10], [30, 10], [10, 30]]))
    assert (~xray_of(node).mask).sum() > left_out.sum() + 100
    application.click(ui.removeMasksButton)
    np.testing.assert_array_equal(xray_of(node).mask, whole)
    assert not ui.removeMasksButton.enabled
    assert interaction.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.ViewTransform


def test_masks_that_leave_nothing_are_refused(application, desk, files):
    import slicer

    add(application, desk, files.xrays[0])
    (node,) = views_of(desk)
    application.click(desk.xrays._ui.maskButton)
    place(desk, node, np.array([[-900.0, -900], [2000, -900], [2000, 2000], [-900, 2000]]))
    before = state(slicer.mrmlScene)
    application.click(desk.register._ui.runButton)
    (message,) = application.errors
    assert "the masks leave nothing" in message
    assert not desk.busy
    assert state(slicer.mrmlScene) == before


def test_frames_masks_and_notes_come_back_with_the_scene(application, desk, files, tmp_path):
    import slicer
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.nodes import xray_of

    ui = desk.xrays._ui
    add(application, desk, write_run(tmp_path / "run.dcm", files.views[0]))
    ui.frameSlider.value = 2
    (node,) = views_of(desk)
    application.click(ui.maskButton)
    place(desk, node, np.array([[10.0, 10], [60, 10], [10, 60]]))
    before = xray_of(node)
    slicer.util.saveScene(str(tmp_path / "all.mrb"))
    slicer.mrmlScene.Clear()
    slicer.util.loadScene(str(tmp_path / "all.mrb"))
    application.process(0.05)
    (back,) = [n for n in roles.result_nodes(slicer.mrmlScene) if n.GetNumberOfNodeReferences(roles.VIEW)]
    desk.selector.setCurrentNode(back)
    ui.xrayTable.selectRow(0)
    assert (ui.frameSlider.value, ui.frameSlider.maximum) == (2, 3)
    after = xray_of(views_of(desk)[0])
    np.testing.assert_array_equal(after.mask, before.mask)
    np.testing.assert_allclose(after.line_integrals, before.line_integrals)
    ui.frameSlider.value = 3
    assert json.loads(views_of(desk)[0].GetAttribute(roles.SOURCE))["frame"] == 3
    assert application.errors == []
