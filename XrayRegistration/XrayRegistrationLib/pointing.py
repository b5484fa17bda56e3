"""Points that the user clicks, on an X-ray or in the CT, as Slicer's own point lists."""

from __future__ import annotations

import slicer

from . import roles


def point_list(owner, role: str, name: str, detector_of=None):
    """The point list that a node refers to under ``role``; made if there is none.

    Args:
        owner: the session or a view's X-ray.
        detector_of: the X-ray on whose detector it lies and with which it moves; None for the CT's frame.
    """
    node = owner.GetNodeReference(role)
    if node is None:
        node = owner.GetScene().AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", name)
        node.CreateDefaultDisplayNodes()
        if detector_of is not None:
            node.SetAndObserveTransformNodeID(detector_of.GetNodeReferenceID(roles.DETECTOR))
        owner.SetNodeReferenceID(role, node.GetID())
    return node


def start_placing(points, several: bool) -> None:
    """The user's next click places a point of a markups node; with ``several``, each click until Escape."""
    application = slicer.app.applicationLogic()
    selection, interaction = application.GetSelectionNode(), application.GetInteractionNode()
    selection.SetReferenceActivePlaceNodeClassName(points.GetClassName())
    selection.SetActivePlaceNodeID(points.GetID())
    interaction.SetPlaceModePersistence(int(several))
    interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.Place)


def is_placing() -> bool:
    """Whether the user's next click places a point, of whatever."""
    mode = slicer.app.applicationLogic().GetInteractionNode().GetCurrentInteractionMode()
    return mode == slicer.vtkMRMLInteractionNode.Place


def stop_placing() -> None:
    """The next click places nothing any more."""
    if is_placing():
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        interaction.SetCurrentInteractionMode(slicer.vtkMRMLInteractionNode.ViewTransform)
