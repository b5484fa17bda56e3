"""The audit as a page of text."""

from collections import Counter
from pathlib import Path

from .findings import LEVELS, Audit, Finding

_UNITS = (("_mm", " mm"), ("_px", " px"), ("_deg", "°"), ("_voxels", " voxels"))
_WIDTH = 18
_COUNTED = ("problems", "missing", "assumed", "notes")
_PARTS = ("in_beam", "image_covered", "labels_inside", "bone_labels_on_bone")
_RANGES, _PLACES = ("values", "label_values", "depth_mm"), ("centre_mm", "principal_point_px", "source_at_mm")


def report_lines(audit: Audit) -> list[str]:
    """What each input is, what fits together, and a summary, line by line."""
    lines = []
    short = _short_names([item.path for item in audit.items])
    for item in audit.items:
        lines += [item.path, f"  {item.kind}"]
        lines += [_fact(name, value) for name, value in item.facts.items()]
        lines += [_finding(each) for each in item.findings]
        lines.append("")
    if audit.fits:
        lines.append("WHAT FITS TOGETHER")
    for fit in audit.fits:
        lines.append(f"  {fit.about}: {' + '.join(short.get(name, name) for name in fit.of)}")
        lines += ["  " + _fact(name, value) for name, value in fit.facts.items()]
        lines += ["  " + _finding(each) for each in fit.findings]
    if audit.fits:
        lines.append("")
    if audit.left_out:
        shown = ", ".join(audit.left_out[:10]) + (", ..." if len(audit.left_out) > 10 else "")
        lines.append(f"left out, none of ours: {len(audit.left_out)} ({shown})")
    counts = ", ".join(f"{audit.count(level)} {words}" for level, words in zip(LEVELS, _COUNTED, strict=True))
    lines.append(f"{len(audit.items)} inputs: {counts}")
    return lines


def _short_names(paths: list[str]) -> dict[str, str]:
    """Path to file name, where no two have the same."""
    counts = Counter(Path(path).name for path in paths)
    return {path: Path(path).name for path in paths if counts[Path(path).name] == 1}


def _fact(name: str, value: object) -> str:
    unit = next((u for ending, u in _UNITS if name.endswith(ending)), "")
    label = name
    for ending, _ in _UNITS:
        label = label.removesuffix(ending)
    return f"  {label.replace('_', ' '):{_WIDTH}} {_shown(name, value)}{unit}"


def _shown(name: str, value: object) -> str:
    if isinstance(value, list) and value and all(isinstance(each, (int, float)) for each in value):
        joint = " to " if name in _RANGES else ", " if name in _PLACES else " x "
        text = joint.join(f"{each:g}" if isinstance(each, float) else str(each) for each in value)
        return f"({text})" if name in _PLACES else text
    if name in _PARTS:
        return f"{value:.0%}"
    if isinstance(value, list):
        return ", ".join(map(str, value[:12])) + (f", ... ({len(value)})" if len(value) > 12 else "")
    return f"{value:g}" if isinstance(value, float) else str(value)


def _finding(finding: Finding) -> str:
    return f"  {finding.level.upper() if finding.level == 'problem' else finding.level}: {finding.line}"
