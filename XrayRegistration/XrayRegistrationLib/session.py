"""One registration in the scene, from its inputs to the reviewer's decision.

A session is the result node of `roles`, which is also the module's parameter node: what the panels show and
what a saved scene brings back is all in it. Several may be in a scene.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from xrayreg.errors import InputError

from . import roles
from .bodies import VERDICT_COLORS, add_bodies
from .choosing import forget_all, forget_result, keep_place
from .mrml import remove_node, remove_references
from .nodes import camera_of, segment_colors, xray_of
from .now import forget_bodies
from .overlays import OUTLINE_COLOR, Structure, outlined, show_marks, show_outlines
from .scene import add_markup, add_result, add_volume, add_xray, next_color, place_view, show_drr
from .segments import add_segmentation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xrayreg.images import Xray
    from xrayreg.results import Outcome

    from .work import Found


def add_outcome(scene, outcome: Outcome, found: Found):
    """A session in which all has been chosen, registered and shown, as the module would show it.

    Args:
        found: its views are those of ``outcome``, in the same order.

    Returns:
        The result node (vtkMRMLScriptedModuleNode); see `roles` for what it refers to.
    """
    session, overlay = add_result(scene), outcome.overlay
    session.SetNodeReferenceID(roles.VOLUME, add_volume(scene, outcome.registration.volume).GetID())
    if overlay.segmentation is not None:
        node = add_segmentation(scene, overlay.segmentation, overlay.labels)
        session.SetNodeReferenceID(roles.SEGMENTATION, node.GetID())
    for markup in found.plan:
        session.AddNodeReferenceID(roles.PLAN, add_markup(scene, markup).GetID())
    for view, file in zip(outcome.registration.views, outcome.inputs["xrays"], strict=True):
        add_view(session, view.xray).SetAttribute(roles.FILE, json.dumps(file))
    for _ in show_found(session, found):
        pass
    return session


def add_view(session, xray: Xray):
    """Bring an X-ray into a session, at its start pose.

    Raises:
        InputError: if the session has a view of that name.
    """
    if xray.name in view_names(session):
        raise InputError("this X-ray is in the table already", where=xray.name)
    node = add_xray(session.GetScene(), xray, next_color(session))
    session.AddNodeReferenceID(roles.VIEW, node.GetID())
    return node


def view_names(session) -> list[str]:
    return [roles.view_name(node) for node in roles.references(session, roles.VIEW)]


def remove_view(session, number: int) -> None:
    """Take the view and all that belongs to it out of the scene; a verdict that is about it too goes."""
    node = session.GetNthNodeReference(roles.VIEW, number)
    if node.GetAttribute(roles.COVARIANCE) is not None:
        forget_result(session, [])
    session.RemoveNthNodeReferenceID(roles.VIEW, number)
    for role in roles.OF_A_VIEW:
        remove_references(node, role)
    remove_node(node)


def xrays_at_start(session) -> list[Xray]:
    """The session's X-rays where the scene shows them now."""
    return [xray_of(node) for node in roles.references(session, roles.VIEW)]


def show_found(session, found: Found) -> Iterator[None]:
    """Put the views where they were found, with their DRRs, and note how far to trust that.

    In steps, so that the GUI is not held: each yield is a pause.
    """
    for node in roles.references(session, roles.VIEW):
        start = camera_of(node).camera_from_patient
        node.SetAttribute(roles.INITIAL_CAMERA_FROM_PATIENT, json.dumps(start.tolist()))
    yield from show_refound(session, found)


def show_refound(session, found: Found) -> Iterator[None]:
    """As `show_found`, of a session that has been registered: its start stays what it was."""
    forget_bodies(session)
    structures = _structures(session, found)
    for node, view in zip(roles.references(session, roles.VIEW), found.views, strict=True):
        place_view(node, view.camera)
        show_drr(node, view.layers.drr, view.layers.camera)
        node.SetAttribute(roles.SIMILARITY, json.dumps(view.similarity))
        node.SetAttribute(roles.COVARIANCE, json.dumps(view.uncertainty.covariance.tolist()))
        node.SetAttribute(roles.REGISTERED_FRAME, json.dumps(roles.frame_of(node)))
        if view.rigid is not None:
            node.SetAttribute(roles.RIGID_CAMERA_FROM_PATIENT, json.dumps(view.rigid.tolist()))
        yield
        show_outlines(node, view.layers.outlines, view.layers.camera, structures)
        yield
        for _ in show_marks(node, view.layers.marks, view.camera):
            yield
    if found.moved is not None:
        add_bodies(session, found.moved)
        yield
    session.SetAttribute(roles.CONFIDENCE, json.dumps(asdict(found.confidence)))
    session.SetAttribute(roles.MADE, json.dumps(found.made))
    keep_place(session)
    for name in (roles.DECISION, roles.COMMENT):
        session.RemoveAttribute(name)
    session.Modified()


def _structures(session, found: Found) -> dict[int, Structure]:
    """By label; hidden if they were before, in the colors of the scene's segments, or of bodies' verdicts."""
    colors = segment_colors(session.GetNodeReference(roles.SEGMENTATION))
    before = outlined(roles.references(session, roles.VIEW))
    hidden = {structure.name for structure in before if not structure.shown}
    structures = {}
    for label, name in found.structures.items():
        color = colors.get(name, OUTLINE_COLOR)
        if found.moved is not None and (verdict := found.moved.verdict_of(label)):
            name, color = f"{name}: {verdict}", VERDICT_COLORS[verdict]
        structures[label] = Structure(name, color, name not in hidden)
    return structures


def undo(session) -> None:
    """Put the views back to where they were before they were registered."""
    for node in roles.references(session, roles.VIEW):
        before = json.loads(node.GetAttribute(roles.INITIAL_CAMERA_FROM_PATIENT))
        place_view(node, camera_of(node).moved(np.array(before)))
    forget_all(session)
    session.Modified()


def decide(session, decision: str, comment: str) -> None:
    """Note the reviewer's "accepted" or "rejected", and why."""
    session.SetAttribute(roles.DECISION, decision)
    session.SetAttribute(roles.COMMENT, comment)
    session.Modified()
