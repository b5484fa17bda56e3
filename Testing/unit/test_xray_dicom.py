"""DICOM X-rays: the camera from C-arm tags, mirroring, intensities, shutters; every refusal.

The frames: `CArm` sees the image from the source. At 0/0 (source behind the back) columns run to the
patient's Right, rows to the Feet. Clinical systems store it as seen from the detector: `L\\F`.
"""

from dataclasses import replace

import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from xrayreg.errors import InputError
from xrayreg.geometry import CameraFile, CArm, carm_from_camera
from xrayreg.images import (
    Shutter,
    XrayGeometry,
    frame_count,
    geometry_found,
    line_integrals_from_transmission,
    read_dicom_xray,
    read_xray,
    write_dicom_xray,
)
from xrayreg.images.carm_angles import angles_of_frame
from xrayreg.images.orientation import letters_of, turn_to_camera
from xrayreg.images.shutters import shutters_of
from xrayreg.images.turns import Turn

FRONTAL = CArm(1000.0, 500.0, 0.0, 0.0)


@pytest.fixture
def frontal(tmp_path):
    """A frontal X-ray, 100 rows x 101 columns of 1 mm, all 1000 but a dark pixel at row 20, column 30."""
    image = np.full((100, 101), 1000, np.uint16)
    image[20, 30] = 100
    path = tmp_path / "frontal.dcm"
    write_dicom_xray(path, image, FRONTAL, (1.0, 1.0))
    return path


def changed(path, **tags):
    """The same file with tags set, or removed where None."""
    dataset = pydicom.dcmread(path)
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            vr = dictionary_VR(keyword)
            dataset.add_new(keyword, "US" if vr == "US or SS" else vr, value)
    dataset.save_as(path)
    return path


# primary, secondary, tertiary; the camera's axes in the patient, by hand:
#   x = (-cos p, -sin p, 0), y = Rz(p) (0, -sin s, -cos s); a tertiary of 90 takes x to y and y to -x.
# Expected: quarter turns clockwise, then a left-right flip, of the stored image.
@pytest.mark.parametrize(
    ("angles", "orientation", "turn"),
    [
        ((0, 0, 0), "R\\F", (0, False)),  # x to the Right, y to the Feet: as the source sees it
        ((0, 0, 0), "L\\F", (0, True)),  # as clinical systems store it
        ((0, 0, 0), "L\\H", (2, False)),
        ((0, 0, 0), "R\\H", (2, True)),  # up-down: half a turn, then left-right
        ((90, 0, 0), "A\\F", (0, False)),  # LAO 90, detector at the left: x = (0, -1, 0), to Anterior
        ((90, 0, 0), "P\\F", (0, True)),  # seen from the left, a patient's back is on the right
        ((-90, 0, 0), "P\\F", (0, False)),
        ((-90, 0, 0), "A\\F", (0, True)),
        ((35, 0, 0), "R\\F", (0, False)),  # x = (-0.82, -0.57, 0): Right, then Anterior
        ((35, 0, 0), "L\\F", (0, True)),
        ((35, 0, 0), "RA\\F", (0, False)),
        ((35, 0, 0), "LP\\F", (0, True)),
        ((-35, 0, 0), "RP\\F", (0, False)),  # x = (-0.82, +0.57, 0)
        ((45, 0, 0), "R\\F", (0, False)),  # a tie: either letter may come first
        ((45, 0, 0), "AR\\F", (0, False)),
        ((0, 30, 0), "R\\FA", (0, False)),  # cranial 30: y = (0, -0.5, -0.87)
        ((0, 30, 0), "L\\HP", (2, False)),
        ((0, 0, 90), "F\\L", (0, False)),
        ((0, 0, 180), "L\\H", (0, False)),  # a half turn, no mirror
        # On its side: stored rows to the Feet, columns to the Left. A quarter turn clockwise brings the rows
        # down and the columns, which ran down, to the left: the right column then runs to the Right.
        ((0, 0, 0), "F\\L", (1, False)),
        ((0, 0, 0), "H\\R", (3, False)),
        ((0, 0, 0), "F\\R", (1, True)),
        ((0, 0, 90), "R\\F", (3, False)),
        ((0, 0, 45), "RF\\LF", (0, False)),  # x = (-0.71, 0, -0.71), y = (0.71, 0, -0.71)
    ],
)
def test_stored_image_is_turned_onto_the_camera(angles, orientation, turn):
    camera = CArm(1000.0, 500.0, *angles).camera((11, 11), (1.0, 1.0))
    found = turn_to_camera(tuple(orientation.split("\\")), camera.camera_from_patient, "f.dcm")
    assert found == Turn(*turn)


