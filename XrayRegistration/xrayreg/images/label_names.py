"""Names of labels: tables of Slicer and TotalSegmentator, and those inside segmentation files."""

import csv
import html
import json
import re
from pathlib import Path

from ..errors import InputError

_HEADS = (("id", "structure"), ("LabelValue", "Name"))  # ours, and 3D Slicer's colour tables
_CARET_LABEL = re.compile(r'<Label\s[^>]*?Key="(\d+)"[^>]*>(.*?)</Label>', re.DOTALL)
_EXPORT_LABEL_MAP = "in 3D Slicer: Segmentations, export to a label map, save as NRRD"


def read_names(path: str | Path) -> dict[int, str]:
    """Label value to structure name; that of the background, 0, is left out.

    Args:
        path: CSV with the columns `structure` and `id`, or `LabelValue` and `Name` (Slicer's colour table);
            Slicer's `.ctbl`; JSON of TotalSegmentator or nnU-Net: {"1": "spleen"} or {"spleen": 1}, also
            under "labels".

    Raises:
        InputError: naming the line or entry that is no label, or that gives a label a second name.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read as text ({error})", where=path, remedy="save it in UTF-8") from None
    readers = {".json": _pairs_of_json, ".ctbl": _pairs_of_color_table}
    names: dict[int, str] = {}
    for place, label, name in readers.get(path.suffix.lower(), _pairs_of_csv)(text, path):
        try:
            value = int(label)
        except (TypeError, ValueError):
            what = f"id '{label}' is no integer"
            raise InputError(what, where=f"{path} {place}", remedy="number labels from 1") from None
        name = str(name or "").strip()
        if value != 0 and names.setdefault(value, name) != name:
            what = f"id {value} has two names, {names[value]} and {name}"
            raise InputError(what, where=f"{path} {place}", remedy="keep one")
    return names


def names_in_extensions(extensions: tuple[str, ...]) -> dict[int, str]:
    """From the label table that TotalSegmentator writes into a NIfTI header's extension (Caret's XML)."""
    found = [pair for text in extensions for pair in _CARET_LABEL.findall(text)]
    plain = {int(key): name.strip().removeprefix("<![CDATA[").removesuffix("]]>") for key, name in found}
    return {key: html.unescape(name).strip() for key, name in plain.items() if key}


def segments_in_header(header: dict[str, str], path: Path) -> list[tuple[int, int, str]]:
    """(layer, label value, name) of each segment of a Slicer `.seg.nrrd`; of other files none.

    Raises:
        InputError: for a segment without a label value, or two with the same one in the same layer.
    """
    segments: dict[tuple[int, int], str] = {}
    for key, name in header.items():
        if not (key.startswith("Segment") and key.endswith("_Name")):
            continue
        prefix = key.removesuffix("_Name")
        label_key, layer_key = f"{prefix}_LabelValue", f"{prefix}_Layer"
        try:
            place = int(header.get(layer_key, "0")), int(header[label_key])
        except (KeyError, ValueError):
            raise InputError(
                f"header field {label_key} is {header.get(label_key, 'missing')} for segment {name}",
                where=path,
                remedy=_EXPORT_LABEL_MAP,
            ) from None
        if place in segments:
            raise InputError(
                f"segments {segments[place]} and {name} share the label value {place[1]} ({label_key})",
                where=path,
                remedy=_EXPORT_LABEL_MAP,
            )
        segments[place] = name
    return [(layer, label, name) for (layer, label), name in segments.items()]


def _pairs_of_csv(text: str, path: Path) -> list[tuple[str, object, object]]:
    try:
        table = csv.DictReader(text.splitlines())
        present = set(table.fieldnames or ())
        rows = list(table)
    except csv.Error as error:
        raise InputError(f"cannot be read as CSV ({error})", where=path) from None
    head = next((head for head in _HEADS if present.issuperset(head)), None)
    if head is None:
        missing = sorted(set(_HEADS[0]) - present)
        raise InputError(f"column {' and '.join(missing)} missing", where=path, remedy="head it structure,id")
    return [(f"line {n}", row[head[0]], row[head[1]]) for n, row in enumerate(rows, start=2)]


def _pairs_of_color_table(text: str, path: Path) -> list[tuple[str, object, object]]:
    """Lines such as `1 hip_bone 241 214 145 255`; Slicer writes blanks in names as underscores."""
    pairs = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) < 6:
            raise InputError(
                "is no line of a colour table: value, name, red, green, blue, opacity",
                where=f"{path} line {number}",
                remedy="save the table from 3D Slicer, or give a CSV headed structure,id",
            )
        pairs.append((f"line {number}", words[0], " ".join(words[1:-4])))
    return pairs


def _pairs_of_json(text: str, path: Path) -> list[tuple[str, object, object]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"cannot be read as JSON ({error})", where=path) from None
    if isinstance(content, dict) and isinstance(content.get("labels"), dict):
        content = content["labels"]
    if not isinstance(content, dict) or not content:
        raise InputError(
            "holds no table of labels", where=path, remedy='give {"1": "spleen", ...} or {"spleen": 1, ...}'
        )
    from_name = all(isinstance(value, int) for value in content.values())
    return [
        (f"entry '{key}'", value, key) if from_name else (f"entry '{key}'", key, value)
        for key, value in content.items()
    ]
