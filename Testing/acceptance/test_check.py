"""`xrayreg check`: what a radiographer would say of real data, and one line for what does not fit.

What is expected of the real data stands in its README, or was read off the headers by another program; it is
not what the audit itself found.
"""

import json
import os
import time
from pathlib import Path

import numpy as np
import phantom
import pydicom
import pytest
import SimpleITK as sitk
from commands import Answer
from looking import contents, read_json
from xrayreg.images import read_volume

PATIENTS = (
    "Dog",
    "VeryGood",
    "Rubo",
    "CompressedSamples",
    "556342B",
    "20140422",
    "11RG3",
    "PLASTIC",
)


# --- The real data ---


@pytest.fixture(scope="module")
def everything(data, tmp_path_factory) -> tuple[dict, str, float]:
    """The whole folder's JSON, report and the processor's seconds, of one run."""
    import contextlib
    import io

    from xrayreg.cli import main

    out = io.StringIO()
    path = tmp_path_factory.mktemp("check") / "audit.json"
    start = time.process_time()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(["check", str(data), "--json", str(path)])
    assert code == 0, err.getvalue().splitlines()[-1]
    return read_json(path), out.getvalue(), time.process_time() - start


@pytest.fixture(scope="module")
def item(everything, data):
    """The item of a path below the data; skipped where it is absent."""

    def get(below: str) -> dict:
        if not (data / below).exists():
            pytest.skip(f"{below} is not among the test data")
        (found,) = [each for each in everything[0]["items"] if each["path"] == str(data / below)]
        return found

    return get


@pytest.fixture(scope="module")
def fit(everything, data):
    """The fit of some kind between paths below the data."""

    def get(about: str, *below: str) -> dict:
        of = [str(data / each) for each in below]
        (found,) = [f for f in everything[0]["fits"] if f["about"] == about and f["of"] == of]
        return found

    return get


def lines(of: dict, level: str) -> list[str]:
    return [each["text"] for each in of["findings"] if each["level"] == level]


def test_all_of_the_real_data_passes_within_a_minute_and_nobody_is_named(everything):
    found, report, seconds = everything
    assert found["counts"]["problem"] == 0
    assert seconds < 60
    said = report + json.dumps(found)
    assert [name for name in PATIENTS if name in said] == []


def test_a_left_handed_chest_and_its_structures(item, fit):
    chest = item("chest_ct/cxr.nii.gz")
    assert chest["kind"] == "CT volume"
    facts = chest["facts"]
    assert facts["size_voxels"] == [512, 512, 133]
    np.testing.assert_allclose(facts["spacing_mm"], [0.703, 0.703, 2.5], atol=5e-4)
    # The header's direction is diag(1, -1, 1) in LPS.
    assert facts["orientation"] == "i runs to the patient's left, j to the front, k to the head"
    assert facts["handedness"].startswith("left-handed")
    mask = item("chest_ct/mask.nii.gz")
    assert mask["kind"] == "segmentation (label map)"
    assert mask["facts"]["labels"] == 89
    sides = fit("sides of the labels", "chest_ct/mask.nii.gz")
    assert sides["findings"] == []
    # 24 names of structures.csv with left, whose like with right is in the mask too
    assert sides["facts"]["pairs"] == sides["facts"]["on_their_sides"] == 24
    frame = fit("one frame", "chest_ct/cxr.nii.gz", "chest_ct/mask.nii.gz")
    assert frame["facts"]["labels_inside"] == 1
    assert frame["facts"]["bone_labels_on_bone"] > 0.7


def test_hip_bones_whose_surroundings_hold_the_value_of_water(item):
    hips = item("hipbones_ct/pelvisSegmIntensityLPI.mha")
    assert hips["kind"] == "CT volume"  # whatever its name says
    assert hips["facts"]["size_voxels"] == [337, 182, 250]
    assert hips["facts"]["spacing_mm"] == [1, 1, 1]
    # "axes flipped in x and y": twice a reflection is a rotation.
    assert hips["facts"]["orientation"] == "i runs to the patient's right, j to the front, k to the head"
    assert hips["facts"]["handedness"].startswith("right-handed")
    told = " ".join(lines(hips, "note"))
    assert "the one value 0" in told
    assert "--air-hu, 0 or higher" in told


