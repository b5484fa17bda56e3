"""What an audit says: things, what was found out about them, and how they fit together."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ..errors import InputError

LEVELS = ("problem", "missing", "assumed", "note")
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Finding:
    """One thing to say.

    Attributes:
        level: "problem" (unreadable or contradictory), "missing" (has to be given), "assumed" (taken for
            granted; look whether it is so), or "note".
        text: one line.
        remedy: what to do about it, or "".
    """

    level: str
    text: str
    remedy: str = ""

    def __post_init__(self):
        if self.level not in LEVELS:
            raise ValueError(f"unknown level {self.level}")
        object.__setattr__(self, "text", " ".join(self.text.split()))

    @property
    def line(self) -> str:
        return f"{self.text} - {self.remedy}" if self.remedy else self.text


@dataclass(frozen=True)
class Item:
    """One input.

    Attributes:
        path: of the file or folder, as it was reached.
        kind: in words.
        facts: what was found out; plain JSON values, units in the names.
        findings: about it alone.
    """

    path: str
    kind: str
    facts: dict = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    def with_findings(self, *more: Finding) -> "Item":
        return replace(self, findings=(*self.findings, *more))


@dataclass(frozen=True)
class Fit:
    """Whether some inputs fit together.

    Attributes:
        of: their paths or names.
        about: what was compared, in words.
        facts, findings: as of an `Item`.
    """

    of: tuple[str, ...]
    about: str
    facts: dict = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Audit:
    """Everything that is said of a set of inputs.

    Attributes:
        left_out: paths that are none of our kinds, and were reached by walking a folder.
    """

    items: tuple[Item, ...]
    fits: tuple[Fit, ...]
    left_out: tuple[str, ...] = ()

    def each(self) -> Iterator[tuple[str, Finding]]:
        """Every finding and what it is about, in the report's order."""
        yield from ((item.path, finding) for item in self.items for finding in item.findings)
        yield from ((" and ".join(fit.of), finding) for fit in self.fits for finding in fit.findings)

    def count(self, level: str) -> int:
        return sum(finding.level == level for _, finding in self.each())


def from_error(error: InputError, level: str = "problem") -> Finding:
    """What a reader refused, without the place, which the report names anyway."""
    return Finding(level, error.what, error.remedy)


def from_note(note: str) -> Finding:
    """A reader's note, by its words: what it took for granted, or what is good to know."""
    assumed = any(word in note for word in ("taken", "assumed", "unknown", "start pose", "by hand"))
    return Finding("assumed" if assumed else "note", note)


def from_damage(error: Exception) -> Finding:
    """What a damaged file made a parser raise; the message may hold what the file holds, and is not shown."""
    return Finding(
        "problem", f"cannot be read: it is damaged ({type(error).__name__})", "export or save it again"
    )


def raise_problems(fits: Iterable[Fit]) -> None:
    """Raise InputError for the first problem, saying how many there are."""
    found = [(" and ".join(fit.of), each) for fit in fits for each in fit.findings if each.level == "problem"]
    if found:
        where, first = found[0]
        more = f" (and {len(found) - 1} more: run xrayreg check)" if len(found) > 1 else ""
        raise InputError(first.text + more, where=where, remedy=first.remedy)


def warnings(fits: Iterable[Fit]) -> tuple[str, ...]:
    """What people should hear of before a registration: all but problems, and notes without a remedy."""
    return tuple(
        f"{' and '.join(fit.of)}: {each.line}"
        for fit in fits
        for each in fit.findings
        if each.level in ("missing", "assumed") or (each.level == "note" and each.remedy)
    )


def as_json(audit: Audit) -> dict:
    """The audit as `xrayreg check --json` writes it; docs/check.md tells the fields."""
    return {
        "schema_version": SCHEMA_VERSION,
        "items": [
            {"path": i.path, "kind": i.kind, "facts": i.facts, "findings": _findings(i)} for i in audit.items
        ],
        "fits": [
            {"of": list(f.of), "about": f.about, "facts": f.facts, "findings": _findings(f)}
            for f in audit.fits
        ],
        "left_out": list(audit.left_out),
        "counts": {level: audit.count(level) for level in LEVELS},
    }


def _findings(of: Item | Fit) -> list[dict]:
    return [{"level": each.level, "text": each.text, "remedy": each.remedy} for each in of.findings]
