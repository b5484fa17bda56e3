"""Tags of the C-arm that are missing, impossible or contradict each other: read with a note, or refused.

The file: distances 1000 and 500 mm, 100 rows x 101 columns of 1 mm, frontal, HFS, stored as seen from the
detector (L\\F).
"""

import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset
from xrayreg.errors import InputError
from xrayreg.geometry import CArm, carm_from_camera
from xrayreg.images import Turn, XrayGeometry, geometry_found, read_dicom_xray, write_dicom_xray


@pytest.fixture
def frontal(tmp_path):
    path = tmp_path / "frontal.dcm"
    image = np.full((100, 101), 1000, np.uint16)
    image[20, 30] = 100
    write_dicom_xray(path, image, CArm(1000.0, 500.0, 0.0, 0.0), (1.0, 1.0))
    return path


def changed(path, equipment=None, **tags):
    """The same file with tags set, or removed where None; ``equipment``: those of the isocenter's item."""
    dataset = pydicom.dcmread(path)
    items = [(dataset, tags), (dataset.IsocenterReferenceSystemSequence[0], equipment or {})]
    for target, values in items:
        for keyword, value in values.items():
            if value is None:
                delattr(target, keyword)
            else:
                target.add_new(keyword, dictionary_VR(keyword), value)
    dataset.save_as(path)
    return path


def refusal(path, **options):
    with pytest.raises(InputError) as error:
        read_dicom_xray(path, **options)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert " - " in message  # a remedy follows
    return message


# --- Field of view ---


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (
            {"FieldOfViewRotation": "45"},
            "FieldOfViewRotation (0018,7032) is 45, not 0, 90, 180 or 270 degrees",
        ),
        ({"FieldOfViewHorizontalFlip": "Y"}, "FieldOfViewHorizontalFlip (0018,7034) is Y, not YES or NO"),
        (
            {"FieldOfViewRotation": "90", "FieldOfViewHorizontalFlip": None},
            "FieldOfViewRotation (0018,7032) turns the image, but FieldOfViewHorizontalFlip (0018,7034) is "
            "missing",
        ),
        # The detector's rows run to the left, L\F; half a turn would make them R\H.
        (
            {"FieldOfViewRotation": "180"},
            "PatientOrientation (0020,0020) L\\F contradicts FieldOfViewRotation (0018,7032) 180 and "
            "FieldOfViewHorizontalFlip (0018,7034) NO: to be as the source sees it, the image is to be "
            "flipped left-right by the first, but flipped up-down by the second",
        ),
        ({"FieldOfViewHorizontalFlip": "YES"}, "PatientOrientation (0020,0020) L\\F contradicts"),
        ({"PatientOrientation": ["R", "F"]}, "PatientOrientation (0020,0020) R\\F contradicts"),
        # A patient whose feet are at the table's head has the detector's rows along R\H.
        (
            {"PatientPosition": "FFS"},
            "contradicts FieldOfViewRotation (0018,7032) 0 and FieldOfViewHorizontalFlip (0018,7034) NO",
        ),
        # Mirroring can be compared though the position is not known.
        (
            {"PatientPosition": None, "FieldOfViewHorizontalFlip": "YES"},
            "PatientOrientation (0020,0020) L\\F",
        ),
        (
            {"FieldOfViewOrigin": ["0", "8"]},
            "but DetectorActiveDimensions (0018,7026) does not say how large",
        ),
        (
            {"FieldOfViewOrigin": ["90", "8"], "PhysicalDetectorSize": [120.0, 141.0]},
            "DetectorElementSpacing (0018,7022) is missing",
        ),
        # 100 mm from row 90 of 0.5 mm: ends at 145 mm of 120.
        (
            {
                "FieldOfViewOrigin": ["90", "8"],
                "DetectorActiveDimensions": ["120", "141"],
                "DetectorElementSpacing": ["0.5", "0.5"],
            },
            "make a field of view that leaves the detector of 120 x 141 mm",
        ),
        (
            {"FieldOfViewShape": "RECTANGLE", "FieldOfViewDimensions": ["200", "202"]},
            "FieldOfViewDimensions (0018,1149) is 200 x 202 mm, but the rows and columns make 100 x 101 mm",
        ),
    ],
)
def test_field_of_view_that_misleads_is_refused(frontal, tags, message):
    assert message in refusal(changed(frontal, **tags))


