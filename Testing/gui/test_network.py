"""A network as start, by clicks: chosen, registered from, refused, its card, where it looks.

What the core's networks answer is put in here; how they do is tested with the core.
"""

import json
from dataclasses import replace

import numpy as np
import pytest
from story import run_to_the_end, state, worst_tre
from xrayreg.errors import InputError
from xrayreg.geometry import translation


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "mine.safetensors"
    file.write_text("a network")
    return file


@pytest.fixture
def section(ready):
    ui = ready.network._ui
    ui.networkButton.collapsed = False
    return ui


@pytest.fixture
def answers(monkeypatch, files):
    """The network finds the phantom's true poses, and looks at the upper left; returns what it was asked."""
    import XrayRegistrationLib.attention as attention
    import XrayRegistrationLib.work as work
    from XrayRegistrationLib.networks import Start

    asked = []

    def start_from(network, xrays, volume):
        asked.append(network)
        if not network.any_patient:
            raise InputError("trained on another CT", where=network.path, remedy="train one for this patient")
        truth = {view.name: view.truth for view in files.views}
        return Start([replace(xray, camera=truth[xray.name]) for xray in xrays], None, ("frontal: 2 mm off",))

    def looks(network, xrays, volume):
        asked.append(network)
        maps = [np.zeros(xray.line_integrals.shape, np.float32) for xray in xrays]
        for each in maps:
            each[:10, :30] = 1
        return maps

    monkeypatch.setattr(work, "start_from", start_from)
    monkeypatch.setattr(attention, "attention", looks)
    return asked


def views_of(desk):
    from XrayRegistrationLib import roles

    return roles.references(desk.session, roles.VIEW)


def shown(name="Xray1"):
    """What lies over the X-ray in a view, and its opacity."""
    import slicer

    composite = slicer.app.layoutManager().sliceWidget(name).sliceLogic().GetSliceCompositeNode()
    return composite.GetForegroundVolumeID(), composite.GetForegroundOpacity()


# --- As start ---


def test_a_chosen_network_is_the_start_and_none_is_the_search(application, ready, section, path):
    from XrayRegistrationLib import roles

    start = ready.register._ui.startComboBox
    assert not section.anyPatientCheckBox.enabled
    section.networkPath.currentPath = str(path)
    assert start.currentText == "From the network"
    assert not ready.register._ui.rotationSlider.enabled
    start.currentIndex = 0
    assert ready.session.GetAttribute(roles.START) is None
    assert 'choose "From the network"' in section.networkHint.text
    start.currentIndex = 2
    section.networkPath.currentPath = ""
    assert start.currentText == "Search around the start"
    assert ready.register._ui.rotationSlider.enabled


def test_it_is_saved_with_the_scene(application, ready, section, path, tmp_path):
    import slicer
    from XrayRegistrationLib.bundle import read_mrb, write_mrb

    section.networkPath.currentPath = str(path)
    section.anyPatientCheckBox.checked = True
    write_mrb(slicer.mrmlScene, tmp_path / "scene.mrb")
    slicer.mrmlScene.Clear()
    application.process(0.05)
    assert section.networkPath.currentPath == ""
    read_mrb(slicer.mrmlScene, tmp_path / "scene.mrb")
    application.process(0.05)
    assert section.networkPath.currentPath == str(path)
    assert section.anyPatientCheckBox.checked


def test_registration_starts_where_the_network_says(application, ready, section, path, answers, files):
    from XrayRegistrationLib.nodes import camera_of
    from XrayRegistrationLib.scene import place_view

    for node in views_of(ready):  # where no search could begin
        camera = camera_of(node)
        place_view(node, camera.moved(translation([900.0, 0, 0]) @ camera.camera_from_patient))
    section.networkPath.currentPath = str(path)
    section.anyPatientCheckBox.checked = True
    run_to_the_end(application, ready)
    assert application.errors == []
    assert worst_tre(ready.session, files) < 1
    assert "frontal: 2 mm off" in ready.register._ui.registerHint.text
    (network,) = answers
    assert (network.path, network.any_patient) == (path, True)


