"""Enhanced XA and XRF: functional groups say the same as the attributes of a classic file."""

import numpy as np
import pydicom
import pytest
from enhanced_xa import ENHANCED_XA, make_enhanced
from xrayreg.errors import InputError
from xrayreg.geometry import CArm, carm_from_camera
from xrayreg.images import Turn, geometry_found, read_dicom_xray, write_dicom_xray
from xrayreg.images.enhanced_xa import classic_frame

CARM = CArm(1200.0, 750.0, 30.0, 20.0, isocenter=(5.0, 6.0, 7.0))
RUN = np.full((3, 20, 24), 1000, np.uint16)
RUN[:, 3, 5], RUN[1, 10, 10], RUN[2, 12, 4] = 100, 200, 300


@pytest.fixture
def classic(tmp_path):
    path = tmp_path / "classic.dcm"
    write_dicom_xray(path, RUN[0], CARM, (0.4, 0.5), principal_point=(8.0, 9.0))
    return path


def enhanced(path, image=RUN[0], **options):
    write_options = {key: options.pop(key) for key in ("field_of_view", "patient_position") if key in options}
    write_dicom_xray(path, image, CARM, (0.4, 0.5), principal_point=(8.0, 9.0), **write_options)
    return make_enhanced(path, **options)


@pytest.mark.parametrize("per_frame", [(), ("PositionerPositionSequence", "FieldOfViewSequence")])
def test_one_frame_reads_like_its_classic_file(tmp_path, classic, per_frame):
    expected = read_dicom_xray(classic, CARM.isocenter)
    found = read_dicom_xray(enhanced(tmp_path / "e.dcm", per_frame=per_frame), CARM.isocenter)
    np.testing.assert_array_equal(found.line_integrals, expected.line_integrals)
    np.testing.assert_allclose(found.camera.K, expected.camera.K)
    np.testing.assert_allclose(found.camera.camera_from_patient, expected.camera.camera_from_patient)
    assert found.notes == expected.notes


def test_geometry_found_shows_it(tmp_path, classic):
    assert geometry_found(enhanced(tmp_path / "e.dcm")) == geometry_found(classic)


def test_angles_of_a_rotational_run_are_those_of_each_frame(tmp_path):
    path = enhanced(tmp_path / "run.dcm", RUN, angles=((30, 20), (42.5, 18), (-170, 20)))
    for frame, angles in ((1, (30, 20)), (2, (42.5, 18)), (3, (-170, 20))):
        xray = read_dicom_xray(path, CARM.isocenter, frame)
        carm = carm_from_camera(xray.camera, 750.0)
        np.testing.assert_allclose((carm.primary_deg, carm.secondary_deg), angles, atol=1e-6)
    assert xray.line_integrals[12, 4] == pytest.approx(np.log(1000 / 300), rel=1e-4)


def test_angles_about_the_equipment_turn_in_a_run_too(tmp_path):
    # HFP: -150 about the table is 30 about the patient (test_patient_positions.py), -140 is 40.
    without = ("PositionerPositionSequence",)
    per_frame = ("IsocenterReferenceSystemSequence",)
    options = {"patient_position": "HFP", "without": without, "per_frame": per_frame}
    path = enhanced(tmp_path / "run.dcm", RUN, **options)
    dataset = pydicom.dcmread(path)
    last = dataset.PerFrameFunctionalGroupsSequence[2].IsocenterReferenceSystemSequence[0]
    last.PositionerIsocenterPrimaryAngle = -140.0
    dataset.save_as(path)
    # What was found of the first frame, given back as by hand, says nothing else of the last.
    for geometry in (None, geometry_found(path)):
        carm = carm_from_camera(read_dicom_xray(path, frame=3, geometry=geometry).camera, 750.0)
        np.testing.assert_allclose((carm.primary_deg, carm.secondary_deg), (40, 20), atol=1e-5)


