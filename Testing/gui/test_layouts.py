"""Arrangements of views: where the X-rays are, what 3D looks at, and that the choice is the user's."""

import numpy as np
import phantom
import pytest
from story import add, run_to_the_end


def manager():
    import slicer

    return slicer.app.layoutManager()


def choose(application, desk, text):
    """Choose an arrangement in the combo box, as a user does."""
    box = desk.views._ui.layoutComboBox
    box.currentIndex = [box.itemText(number) for number in range(box.count)].index(text)
    box.activated.emit(box.currentIndex)
    application.process(0.05)


def background(name):
    composite = manager().sliceWidget(name).mrmlSliceCompositeNode()
    return composite.GetBackgroundVolumeID()


def names_of_views():
    from layout_stand_in import tiles

    return list(tiles(manager()))


def xrays_of(desk):
    from XrayRegistrationLib import roles

    return roles.references(desk.session, roles.VIEW)


def test_the_first_xray_brings_views_of_its_own_and_3d(application, desk, files):
    assert not desk.views._ui.viewsButton.enabled
    assert set(names_of_views()) == {"Red", "1", "Green", "Yellow"}
    add(application, desk, files.xrays[0])
    assert names_of_views() == ["Xray1", "1"]
    (xray,) = xrays_of(desk)
    assert background("Xray1") == xray.GetID()
    assert desk.views._ui.layoutComboBox.currentText == "X-rays and 3D"
    add(application, desk, files.xrays[1])
    assert names_of_views() == ["Xray1", "Xray2", "1"]
    assert [background(f"Xray{n}") for n in (1, 2)] == [node.GetID() for node in xrays_of(desk)]


def test_each_arrangement_shows_what_it_says(application, ready):
    import slicer
    from XrayRegistrationLib import roles

    choose(application, ready, "X-rays only")
    assert names_of_views() == ["Xray1", "Xray2"]
    assert not ready.views._ui.beamButton.enabled
    ready.views._ui.xrayComboBox.currentIndex = 1
    choose(application, ready, "One X-ray, 3D and CT")
    assert names_of_views() == ["Xray2", "1", "Red", "Yellow", "Green"]
    assert background("Xray2") == xrays_of(ready)[1].GetID()
    ct = ready.session.GetNodeReferenceID(roles.VOLUME)
    for name, orientation in (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal")):
        assert background(name) == ct
        node = manager().sliceWidget(name).mrmlSliceNode()
        assert node.GetOrientation() == orientation
        assert not node.GetSliceVisible()  # in 3D it would hide X-rays
    ready.views._ui.xrayComboBox.currentIndex = 0
    ready.views._ui.xrayComboBox.activated.emit(0)
    assert names_of_views()[0] == "Xray1"
    choose(application, ready, "X-rays and 3D")
    assert names_of_views() == ["Xray1", "Xray2", "1"]
    slice_nodes = [manager().sliceWidget(name).mrmlSliceNode() for name in ("Xray1", "Xray2")]
    assert all(node.GetSliceVisible() for node in slice_nodes)
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetViewArrangement() == manager().layout


def test_what_the_user_chose_stays(application, ready, files):
    """Neither an arrangement of Slicer's nor a volume in its views is taken away again."""
    import slicer

    four_up = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView
    manager().setLayout(four_up)
    application.process(0.05)
    assert ready.views._ui.layoutComboBox.currentIndex == -1
    run_to_the_end(application, ready)
    assert manager().layout == four_up
    assert background("Red") == xrays_of(ready)[0].GetID()
    other = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "the user's own")
    manager().sliceWidget("Green").mrmlSliceCompositeNode().SetBackgroundVolumeID(other.GetID())
    choose(application, ready, "X-rays and 3D")
    assert background("Green") == other.GetID()
    assert background("Red") != xrays_of(ready)[0].GetID()


def test_the_arrangement_follows_the_number_of_xrays(application, ready):
    choose(application, ready, "X-rays only")
    ready.xrays._ui.xrayTable.selectRow(0)
    application.click(ready.xrays._ui.removeButton)
    assert names_of_views() == ["Xray1"]
    assert background("Xray1") == xrays_of(ready)[0].GetID()


def test_a_saved_scene_opens_with_its_arrangement(application, ready, tmp_path):
    import slicer
    from XrayRegistrationLib import roles

    choose(application, ready, "X-rays only")
    shown = manager().layout
    slicer.util.saveScene(str(tmp_path / "all.mrb"))
    slicer.mrmlScene.Clear()
    manager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    slicer.util.loadScene(str(tmp_path / "all.mrb"))
    application.process(0.05)
    assert manager().layout == shown
    assert names_of_views() == ["Xray1", "Xray2"]
    assert ready.views._ui.layoutComboBox.currentText == "X-rays only"
    ready.selector.setCurrentNode(roles.result_nodes(slicer.mrmlScene)[-1])
    assert len(xrays_of(ready)) == 2
    assert [background(f"Xray{n}") for n in (1, 2)] == [node.GetID() for node in xrays_of(ready)]


