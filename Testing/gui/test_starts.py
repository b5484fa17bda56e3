"""Starts by hand and from landmarks, by clicks: sliders, the mouse on an X-ray, points on both."""

import numpy as np
import phantom
import pytest
from story import run_to_the_end, state
from xrayreg.geometry import about, apply, rotation_angle_deg

NAMES = [f"{name} {part}" for _, name, _, _ in phantom.BONES for part in ("centre", "left", "back", "top")]


def landmarks():
    """Centre, left, back and upper tip of each bone (n, 3), patient LPS, mm."""
    rows = [0, 1, 2, 3]
    return np.concatenate([phantom.targets()[7 * bone + np.array(rows)] for bone in range(3)])


def views_of(desk):
    from XrayRegistrationLib import roles

    return roles.references(desk.session, roles.VIEW)


def camera(node):
    from XrayRegistrationLib.nodes import camera_of

    return camera_of(node)


def pivot(desk):
    from XrayRegistrationLib.starting import pivot_of

    return pivot_of(desk.session)


def drr(node):
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.mrml import array_of

    shown = node.GetNodeReference(roles.DRR)
    return None if shown is None else array_of(shown)[0].copy()


def rest(application, desk):
    """Until the DRRs are coarse, while views move, and then have all pixels of the X-rays again."""
    for size in ((80, 88), (160, 176)):
        shapes = [size] * len(views_of(desk))
        application.wait_until(lambda shapes=shapes: [shape_of(node) for node in views_of(desk)] == shapes)


def shape_of(node):
    image = drr(node)
    return None if image is None else image.shape


@pytest.fixture
def by_hand(application, ready):
    """The section is open and the CT prepared."""
    ui = ready.manual._ui
    assert not ui.motions.enabled
    ui.manualButton.collapsed = False
    application.wait_until(lambda: ui.motions.enabled)
    return ui


@pytest.fixture
def red():
    """The slice view that shows the first X-ray, and its mouse."""
    import slicer

    return Mouse(slicer.app.layoutManager().sliceWidget("Xray1"))


class Mouse:
    def __init__(self, widget):
        self.node = widget.mrmlSliceNode()
        self.interactor = widget.sliceView().interactor()

    def xy(self, xray, pixel):
        """Where a pixel of the X-ray is on the screen."""
        from XrayRegistrationLib.mrml import matrix_array, world_from_index

        ras = world_from_index(xray) @ [*pixel, 0, 1]
        return np.linalg.inv(matrix_array(self.node.GetXYToRAS())) @ ras

    def send(self, event, xy, shift=0):
        x, y = (round(float(value)) for value in xy[:2])
        self.interactor.SetEventInformation(x, y, 0, shift)
        self.interactor.InvokeEvent(event)

    def drag(self, xray, start, end, button="Left", shift=0):
        """In steps; returns how far the mouse really went, in pixels of the X-ray: the screen has its own."""
        from XrayRegistrationLib.mrml import matrix_array, world_from_index

        ends = [self.xy(xray, pixel) for pixel in (start, end)]
        ends = [np.round(xy) for xy in ends]
        self.send(f"{button}ButtonPressEvent", ends[0], shift)
        for part in (0.3, 0.6, 1.0):
            self.send("MouseMoveEvent", ends[0] + part * (ends[1] - ends[0]), shift)
        self.send(f"{button}ButtonReleaseEvent", ends[1], shift)
        index_from_xy = np.linalg.inv(world_from_index(xray)) @ matrix_array(self.node.GetXYToRAS())
        return (index_from_xy @ (ends[1] - ends[0]))[:2]


# --- By hand ---


MOVES = [
    # 1000 mm to the detector, 700 to the centre, pixels of 1.2 mm: 10 mm are 11.9 pixels.
    ("rightSlider", 10, (10 / 0.7 / 1.2, 0), 0, 0),
    ("upSlider", 10, (0, -10 / 0.7 / 1.2), 0, 0),
    ("fartherSlider", 100, (0, 0), 100, 0),
    ("turnSlider", 30, (0, 0), 0, 30),
    ("tiltRightSlider", 30, (0, 0), 0, 30),
    ("tiltUpSlider", -30, (0, 0), 0, 30),
]


