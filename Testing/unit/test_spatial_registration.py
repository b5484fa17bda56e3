"""Spatial Registration objects: the attributes that PS3.3 asks for, and their numbers there and back."""

import numpy as np
import pydicom
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import CArm, exp_se3
from xrayreg.images import (
    SpatialRegistration,
    frame_of_reference_uid,
    read_spatial_registration,
    write_dicom_xray,
    write_spatial_registration,
)

CT, CARM = "1.2.3.4", "1.2.3.5"
# A quarter turn about z and a shift: (1, 0, 0) of the C-arm is (10, 21, -30) of the CT.
CT_FROM_CARM = np.array([[0.0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, -30], [0, 0, 0, 1]])

# Type 1 (a value) and type 2 (may be empty) of the mandatory modules of PS3.3 A.39.1.3: Patient C.7.1.1,
# General Study C.7.2.1, General Series C.7.3.1, Spatial Registration Series C.20.1, Frame of Reference
# C.7.4.1, General Equipment C.7.5.1, Spatial Registration C.20.2 with 10.9, SOP Common C.12.1.
TYPE_1 = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "ContentDate"),
    *("FrameOfReferenceUID", "ContentTime", "InstanceNumber", "ContentLabel", "RegistrationSequence"),
)
TYPE_2 = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
    *("ReferringPhysicianName", "AccessionNumber", "SeriesNumber", "PositionReferenceIndicator"),
    *("Manufacturer", "ContentDescription", "ContentCreatorName"),
)


@pytest.fixture
def xray(tmp_path):
    path = tmp_path / "xray.dcm"
    pixels = np.full((4, 5), 1000, np.uint16)
    pixels[1, 3] = 100
    write_dicom_xray(
        path, pixels, CArm(1000.0, 700.0, 0, 0), (0.5, 0.5), frame_of_reference_uid=CARM, study_uid="1.9"
    )
    return path


@pytest.fixture
def written(tmp_path, xray):
    registration = SpatialRegistration(CT, {CARM: CT_FROM_CARM})
    path = tmp_path / "registration.dcm"
    write_spatial_registration(path, registration, images={CARM: [xray]}, description="test", study_uid="1.9")
    return path


def test_every_required_attribute_is_there(written):
    dataset = pydicom.dcmread(written)
    assert [name for name in TYPE_1 if not dataset.get(name)] == []
    assert [name for name in TYPE_2 if name not in dataset] == []
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.1"
    assert (dataset.Modality, dataset.FrameOfReferenceUID, dataset.StudyInstanceUID) == ("REG", CT, "1.9")
    for item in dataset.RegistrationSequence:
        (registration,) = item.MatrixRegistrationSequence
        (matrix,) = registration.MatrixSequence
        assert "RegistrationTypeCodeSequence" in registration
        assert matrix.FrameOfReferenceTransformationMatrixType == "RIGID"


def test_the_matrix_is_row_by_row_from_the_frame_to_the_registered_one(written):
    ct, carm = pydicom.dcmread(written).RegistrationSequence
    assert (ct.FrameOfReferenceUID, carm.FrameOfReferenceUID) == (CT, CARM)

    def numbers(item):
        matrix = item.MatrixRegistrationSequence[0].MatrixSequence[0]
        return [float(x) for x in matrix.FrameOfReferenceTransformationMatrix]

    assert numbers(ct) == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    assert numbers(carm) == [0, -1, 0, 10, 1, 0, 0, 20, 0, 0, 1, -30, 0, 0, 0, 1]


def test_the_images_of_a_frame_are_referenced(written, xray):
    dataset, image = pydicom.dcmread(written), pydicom.dcmread(xray)
    (reference,) = dataset.RegistrationSequence[1].ReferencedImageSequence
    assert reference.ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert reference.ReferencedSOPClassUID == image.SOPClassUID
    (series,) = dataset.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == image.SeriesInstanceUID
    assert series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == image.SOPInstanceUID
    assert "ReferencedImageSequence" not in dataset.RegistrationSequence[0]


def test_the_way_back(written):
    found = read_spatial_registration(written)
    assert found.frame_of_reference_uid == CT
    np.testing.assert_array_equal(found.between(CT, CARM), CT_FROM_CARM)
    np.testing.assert_allclose(found.between(CARM, CT) @ [10, 21, -30, 1], [1, 0, 0, 1])
    with pytest.raises(KeyError):
        found.between(CT, "1.2.3.6")


def test_a_turn_of_any_angle_keeps_its_digits(tmp_path):
    motion = exp_se3([0.3, -0.7, 1.1, 1234.56789012345, -20, 1 / 3])
    path = tmp_path / "r.dcm"
    write_spatial_registration(path, SpatialRegistration(CT, {CARM: motion}), images={}, description="x" * 80)
    np.testing.assert_allclose(read_spatial_registration(path).between(CT, CARM), motion, rtol=0, atol=1e-9)
    assert len(pydicom.dcmread(path).ContentDescription) == 64


def test_what_is_not_rigid_is_not_written(tmp_path):
    with pytest.raises(InputError, match="not rigid"):
        write_spatial_registration(
            tmp_path / "r.dcm", SpatialRegistration(CT, {CARM: 2 * np.eye(4)}), images={}, description=""
        )
    assert not (tmp_path / "r.dcm").exists()


def scaled(dataset):
    matrix = dataset.RegistrationSequence[1].MatrixRegistrationSequence[0].MatrixSequence[0]
    matrix.FrameOfReferenceTransformationMatrixType = "RIGID_SCALE"


def short(dataset):
    matrix = dataset.RegistrationSequence[1].MatrixRegistrationSequence[0].MatrixSequence[0]
    matrix.FrameOfReferenceTransformationMatrix = [1, 0, 0]


def frameless(dataset):
    del dataset.RegistrationSequence[1].FrameOfReferenceUID


def two_matrices(dataset):
    registration = dataset.RegistrationSequence[1].MatrixRegistrationSequence[0]
    registration.MatrixSequence = list(registration.MatrixSequence) * 2


def without_items(dataset):
    dataset.RegistrationSequence = []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (scaled, r"FrameOfReferenceTransformationMatrix \(3006,00C6\) is not rigid.*RIGID_SCALE"),
        (short, "not 16 finite numbers"),
        (frameless, r"FrameOfReferenceUID \(0020,0052\) is missing"),
        (two_matrices, "holds 2 matrices"),
        (without_items, r"RegistrationSequence \(0070,0308\) is empty"),
    ],
)
def test_what_is_malformed_is_named(written, change, message):
    dataset = pydicom.dcmread(written)
    change(dataset)
    dataset.save_as(written)
    with pytest.raises(InputError, match=message) as refused:
        read_spatial_registration(written)
    assert str(written) in str(refused.value)


def test_another_object_is_refused(xray, tmp_path):
    with pytest.raises(InputError, match="X-Ray Angiographic Image Storage"):
        read_spatial_registration(xray)
    with pytest.raises(InputError, match="no such file"):
        read_spatial_registration(tmp_path / "gone.dcm")


def test_the_frame_of_reference_of_a_file(xray, tmp_path):
    assert frame_of_reference_uid(xray) == CARM
    (tmp_path / "note.txt").write_text("no DICOM")
    assert frame_of_reference_uid(tmp_path / "note.txt") == ""
