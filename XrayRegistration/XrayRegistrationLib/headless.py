"""Slicer's scene without the application: a MRML scene with the logics that its nodes rely on.

Inside Slicer none of this is needed, there the application owns the scene and the logics.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import slicer
import vtk


@dataclass(frozen=True)
class Headless:
    """A scene and the objects that must live as long as it does.

    Attributes:
        scene: vtkMRMLScene.
        application: vtkSlicerApplicationLogic.
        logics: the rest. Nothing calls them by name: they register node classes, default nodes and
            conversion rules, and find the files of a scene that is read.
    """

    scene: object
    application: object
    logics: tuple


@contextmanager
def headless() -> Iterator[Headless]:
    """An empty scene in which volumes, transforms, models, markups and segmentations work.

    The logics come before any node: a markup or segmentation added earlier would have no storage
    and no closed surface. Slicer unpacks and packs bundles in a cache folder; here it is a temporary
    one that is gone at the end.
    """
    with TemporaryDirectory(prefix="xrayreg-scene-") as cache, _errors_only():
        scene = slicer.vtkMRMLScene()
        application = slicer.vtkSlicerApplicationLogic()
        application.SetMRMLScene(scene)
        application.SetTemporaryPath(cache)
        colors = slicer.vtkMRMLColorLogic()
        application.SetColorLogic(colors)
        modules = {
            "Colors": colors,
            "SubjectHierarchy": slicer.vtkSlicerSubjectHierarchyModuleLogic(),
            "Volumes": slicer.vtkSlicerVolumesLogic(),
            "Transforms": slicer.vtkSlicerTransformLogic(),
            "Models": slicer.vtkSlicerModelsLogic(),
            "Markups": slicer.vtkSlicerMarkupsLogic(),
            "Segmentations": slicer.vtkSlicerSegmentationsModuleLogic(),
        }
        for name, logic in modules.items():
            logic.SetMRMLApplicationLogic(application)
            logic.SetMRMLScene(scene)
            application.SetModuleLogic(name, logic)  # displayable managers ask for it by this name
        opened = Headless(scene, application, (*modules.values(), *_file_logics(application, scene, cache)))
        try:
            yield opened
        finally:
            # Scene, nodes and logics observe each other; only an empty scene lets go of all of them.
            scene.Clear(1)


def _file_logics(application, scene, cache: str) -> tuple:
    """Storage nodes ask the scene's data IO manager for their files; without one no scene is read."""
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLApplicationLogic(application)
    remote.SetMRMLScene(scene)
    remote.GetCacheManager().SetRemoteCacheDirectory(cache)
    remote.AddDataIOToScene()
    data = slicer.vtkDataIOManagerLogic()
    data.SetMRMLApplicationLogic(application)
    data.SetAndObserveDataIOManager(remote.GetDataIOManager())
    return remote, data


@contextmanager
def _errors_only() -> Iterator[None]:
    """VTK's warnings are about Slicer's own innards and mean nothing to the user of a command line."""
    before = vtk.vtkLogger.GetCurrentVerbosityCutoff()
    vtk.vtkLogger.SetStderrVerbosity(vtk.vtkLogger.VERBOSITY_ERROR)
    try:
        yield
    finally:
        vtk.vtkLogger.SetStderrVerbosity(before)
