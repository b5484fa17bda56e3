"""The C-arm's angles in DICOM: about the patient, and about the equipment (isocenter) with the patient's
position on the table; PS3.3 C.8.7.5.1.2 and C.8.19.6.13."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from ..geometry import (
    PATIENT_POSITIONS,
    EquipmentAngles,
    carm_rotation,
    detector_turn_deg,
    equipment_angles,
    is_feet_first,
    patient_angles,
)
from .dicom_tags import USE_CAMERA_FILE, decimal_string, has_value, number, tag_name
from .run_motion import offset_of_frame

_AGREE_DEG = 0.5  # angles about the patient and about the equipment may differ by this much
_STRAIGHT_DEG = 0.01  # a beam that meets the detector at a right angle: 0.2 mm at 1 m
_ROUNDING_DEG = 1e-4  # angles about the equipment have 32 bits; a turn below this is theirs
_PRIMARY, _SECONDARY = "PositionerPrimaryAngle", "PositionerSecondaryAngle"
_ISOCENTER = ("PositionerIsocenterPrimaryAngle", "PositionerIsocenterSecondaryAngle")
_TURN = "PositionerIsocenterDetectorRotationAngle"
_TABLE = ("TableHorizontalRotationAngle", "TableHeadTiltAngle", "TableCradleTiltAngle")
POSITION_TAGS = (
    "PatientPosition",
    "PatientOrientationCodeSequence",
    "PatientOrientationModifierCodeSequence",
    "PatientGantryRelationshipCodeSequence",
)
"""What `patient_position` reads."""

_LYING = {"40199007": "S", "1240000": "P", "102535000": "DR", "102536004": "DL"}  # SNOMED, CID 20
_FIRST = {"102540008": "HF", "102541007": "FF"}  # CID 21


@dataclass(frozen=True)
class Angles:
    """The C-arm's angles about the patient, degrees, as in `geometry.CArm`.

    Attributes:
        tertiary: turn of the detector, as seen with the head up: of a patient who lies feet first, half a
            turn less than that of the detector as it is mounted.
        feet_first: whether there is that half turn; None where the file does not tell.
        notes: what was computed, for people.
    """

    primary: float
    secondary: float
    tertiary: float = 0.0
    feet_first: bool | None = None
    notes: tuple[str, ...] = ()


def read_angles(dataset: pydicom.Dataset, where: Path) -> Angles:
    """The angles of the first frame, from whichever tags the file has.

    Positioner Primary and Secondary Angle (0018,1510 and 1511) are about the patient and do not change with
    the patient's position. The Isocenter Reference System Sequence (0018,9462) is about the equipment; with
    Patient Position (0018,5100) it gives the same, and the turn of the detector. Where a file has both, they
    must agree within 0.5 degrees.

    Raises:
        InputError: for missing, impossible or contradictory angles, and for a detector that is tilted
            against the beam.
    """
    _refuse_tilted_detector(dataset, where)
    position = patient_position(dataset, where)
    about_patient = _about_patient(dataset, where)
    about_equipment = _about_equipment(dataset, where)
    if about_equipment is None:
        if about_patient is None:
            raise _missing(dataset, where)
        return Angles(*about_patient, _detector_turn(dataset, where), _feet_first(position))
    if position is not None:
        return _combined(about_patient, about_equipment, position, where)
    if about_patient is None:
        raise InputError(
            f"{tag_name('PatientPosition')} is {dataset.get('PatientPosition') or 'missing'}, so that the "
            f"C-arm's angles about the equipment ({tag_name(_ISOCENTER[0])}) say nothing about the patient, "
            f"and {tag_name(_PRIMARY)} is missing",
            where=where,
            remedy=f"write one of {', '.join(PATIENT_POSITIONS)}, or {USE_CAMERA_FILE}",
        )
    tilts = (about_equipment.table_horizontal, about_equipment.table_head, about_equipment.table_cradle)
    if np.abs(tilts).max() > _STRAIGHT_DEG:
        raise InputError(
            f"the table is turned ({tag_name(_TABLE[int(np.abs(tilts).argmax())])}), but "
            f"{tag_name('PatientPosition')} is missing, so that the turn of the detector is not known",
            where=where,
            remedy=f"write one of {', '.join(PATIENT_POSITIONS)}, or {USE_CAMERA_FILE}",
        )
    return Angles(*about_patient, -about_equipment.detector)


def write_angles(dataset: pydicom.Dataset, angles: tuple[float, float, float], position: str) -> None:
    """Set both kinds of angles; the inverse of `read_angles`.

    Args:
        angles: primary, secondary and tertiary angle as in `Angles`.
    """
    primary, secondary, tertiary = angles
    dataset.PositionerPrimaryAngle, dataset.PositionerSecondaryAngle = map(decimal_string, angles[:2])
    dataset.PatientPosition = position
    mounted = tertiary + (180.0 if is_feet_first(position) else 0.0)
    about = equipment_angles(primary, secondary, mounted, position)
    item = pydicom.Dataset()
    for keyword, value in zip(
        (*_ISOCENTER, _TURN), (about.primary, about.secondary, about.detector), strict=True
    ):
        setattr(item, keyword, value)
    dataset.IsocenterReferenceSystemSequence = [item]


def forget_equipment_angles(dataset: pydicom.Dataset) -> None:
    """Leave only the turn of the detector: the angles about the patient were given by hand."""
    for item in dataset.get("IsocenterReferenceSystemSequence") or ():
        for keyword in _ISOCENTER:
            if keyword in item:
                delattr(item, keyword)


def angles_shown(dataset: pydicom.Dataset, where: Path) -> tuple[float | None, float | None]:
    """Primary and secondary angle about the patient as far as the file says them."""
    given = tuple(
        number(dataset, name, where) if has_value(dataset, name) else None for name in (_PRIMARY, _SECONDARY)
    )
    position, about_equipment = patient_position(dataset, where), _about_equipment(dataset, where)
    if given != (None, None) or position is None or about_equipment is None:
        return given
    return patient_angles(about_equipment, position)[:2]


def patient_position(dataset: pydicom.Dataset, where: Path) -> str | None:
    """One of `PATIENT_POSITIONS`; None where the file says none of them.

    From Patient Position (0018,5100), or from the codes of Patient Orientation Modifier (0054,0412) and
    Patient Gantry Relationship (0054,0414).

    Raises:
        InputError: if the two say different things.
    """
    written = str(dataset.get("PatientPosition") or "").strip().upper()
    written = written if written in PATIENT_POSITIONS else None
    modifiers = dataset.get("PatientOrientationModifierCodeSequence") or ()
    for orientation in dataset.get("PatientOrientationCodeSequence") or ():
        modifiers = modifiers or orientation.get("PatientOrientationModifierCodeSequence") or ()
    lying = _coded(modifiers, _LYING)
    first = _coded(dataset.get("PatientGantryRelationshipCodeSequence") or (), _FIRST)
    coded = first + lying if first and lying else None
    if written and coded and written != coded:
        raise InputError(
            f"{tag_name('PatientPosition')} is {written}, but the codes of "
            f"{tag_name('PatientGantryRelationshipCodeSequence')} and "
            f"{tag_name('PatientOrientationModifierCodeSequence')} say {coded}",
            where=where,
            remedy=USE_CAMERA_FILE,
        )
    return written or coded


def detector_is_placed(dataset: pydicom.Dataset, where: Path) -> bool:
    """Whether the tags say how the detector itself lies about the patient, not only where the beam runs."""
    return _about_equipment(dataset, where) is not None and patient_position(dataset, where) is not None


def _coded(items, meanings: dict[str, str]) -> str | None:
    return next((meanings[i.get("CodeValue")] for i in items if i.get("CodeValue") in meanings), None)


def _combined(
    about_patient: tuple[float, float] | None, about_equipment: EquipmentAngles, position: str, where: Path
) -> Angles:
    """From both kinds of angles, or from those about the equipment alone."""
    primary, secondary, mounted = patient_angles(about_equipment, position)
    notes = (
        "the C-arm's angles about the patient computed from those about the equipment "
        f"({tag_name(_ISOCENTER[0])}) and {tag_name('PatientPosition')} {position}",
    )
    if about_patient is not None:
        _check_agreement(about_patient, (primary, secondary), position, where)
        (primary, secondary), notes = about_patient, ()
        mounted = detector_turn_deg(about_equipment, position, primary, secondary)
    feet_first = is_feet_first(position)
    tertiary = (mounted - (180.0 if feet_first else 0.0) + 180.0) % 360.0 - 180.0
    if abs(tertiary) < _ROUNDING_DEG:
        tertiary = 0.0
    return Angles(primary, secondary, tertiary, feet_first, notes)


def _check_agreement(
    given: tuple[float, float], computed: tuple[float, float], position: str, where: Path
) -> None:
    one, other = (carm_rotation(*angles)[:, 2] for angles in (given, computed))
    if np.degrees(np.arctan2(np.linalg.norm(np.cross(one, other)), one @ other)) > _AGREE_DEG:
        raise InputError(
            f"{tag_name(_PRIMARY)} {given[0]:.4g} and {tag_name(_SECONDARY)} {given[1]:.4g} degrees "
            f"contradict the angles about the equipment ({tag_name(_ISOCENTER[0])}), which are "
            f"{computed[0]:.4g} and {computed[1]:.4g} about a patient who lies {position} "
            f"({tag_name('PatientPosition')})",
            where=where,
            remedy=USE_CAMERA_FILE,
        )


def _about_patient(dataset: pydicom.Dataset, where: Path) -> tuple[float, float] | None:
    if not has_value(dataset, _PRIMARY) and not has_value(dataset, _SECONDARY):
        return None
    result = number(dataset, _PRIMARY, where), number(dataset, _SECONDARY, where)
    for keyword, value, limit in zip((_PRIMARY, _SECONDARY), result, (180, 90), strict=True):
        if abs(value) > limit:
            raise InputError(
                f"{tag_name(keyword)} is {value:g}, not from -{limit} to {limit} degrees",
                where=where,
                remedy=USE_CAMERA_FILE,
            )
    return result


def _about_equipment(dataset: pydicom.Dataset, where: Path) -> EquipmentAngles | None:
    for item in dataset.get("IsocenterReferenceSystemSequence") or ():
        if all(has_value(item, name) for name in _ISOCENTER):
            names = (*_ISOCENTER, _TURN, *_TABLE)
            return EquipmentAngles(
                *(number(item, name, where) if has_value(item, name) else 0.0 for name in names)
            )
    return None


def _detector_turn(dataset: pydicom.Dataset, where: Path) -> float:
    """`Angles.tertiary` where only the turn of the detector is known; 0 without it."""
    for item in dataset.get("IsocenterReferenceSystemSequence") or ():
        if has_value(item, _TURN):
            return -number(item, _TURN, where)
    return 0.0


def _feet_first(position: str | None) -> bool | None:
    return None if position is None else is_feet_first(position)


def _missing(dataset: pydicom.Dataset, where: Path) -> InputError:
    state = "empty" if _PRIMARY in dataset else "missing"
    return InputError(f"{tag_name(_PRIMARY)} is {state}", where=where, remedy=USE_CAMERA_FILE)


def _refuse_tilted_detector(dataset: pydicom.Dataset, where: Path) -> None:
    for keyword in ("DetectorPrimaryAngle", "DetectorSecondaryAngle"):
        if has_value(dataset, keyword) and abs(number(dataset, keyword, where)) > _STRAIGHT_DEG:
            raise InputError(
                f"{tag_name(keyword)} is {number(dataset, keyword, where):g} degrees: the beam does not meet "
                "the detector at a right angle, and no tag says where the perpendicular does",
                where=where,
                remedy=USE_CAMERA_FILE,
            )


def angles_of_frame(dataset: pydicom.Dataset, frame: int, frames: int, where: Path) -> tuple[float, float]:
    """Primary and secondary angle, degrees, of a frame counted from 1, of a run of ``frames``.

    Positioner Angle Increments (0018,1520) and (0018,1521) hold the mean change from frame to frame, or for
    each frame its offset from the initial angle (PS3.3 C.8.7.5.1.3). Without them the C-arm stands still.
    """
    first = read_angles(dataset, where)
    primary, secondary = (
        offset_of_frame(dataset, f"{name}Increment", frame, frames, where) for name in (_PRIMARY, _SECONDARY)
    )
    return first.primary + primary, first.secondary + secondary
