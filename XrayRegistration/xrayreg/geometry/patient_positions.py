"""How a patient lies on the table of an X-ray system: angles about the equipment and about the patient.

Equipment (PS3.3 C.8.19.6.13): the isocenter system, fixed to the room, has +X to the table's left, +Y down
and +Z to the table's head, as long as the table is not turned. A supine patient, head first, then has LPS
axes along it, and both kinds of angles are the same. Head first means: the head at the table's head.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .frames import axis_rotation, carm_angles_of, carm_rotation, twist_deg

# Columns: the patient's left, back and head in the axes of the table.
_TABLE_FROM_PATIENT = {
    "HFS": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "HFP": [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
    "HFDR": [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
    "HFDL": [[0, -1, 0], [1, 0, 0], [0, 0, 1]],
    "FFS": [[-1, 0, 0], [0, 1, 0], [0, 0, -1]],
    "FFP": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],
    "FFDR": [[0, -1, 0], [-1, 0, 0], [0, 0, -1]],
    "FFDL": [[0, 1, 0], [1, 0, 0], [0, 0, -1]],
}

PATIENT_POSITIONS = tuple(_TABLE_FROM_PATIENT)
"""Patient Position (0018,5100): head or feet first; supine, prone, or lying on the right or left side."""


@dataclass(frozen=True)
class EquipmentAngles:
    """Where the C-arm and the table are in the room, degrees (PS3.3 C.8.19.6.13.1.2 and 13.1.3).

    Attributes:
        primary, secondary: of the detector from the isocenter: from up (-Y) to +X, and towards +Z.
        detector: turn of the detector, right-handed about the axis from the isocenter to the source.
        table_horizontal: turn of the table, from +Z to +X.
        table_head: tilt of the table, its head upwards; table_cradle: its left side upwards.
    """

    primary: float
    secondary: float
    detector: float = 0.0
    table_horizontal: float = 0.0
    table_head: float = 0.0
    table_cradle: float = 0.0

    @property
    def isocenter_from_table(self) -> np.ndarray:
        """(3, 3)."""
        turned = axis_rotation(1, self.table_horizontal)
        return turned @ axis_rotation(0, self.table_head) @ axis_rotation(2, -self.table_cradle)


def patient_angles(angles: EquipmentAngles, position: str) -> tuple[float, float, float]:
    """Primary, secondary and tertiary angle about the patient, as in `CArm`.

    The tertiary angle is that of the detector as it is mounted; of a patient who lies feet first it is
    about 180 degrees: the detector's upper edge is at the feet.

    Raises:
        InputError: if ``position`` is none of `PATIENT_POSITIONS`.
    """
    patient_from_isocenter = _isocenter_from_patient(angles, position).T
    return carm_angles_of(
        patient_from_isocenter @ carm_rotation(angles.primary, angles.secondary, -angles.detector)
    )


def equipment_angles(
    primary_deg: float,
    secondary_deg: float,
    tertiary_deg: float,
    position: str,
    table: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> EquipmentAngles:
    """The inverse of `patient_angles`.

    Args:
        table: horizontal, head and cradle angle of the table, degrees.
    """
    level = EquipmentAngles(0.0, 0.0, 0.0, *table)
    rotation = _isocenter_from_patient(level, position) @ carm_rotation(
        primary_deg, secondary_deg, tertiary_deg
    )
    primary, secondary, tertiary = carm_angles_of(rotation)
    return EquipmentAngles(primary, secondary, -tertiary, *table)


def detector_turn_deg(
    angles: EquipmentAngles, position: str, primary_deg: float, secondary_deg: float
) -> float:
    """The tertiary angle about the patient that goes with these primary and secondary angles.

    As of `patient_angles`, but steady where the beam runs along the patient and the angles are not unique.
    """
    mounted = carm_rotation(*patient_angles(angles, position))
    return twist_deg(carm_rotation(primary_deg, secondary_deg), mounted)


def is_feet_first(position: str) -> bool:
    return position.startswith("FF")


def _isocenter_from_patient(angles: EquipmentAngles, position: str) -> np.ndarray:
    if position not in _TABLE_FROM_PATIENT:
        raise InputError(
            f"the patient position '{position}' is none of {', '.join(PATIENT_POSITIONS)}",
            remedy="name the position of the patient on the table",
        )
    return angles.isocenter_from_table @ np.array(_TABLE_FROM_PATIENT[position], dtype=float)
