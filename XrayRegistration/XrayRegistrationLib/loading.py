"""X-ray files into a session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from xrayreg.images import frame_count, sha256

from . import roles
from .cine import keep_source, read_source, source_of_file
from .nodes import volume_of
from .session import add_view

if TYPE_CHECKING:
    from os import PathLike

    from xrayreg.images import XrayGeometry


def load_xray(
    session, path: str | PathLike, camera_path: str | PathLike = "", geometry: XrayGeometry | None = None
):
    """Read an X-ray, or the first frame of a run, and bring it into the session at its start pose.

    The isocenter of a C-arm whose DICOM tags give the pose is taken to be the middle of the session's volume.

    Args:
        camera_path: its camera file, or "".
        geometry: the C-arm's, complete, where there is no camera file; None: what the DICOM tags say.

    Returns:
        Its node.

    Raises:
        InputError: names the file, what is missing or contradictory, and the remedy; the scene is unchanged.
    """
    centre = volume_of(session.GetNodeReference(roles.VOLUME)).grid.centre_patient
    source = source_of_file(path, camera_path, None if camera_path else geometry, centre, frame_count(path))
    image = read_source(source)
    file = {"path": str(path), "sha256": sha256(Path(path))}
    node = add_view(session, image)
    node.SetAttribute(roles.FILE, json.dumps(file))
    keep_source(node, source, image)
    return node
