"""Slicer's own views: which X-ray is in which, and what the 3D view looks at.

Without a main window there is no layout manager, and nothing is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import slicer

from . import layouts, roles

if TYPE_CHECKING:
    import numpy as np


def register_layouts() -> None:
    """Tell Slicer of the arrangements in `layouts`."""
    manager = slicer.app.layoutManager()
    if manager is not None:
        layouts.register(manager.layoutLogic().GetLayoutNode())


def layout() -> int:
    """Slicer's number of the arrangement that is shown; 0, none, without a main window."""
    manager = slicer.app.layoutManager()
    return 0 if manager is None else manager.layout


def arrange(session, kind: str, number: int = 0) -> None:
    """Give the X-rays of a session views of their own; Slicer's slice views are the CT's again.

    Args:
        kind: of `layouts.KINDS`.
        number: the X-ray that ONE_X_RAY shows, from 0.
    """
    manager = slicer.app.layoutManager()
    if manager is None:
        return
    _set_layout(manager, session, kind, number)
    for name, orientation, *_ in layouts.CT_VIEWS:
        widget = manager.sliceWidget(name)
        if widget is not None:
            _give_back(widget.sliceLogic(), orientation, session)


def xray_views(session) -> list[tuple]:
    """(vtkMRMLSliceLogic, X-ray) of each X-ray that the arrangement shows, which follows their number."""
    manager, xrays = slicer.app.layoutManager(), roles.references(session, roles.VIEW)
    if manager is None or not xrays:
        return []
    kind = layouts.kind_of(manager.layout)
    if kind is not None:
        _set_layout(manager, session, kind, min(layouts.xrays_in(manager.layout).values()))
    shown = layouts.xrays_in(manager.layout).items()
    widgets = [(manager.sliceWidget(name), xrays[number]) for name, number in shown if number < len(xrays)]
    return [(widget.sliceLogic(), xray) for widget, xray in widgets if widget is not None]


def look_along(session, number: int) -> None:
    """Put the 3D view's camera at the source of an X-ray, so that it shows what the X-ray shows."""
    from .cameras import look_along_beam

    _look(session, look_along_beam, roles.references(session, roles.VIEW)[number])


def look_at_all_xrays(session) -> None:
    """Put the 3D view's camera where all C-arms are in the picture."""
    from .cameras import look_at_all

    if session.GetNumberOfNodeReferences(roles.VIEW):
        _look(session, look_at_all)


def centre_on(session, in_xrays: np.ndarray, in_ct: np.ndarray) -> None:
    """Bring a point (3,), patient LPS, mm, into the middle of all slice views.

    Args:
        in_xrays: where the X-rays show it.
        in_ct: where the CT's views show it.
    """
    from xrayreg.geometry import flip_ras_lps

    from .overlays import in_world

    manager = slicer.app.layoutManager()
    if manager is None:
        return
    for logic, xray in xray_views(session):
        (point,) = in_world(in_xrays[None], xray)
        logic.GetSliceNode().JumpSliceByCentering(*point)
    for name, *_ in layouts.CT_VIEWS:
        widget = manager.sliceWidget(name)
        if widget is not None and not _is_xray(_shown_in(widget.mrmlSliceCompositeNode())):
            widget.mrmlSliceNode().JumpSliceByCentering(*flip_ras_lps(in_ct))


def show_bones(session) -> None:
    """Make surfaces of the segmentation if it has none; 3D views show nothing else of it. Takes seconds."""
    node = session.GetNodeReference(roles.SEGMENTATION)
    if node is None:
        return
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    if not node.GetSegmentation().ContainsRepresentation(surface):
        node.CreateClosedSurfaceRepresentation()


def _set_layout(manager, session, kind: str, number: int) -> None:
    count = session.GetNumberOfNodeReferences(roles.VIEW)
    shown = min(number + 1, count) if kind == layouts.ONE_X_RAY else count
    wanted = layouts.layout_id(kind, shown)
    if manager.layout != wanted:
        manager.setLayout(wanted)


def _look(session, stand, *xrays) -> None:
    manager = slicer.app.layoutManager()
    if manager is None or manager.threeDViewCount == 0:
        return
    view = manager.threeDWidget(0).threeDView()
    camera = view.cameraNode()
    stand(camera, session, *xrays, view.width / max(1, view.height))
    camera.ResetClippingRange()


def _give_back(logic, orientation: str, session) -> None:
    """A slice view of Slicer's shows the CT again if it was used for an X-ray; in 3D it hides no X-ray."""
    node, composite = logic.GetSliceNode(), logic.GetSliceCompositeNode()
    node.SetSliceVisible(0)
    shown = _shown_in(composite)
    if shown is not None and not _is_xray(shown):
        return  # what the user chose to see
    composite.SetBackgroundVolumeID(session.GetNodeReferenceID(roles.VOLUME))
    composite.SetForegroundVolumeID(None)
    composite.SetLabelVolumeID(None)
    node.SetOrientation(orientation)
    logic.FitSliceToBackground()


def _shown_in(composite):
    """The volume that a vtkMRMLSliceCompositeNode has in the background, or None."""
    return slicer.mrmlScene.GetNodeByID(composite.GetBackgroundVolumeID() or "")


def _is_xray(node) -> bool:
    return node is not None and node.GetAttribute(roles.VIEW_NAME) is not None
