"""Pictures of a result, drawn off-screen by Slicer's own slice and 3D views.

Both are assembled from the displayable managers that the application uses, so the pictures show what
the scene will look like in Slicer, not what we think of it.
"""

from pathlib import Path

import numpy as np
import slicer
import vtk

from . import roles
from .cameras import beams, look_at_all
from .headless import Headless
from .slices import show_xray

SIZE = (1000, 750)
"""Width and height of a picture, pixels."""
_BACKGROUNDS = ((0.97, 0.97, 0.98), (0.80, 0.84, 0.90))
_SLICE_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
)
_MANAGERS_3D = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
)


def write_pictures(opened: Headless, result, folder: Path, size: tuple[int, int] = SIZE) -> list[Path]:
    """`view3d.png` and a `slice_<view>.png` for each X-ray of a result node, in ``folder``.

    View nodes are added to the scene: write the scene first if it is to be saved without them.
    """
    slices = []
    written = []
    for xray in roles.references(result, roles.VIEW):
        name = roles.view_name(xray)
        logic = slice_logic(opened, name, size)
        show_xray(logic, xray)
        slices.append(logic)
        written.append(folder / f"slice_{name}.png")
        save(slice_window(opened, logic, size), written[-1])
    if result.GetNodeReference(roles.SEGMENTATION) is None:
        slices += _volume_slices(opened, result, size)
    written.append(folder / "view3d.png")
    save(_overview(opened, result, slices, size), written[-1])
    return written


def _volume_slices(opened: Headless, result, size: tuple[int, int]) -> list:
    """Two cuts through the CT, for a 3D view without bones to show; along the beams, to hide no X-ray."""
    volume = result.GetNodeReference(roles.VOLUME)
    bounds = np.zeros(6)
    volume.GetRASBounds(bounds)
    to_the_right, forwards = np.abs(beams(result)[:, :2]).max(axis=0)
    logics = []
    for orientation in ("Axial", "Sagittal" if forwards > to_the_right else "Coronal"):
        logic = slice_logic(opened, orientation, size)
        logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        logic.GetSliceNode().SetOrientation(orientation)
        logic.GetSliceNode().JumpSliceByCentering(*bounds.reshape(3, 2).mean(axis=1))
        logic.FitSliceToBackground()
        logics.append(logic)
    return logics


def slice_logic(opened: Headless, name: str, size: tuple[int, int]):
    """The logic of a new slice view of ``size``."""
    node = opened.scene.AddNewNodeByClass("vtkMRMLSliceNode")
    node.SetLayoutName(name)
    node.SetDimensions(*size, 1)
    composite = opened.scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    composite.SetLayoutName(name)
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLApplicationLogic(opened.application)
    logic.SetMRMLScene(opened.scene)
    logic.SetSliceNode(node)
    logic.SetSliceCompositeNode(composite)
    return logic


def slice_window(opened: Headless, logic, size: tuple[int, int]):
    """What a slice view of ``size`` on a vtkMRMLSliceLogic shows; for `save`."""
    window, renderer = _window(size)
    renderer.GetActiveCamera().ParallelProjectionOn()
    group = _managers(
        opened,
        slicer.vtkMRMLSliceViewDisplayableManagerFactory,
        _SLICE_MANAGERS,
        renderer,
        logic.GetSliceNode(),
    )
    # The image itself is drawn by the slice widget in Slicer, not by a displayable manager.
    mapper = vtk.vtkImageMapper()
    mapper.SetInputConnection(logic.GetImageDataConnection())
    mapper.SetColorWindow(255)
    mapper.SetColorLevel(127.5)
    image = vtk.vtkActor2D()
    image.SetMapper(mapper)
    image.GetProperty().SetDisplayLocationToBackground()
    renderer.AddViewProp(image)
    return window, group


def _overview(opened: Headless, result, slices, size):
    """The 3D view with every X-ray on its detector, seen so that all C-arms are in the picture."""
    for logic in slices:
        logic.GetSliceNode().SetSliceVisible(1)
    view = opened.scene.AddNewNodeByClass("vtkMRMLViewNode")
    view.SetLayoutName("xrayreg")
    view.SetBoxVisible(0)
    view.SetAxisLabelsVisible(0)
    view.SetBackgroundColor(_BACKGROUNDS[0])
    view.SetBackgroundColor2(_BACKGROUNDS[1])
    window, group = window_3d(opened, view, size)
    renderer = window.GetRenderers().GetFirstRenderer()
    look_at_all(renderer.GetActiveCamera(), result, size[0] / size[1])
    renderer.ResetCameraClippingRange()
    return window, group


def window_3d(opened: Headless, view, size: tuple[int, int]):
    """What a 3D view of ``size`` on a vtkMRMLViewNode shows; for `save`."""
    window, renderer = _window(size)
    group = _managers(opened, slicer.vtkMRMLThreeDViewDisplayableManagerFactory, _MANAGERS_3D, renderer, view)
    renderer.ResetCameraClippingRange()
    return window, group


def _managers(opened: Headless, factory_class, names: tuple[str, ...], renderer, view_node):
    factory = factory_class.GetInstance()
    factory.SetMRMLApplicationLogic(opened.application)
    for name in names:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    group = slicer.vtkMRMLDisplayableManagerGroup()
    group.Initialize(factory, renderer)
    group.SetMRMLDisplayableNode(view_node)
    return group


def _window(size):
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(4)  # what software OpenGL offers
    window.SetSize(size)
    renderer = vtk.vtkRenderer()
    window.AddRenderer(renderer)
    interactor = vtk.vtkRenderWindowInteractor()
    interactor.SetRenderWindow(window)
    return window, renderer


def save(window_and_managers, path: Path) -> None:
    """Write what a window shows as PNG."""
    window, _ = window_and_managers
    window.Render()
    grab = vtk.vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    writer = vtk.vtkPNGWriter()
    writer.SetInputConnection(grab.GetOutputPort())
    writer.SetFileName(str(path))
    writer.Write()