def test_a_pelvis_whose_labels_fit_the_piece_and_not_the_whole(item, fit):
    """Slices 83 to 112 of the whole are the piece, with the same values, but its header and the labels' have
    the first slice of the whole as their origin: in the whole, the labels lie 82 x 3 = 246 mm too low."""
    assert item("pelvis_ct_3mm/example_ct.nii.gz")["facts"]["spacing_mm"] == [3, 3, 3]
    labels = item("pelvis_ct_3mm/example_seg.nii.gz")
    assert labels["facts"]["size_voxels"] == [122, 101, 30]
    seg, whole, piece = (f"pelvis_ct_3mm/example_{name}.nii.gz" for name in ("seg", "ct", "ct_sm"))
    assert fit("one frame", piece, seg)["facts"]["bone_labels_on_bone"] > 0.7
    assert lines(fit("one frame", piece, seg), "note") == []
    (note,) = lines(fit("one frame", whole, seg), "note")
    assert "of the labels named as bones lie on bone" in note


def test_a_skull_in_140_dicom_files(item):
    skull = item("skull_phantom_ct/dicom")
    facts = skull["facts"]
    assert skull["kind"] == "CT volume"
    assert facts["files"] == 140
    assert facts["size_voxels"] == [512, 512, 140]
    np.testing.assert_allclose(facts["spacing_mm"], [0.451, 0.451, 1.0], atol=5e-4)
    assert facts["patient_position"] == "HFS"
    assert facts["values"] == [-1024, 3071]
    # Image Orientation (Patient) 1\0\0\0\1\0
    assert facts["orientation"] == "i runs to the patient's left, j to the back, k to the head"


def test_a_wrist_that_needs_its_voxel_size_and_what_its_values_mean(item, fit):
    bone = item("wrist_biplane/bones/rad_dcm_cropped.tif")
    assert bone["facts"]["size_voxels"] == [68, 86, 128]
    assert "spacing_mm" not in bone["facts"]
    assert lines(bone, "missing") == ["a TIFF stack does not know its voxel size"]
    camera = item("wrist_biplane/calibration/xr_calib_wrist_cam01.txt")
    assert "MayaCam" in camera["facts"]["told_by"]
    assert camera["facts"]["focal_px"] == [6167.4, 6165.6]
    # 2 atan(880 / 6167) = 16.2 degrees
    assert camera["facts"]["beam_deg"] == [16.2, 16.2]
    for frame in ("0002", "0099"):
        for number in ("01", "02"):
            name = f"wrist_biplane/xrays/xr_rad_uln_cam{number}_UND.{frame}.tif"
            shot = item(name)
            assert shot["facts"]["size_px"] == [1760, 1760]
            assert shot["facts"]["camera_file"].endswith(f"cam{number}.txt")
            assert lines(shot, "missing") == ["nothing says what its values mean"]
            assert fit("camera file", name, f"wrist_biplane/calibration/xr_calib_wrist_cam{number}.txt")


def test_a_voxel_size_completes_a_bone(data, xrayreg):
    bone = data / "wrist_biplane" / "bones" / "rad_dcm_cropped.tif"
    if not bone.is_file():
        pytest.skip("the wrist is not among the test data")
    answer = xrayreg("check", bone, "--voxel-mm", "0.390625,0.390625,0.625", "--json", "-")
    (found,) = json.loads(answer.out)["items"]
    assert answer.code == 0
    # 68, 86 and 128 voxels
    assert found["facts"]["extent_mm"] == pytest.approx([26.6, 33.6, 80.0], abs=0.05)
    assert lines(found, "missing") == []
    assert any("HU + 1024" in line for line in lines(found, "assumed"))


