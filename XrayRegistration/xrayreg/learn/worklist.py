"""Ranges of poses learned from a site's earlier X-rays of a procedure, by their DICOM tags.

What a Modality Worklist or a Performed Procedure Step says of a procedure holds no angle: those are only in
the X-rays themselves.
"""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..images import StatedCArm, stated_carm

Range = tuple[float, float]

_PERCENTILES = (2.0, 98.0)
_ANGLE_PAD_DEG = 10.0  # the patient lies otherwise on the operating table than in the CT
_TERTIARY_DEG = (-15.0, 15.0)
_OFF_CENTRE_MM = 100.0  # of the anatomy from the isocenter, in every direction
_OF_THE_WAY = (0.55, 0.8)  # from the source to the detector, where C-arms have their isocenters
_FEW = 10
_MOST_FILES = 20_000
_SHOWN = 3
_NO_ANGLES = "give a folder of earlier X-rays of the procedure (DICOM XA, RF), or ranges by hand (--ranges)"


@dataclass(frozen=True)
class LearnedRanges:
    """How a site takes its X-rays.

    Attributes:
        ranges: as in ranges.json, for `ranges_from_json`: (lowest, highest) by name.
        xrays: how many were found; ``stated``: how many of them say what, by name.
        protocols: how many X-rays each Series Description / Protocol Name has.
        source_to_detector_mm, pixel_spacing_mm: smallest and largest, for people; None where none says it.
        notes: what was assumed, missing or left out, for people.
    """

    ranges: dict[str, Range]
    xrays: int
    stated: dict[str, int]
    protocols: dict[str, int]
    source_to_detector_mm: Range | None
    pixel_spacing_mm: Range | None
    notes: tuple[str, ...]

    @property
    def as_json(self) -> dict:
        """The content of ranges.json."""
        return {"schema_version": 1, **{name: list(each) for name, each in self.ranges.items()}}


def ranges_from_folder(
    folder: str | Path, protocol: str | None = None, source_to_detector_mm: float | None = None
) -> LearnedRanges:
    """The ranges of angles and distances in a folder of DICOM X-rays, with the folders below it.

    Angles: from the 2nd to the 98th percentile, 10 degrees more on either side; each file weighs the same,
    however many frames it has. Depth: the same of the distance to the isocenter, 100 mm more on either side.
    DICOM does not say where the anatomy lies about the isocenter: offsets are +-100 mm.

    Args:
        protocol: only X-rays whose Series Description or Protocol Name holds this, in any case.
        source_to_detector_mm: of the camera that is trained for: where no X-ray says its distances, the depth
            is guessed from it, and a note says so.

    Raises:
        InputError: if no X-ray says its angles, or nothing says a distance.
    """
    folder = Path(folder)
    found, notes = _read(_files(folder))
    protocols = Counter(each.protocol or "(none)" for each in found)
    if protocol is not None:
        found = [each for each in found if protocol.casefold() in each.protocol.casefold()]
        if not found:
            raise InputError(
                f"no X-ray has '{protocol}' in its series description or protocol name",
                where=folder,
                remedy=f"there are {', '.join(protocols) or 'no X-rays'}",
            )
    angled = [each for each in found if each.angles_deg is not None]
    if not angled:
        what = f"none of {len(found)} X-rays says its angles" if found else "no DICOM X-ray in it"
        raise InputError("; ".join((what, *notes)), where=folder, remedy=_NO_ANGLES)
    depth, depth_note = _depth(found, source_to_detector_mm, folder)
    tertiary, turn_note = _tertiary(found)
    off_centre = (-_OFF_CENTRE_MM, _OFF_CENTRE_MM)
    ranges = {
        "primary_deg": _angle_range(angled, 0),
        "secondary_deg": tuple(np.clip(_angle_range(angled, 1), -90.0, 90.0).tolist()),
        "tertiary_deg": tertiary,
        "offset_x_mm": off_centre,
        "offset_y_mm": off_centre,
        "source_to_centre_mm": depth,
    }
    if len(angled) < _FEW:
        notes.append(f"only {len(angled)} X-rays say their angles: look whether the ranges are wide enough")
    notes.append(f"offsets are taken as +-{_OFF_CENTRE_MM:g} mm: no tag says where the anatomy is")
    stated = {
        name: sum(getattr(each, name) is not None for each in found)
        for name in StatedCArm.__dataclass_fields__
        if name not in ("uid", "protocol")
    }
    spacings = [mm for each in found for mm in each.pixel_spacing_mm or ()]
    return LearnedRanges(
        ranges,
        len(found),
        stated,
        dict(protocols),
        _extremes([each.source_to_detector_mm for each in found]),
        _extremes(spacings),
        (*depth_note, *turn_note, *notes),
    )


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, remedy=_NO_ANGLES)
    files = [Path(place) / name for place, _, names in os.walk(folder) for name in names]
    if len(files) > _MOST_FILES:
        raise InputError(
            f"holds more than {_MOST_FILES} files", where=folder, remedy="name a folder of fewer"
        )
    return sorted(files)


