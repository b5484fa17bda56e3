"""The scripted module on stand-ins for Slicer's application: pressing the button on a real scene."""

import sys
from types import SimpleNamespace

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from standins import import_module
from XrayRegistrationLib import roles
from XrayRegistrationLib.bundle import read_mrb, write_mrb
from XrayRegistrationLib.headless import headless
from XrayRegistrationLib.slices import ras_from_slice_view, show_xray


@pytest.fixture
def module(monkeypatch):
    with headless() as other:
        yield import_module(monkeypatch, other.scene, lambda path: read_mrb(other.scene, path))


@pytest.fixture
def panel(module):
    code, ui, _ = module
    widget = code.XrayRegistrationWidget(None)
    widget.setup()
    return ui


@pytest.fixture
def folder(opened, result, tmp_path):
    write_mrb(opened.scene, tmp_path / "scene.mrb")
    (tmp_path / "registration.json").write_text("{}")
    return tmp_path


def test_importing_the_module_loads_nothing_heavy(module):
    code, _, _ = module
    assert not {"numpy", "torch", "xrayreg", "XrayRegistrationLib"} & set(vars(code))


def test_slicer_is_told_title_category_and_help(module):
    code, _, _ = module
    parent = SimpleNamespace()
    code.XrayRegistration(parent)
    assert parent.title == "X-ray Registration"
    assert parent.categories == ["Registration"]
    assert parent.helpText
    assert parent.acknowledgementText


def test_the_button_waits_for_a_folder(panel):
    assert panel.loadButton.enabled is False
    panel.resultFolder.currentPath = "/somewhere"
    panel.resultFolder.currentPathChanged.emit("/somewhere")
    assert panel.loadButton.enabled is True


def test_load_result_brings_the_nodes_and_says_how_well_they_match(module, panel, folder):
    _, _, errors = module
    panel.resultFolder.currentPath = str(folder)
    panel.loadButton.clicked.emit(False)
    assert errors == []
    (result,) = roles.result_nodes(sys.modules["slicer"].mrmlScene)
    assert len(roles.references(result, roles.VIEW)) == 2
    assert panel.resultLabel.text.startswith("frontal: similarity 0.970")


def test_an_error_is_shown_in_words_and_the_scene_stays(module, panel, tmp_path):
    _, _, errors = module
    scene = sys.modules["slicer"].mrmlScene
    before = scene.GetNumberOfNodes()
    panel.resultFolder.currentPath = str(tmp_path)
    panel.loadButton.clicked.emit(False)
    assert len(errors) == 1
    assert "registration.json" in errors[0]
    assert scene.GetNumberOfNodes() == before
    assert panel.resultLabel.text == ""


def test_the_x_rays_are_shown_in_the_slice_views(module, opened, result, monkeypatch):
    import slicer

    code, _, _ = module
    logics = {}
    for name in ("Red", "Yellow", "Green"):
        logics[name] = slicer.vtkMRMLSliceLogic()
        logics[name].SetMRMLApplicationLogic(opened.application)
        logics[name].SetMRMLScene(opened.scene)
        logics[name].AddSliceNode(name)
    layout = SimpleNamespace(
        sliceViewNames=lambda: tuple(logics),
        sliceWidget=lambda name: SimpleNamespace(sliceLogic=lambda: logics[name]),
    )
    monkeypatch.setattr(slicer, "app", SimpleNamespace(layoutManager=lambda: layout))
    code.XrayRegistrationLogic().showResult(result)
    shown = [logic.GetSliceCompositeNode().GetBackgroundVolumeID() for logic in logics.values()]
    xrays = roles.references(result, roles.VIEW)
    assert shown == [xrays[0].GetID(), xrays[1].GetID(), None]
    slice_to_ras = logics["Yellow"].GetSliceNode().GetSliceToRAS()
    assert slice_to_ras.GetElement(0, 0) == pytest.approx(ras_from_slice_view(xrays[1])[0, 0])


def test_a_view_without_drr_shows_no_foreground_of_another(opened, registration, result):
    import slicer
    from XrayRegistrationLib.scene import add_view

    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLApplicationLogic(opened.application)
    logic.SetMRMLScene(opened.scene)
    logic.AddSliceNode("Red")
    show_xray(logic, result.GetNodeReference(roles.VIEW))
    assert logic.GetSliceCompositeNode().GetForegroundVolumeID()
    show_xray(logic, add_view(opened.scene, registration.views[0], None, (1, 0, 0)))
    assert not logic.GetSliceCompositeNode().GetForegroundVolumeID()