def test_x_rays_as_they_come(item):
    run = item("xray_dicom/fo-dicom_XA_rubo_96frames.dcm")
    assert run["facts"]["frames"] == 96
    assert run["facts"]["frames_per_second"] == pytest.approx(30.3, abs=0.01)  # Frame Time 33 ms
    assert run["facts"]["transfer_syntax"] == "JPEG Baseline (Process 1)"
    assert run["facts"]["carm_angles"] == "RAO 32.0°, CRAN 2.0°"  # primary -32, secondary 2
    assert any("with loss" in line for line in lines(run, "note"))
    text = " ".join(lines(run, "missing"))
    for name in ("source-to-detector", "source-to-isocenter", "pixel spacing"):
        assert name in text
    assert "angle" not in text

    dog = item("xray_dicom/highdicom_dx_thorax_tiny.dcm")
    assert dog["facts"]["modality"] == "DX"
    assert dog["facts"]["body_part"] == "THORAX"
    assert dog["facts"]["source_to_detector_mm"] == 1000
    assert dog["facts"]["imager_pixel_spacing_mm"] == [1.2012, 1.2]  # stored between rows first
    # 211 columns of 1.2012 mm, 169 rows of 1.2 mm
    assert dog["facts"]["field_on_detector_mm"] == pytest.approx([253.5, 202.8], abs=0.05)
    assert dog["facts"]["side"] == "left"
    assert any("for presentation" in line for line in lines(dog, "note"))

    tibia = item("xray_dicom/NEMA_WG04_RG3_tibia_CR_J2KR.dcm")
    assert tibia["facts"]["transfer_syntax"].startswith("JPEG 2000")
    assert "mirrored against the usual" in tibia["facts"]["orientation"]  # R\F
    assert "incomplete: source-to-detector distance" in " ".join(lines(tibia, "missing"))

    cerebral = item("xray_dicom/NEMA_WG04_XA1_UNC.dcm")
    assert cerebral["facts"]["intensity"] == "not told by the file"
    assert any("secondary capture" in line for line in lines(cerebral, "note"))


# --- A case of ours, good and spoiled ---


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """A CT, its labels with names, two X-rays as DICOM and as PNG with cameras, and a plan."""
    folder = tmp_path_factory.mktemp("case")
    ct = phantom.write_ct(folder / "ct.nii.gz")
    phantom.write_segmentation(folder / "labels.nii.gz", phantom.LEFT_HANDED)
    names = "".join(f"{name},{label}\n" for label, name, _, _ in phantom.BONES)
    (folder / "names.csv").write_text(f"structure,id\n{names}")
    frame = pydicom.uid.generate_uid()
    for view in phantom.make_views(ct):
        phantom.write_dicom(folder / f"{view.name}.dcm", view, frame_of_reference_uid=frame)
        phantom.write_xray(folder / f"{view.name}_png.png", view.pixels)
        phantom.write_camera(folder / f"{view.name}_png.json", view.start)
    phantom.write_plan(folder / "plan.mrk.json", phantom.targets()[[0, 7]], "RAS")
    return folder


@pytest.fixture
def case(good, tmp_path) -> Path:
    for path in good.iterdir():
        os.link(path, tmp_path / path.name)
    return tmp_path


def test_a_whole_case_fits(good, xrayreg):
    answer = xrayreg("check", good, "--json", "-")
    found = json.loads(answer.out)
    assert answer.code == 0
    assert found["schema_version"] == 1
    assert found["counts"]["problem"] == found["counts"]["missing"] == 0
    beams = {tuple(Path(p).name for p in f["of"]): f["facts"] for f in found["fits"] if f["about"] == "beam"}
    assert set(beams) == {
        ("ct.nii.gz", name) for name in ("frontal.dcm", "lateral.dcm", "frontal_png.png", "lateral_png.png")
    }
    # 176 x 160 pixels of 1.2 mm at 1000 mm are 147.8 x 134.4 mm at the isocenter, 700 mm from the source.
    for facts in beams.values():
        assert facts["in_beam"] == 1
        assert facts["field_mm"] == pytest.approx([147.8, 134.4], abs=3)
    (plan,) = [f for f in found["fits"] if f["about"] == "plan"]
    assert plan["facts"] == {"points_inside": "2 of 2"}
    # LAO 80, CRAN 10 against frontal: cos = cos(80) cos(10)
    angle = np.degrees(np.arccos(np.cos(np.radians(80)) * np.cos(np.radians(10))))
    for directions in (f for f in found["fits"] if f["about"] == "directions"):
        assert directions["facts"]["angle_between_beams_deg"] == pytest.approx(angle, abs=0.06)