@pytest.mark.parametrize(
    ("angles", "orientation", "message"),
    [
        ((0, 0, 0), "A\\F", "runs along R and F, either way"),  # a lateral's letters with a frontal's angles
        ((0, 0, 0), "F\\A", "runs along R and F, either way"),
        ((90, 0, 0), "L\\F", "runs along A and F, either way"),
        ((35, 0, 0), "RP\\F", "runs along RA and F, either way"),  # right about R, wrong about P
        ((35, 0, 0), "A\\F", "runs along RA and F"),  # not the dominant direction
        ((0, 30, 0), "R\\FP", "runs along R and FA"),
        ((0, 0, 0), "R\\R", "runs along R and F"),
        ((0, 0, 45), "R\\F", "in several ways"),  # x and -y both run to R, x and y both to F
        ((0, 0, 0), "LE\\F", "'LE'"),  # a dog's letters
    ],
)
def test_orientation_that_does_not_fit_is_refused(angles, orientation, message):
    camera = CArm(1000.0, 500.0, *angles).camera((11, 11), (1.0, 1.0))
    with pytest.raises(InputError) as error:
        turn_to_camera(tuple(orientation.split("\\")), camera.camera_from_patient, "f.dcm")
    assert message in str(error.value)
    assert "f.dcm: PatientOrientation (0020,0020)" in str(error.value)
    assert "--camera" in str(error.value)


def test_letters_name_the_dominant_direction_first():
    assert letters_of(np.array([-0.82, 0.57, 0.0])) == "RP"
    assert letters_of(np.array([0.05, 0.0, -1.0])) == "F"


def test_a_marker_on_the_patients_left_is_right_in_the_file_and_left_in_memory(frontal):
    # (10, 0, 0) is 10 mm to the patient's left, magnified 1000/500 = 2: 20 px from the centre (50, 49.5).
    # The source sees it left of the centre: u = 50 - 20 = 30. The file shows it right: 100 - 30 = 70.
    xray = read_dicom_xray(frontal)
    np.testing.assert_allclose(xray.camera.project(np.array([10.0, 0, 0])), [30, 49.5])
    stored = pydicom.dcmread(frontal)
    assert list(stored.PatientOrientation) == ["L", "F"]
    assert stored.pixel_array[20, 70] == 100
    assert np.unravel_index(xray.line_integrals.argmax(), (100, 101)) == (20, 30)
    assert xray.line_integrals[20, 30] == pytest.approx(np.log(10))
    assert xray.notes[:-1] == (
        "flipped left-right: stored as seen from the detector (PatientOrientation (0020,0020) L\\F)",
    )


def test_the_same_image_results_however_it_is_stored(tmp_path):
    image = np.random.default_rng(0).integers(100, 4000, (12, 15), dtype=np.uint16)
    carm = CArm(1100.0, 750.0, 30.0, -20.0)
    for flip_columns in (False, True):
        for flip_rows in (False, True):
            path = tmp_path / "x.dcm"
            write_dicom_xray(path, image, carm, (0.3, 0.3), flip_columns=flip_columns, flip_rows=flip_rows)
            xray = read_dicom_xray(path)
            expected = line_integrals_from_transmission(image.astype(float), np.ones(image.shape, bool))
            np.testing.assert_array_equal(xray.line_integrals, expected)
            assert len(xray.notes[:-1]) == 1  # the last says what I0 is
            seen_from = "detector" if flip_columns != flip_rows else "source"  # both flips are half a turn
            assert f"stored as seen from the {seen_from}" in xray.notes[0]