ON_A_DETECTOR = {"DetectorActiveDimensions": ["120", "141"], "DetectorElementSpacing": ["0.5", "0.5"]}


@pytest.mark.parametrize(
    ("tags", "point"),
    [
        # 100 x 101 mm in 120 x 141 mm: centred if it starts 10 and 20 mm (20 and 40 elements) in.
        ({"FieldOfViewOrigin": ["20", "40"], **ON_A_DETECTOR}, (50, 49.5)),
        # 6 mm higher up and 8 mm further left on the detector: the middle lies 6 rows lower, 8 columns right
        # of the image's. The source sees it left.
        ({"FieldOfViewOrigin": ["8", "24"], **ON_A_DETECTOR}, (42, 55.5)),
        # The active area starts 10 elements = 5 mm from the corner both ways: 5 mm more each.
        (
            {"FieldOfViewOrigin": ["8", "24"], "DetectorActiveOrigin": ["10", "10"], **ON_A_DETECTOR},
            (37, 60.5),
        ),
        # Physical size, not the active area, where both are there: 60 mm and 75 mm from the corner are the
        # middle, 4 mm and 12 mm of them outside the field: 56 - 50 = 6 rows, 63 - 50.5 = 12.5 columns.
        (
            {"FieldOfViewOrigin": ["8", "24"], "PhysicalDetectorSize": [120.0, 150.0], **ON_A_DETECTOR},
            (37.5, 55.5),
        ),
        ({"FieldOfViewOrigin": ["0", "0"]}, (50, 49.5)),  # nothing says how large the detector is
        ({"FieldOfViewShape": "ROUND", "FieldOfViewDimensions": ["200"]}, (50, 49.5)),
    ],
)
def test_the_central_ray_meets_the_middle_of_the_detector(frontal, tags, point):
    np.testing.assert_allclose(read_dicom_xray(changed(frontal, **tags)).camera.K[:2, 2], point, atol=1e-6)


def test_an_off_centre_field_needs_to_know_how_it_was_turned(frontal):
    both = {"FieldOfViewRotation": None, "FieldOfViewHorizontalFlip": None}
    read_dicom_xray(changed(frontal, FieldOfViewOrigin=["20", "40"], **ON_A_DETECTOR, **both))
    message = refusal(changed(frontal, FieldOfViewOrigin=["8", "24"]))
    assert "FieldOfViewRotation (0018,7032) and FieldOfViewHorizontalFlip (0018,7034) are missing" in message


def test_a_quarter_turn_that_only_patient_orientation_tells(frontal):
    # Stored rows to the Feet, columns to the Left: turned clockwise by hand from R\F, as the source sees it.
    expected = read_dicom_xray(frontal)
    dataset = pydicom.dcmread(frontal)
    on_its_side = np.rot90(dataset.pixel_array[:, ::-1], 1)  # from the source, then a quarter turn back
    dataset.PixelData = np.ascontiguousarray(on_its_side).tobytes()
    dataset.Rows, dataset.Columns = on_its_side.shape
    dataset.PatientOrientation = ["F", "L"]
    del dataset.FieldOfViewRotation, dataset.FieldOfViewHorizontalFlip
    dataset.save_as(frontal)
    xray = read_dicom_xray(frontal)
    np.testing.assert_array_equal(xray.line_integrals, expected.line_integrals)
    np.testing.assert_allclose(xray.camera.K, expected.camera.K)
    note, _ = xray.notes  # the second says what I0 is
    assert note.startswith("turned by 90 degrees clockwise; stored as seen from the source, mirrored to what")
    assert "(PatientOrientation (0020,0020) F\\L)" in note


def test_the_side_given_by_hand_goes_before_tags_that_contradict(frontal):
    changed(frontal, FieldOfViewHorizontalFlip="YES")
    geometry = XrayGeometry(1000.0, 500.0, (1.0, 1.0), 0.0, 0.0, "file", "detector")
    assert read_dicom_xray(frontal, geometry=geometry).line_integrals.argmax() == 20 * 101 + 30


# --- Spacing ---


