"""What is opened and closed again and again leaves nothing behind: no observers, nodes or Python objects."""

import gc
import weakref

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

import slicer
import vtk
from story import add
from xrayreg.images import read_volume
from XrayRegistrationLib import roles
from XrayRegistrationLib.scene import add_volume

TIMES = 50


def observers(scene) -> int:
    """On the scene and all its nodes; VTK tells them only in print."""
    everything = [scene, *(scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes()))]
    return sum(str(each).count("vtkObserver (") for each in everything)


def counts(scene) -> tuple[int, int]:
    gc.collect()
    return observers(scene), scene.GetNumberOfNodes()


def parts(desk) -> list[weakref.ref]:
    return [weakref.ref(each) for each in (desk, desk.logic, *desk.panels)]


def test_observers_are_counted(application):
    before = observers(slicer.mrmlScene)
    tag = slicer.mrmlScene.AddObserver("ModifiedEvent", lambda caller, event: None)
    assert observers(slicer.mrmlScene) == before + 1
    slicer.mrmlScene.RemoveObserver(tag)


def test_a_closed_module_is_gone(application):
    application.open_module()
    application.close_module()
    before, alive = counts(slicer.mrmlScene), []
    for _ in range(TIMES):
        alive += parts(application.open_module())
        application.close_module()
    assert counts(slicer.mrmlScene) == before
    assert [each() for each in alive if each() is not None] == []


def test_a_closed_scene_is_gone(application, desk, files):
    """With two X-rays in it each time; closed by the user while the module is open."""
    scene, ct = slicer.mrmlScene, read_volume(files.ct)
    after, nodes = [], []
    for _ in range(TIMES):
        desk.preoperative._ui.volumeSelector.setCurrentNode(add_volume(scene, ct))
        for path in files.xrays:
            add(application, desk, path)
        nodes += [watched(node) for node in (desk.session, *roles.references(desk.session, roles.VIEW))]
        scene.Clear(0)
        application.process()
        after.append((observers(scene), scene.GetNumberOfNodes()))
    assert application.errors == []
    assert len(nodes) == 3 * TIMES
    assert len(set(after)) == 1, after
    gc.collect()
    assert [node for node in nodes if node.Get() is not None] == []


def watched(node):
    """Knows the node as long as it lives; Python's own weak references know only what Python has of it."""
    reference = vtk.vtkWeakReference()
    reference.Set(node)
    return reference
