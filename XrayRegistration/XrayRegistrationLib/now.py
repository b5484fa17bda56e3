"""CT, segmentation and plan as they were, or as the motions of the bones have left them. Light to import."""

from xrayreg.errors import InputError

from . import roles
from .mrml import placing_transform, remove_references


def is_now(session) -> bool:
    """Whether they are shown as they are now."""
    volume, field = (session.GetNodeReference(role) for role in (roles.VOLUME, roles.FIELD))
    return None not in (volume, field) and volume.GetParentTransformNode() is field


def show_now(session, shown: bool) -> None:
    """Put them under the field of the bodies' motions, or take them out again.

    Raises:
        InputError: as `check_free`; nothing has changed.
    """
    field = session.GetNodeReference(roles.FIELD)
    if field is None:
        return
    if shown:
        check_free(session)
    for node in carried(session):
        if shown or node.GetParentTransformNode() is field:
            node.SetAndObserveTransformNodeID(field.GetID() if shown else None)


def check_free(session) -> None:
    """Raise InputError if one of them lies under a transform that is not the field."""
    for node in carried(session):
        if placing_transform(node) is not None:
            raise InputError(
                "lies under a transform",
                where=node.GetName(),
                remedy="harden that (Data module, right click on the node)",
            )


def carried(session) -> list:
    """The nodes that the field moves."""
    moving = (roles.VOLUME, roles.SEGMENTATION, roles.PLAN)
    nodes = [node for role in moving for node in roles.references(session, role)]
    return [node for node in nodes if node is not None]


def forget_bodies(session) -> None:
    """Take away the bodies' motions; all is shown as it was."""
    show_now(session, False)
    for role in (roles.BODY, roles.FIELD):
        remove_references(session, role)
    session.RemoveAttribute(roles.REMAINDER)
    for view in roles.references(session, roles.VIEW):
        view.RemoveAttribute(roles.RIGID_CAMERA_FROM_PATIENT)
