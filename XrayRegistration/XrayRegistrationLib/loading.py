"""X-ray files into a session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from xrayreg.geometry import read_camera_file
from xrayreg.images import read_xray, sha256

from . import roles
from .nodes import volume_of
from .session import add_view

if TYPE_CHECKING:
    from os import PathLike


def load_xray(session, path: str | PathLike, camera_path: str | PathLike = ""):
    """Read an X-ray and bring it into the session at its start pose; returns its node.

    The isocenter of a C-arm whose DICOM tags give the pose is taken to be the middle of the session's volume.

    Args:
        camera_path: its camera file, or "" for a DICOM file with C-arm tags.

    Raises:
        InputError: names the file, what is missing or contradictory, and the remedy; the scene is unchanged.
    """
    centre = volume_of(session.GetNodeReference(roles.VOLUME)).grid.centre_patient
    camera = read_camera_file(Path(camera_path)) if camera_path else None
    node = add_view(session, read_xray(path, camera, isocenter=tuple(float(x) for x in centre)))
    node.SetAttribute(roles.FILE, json.dumps({"path": str(path), "sha256": sha256(Path(path))}))
    return node
