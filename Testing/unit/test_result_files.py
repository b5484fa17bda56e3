"""Results as files: numbers that can be followed by hand, pages that hold no surprise, DICOM read back."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from xrayreg.geometry import CArm, about, angles_in_words, apply
from xrayreg.images import (
    Grid,
    Markup,
    Volume,
    Xray,
    read_dicom_xray,
    read_spatial_registration,
    write_dicom_line_integrals,
    write_dicom_xray,
)
from xrayreg.overlays import Overlay
from xrayreg.register import Confidence, PoseUncertainty, RegisteredView, Registration
from xrayreg.render import Density
from xrayreg.results import (
    Outcome,
    Review,
    draw,
    registration_json,
    write_dicom,
    write_report,
    write_transform,
)

CENTRE = np.array([10.0, -20.0, 30.0])
POINTS = CENTRE + np.array([[0.0, 0, 0], [20, 0, 0], [0, -15, 0], [0, 0, 18], [-20, 15, -18]])
INPUTS = {
    "volume": {"path": "/home/Miller^Anna/ct.nii.gz", "sha256": "ab12"},
    "xrays": [
        {"path": "/home/Miller^Anna/ap.dcm", "sha256": "cd34"},
        {"path": None, "sha256": None, "reason": "no file"},
    ],
}
SOFTWARE = {"name": "xrayreg", "version": "0", "torch": "2", "device": "cpu"}
TWO = ((0.0, 0.0, CENTRE), (80.0, 10.0, CENTRE))


def outcome_of(carms=TWO, rig="rig", review=None, comment="") -> Outcome:
    """Views (primary, secondary, isocenter) of a block; found (3, 4, 0) mm and 10 degrees off the start."""
    grid = Grid((10, 10, 10), np.diag([4.0, 4, 4, 1]))
    grid.patient_from_index[:3, 3] = CENTRE - 18
    volume = Volume(np.full((10, 10, 10), 500, np.float32), grid, "CT <1>")
    motion = about(CENTRE, np.array([0, 0, np.radians(10), 3, 4, 0]))
    views = []
    for number, (primary, secondary, isocenter) in enumerate(carms):
        found = CArm(1000, 700, primary, secondary, 5.0, tuple(isocenter)).camera((40, 30), (2.0, 2.5))
        start = found.moved(found.camera_from_patient @ np.linalg.inv(motion))
        rows, columns = np.mgrid[:30, :40]
        image = (rows / 10 + columns / 1000).astype(np.float32)
        mask = np.ones(image.shape, bool)
        mask[:, :3] = False
        xray = Xray(image, start, mask, f"view {number} <b>", rig)
        views.append(RegisteredView(xray, found, 0.9, 0.4))
    uncertainty = PoseUncertainty(np.diag([0, 0, 0, 0.01, 0.04, 0.04]))  # 0.3 mm: sqrt of 0.09
    return Outcome(
        Registration(volume, tuple(views), {"total": 1.23456}),
        Confidence("review", 0.71234, 1.25, 4.0, ("parts <i>pull</i> apart",)),
        {view.name: uncertainty for view in views},
        Overlay(markups=(Markup("screw & rod", "line", POINTS[:2], ("entry", "tip")),)),
        INPUTS,
        SOFTWARE,
        None if review is None else Review(review, comment),
    )


# --- The report ---


VOID = ("meta", "img", "br")


class Page(HTMLParser):
    """The tags and texts of a page whose tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.sources = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        assert not [name for name, _ in attributes if name.startswith("on")]
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def page_of(folder, outcome) -> tuple[Page, str]:
    density = Density.from_volume(outcome.registration.volume)
    write_report(folder, outcome, {v.name: draw(outcome, v, density) for v in outcome.registration.views})
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    return page, "".join(page.texts)


def test_the_report_stands_alone_and_whatever_people_wrote_is_only_text(tmp_path):
    evil = "<script>alert('x')</script> </p> & \"fine\""
    page, text = page_of(tmp_path, outcome_of(review="accepted", comment=evil))
    assert not {"script", "i", "a", "iframe", "link"} & set(page.tags)
    assert page.tags.count("b") == 1  # the verdict's; none of the views' names
    assert "Volume" in page.texts  # which may be an MR
    assert page.tags.count("img") == 4
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert f"Reviewer: accepted. Comment: {evil}" in text
    assert "parts <i>pull</i> apart" in text
    assert "Research use only" in text


