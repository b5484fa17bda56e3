"""geometry.json: what an X-ray file does not say of its C-arm, completed by hand."""

import json

import numpy as np
import pydicom
import pytest
from PIL import Image
from xrayreg.errors import InputError
from xrayreg.geometry import CArm, carm_from_camera
from xrayreg.images import (
    XrayGeometry,
    completed_geometry,
    read_geometry_file,
    read_xray,
    write_dicom_xray,
    write_geometry_file,
)

WHOLE = XrayGeometry(1000.0, 600.0, (0.5, 0.25), 90.0, -10.0, "transmission", "detector")


def given(path, **fields):
    path.write_text(json.dumps({"schema_version": 1, **fields}), encoding="utf-8")
    return path


@pytest.fixture
def dicom(tmp_path):
    """LAO 30, CRAN 20, without distances and spacing, as many files in the field are."""
    path = tmp_path / "x.dcm"
    write_dicom_xray(path, np.full((4, 5), 9, np.uint16), CArm(1000.0, 600.0, 30.0, 20.0), (0.5, 0.25))
    dataset = pydicom.dcmread(path)
    for keyword in (
        "DistanceSourceToPatient",
        "ImagerPixelSpacing",
        "EstimatedRadiographicMagnificationFactor",
    ):
        delattr(dataset, keyword)
    dataset.save_as(path)
    return path


def test_written_and_read_again(tmp_path):
    write_geometry_file(tmp_path / "g.json", WHOLE, ("primary_deg",))
    found = read_geometry_file(tmp_path / "g.json")
    assert (found.geometry, found.overrides) == (WHOLE, ("primary_deg",))
    write_geometry_file(tmp_path / "g.json", XrayGeometry(seen_from="file", primary_deg=-0.0))
    assert json.loads((tmp_path / "g.json").read_text()) == {"schema_version": 1, "primary_deg": 0.0}


def test_it_completes_what_the_tags_say(tmp_path, dicom):
    path = given(tmp_path / "g.json", source_to_isocenter_mm=625, pixel_spacing_mm=[0.5, 0.25])
    xray = read_xray(dicom, geometry=completed_geometry(dicom, path))
    np.testing.assert_allclose(xray.camera.K[:2, :2], [[2000, 0], [0, 4000]])
    carm = carm_from_camera(xray.camera, 625.0)
    assert carm.isocenter == pytest.approx((0, 0, 0), abs=1e-9)
    assert (carm.primary_deg, carm.secondary_deg) == pytest.approx((30, 20))
    assert "given by hand: source-to-isocenter distance, pixel spacing" in xray.notes


def test_what_is_still_missing_is_named(tmp_path, dicom):
    with pytest.raises(InputError) as error:
        completed_geometry(dicom, given(tmp_path / "g.json", pixel_spacing_mm=[0.5, 0.25]))
    assert f"{dicom}: its geometry is incomplete: source-to-isocenter distance - add it to" in str(
        error.value
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"primary_deg": -30},
            "primary_deg is -30, but the X-ray's PositionerPrimaryAngle (0018,1510) says 30",
        ),
        ({"source_to_detector_mm": 1010}, "DistanceSourceToDetector (0018,1110) says 1000"),
        (
            {"seen_from": "source"},
            "seen_from is given, but the X-ray's PatientOrientation (0020,0020) says it",
        ),
    ],
)
def test_what_contradicts_a_tag_is_refused_unless_it_overrides(tmp_path, dicom, fields, message):
    fields = {"source_to_isocenter_mm": 600, "pixel_spacing_mm": [0.5, 0.25], **fields}
    path = given(tmp_path / "g.json", **fields)
    with pytest.raises(InputError) as error:
        completed_geometry(dicom, path)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    (name,) = (name for name in ("primary_deg", "source_to_detector_mm", "seen_from") if name in fields)
    found = completed_geometry(dicom, given(tmp_path / "g.json", **fields, overrides=[name]))
    assert getattr(found, name) == fields[name]


def test_an_overridden_angle_is_that_of_the_camera(tmp_path, dicom):
    fields = {"source_to_isocenter_mm": 600, "pixel_spacing_mm": [0.5, 0.25]}
    path = given(tmp_path / "g.json", **fields, primary_deg=40, overrides=["primary_deg"])
    carm = carm_from_camera(read_xray(dicom, geometry=completed_geometry(dicom, path)).camera, 600.0)
    assert carm.primary_deg == pytest.approx(40)


def test_a_rounded_copy_of_a_tag_does_not_contradict_it(tmp_path, dicom):
    fields = {"source_to_isocenter_mm": 600, "pixel_spacing_mm": [0.5, 0.25], "primary_deg": 30.0004}
    assert completed_geometry(dicom, given(tmp_path / "g.json", **fields)).primary_deg == 30


def test_a_picture_needs_all_of_it(tmp_path):
    picture = tmp_path / "x.png"
    Image.fromarray(np.full((4, 5), 9, np.uint16)).save(picture)
    write_geometry_file(tmp_path / "g.json", WHOLE)
    xray = read_xray(picture, geometry=completed_geometry(picture, tmp_path / "g.json"))
    np.testing.assert_allclose(xray.camera.K[:2, :2], [[2000, 0], [0, 4000]])
    with pytest.raises(InputError, match="incomplete: source-to-detector distance, source-to-isocenter"):
        completed_geometry(picture, given(tmp_path / "g.json", primary_deg=0))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "holds one JSON object"),
        ("{", "not a JSON file"),
        ("\ufeff{}", "not a JSON file"),
        ('{"primary_deg": 0}', "schema_version is None"),
        ('{"schema_version": 1, "primary": 0}', "unknown field 'primary'"),
        ('{"schema_version": 1, "primary_deg": "30"}', "primary_deg is '30', not a number"),
        ('{"schema_version": 1, "primary_deg": NaN}', "primary_deg is nan, not a number"),
        ('{"schema_version": 1, "primary_deg": true}', "primary_deg is True, not a number"),
        ('{"schema_version": 1, "source_to_detector_mm": 0}', "not a positive number"),
        ('{"schema_version": 1, "pixel_spacing_mm": 0.5}', r"not two positive numbers \[column, row\]"),
        ('{"schema_version": 1, "pixel_spacing_mm": [0.5, -1]}', "not two positive numbers"),
        ('{"schema_version": 1, "seen_from": "left"}', "seen_from is 'left' - use one of source, detector"),
        ('{"schema_version": 1, "intensity": "file"}', "intensity is 'file'"),
        ('{"schema_version": 1, "overrides": ["intensity"]}', r"overrides is \['intensity'\]"),
        ('{"schema_version": 1, "overrides": "primary_deg"}', "overrides is 'primary_deg'"),
        ('{"schema_version": 1, "overrides": ["primary_deg"]}', "which it does not give"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path, content, message):
    path = tmp_path / "g.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message) as error:
        read_geometry_file(path)
    assert str(error.value).startswith(f"{path}: ")


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file - check --geometry"):
        read_geometry_file(tmp_path / "g.json")