def test_camera_survives_the_file_to_the_precision_of_its_tags(tmp_path):
    # Decimal strings hold 16 characters, the detector rotation is a 32 bit float.
    carm = CArm(
        1195.123456789, 785.987654321, -32.1234567890123, 17.9876543210987, 12.345678, (5.0, -7.0, 3.0)
    )
    path = tmp_path / "oblique.dcm"
    image = np.full((8, 10), 5, np.uint16)
    write_dicom_xray(
        path, image, carm, (0.154321987654321, 0.2), frame_of_reference_uid="1.2.3", study_uid="1.2.4"
    )
    xray = read_dicom_xray(path, isocenter=carm.isocenter)
    expected = carm.camera((10, 8), (0.154321987654321, 0.2))
    np.testing.assert_allclose(xray.camera.K, expected.K, rtol=1e-12)
    np.testing.assert_allclose(xray.camera.camera_from_patient, expected.camera_from_patient, atol=1e-5)
    again = carm_from_camera(xray.camera, carm.source_to_isocenter_mm)
    assert again.primary_deg == pytest.approx(carm.primary_deg, abs=1e-9)
    assert again.secondary_deg == pytest.approx(carm.secondary_deg, abs=1e-9)
    assert again.tertiary_deg == pytest.approx(carm.tertiary_deg, abs=1e-6)
    assert (xray.frame_of_reference_uid, xray.modality) == ("1.2.3", "XA")
    assert pydicom.dcmread(path).StudyInstanceUID == "1.2.4"


def test_detector_rotation_turns_about_the_axis_to_the_source(frontal):
    # DICOM: positive about the axis isocenter -> source, here +y (posterior). That turns the rows, which
    # ran to the Right (-x), by 90 degrees about +y: (-1, 0, 0) -> (0, 0, +1), to the Head.
    dataset = pydicom.dcmread(frontal)
    dataset.IsocenterReferenceSystemSequence[0].PositionerIsocenterDetectorRotationAngle = 90.0
    # Seen from the source, the rows run to the Head and the columns to the Right; stored as seen from the
    # detector, the rows run the other way.
    dataset.PatientOrientation = ["F", "R"]
    dataset.save_as(frontal)
    xray = read_dicom_xray(frontal)
    np.testing.assert_allclose(xray.camera.patient_from_camera[:3, 0], [0, 0, 1], atol=1e-7)
    np.testing.assert_allclose(xray.camera.patient_from_camera[:3, 1], [-1, 0, 0], atol=1e-7)
    assert xray.notes[:-1] == (
        "flipped left-right: stored as seen from the detector (PatientOrientation (0020,0020) F\\R)",
    )


def test_imager_pixel_spacing_is_row_then_column(frontal):
    xray = read_dicom_xray(changed(frontal, ImagerPixelSpacing=[0.5, 0.25]))
    assert xray.camera.pixel_spacing_mm == pytest.approx((0.25, 0.5))  # (column, row)
    assert xray.camera.K[0, 0] == pytest.approx(4000)  # 1000 mm / 0.25 mm


def test_written_file_says_that_it_is_simulated(frontal):
    dataset = pydicom.dcmread(frontal)
    assert dataset.SOPClassUID.name == "X-Ray Angiographic Image Storage"
    assert dataset.file_meta.TransferSyntaxUID.name == "Explicit VR Little Endian"
    assert (dataset.PhotometricInterpretation, dataset.PixelIntensityRelationship) == ("MONOCHROME2", "LIN")
    assert list(dataset.ImageType)[:1] == ["DERIVED"]
    assert "Simulated" in dataset.DerivationDescription
    assert "Simulated" in str(dataset.PatientName)


def test_only_16_bit_images_are_written(tmp_path):
    with pytest.raises(InputError, match="uint16"):
        write_dicom_xray(tmp_path / "x.dcm", np.ones((4, 4)), FRONTAL, (1.0, 1.0))


