"""Areas of an X-ray that the user leaves out of the registration: closed curves on it."""

from . import roles
from .mrml import remove_node, remove_references
from .nodes import mask_curves_of

_COLOR = (0.7, 0.15, 0.12)


def add_mask_curve(xray):
    """An empty closed curve on a view's detector, for the user to place; unfinished ones before it go."""
    finished = mask_curves_of(xray)
    for curve in roles.references(xray, roles.MASK_CURVE):
        if curve is not None and curve not in finished:
            remove_node(curve)
    xray.RemoveNodeReferenceIDs(roles.MASK_CURVE)
    for curve in finished:
        xray.AddNodeReferenceID(roles.MASK_CURVE, curve.GetID())
    curve = xray.GetScene().AddNewNodeByClass("vtkMRMLMarkupsClosedCurveNode", f"{xray.GetName()}_masked")
    curve.CreateDefaultDisplayNodes()
    curve.SetAndObserveTransformNodeID(xray.GetNodeReferenceID(roles.DETECTOR))
    display = curve.GetDisplayNode()
    display.SetSelectedColor(_COLOR)
    display.SetPointLabelsVisibility(False)
    display.SetPropertiesLabelVisibility(False)
    xray.AddNodeReferenceID(roles.MASK_CURVE, curve.GetID())
    return curve


def remove_mask_curves(xray) -> None:
    """All of the X-ray counts again, but for what its file masks."""
    remove_references(xray, roles.MASK_CURVE)