def test_a_network_of_another_patient_is_refused_and_nothing_changes(
    application, ready, section, path, answers
):
    import slicer

    section.networkPath.currentPath = str(path)
    before = state(slicer.mrmlScene)
    run_to_the_end(application, ready)
    assert application.errors == [f"{path}: trained on another CT - train one for this patient"]
    assert state(slicer.mrmlScene) == before


@pytest.mark.parametrize(("chosen", "words"), [(False, "no network is chosen"), (True, "no such file")])
def test_without_its_file_nothing_begins(application, ready, section, path, chosen, words):
    if chosen:
        section.networkPath.currentPath = str(path)
        path.unlink()
    else:
        ready.register._ui.startComboBox.currentIndex = 2
    application.click(ready.register._ui.runButton)
    (message,) = application.errors
    assert words in message
    assert not ready.busy


def test_the_cores_network_is_asked_and_refused_for_another_ct(files, tmp_path):
    """With weights at random, so that its poses mean nothing."""
    from xrayreg.images import read_volume, read_xray
    from xrayreg.learn import NetworkConfig, PoseNetwork, PoseRanges, volume_sha256, write_network
    from XrayRegistrationLib.networks import Network, start_from

    ct = read_volume(files.ct)
    xrays = [read_xray(path, isocenter=tuple(ct.grid.centre_patient)) for path in files.xrays]
    config, path = NetworkConfig(32, (8, 8), (1, 1)), tmp_path / "N.safetensors"
    description = {
        "network": config.as_json,
        "ranges": PoseRanges().as_json,
        "centre": ct.grid.centre_patient.tolist(),
        "volumes": [volume_sha256(ct)],
    }
    write_network(path, PoseNetwork(config).state_dict(), description)
    start = start_from(Network(path, any_patient=False), xrays, ct)
    assert [xray.name for xray in start.xrays] == ["frontal", "lateral"]
    assert all("from the network" in notice for notice in start.notices[:2])
    assert min(start.search.rotation_deg) > 0
    other = replace(ct, hu=ct.hu + 7)
    with pytest.raises(InputError, match="another CT"):
        start_from(Network(path, any_patient=False), xrays, other)
    assert len(start_from(Network(path, any_patient=True), xrays, other).xrays) == 2


# --- Its card ---


START = {"rotation_deg": {"median": 3.21}, "mtre_mm": {"median": 7.0}}
CARD = {
    "summary": {"success": {"count": 38, "of": 40}, "start": START},
    "notices": ["look at <every> result"],
}


def test_the_card_is_told_and_opened(application, ready, section, path, monkeypatch):
    from XrayRegistrationLib.panels import network as panel

    opened = []
    monkeypatch.setattr(panel.qt.QDesktopServices, "openUrl", opened.append)
    path.with_suffix(".card.json").write_text(json.dumps(CARD))
    path.with_suffix(".card.html").write_text("<html></html>")
    section.networkPath.currentPath = str(path)
    assert section.cardLabel.text == (
        "38 of 40 simulated X-rays were registered; half of the starts are under 3.2 degrees and 7.0 mm off."
        "<br>• look at &lt;every&gt; result"
    )
    application.click(section.cardButton)
    assert opened[0].toLocalFile() == str(path.with_suffix(".card.html"))


@pytest.mark.parametrize(
    "text",
    [
        None,
        "no JSON",
        "[1]",
        "{}",
        json.dumps(CARD | {"summary": None}),
        json.dumps(CARD | {"notices": None}),
        json.dumps(CARD).replace("3.21", '"?"'),
    ],
)
def test_a_card_that_cannot_be_read_says_nothing(application, ready, section, path, text):
    if text is not None:
        path.with_suffix(".card.json").write_text(text)
    section.networkPath.currentPath = str(path)
    assert section.cardLabel.text == ""
    assert not section.cardButton.enabled


# --- Where it looks ---


