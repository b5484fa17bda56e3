"""geometry.json: what an X-ray file does not say of its C-arm, or says wrongly, beside it."""

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..errors import InputError
from ..geometry import INTENSITIES
from .xray_geometry import IN_THE_FILE, TAGS, XrayGeometry, geometry_found

SCHEMA_VERSION = 1
_SIDES = ("source", "detector")
_NUMBERS = ("source_to_detector_mm", "source_to_isocenter_mm", "primary_deg", "secondary_deg")
_FIELDS = tuple(each.name for each in fields(XrayGeometry))
_OVERRIDABLE = (*_NUMBERS, "pixel_spacing_mm", "seen_from")
_SAME, _SAME_DEG = 1e-4, 1e-3  # a rounded copy of a tag does not contradict it


@dataclass(frozen=True)
class GeometryFile:
    """What a geometry.json says.

    Attributes:
        geometry: None where it says nothing.
        overrides: the attributes that go before the X-ray's tags where the two differ.
    """

    geometry: XrayGeometry
    overrides: tuple[str, ...] = ()

    def completing(self, found: XrayGeometry, where: object) -> XrayGeometry:
        """What the X-ray file says, with what it does not say from here.

        Args:
            found: as from `geometry_found`.
            where: the geometry.json, for errors.

        Raises:
            InputError: names what contradicts a tag, unless it is in ``overrides``.
        """
        values = {}
        for name in _FIELDS:
            given, known = getattr(self.geometry, name), getattr(found, name)
            values[name] = known if given is None else given
            # The pixels' reader compares the intensity with the tags.
            if None in (given, known) or name in self.overrides or name == "intensity":
                continue
            if known == IN_THE_FILE or not _same(given, known):
                raise _contradiction(name, given, known, where)
            values[name] = known
        return XrayGeometry(**values)


def read_geometry_file(path: str | Path) -> GeometryFile:
    """Read geometry.json.

    Raises:
        InputError: names the file and the field that is malformed or unknown.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise InputError("no such file", where=path, remedy="check --geometry") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"not a JSON file ({error})", where=path, remedy="see docs/files.md") from None
    if not isinstance(content, dict):
        raise InputError("a geometry file holds one JSON object", where=path, remedy="see docs/files.md")
    if content.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"schema_version is {content.get('schema_version')!r}",
            where=path,
            remedy=f"this version reads schema_version {SCHEMA_VERSION}",
        )
    unknown = sorted(set(content) - {*_FIELDS, "schema_version", "overrides"})
    if unknown:
        raise InputError(
            f"has an unknown field '{unknown[0]}'", where=path, remedy=f"fields are {', '.join(_FIELDS)}"
        )
    overrides = content.get("overrides", [])
    if not isinstance(overrides, list) or any(name not in _OVERRIDABLE for name in overrides):
        raise InputError(
            f"overrides is {overrides!r}", where=path, remedy=f"list some of {', '.join(_OVERRIDABLE)}"
        )
    empty = [name for name in overrides if content.get(name) is None]
    if empty:
        raise InputError(f"overrides names {empty[0]}, which it does not give", where=path)
    given = {name: _checked(name, content[name], path) for name in _FIELDS if content.get(name) is not None}
    return GeometryFile(XrayGeometry(**given), tuple(overrides))


def write_geometry_file(path: str | Path, geometry: XrayGeometry, overrides: tuple[str, ...] = ()) -> None:
    """Write geometry.json; what is unknown, or in the X-ray file, is left out."""
    values = {
        name: value for name, value in asdict(geometry).items() if value is not None and value != IN_THE_FILE
    }
    content = {"schema_version": SCHEMA_VERSION, **values}
    if overrides:
        content["overrides"] = list(overrides)
    Path(path).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def completed_geometry(xray: str | Path, geometry_file: str | Path) -> XrayGeometry:
    """The geometry of an X-ray file (DICOM or picture) with what a geometry.json adds.

    Raises:
        InputError: names what is still missing, malformed or contradictory, and the remedy.
    """
    given = read_geometry_file(geometry_file)
    geometry = given.completing(geometry_found(xray), geometry_file)
    if geometry.missing:
        raise InputError(
            f"its geometry is incomplete: {', '.join(geometry.missing)}",
            where=xray,
            remedy=f"add it to {geometry_file}",
        )
    return geometry


def _checked(name: str, value: object, path: Path) -> object:
    if name == "intensity":
        return _one_of(name, value, INTENSITIES, path)
    if name == "seen_from":
        return _one_of(name, value, _SIDES, path)
    count = 2 if name == "pixel_spacing_mm" else 1
    values = value if count == 2 and isinstance(value, list) else [value]
    numeric = all(isinstance(x, int | float) and not isinstance(x, bool) and abs(x) < 1e9 for x in values)
    if len(values) != count or not numeric or (name.endswith("_mm") and min(values) <= 0):
        kind = "two positive numbers [column, row]" if count == 2 else "a number"
        kind = "a positive number" if count == 1 and name.endswith("_mm") else kind
        raise InputError(f"{name} is {value!r}, not {kind}", where=path, remedy="correct it")
    return tuple(map(float, values)) if count == 2 else float(values[0])


def _one_of(name: str, value: object, choices: tuple[str, ...], path: Path) -> str:
    if value not in choices:
        raise InputError(f"{name} is {value!r}", where=path, remedy=f"use one of {', '.join(choices)}")
    return value


def _same(given: float | tuple, known: float | tuple) -> bool:
    """Whether one is a rounded copy of the other: to 0.01 %; angles to 0.001 degrees."""
    if isinstance(given, tuple):
        return all(math.isclose(a, b, rel_tol=_SAME) for a, b in zip(given, known, strict=True))
    return math.isclose(given, known, rel_tol=_SAME, abs_tol=_SAME_DEG)


def _contradiction(name: str, given: object, known: object, where: object) -> InputError:
    tag = f"the X-ray's {TAGS[name]}"
    what = f"{name} is {_shown(given)}, but {tag} says {_shown(known)}"
    if known == IN_THE_FILE:
        what = f"{name} is given, but {tag} says it already"
    remedy = f'take it out, or write "overrides": ["{name}"] to go before the tag'
    return InputError(what, where=where, remedy=remedy)


def _shown(value: object) -> str:
    numbers = value if isinstance(value, tuple) else (value,)
    return value if isinstance(value, str) else " x ".join(f"{x:g}" for x in numbers)