@pytest.mark.parametrize(
    ("tags", "remedy"),
    [
        (("DistanceSourceToDetector", "(0018,1110)"), "--camera"),
        (("DistanceSourceToPatient", "(0018,1111)"), "--camera"),
        (("ImagerPixelSpacing", "(0018,1164)"), "--camera"),
        (("PositionerPrimaryAngle", "(0018,1510)"), "--camera"),
        (("PositionerSecondaryAngle", "(0018,1511)"), "--camera"),
        (("PatientOrientation", "(0020,0020)"), "--camera"),
        (("PixelIntensityRelationship", "(0028,1040)"), "intensity"),
        (("Rows", "(0028,0010)"), "--camera"),
        (("Modality", "(0008,0060)"), "XA, RF, DX, CR"),
        (("PhotometricInterpretation", "(0028,0004)"), "--camera"),
    ],
)
def test_missing_tag_is_named_with_file_and_remedy(frontal, tags, remedy):
    keyword, number = tags
    with pytest.raises(InputError) as error:
        read_dicom_xray(changed(frontal, **{keyword: None}))
    message = str(error.value)
    assert message.startswith(f"{frontal}: {keyword} {number} is missing")
    assert remedy in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"NumberOfFrames": "3"}, "NumberOfFrames (0028,0008) is 3, and nothing says which to take"),
        ({"DistanceSourceToPatient": "1000"}, "(0018,1111) 1000 mm is not below DistanceSourceToDetector"),
        ({"DistanceSourceToDetector": "0"}, "DistanceSourceToDetector (0018,1110) is 0, not positive"),
        ({"DistanceSourceToDetector": None, "Modality": "CT"}, "Modality (0008,0060) is CT"),
        ({"ImagerPixelSpacing": "0.5"}, "ImagerPixelSpacing (0018,1164) is 0.5, not 2 finite numbers"),
        ({"PhotometricInterpretation": "RGB"}, "PhotometricInterpretation (0028,0004) is RGB"),
        (
            {"PixelIntensityRelationship": "DISP"},
            "PixelIntensityRelationship (0028,1040) is DISP, not LIN or LOG",
        ),
        ({"PixelIntensityRelationshipSign": 2}, "PixelIntensityRelationshipSign (0028,1041) is 2"),
        ({"PatientOrientation": ""}, "PatientOrientation (0020,0020) is empty"),
        ({"RescaleSlope": "-1"}, "RescaleSlope (0028,1053) is -1"),
        ({"ShutterShape": "BITMAP"}, "ShutterShape (0018,1600) is BITMAP"),
        ({"ShutterShape": "CIRCULAR"}, "CenterOfCircularShutter (0018,1610) is missing"),
    ],
)
def test_what_would_mislead_is_refused(frontal, tags, message):
    with pytest.raises(InputError) as error:
        read_dicom_xray(changed(frontal, **tags))
    assert message in str(error.value)
    assert str(error.value).startswith(f"{frontal}: ")
    assert " - " in str(error.value)  # a remedy follows


def test_sign_minus_one_means_larger_is_less_intensity(frontal):
    # Stored 65535 - 1000 and 65535 - 100 are the intensities 1000 and 100.
    dataset = pydicom.dcmread(frontal)
    dataset.PixelData = (65535 - dataset.pixel_array).astype("<u2").tobytes()
    dataset.PixelIntensityRelationshipSign = -1
    dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.save_as(frontal)
    xray = read_dicom_xray(frontal)
    assert xray.line_integrals[20, 30] == pytest.approx(np.log(10), rel=1e-4)
    assert xray.line_integrals[0, 0] == pytest.approx(0, abs=1e-6)
    assert any("inverted" in note for note in xray.notes)


