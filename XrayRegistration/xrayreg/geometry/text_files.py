"""Reading the text files of other programs: bounded, UTF-8, XML without entities, one camera of several."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree

import numpy as np

from ..errors import InputError

_LIMIT_BYTES = 64 * 2**20  # calibrations are kilobytes, an RTK geometry of a whole scan a few megabytes

_SEE_DOCS = "see docs/cameras.md for the formats"

T = TypeVar("T")


def read_bytes(path: Path, count: int) -> bytes:
    """The first ``count`` bytes of a file.

    Raises:
        InputError: if it is missing.
    """
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError:
        raise InputError("no such file", where=path, remedy="check --camera") from None


def read_text(path: Path) -> str:
    """A whole file as text, without a byte order mark.

    Raises:
        InputError: if it is missing, no UTF-8, or far larger than a calibration.
    """
    content = read_bytes(path, _LIMIT_BYTES + 1)
    if len(content) > _LIMIT_BYTES:
        what = f"has more than {_LIMIT_BYTES >> 20} MB: no camera file"
        raise InputError(what, where=path, remedy=_SEE_DOCS)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("not a text file", where=path, remedy=_SEE_DOCS) from None


def parse_json(text: str, path: Path) -> object:
    """JSON as Python has it.

    Raises:
        InputError: if it is none.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not a JSON file ({error})", where=path, remedy=_SEE_DOCS) from None


def parse_xml(text: str, path: Path) -> ElementTree.Element:
    """The root element; files that declare entities are refused, they can grow without bound.

    Raises:
        InputError: if it is no XML.
    """
    if "<!ENTITY" in text or re.search(r"<!DOCTYPE[^>]*\[", text):
        raise InputError("declares XML entities", where=path, remedy="take the declaration out")
    try:
        return ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise InputError(f"not an XML file ({error})", where=path, remedy=_SEE_DOCS) from None


def chosen(cameras: Sequence[T] | np.ndarray, index: int | None, path: Path) -> T:
    """One of the cameras of a file, counted from 1; None takes the only one.

    Raises:
        InputError: if there is none, or several and none is chosen, or no such one.
    """
    if len(cameras) == 0:
        raise InputError("holds no camera", where=path, remedy=_SEE_DOCS)
    if index is None and len(cameras) > 1:
        raise InputError(
            f"holds {len(cameras)} cameras",
            where=path,
            remedy=f"choose one: {path}#1 to {path}#{len(cameras)}",
        )
    if index is not None and not 1 <= index <= len(cameras):
        raise InputError(f"has no camera {index}", where=path, remedy=f"it holds 1 to {len(cameras)}")
    return cameras[(index or 1) - 1]


def known_size(size: tuple[int, int] | None, path: object) -> tuple[int, int]:
    """``size``, which the caller knows where the format does not say it.

    Raises:
        InputError: if it does not.
    """
    if size is None:
        raise InputError(
            "does not say the image's size",
            where=path,
            remedy="give size=(columns, rows) in Python, or write it as camera.json (docs/cameras.md)",
        )
    return int(size[0]), int(size[1])