def test_the_report_tells_what_is_known_of_each_view(tmp_path):
    _, text = page_of(tmp_path, outcome_of())
    order = [
        "Verdict: review",
        "parts <i>",
        "Not reviewed",
        "Inputs",
        "view 0 <b>",
        "view 1 <b>",
        "screw & rod",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "Expected TRE 1.25 mm, with 95 % below 4.00 mm" in text
    assert "0.40 → 0.90" in text
    assert "1000.0 mm" in text
    assert "2 x 2.5 mm" in text
    assert "LAO 0.0°, CRAN 0.0°, detector turned 5.0°" in text
    assert "LAO 80.0°, CRAN 10.0°, detector turned 5.0°" in text
    assert text.count("the volume's centre by 5.0 mm, turned by 10.0°") == 2
    assert text.count("0.30 mm") == 4  # two points in two views
    assert "ct.nii.gz" in text
    assert "no file" in text
    assert "Miller" not in text


def test_a_rejection_stands_on_top_of_the_report_and_in_its_pictures(tmp_path):
    outcome = outcome_of(review="rejected", comment="wrong level")
    assert outcome.standing == "review, REJECTED by the reviewer"
    _, text = page_of(tmp_path, outcome)
    assert text.index("REJECTED by the reviewer: do not use. Comment: wrong level") < text.index("Verdict")


@pytest.mark.parametrize(
    ("angles", "words"),
    [
        ((30, -20, 0), "LAO 30.0°, CAUD 20.0°, detector turned 0.0°"),
        ((-45, 12.34, -90), "RAO 45.0°, CRAN 12.3°, detector turned -90.0°"),
        ((-0.01, -0.01, -0.01), "LAO 0.0°, CRAN 0.0°, detector turned 0.0°"),
    ],
)
def test_angles_in_words(angles, words):
    assert angles_in_words(CArm(1000, 700, *angles).camera((10, 10), (1, 1))) == words


# --- registration.json and the transforms ---


def test_the_fields_of_registration_json(tmp_path):
    outcome = outcome_of()
    fields = json.loads(json.dumps(registration_json(outcome)))
    assert list(fields) == [
        "schema_version",
        "software",
        "inputs",
        "model",
        "views",
        "bodies",
        "targets",
        "confidence",
        "timing_s",
    ]
    assert fields["confidence"]["success_probability"] == 0.7123
    assert fields["timing_s"] == {"total": 1.235}
    assert fields["targets"][1] == {
        "markup": "screw & rod",
        "point": "tip",
        "noise_tre_mm": {"view 0 <b>": 0.3, "view 1 <b>": 0.3},
    }
    assert fields["bodies"][0]["covariance"] == outcome.uncertainties["view 0 <b>"].covariance.tolist()
    decided = registration_json(outcome_of(review="rejected", comment="no"))
    assert decided["review"] == {"decision": "rejected", "comment": "no"}
    assert {key: value for key, value in decided.items() if key != "review"} == registration_json(outcome)


def test_views_that_moved_apart_share_no_covariance():
    assert registration_json(outcome_of(rig=""))["bodies"][0]["covariance"] is None


def test_the_transform_has_a_file_of_its_view(tmp_path):
    view = outcome_of().registration.views[0]
    view = replace(view, xray=replace(view.xray, name="ap"))
    write_transform(tmp_path, view)
    transform = sitk.ReadTransform(str(tmp_path / "camera_from_patient_ap.tfm"))
    expected = apply(view.camera.camera_from_patient, POINTS[1])
    np.testing.assert_allclose(transform.TransformPoint(POINTS[1].tolist()), expected, atol=1e-9)


# --- DICOM ---


def dicom_of(folder, outcome) -> list[str]:
    views = outcome.registration.views
    named = [replace(view, xray=replace(view.xray, name=f"v{n}")) for n, view in enumerate(views)]
    outcome = replace(outcome, registration=replace(outcome.registration, views=tuple(named)))
    density = Density.from_volume(outcome.registration.volume)
    return write_dicom(folder, outcome, density, lambda text: None)


def isocenter_in(path) -> tuple[float, ...]:
    words = pydicom.dcmread(path).ImageComments
    return tuple(float(x) for x in words.split("LPS (")[1].split(")")[0].split(","))


@pytest.mark.parametrize("kind", ["xray", "drr"])
def test_the_geometry_found_is_read_back(tmp_path, kind):
    outcome = outcome_of()
    assert dicom_of(tmp_path, outcome) == []
    files = [tmp_path / f"{kind}_v{n}.dcm" for n in range(2)]
    for path, view in zip(files, outcome.registration.views, strict=True):
        back = read_dicom_xray(path, isocenter_in(path))
        np.testing.assert_allclose(back.camera.project(POINTS), view.camera.project(POINTS), atol=1e-3)
        np.testing.assert_allclose(isocenter_in(path), CENTRE, atol=1e-5)  # where the rays meet
    first, second = (pydicom.dcmread(path) for path in files)
    assert first.FrameOfReferenceUID == second.FrameOfReferenceUID
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert (first.PatientName, first.PatientID, first.PatientBirthDate) == ("", "", "")
    assert "not reviewed" in first.ImageComments
    assert ("SIMULATED" in first.ImageComments) == (kind == "drr")


def test_views_whose_rays_do_not_meet_are_told_apart(tmp_path):
    # Rays along y and nearly along x; the second's isocenter is 4 mm higher: halves of 2 mm off the middle.
    outcome = outcome_of(((0.0, 0, CENTRE), (90.0, 0, CENTRE + [0, 0, 4])))
    (notice,) = dicom_of(tmp_path, outcome)
    assert notice == "v0 and v1 stand alone as DICOM: their central rays do not meet"
    frames = {pydicom.dcmread(tmp_path / f"xray_v{n}.dcm").FrameOfReferenceUID for n in range(2)}
    assert len(frames) == 2
    for n, view in enumerate(outcome.registration.views):
        path = tmp_path / f"xray_v{n}.dcm"
        back = read_dicom_xray(path, isocenter_in(path))
        np.testing.assert_allclose(back.camera.project(POINTS), view.camera.project(POINTS), atol=1e-3)


def test_a_view_that_dicom_cannot_hold_is_left_out_with_a_line(tmp_path):
    outcome = outcome_of()
    first, second = outcome.registration.views
    K = first.camera.K + np.array([[0, 0, 4.0], [0, 0, 0], [0, 0, 0]])
    first = replace(first, camera=replace(first.camera, K=K))
    views = replace(outcome.registration, views=(first, second))
    (notice,) = dicom_of(tmp_path, replace(outcome, registration=views))
    assert notice == (
        "v0 is left out as DICOM: DICOM XA tags cannot hold an off-centre principal point or a skew"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drr_v1.dcm", "xray_v1.dcm"]


def from_a_series(outcome) -> Outcome:
    volume = replace(outcome.registration.volume, frame_of_reference_uid="1.2.3")
    return replace(outcome, registration=replace(outcome.registration, volume=volume))


@pytest.mark.parametrize("second", [(80.0, 10.0, CENTRE), (90.0, 0, CENTRE + [0, 0, 4])])
def test_the_x_rays_frame_and_angles_place_the_camera_in_the_frame_of_the_ct(tmp_path, second):
    outcome = from_a_series(outcome_of(((0.0, 0, CENTRE), second)))
    dicom_of(tmp_path, outcome)
    registration = read_spatial_registration(tmp_path / "spatial_registration.dcm")
    assert registration.frame_of_reference_uid == "1.2.3"
    for n, view in enumerate(outcome.registration.views):
        path = tmp_path / f"xray_v{n}.dcm"
        frame = pydicom.dcmread(path).FrameOfReferenceUID
        frame_from_ct = registration.between(frame, "1.2.3")
        isocenter = second[2] if n else CENTRE
        np.testing.assert_allclose(apply(frame_from_ct, isocenter), [0, 0, 0], atol=1e-6)
        there = read_dicom_xray(path).camera.project(apply(frame_from_ct, POINTS))  # isocenter: the origin
        np.testing.assert_allclose(there, view.camera.project(POINTS), atol=1e-3)
    dataset = pydicom.dcmread(tmp_path / "spatial_registration.dcm")
    assert dataset.ContentLabel == "REGISTRATION"
    (item, *_) = dataset.RegistrationSequence[1:]
    assert len(item.ReferencedImageSequence) == (4 if second[2] is CENTRE else 2)  # X-rays and DRRs
    assert dataset.StudyInstanceUID == pydicom.dcmread(tmp_path / "xray_v0.dcm").StudyInstanceUID


def test_a_rejected_registration_says_so_in_its_label(tmp_path):
    dicom_of(tmp_path, from_a_series(outcome_of(review="rejected")))
    dataset = pydicom.dcmread(tmp_path / "spatial_registration.dcm")
    assert dataset.ContentLabel == "REJECTED"
    assert dataset.ContentDescription.startswith("REJECTED registration by xrayreg")


def test_a_volume_that_is_no_dicom_series_has_no_frame_to_map_to(tmp_path):
    dicom_of(tmp_path, outcome_of())
    assert not (tmp_path / "spatial_registration.dcm").exists()


# Type 1 (a value) and type 2 (may be empty) of the mandatory modules of the XA image, PS3.3 A.14.3: Patient
# C.7.1.1, General Study C.7.2.1, General Series C.7.3.1, General Equipment C.7.5.1, General Image C.7.6.1,
# Image Pixel C.7.6.3, X-Ray Image C.8.7.1, X-Ray Acquisition C.8.7.2, XA Positioner C.8.7.5, SOP Common
# C.12.1; and of one that is written beside them: Frame of Reference C.7.4.1.
XA_TYPE_1 = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "Modality", "ImageType"),
    *("PixelIntensityRelationship", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "Rows", "Columns", "PixelData", "RadiationSetting"),
    *("FrameOfReferenceUID",),
)
XA_TYPE_2 = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID"),
    *("ReferringPhysicianName", "AccessionNumber", "SeriesNumber", "Manufacturer", "InstanceNumber"),
    *("PatientOrientation", "ContentDate", "ContentTime", "KVP", "XRayTubeCurrent", "ExposureTime"),
    *("PositionerPrimaryAngle", "PositionerSecondaryAngle", "PositionReferenceIndicator"),
)