def test_photometric_interpretation_only_says_how_to_show_it(frontal):
    as_stored = read_dicom_xray(frontal).line_integrals
    shown_inverted = read_dicom_xray(changed(frontal, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(shown_inverted.line_integrals, as_stored)


def test_sign_is_required_where_its_absence_means_nothing(frontal):
    changed(frontal, PixelIntensityRelationshipSign=None)
    read_dicom_xray(frontal)  # XA has no such tag: LIN is proportional to the intensity
    with pytest.raises(InputError, match=r"PixelIntensityRelationshipSign \(0028,1041\) is missing \(DX"):
        read_dicom_xray(changed(frontal, Modality="DX"))


@pytest.mark.parametrize(("sign", "expected"), [(1, 900), (-1, -900)])
def test_log_pixels_are_line_integrals_up_to_their_scale(frontal, sign, expected):
    # Values 1000, and 100 at the marker; the 16 bit range counts as ln(1000).
    changed(frontal, PixelIntensityRelationship="LOG", PixelIntensityRelationshipSign=sign)
    image = read_dicom_xray(frontal).line_integrals
    assert image[20, 30] - image[0, 0] == pytest.approx(expected * np.log(1000) / 65535, rel=1e-4)


def test_rescale_is_applied(frontal):
    # 2 p + 800: 2800 and 1000.
    xray = read_dicom_xray(changed(frontal, RescaleSlope="2", RescaleIntercept="800"))
    assert xray.line_integrals[20, 30] == pytest.approx(np.log(2.8))


def test_rectangular_shutter_covers_its_edges():
    dataset = pydicom.Dataset()
    dataset.ShutterShape = "RECTANGULAR"
    dataset.ShutterLeftVerticalEdge, dataset.ShutterRightVerticalEdge = 2, 6
    dataset.ShutterUpperHorizontalEdge, dataset.ShutterLowerHorizontalEdge = 1, 4
    # Counted from 1, columns 3..5 and rows 2..3 are open: from 0, columns 2..4 and rows 1..2.
    (shutter,) = shutters_of(dataset, "f.dcm")
    assert shutter.rectangle == (2, 4, 1, 2)
    assert shutter.mask((5, 8)).sum() == 6


def test_shutter_is_flipped_with_the_image(tmp_path):
    image = np.full((20, 30), 7, np.uint16)
    shutter = Shutter(rectangle=(2, 12, 3, 15), circle=(8.0, 9.0, 6.0))
    path = tmp_path / "s.dcm"
    write_dicom_xray(path, image, FRONTAL, (1.0, 1.0), shutter=shutter)
    assert pydicom.dcmread(path).ShutterRightVerticalEdge == 29 - 2 + 2
    xray = read_dicom_xray(path)
    np.testing.assert_array_equal(xray.mask, shutter.mask((20, 30)))
    assert xray.mask[9, 8]
    assert not xray.mask[9, 1]
    assert not xray.mask[9, 15]


def test_circular_shutter_counts_its_radius_in_columns():
    # Rows twice as far apart as columns: radius 4 columns = 2 rows.
    mask = Shutter(circle=(5.0, 5.0, 4.0)).mask((11, 11), columns_per_row=2.0)
    assert mask[5].sum() == 9
    assert mask[:, 5].sum() == 5


def test_collimator_and_padding_are_masked(frontal):
    changed(
        frontal,
        CollimatorShape="CIRCULAR",
        CenterOfCircularCollimator=[50, 51],
        RadiusOfCircularCollimator=10,
        PixelPaddingValue=100,
    )
    mask = read_dicom_xray(frontal).mask
    assert mask[49, 50]
    assert not mask[20, 30]
    assert not mask[0, 0]


def test_image_that_is_all_covered_is_refused(frontal):
    with pytest.raises(InputError, match="no open pixel"):
        read_dicom_xray(changed(frontal, PixelPaddingValue=0, PixelPaddingRangeLimit=65535))


def test_damaged_pixels_are_a_one_line_error(frontal):
    dataset = pydicom.dcmread(frontal)
    dataset.PixelData = dataset.PixelData[:100]
    dataset.save_as(frontal)
    with pytest.raises(InputError, match="has 100 bytes") as error:
        read_dicom_xray(frontal)
    assert "\n" not in str(error.value)


def test_no_dicom(tmp_path):
    path = tmp_path / "letter.dcm"
    path.write_text("Dear colleague")
    with pytest.raises(InputError, match="SOPClassUID"):
        read_dicom_xray(path)
    with pytest.raises(InputError, match="no such file"):
        read_dicom_xray(tmp_path / "absent.dcm")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fo-dicom_XA_rubo_96frames.dcm", "NumberOfFrames (0028,0008) is 96"),
        ("NEMA_WG04_XA1_UNC.dcm", "DistanceSourceToDetector (0018,1110) is missing"),
        ("highdicom_dx_thorax_tiny.dcm", "DistanceSourceToPatient (0018,1111) is missing"),
        ("NEMA_WG04_RG3_tibia_CR_J2KR.dcm", "DistanceSourceToDetector (0018,1110) is missing"),
    ],
)
def test_real_headers_say_what_they_lack(data, name, says):
    with pytest.raises(InputError) as error:
        read_dicom_xray(data / "xray_dicom" / name)
    assert f"{name}: {says}" in str(error.value)
    assert "--camera" in str(error.value) or "--frame" in str(error.value)
    assert "\n" not in str(error.value)


