"""Laterality: do labels that are named left and right lie on the patient's left and right?"""

import re

import numpy as np

from .bodies import Structures
from .findings import Finding, Fit

_LEFT, _RIGHT = {"left", "l", "lt"}, {"right", "r", "rt"}
_LEAST_MM = 1.0  # twins closer than this side by side say nothing
_LIVER_AND = ("spleen", "stomach")  # of which the liver lies to the right
_MIRRORED = (
    "the volume or the segmentation is mirrored, or RAS was taken for LPS: export both again from the "
    "original images"
)


def twins(names: dict[int, str]) -> list[tuple[int, int]]:
    """(left, right) labels whose names differ only in that; left and right as words, or L and R."""
    found: dict[tuple[str, ...], dict[str, int]] = {}
    for label, name in names.items():
        words = _words(name)
        sides = [n for n, word in enumerate(words) if word in _LEFT | _RIGHT]
        if len(sides) == 1:
            side = "left" if words[sides[0]] in _LEFT else "right"
            key = tuple("*" if n == sides[0] else word for n, word in enumerate(words))
            found.setdefault(key, {})[side] = label
    return [(pair["left"], pair["right"]) for pair in found.values() if len(pair) == 2]


def side_fit(structures: Structures) -> Fit | None:
    """Twins of a segmentation, whose left one must lie to the left (+x, LPS); None where there are none.

    A problem if most are exchanged; a few, such as labels cut by the edge, are only noted.
    """
    centres, names = structures.centres, structures.names
    pairs = [(a, b) for a, b in twins(names) if a in centres and b in centres]
    apart = [(a, b) for a, b in pairs if abs(centres[a][0] - centres[b][0]) > _LEAST_MM]
    wrong = [(a, b) for a, b in apart if centres[a][0] < centres[b][0]]
    findings = _of_twins(wrong, apart, structures) + _of_the_liver(structures)
    if not apart and not findings:
        return None
    facts = {"pairs": len(apart), "on_their_sides": len(apart) - len(wrong)}
    if apart:
        a, b = max(apart, key=lambda pair: abs(centres[pair[0]][0] - centres[pair[1]][0]))
        facts["farthest"] = (
            f"{names[a]} is {abs(centres[a][0] - centres[b][0]):.0f} mm to the "
            f"{'left' if centres[a][0] > centres[b][0] else 'right'} of {names[b]}"
        )
    return Fit((structures.name,), "sides of the labels", facts, tuple(findings))


def _of_twins(wrong: list, apart: list, structures: Structures) -> list[Finding]:
    if not wrong:
        return []
    names = structures.names
    shown = ", ".join(f"{names[a]} / {names[b]}" for a, b in wrong[:4]) + (", ..." if len(wrong) > 4 else "")
    text = f"{len(wrong)} of {len(apart)} left structures lie to the right of their right twins: {shown}"
    if len(wrong) > len(apart) / 2:
        return [Finding("problem", text, _MIRRORED)]
    return [Finding("assumed", text, "see whether these labels are exchanged")]


def _of_the_liver(structures: Structures) -> list[Finding]:
    """Labels may be named by where they lie in a mirrored volume; the liver then still tells."""
    where: dict[str, np.ndarray] = {}
    for label, centre in structures.centres.items():
        where[" ".join(_words(structures.names.get(label, "")))] = centre
    for other in _LIVER_AND:
        if {"liver", other} <= where.keys() and where["liver"][0] > where[other][0] + _LEAST_MM:
            text = f"the liver lies to the left of the {other}: a mirrored volume, or situs inversus"
            return [
                Finding("assumed", text, "see whether the patient's organs are known to lie the other way")
            ]
    return []


def _words(name: str) -> list[str]:
    """`LeftRib_1` as left, rib and 1."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return re.findall(r"[a-z0-9]+", spaced.lower())  # L1 stays one word: a vertebra
