"""The application stand-in for each test, on an empty real scene, and the module open in it with a case."""

import os
from types import SimpleNamespace

import numpy as np
import phantom
import pytest
from story import add

# Qt reads it when it starts; tests have no screen.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

FRAME = "1.2.826.0.1.3680043.8.498.77"


@pytest.fixture
def application():
    pytest.importorskip("PySide6.QtUiTools", reason="Qt cannot be loaded", exc_type=ImportError)
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from harness import slicer_application
    from XrayRegistrationLib.headless import headless

    with headless() as opened, slicer_application(opened) as application:
        yield application


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The phantom's CT and two X-rays of one C-arm run."""
    folder = tmp_path_factory.mktemp("case")
    ct = phantom.write_ct(folder / "ct.nii.gz")
    views = phantom.make_views(ct)
    xrays = [
        phantom.write_dicom(folder / f"{view.name}.dcm", view, frame_of_reference_uid=FRAME) for view in views
    ]
    return SimpleNamespace(folder=folder, ct=ct, xrays=xrays, views=views)


@pytest.fixture
def desk(application, files):
    """The open module with the phantom's CT, bones and plan chosen."""
    import slicer
    from xrayreg.images import LabelMap, Markup, read_volume
    from XrayRegistrationLib.scene import add_markup, add_volume
    from XrayRegistrationLib.segments import add_segmentation

    widget = application.open_module()
    ct = read_volume(files.ct)
    volume = add_volume(slicer.mrmlScene, ct)
    k, j, i = np.indices(ct.hu.shape)
    points = np.stack([i, j, k], axis=-1) @ ct.grid.patient_from_index[:3, :3].T
    labels = phantom.labels(points + ct.grid.patient_from_index[:3, 3])
    names = {label: name for label, name, _, _ in phantom.BONES}
    bones = add_segmentation(slicer.mrmlScene, LabelMap(labels, ct.grid, names))
    plan = add_markup(slicer.mrmlScene, Markup("screw", "line", phantom.targets()[:2], ("head", "tip")))
    widget.preoperative._ui.volumeSelector.setCurrentNode(volume)
    widget.preoperative._ui.segmentationSelector.setCurrentNode(bones)
    widget.preoperative._ui.planSelector.setCheckState(plan, 2)
    application.process(0.05)
    return widget


@pytest.fixture
def ready(application, desk, files):
    """With both X-rays in the table."""
    for path in files.xrays:
        add(application, desk, path)
    assert application.errors == []
    return desk