def test_each_slider_moves_the_pose_and_the_drr(application, ready, by_hand):
    node, centre = views_of(ready)[0], pivot(ready)
    application.click(by_hand.backButton)
    rest(application, ready)
    before, image = camera(node), drr(node)
    for slider, value, goes, deeper, turned in MOVES:
        getattr(by_hand, slider).value = value
        after = camera(node)
        # The volume's centre is the isocenter but for a voxel's half.
        np.testing.assert_allclose(after.project(centre) - before.project(centre), goes, atol=0.06)
        depth = [apply(each.camera_from_patient, centre)[2] for each in (before, after)]
        assert depth[1] - depth[0] == pytest.approx(deeper, abs=0.1)
        angle = rotation_angle_deg(before.patient_from_camera @ after.camera_from_patient)
        assert angle == pytest.approx(turned, abs=1e-6)
        rest(application, ready)
        assert np.abs(drr(node) - image).max() > 0.2, slider
        assert getattr(by_hand, slider).value == value
        application.click(by_hand.backButton)
        rest(application, ready)
        np.testing.assert_allclose(drr(node), image, atol=1e-3)


def test_the_drr_is_where_the_pose_says(application, ready, by_hand, files):
    node = views_of(ready)[0]
    by_hand.rightSlider.value = 20
    by_hand.turnSlider.value = 25
    rest(application, ready)
    from xrayreg.images import read_volume
    from xrayreg.render import Density, render

    expected = render(Density.from_volume(read_volume(files.ct)), camera(node)).numpy()
    assert np.abs(drr(node) - expected).mean() < 0.02 * expected.max()


def test_views_of_one_rig_move_together_and_others_stay(application, ready, by_hand):
    import json

    from XrayRegistrationLib import roles

    first, second = views_of(ready)
    together = [camera(node).camera_from_patient for node in (first, second)]
    by_hand.upSlider.value = 15
    moved = [camera(node).camera_from_patient for node in (first, second)]
    motions = [np.linalg.inv(a) @ b for a, b in zip(together, moved, strict=True)]
    np.testing.assert_allclose(*motions, atol=1e-9)
    assert np.abs(motions[0] - np.eye(4)).max() > 10
    second.SetAttribute(roles.RIG, json.dumps(""))
    by_hand.upSlider.value = 0
    np.testing.assert_allclose(camera(first).camera_from_patient, together[0], atol=1e-9)
    np.testing.assert_allclose(camera(second).camera_from_patient, moved[1], atol=1e-12)


def test_back_to_start_and_a_new_start_when_opened_again(application, ready, by_hand):
    before = [camera(node).camera_from_patient for node in views_of(ready)]
    by_hand.turnSlider.value = 40
    by_hand.fartherSlider.value = -30
    by_hand.manualButton.collapsed = True
    moved = camera(views_of(ready)[0]).camera_from_patient
    by_hand.manualButton.collapsed = False
    assert (by_hand.turnSlider.value, by_hand.fartherSlider.value) == (0, 0)
    by_hand.turnSlider.value = -7
    application.click(by_hand.backButton)
    assert by_hand.turnSlider.value == 0
    np.testing.assert_allclose(camera(views_of(ready)[0]).camera_from_patient, moved, atol=1e-9)
    assert np.abs(moved - before[0]).max() > 1


def test_the_left_button_drags_the_patient_along(application, ready, by_hand, red):
    node, centre = views_of(ready)[0], pivot(ready)
    by_hand.mouseButton.checked = True
    before = camera(node)
    went = red.drag(node, (80, 70), (110, 60))
    assert went[0] == pytest.approx(30, abs=2)
    np.testing.assert_allclose(camera(node).project(centre) - before.project(centre), went, atol=0.7)
    # The view has followed: the X-ray is where it was on the screen.
    np.testing.assert_allclose(red.xy(node, (80, 70))[2], 0, atol=1e-6)
    assert by_hand.rightSlider.value > 10
    rest(application, ready)
    assert drr(node) is not None