def test_the_report_reads_like_one(good, xrayreg):
    report = xrayreg("check", good).out
    for line in (
        "  carm angles        LAO 80.0°, CRAN 10.0°",
        "  field at isocenter 147.8 x 134.4 mm",
        "  spacing            2 x 2 x 2.5 mm",
        "  frame              stored in RAS, read as patient, LPS",
        "  beam: ct.nii.gz + frontal.dcm",
    ):
        assert line in report.splitlines()
    assert report.splitlines()[-1].startswith("10 inputs: 0 problems, 0 missing, ")


def test_a_geometry_file_completes_what_the_header_lacks(case, tmp_path, xrayreg):
    dataset = pydicom.dcmread(case / "lateral.dcm")
    del dataset.DistanceSourceToPatient
    folder = tmp_path / "lacking"
    folder.mkdir()
    dataset.save_as(folder / "lateral.dcm")
    os.link(case / "ct.nii.gz", folder / "ct.nii.gz")
    without = json.loads(xrayreg("check", folder, "--json", "-").out)
    (shot,) = [each for each in without["items"] if each["path"].endswith("lateral.dcm")]
    assert lines(shot, "missing") == ["its geometry is incomplete: source-to-isocenter distance"]
    assert [f for f in without["fits"] if f["about"] == "beam"] == []
    (folder / "lateral.json").write_text('{"schema_version": 1, "source_to_isocenter_mm": 700}')
    answer = xrayreg("check", folder, "--json", "-")
    assert answer.code == 0
    found = json.loads(answer.out)
    (beam,) = [f for f in found["fits"] if f["about"] == "beam"]
    assert beam["facts"]["field_mm"] == pytest.approx([147.8, 134.4], abs=3)  # as with the tag
    assert found["counts"]["missing"] == 0


def refused(answer: Answer) -> str:
    """Exit code 2, the report all the same, and one line on standard error at the end."""
    assert answer.code == 2
    assert answer.out.splitlines()[-1].count("problem") == 1
    (line,) = answer.errors
    assert answer.err.splitlines()[-1] == line
    return line


def text_as_dicom(case: Path) -> str:
    (case / "notes.dcm").write_text("no image")
    return "notes.dcm"


def damaged_volume(case: Path) -> str:
    (case / "half.nrrd").write_bytes(b"NRRD0004\ntype: short\ndimension: 3\n")
    return "half.nrrd"


def mask_of_another(case: Path) -> str:
    rewrite(case / "labels.nii.gz", lambda image: image.SetOrigin((500.0, 400.0, 300.0)))
    return "no label lies in the volume"


def shifted_mask(case: Path) -> str:
    def shift(image):
        x, y, z = image.GetOrigin()
        image.SetOrigin((x, y + 20.0, z))

    rewrite(case / "labels.nii.gz", shift)
    return "labels named as bones lie on bone"


def plan_of_another(case: Path) -> str:
    replaced(case / "plan.mrk.json")
    phantom.write_plan(case / "plan.mrk.json", [[0, 0, 900.0], [0, 0, 910.0]], "LPS")
    return "no point lies in the volume"


def beam_beside(case: Path) -> str:
    def beside(fields):
        fields["camera_from_patient"][0][3] = 900.0  # the patient 900 mm beside the central ray

    edited(case / "frontal_png.json", beside)
    return "frontal_png.png: the beam misses the volume"


def camera_of_another_size(case: Path) -> str:
    edited(case / "frontal_png.json", lambda fields: fields.update(size=[100, 100]))
    return "is 176 x 160 pixels, the camera file of its name says 100 x 100"


def distance_in_metres(case: Path) -> str:
    dataset = pydicom.dcmread(replaced(case / "frontal.dcm", keep=True))
    dataset.DistanceSourceToDetector, dataset.DistanceSourceToPatient = "1.0", "0.7"
    dataset.save_as(case / "frontal.dcm")
    return "it looks like metres: give 1000 mm"


def rewrite(path: Path, change) -> None:
    image = sitk.ReadImage(str(path))
    change(image)
    replaced(path)
    sitk.WriteImage(image, str(path))


def edited(path: Path, change) -> Path:
    fields = read_json(path)
    change(fields)
    replaced(path)
    path.write_text(json.dumps(fields))
    return path