@pytest.mark.parametrize(
    ("tags", "note"),
    [
        ({"PixelSpacing": ["1", "1"]}, None),  # not corrected
        ({"PixelSpacing": ["0.5", "0.5"]}, None),  # 1 mm / (1000 / 500)
        ({"PixelSpacing": ["0.505", "0.505"], "PixelSpacingCalibrationType": "GEOMETRY"}, None),  # 1 %
        ({"PixelSpacing": ["0.7", "0.7"], "PixelSpacingCalibrationType": "FIDUCIAL"}, "70% of the way"),
        ({"PixelSpacing": ["0.7", "0.7"]}, "a plane at 70% of the way from the source to the detector"),
    ],
)
def test_pixel_spacing_beside_imager_pixel_spacing(frontal, tags, note):
    xray = read_dicom_xray(changed(frontal, **tags))
    assert xray.camera.pixel_spacing_mm == pytest.approx((1, 1))
    said = [each for each in xray.notes if "PixelSpacing (0028,0030)" in each]
    assert [note in each for each in said] == ([True] if note else [])


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (
            {"PixelSpacing": ["0.7", "0.7"], "PixelSpacingCalibrationType": "GEOMETRY"},
            "PixelSpacing (0028,0030) is 0.7\\0.7 mm, but ImagerPixelSpacing (0018,1164) 1\\1 mm divided by "
            "the magnification 2 is 0.5\\0.5 mm",
        ),
        ({"PixelSpacing": ["1.4", "1.4"]}, "which no plane between source and detector has"),
        ({"PixelSpacing": ["0.5", "0.6"]}, "which no plane between source and detector has"),
        ({"ImagerPixelSpacing": None}, "ImagerPixelSpacing (0018,1164) is missing - "),
        (
            {"ImagerPixelSpacing": None, "PixelSpacing": ["0.5", "0.5"]},
            "is missing; PixelSpacing (0028,0030) helps only with PixelSpacingCalibrationType "
            "(0028,0A02) GEOMETRY and",
        ),
    ],
)
def test_spacing_that_misleads_is_refused(frontal, tags, message):
    assert message in refusal(changed(frontal, **tags))


def test_spacing_brought_back_to_the_detector(frontal):
    # 0.5 and 0.25 mm in the patient x 2.
    changed(
        frontal, ImagerPixelSpacing=None, PixelSpacing=["0.5", "0.25"], PixelSpacingCalibrationType="GEOMETRY"
    )
    xray = read_dicom_xray(frontal)
    assert xray.camera.pixel_spacing_mm == pytest.approx((0.5, 1.0))  # (column, row)
    assert any("computed as PixelSpacing (0028,0030) x Estimated" in note for note in xray.notes)
    assert geometry_found(frontal).pixel_spacing_mm == (0.5, 1.0)


# --- Distances ---


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (
            {"EstimatedRadiographicMagnificationFactor": "1.9"},
            "EstimatedRadiographicMagnificationFactor (0018,1114) is 1.9, but DistanceSourceToDetector "
            "(0018,1110) 1000 mm and DistanceSourceToPatient (0018,1111) 500 mm make 2",
        ),
        (
            {"DistanceSourceToIsocenter": 600.0},
            "DistanceSourceToIsocenter (0018,9402) is 600 mm, but DistanceSourceToPatient (0018,1111) is "
            "500 mm",
        ),
        ({"DistanceSourceToDetector": "nan"}, "DistanceSourceToDetector (0018,1110) is nan"),
    ],
)
def test_distances_that_contradict_each_other_are_refused(frontal, tags, message):
    assert message in refusal(changed(frontal, **tags))


@pytest.mark.parametrize(
    ("tags", "note"),
    [
        ({"DistanceSourceToEntrance": "390"}, None),
        ({"DistanceSourceToEntrance": "510"}, "(0040,0306) 510 mm is not below DistanceSourceToPatient"),
        (
            {"Modality": "DX", "PixelIntensityRelationshipSign": 1},
            "the start's depth is DistanceSourceToPatient (0018,1111), of DX the distance to the patient's",
        ),
    ],
)
def test_doubts_about_the_distance_to_the_isocenter_are_said(frontal, tags, note):
    said = [each for each in read_dicom_xray(changed(frontal, **tags)).notes if "DistanceSource" in each]
    assert [note in each for each in said] == ([True] if note else [])


def test_distance_to_the_isocenter_of_enhanced_xa(frontal):
    changed(frontal, DistanceSourceToPatient=None, DistanceSourceToIsocenter=505.0)
    assert carm_from_camera(read_dicom_xray(frontal).camera, 505.0).isocenter == pytest.approx((0, 0, 0))


