"""Runs of frames: one X-ray node shows one frame of its file, and can show another."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from xrayreg.errors import InputError
from xrayreg.geometry import read_camera_file
from xrayreg.images import Xray, XrayGeometry, read_xray, xray_size

from . import roles
from .choosing import forget_drrs, forget_overlays
from .nodes import camera_of
from .scene import place_view, show_pixels

if TYPE_CHECKING:
    from os import PathLike


def read_source(source: dict, name: str | None = None) -> Xray:
    """An X-ray from where it lies; see `source_of_file`.

    Raises:
        InputError: names the file, what is missing or contradictory, and the remedy.
    """
    camera_file = None
    if source["camera_file"]:
        size = partial(xray_size, source["path"])
        camera_file = read_camera_file(source["camera_file"], size=size, isocenter=source["isocenter"])
    by_hand = source["geometry"]
    if by_hand is not None:
        spacing = by_hand["pixel_spacing_mm"]
        by_hand = XrayGeometry(**{**by_hand, "pixel_spacing_mm": spacing and tuple(spacing)})
    frame = source["frame"] if source["frames"] > 1 else None
    return read_xray(source["path"], camera_file, name, tuple(source["isocenter"]), frame, by_hand)


def source_of_file(
    path: str | PathLike,
    camera_path: str | PathLike,
    geometry: XrayGeometry | None,
    isocenter: np.ndarray,
    frames: int,
) -> dict:
    """All that reading an X-ray takes, at its first frame, as an X-ray node keeps it in JSON."""
    return {
        "path": str(path),
        "camera_file": str(camera_path),
        "geometry": None if geometry is None else asdict(geometry),
        "isocenter": [float(x) for x in isocenter],
        "frame": 1,
        "frames": frames,
    }


def keep_source(xray, source: dict, image: Xray) -> None:
    """Note on an X-ray node where its picture is from, and where its camera is by the file."""
    pose = image.camera.camera_from_patient.tolist()
    xray.SetAttribute(roles.SOURCE, json.dumps({**source, "camera_from_patient": pose}))
    if source["frames"] > 1:
        file = {**json.loads(xray.GetAttribute(roles.FILE)), "frame": source["frame"]}
        xray.SetAttribute(roles.FILE, json.dumps(file))


def show_frames(xrays: list, frame: int) -> bool:
    """Show another frame of runs, from 1, or the last of shorter ones; a view turns if its C-arm has turned.

    Returns:
        Whether a view has moved. What was drawn on it for the former pose is then gone.

    Raises:
        InputError: if a file is not there any more or has changed; the scene is as before.
    """
    sources = [{**roles.source_of(xray), "frame": min(frame, roles.frames_of(xray))} for xray in xrays]
    images = [read_source(source, roles.view_name(x)) for x, source in zip(xrays, sources, strict=True)]
    for xray, source, image in zip(xrays, sources, images, strict=True):
        if image.camera.size != camera_of(xray).size:
            remedy = "remove the X-ray and add it again"
            raise InputError("is not of the size that it had", where=source["path"], remedy=remedy)
    moved = [_show(*each) for each in zip(xrays, sources, images, strict=True)]
    return any(moved)


def _show(xray, source: dict, image: Xray) -> bool:
    camera = camera_of(xray)
    before, after = np.array(source["camera_from_patient"]), image.camera.camera_from_patient
    show_pixels(xray, image)
    keep_source(xray, source, image)
    if np.allclose(before, after, atol=1e-9):
        return False
    start = camera.moved(np.array(json.loads(xray.GetAttribute(roles.INITIAL_CAMERA_FROM_PATIENT))))
    start = start.moved_as(before, after).camera_from_patient
    xray.SetAttribute(roles.INITIAL_CAMERA_FROM_PATIENT, json.dumps(start.tolist()))
    place_view(xray, camera.moved_as(before, after))
    xray.RemoveAttribute(roles.BEFORE_HAND)  # that was with the C-arm as it stood before
    forget_drrs([xray])
    forget_overlays([xray])
    return True