@pytest.fixture
def looked(application, ready, section, path, answers):
    section.networkPath.currentPath = str(path)
    application.click(section.attentionButton)
    assert ready.busy
    application.wait_until(lambda: not ready.busy)
    assert application.errors == []
    return ready


def test_attention_lies_over_every_x_ray_until_it_is_switched_off(application, looked, section):
    import slicer
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.mrml import array_of, world_from_index

    for name, xray in zip(("Xray1", "Xray2"), views_of(looked), strict=True):
        node = xray.GetNodeReference(roles.ATTENTION_MAP)
        assert shown(name) == (node.GetID(), pytest.approx(0.35))
        np.testing.assert_allclose(world_from_index(node), world_from_index(xray), atol=1e-9)
        assert array_of(node)[0].sum() == 300
        assert array_of(node)[0, :10, :30].all()
        assert node.GetDisplayNode().GetApplyThreshold()
    box = looked.review._ui.compareComboBox
    assert box.currentText == "Attention of the network"
    assert section.attentionButton.checked
    before = slicer.mrmlScene.GetNumberOfNodes()
    application.click(section.attentionButton)
    assert box.findText("Attention of the network") < 0
    assert box.currentText == "Blending"
    assert shown()[0] is None
    assert not section.attentionButton.checked
    assert slicer.mrmlScene.GetNumberOfNodes() < before - 1


def test_the_review_goes_to_and_fro_between_attention_and_drr(application, looked, section):
    from XrayRegistrationLib import roles

    run_to_the_end_of_any_patient(application, looked, section)
    box, (first, _) = looked.review._ui.compareComboBox, views_of(looked)
    assert shown()[0] == first.GetNodeReferenceID(roles.ATTENTION_MAP)
    assert looked.review._ui.blendSlider.enabled
    looked.review._ui.blendSlider.value = 0.8
    assert shown()[1] == pytest.approx(0.8)
    box.setCurrentIndex(box.findText("Blending"))
    assert shown()[0] == first.GetNodeReferenceID(roles.DRR)
    assert not section.attentionButton.checked
    box.setCurrentIndex(box.findText("Attention of the network"))
    assert shown()[0] == first.GetNodeReferenceID(roles.ATTENTION_MAP)


def run_to_the_end_of_any_patient(application, desk, section):
    section.anyPatientCheckBox.checked = True
    run_to_the_end(application, desk)
    assert application.errors == []


def test_the_map_goes_with_the_network_and_with_the_x_ray(application, looked, section):
    from XrayRegistrationLib import roles

    looked.xrays._ui.xrayTable.selectRow(0)
    application.click(looked.xrays._ui.removeButton)
    (left,) = views_of(looked)
    assert left.GetNodeReference(roles.ATTENTION_MAP) is not None
    section.networkPath.currentPath = ""
    assert left.GetNodeReference(roles.ATTENTION_MAP) is None
    assert looked.review._ui.compareComboBox.currentText == "Blending"
    assert application.errors == []


def test_another_picture_in_the_x_rays_place_has_no_map(looked):
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.nodes import xray_of
    from XrayRegistrationLib.scene import show_pixels

    (first, second) = views_of(looked)
    show_pixels(first, xray_of(first))
    looked.refresh()
    assert first.GetNodeReference(roles.ATTENTION_MAP) is None
    assert second.GetNodeReference(roles.ATTENTION_MAP) is not None


def test_a_network_that_cannot_look_is_told_and_nothing_changes(
    application, ready, section, path, monkeypatch
):
    import slicer
    import XrayRegistrationLib.attention as attention

    def fail(network, xrays, volume):
        raise InputError("is no pose network", where=network.path)

    monkeypatch.setattr(attention, "attention", fail)
    section.networkPath.currentPath = str(path)
    before = state(slicer.mrmlScene)
    application.click(section.attentionButton)
    application.wait_until(lambda: not ready.busy)
    assert application.errors == [f"{path}: is no pose network"]
    assert state(slicer.mrmlScene) == before
    assert not section.attentionButton.checked