def replaced(path: Path, keep: bool = False) -> Path:
    """The file no longer linked to that of the other tests; empty unless kept."""
    content = path.read_bytes()
    path.unlink()
    if keep:
        path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "spoil",
    [
        text_as_dicom,
        damaged_volume,
        mask_of_another,
        shifted_mask,
        plan_of_another,
        beam_beside,
        camera_of_another_size,
        distance_in_metres,
    ],
)
def test_what_is_unreadable_or_contradicts_is_one_line_behind_the_report(case, xrayreg, spoil):
    says = spoil(case)
    assert says in refused(xrayreg("check", case))


def test_a_mirrored_volume_is_found_by_its_ribs(tmp_path, xrayreg):
    """Both CT and labels mirrored alike: nothing but the names tells."""
    bones = ((1, "rib_left_1", 1), (2, "rib_right_1", -1), (3, "sternum", 0))

    def labels(points):
        result = np.zeros(points.shape[:-1], np.uint8)
        for label, _, side in bones:
            middle = phantom.CENTRE + (-25.0 * side, 0, 0)  # the left one at -x, the right
            result[(np.abs(points - middle) < 8).all(axis=-1)] = label
        return result

    phantom.write_grid(tmp_path / "l.nrrd", (52, 40, 40), (2.0, 2.0, 2.5), phantom.RIGHT_HANDED, labels)
    (tmp_path / "names.csv").write_text("structure,id\n" + "".join(f"{n},{i}\n" for i, n, _ in bones))
    line = refused(xrayreg("check", tmp_path))
    assert "1 of 1 left structures lie to the right of their right twins: rib_left_1 / rib_right_1" in line


def test_a_path_that_is_not_there_and_a_file_of_no_kind(tmp_path, xrayreg):
    assert "gone.nrrd: no such file or folder" in xrayreg("check", tmp_path / "gone.nrrd").check_refused()
    (tmp_path / "letter.txt").write_text("Dear colleague")
    assert "letter.txt: is no volume" in refused(xrayreg("check", tmp_path / "letter.txt"))
    assert xrayreg("check", tmp_path).code == 0  # walked, it is left out
    assert "left out, none of ours: 1" in xrayreg("check", tmp_path).out


def test_the_json_is_written_as_a_file_too(good, tmp_path, xrayreg):
    answer = xrayreg("check", good / "ct.nii.gz", "--json", tmp_path / "audit.json")
    assert answer.code == 0
    assert answer.out.startswith(str(good / "ct.nii.gz"))
    (found,) = read_json(tmp_path / "audit.json")["items"]
    # 52 x 40 x 40 voxels of 2 x 2 x 2.5 mm, i to the right: `phantom.write_ct`
    assert found["facts"]["extent_mm"] == [104, 80, 100]
    assert found["facts"]["centre_mm"] == phantom.CENTRE.tolist()
    assert contents(tmp_path).keys() == {"audit.json"}


# --- register runs the same checks ---


def test_register_refuses_what_check_refuses_and_writes_nothing(case, xrayreg):
    camera = ("--camera", case / "frontal_png.json")
    command = ("register", "--volume", case / "ct.nii.gz", "--xray", case / "frontal_png.png", *camera)
    out = case / "out"
    plan_of_another(case)
    line = xrayreg(*command, "--plan", case / "plan.mrk.json", "--out", out).check_refused()
    assert "ct.nii.gz and plan: no point lies in the volume" in line
    beam_beside(case)
    line = xrayreg(*command, "--out", out).check_refused()
    assert "the beam misses the volume, which does not project into the X-ray" in line
    assert not out.exists()


def test_register_tells_what_check_warns_of(case, xrayreg, at_start):
    volume = read_volume(case / "ct.nii.gz")
    image = sitk.GetImageFromArray(volume.hu + 1000)  # no longer in HU
    image.CopyInformation(sitk.ReadImage(str(case / "ct.nii.gz")))
    sitk.WriteImage(image, str(case / "raw.nrrd"))
    arguments = ("--xray", case / "frontal_png.png", "--camera", case / "frontal_png.json")
    answer = xrayreg("register", "--volume", case / "raw.nrrd", *arguments, "--out", case / "out")
    assert answer.code == 0
    assert "raw.nrrd: values from 0 to 1900 are no HU" in answer.err
