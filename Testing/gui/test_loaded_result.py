"""A result of the command line is reviewed in the module just as one that was made there."""

import numpy as np
import phantom
import pytest


@pytest.fixture
def folder(files, tmp_path):
    """What `xrayreg register` leaves, without the registration: the views at their true places."""
    from xrayreg.images import LabelMap, Markup, read_volume, read_xray
    from xrayreg.overlays import Overlay, layers_on
    from xrayreg.register import Confidence, PoseUncertainty, RegisteredView, Registration
    from xrayreg.render import Density
    from xrayreg.results import Outcome, software_json
    from XrayRegistrationLib.export import export_scene

    ct = read_volume(files.ct)
    k, j, i = np.indices(ct.hu.shape)
    points = np.stack([i, j, k], axis=-1) @ ct.grid.patient_from_index[:3, :3].T
    labels = phantom.labels(points + ct.grid.patient_from_index[:3, 3])
    bones = LabelMap(labels, ct.grid, {label: name for label, name, _, _ in phantom.BONES})
    plan = Markup("screw", "line", phantom.targets()[:2], ("head", "tip"))
    overlay = Overlay(bones, tuple(bones.names), (plan,))
    uncertainty = PoseUncertainty(np.eye(6) * 1e-3)
    density, views, layers = Density.from_volume(ct), [], {}
    for path, view in zip(files.xrays, files.views, strict=True):
        xray = read_xray(path, None, view.name, tuple(phantom.CENTRE))
        camera = xray.camera.moved(view.truth.camera_from_patient)
        views.append(RegisteredView(xray, camera, 0.9, 0.5))
        layers[view.name] = layers_on(density, camera, overlay, uncertainty.in_image)
    outcome = Outcome(
        Registration(ct, tuple(views), {}),
        Confidence("review", 0.7, 1.2, 4.0, ("one view alone",)),
        {view.name: uncertainty for view in files.views},
        overlay,
        {"xrays": [{"path": str(path), "sha256": "0"} for path in files.xrays]},
        software_json("cpu"),
    )
    export_scene(outcome, tmp_path, layers=layers, pictures=False)
    (tmp_path / "registration.json").write_text('{"schema_version": 1}')
    return tmp_path


def test_a_loaded_result_is_reviewed_as_one_made_here(application, folder, files):
    import slicer
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.nodes import camera_of, image_points_of

    desk = application.open_module()
    desk.ui.resultFolder.currentPath = str(folder)
    application.click(desk.ui.loadButton)
    assert application.errors == []
    assert "one view alone" in desk.review._ui.reasonsLabel.text
    assert "Needs your eye" in desk.review._ui.verdictLabel.text
    xrays = roles.references(desk.session, roles.VIEW)
    for xray, view in zip(xrays, files.views, strict=True):
        found = camera_of(xray).camera_from_patient
        np.testing.assert_allclose(found, view.truth.camera_from_patient, atol=1e-6)
        points, *ellipses = roles.references(xray, roles.REPROJECTED)
        assert len(ellipses) == 2
        expected = view.truth.project(phantom.targets()[:2])
        np.testing.assert_allclose(image_points_of(points, xray), expected, atol=1e-3)
        assert xray.GetAttribute(roles.COVARIANCE)
    logic = slicer.app.layoutManager().sliceWidget("Red").sliceLogic()
    composite = logic.GetSliceCompositeNode()
    assert composite.GetLabelVolumeID() == xrays[0].GetNodeReferenceID(roles.OUTLINES)
    application.click(desk.review._ui.acceptButton)
    assert "accepted" in desk.review._ui.decisionLabel.text
    application.click(desk.review._ui.undoButton)
    for xray, view in zip(xrays, files.views, strict=True):
        start = camera_of(xray).camera_from_patient
        np.testing.assert_allclose(start, view.start.camera_from_patient, atol=1e-6)
    assert not desk.review._ui.reviewButton.enabled