def test_shift_turns_the_right_button_tilts_and_the_wheel_goes_farther(application, ready, by_hand, red):
    node, centre = views_of(ready)[0], pivot(ready)
    by_hand.mouseButton.checked = True
    at = camera(node).project(centre)
    red.drag(node, at + [60, 0], at + [0, 60], shift=1)
    assert by_hand.turnSlider.value == pytest.approx(90, abs=3)
    np.testing.assert_allclose(camera(node).project(centre), at, atol=1e-6)
    application.click(by_hand.backButton)
    red.drag(node, (100, 80), (144, 80), button="Right")
    assert by_hand.tiltRightSlider.value == pytest.approx(30, abs=2)  # 44 of 176 pixels, 120 degrees across
    assert by_hand.turnSlider.value == pytest.approx(0, abs=2)
    application.click(by_hand.backButton)
    red.send("MouseWheelForwardEvent", red.xy(node, (80, 80)))
    assert by_hand.fartherSlider.value == 10
    red.send("MouseWheelBackwardEvent", red.xy(node, (80, 80)))
    assert by_hand.fartherSlider.value == 0


def test_the_mouse_is_slicers_until_asked_for_and_again_afterwards(application, ready, by_hand, red):
    seen = []
    red.interactor.AddObserver("LeftButtonPressEvent", lambda caller, event: seen.append(event))
    node = views_of(ready)[0]
    before = camera(node).camera_from_patient
    red.drag(node, (80, 70), (110, 60))
    assert len(seen) == 1
    by_hand.mouseButton.checked = True
    red.drag(node, (80, 70), (110, 60))
    assert len(seen) == 1
    assert np.abs(camera(node).camera_from_patient - before).max() > 1
    moved = camera(node).camera_from_patient
    by_hand.mouseButton.checked = False
    red.drag(node, (80, 70), (110, 60))
    assert len(seen) == 2
    np.testing.assert_array_equal(camera(node).camera_from_patient, moved)


def test_a_slice_view_of_the_ct_keeps_its_mouse(application, ready, by_hand, red):
    import slicer
    from XrayRegistrationLib import roles

    by_hand.mouseButton.checked = True
    green = slicer.app.layoutManager().sliceWidget("Green")
    green.mrmlSliceCompositeNode().SetBackgroundVolumeID(ready.session.GetNodeReferenceID(roles.VOLUME))
    before = camera(views_of(ready)[0]).camera_from_patient
    seen = []
    mouse = Mouse(green)
    mouse.interactor.AddObserver("LeftButtonPressEvent", lambda caller, event: seen.append(event))
    mouse.send("LeftButtonPressEvent", (10, 10))
    mouse.send("MouseMoveEvent", (60, 10))
    assert seen
    np.testing.assert_array_equal(camera(views_of(ready)[0]).camera_from_patient, before)


def test_while_it_registers_nothing_is_moved_and_what_was_found_goes_with_a_move(application, ready, by_hand):
    from XrayRegistrationLib import roles

    by_hand.mouseButton.checked = True
    application.click(ready.register._ui.runButton)
    for section in (by_hand.manualButton, by_hand.motions, ready.landmarks._ui.landmarksButton):
        assert not section.enabled
    assert not by_hand.mouseButton.checked
    application.wait_until(lambda: not ready.busy, timeout_s=180)
    assert ready.review._ui.acceptButton.enabled
    application.wait_until(lambda: by_hand.motions.enabled)
    by_hand.rightSlider.value = by_hand.rightSlider.value + 5
    assert not ready.review._ui.acceptButton.enabled
    for node in views_of(ready):
        assert not roles.references(node, roles.OUTLINES)
        assert not roles.references(node, roles.REPROJECTED)
        assert node.GetAttribute(roles.SIMILARITY) is None
        assert drr(node) is not None