def _read(files: Iterable[Path]) -> tuple[list[StatedCArm], list[str]]:
    """The X-rays, each once, and notes on what else there was."""
    found, others, refused = {}, 0, []
    for path in files:
        try:
            stated = stated_carm(path)
        except InputError as error:
            refused.append(f"{path.name}: {error.what}")
            continue
        if stated is None:
            others += 1
        else:
            found.setdefault(stated.uid, stated)
    notes = []
    if others:
        notes.append(
            f"{others} other DICOM objects left out (worklist items and procedure steps hold no angles)"
        )
    if refused:
        shown = "; ".join(refused[:_SHOWN]) + ("; ..." if len(refused) > _SHOWN else "")
        notes.append(f"{len(refused)} files left out that cannot be read as X-rays: {shown}")
    return list(found.values()), notes


def _angle_range(xrays: list[StatedCArm], which: int) -> Range:
    """Of the primary (0) or secondary (1) angle; the primary may run past 180 degrees."""
    values = np.array([angles[which] for each in xrays for angles in each.angles_deg])
    weights = np.array([1 / len(each.angles_deg) for each in xrays for _ in each.angles_deg])
    low, high = _percentiles(_unwrapped(values) if which == 0 else values, weights)
    return low - _ANGLE_PAD_DEG, high + _ANGLE_PAD_DEG


def _unwrapped(angles: np.ndarray) -> np.ndarray:
    """Degrees without the jump from 180 to -180, cut where the circle has its widest gap."""
    circle = np.unique(np.mod(angles, 360.0))
    gaps = np.diff(circle, append=circle[0] + 360.0)
    after_gap = circle[(int(gaps.argmax()) + 1) % len(circle)]
    result = after_gap + np.mod(angles - after_gap, 360.0)
    return result - 360.0 * np.round((result.min() + result.max()) / 2 / 360.0)


def _percentiles(values: np.ndarray, weights: np.ndarray) -> Range:
    """Of weighted values: each stands for the middle of its share."""
    order = np.argsort(values)
    shares = np.cumsum(weights[order]) - weights[order] / 2
    low, high = np.interp(np.array(_PERCENTILES) / 100 * weights.sum(), shares, values[order])
    return float(low), float(high)


def _depth(
    xrays: list[StatedCArm], source_to_detector_mm: float | None, folder: Path
) -> tuple[Range, tuple[str, ...]]:
    """Of the anatomy's centre, with a note where it was guessed."""
    distances = [each.source_to_isocenter_mm for each in xrays if each.source_to_isocenter_mm is not None]
    if distances:
        low, high = _percentiles(np.array(distances), np.ones(len(distances)))
        return (max(low - _OFF_CENTRE_MM, low / 2), high + _OFF_CENTRE_MM), ()
    stated = [each.source_to_detector_mm for each in xrays if each.source_to_detector_mm is not None]
    stated = stated or [source_to_detector_mm]
    if None in stated:
        raise InputError(
            "no X-ray says a distance from the source",
            where=folder,
            remedy="give a camera file that says source_to_detector_mm, or ranges by hand (--ranges)",
        )
    low, high = _OF_THE_WAY[0] * min(stated), _OF_THE_WAY[1] * max(stated)
    note = (
        f"no X-ray says the distance to the isocenter: source_to_centre_mm is {_OF_THE_WAY[0]:g} to "
        f"{_OF_THE_WAY[1]:g} of the way to the detector"
    )
    return (low, high), (note,)


def _tertiary(xrays: list[StatedCArm]) -> tuple[Range, tuple[str, ...]]:
    turns = [each.tertiary_deg for each in xrays if each.tertiary_deg is not None]
    if not turns:
        low, high = _TERTIARY_DEG
        return _TERTIARY_DEG, (f"no X-ray says its detector's turn: tertiary_deg is {low:g} to {high:g}",)
    low, high = _percentiles(_unwrapped(np.array(turns)), np.ones(len(turns)))
    return (low + _TERTIARY_DEG[0], high + _TERTIARY_DEG[1]), ()


def _extremes(values: list[float | None]) -> Range | None:
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known else None
