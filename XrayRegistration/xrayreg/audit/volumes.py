"""What is said of a volume or a label map by itself."""

from pathlib import Path

import numpy as np

from ..geometry import direction_in_words
from ..images import Grid, LabelMap, Volume, looks_like_hu
from .bodies import Body, Structures
from .findings import Finding, Item, from_note

_KINDS = {"ct": "CT", "mr": "MR", "mr-inverted": "MR", "vessels": "vessel"}
_MOST_VOXEL_MM, _LEAST_VOXEL_MM = 10.0, 0.01
_MOST_EXTENT_MM = 2500.0
_UNEVEN = 5.0
_GIVE_HU = "give a CT in Hounsfield units"


def volume_item(path: Path, volume: Volume, body: Body, facts: dict) -> Item:
    """The item of a volume; ``facts`` go first."""
    lowest, highest = float(volume.hu.min()), float(volume.hu.max())
    is_hu = looks_like_hu(lowest)
    facts |= grid_facts(volume.grid)
    facts["values"] = [round(lowest, 1), round(highest, 1)]
    no_hu = "no Hounsfield units" if volume.kind != "ct" else "no Hounsfield units: nothing is below -100"
    facts["intensity"] = "Hounsfield units" if is_hu and volume.kind == "ct" else no_hu
    notes = [from_note(note) for note in volume.notes]
    return Item(
        str(path),
        f"{_KINDS[volume.kind]} volume" if is_hu or volume.kind != "ct" else "volume",
        facts,
        (*volume_findings(volume, body), *notes),
    )


def volume_findings(volume: Volume, body: Body) -> list[Finding]:
    """What its values and its grid tell."""
    return _value_findings(volume, body) + _grid_findings(volume.grid)


def labels_item(path: Path, label_map: LabelMap, structures: Structures, facts: dict) -> Item:
    """The item of a segmentation; ``facts`` go first."""
    present = labels_in(label_map.labels)
    named = [label_map.names[label] for label in present if label in label_map.names]
    facts |= grid_facts(label_map.grid)
    facts["labels"] = len(present)
    facts["label_values"] = [present[0], present[-1]]
    if named:
        facts["names"] = named
    findings = _grid_findings(label_map.grid)
    if not named:
        findings.append(
            Finding(
                "missing",
                "no names of its labels: their sides cannot be checked",
                "give a CSV with the columns structure,id (--names)",
            )
        )
    elif len(named) < len(present):
        without = [str(label) for label in present if label not in label_map.names]
        findings.append(Finding("note", f"labels without a name: {', '.join(without)}"))
    return Item(str(path), "segmentation (label map)", facts, tuple(findings))


def labels_in(labels: np.ndarray) -> list[int]:
    """The values but 0 in a label map, ascending."""
    return sorted({int(value) for part in labels for value in np.unique(part)} - {0})


def looks_like_labels(volume: Volume) -> bool:
    """Whether values are labels: whole, none negative, 0 the most, and most neighbours alike.

    In images, 8-bit ones too, noise makes neighbours differ.
    """
    slices = volume.hu[:: max(1, len(volume.hu) // 16)]
    if slices.min() < 0 or not (slices == np.rint(slices)).all():
        return False
    values, counts = np.unique(slices, return_counts=True)
    if len(values) == 1:  # these slices say nothing; a volume of one value is none
        return volume.hu.any() and len(np.unique(volume.hu)) < 256
    if values[0] != 0 or counts.argmax() != 0:
        return False
    left, right = slices[..., :-1], slices[..., 1:]
    either = (left > 0) & (right > 0)
    return bool(either.any() and (left == right)[either].mean() > 0.5)


def grid_facts(grid: Grid) -> dict:
    """Frame, size, spacing and orientation of a voxel array."""
    axes = grid.patient_from_index[:3, :3]
    i, j, k = (direction_in_words(axes[:, n]) for n in range(3))
    hand = "left-handed index axes (fine: places count, not the order of axes)"
    return {
        "frame": "patient, LPS",
        "size_voxels": list(grid.size),
        "spacing_mm": [round(float(s), 4) for s in grid.spacing_mm],
        "extent_mm": [round(float(n * s), 1) for n, s in zip(grid.size, grid.spacing_mm, strict=True)],
        "centre_mm": [round(float(x), 1) for x in grid.centre_patient],
        "orientation": f"i runs to the patient's {i}, j to the {j}, k to the {k}",
        "handedness": hand if grid.is_left_handed else "right-handed index axes",
    }


def _grid_findings(grid: Grid) -> list[Finding]:
    """Spacings and sizes that no scanner makes: mostly metres, micrometres or a wrong tag."""
    spacing, found = grid.spacing_mm, []
    extent = float((spacing * grid.size).max())
    shown = " x ".join(f"{s:.4g}" for s in spacing)
    if spacing.min() < _LEAST_VOXEL_MM or spacing.max() > _MOST_VOXEL_MM:
        found.append(
            Finding("problem", f"a voxel of {shown} mm is no scanner's", "correct the spacing; it is in mm")
        )
    elif extent > _MOST_EXTENT_MM:
        found.append(Finding("problem", f"is {extent:.0f} mm long", "correct the spacing; it is in mm"))
    elif spacing.max() > _UNEVEN * spacing.min():
        found.append(Finding("note", f"coarse along one axis ({shown} mm): poses along it are less exact"))
    return found


def _value_findings(volume: Volume, body: Body) -> list[Finding]:
    """What makes a volume useless; what is only odd about its values, its notes tell."""
    lowest, highest = float(volume.hu.min()), float(volume.hu.max())
    if lowest == highest:
        return [Finding("problem", f"all voxels hold {lowest:g}", "give a volume that shows something")]
    if volume.kind != "ct":
        return []
    if not looks_like_hu(lowest):
        return [Finding("missing", f"values from {lowest:g} to {highest:g} are no HU", _GIVE_HU)]
    return [] if len(body.points) else [Finding("problem", "holds nothing but air", _GIVE_HU)]