def test_closing_the_scene_while_views_move_ends_it(application, ready, by_hand):
    import slicer

    by_hand.rightSlider.value = 12
    slicer.mrmlScene.Clear()
    application.process(0.6)
    assert not by_hand.manualButton.enabled
    assert not by_hand.motions.enabled


def test_xrays_can_be_taken_out_while_they_are_drawn(application, ready, by_hand):
    by_hand.rightSlider.value = 12
    for _ in range(2):
        ready.xrays._ui.xrayTable.selectRow(0)
        application.click(ready.xrays._ui.removeButton)
    application.process(0.8)
    assert not by_hand.manualButton.enabled
    assert application.errors == []


# --- From landmarks ---


@pytest.fixture
def with_landmarks(application, ready, files):
    """Landmarks in the CT, and both X-rays 60 degrees off."""
    from XrayRegistrationLib.landmarking import landmark_list
    from XrayRegistrationLib.scene import flip_ras_lps
    from XrayRegistrationLib.starting import place_start

    points = landmark_list(ready.session)
    for name, point in zip(NAMES, landmarks(), strict=True):
        points.AddControlPointWorld(*flip_ras_lps(point), name)
    off = about(phantom.CENTRE, np.array([0, np.radians(60), 0, 20, -10, 30]))
    views = views_of(ready)
    place_start(ready.session, [(v, camera(v).moved(camera(v).camera_from_patient @ off)) for v in views])
    ready.landmarks._ui.landmarksButton.collapsed = False
    ready.refresh()
    return ready


def click_on(node, xray, pixel):
    """As a click in place mode: the point comes, and then its place is defined."""
    from xrayreg.geometry import apply, detector_from_image, flip_ras_lps, patient_from_detector

    at = apply(patient_from_detector(camera(xray)) @ detector_from_image(camera(xray)), [*pixel, 0])
    node.AddControlPointWorld(*flip_ras_lps(at))
    node.InvokeCustomModifiedEvent(node.PointPositionDefinedEvent)


def place_all(application, desk, files, count=None):
    """The user clicks the landmarks on each X-ray in the order of the table."""
    from XrayRegistrationLib import roles

    ui = desk.landmarks._ui
    for number, (xray, known) in enumerate(zip(views_of(desk), files.views, strict=True)):
        ui.landmarkView.currentIndex = number
        application.click(ui.placeOnXrayButton)
        node = xray.GetNodeReference(roles.LANDMARKS_2D)
        for name, pixel in list(zip(NAMES, known.truth.project(landmarks()), strict=True))[:count]:
            assert ui.landmarksHint.text.endswith(f"{roles.view_name(xray)}: {name}")
            click_on(node, xray, pixel)


def error_cell(desk, row, column):
    return desk.landmarks._ui.landmarkTable.item(row, column).text()


def worst_error_mm(desk, files):
    from xrayreg.evaluate import tre

    pairs = zip(views_of(desk), files.views, strict=True)
    poses = [(camera(node).camera_from_patient, view.truth.camera_from_patient) for node, view in pairs]
    return max(tre(phantom.targets(), *each).max() for each in poses)