# --- Runs of frames ---

RUN = np.stack([np.full((6, 8), value, np.uint16) for value in (1000, 2000, 3000)])
RUN[:, 2, 5] = 100, 20, 3


def test_each_frame_of_a_run_is_read_as_if_it_were_alone(tmp_path):
    path, alone = tmp_path / "run.dcm", tmp_path / "alone.dcm"
    write_dicom_xray(path, RUN, FRONTAL, (1.0, 1.0))
    assert frame_count(path) == 3
    for number, image in enumerate(RUN, start=1):
        write_dicom_xray(alone, image, FRONTAL, (1.0, 1.0))
        assert frame_count(alone) == 1
        xray = read_dicom_xray(path, frame=number)
        np.testing.assert_array_equal(xray.line_integrals, read_dicom_xray(alone).line_integrals)
        assert xray.line_integrals[2, 5] == pytest.approx(np.log((10, 100, 1000)[number - 1]), rel=1e-6)
        np.testing.assert_array_equal(
            xray.camera.camera_from_patient, read_dicom_xray(alone).camera.camera_from_patient
        )


@pytest.mark.parametrize(
    ("frame", "message"),
    [(None, "choose one of the 3 frames (--frame)"), (0, "has no frame 0"), (4, "choose one from 1 to 3")],
)
def test_a_frame_must_be_named_and_be_there(tmp_path, frame, message):
    write_dicom_xray(tmp_path / "run.dcm", RUN, FRONTAL, (1.0, 1.0))
    with pytest.raises(InputError) as error:
        read_dicom_xray(tmp_path / "run.dcm", frame=frame)
    assert message in str(error.value)


def test_a_turning_c_arm_has_each_frames_own_angles(tmp_path):
    # LAO 10, cranial 5 at the first frame; 4 degrees more and 2 less with each: the third is at 18 and 1.
    path = tmp_path / "run.dcm"
    carm = CArm(1000.0, 500.0, 10.0, 5.0)
    write_dicom_xray(path, RUN, carm, (1.0, 1.0), angle_steps_deg=(4.0, -2.0))
    for number, angles in ((1, (10, 5)), (3, (18, 1))):
        found = carm_from_camera(read_dicom_xray(path, frame=number).camera, 500.0)
        assert (found.primary_deg, found.secondary_deg) == pytest.approx(angles, abs=1e-6)


def test_the_orientation_in_the_file_is_that_of_the_first_frame(tmp_path):
    # Frontal at first (L\\F), 80 degrees on the last of three frames, where rows run from back to front.
    path = tmp_path / "run.dcm"
    write_dicom_xray(path, RUN, FRONTAL, (1.0, 1.0), angle_steps_deg=(40.0, 0.0))
    last = read_dicom_xray(path, frame=3)
    assert last.line_integrals[2, 5] == pytest.approx(np.log(1000), rel=1e-6)  # flipped as the first one


def test_a_moving_table_is_told(tmp_path):
    path = tmp_path / "run.dcm"
    write_dicom_xray(path, RUN, FRONTAL, (1.0, 1.0))
    changed(path, TableVerticalIncrement=["0", "0", "0"], TableLateralIncrement=["0", "2", "4"])
    assert not any("table" in note for note in read_dicom_xray(path, frame=1).notes)
    (note,) = (note for note in read_dicom_xray(path, frame=3).notes if "table" in note)
    assert "TableLateralIncrement (0018,1136)" in note


