"""Landmarks: points of the patient with names, and where they were found in the X-rays."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from ..errors import InputError
from .markup_files import read_markups
from .markups import Markup

_COLUMNS = ("view", "label", "u", "v")
_HEADER = "head it view,label,u,v, with commas between and points in decimals"


def read_landmarks3d(path: str | Path) -> dict[str, np.ndarray]:
    """Positions (3,), patient LPS, mm, by label: the control points of all markups in a .mrk.json.

    Control points without a label are left out.

    Raises:
        InputError: as `read_markups`; if two points have one label or none has any.
    """
    path = Path(path)
    points = landmarks_of(read_markups(path), path)
    if not points:
        raise InputError("no control point has a label", where=path, remedy="name them in 3D Slicer")
    return points


def landmarks_of(markups: Iterable[Markup], where: object = None) -> dict[str, np.ndarray]:
    """Positions (3,), patient LPS, mm, of the markups' control points by label; those without are left out.

    Raises:
        InputError: names ``where`` and a label that two points have.
    """
    points: dict[str, np.ndarray] = {}
    for markup in markups:
        for label, point in zip(markup.labels, markup.points, strict=True):
            label = label.strip()
            if label in points:
                raise InputError(f"two points are labelled {label}", where=where, remedy="rename one")
            if label:
                points[label] = point
    return points


def read_landmarks2d(path: str | Path) -> dict[str, dict[str, tuple[float, float]]]:
    """Positions by view and label from a CSV with the columns view, label, u and v.

    Returns:
        (u, v) = (column, row), pixel, with the centre of the first pixel at (0, 0), by the name of the
        view and the label, in file order.

    Raises:
        InputError: names the file, the line and the column.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.reader(file, skipinitialspace=True)
            rows = [(table.line_num, [cell.strip() for cell in row]) for row in table]
    except FileNotFoundError:
        raise InputError("no such file", where=path, remedy="check the path") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"cannot be read as CSV ({error})", where=path, remedy="save it as CSV in UTF-8"
        ) from None
    header = rows[0][1] if rows else []
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
        raise InputError(f"column {' and '.join(missing)} missing", where=path, remedy=_HEADER)
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for number, row in rows[1:]:
        if any(row):
            _add(found, header, row, f"{path} line {number}")
    if not found:
        raise InputError("holds no landmark", where=path, remedy="add a line for each")
    return found


def paired(
    points3d: Mapping[str, np.ndarray], in_view: Mapping[str, tuple[float, float]]
) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """The landmarks that a view shows: labels, (n, 3) patient LPS, mm, and (n, 2) (column, row), pixel.

    Landmarks that the view does not show are left out.

    Raises:
        InputError: names the labels that have no position in the patient.
    """
    unknown = [label for label in in_view if label not in points3d]
    if unknown:
        raise InputError(
            f"no position in the patient for {', '.join(unknown)}",
            remedy=f"the 3D landmarks are {', '.join(points3d)}; labels must be the same, also in case",
        )
    points = np.array([points3d[label] for label in in_view], dtype=float).reshape(-1, 3)
    return tuple(in_view), points, np.array(list(in_view.values()), dtype=float).reshape(-1, 2)


def _add(found: dict, header: list[str], row: list[str], where: str) -> None:
    """Put a row of the table where it belongs."""
    if len(row) != len(header):
        raise InputError(f"{len(row)} fields under {len(header)} columns", where=where, remedy=_HEADER)
    fields = dict(zip(header, row, strict=True))
    view, label = fields["view"], fields["label"]
    for name in ("view", "label"):
        if not fields[name]:
            raise InputError(f"{name} is empty", where=where, remedy="fill it in")
    if label in found.setdefault(view, {}):
        raise InputError(f"{label} is there twice in view {view}", where=where, remedy="keep one")
    found[view][label] = _number(fields, "u", where), _number(fields, "v", where)


def _number(fields: dict[str, str], name: str, where: str) -> float:
    try:
        value = float(fields[name])
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(f"{name} is '{fields[name]}', not a number", where=where, remedy="give it in pixels")
    return value