def test_distances_given_by_hand_go_before_the_magnification(frontal):
    geometry = XrayGeometry(1000.0, 625.0, (1.0, 1.0), 0.0, 0.0, "file", "file")
    xray = read_dicom_xray(frontal, geometry=geometry)
    np.testing.assert_allclose(xray.camera.source_patient, [0, 625, 0], atol=1e-9)


# --- Angles ---


@pytest.mark.parametrize(
    ("tags", "equipment", "message"),
    [
        (
            {"PositionerPrimaryAngle": "200"},
            {},
            "PositionerPrimaryAngle (0018,1510) is 200, not from -180 to 180",
        ),
        (
            {"PositionerSecondaryAngle": "-91"},
            {},
            "PositionerSecondaryAngle (0018,1511) is -91, not from -90 to 90",
        ),
        (
            {"DetectorPrimaryAngle": "3"},
            {},
            "DetectorPrimaryAngle (0018,1530) is 3 degrees: the beam does not meet",
        ),
        ({"DetectorSecondaryAngle": "-3"}, {}, "DetectorSecondaryAngle (0018,1531) is -3 degrees"),
        (
            {"PositionerPrimaryAngle": "30"},
            {},
            "PositionerPrimaryAngle (0018,1510) 30 and PositionerSecondaryAngle (0018,1511) 0 degrees "
            "contradict the angles about the equipment (PositionerIsocenterPrimaryAngle (0018,9463)), "
            "which are 0 and 0 about a patient who lies HFS (PatientPosition (0018,5100))",
        ),
        # LAO of a patient on the belly, written as if on the back: the trap.
        ({"PatientPosition": "HFP"}, {}, "which are 180 and 0 about a patient who lies HFP"),
        ({}, {"TableHeadTiltAngle": 10.0}, "which are 0 and 10 about a patient who lies HFS"),
        (
            {"PositionerPrimaryAngle": None, "PositionerSecondaryAngle": None, "PatientPosition": None},
            {},
            "PatientPosition (0018,5100) is missing, so that the C-arm's angles about the equipment",
        ),
        (
            {"PositionerPrimaryAngle": None, "PositionerSecondaryAngle": None, "PatientPosition": "LFS"},
            {},
            "PatientPosition (0018,5100) is LFS, so that",
        ),
        (
            {"PatientPosition": None},
            {"TableHorizontalRotationAngle": 20.0},
            "the table is turned (TableHorizontalRotationAngle (0018,9469)), but PatientPosition (0018,5100)",
        ),
    ],
)
def test_angles_that_mislead_are_refused(frontal, tags, equipment, message):
    assert message in refusal(changed(frontal, equipment, **tags))


def test_the_equipments_angles_of_a_prone_patient_look_like_an_image_from_the_source(frontal):
    # Prone under a detector straight above: 180 about the patient. From the back, the patient's right is on
    # the right, R\F; a system that writes the equipment's 0 fits that only as seen from the source. Without
    # the equipment's tags nothing else tells.
    gone = dict.fromkeys(
        ("IsocenterReferenceSystemSequence", "FieldOfViewRotation", "FieldOfViewHorizontalFlip")
    )
    wrong = read_dicom_xray(changed(frontal, PatientOrientation=["R", "F"], **gone))
    assert any("check that the C-arm's angles are about the patient" in note for note in wrong.notes)
    dataset = pydicom.dcmread(frontal)
    dataset.PositionerPrimaryAngle = "180"
    dataset.save_as(frontal)
    right = read_dicom_xray(frontal)
    assert right.notes[:-1] == (
        "flipped left-right: stored as seen from the detector (PatientOrientation (0020,0020) R\\F)",
    )


def test_angles_that_differ_by_their_rounding_agree(frontal):
    read_dicom_xray(changed(frontal, PositionerPrimaryAngle="0.4"))
    assert "contradict" in refusal(changed(frontal, PositionerPrimaryAngle="0.6"))


