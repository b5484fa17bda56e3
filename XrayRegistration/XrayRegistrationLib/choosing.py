"""What a session is about, and what no longer holds when that changes. Light to import."""

import json
from contextlib import suppress

import numpy as np
from xrayreg.errors import InputError

from . import roles
from .mrml import placing_transform, remove_references
from .now import forget_bodies, is_now, show_now

_OF_A_RESULT = (roles.CONFIDENCE, roles.DECISION, roles.COMMENT, roles.MADE, roles.PLACE)
_MOVED_MM = 0.01  # files keep fewer digits
_DRAWN_OF = {roles.SEGMENTATION: (roles.OUTLINES, roles.OUTLINE_COLORS), roles.PLAN: (roles.REPROJECTED,)}


def is_empty(session) -> bool:
    """Whether nothing has been chosen yet."""
    return not any(session.GetNumberOfNodeReferences(role) for role in (roles.VOLUME, roles.VIEW))


def choose(session, role: str, nodes: list) -> None:
    """Give a session another volume, segmentation or plan; what came of the one before goes."""
    if nodes == roles.references(session, role):
        return
    if role == roles.SEGMENTATION and session.GetNumberOfNodeReferences(roles.BODY):
        forget_all(session)  # bodies are told by their segments
    was_now = is_now(session)
    show_now(session, False)
    session.RemoveNodeReferenceIDs(role)
    for node in nodes:
        session.AddNodeReferenceID(role, node.GetID())
    if role == roles.VOLUME:
        forget_all(session)
        return
    for view in roles.references(session, roles.VIEW):
        for each in _DRAWN_OF[role]:
            remove_references(view, each)
    with suppress(InputError):  # what lies under another transform is shown as it was, with all else
        show_now(session, was_now)


def choose_modality(session, modality: str) -> None:
    """Say what the volume is, "CT" or "MR"; what was found when it was said to be the other goes."""
    if modality != roles.modality_of(session):
        session.SetAttribute(roles.MODALITY, modality)
        forget_all(session)


def keep_place(session) -> None:
    """Note where the volume is that was registered."""
    bounds = _bounds_of(session.GetNodeReference(roles.VOLUME))
    session.SetAttribute(roles.PLACE, json.dumps(bounds.tolist()))


def check_place(session) -> None:
    """Raise InputError if the volume is not where it was when it was registered."""
    before, volume = session.GetAttribute(roles.PLACE), session.GetNodeReference(roles.VOLUME)
    if before is None or volume is None:
        return
    if not np.allclose(_bounds_of(volume), json.loads(before), rtol=0, atol=_MOVED_MM):
        raise InputError(
            "the volume has been moved since the registration",
            where=volume.GetName(),
            remedy="move it back, or register again",
        )


def _bounds_of(volume) -> np.ndarray:
    """(6,) RAS, mm; they stay if a file's voxels are read in another order."""
    bounds = np.zeros(6)
    if placing_transform(volume) is None:
        volume.GetBounds(bounds)
    else:
        volume.GetRASBounds(bounds)
    return bounds


def check_registered(xray) -> None:
    """Raise InputError if the session's result is not about what this X-ray shows."""
    name, frame = roles.view_name(xray), roles.other_registered_frame(xray)
    if xray.GetAttribute(roles.COVARIANCE) is None:
        raise InputError("this X-ray has not been registered", where=name, remedy="register again")
    if frame is not None:
        raise InputError(
            f"frame {roles.frame_of(xray)} is shown, but frame {frame} was registered",
            where=name,
            remedy="go back to it with the frame slider, or register again",
        )


def forget_all(session) -> None:
    """Take away all that was found and drawn; the views stay where they are."""
    views = roles.references(session, roles.VIEW)
    forget_result(session, views)
    forget_drrs(views)


def forget_result(session, views: list) -> None:
    """Take away the verdict, and what was found in these views; they stay where they are, with their DRRs."""
    forget_bodies(session)
    forget_overlays(views)
    for node in views:
        for name in (roles.SIMILARITY, roles.COVARIANCE, roles.REGISTERED_FRAME):
            node.RemoveAttribute(name)
    for name in _OF_A_RESULT:
        session.RemoveAttribute(name)


def forget_overlays(views: list) -> None:
    """Take outlines and plan off these X-rays."""
    for node in views:
        for role in (role for drawn in _DRAWN_OF.values() for role in drawn):
            remove_references(node, role)


def forget_drrs(views: list) -> None:
    """Take DRRs, and what was made of them, off these X-rays."""
    for node in views:
        for role in (roles.COMPARISON, roles.DRR):
            remove_references(node, role)
