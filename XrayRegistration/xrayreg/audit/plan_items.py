"""Plans, landmarks and results."""

import json

from ..errors import InputError
from ..images import read_landmarks2d, read_markups
from .findings import Finding, Item
from .seen import Seen, SeenLandmarks, SeenPlan
from .walking import Place

_VERDICTS = ("accept", "review", "reject")


def read_plan(place: Place) -> SeenPlan:
    """A markups file.

    Raises:
        InputError: if it cannot be read.
    """
    markups = read_markups(place.path)
    systems = _systems(place)
    facts = {
        "told_by": "content: Slicer markups",
        "frame": f"stored in {' and '.join(systems)}, read as patient, LPS",
        "markups": [f"{each.name} ({each.kind}, {len(each.points)} points)" for each in markups],
    }
    return SeenPlan(place, Item(str(place.path), "plan (markups)", facts), markups)


def read_landmarks(place: Place) -> SeenLandmarks:
    """Landmarks in X-rays.

    Raises:
        InputError: if the table cannot be read.
    """
    views = read_landmarks2d(place.path)
    counted = [f"{view} ({len(labels)} landmarks)" for view, labels in views.items()]
    facts = {"told_by": "content: the columns view, label, u, v", "views": counted}
    findings = [
        Finding(
            "missing", f"{len(labels)} landmarks in view {view}", "each view alone needs 4, a rig 4 together"
        )
        for view, labels in views.items()
        if len(labels) < 4
    ]
    return SeenLandmarks(place, Item(str(place.path), "landmarks in X-rays", facts, tuple(findings)), views)


def read_result(place: Place) -> Seen:
    """A result of `xrayreg register`, by its registration.json."""
    folder = place.path.parent
    try:
        content = json.loads(place.path.read_text(encoding="utf-8"))
        verdict = content["confidence"]["verdict"]
        views = [str(view["name"]) for view in content["views"]]
        version = content["schema_version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"cannot be read as a result ({error!r})", remedy="register again") from None
    if version != 1 or verdict not in _VERDICTS:
        raise InputError(
            f"schema_version {version!r}, verdict {verdict!r}", remedy="this version reads schema_version 1"
        )
    confidence, review = content["confidence"], content.get("review") or {}
    facts = {
        "told_by": "content: registration.json",
        "views": views,
        "verdict": verdict,
        "expected_tre_mm": confidence.get("expected_tre_mm"),
        "reviewed": review.get("decision", "not yet"),
    }
    absent = [name for name in views if not (folder / f"camera_from_patient_{name}.tfm").is_file()]
    findings = []
    if absent:
        findings.append(
            Finding("missing", f"no transform of {', '.join(absent)} beside it", "register again")
        )
    if verdict != "accept":
        findings.append(Finding("note", f"its verdict is {verdict}", "look at its overlays"))
    return Seen(place, Item(str(folder), "result of a registration", facts, tuple(findings)))


def _systems(place: Place) -> list[str]:
    """The coordinate systems that a markups file names, RAS or LPS."""
    content = json.loads(place.path.read_text(encoding="utf-8"))
    numbers = {"0": "RAS", "1": "LPS"}
    return sorted(
        {
            numbers.get(str(m.get("coordinateSystem")), str(m.get("coordinateSystem")))
            for m in content["markups"]
        }
    )
