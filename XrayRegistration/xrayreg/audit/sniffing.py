"""What a file is, told by its first bytes; its name only says which of several readers to ask."""

import json
from pathlib import Path

from ..images import DICOM_SUFFIXES, ITK_SUFFIXES, PICTURE_SUFFIXES, view_name

_HEAD = 1 << 16
_JSON_LIMIT = 32 << 20
_MAGIC = (
    (b"\x89PNG", "picture"),
    (b"II*\x00", "picture"),
    (b"MM\x00*", "picture"),
    (b"II+\x00", "picture"),
    (b"NRRD", "grid"),
)
_CAMERA_WORDS = {
    b"camera matrix": "MayaCam 2 / XMALab calibration",
    b"opencv-matrix": "OpenCV calibration",
    b"camera_matrix": "OpenCV calibration",
    b"RTKThreeDCircularGeometry": "RTK geometry",
}
_CAMERA_FIELDS = {"K", "P", "camera_matrix", "projection_matrix", "camera_from_patient", "camera_from_rig"}
_GEOMETRY_FIELDS = {
    "source_to_detector_mm",
    "source_to_isocenter_mm",
    "primary_deg",
    "secondary_deg",
    "seen_from",
}
_MAY_BE_CAMERA = (".txt", ".csv", ".yml", ".yaml", ".xml", ".h5", ".hdf5", ".pt", ".pth", ".npy", ".npz")


def sniff(path: Path) -> str:
    """dicom, grid, picture, markups, registration, camera, geometry, names, landmarks; "" for none of ours.

    Raises:
        OSError: if it cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    name = path.name.lower()
    if head[128:132] == b"DICM" or name.endswith(DICOM_SUFFIXES) or head[:2] == b"\x08\x00":
        return "dicom"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if name.endswith(ITK_SUFFIXES) or b"ObjectType = Image" in head[:2000]:
        return "grid"
    if name.endswith(PICTURE_SUFFIXES):
        return "picture"
    if head.lstrip()[:1] == b"{":
        return _json_kind(path)
    if name.endswith(".csv"):
        return _csv_kind(head) or _camera_kind(head)
    return _camera_kind(head)


def camera_format(path: Path) -> str:
    """What kind of camera file it is, in words."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.lstrip()[:1] == b"{":
        return "camera.json"
    return next((words for word, words in _CAMERA_WORDS.items() if word in head), "camera file")


def may_be_camera(path: Path) -> bool:
    """Whether the file, named by the user, could be a calibration that nothing else tells."""
    return path.suffix.lower() in _MAY_BE_CAMERA


def rightly_named(path: Path, kind: str) -> bool:
    """Whether the readers, which go by endings, will take the file for what it is."""
    endings = {"grid": ITK_SUFFIXES, "picture": PICTURE_SUFFIXES}.get(kind)
    return endings is None or path.name.lower().endswith(endings)


def tokens(path: Path) -> set[str]:
    """The words and numbers of a file's name."""
    spaced = "".join(c if c.isalnum() else " " for c in view_name(path).lower())
    return set(spaced.split())


def _json_kind(path: Path) -> str:
    if path.stat().st_size > _JSON_LIMIT:
        return ""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        return _broken_json_kind(path)
    if not isinstance(content, dict):
        return ""
    if "markups" in content or path.name.lower().endswith(".mrk.json"):
        return "markups"
    if {"views", "confidence"} <= content.keys():
        return "registration"
    if _CAMERA_FIELDS & content.keys():
        return "camera"
    return "geometry" if "schema_version" in content and _GEOMETRY_FIELDS & content.keys() else ""


def _broken_json_kind(path: Path) -> str:
    """By its name alone, so that its reader tells what is wrong."""
    name = path.name.lower()
    if name.endswith(".mrk.json"):
        return "markups"
    return "registration" if name == "registration.json" else "camera" if "cam" in name else ""


def _csv_kind(head: bytes) -> str:
    header = {
        cell.strip().strip('"') for cell in head.decode("utf-8-sig", "replace").split("\n")[0].split(",")
    }
    if {"structure", "id"} <= header:
        return "names"
    return "landmarks" if {"view", "label", "u", "v"} <= header else ""


def _camera_kind(head: bytes) -> str:
    return "camera" if any(word in head for word in _CAMERA_WORDS) else ""