def test_sixty_degrees_off_and_one_mix_up_lead_to_the_truth(application, with_landmarks, files):
    import slicer
    from XrayRegistrationLib import roles

    desk, ui = with_landmarks, with_landmarks.landmarks._ui
    assert ui.landmarkTable.rowCount == len(NAMES)
    assert error_cell(desk, 0, 1) == "–"
    place_all(application, desk, files)
    interaction = slicer.app.applicationLogic().GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.ViewTransform
    assert not ui.placeOnXrayButton.enabled
    assert worst_error_mm(desk, files) > 30
    assert float(error_cell(desk, 0, 1).split()[0]) > 5
    first = views_of(desk)[0]
    points = first.GetNodeReference(roles.LANDMARKS_2D)
    # The user drags one to a wrong place; the table follows at once.
    before = error_cell(desk, 2, 1)
    points.SetNthControlPointPosition(2, *(np.array(points.GetNthControlPointPosition(2)) + [40, 30, 0]))
    assert error_cell(desk, 2, 1) != before

    application.click(ui.landmarkStartButton)
    assert desk.busy
    application.wait_until(lambda: not desk.busy)
    assert application.errors == []
    assert worst_error_mm(desk, files) < 1
    assert error_cell(desk, 2, 1).endswith("px, left out")
    assert "left out" not in "".join(error_cell(desk, row, 2) for row in range(len(NAMES)))
    assert float(error_cell(desk, 0, 1).split()[0]) < 0.5
    application.wait_until(lambda: all(drr(node) is not None for node in views_of(desk)))
    run_to_the_end(application, desk)
    assert worst_error_mm(desk, files) < 1


def test_too_few_landmarks_are_told_and_change_nothing(application, with_landmarks, files):
    import slicer

    place_all(application, with_landmarks, files, count=1)
    before = state(slicer.mrmlScene)
    application.click(with_landmarks.landmarks._ui.landmarkStartButton)
    application.wait_until(lambda: not with_landmarks.busy)
    (message,) = application.errors
    assert "2 landmark(s)" in message
    assert "at least 4" in message
    assert "\n" not in message
    assert state(slicer.mrmlScene) == before


def test_without_any_landmark_the_remedy_is_told(application, ready):
    ui = ready.landmarks._ui
    ui.landmarksButton.collapsed = False
    assert not ui.placeOnXrayButton.enabled
    application.click(ui.landmarkStartButton)
    (message,) = application.errors
    assert "no landmark is placed in the CT" in message


def test_placing_in_the_ct_is_slicers_own(application, ready):
    import slicer
    from XrayRegistrationLib import roles

    ui = ready.landmarks._ui
    ui.landmarksButton.collapsed = False
    application.click(ui.placeInCtButton)
    node = ready.session.GetNodeReference(roles.LANDMARKS)
    logic = slicer.app.applicationLogic()
    assert logic.GetSelectionNode().GetActivePlaceNodeID() == node.GetID()
    assert logic.GetInteractionNode().GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.Place
    assert ui.landmarkSelector.currentNode() is node
    node.AddControlPoint(1, 2, 3)
    assert ui.landmarkTable.rowCount == 1
    node.SetNthControlPointLabel(0, "T8 left")
    assert error_cell(ready, 0, 0) == "T8 left"


def test_landmarks_come_back_with_the_scene(application, with_landmarks, files, tmp_path):
    import slicer
    from XrayRegistrationLib import roles

    place_all(application, with_landmarks, files)
    shown = [error_cell(with_landmarks, row, 1) for row in range(len(NAMES))]
    slicer.util.saveScene(str(tmp_path / "all.mrb"))
    slicer.mrmlScene.Clear()
    application.process(0.05)
    assert with_landmarks.landmarks._ui.landmarkTable.rowCount == 0
    slicer.util.loadScene(str(tmp_path / "all.mrb"))
    application.process(0.05)
    (back,) = [n for n in roles.result_nodes(slicer.mrmlScene) if n.GetNodeReference(roles.LANDMARKS)]
    with_landmarks.selector.setCurrentNode(back)
    assert [error_cell(with_landmarks, row, 1) for row in range(len(NAMES))] == shown


# --- How the registration starts ---