def test_an_arrangement_from_a_scene_opened_before_the_module_is_shown_when_the_module_is(application):
    from XrayRegistrationLib import layouts

    wanted = layouts.layout_id(layouts.X_RAYS, 2)
    manager().setLayout(wanted)
    assert manager().layoutLogic().GetLayoutNode().GetLayoutRootElement() is None
    application.open_module()
    assert manager().layout == wanted
    assert names_of_views() == ["Xray1", "Xray2"]


def test_every_arrangement_has_a_number_of_its_own_and_names_views_that_slicer_can_make(application):
    from XrayRegistrationLib import layouts

    application.open_module()
    for kind in layouts.KINDS:
        assert layouts.layout_id(kind, 1) > 500
        for number in (1, 2, 3, 4):
            manager().setLayout(layouts.layout_id(kind, number))
            assert layouts.kind_of(manager().layout) == kind
            xrays = [name for name in names_of_views() if name.startswith("Xray")]
            assert xrays == list(layouts.xrays_in(manager().layout))
            assert all(manager().sliceWidget(name) is not None for name in names_of_views() if name != "1")
    assert layouts.kind_of(4) is None
    assert len({layouts.layout_id(kind, n) for kind in layouts.KINDS for n in range(1, 5)}) == 12


# --- 3D ---


def seen_by(camera_node, points_ras, size):
    """(n, 2) pixels of points in a 3D view of ``size``, by VTK; the centre of the first is at (0, 0)."""
    width, height = size
    camera = camera_node.GetCamera()
    matrix = camera.GetCompositeProjectionTransformMatrix(width / height, -1, 1)
    homogeneous = np.array([matrix.MultiplyPoint([*point, 1.0]) for point in points_ras])
    x, y = (homogeneous[:, :2] / homogeneous[:, 3:]).T
    return np.column_stack([(x + 1) / 2 * width - 0.5, (1 - y) / 2 * height - 0.5])


@pytest.mark.parametrize("number", [0, 1])
def test_along_the_beam_3d_shows_each_point_where_the_xray_does(application, ready, number):
    from XrayRegistrationLib.nodes import camera_of

    view = manager().threeDWidget(0).threeDView()
    ready.views._ui.xrayComboBox.currentIndex = number
    camera = camera_of(xrays_of(ready)[number])
    columns, rows = camera.size
    for width, height in ((columns, rows), (3 * columns, rows), (columns, 5 * rows)):
        view.width, view.height = width, height
        application.click(ready.views._ui.beamButton)
        points = np.vstack([phantom.targets(), phantom.CENTRE + np.eye(3) * 40])
        expected = camera.project(points)
        seen = seen_by(view.cameraNode(), points * [-1, -1, 1], (width, height))
        # All of the X-ray fits, in the middle: the smaller scale of the two.
        scale = min(width / columns, height / rows)
        middle = [(columns - 1) / 2, (rows - 1) / 2]
        expected = (expected - middle) * scale + [(width - 1) / 2, (height - 1) / 2]
        assert np.abs(seen - expected).max() < 0.6


def test_the_overview_has_all_c_arms_in_the_picture(application, ready):
    from XrayRegistrationLib.nodes import camera_of

    application.click(ready.views._ui.beamButton)
    application.click(ready.views._ui.overviewButton)
    view = manager().threeDWidget(0).threeDView()
    for xray in xrays_of(ready):
        camera = camera_of(xray)
        corners = [[0, 0], [camera.size[0], 0], [0, camera.size[1]], camera.size]
        on_detector = camera.ray_directions(corners) * camera.source_to_detector_mm
        ends = np.vstack([np.zeros(3), on_detector]) @ camera.patient_from_camera[:3, :3].T
        ends = (ends + camera.source_patient) * [-1, -1, 1]
        seen = seen_by(view.cameraNode(), ends, (view.width, view.height))
        assert (seen > 0).all()
        assert (seen < [view.width, view.height]).all()


def test_bones_without_a_surface_get_one(application, ready):
    import slicer
    from XrayRegistrationLib import roles

    segmentation = ready.session.GetNodeReference(roles.SEGMENTATION).GetSegmentation()
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    segmentation.RemoveRepresentation(surface)
    application.click(ready.views._ui.overviewButton)
    assert segmentation.ContainsRepresentation(surface)
