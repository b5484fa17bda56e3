"""Points that the user shows in two or more X-rays, the lines they must lie on, and where they are in 3D.

Points of the same number, which is their label, are the same point.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer
from xrayreg.errors import InputError
from xrayreg.geometry import Triangulated, epipolar_segment, flip_ras_lps, triangulate

from . import roles
from .mrml import remove_node, remove_references
from .nodes import camera_of, labelled_on
from .overlays import add_markup_on, on_detector
from .pointing import point_list, start_placing, stop_placing

if TYPE_CHECKING:
    from xrayreg.geometry import Camera

_COLOR = (0.2, 0.9, 0.4)
_LINE_MM = 0.6


@dataclass(frozen=True)
class Shown:
    """One point of the session.

    Attributes:
        views: the numbers of the views in which the user has shown it.
        place: where it is; None if that is not known.
        problem: why it is not known; empty if only a second view is missing.
    """

    number: str
    views: tuple[int, ...]
    place: Triangulated | None
    problem: str = ""


def watched(session) -> list[tuple]:
    """The (node, event) pairs after which `update` has something to do."""
    kind, pairs = slicer.vtkMRMLMarkupsNode, []
    events = (
        kind.PointPositionDefinedEvent,
        kind.PointPositionUndefinedEvent,
        kind.PointModifiedEvent,
        kind.PointRemovedEvent,
    )
    for xray in roles.references(session, roles.VIEW):
        detector = xray.GetNodeReference(roles.DETECTOR)
        pairs.append((detector, slicer.vtkMRMLTransformableNode.TransformModifiedEvent))
        points = xray.GetNodeReference(roles.POINTS_HERE)
        if points is not None:
            pairs += [(points, event) for event in events]
    return pairs


def place_point(xray) -> None:
    """The user's next click on this X-ray is the first point that is not yet shown in it."""
    points = point_list(xray, roles.POINTS_HERE, f"{roles.view_name(xray)} points", xray)
    points.SetControlPointLabelFormat("%d")
    taken, number = set(_pixels(xray)), 1
    while str(number) in taken:
        number += 1
    points.SetLastUsedControlPointNumber(number - 1)  # Slicer counts on from it
    start_placing(points, several=False)


def clear(session) -> None:
    """Take all points and lines away."""
    stop_placing()
    remove_references(session, roles.POINTS)
    for xray in roles.references(session, roles.VIEW):
        remove_references(xray, roles.POINTS_HERE)
        remove_references(xray, roles.EPIPOLAR)


def update(session) -> list[Shown]:
    """Bring lines and points in 3D up to where the user's points are now, and say what there is."""
    xrays = roles.references(session, roles.VIEW)
    pixels = [_pixels(xray) for xray in xrays]
    cameras = [camera_of(xray) for xray in xrays]
    for view, xray in enumerate(xrays):
        _show_lines(xray, cameras[view], _lines(cameras, pixels, view))
    numbers = sorted({number for each in pixels for number in each}, key=lambda text: (len(text), text))
    shown = [_found(number, cameras, pixels) for number in numbers]
    _show_points(session, {point.number: point.place.point for point in shown if point.place is not None})
    return shown


def _pixels(xray) -> dict[str, np.ndarray]:
    """(2,) pixel of each point that the user has shown in a view, by number; of two the first counts."""
    found: dict[str, np.ndarray] = {}
    for number, pixel in labelled_on(xray, roles.POINTS_HERE):
        found.setdefault(number, pixel)
    return found


def _found(number: str, cameras: list[Camera], pixels: list[dict]) -> Shown:
    views = tuple(view for view, here in enumerate(pixels) if number in here)
    if len(views) < 2:
        return Shown(number, views, None)
    try:
        place = triangulate([cameras[view] for view in views], [pixels[view][number] for view in views])
    except InputError as error:
        return Shown(number, views, None, str(error))
    return Shown(number, views, place)


def _lines(cameras: list[Camera], pixels: list[dict], view: int) -> list[tuple[str, np.ndarray]]:
    """Number and ends of the lines in one view on which the points of the others must lie."""
    found = []
    for other, here in enumerate(pixels):
        for number, pixel in here.items() if other != view else ():
            segment = epipolar_segment(cameras[other], pixel, cameras[view])
            if segment is not None:
                found.append((number, segment))
    return found


def _show_lines(xray, camera: Camera, lines: list[tuple[str, np.ndarray]]) -> None:
    """Lines that are there are moved; to make them anew with every move of the mouse would take too long."""
    nodes = roles.references(xray, roles.EPIPOLAR)
    for node in nodes[len(lines) :]:
        xray.RemoveNthNodeReferenceID(roles.EPIPOLAR, len(lines))
        remove_node(node)
    for (number, segment), node in zip(lines, [*nodes, *[None] * len(lines)], strict=False):
        if node is None:
            node = add_markup_on(xray, roles.EPIPOLAR, "vtkMRMLMarkupsLineNode", segment, camera)
            _dress(node)
        else:
            for end, at in enumerate(on_detector(segment, camera)):
                node.SetNthControlPointPosition(end, *at)
        node.SetName(number)


def _dress(line) -> None:
    """With its name alone: lengths on the detector mean nothing, and its ends are the picture's."""
    line.GetMeasurement("length").SetEnabled(False)
    display = line.GetDisplayNode()
    display.SetSelectedColor(_COLOR)
    display.SetPointLabelsVisibility(False)
    display.SetCurveLineSizeMode(display.UseLineDiameter)
    display.SetLineDiameter(_LINE_MM)
    display.SetGlyphSize(_LINE_MM)
    display.SetPropertiesLabelVisibility(True)


def _show_points(session, places: dict[str, np.ndarray]) -> None:
    if not places:
        remove_references(session, roles.POINTS)
        return
    points = point_list(session, roles.POINTS, "points in 3D")
    points.SetLocked(True)  # they are where the X-rays say
    points.GetDisplayNode().SetSelectedColor(_COLOR)
    for _ in range(len(places), points.GetNumberOfControlPoints()):
        points.RemoveNthControlPoint(len(places))
    for _ in range(points.GetNumberOfControlPoints(), len(places)):
        points.AddControlPoint(0, 0, 0)
    for index, (number, place) in enumerate(places.items()):
        points.SetNthControlPointPosition(index, *(float(x) for x in flip_ras_lps(place)))
        points.SetNthControlPointLabel(index, number)