def test_the_frame_s_own_groups_go_before_the_shared_ones(tmp_path):
    path = enhanced(tmp_path / "run.dcm", RUN, per_frame=("XRayGeometrySequence",))
    dataset = pydicom.dcmread(path)
    geometry = dataset.PerFrameFunctionalGroupsSequence[1].XRayGeometrySequence[0]
    geometry.DistanceSourceToDetector, geometry.DistanceSourceToIsocenter = "1100", 700.0
    dataset.save_as(path)
    assert read_dicom_xray(path, frame=1).camera.source_to_detector_mm == 1200
    assert read_dicom_xray(path, frame=2).camera.source_to_detector_mm == 1100


@pytest.mark.parametrize("position", ["HFS", "FFP"])
def test_angles_about_the_equipment_and_the_field_of_view_are_enough(tmp_path, classic, position):
    without = ("PositionerPositionSequence", "PatientOrientationInFrameSequence")
    options = {"patient_position": position, "field_of_view": Turn(1, True), "without": without}
    found = read_dicom_xray(enhanced(tmp_path / "e.dcm", **options), CARM.isocenter)
    expected = read_dicom_xray(classic, CARM.isocenter)
    np.testing.assert_array_equal(found.line_integrals, expected.line_integrals)
    # The angles about the equipment are 32 bit floats.
    np.testing.assert_allclose(
        found.camera.camera_from_patient, expected.camera.camera_from_patient, atol=1e-3
    )
    assert any("computed from those about the equipment" in note for note in found.notes)
    assert any("no PatientOrientation (0020,0020) confirms it" in note for note in found.notes)


def test_without_any_orientation_it_is_refused(tmp_path):
    without = ("IsocenterReferenceSystemSequence", "PatientOrientationInFrameSequence")
    with pytest.raises(InputError, match=r"PatientOrientation \(0020,0020\) is missing"):
        read_dicom_xray(enhanced(tmp_path / "e.dcm", without=without))


def test_shutters_of_both_shapes_stay(tmp_path):
    path = enhanced(tmp_path / "e.dcm")
    dataset = pydicom.dcmread(path)
    rectangle, circle = pydicom.Dataset(), pydicom.Dataset()
    rectangle.ShutterShape = "RECTANGULAR"
    rectangle.ShutterLeftVerticalEdge, rectangle.ShutterRightVerticalEdge = 2, 20
    rectangle.ShutterUpperHorizontalEdge, rectangle.ShutterLowerHorizontalEdge = 2, 15
    circle.ShutterShape, circle.CenterOfCircularShutter, circle.RadiusOfCircularShutter = (
        "CIRCULAR",
        [10, 10],
        6,
    )
    dataset.SharedFunctionalGroupsSequence[0].FrameDisplayShutterSequence = [rectangle, circle]
    dataset.save_as(path)
    mask = read_dicom_xray(path).mask
    # Both leave the stored pixel (9, 9), counted from 0; the circle covers (2, 2), the rectangle (9, 15).
    stored = mask[:, ::-1]
    assert (stored[9, 9], stored[2, 2], stored[15, 9]) == (True, False, False)


def test_table_motion_between_frames_is_said(tmp_path):
    path = enhanced(tmp_path / "run.dcm", RUN)
    dataset = pydicom.dcmread(path)
    for frame, item in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        table = pydicom.Dataset()
        table.TableTopVerticalPosition, table.TableTopLateralPosition = "100", "0"
        table.TableTopLongitudinalPosition = str(50 + 10 * frame)
        item.TablePositionSequence = [table]
    dataset.save_as(path)
    assert any("TableLongitudinalIncrement" in note for note in read_dicom_xray(path, frame=3).notes)
    assert not any("the table moved" in note for note in read_dicom_xray(path, frame=1).notes)


def test_a_distorted_image_is_said(tmp_path):
    properties = {"GeometricalProperties": "NON_UNIFORM", "GeometricMaximumDistortion": 2.5}
    path = enhanced(tmp_path / "e.dcm", shared={"FramePixelDataPropertiesSequence": properties})
    assert any("distorted by up to 2.5 %" in note for note in read_dicom_xray(path).notes)


