"""Ranges learned from X-rays at known angles, written by our own writer."""

import shutil

import numpy as np
import pydicom
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import CArm
from xrayreg.images import stated_carm, write_dicom_xray
from xrayreg.learn import ranges_from_folder, ranges_from_json

IMAGE = np.full((4, 6), 1000, np.uint16)
FORGET = ("DistanceSourceToDetector", "DistanceSourceToPatient", "EstimatedRadiographicMagnificationFactor")


def write(path, primary, secondary=0.0, tertiary=0.0, isocenter_mm=700.0, image=IMAGE, **options):
    carm = CArm(1000.0, isocenter_mm, primary, secondary, tertiary)
    write_dicom_xray(path, image, carm, (0.3, 0.4), **options)
    return path


def change(path, **tags):
    """Write tags anew; None removes one."""
    dataset = pydicom.dcmread(path)
    for name, value in tags.items():
        if value is None and name in dataset:
            delattr(dataset, name)
        elif value is not None:
            setattr(dataset, name, value)
    dataset.save_as(path)


def test_what_one_file_states(tmp_path):
    path = write(tmp_path / "a.dcm", -20.0, 12.0, 5.0, patient_position="FFS", series_description="hip")
    change(path, ProtocolName="pelvis")
    stated = stated_carm(path)
    assert stated.protocol == "hip / pelvis"
    np.testing.assert_allclose(stated.angles_deg, [(-20, 12)], atol=1e-6)
    assert stated.tertiary_deg == pytest.approx(5, abs=1e-3)
    assert (stated.source_to_detector_mm, stated.source_to_isocenter_mm) == (1000, 700)
    assert stated.pixel_spacing_mm == (0.3, 0.4)


def test_ranges_by_hand(tmp_path):
    """26 X-rays at -25, -23, ..., 25, the first at 0.5 of 26: 2 % are 0.52 of 26, and so at
    -25 + 2 * 0.02; 10 degrees more on either side. Depths 690 and 710, 100 mm more."""
    for n in range(26):
        write(tmp_path / f"{n}.dcm", 2 * n - 25.0, 15.0, isocenter_mm=690.0 if n % 2 else 710.0)
    found = ranges_from_folder(tmp_path)
    assert found.xrays == 26
    assert found.ranges["primary_deg"] == pytest.approx((-34.96, 34.96))
    assert found.ranges["secondary_deg"] == pytest.approx((5, 25))
    assert found.ranges["tertiary_deg"] == pytest.approx((-15, 15), abs=1e-3)
    assert found.ranges["source_to_centre_mm"] == pytest.approx((590, 810))
    assert found.ranges["offset_x_mm"] == found.ranges["offset_y_mm"] == (-100, 100)
    assert found.stated["angles_deg"] == found.stated["source_to_isocenter_mm"] == 26
    assert found.source_to_detector_mm == (1000, 1000)
    assert found.pixel_spacing_mm == (0.3, 0.4)
    assert ranges_from_json(found.as_json).secondary_deg == pytest.approx((5, 25))
    assert not any("only" in note for note in found.notes)


def test_primary_angles_run_past_half_a_turn(tmp_path):
    """170 and -170 are 20 degrees apart, behind a prone patient."""
    for n, angle in enumerate((170.0, -170.0)):
        write(tmp_path / f"{n}.dcm", angle)
    low, high = ranges_from_folder(tmp_path).ranges["primary_deg"]
    assert high - low == pytest.approx(40)
    assert abs((low + high) / 2) == pytest.approx(180)


def test_secondary_angles_end_at_the_poles(tmp_path):
    write(tmp_path / "a.dcm", 0.0, 85.0)
    assert ranges_from_folder(tmp_path).ranges["secondary_deg"] == pytest.approx((75, 90))