@pytest.mark.parametrize("position", ["HFS", "FFS"])
def test_a_table_that_is_turned(tmp_path, position):
    # 25 degrees about the vertical, the beam vertical too: the angles about the patient stay 0. The
    # detector's lower edge comes from the patient's feet 25 degrees to the left side (FFS: from the head to
    # the right).
    path = tmp_path / "x.dcm"
    write_dicom_xray(
        path,
        np.full((8, 10), 9, np.uint16),
        CArm(1000.0, 500.0, 0.0, 0.0),
        (1.0, 1.0),
        patient_position=position,
    )
    changed(path, {"TableHorizontalRotationAngle": 25.0})
    carm = carm_from_camera(read_dicom_xray(path).camera, 500.0)
    angles = (carm.primary_deg, carm.secondary_deg, carm.tertiary_deg)
    np.testing.assert_allclose(angles, (0, 0, 25), atol=1e-5)


def test_codes_of_the_patient_s_position(frontal):
    # SNOMED: supine, feet first.
    lying, first = Dataset(), Dataset()
    lying.CodeValue, lying.CodingSchemeDesignator, lying.CodeMeaning = "40199007", "SCT", "supine"
    first.CodeValue, first.CodingSchemeDesignator, first.CodeMeaning = "102541007", "SCT", "feet-first"
    dataset = pydicom.dcmread(frontal)
    dataset.PatientOrientationModifierCodeSequence = [lying]
    dataset.PatientGantryRelationshipCodeSequence = [first]
    dataset.save_as(frontal)
    assert "PatientPosition (0018,5100) is HFS, but the codes of" in refusal(frontal)
    # Feet first, the detector's rows run to the patient's right: L\F is half a turn from that.
    message = refusal(changed(frontal, PatientPosition=None))
    assert "L\\F contradicts FieldOfViewRotation" in message
    changed(frontal, FieldOfViewRotation="180")
    assert read_dicom_xray(frontal).line_integrals.argmax() == 20 * 101 + 30


def test_angles_by_hand_go_before_both_kinds_of_tags(frontal):
    geometry = XrayGeometry(1000.0, 500.0, (1.0, 1.0), 35.0, 0.0, "file", "file")
    carm = carm_from_camera(read_dicom_xray(frontal, geometry=geometry).camera, 500.0)
    assert carm.primary_deg == pytest.approx(35)


def test_geometry_found_computes_the_angles_about_the_patient(tmp_path):
    # HFP: LAO 30 about the patient is -150 about the equipment.
    path = tmp_path / "x.dcm"
    write_dicom_xray(
        path,
        np.full((8, 10), 9, np.uint16),
        CArm(1000.0, 500.0, 30.0, 20.0),
        (1.0, 1.0),
        patient_position="HFP",
    )
    dataset = pydicom.dcmread(path)
    assert dataset.IsocenterReferenceSystemSequence[0].PositionerIsocenterPrimaryAngle == pytest.approx(-150)
    del dataset.PositionerPrimaryAngle, dataset.PositionerSecondaryAngle
    dataset.save_as(path)
    found = geometry_found(path)
    assert (found.primary_deg, found.secondary_deg) == pytest.approx((30, 20), abs=1e-5)


# --- The writer ---


def test_flips_are_written_as_the_field_of_view(tmp_path):
    image = np.full((8, 10), 9, np.uint16)
    for flips, written in {
        (True, False): ("0", "NO"),  # as the detector sees it
        (False, False): ("0", "YES"),
        (False, True): ("180", "NO"),
        (True, True): ("180", "YES"),
    }.items():
        path = tmp_path / "x.dcm"
        columns, rows = flips
        write_dicom_xray(path, image, CArm(1000.0, 500.0, 0, 0), (1, 1), flip_columns=columns, flip_rows=rows)
        dataset = pydicom.dcmread(path)
        assert (str(dataset.FieldOfViewRotation), dataset.FieldOfViewHorizontalFlip) == written


def test_off_centre_by_our_own_tags(tmp_path):
    # Central ray on column 2 of 10, row 6 of 8, of 0.5 x 0.25 mm; stored turned by 90 and flipped.
    path = tmp_path / "x.dcm"
    image = np.arange(80, dtype=np.uint16).reshape(8, 10) + 1
    options = {"field_of_view": Turn(1, True), "principal_point": (2.0, 6.0)}
    write_dicom_xray(path, image, CArm(1000.0, 500.0, 10.0, 5.0), (0.5, 0.25), **options)
    camera = read_dicom_xray(path).camera
    np.testing.assert_allclose(camera.K, [[2000, 0, 2], [0, 4000, 6], [0, 0, 1]], atol=1e-9)
