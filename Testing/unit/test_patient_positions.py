"""Angles about the equipment and about the patient, worked out by hand.

The detector of LAO 30, CRAN 20 is to the patient's left, front and head: (0.4698463 L, 0.8137977 A, 0.3420201
H). About the equipment (X to the table's left, Y down, Z to the table's head) the primary angle is
atan2(X, up), the secondary asin(Z).
"""

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import (
    PATIENT_POSITIONS,
    EquipmentAngles,
    carm_rotation,
    detector_turn_deg,
    equipment_angles,
    patient_angles,
)

# Position, primary and secondary about the equipment, turn of the detector about the patient.
LYING = [
    # On the back: left is the table's left, front is up, and the head at the table's head.
    ("HFS", 30, 20, 0),
    # On the belly: left is the table's right, front is down: atan2(-0.47, -0.81).
    ("HFP", -150, 20, 0),
    # On the right side: left is up, front is the table's right (who lies on the right side with the head at
    # the table's head looks to the table's right, -X): atan2(-0.81, 0.47).
    ("HFDR", -60, 20, 0),
    # On the left side: left is down, front is the table's left: atan2(0.81, -0.47).
    ("HFDL", 120, 20, 0),
    # Feet first: the head is at the table's feet. On the back, left is the table's right: atan2(-0.47, 0.81).
    ("FFS", -30, -20, 180),
    # On the belly, left is the table's left and front is down: atan2(0.47, -0.81).
    ("FFP", 150, -20, 180),
    # On the right side: left is up, front is the table's left: atan2(0.81, 0.47).
    ("FFDR", 60, -20, 180),
    # On the left side: left is down, front is the table's right: atan2(-0.81, -0.47).
    ("FFDL", -120, -20, 180),
]


@pytest.mark.parametrize(("position", "primary", "secondary", "turn"), LYING)
def test_lao_30_cran_20_about_the_equipment(position, primary, secondary, turn):
    found = equipment_angles(30, 20, turn, position)
    np.testing.assert_allclose([found.primary, found.secondary], [primary, secondary], atol=1e-9)
    assert abs((found.detector + 180) % 360 - 180) < 1e-9  # the detector is not turned about the beam
    back = patient_angles(EquipmentAngles(primary, secondary), position)
    np.testing.assert_allclose(back[:2], [30, 20], atol=1e-9)
    assert abs((back[2] - turn + 180) % 360 - 180) < 1e-9
    turned = detector_turn_deg(EquipmentAngles(primary, secondary), position, 30, 20)
    assert abs((turned - turn + 180) % 360 - 180) < 1e-9


def test_all_eight_positions_are_there():
    assert sorted(PATIENT_POSITIONS) == sorted(position for position, *_ in LYING)


@pytest.mark.parametrize(
    ("angles", "position", "expected"),
    [
        # The table turned by 40, its head towards its left (+X): the vertical beam is the same, and the
        # detector's lower edge, at -Z, has come from the patient's feet 40 degrees towards the left side. The
        # camera's y, to the feet, turns to -x, the left, by a positive angle.
        (EquipmentAngles(0, 0, 0, 40), "HFS", (0, 0, 40)),
        # The head tilted upwards by 25 comes nearer to the detector straight above: cranial.
        (EquipmentAngles(0, 0, 0, 0, 25), "HFS", (0, 25, 0)),
        # The table's left side upwards by 15: a supine patient's left comes up to the detector: LAO.
        (EquipmentAngles(0, 0, 0, 0, 0, 15), "HFS", (15, 0, 0)),
        (EquipmentAngles(0, 0, 0, 0, 0, 15), "FFS", (-15, 0, 180)),
        # Detector at the table's left (+X) of a table turned by 90: that is at the patient's head.
        (EquipmentAngles(90, 0, 0, 90), "HFS", (0, 90, None)),
    ],
)
def test_a_turned_table(angles, position, expected):
    found = patient_angles(angles, position)
    if expected[2] is None:  # from the head, primary and tertiary are not unique
        assert found[1] == pytest.approx(expected[1], abs=1e-5)
        return
    difference = (np.array(found) - expected + 180) % 360 - 180
    np.testing.assert_allclose(difference, 0, atol=1e-9)


def test_there_and_back_with_the_table_turned():
    rng = np.random.default_rng(0)
    for position in PATIENT_POSITIONS:
        primary, tertiary = rng.uniform(-179, 179, 2)
        secondary = rng.uniform(-80, 80)
        table = tuple(rng.uniform(-40, 40, 3))
        about = equipment_angles(primary, secondary, tertiary, position, table)
        found = carm_rotation(*patient_angles(about, position))
        np.testing.assert_allclose(found, carm_rotation(primary, secondary, tertiary), atol=1e-12)


def test_other_positions_are_refused():
    with pytest.raises(InputError, match="'LFS' is none of HFS"):
        patient_angles(EquipmentAngles(0, 0), "LFS")
