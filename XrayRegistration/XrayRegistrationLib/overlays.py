"""What is drawn on an X-ray in the scene: outlines and the plan, on the detector's plane.

Slicer projects models and markups along parallel lines and an X-ray is a perspective, so both come
projected from the core and lie in the plane of the X-ray, under its detector's transform.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import vtk
from xrayreg.geometry import apply, detector_from_image, flip_ras_lps

from . import roles
from .mrml import remove_references
from .scene import add_label_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xrayreg.geometry import Camera
    from xrayreg.overlays import Mark

_COLOR = (0.9, 0.62, 0.0)
_POINT_SIZE_MM = 3.0
_LINE_MM = 0.5


def show_outlines(xray, outlines: np.ndarray, camera: Camera) -> None:
    """Lay outlines [row, column], label numbers, over a view's X-ray; they replace those before."""
    remove_references(xray, roles.OUTLINES)
    if not outlines.any():
        return
    node = add_label_image(xray.GetScene(), f"{xray.GetName()}_outlines", outlines, camera)
    node.SetAndObserveTransformNodeID(xray.GetNodeReferenceID(roles.DETECTOR))
    xray.SetNodeReferenceID(roles.OUTLINES, node.GetID())


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
    pixels = np.column_stack([np.array(image_points), np.zeros(len(image_points))])
    points = vtk.vtkPoints()
    for point in flip_ras_lps(apply(detector_from_image(camera), pixels)):
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
