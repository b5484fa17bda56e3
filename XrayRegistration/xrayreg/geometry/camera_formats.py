"""One reader for the camera files of every program, told by their content."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import InputError
from .camera_file import CameraFile, camera_from_json, read_mayacam
from .deepfluoro import read_deepfluoro
from .opencv_file import K_NAMES, read_opencv
from .projection_matrix import read_projection_matrix
from .rtk import ROOT, read_rtk
from .text_files import parse_json, parse_xml, read_bytes, read_text
from .torch_file import is_torch_file
from .xvr_file import read_xvr

_HDF5, _NPY = b"\x89HDF", b"\x93NUM"


def read_camera_file(
    path: str | Path,
    *,
    size: tuple[int, int] | Callable[[], tuple[int, int]] | None = None,
    isocenter: np.ndarray | None = None,
) -> CameraFile:
    """Read a camera file: `camera.json`, MayaCam 2, OpenCV, RTK, xvr, DeepFluoro or a projection matrix.

    Which it is, its content tells, not its ending. Of a file with several cameras, `path#2` is the second,
    and `path#specimen/number/body` one of DeepFluoro's. docs/cameras.md says what each format holds.

    Args:
        size: (columns, rows) of the image, or what finds it out, for formats that do not say it.
        isocenter: (3,) patient LPS, mm: the middle of the volume's box, to which xvr's poses refer, and a
            point between source and detector, which a projection matrix needs.

    Raises:
        InputError: names the file and what is missing, malformed or contradictory.
    """
    path, choice = _file_and_choice(Path(path))
    head = read_bytes(path, 4)
    if head == _HDF5:
        return read_deepfluoro(path, choice)
    index = _index(choice, path)

    def known() -> tuple[int, int] | None:
        return size() if callable(size) else size

    if is_torch_file(path):
        _only_one(index, path)
        return read_xvr(path, isocenter, size=known())
    if head == _NPY:
        return read_projection_matrix(path, known(), isocenter, index)
    kind = _kind_of_text(path)
    if kind == "rtk":
        return read_rtk(path, index=index)
    if kind == "opencv":
        return read_opencv(path, known(), index)
    if kind == "matrix":
        return read_projection_matrix(path, known(), isocenter, index)
    _only_one(index, path)
    return (
        read_mayacam(path) if kind == "mayacam" else camera_from_json(parse_json(read_text(path), path), path)
    )


def _kind_of_text(path: Path) -> str:
    text = read_text(path)
    start = text.lstrip()
    if start.startswith("<"):
        return "rtk" if parse_xml(text, path).tag == ROOT else "opencv"
    if start.startswith("{"):
        return _kind_of_json(parse_json(text, path))
    if re.search(r"^image size\s*$", text, re.MULTILINE):
        return "mayacam"
    names = "|".join(K_NAMES)
    if start.startswith("%YAML") or re.search(rf"^({names})\s*:", text, re.MULTILINE):
        return "opencv"
    return "matrix" if re.match(r"[\[#\d.+-]", start) else "json"


def _kind_of_json(fields: object) -> str:
    if "schema_version" in fields:
        return "json"
    if "P" in fields or "projection_matrix" in fields:
        return "matrix"
    opencv = any(name in fields for name in K_NAMES) and "size" not in fields
    return "opencv" if opencv else "json"


def _file_and_choice(path: Path) -> tuple[Path, str | None]:
    """The file, and what stands behind the last #, unless that belongs to its name."""
    if "#" not in str(path) or path.exists():
        return path, None
    file, _, choice = str(path).rpartition("#")
    return Path(file), choice


def _index(choice: str | None, path: Path) -> int | None:
    if choice is None:
        return None
    if not choice.isdecimal():
        raise InputError(f"'{choice}' behind # is no number", where=path, remedy=f"count from 1: {path}#1")
    return int(choice)


def _only_one(index: int | None, path: Path) -> None:
    if index not in (None, 1):
        raise InputError(f"has no camera {index}", where=path, remedy="it holds one")
