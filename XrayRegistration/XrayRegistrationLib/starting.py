"""Start poses that the user gives: by hand, or from landmarks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from xrayreg.errors import InputError
from xrayreg.geometry import Camera, Offsets, motion_of, offsets_of

from . import roles
from .choosing import forget_result
from .mrml import world_from_node
from .nodes import camera_of, volume_of
from .scene import place_view
from .slices import follow


def moving_together(session, xray) -> list:
    """The views that keep their places to each other, of a rig or one alone; in the session's order."""
    rig = json.loads(xray.GetAttribute(roles.RIG))
    if not rig:
        return [xray]
    views = roles.references(session, roles.VIEW)
    return [node for node in views if json.loads(node.GetAttribute(roles.RIG)) == rig]


def place_start(session, cameras: Sequence[tuple]) -> None:
    """Move views, with the slice views that show them; a result that was there no longer holds.

    Args:
        cameras: X-ray nodes and where their cameras shall stand.
    """
    for node, camera in cameras:
        before = world_from_node(node)
        place_view(node, camera)
        follow(node, before)
    forget_result(session, [node for node, _ in cameras])


def pivot_of(session) -> np.ndarray:
    """(3,) patient LPS, mm: what a view's patient is turned about.

    Raises:
        InputError: without a CT, or if it is unfit.
    """
    node = session.GetNodeReference(roles.VOLUME)
    if node is None:
        raise InputError("no volume is chosen", remedy="choose the CT in the first panel")
    return volume_of(node).grid.centre_patient


def move(session, xray, motion: np.ndarray) -> None:
    """Move the patient (4, 4), patient LPS, in a view and those that move with it."""
    cameras = []
    for node in moving_together(session, xray):
        camera = camera_of(node)
        if node.GetAttribute(roles.BEFORE_HAND) is None:
            node.SetAttribute(roles.BEFORE_HAND, json.dumps(camera.camera_from_patient.tolist()))
        cameras.append((node, camera.moved(camera.camera_from_patient @ motion)))
    place_start(session, cameras)


def offsets(session, xray) -> Offsets:
    """How far a view has been moved since `start_here`, by whatever."""
    before = _before(xray)
    motion = before.patient_from_camera @ camera_of(xray).camera_from_patient
    return offsets_of(before, pivot_of(session), motion)


def set_offset(session, xray, name: str, value: float) -> None:
    """Change one of a view's `Offsets`; views that move with it take the same motion."""
    before = _before(xray)
    motion = motion_of(before, pivot_of(session), replace(offsets(session, xray), **{name: value}))
    move(session, xray, camera_of(xray).patient_from_camera @ before.camera_from_patient @ motion)


def back_to_start(session, xray) -> None:
    """Put a view, and those that move with it, back to where they were at `start_here`."""
    place_start(session, [(node, _before(node)) for node in moving_together(session, xray)])


def start_here(session) -> None:
    """Count `offsets` from where the views are now."""
    for node in roles.references(session, roles.VIEW):
        node.RemoveAttribute(roles.BEFORE_HAND)


def _before(xray) -> Camera:
    """Where the view was from which offsets count."""
    camera, text = camera_of(xray), xray.GetAttribute(roles.BEFORE_HAND)
    return camera if text is None else camera.moved(np.array(json.loads(text)))
