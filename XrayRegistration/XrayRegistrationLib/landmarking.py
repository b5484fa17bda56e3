"""Landmarks that the user clicks in the CT and on the X-rays, paired by their labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from xrayreg.errors import InputError
from xrayreg.images import landmarks_of

from . import roles
from .choosing import forget_drrs
from .nodes import camera_of, defined_points, labelled_on, markup_of
from .pointing import point_list
from .session import xrays_at_start
from .starting import place_start
from .unheld import unheld

if TYPE_CHECKING:
    from xrayreg.register import LandmarkPose


def landmark_list(session):
    """The session's point list in the CT; made if there is none."""
    return point_list(session, roles.LANDMARKS, "Landmarks")


def landmark_list_on(xray):
    """The point list on a view's detector; made if there is none."""
    return point_list(xray, roles.LANDMARKS_2D, f"{roles.view_name(xray)} landmarks", xray)


def labels_of(session) -> tuple[str, ...]:
    """Of the landmarks in the CT, in the order they were placed."""
    return _labels(session.GetNodeReference(roles.LANDMARKS))


def next_label(session, xray) -> str | None:
    """The first landmark of the CT that has no place in a view yet; None if all have."""
    placed = _labels(xray.GetNodeReference(roles.LANDMARKS_2D))
    return next((label for label in labels_of(session) if label not in placed), None)


def name_new_point(session, xray) -> None:
    """Give the point that was placed last on an X-ray the label whose turn it is."""
    points, label = xray.GetNodeReference(roles.LANDMARKS_2D), next_label(session, xray)
    number = defined_points(points)[-1]
    if label is not None and points.GetNthControlPointLabel(number) not in labels_of(session):
        points.SetNthControlPointLabel(number, label)


def errors_px(session) -> dict[str, list[float | None]]:
    """By label, for each view of the session: how far the landmark is seen from its place; None without one.

    With the poses that the scene shows now, in pixels of the X-ray. NaN for one that the CT does not have.
    """
    node, views = session.GetNodeReference(roles.LANDMARKS), roles.references(session, roles.VIEW)
    points = {} if node is None else dict(zip(labels_of(session), markup_of(node).points, strict=True))
    rows: dict[str, list] = {label: [None] * len(views) for label in points}
    for column, xray in enumerate(views):
        camera = camera_of(xray)
        for label, at in labelled_on(xray, roles.LANDMARKS_2D):
            seen = camera.project(points.get(label, np.full(3, np.nan)))
            row = rows.setdefault(label, [None] * len(views))
            row[column] = float(np.linalg.norm(seen - at))
    return rows


def left_out(xray) -> list[str]:
    """Labels that did not agree with the others when a view was started from its landmarks."""
    return json.loads(xray.GetAttribute(roles.LEFT_OUT) or "[]")


def start_of(session) -> Callable:
    """The work of a job: labels and pose by the name of each view that has landmarks, or whose rig has.

    Raises:
        InputError: if there is nothing to start from, or a label is there twice.
    """
    node, xrays = session.GetNodeReference(roles.LANDMARKS), xrays_at_start(session)
    views = roles.references(session, roles.VIEW)
    points = {} if node is None else landmarks_of([markup_of(node)], node.GetName())
    if not points:
        raise InputError("no landmark is placed in the CT", remedy="place at least 4 there first")
    found = {roles.view_name(xray): _by_label(xray) for xray in views}
    if not any(found.values()):
        raise InputError("no landmark is placed on an X-ray", remedy="place at least 4 of them there")

    def work(report: Callable) -> dict[str, tuple[tuple[str, ...], LandmarkPose]]:
        with unheld():
            from xrayreg.register import groups, start_from_landmarks  # leads to torch: seconds, at first

        started: dict = {}
        for together in groups(xrays):
            if any(found[xray.name] for xray in together):
                starts = start_from_landmarks(together, points, found)
                started |= {xray.name: start for xray, start in zip(together, starts, strict=True)}
        return started

    return work


def show_start(session, started: dict[str, tuple[tuple[str, ...], LandmarkPose]]) -> list:
    """Place the views where their landmarks say, without DRRs, and note what was left out; returns them."""
    named = {roles.view_name(xray): xray for xray in roles.references(session, roles.VIEW)}
    moved = {named[name]: start for name, start in started.items() if name in named}
    cameras = [(xray, camera_of(xray).moved(pose.camera_from_patient)) for xray, (_, pose) in moved.items()]
    place_start(session, cameras)
    for xray, (labels, pose) in moved.items():
        forget_drrs([xray])
        out = [label for label, agrees in zip(labels, pose.inliers, strict=True) if not agrees]
        xray.SetAttribute(roles.LEFT_OUT, json.dumps(out))
    return list(moved)


def _labels(points) -> tuple[str, ...]:
    """Of a point list or None, without blanks around them."""
    return () if points is None else tuple(label.strip() for label in markup_of(points).labels)


def _by_label(xray) -> dict[str, tuple[float, float]]:
    """The pixels of a view's landmarks that have a label."""
    placed = [(label, at) for label, at in labelled_on(xray, roles.LANDMARKS_2D) if label]
    labels = [label for label, _ in placed]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        name = roles.view_name(xray)
        raise InputError(f"{twice} is there twice", where=f"view {name}", remedy="delete or rename one")
    return {label: (float(u), float(v)) for label, (u, v) in placed}
