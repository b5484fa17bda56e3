"""Labels numbered along the body: do vertebrae and ribs follow each other, and is none left out?"""

import itertools
import re

from .bodies import Structures
from .findings import Finding, Fit

_REGIONS = {"c": 0, "t": 7, "th": 7, "l": 20, "s": 30}  # before the first: up to 13 thoracic, 7 lumbar ones
# T11 and L4 may be the last before L1 and S1.
_MEETING = (
    (_REGIONS["t"] + 11, _REGIONS["l"] + 1),
    (_REGIONS["l"] + 4, _REGIONS["s"] + 1),
)
_VERTEBRA = re.compile(r"(?:^|[^a-z])(c|th|t|l|s)[ _-]?(\d{1,2})(?=$|[^0-9a-z])")
_RIB = re.compile(r"rib.*?(\d{1,2})(?=$|[^0-9])")
_LAST_RIB = 9  # the middles of those below lie at one height
_LEAST_MM = 2.0


def order_fit(structures: Structures) -> Fit | None:
    """Neighbours of a row, the upper of which must lie above (+z, LPS); None where there is no row.

    Notes, not problems: a label may be cut by the edge of the volume, or be left out on purpose.
    """
    rows: dict[str, list[tuple[int, int]]] = {}
    for label, name in structures.names.items():
        if label in structures.centres and (place := _place(name)):
            rows.setdefault(place[0], []).append((place[1], label))
    rows = {row: sorted(found) for row, found in rows.items() if len(found) > 2}
    if not rows:
        return None
    pairs = [pair for row in rows.values() for pair in itertools.pairwise(row)]
    wrong = [
        (upper, lower)
        for (_, upper), (_, lower) in pairs
        if structures.centres[upper][2] < structures.centres[lower][2] - _LEAST_MM
    ]
    apart = [(upper, lower) for (a, upper), (b, lower) in pairs if b - a > 1 and not _regions_meet(a, b)]
    findings = []
    if wrong:
        text = f"{len(wrong)} numbered structures lie below those that should be under them"
        remedy = "see whether these labels are exchanged"
        findings.append(Finding("assumed", f"{text}: {_shown(wrong, structures)}", remedy))
    if apart:
        text = f"no label is between {_shown(apart, structures)}"
        findings.append(Finding("assumed", text, "label what is there: without one it cannot move by itself"))
    facts = {"rows": len(rows), "structures": sum(map(len, rows.values()))}
    return Fit((structures.name,), "order of the labels", facts, tuple(findings))


def _regions_meet(upper: int, lower: int) -> bool:
    """Whether the one may be the last of its region, and the other the first of the next."""
    return any(lower == first and upper >= least for least, first in _MEETING)


def _shown(pairs: list[tuple[int, int]], structures: Structures) -> str:
    return ", ".join(f"{structures.names[a]} / {structures.names[b]}" for a, b in pairs[:4])


def _place(name: str) -> tuple[str, int] | None:
    """The row that a structure belongs to, and its number in it; `vertebrae_T4`, `rib_left_3`, `L1`."""
    text = name.lower()
    if "rib" in text and (found := _RIB.search(text)):
        number = int(found[1])
        side = "left" if "left" in text else "right" if "right" in text else ""
        return (f"ribs {side}", number) if 1 <= number <= _LAST_RIB else None
    if found := _VERTEBRA.search(text):
        return "vertebrae", _REGIONS[found[1]] + int(found[2])
    return None