def test_one_increment_is_the_change_from_frame_to_frame_and_several_are_offsets(tmp_path):
    # PS3.3 C.8.7.5.1.3. A mean change of 4 degrees: the third frame is 8 from the first. Offsets 1, 7, 30
    # count from the initial angle, also that of the first frame.
    path = tmp_path / "run.dcm"
    write_dicom_xray(path, RUN, FRONTAL, (1.0, 1.0))
    changed(path, PositionerPrimaryAngleIncrement="4")
    assert angles_of_frame(pydicom.dcmread(path), 3, 3, path) == (8, 0)
    changed(path, PositionerPrimaryAngleIncrement=["1", "7", "30"])
    assert [angles_of_frame(pydicom.dcmread(path), frame, 3, path)[0] for frame in (1, 2, 3)] == [1, 7, 30]
    changed(path, PositionerPrimaryAngleIncrement=["1", "7"])
    with pytest.raises(InputError, match="not 3 finite numbers"):
        read_dicom_xray(path, frame=1)


def test_a_frame_of_a_real_run_is_decoded(data):
    path = data / "xray_dicom" / "fo-dicom_XA_rubo_96frames.dcm"
    assert frame_count(path) == 96
    camera_file = CameraFile((512, 512), np.diag([5000.0, 5000, 1]), np.eye(4), intensity="transmission")
    first, last = (read_xray(path, camera_file, frame=frame) for frame in (1, 96))
    assert first.line_integrals.shape == (512, 512)
    assert (first.line_integrals != last.line_integrals).mean() > 0.5


# --- Geometry by hand ---


def test_found_geometry_is_what_the_tags_say(frontal):
    assert geometry_found(frontal) == XrayGeometry(1000.0, 500.0, (1.0, 1.0), 0.0, 0.0, "file", "file")
    changed(
        frontal, DistanceSourceToPatient=None, PatientOrientation=None, ImagerPixelSpacing=["0.5", "0.25"]
    )
    found = geometry_found(frontal)
    assert found.missing == ("source-to-isocenter distance", "side from which it is seen")
    assert found.pixel_spacing_mm == (0.25, 0.5)  # (column, row); DICOM has the rows first


def test_what_a_file_lacks_can_be_given_by_hand(frontal):
    whole = read_dicom_xray(frontal, (1.0, 2.0, 3.0))
    lost = (
        "DistanceSourceToPatient",
        "PositionerPrimaryAngle",
        "PatientOrientation",
        "PixelIntensityRelationship",
    )
    changed(frontal, **dict.fromkeys(lost))
    with pytest.raises(InputError, match="incomplete: source-to-isocenter distance, primary angle"):
        read_dicom_xray(frontal, geometry=geometry_found(frontal))
    geometry = replace(
        geometry_found(frontal),
        source_to_isocenter_mm=500.0,
        primary_deg=0.0,
        intensity="transmission",
        seen_from="detector",
    )
    xray = read_dicom_xray(frontal, (1.0, 2.0, 3.0), geometry=geometry)
    np.testing.assert_array_equal(xray.line_integrals, whole.line_integrals)
    np.testing.assert_array_equal(xray.camera.camera_from_patient, whole.camera.camera_from_patient)
    np.testing.assert_array_equal(xray.camera.K, whole.camera.K)
    assert xray.notes[0].startswith("given by hand: source-to-isocenter distance, primary angle, meaning")


def test_the_same_by_hand_as_in_the_tags_changes_nothing(frontal):
    whole, again = read_dicom_xray(frontal), read_dicom_xray(frontal, geometry=geometry_found(frontal))
    assert again.notes == whole.notes
    np.testing.assert_array_equal(again.camera.camera_from_patient, whole.camera.camera_from_patient)


def test_what_the_file_does_not_say_is_not_taken_from_it(frontal):
    changed(frontal, PatientOrientation=None)
    geometry = replace(geometry_found(frontal), seen_from="file")
    with pytest.raises(InputError, match="incomplete: side from which it is seen"):
        read_dicom_xray(frontal, geometry=geometry)
