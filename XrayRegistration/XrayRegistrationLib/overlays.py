"""What is drawn on an X-ray in the scene: outlines and the plan, on the detector's plane.

Slicer projects models and markups along parallel lines and an X-ray is a perspective, so both come
projected from the core and lie in the plane of the X-ray, under its detector's transform.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import vtk
from xrayreg.geometry import apply, detector_from_image, flip_ras_lps

from . import roles
from .mrml import remove_references, world_from_node
from .nodes import camera_of
from .scene import add_label_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xrayreg.geometry import Camera
    from xrayreg.overlays import Mark

OUTLINE_COLOR = (0.95, 0.9, 0.75)
"""Of a structure whose segment is not in the scene any more."""
_COLOR = (0.9, 0.62, 0.0)
_POINT_SIZE_MM = 3.0
_LINE_MM = 0.5


@dataclass(frozen=True)
class Structure:
    """Something that has an outline.

    Attributes:
        color: red, green, blue, 0 to 1.
        shown: or hidden by the user.
    """

    name: str
    color: tuple[float, float, float]
    shown: bool = True


def show_outlines(xray, outlines: np.ndarray, camera: Camera, structures: dict[int, Structure]) -> None:
    """Lay outlines [row, column] of label numbers over a view's X-ray; they replace those before."""
    remove_references(xray, roles.OUTLINES)
    remove_references(xray, roles.OUTLINE_COLORS)
    if not outlines.any():
        return
    node = add_label_image(xray.GetScene(), f"{xray.GetName()}_outlines", outlines, camera)
    node.SetAndObserveTransformNodeID(xray.GetNodeReferenceID(roles.DETECTOR))
    xray.SetNodeReferenceID(roles.OUTLINES, node.GetID())
    here = {int(label): structures[label] for label in np.unique(outlines) if label}
    colors = _add_colors(xray.GetScene(), f"{xray.GetName()}_outline_colors", here)
    xray.SetNodeReferenceID(roles.OUTLINE_COLORS, colors.GetID())
    node.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())


def _add_colors(scene, name: str, structures: dict[int, Structure]):
    """A color table by label; no others are defined, and those that are hidden have no opacity."""
    table = scene.AddNewNodeByClass("vtkMRMLColorTableNode", name)
    table.SetTypeToUser()
    table.SetNumberOfColors(max(structures) + 1)
    table.GetLookupTable().SetTableRange(0, max(structures))
    for label, structure in structures.items():
        table.SetColor(label, structure.name, *structure.color, float(structure.shown))
    return table


def outlined(views: Sequence) -> list[Structure]:
    """The structures that have an outline in any of the views, each once, in the order of their labels."""
    found = {}
    for xray in views:
        for table, entry in _entries(xray):
            color = np.zeros(4)
            table.GetColor(entry, color)
            name = table.GetColorName(entry)
            found.setdefault(name, (entry, Structure(name, tuple(color[:3]), bool(color[3]))))
    return [structure for _, structure in sorted(found.values(), key=lambda pair: pair[0])]


def show_structure(views: Sequence, name: str, shown: bool) -> None:
    """Show or hide a structure's outline in all views."""
    for xray in views:
        for table, entry in _entries(xray):
            if table.GetColorName(entry) == name:
                table.SetOpacity(entry, float(shown))


def _entries(xray) -> list[tuple]:
    """The color table of a view's outlines with the number of each structure in it."""
    table = xray.GetNodeReference(roles.OUTLINE_COLORS)
    count = 0 if table is None else table.GetNumberOfColors()
    return [(table, entry) for entry in range(1, count) if table.GetColorDefined(entry)]


def show_marks(xray, marks: Sequence[Mark], camera: Camera) -> Iterator[None]:
    """Lay the plan's points and their 95 % ellipses over a view's X-ray, in steps; replaces the former."""
    remove_references(xray, roles.REPROJECTED)
    if not marks:
        return
    role = roles.REPROJECTED
    points = add_markup_on(xray, role, "vtkMRMLMarkupsFiducialNode", [mark.at for mark in marks], camera)
    points.GetDisplayNode().SetGlyphType(points.GetDisplayNode().Cross2D)  # hides no small ellipse
    for number, mark in enumerate(marks):
        points.SetNthControlPointLabel(number, mark.label)
        ellipse = add_markup_on(xray, role, "vtkMRMLMarkupsClosedCurveNode", mark.ellipse[:-1], camera)
        display = ellipse.GetDisplayNode()
        display.SetGlyphSize(0.01)  # a line without its points
        display.SetCurveLineSizeMode(display.UseLineDiameter)
        display.SetLineDiameter(_LINE_MM)
        display.SetPointLabelsVisibility(False)
        display.SetPropertiesLabelVisibility(False)
        yield


def add_markup_on(xray, role: str, kind: str, image_points: Sequence[np.ndarray], camera: Camera):
    """A locked markups node with points (n, 2), pixel, on a view's detector, of the view's ``role``."""
    node = xray.GetScene().AddNewNodeByClass(kind, f"{xray.GetName()}_{role.rsplit('.')[-1].lower()}")
    node.CreateDefaultDisplayNodes()
    points = vtk.vtkPoints()
    for point in on_detector(image_points, camera):
        points.InsertNextPoint(point)
    node.SetControlPointPositionsWorld(points)  # all at once: one by one they hold the GUI
    node.SetAndObserveTransformNodeID(xray.GetNodeReferenceID(roles.DETECTOR))
    node.SetLocked(True)
    display = node.GetDisplayNode()
    display.SetSelectedColor(_COLOR)
    display.SetUseGlyphScale(False)
    display.SetGlyphSize(_POINT_SIZE_MM)
    xray.AddNodeReferenceID(role, node.GetID())
    return node


def on_detector(image_points: Sequence[np.ndarray], camera: Camera) -> np.ndarray:
    """(n, 3) of image points (n, 2), pixel, in the detector's frame with Slicer's signs, mm."""
    pixels = np.column_stack([np.array(image_points), np.zeros(len(image_points))])
    return flip_ras_lps(apply(detector_from_image(camera), pixels))


def in_world(points: np.ndarray, xray) -> np.ndarray:
    """(n, 3) RAS, mm: where the rays to points (n, 3), patient LPS, mm, meet a view's detector."""
    camera = camera_of(xray)
    return apply(world_from_node(xray), on_detector(camera.project(points), camera))