@pytest.mark.parametrize("kind", ["xray", "drr", "simulated", "run"])
def test_every_attribute_that_the_xa_image_requires_is_there(tmp_path, kind):
    if kind in ("xray", "drr"):
        dicom_of(tmp_path, outcome_of())
        dataset = pydicom.dcmread(tmp_path / f"{kind}_v0.dcm")
    else:
        shape = (4, 5) if kind == "simulated" else (3, 4, 5)
        write_dicom_xray(tmp_path / "x.dcm", np.ones(shape, np.uint16), CArm(1000, 700, 20, 10), (0.5, 0.4))
        dataset = pydicom.dcmread(tmp_path / "x.dcm")
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.12.1"
    assert [name for name in XA_TYPE_1 if dataset.get(name) in (None, "")] == []
    assert [name for name in XA_TYPE_2 if name not in dataset] == []
    assert (dataset.Modality, dataset.PhotometricInterpretation, dataset.SamplesPerPixel) == (
        "XA",
        "MONOCHROME2",
        1,
    )
    assert dataset.BitsStored in (8, 10, 12, 16)
    assert dataset.HighBit == dataset.BitsStored - 1
    assert dataset.PixelRepresentation == 0
    assert dataset.PixelIntensityRelationship in ("LIN", "LOG", "DISP")
    assert dataset.RadiationSetting in ("SC", "GR")
    assert dataset.ImageType[2] in ("SINGLE PLANE", "BIPLANE A", "BIPLANE B")
    if kind == "run":  # Multi-frame C.7.6.6, Cine C.7.6.5, and the positioner's motion
        assert dataset.NumberOfFrames == 3
        assert dataset.FrameIncrementPointer == 0x00181063
        assert dataset.FrameTime > 0
        assert dataset.PositionerMotion in ("STATIC", "DYNAMIC")