def test_without_functional_groups_it_is_refused(classic):
    dataset = pydicom.dcmread(classic)
    dataset.SOPClassUID = ENHANCED_XA
    dataset.save_as(classic)
    with pytest.raises(InputError) as error:
        read_dicom_xray(classic)
    assert "Enhanced XA Image Storage without SharedFunctionalGroupsSequence (5200,9229)" in str(error.value)
    assert str(error.value).startswith(f"{classic}: ")


def test_shared_groups_alone_hold_for_every_frame(tmp_path):
    path = enhanced(tmp_path / "run.dcm", RUN)
    dataset = pydicom.dcmread(path)
    del dataset.PerFrameFunctionalGroupsSequence
    dataset.save_as(path)
    poses = [read_dicom_xray(path, frame=frame).camera.camera_from_patient for frame in (1, 3)]
    np.testing.assert_array_equal(*poses)


def test_groups_for_too_few_frames_are_refused(tmp_path):
    path = enhanced(tmp_path / "run.dcm", RUN)
    dataset = pydicom.dcmread(path)
    del dataset.PerFrameFunctionalGroupsSequence[2]
    dataset.save_as(path)
    with pytest.raises(InputError, match=r"NumberOfFrames \(0028,0008\) is 3, but .* describes 2"):
        read_dicom_xray(path, frame=1)


def test_a_detector_that_turns_during_the_run_is_refused(tmp_path):
    path = enhanced(tmp_path / "run.dcm", RUN, per_frame=("IsocenterReferenceSystemSequence",))
    dataset = pydicom.dcmread(path)
    item = dataset.PerFrameFunctionalGroupsSequence[2].IsocenterReferenceSystemSequence[0]
    item.PositionerIsocenterDetectorRotationAngle = 5.0
    dataset.save_as(path)
    with pytest.raises(InputError, match="changes by 5 degrees: the detector turns during the run"):
        read_dicom_xray(path, frame=2)


def test_frames_can_be_taken_from_one_data_set_one_after_the_other(tmp_path):
    path = enhanced(tmp_path / "run.dcm", RUN, per_frame=("XRayGeometrySequence",))
    dataset = pydicom.dcmread(path)
    dataset.PerFrameFunctionalGroupsSequence[1].XRayGeometrySequence[0].DistanceSourceToDetector = "1100"
    found = [classic_frame(dataset, frame, path).DistanceSourceToDetector for frame in (2, 1, 2)]
    assert found == [1100, 1200, 1100]
    assert dataset.pixel_array.shape == (3, 20, 24)


def test_frames_that_stand_still_are_combined(tmp_path):
    # Pixel (10, 10) is 1000, 200, 1000 in the three frames, everything around it 1000.
    path = enhanced(tmp_path / "run.dcm", RUN)
    found = read_dicom_xray(path, CARM.isocenter, "mean:1-2")
    assert found.line_integrals[10, 10] == pytest.approx(np.log(1000 / 600), rel=1e-4)
    assert read_dicom_xray(path, frame="min").line_integrals[10, 10] == pytest.approx(np.log(5), rel=1e-4)
    subtracted = read_dicom_xray(path, frame="dsa:2,1").line_integrals
    assert subtracted[10, 10] == pytest.approx(np.log(5), rel=1e-5)
    assert np.count_nonzero(np.abs(subtracted) > 1e-6) == 1
    turning = enhanced(tmp_path / "turning.dcm", RUN, angles=((30, 20), (30, 20), (42.5, 20)))
    assert read_dicom_xray(turning, frame="mean:1-2").line_integrals.shape == (20, 24)
    with pytest.raises(InputError, match=r"the C-arm moves 12\.5 degrees over frames 1 to 3"):
        read_dicom_xray(turning, frame="mean")