def test_a_run_weighs_as_much_as_one_xray(tmp_path):
    """20 X-rays at 0 and a run of 4 frames at 0, 30, 60, 90 degrees: 98 % of 21 are 20.58, which lies
    0.205 / 0.25 of the way from the frame at 30 (the middle of its share is 20.375) to that at 60."""
    first = write(tmp_path / "0.dcm", 0.0)
    for n in range(1, 20):
        shutil.copy(first, tmp_path / f"{n}.dcm")
        change(tmp_path / f"{n}.dcm", SOPInstanceUID=f"1.2.{n}")
    run = write(tmp_path / "run.dcm", 0.0, image=np.stack([IMAGE] * 4), angle_steps_deg=(30.0, 0.0))
    np.testing.assert_allclose(stated_carm(run).angles_deg, [(0, 0), (30, 0), (60, 0), (90, 0)], atol=1e-6)
    assert ranges_from_folder(tmp_path).ranges["primary_deg"] == pytest.approx((-10, 64.6))


def test_copies_count_once_and_others_are_told(tmp_path):
    first = write(tmp_path / "a.dcm", 10.0)
    (tmp_path / "below").mkdir()
    shutil.copy(first, tmp_path / "below" / "copy.dcm")
    (tmp_path / "readme.txt").write_text("nothing")
    ct = write(tmp_path / "ct.dcm", 0.0)
    change(ct, Modality="CT")
    found = ranges_from_folder(tmp_path)
    assert found.xrays == 1
    notes = " | ".join(found.notes)
    assert "1 other DICOM objects left out" in notes
    assert "readme.txt: " in notes
    assert "only 1 X-rays" in notes


def test_one_protocol(tmp_path):
    write(tmp_path / "a.dcm", 0.0, series_description="Hip AP")
    write(tmp_path / "b.dcm", 80.0, series_description="Spine lateral")
    found = ranges_from_folder(tmp_path, protocol="hip")
    assert found.ranges["primary_deg"] == pytest.approx((-10, 10))
    assert found.protocols == {"Hip AP": 1, "Spine lateral": 1}
    with pytest.raises(InputError, match=r"no X-ray has 'knee'.*there are Hip AP, Spine lateral"):
        ranges_from_folder(tmp_path, protocol="knee")


def test_without_distances_the_depth_is_a_part_of_the_way_to_the_detector(tmp_path):
    path = write(tmp_path / "a.dcm", 0.0)
    change(path, **dict.fromkeys(FORGET))
    with pytest.raises(InputError, match="no X-ray says a distance"):
        ranges_from_folder(tmp_path)
    found = ranges_from_folder(tmp_path, source_to_detector_mm=1200.0)
    assert found.ranges["source_to_centre_mm"] == pytest.approx((660, 960))  # 0.55 and 0.8 of 1200
    assert any("0.55 to 0.8 of the way" in note for note in found.notes)


def test_what_says_no_angles_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        ranges_from_folder(tmp_path / "nowhere")
    worklist = pydicom.Dataset()
    worklist.ScheduledProcedureStepSequence = [pydicom.Dataset()]
    worklist.ensure_file_meta()
    worklist.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    worklist.save_as(tmp_path / "item.wl", implicit_vr=False, little_endian=True)
    with pytest.raises(InputError, match=r"no DICOM X-ray in it.*item.wl.*earlier X-rays of the procedure"):
        ranges_from_folder(tmp_path)
    path = write(tmp_path / "a.dcm", 0.0)
    change(
        path,
        PositionerPrimaryAngle=None,
        PositionerSecondaryAngle=None,
        IsocenterReferenceSystemSequence=None,
    )
    with pytest.raises(InputError, match="none of 1 X-rays says its angles"):
        ranges_from_folder(tmp_path)


def test_files_as_they_come(data):
    """Of four only the coronary run says angles, -32 and 2, and only the thorax a distance, 1000 mm."""
    found = ranges_from_folder(data / "xray_dicom")
    assert found.xrays == 4
    assert found.stated["angles_deg"] == found.stated["source_to_detector_mm"] == 1
    assert found.ranges["primary_deg"] == pytest.approx((-42, -22))
    assert found.ranges["secondary_deg"] == pytest.approx((-8, 12))
    assert found.ranges["source_to_centre_mm"] == pytest.approx((550, 800))
