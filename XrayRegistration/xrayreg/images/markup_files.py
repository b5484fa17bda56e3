"""Slicer's markups files (.mrk.json)."""

import json
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..geometry import flip_ras_lps
from .markups import Markup

_SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
_KIND_OF_TYPE = {"Fiducial": "points", "Line": "line", "Curve": "curve", "ClosedCurve": "curve"}
_TYPE_OF_KIND = {"points": "Fiducial", "line": "Line", "curve": "Curve"}
_IS_RAS = {"LPS": False, "RAS": True, "1": False, "0": True}  # the numbers are older Slicers'
_LEAST_POINTS = {"points": 1, "line": 2, "curve": 2}
_SAVE_FROM_SLICER = "save it again from 3D Slicer"


def read_markups(path: str | Path) -> tuple[Markup, ...]:
    """Read point lists, lines and curves.

    Control points that were never placed (positionStatus other than "defined") are left out. A closed
    curve gets its first point again at its end, so that it stays closed.

    Returns:
        The markups in file order, points in patient LPS, mm, whichever of LPS and RAS the file uses.

    Raises:
        InputError: names the file, the markup and the field that is missing or not supported.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError("no such file", where=path, remedy="check the path") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"not a JSON file ({error})", where=path, remedy=_SAVE_FROM_SLICER) from None
    entries = content.get("markups") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InputError("field 'markups' is missing or empty", where=path, remedy=_SAVE_FROM_SLICER)
    stem = path.name.removesuffix(".json").removesuffix(".mrk")
    return tuple(_markup(entry, n, stem, path) for n, entry in enumerate(entries))


def write_markups(path: str | Path, markups: tuple[Markup, ...]) -> None:
    """Write markups in LPS, mm, as 3D Slicer reads them (markups schema 1.0.3)."""
    content = {"@schema": _SCHEMA, "markups": [_entry(markup) for markup in markups]}
    Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _markup(entry: dict, number: int, stem: str, path: Path) -> Markup:
    where = f"{path} markups[{number}]"
    if not isinstance(entry, dict):
        raise InputError("is no JSON object", where=where, remedy=_SAVE_FROM_SLICER)
    kind = _KIND_OF_TYPE.get(str(entry.get("type")))
    if kind is None:
        raise InputError(
            f"type is {entry.get('type')!r}", where=where, remedy=f"supported are {', '.join(_KIND_OF_TYPE)}"
        )
    system = str(entry.get("coordinateSystem"))
    if system not in _IS_RAS:
        raise InputError(
            f"coordinateSystem is {entry.get('coordinateSystem')!r}",
            where=where,
            remedy="it must be LPS or RAS",
        )
    units = entry.get("coordinateUnits", "mm")  # files of schema 1.0.0 have no such field and are in mm
    if units not in ("mm", "[mm]"):
        raise InputError(f"coordinateUnits is {units!r}", where=where, remedy="save it in mm")
    placed = _placed_points(entry, where)
    if len(placed) < _LEAST_POINTS[kind]:
        raise InputError(
            f"{entry['type']} has {len(placed)} placed point(s) in 'controlPoints'",
            where=where,
            remedy=f"place at least {_LEAST_POINTS[kind]}",
        )
    if entry["type"] == "ClosedCurve":
        placed.append(placed[0])
    points = np.array([position for position, _ in placed])
    return Markup(
        str(entry.get("name") or (stem if number == 0 else f"{stem}_{number + 1}")),
        kind,
        flip_ras_lps(points) if _IS_RAS[system] else points,
        tuple(label for _, label in placed),
    )


def _placed_points(entry: dict, where: str) -> list[tuple[np.ndarray, str]]:
    """Position (3,) as stored and label of each defined control point."""
    result = []
    points = entry.get("controlPoints") or []
    if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
        raise InputError("field 'controlPoints' is no list of points", where=where, remedy=_SAVE_FROM_SLICER)
    for number, point in enumerate(points):
        if point.get("positionStatus", "defined") != "defined":
            continue
        try:
            position = np.array(point["position"], dtype=float)
        except (KeyError, TypeError, ValueError, OverflowError):
            position = np.array(np.nan)
        if position.shape != (3,) or not np.isfinite(position).all():
            raise InputError(
                f"controlPoints[{number}].position is {point.get('position')!r}, not three numbers",
                where=where,
                remedy=_SAVE_FROM_SLICER,
            )
        result.append((position, str(point.get("label", ""))))
    return result


def _entry(markup: Markup) -> dict:
    points = [
        {
            "id": str(n),
            "label": label,
            "position": [float(x) for x in position],
            "orientation": [-1.0, -0.0, -0.0, -0.0, -1.0, -0.0, 0.0, 0.0, 1.0],
            "selected": True,
            "locked": False,
            "visibility": True,
            "positionStatus": "defined",
        }
        for n, (position, label) in enumerate(zip(markup.points, markup.labels, strict=True), start=1)
    ]
    return {
        "type": _TYPE_OF_KIND[markup.kind],
        "name": markup.name,
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": False,
        "labelFormat": "%N-%d",
        "controlPoints": points,
    }