def test_only_refining_is_kept_with_the_session(application, ready, monkeypatch):
    import XrayRegistrationLib.work as work

    ui = ready.register._ui
    first = ready.session
    ui.startComboBox.currentIndex = 1
    assert not ui.rotationSlider.enabled
    ready.selector.addNode()
    assert ui.startComboBox.currentIndex == 0
    ready.selector.setCurrentNode(first)
    assert ui.startComboBox.currentIndex == 1
    searched = []
    rigid = work.register_rigid

    def watched(*arguments, search, **options):
        searched.append(search)
        return rigid(*arguments, search=search, **options)

    monkeypatch.setattr(work, "register_rigid", watched)
    run_to_the_end(application, ready)
    assert searched == [None]
    ui.startComboBox.currentIndex = 0
    assert ui.rotationSlider.enabled


def test_errors_of_landmarks_follow_a_view_that_is_moved_by_hand(application, with_landmarks, files, by_hand):
    place_all(application, with_landmarks, files, count=2)
    before = [error_cell(with_landmarks, 0, column) for column in (1, 2)]
    by_hand.rightSlider.value = 30
    after = [error_cell(with_landmarks, 0, column) for column in (1, 2)]
    assert all(a != b for a, b in zip(before, after, strict=True))
    with_landmarks.cleanup()
    assert application.exceptions == []


def test_what_was_found_goes_view_by_view(application, ready, by_hand):
    from XrayRegistrationLib import roles

    for node in views_of(ready):
        node.SetAttribute(roles.RIG, "null")
    ready.register._ui.rotationSlider.value = ready.register._ui.translationSlider.value = 0
    run_to_the_end(application, ready)
    application.wait_until(lambda: by_hand.motions.enabled)
    similarities = lambda: [ready.xrays._ui.xrayTable.item(row, 2).text() != "" for row in (0, 1)]  # noqa: E731
    assert similarities() == [True, True]
    by_hand.viewComboBox.currentIndex = 0
    by_hand.upSlider.value += 5
    assert similarities() == [False, True]
    assert ready.review._ui.structureList.count > 0
    by_hand.viewComboBox.currentIndex = 1
    by_hand.upSlider.value += 5
    assert similarities() == [False, False]
    assert ready.review._ui.structureList.count == 0


def test_a_volume_behind_the_source_is_told(application, ready, by_hand):
    from xrayreg.geometry import translation
    from XrayRegistrationLib.scene import place_view

    (node, _) = views_of(ready)
    away = translation(np.array([0.0, 0, -2000]))
    place_view(node, camera(node).moved(away @ camera(node).camera_from_patient))
    ready.refresh()
    assert "behind the X-ray source" in by_hand.manualHint.text


# --- Placing points while the mouse moves X-rays, and when what is placed on goes ---


def is_placing():
    from XrayRegistrationLib.pointing import is_placing

    return is_placing()


def test_a_click_that_places_a_landmark_moves_nothing(application, with_landmarks, by_hand, red):
    seen = []
    red.interactor.AddObserver("LeftButtonPressEvent", lambda caller, event: seen.append(event))
    node = views_of(with_landmarks)[0]
    by_hand.mouseButton.checked = True
    application.click(with_landmarks.landmarks._ui.placeOnXrayButton)
    before = camera(node).camera_from_patient
    red.drag(node, (80, 70), (110, 60))
    assert len(seen) == 1  # the view's own, which places the point
    np.testing.assert_array_equal(camera(node).camera_from_patient, before)
    by_hand.mouseButton.checked = False
    by_hand.mouseButton.checked = True  # asked for anew, it is the mouse that counts
    assert not is_placing()
    red.drag(node, (80, 70), (110, 60))
    assert len(seen) == 1
    assert np.abs(camera(node).camera_from_patient - before).max() > 1


@pytest.mark.parametrize("what", ["session", "module", "view"])
def test_placing_ends_with_what_it_is_about(application, with_landmarks, what):
    application.click(with_landmarks.landmarks._ui.placeOnXrayButton)
    assert is_placing()
    if what == "session":
        with_landmarks.selector.addNode()
    elif what == "module":
        with_landmarks.exit()
    else:
        with_landmarks.xrays._ui.xrayTable.selectRow(0)
        application.click(with_landmarks.xrays._ui.removeButton)
    assert not is_placing()