def written(path, image, mask):
    carm = CArm(1000, 700, 20, 10)
    write_dicom_line_integrals(
        path,
        image,
        mask,
        carm,
        (1.0, 1.0),
        description="d",
        comments="c.",
        frame_of_reference_uid="1.2",
        study_uid="1.3",
    )
    return read_dicom_xray(path)


def test_line_integrals_come_back_to_the_pixels_steps(tmp_path):
    image = np.random.default_rng(0).uniform(-0.1, 6.7, (20, 30)).astype(np.float32)
    mask = np.ones(image.shape, bool)
    mask[:5, :4] = False
    image[0, 0] = np.nan
    back = written(tmp_path / "x.dcm", image, mask)
    np.testing.assert_array_equal(back.mask, mask)
    step = np.log(1000) / 65535
    off = (back.line_integrals - image)[mask]
    assert np.ptp(off) < 1.05 * step  # half a step either way
    assert off.mean() == pytest.approx(-np.percentile(image[mask], 0.1), abs=step)
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    assert (dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign) == ("LOG", -1)
    words = dataset.DerivationDescription.split()
    stored = dataset.pixel_array[:, ::-1].astype(float)  # as seen from the detector
    np.testing.assert_allclose((float(words[3]) + float(words[5]) * stored)[mask], image[mask], atol=step)


def test_a_range_too_large_for_the_reader_is_scaled_and_says_so(tmp_path):
    image = np.linspace(0, 20, 600).reshape(20, 30)
    back = written(tmp_path / "x.dcm", image, np.ones(image.shape, bool)).line_integrals
    assert np.ptp(back) == pytest.approx(np.log(1000) * 65534 / 65535, rel=1e-5)
    assert np.corrcoef(back.ravel(), image.ravel())[0, 1] > 0.999999
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    words = dataset.DerivationDescription.split()
    stored = dataset.pixel_array[:, ::-1]
    np.testing.assert_allclose(float(words[3]) + float(words[5]) * stored, image, atol=20 / 65534)
    assert "PixelPaddingValue" not in dataset
