"""Slicer's layout manager on Slicer's real layout logic: which views there are, and how large each is."""
# ruff: noqa: N802 - names follow Slicer

import xml.etree.ElementTree as ElementTree

import slicer
import vtk

SCREEN = (1600, 900)
"""Width and height of the area of the views, pixels."""


class SliceView:
    """Draws nothing; its interactor tells observers what a test sends."""

    def __init__(self):
        self._interactor = vtk.vtkGenericRenderWindowInteractor()

    def interactor(self):
        return self._interactor


class SliceWidget:
    """A slice view with Slicer's own logic, on the node that the layout made."""

    def __init__(self, opened, node):
        self._view = SliceView()
        composite = slicer.vtkMRMLSliceCompositeNode()
        composite.SetSingletonTag(node.GetLayoutName())
        composite.SetLayoutName(node.GetLayoutName())
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(opened.application)
        self._logic.SetMRMLScene(opened.scene)
        self._logic.SetSliceNode(node)
        self._logic.SetSliceCompositeNode(opened.scene.AddNode(composite))

    def sliceView(self):
        return self._view

    def sliceLogic(self):
        return self._logic

    def mrmlSliceNode(self):
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self):
        return self._logic.GetSliceCompositeNode()

    def fitSliceToBackground(self):
        self._logic.FitSliceToBackground()


class ThreeDView:
    """What of a 3D view is no widget: its nodes and its size."""

    def __init__(self, opened, node):
        self._node, self._opened = node, opened
        self.width, self.height = SCREEN
        camera = slicer.vtkMRMLCameraNode()
        camera.SetSingletonTag(node.GetLayoutName())
        camera.SetLayoutName(node.GetLayoutName())
        opened.scene.AddNode(camera)

    def mrmlViewNode(self):
        return self._node

    def cameraNode(self):
        logic = slicer.vtkSlicerCamerasModuleLogic()
        logic.SetMRMLApplicationLogic(self._opened.application)
        logic.SetMRMLScene(self._opened.scene)
        return logic.GetViewActiveCameraNode(self._node)


class ThreeDWidget:
    def __init__(self, opened, node):
        self._view = ThreeDView(opened, node)

    def threeDView(self):
        return self._view

    def mrmlViewNode(self):
        return self._view.mrmlViewNode()


class LayoutManager:
    """Makes the views that an arrangement asks for, as large as they would be on a screen."""

    def __init__(self, opened):
        self._opened, self._slices, self._three_d = opened, {}, {}
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLScene(opened.scene)
        self._node = self._logic.GetLayoutNode()
        self._node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._update)
        self._node.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)

    @property
    def layout(self):
        return self._node.GetViewArrangement()

    @property
    def threeDViewCount(self):
        return len(self._three_d)

    def layoutLogic(self):
        return self._logic

    def setLayout(self, layout):
        self._node.SetViewArrangement(layout)

    def sliceViewNames(self):
        return tuple(self._slices)

    def sliceWidget(self, name):
        return self._slices.get(name)

    def threeDWidget(self, number):
        return list(self._three_d.values())[number]

    def resetThreeDViews(self):
        """The cameras stay."""

    def resetSliceViews(self):
        for widget in self._slices.values():
            widget.fitSliceToBackground()

    def _update(self, caller=None, event=None):
        if not self._node.GetCurrentLayoutDescription():  # unknown, or the scene is being closed
            return
        views = self._logic.GetViewNodes()
        sizes = {name: tile[2:] for name, tile in tiles(self).items()}
        for node in (views.GetItemAsObject(number) for number in range(views.GetNumberOfItems())):
            name = node.GetLayoutName()
            if node.IsA("vtkMRMLSliceNode"):
                if name not in self._slices:
                    self._slices[name] = SliceWidget(self._opened, node)
                node.SetDimensions(*sizes[name], 1)
            elif name not in self._three_d:
                self._three_d[name] = ThreeDWidget(self._opened, node)
            if name in self._three_d:
                view = self._three_d[name].threeDView()
                view.width, view.height = sizes[name]


def tiles(manager) -> dict[str, tuple[int, int, int, int]]:
    """(left, top, width, height) on the screen of each view of the arrangement, by its name."""
    description = manager.layoutLogic().GetLayoutNode().GetCurrentLayoutDescription()
    return dict(_tiles(ElementTree.fromstring(description), (0, 0, *SCREEN)))


def _tiles(layout, area):
    """(name, area) of each view in a <layout> or <view> that fills an area."""
    if layout.tag == "view":
        yield layout.get("singletontag"), area
        return
    items = layout.findall("item")
    left, top, width, height = area
    total, before = sum(_weight(item) for item in items), 0
    for item in items:
        start, end = before / total, (before + _weight(item)) / total
        if layout.get("type") == "horizontal":
            part = (left + round(start * width), top, round((end - start) * width), height)
        else:
            part = (left, top + round(start * height), width, round((end - start) * height))
        before += _weight(item)
        yield from _tiles(item[0], part)


def _weight(item) -> int:
    return int(item.get("splitSize", 1))
