"""The sample of the Sample Data module: offered, loaded by a click, ready to register."""

from dataclasses import replace
from types import SimpleNamespace

import phantom
import pytest
from story import run_to_the_end, state, worst_tre


@pytest.fixture
def case(files, monkeypatch):
    """The phantom and its two X-rays in the place of the public CT and of those simulated from it."""
    import xrayreg.evaluate as evaluate

    bones = phantom.write_segmentation(files.folder / "mask.nii.gz", phantom.RIGHT_HANDED)
    names = files.folder / "structures.csv"
    names.write_text("id,structure\n" + "".join(f"{label},{name}\n" for label, name, _, _ in phantom.BONES))
    fetched = SimpleNamespace(volume=files.ct, segmentation=bones, structures=names)
    views = [SimpleNamespace(path=path) for path in files.xrays]
    monkeypatch.setattr(evaluate, "fetch_demo_case", lambda: fetched)
    monkeypatch.setattr(evaluate, "write_demo_views", lambda volume, folder: views)
    plan = [replace(each, points=each.points - each.points[0] + phantom.CENTRE) for each in evaluate.PLAN]
    monkeypatch.setattr(evaluate, "PLAN", tuple(plan))


@pytest.fixture
def source(application):
    """What the Sample Data module shows."""
    import slicer

    application.open_module()
    application.module.XrayRegistration(SimpleNamespace())
    assert slicer.modules.sampleDataSources == {}  # Slicer is still starting
    slicer.app.startupCompleted.emit()
    (source,) = slicer.modules.sampleDataSources["X-ray Registration"]
    return source


def load(application, source):
    source.customDownloader(source)
    application.wait_until(lambda: application.selected or application.errors)


def test_it_is_offered_with_a_picture(source):
    from PySide6.QtGui import QImage

    assert source.sampleName == "Chest CT with two X-rays"
    assert not QImage(source.thumbnailFileName).isNull()


def test_a_click_makes_a_session_that_can_be_registered(application, source, case, files):
    import slicer
    from XrayRegistrationLib import roles

    load(application, source)
    assert application.errors == []
    assert application.selected == ["XrayRegistration"]
    assert any("Simulating" in message for message in application.messages)
    desk = application.widget
    assert roles.result_nodes(slicer.mrmlScene) == [desk.session]  # none is left empty
    table = desk.xrays._ui.xrayTable
    assert [table.item(row, 0).text() for row in range(table.rowCount)] == ["frontal", "lateral"]
    segments = desk.session.GetNodeReference(roles.SEGMENTATION).GetSegmentation()
    names = [segments.GetNthSegment(n).GetName() for n in range(segments.GetNumberOfSegments())]
    assert names == ["vertebrae_L1", "rib_left_1"]  # the bones that names tell
    assert [node.GetName() for node in desk.preoperative._ui.planSelector.checkedNodes()] == [
        "T9 left pedicle screw",
        "target",
    ]
    run_to_the_end(application, desk)
    assert application.errors == []
    assert worst_tre(desk.session, files) < 1


@pytest.mark.parametrize("is_there", [True, False])
def test_its_network_is_offered_where_there_is_one(
    application, source, case, tmp_path, monkeypatch, is_there
):
    import XrayRegistrationLib.sample as sample

    network = tmp_path / "demo-network.safetensors"
    network.write_text("a network")
    monkeypatch.setattr(sample, "sample_network", lambda: network if is_there else None)
    load(application, source)
    assert application.errors == []
    desk = application.widget
    assert desk.network._ui.networkPath.currentPath == (str(network) if is_there else "")
    assert desk.register._ui.startComboBox.currentText == "Search around the start"


def test_a_second_click_meanwhile_loads_nothing_more(application, source, case):
    import slicer
    from XrayRegistrationLib import roles

    source.customDownloader(source)
    load(application, source)
    application.process(0.2)
    assert len(roles.result_nodes(slicer.mrmlScene)) == 1
    load(application, source)
    application.wait_until(lambda: len(roles.result_nodes(slicer.mrmlScene)) == 2)


def test_a_registration_under_way_keeps_its_session(application, source, case):
    import slicer
    from XrayRegistrationLib import roles

    load(application, source)
    desk = application.widget
    first = desk.session
    application.selected.clear()
    application.click(desk.register._ui.runButton)
    load(application, source)
    assert desk.busy
    assert desk.session.GetID() == first.GetID()
    application.wait_until(lambda: not desk.busy, timeout_s=180)
    assert first.GetAttribute(roles.CONFIDENCE)
    assert len(roles.result_nodes(slicer.mrmlScene)) == 2


def test_what_cannot_be_fetched_is_told_and_leaves_the_scene_as_it_was(application, source, monkeypatch):
    import slicer
    import xrayreg.evaluate as evaluate
    from xrayreg.errors import InputError

    def fail():
        raise InputError("the demo case cannot be fetched", remedy="connect to the network")

    monkeypatch.setattr(evaluate, "fetch_demo_case", fail)
    before = state(slicer.mrmlScene)
    load(application, source)
    (message,) = application.errors
    assert message == "the demo case cannot be fetched - connect to the network"
    assert state(slicer.mrmlScene) == before


def test_an_error_half_way_leaves_the_scene_as_it_was(application, source, case, monkeypatch):
    import slicer
    import XrayRegistrationLib.sample as sample

    def fail(session, xray):
        raise RuntimeError("no room for the X-ray")

    monkeypatch.setattr(sample, "add_view", fail)
    before = state(slicer.mrmlScene)
    load(application, source)
    assert application.errors == ["no room for the X-ray"]
    assert state(slicer.mrmlScene) == before
