"""`xrayreg register`: from files of every kind to the contract's results, or to one line saying why not."""

import hashlib
import itertools
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import phantom
import pydicom
import pytest
import SimpleITK as sitk
from commands import start_process
from looking import (
    HAS_SLICER,
    blue,
    border,
    check_rigid,
    contents,
    has_opengl,
    in_picture,
    mean_tre_mm,
    moved,
    picture_scale,
    pose_of,
    project,
    read_json,
    read_rgb,
    red,
    ring,
    share_near,
    silhouette,
    yellow,
)
from PIL import Image
from xrayreg.cli import main, pipeline
from xrayreg.geometry import about, inverse
from xrayreg.images import XrayGeometry, read_volume, write_dicom_xray, write_geometry_file
from xrayreg.results import files as result_files

PLAN = phantom.CENTRE + [[-20.0, 10.0, -14.0], [5.0, 0.0, -10.0]]


# --- The case: one CT, two X-rays, stored in every way ---


@pytest.fixture(scope="module")
def ct(tmp_path_factory) -> Path:
    """A left-handed NIfTI."""
    return phantom.write_ct(tmp_path_factory.mktemp("phantom") / "ct.nii.gz")


@pytest.fixture(scope="module")
def views(ct) -> list[phantom.View]:
    return phantom.make_views(ct)


@pytest.fixture(scope="module")
def segmentation(ct) -> Path:
    """Left-handed, on another grid than the CT."""
    return phantom.write_segmentation(ct.parent / "labels.nii.gz", phantom.LEFT_HANDED)


@pytest.fixture(scope="module")
def names(ct) -> Path:
    path = ct.parent / "names.csv"
    path.write_text("structure,id\n" + "".join(f"{name},{label}\n" for label, name, _, _ in phantom.BONES))
    return path


def with_cameras(folder: Path, views, **per_view) -> list:
    """X-rays (PNG, then NRRD) and camera files as arguments; ``per_view`` makes a field from a view."""
    arguments = []
    for view, ending in zip(views, itertools.cycle([".png", ".nrrd"])):
        fields = {name: make(view) for name, make in per_view.items()}
        xray = phantom.write_xray(folder / f"{view.name}{ending}", view.pixels)
        camera = phantom.write_camera(folder / f"{view.name}.json", view.start, **fields)
        arguments += ["--xray", xray, "--camera", camera]
    return arguments


def in_rig(folder: Path, views) -> list:
    """The rig's frame is the patient's frame at the start; no other start is given."""
    return with_cameras(
        folder,
        views,
        camera_from_patient=lambda view: None,
        camera_from_rig=lambda view: view.start.camera_from_patient.tolist(),
    )


def in_rig_with_start(folder: Path, views) -> list:
    """The rig has a frame of its own, the start is given beside it."""
    rig_from_patient = about(np.zeros(3), np.array([0.9, -0.4, 0.3, 120.0, -40.0, 900.0]))
    return with_cameras(
        folder,
        views,
        camera_from_rig=lambda view: (view.start.camera_from_patient @ inverse(rig_from_patient)).tolist(),
    )


def as_dicom(folder: Path, views, **options) -> list:
    frame = pydicom.uid.generate_uid()
    paths = [
        phantom.write_dicom(folder / f"{v.name}.dcm", v, frame_of_reference_uid=frame, **options)
        for v in views
    ]
    return [part for path in paths for part in ("--xray", path)]


def as_dicom_seen_from_source(folder: Path, views) -> list:
    return as_dicom(folder, views, flip_columns=False)


TOGETHER = {
    "rig": (in_rig, "camera"),
    "rig with start": (in_rig_with_start, "camera"),
    "dicom seen from detector": (as_dicom, "dicom"),
    "dicom seen from source": (as_dicom_seen_from_source, "dicom"),
    "alone": (with_cameras, "camera"),
}


@pytest.fixture(scope="module")
def registered(ct, views, segmentation, names, tmp_path_factory):
    """The result folder and exit code of a way to store the two X-rays; each is registered once."""
    done = {}

    def get(way: str) -> tuple[Path, int]:
        if way not in done:
            folder = tmp_path_factory.mktemp("case")
            store, init = TOGETHER[way]
            extra = ["--segmentation", segmentation, "--names", names]
            extra += ["--plan", phantom.write_plan(folder / "screw.mrk.json", PLAN, "LPS")]
            arguments = ["--volume", ct, *store(folder, views), "--init", init, *extra]
            code = main(["register", *map(str, arguments), "--out", str(folder / "new" / "out")])
            done[way] = folder / "new" / "out", code
        return done[way]

    return get


# --- Poses ---


@pytest.mark.parametrize("way", [way for way in TOGETHER if way != "alone"])
def test_two_views_that_move_together_come_to_the_truth(registered, views, way):
    folder, code = registered(way)
    result = read_json(folder / "registration.json")
    assert code == 0
    assert [view["name"] for view in result["views"]] == ["frontal", "lateral"]
    for found, view in zip(result["views"], views, strict=True):
        truth = view.truth.camera_from_patient
        assert mean_tre_mm(pose_of(found, "initial_camera_from_patient"), truth, phantom.targets()) > 8
        assert mean_tre_mm(pose_of(found), truth, phantom.targets()) < 0.3
        assert found["similarity"] > found["initial_similarity"] + 0.2
    first, second = (pose_of(view) for view in result["views"])
    start = [view.start.camera_from_patient for view in views]
    np.testing.assert_allclose(first @ inverse(second), start[0] @ inverse(start[1]), atol=1e-5)
    assert result["confidence"]["verdict"] in ("accept", "review")
    assert result["confidence"]["success_probability"] > 0.5
    assert not any("alone" in reason for reason in result["confidence"]["reasons"])


def test_the_stored_orientation_of_a_dicom_file_does_not_matter(registered):
    one, other = (
        read_json(registered(f"dicom seen from {side}")[0] / "registration.json")["views"]
        for side in ("source", "detector")
    )
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(pose_of(a), pose_of(b), atol=1e-6)


def test_views_without_a_rig_are_registered_each_alone(registered, views):
    folder, code = registered("alone")
    result = read_json(folder / "registration.json")
    assert code == 0
    for found, view in zip(result["views"], views, strict=True):
        start, truth = view.start.camera_from_patient, view.truth.camera_from_patient
        pixels = project(found, phantom.targets()) - view.truth.project(phantom.targets())
        assert np.linalg.norm(pixels * view.truth.pixel_spacing_mm, axis=1).mean() < 1
        better = mean_tre_mm(pose_of(found), truth, phantom.targets())
        assert better < 0.5 * mean_tre_mm(start, truth, phantom.targets())
    assert any(reason.startswith("one view alone: depth") for reason in result["confidence"]["reasons"])
    first, second = (pose_of(view) for view in result["views"])
    relative = views[0].start.camera_from_patient @ inverse(views[1].start.camera_from_patient)
    assert np.abs(first @ inverse(second) - relative).max() > 1e-3  # nothing held them together


def test_noise_in_place_of_an_x_ray_is_rejected_with_exit_code_3(xrayreg, ct, views, tmp_path):
    noise = np.random.default_rng(0).integers(1000, 16000, views[0].pixels.shape, dtype=np.uint16)
    arguments = with_cameras(tmp_path, [replace(views[0], pixels=noise)])
    answer = xrayreg("register", "--volume", ct, *arguments, "--out", tmp_path / "out")
    assert answer.code == 3
    assert answer.errors == []
    assert "reject" in answer.out
    result = read_json(tmp_path / "out" / "registration.json")
    assert result["confidence"]["verdict"] == "reject"
    assert any("hardly resembles" in reason for reason in result["confidence"]["reasons"])
    assert result["confidence"]["success_probability"] < 0.05
    assert (tmp_path / "out" / "overlay_frontal.png").is_file()  # so that one can see why


# --- Files ---


def test_the_folder_holds_what_the_contract_names_and_nothing_else(registered):
    folder, _ = registered("rig")
    expected = {"registration.json", "report.html"}
    for name in ("frontal", "lateral"):
        expected |= {f"overlay_{name}.png", f"camera_from_patient_{name}.tfm"}
    if HAS_SLICER:
        expected |= {"scene.mrb"}
    if has_opengl():
        expected |= {"view3d.png", "slice_frontal.png", "slice_lateral.png"}
    assert set(contents(folder)) == expected
    assert sorted(path.name for path in folder.parent.iterdir()) == ["out"]  # no temporary folder is left


def test_registration_json_holds_the_fields_of_the_contract(registered, ct, segmentation, views):
    folder, _ = registered("rig")
    result = read_json(folder / "registration.json")
    assert set(result) == {
        "schema_version",
        "software",
        "inputs",
        "model",
        "views",
        "bodies",
        "targets",
        "confidence",
        "timing_s",
    }
    assert result["schema_version"] == 1
    assert result["model"] == "rigid"
    assert set(result["software"]) == {"name", "version", "torch", "device"}
    assert result["inputs"]["volume"] == checked(ct)
    assert result["inputs"]["segmentation"] == checked(segmentation)
    xrays = [folder.parents[1] / name for name in ("frontal.png", "lateral.nrrd")]
    assert result["inputs"]["xrays"] == [checked(path) for path in xrays]
    for found, view in zip(result["views"], views, strict=True):
        assert found["size"] == list(view.start.size)
        np.testing.assert_array_equal(found["K"], view.start.K)
        check_rigid(found["camera_from_patient"])
        np.testing.assert_allclose(found["initial_camera_from_patient"], view.start.camera_from_patient)
    (body,) = result["bodies"]
    np.testing.assert_array_equal(body["patient_from_rest"], np.eye(4))
    covariance = np.array(body["covariance"])
    assert covariance.shape == (6, 6)
    assert np.linalg.eigvalsh(covariance).min() > 0
    confidence = result["confidence"]
    assert 0 <= confidence["success_probability"] <= 1
    assert confidence["expected_tre_mm"] > 0
    assert confidence["p95_tre_mm"] > 0
    assert [(target["markup"], target["point"]) for target in result["targets"]] == [
        ("screw", "entry"),
        ("screw", "tip"),
    ]
    assert all(0 < error < 2 for target in result["targets"] for error in target["noise_tre_mm"].values())
    timing = result["timing_s"]
    assert set(timing) == {"initialise", "refine", "total"}
    assert timing["total"] == pytest.approx(timing["initialise"] + timing["refine"], abs=0.01)


def checked(path: Path) -> dict:
    return {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def test_the_transform_file_maps_patient_points_to_the_camera(registered):
    folder, _ = registered("rig")
    for view in read_json(folder / "registration.json")["views"]:
        transform = sitk.ReadTransform(str(folder / f"camera_from_patient_{view['name']}.tfm"))
        for point in phantom.targets():
            mapped = transform.TransformPoint(point.tolist())
            np.testing.assert_allclose(mapped, moved(pose_of(view), point[None])[0], atol=1e-6)


@pytest.mark.skipif(not HAS_SLICER, reason="slicer-core is not installed")
def test_the_scene_holds_volume_segments_views_and_plan(registered):
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.bundle import read_mrb
    from XrayRegistrationLib.headless import headless

    with headless() as opened:
        read_mrb(opened.scene, registered("rig")[0] / "scene.mrb")
        (result,) = roles.result_nodes(opened.scene)
        assert result.GetNodeReference(roles.VOLUME).GetName() == "ct.nii.gz"
        assert [roles.view_name(node) for node in roles.references(result, roles.VIEW)] == [
            "frontal",
            "lateral",
        ]
        (plan,) = roles.references(result, roles.PLAN)
        assert plan.GetNthControlPointPosition(1) == pytest.approx(PLAN[1] * [-1, -1, 1], abs=1e-4)
        segments = result.GetNodeReference(roles.SEGMENTATION).GetSegmentation()
        shown = [segments.GetNthSegment(n).GetName() for n in range(segments.GetNumberOfSegments())]
        assert shown == ["vertebrae_L1", "rib_left_1"]  # the bones of the trunk, where names tell them


def test_without_a_scene_writer_the_rest_is_written_and_one_line_says_what_to_install(
    xrayreg, ct, views, tmp_path, at_start
):
    answer = xrayreg("register", "--volume", ct, *in_rig(tmp_path, views), "--out", tmp_path / "out")
    assert answer.code == 0
    assert not (tmp_path / "out" / "scene.mrb").exists()
    assert (tmp_path / "out" / "overlay_frontal.png").is_file()
    (line,) = [line for line in answer.err.splitlines() if "scene.mrb" in line]
    assert "pip install" in line


def test_one_summary_line_and_progress_elsewhere(xrayreg, ct, views, tmp_path, at_start):
    answer = xrayreg("register", "--volume", ct, *in_rig(tmp_path, views), "--out", tmp_path / "out")
    verdict = read_json(tmp_path / "out" / "registration.json")["confidence"]["verdict"]
    (line,) = answer.out.splitlines()
    assert line.startswith(f"{tmp_path / 'out'}: {verdict}; expected TRE ")
    assert line.endswith("similarity frontal 0.900, lateral 0.900")
    assert all(line.startswith("xrayreg: ") for line in answer.err.splitlines())


def test_views_with_equal_file_names_get_names_of_their_own(xrayreg, ct, views, tmp_path, at_start):
    arguments = []
    for folder, name in (("a", "shot"), ("b", "Shot"), ("c", "shot_1")):
        (tmp_path / folder).mkdir()
        arguments += with_cameras(tmp_path / folder, [replace(views[0], name=name)])
    answer = xrayreg("register", "--volume", ct, *arguments, "--out", tmp_path / "out")
    assert answer.code == 0
    result = read_json(tmp_path / "out" / "registration.json")
    names = [view["name"] for view in result["views"]]
    assert len({name.lower() for name in names}) == 3
    assert names[2] == "shot_1"  # a name of its own stays
    for name in names:
        assert (tmp_path / "out" / f"overlay_{name}.png").is_file()
        assert (tmp_path / "out" / f"camera_from_patient_{name}.tfm").is_file()


def test_a_frame_of_a_run_is_chosen_behind_its_xray(xrayreg, ct, views, tmp_path, at_start):
    view, run = views[0], tmp_path / "run.dcm"
    frames = np.stack([np.full_like(view.pixels, 9), view.pixels])
    write_dicom_xray(run, frames, view.carm, view.start.pixel_spacing_mm, angle_steps_deg=(30.0, 0.0))
    command = ("register", "--volume", ct, "--xray", run)
    assert (
        "choose one of the 2 frames (--frame)" in xrayreg(*command, "--out", tmp_path / "no").check_refused()
    )
    assert "--frame stands behind" in xrayreg("register", "--frame", 2, *command[1:], "--out", "no").err
    done = xrayreg(*command, "--frame", 2, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    result = read_json(tmp_path / "out" / "registration.json")
    assert result["inputs"]["xrays"][0]["frame"] == 2
    centre = tuple(read_volume(ct).grid.centre_patient)
    turned = replace(view.carm, primary_deg=30.0, isocenter=centre).camera_from_patient  # 0 and one step
    np.testing.assert_allclose(result["views"][0]["camera_from_patient"], turned, atol=1e-6)


def test_the_geometry_of_a_picture_is_given_behind_its_xray(xrayreg, ct, views, tmp_path, at_start):
    view = views[0]
    picture = phantom.write_xray(tmp_path / "ap.png", view.pixels)
    carm, spacing = view.carm, view.start.pixel_spacing_mm
    distances = (carm.source_to_detector_mm, carm.source_to_isocenter_mm)
    geometry = XrayGeometry(*distances, spacing, carm.primary_deg, None, "transmission", "source")
    write_geometry_file(tmp_path / "geometry.json", geometry)
    command = ("register", "--volume", ct, "--xray", picture, "--geometry", tmp_path / "geometry.json")
    refused = xrayreg(*command, "--out", tmp_path / "no").check_refused()
    assert "geometry is incomplete: secondary angle" in refused
    write_geometry_file(tmp_path / "geometry.json", replace(geometry, secondary_deg=carm.secondary_deg))
    camera = phantom.write_camera(tmp_path / "camera.json", view.start)
    twice = xrayreg(*command, "--camera", camera, "--out", tmp_path / "no").check_refused()
    assert "both give its geometry" in twice
    done = xrayreg(*command, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    centre = tuple(read_volume(ct).grid.centre_patient)
    found = read_json(tmp_path / "out" / "registration.json")["views"][0]["camera_from_patient"]
    np.testing.assert_allclose(found, replace(carm, isocenter=centre).camera_from_patient, atol=1e-6)


def test_frames_are_combined_and_pixels_left_out(xrayreg, ct, views, tmp_path, at_start):
    view, run = views[0], tmp_path / "run.dcm"
    pixels = view.pixels.copy()
    pixels[:, :20] = 3  # the shadow of a collimator that no tag tells about
    write_dicom_xray(run, np.stack([pixels, pixels, pixels]), view.carm, view.start.pixel_spacing_mm)
    command = ("register", "--volume", ct, "--xray", run, "--frame", "mean:2-3")
    done = xrayreg(*command, "--mask", "metal,field", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    (described,) = read_json(tmp_path / "out" / "registration.json")["inputs"]["xrays"]
    assert (described["frame"], described["mask"]) == ("mean:2-3", "field,metal")
    assert "each pixel has its mean intensity in frames 2 to 3" in done.err
    assert "left out: the dark border of the field" in done.err
    bad = ("register", "--volume", ct, "--xray", run, "--frame")
    for words, says in (
        (("median",), "frame median is not understood"),
        (("mean:2-9",), "has no frame 9"),
        (("dsa",), "MaskSubtractionSequence (0028,6100) is missing"),
        (("2", "--mask", "bones"), "'bones' is unknown"),
    ):
        assert says in xrayreg(*bad, *words, "--out", tmp_path / "no").check_refused()


def test_results_of_an_earlier_run_are_replaced_and_other_files_stay(xrayreg, ct, views, tmp_path, at_start):
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("the user's own")
    (out / "registration.json").write_text("old")
    assert xrayreg("register", "--volume", ct, *in_rig(tmp_path, views), "--out", out).code == 0
    assert (out / "notes.txt").read_text() == "the user's own"
    assert read_json(out / "registration.json")["schema_version"] == 1


# --- Pictures ---


def test_outlines_and_plan_are_drawn_where_a_pinhole_camera_sees_them(registered):
    folder, _ = registered("rig")
    for view in read_json(folder / "registration.json")["views"]:
        rgb = read_rgb(folder / f"overlay_{view['name']}.png")
        scale = picture_scale(rgb, view)
        assert scale == 5  # a small detector's picture is enlarged: 5 * 176 <= 1024
        for drawn, bone in ((blue(rgb), phantom.BONES[0]), (yellow(rgb), phantom.BONES[1])):
            expected = border(silhouette(in_picture(project(view, solid(bone)), scale), rgb.shape[:2]))
            assert share_near(expected, drawn, 2 * scale) > 0.9
            assert share_near(drawn, expected, 2 * scale) > 0.97
        for spot in in_picture(project(view, PLAN), scale):
            assert ring(rgb, spot, red) > 0.6


def solid(bone) -> np.ndarray:
    """Points (n, 3) that fill a bone closely, patient LPS."""
    _, _, centre, half = bone
    step = np.stack(np.meshgrid(*[np.linspace(-1, 1, 161)] * 3), axis=-1).reshape(-1, 3)
    return phantom.CENTRE + centre + step[(step**2).sum(axis=1) < 1] * half


def test_the_grid_of_the_segmentation_does_not_matter(xrayreg, ct, views, names, tmp_path, at_start):
    arguments = in_rig(tmp_path, views)
    drawn = []
    for number, (direction, spacing, size) in enumerate(
        [
            (phantom.LEFT_HANDED, (1.5, 1.0, 2.0), (60, 60, 44)),
            (phantom.RIGHT_HANDED, (1.0, 1.5, 1.2), (90, 46, 72)),
            (phantom.RIGHT_HANDED[:, [2, 0, 1]], (1.0, 1.4, 1.1), (90, 60, 60)),  # i runs upwards
        ]
    ):
        path = phantom.write_segmentation(tmp_path / f"{number}.nrrd", direction, spacing, size)
        more = ["--segmentation", path, "--names", names, "--out", tmp_path / "out"]
        assert xrayreg("register", "--volume", ct, *arguments, *more).code == 0
        drawn.append(read_rgb(tmp_path / "out" / "overlay_lateral.png"))
    for one, other in itertools.permutations(drawn, 2):
        assert blue(one).sum() > 500
        assert share_near(blue(one), blue(other), 8) > 0.97  # 8 picture pixels: less than 2 of the X-ray
        assert share_near(yellow(one), yellow(other), 8) > 0.97


def test_a_plan_in_ras_is_drawn_where_the_same_plan_in_lps_is(xrayreg, ct, views, tmp_path, at_start):
    arguments = in_rig(tmp_path, views)
    pictures = {}
    for system in ("LPS", "RAS", None):
        plan = []
        if system is not None:
            plan = ["--plan", phantom.write_plan(tmp_path / f"{system}.mrk.json", PLAN, system)]
        assert xrayreg("register", "--volume", ct, *arguments, *plan, "--out", tmp_path / "out").code == 0
        pictures[system] = (tmp_path / "out" / "overlay_frontal.png").read_bytes()
    assert pictures["LPS"] == pictures["RAS"] != pictures[None]


# --- Bad input: exit code 2, one line, nothing written ---


@pytest.fixture
def shots(views, tmp_path) -> Path:
    """A folder with frontal.png/.json, lateral.nrrd/.json and frontal.dcm."""
    with_cameras(tmp_path, views)
    phantom.write_dicom(tmp_path / "frontal.dcm", views[0])
    return tmp_path


def without_a_tag(shots):
    dataset = pydicom.dcmread(shots / "frontal.dcm")
    del dataset.PositionerPrimaryAngle
    dataset.save_as(shots / "frontal.dcm")


def without_a_pose(shots):
    edit(shots / "frontal.json", camera_from_patient=None)


def as_a_tiff(shots):
    pages = [Image.fromarray(np.full((9, 8), 1024, np.uint16)) for _ in range(7)]
    pages[0].save(shots / "stack.tif", save_all=True, append_images=pages[1:])


def rig_that_disagrees(shots):
    """The lateral view has the patient 3 mm elsewhere in the rig than the frontal one."""
    for name, shift in (("frontal", 0.0), ("lateral", 3.0)):
        pose = np.array(read_json(shots / f"{name}.json")["camera_from_patient"])
        moved_pose = pose @ about(np.zeros(3), np.array([0, 0, 0, shift, 0, 0]))
        edit(shots / f"{name}.json", camera_from_rig=pose.tolist(), camera_from_patient=moved_pose.tolist())


def rig_with_one_start(shots):
    for name in ("frontal", "lateral"):
        pose = read_json(shots / f"{name}.json")["camera_from_patient"]
        edit(shots / f"{name}.json", camera_from_rig=pose)
    edit(shots / "lateral.json", camera_from_patient=None)


def far_away(shots):
    """The start pose points the camera past the patient."""
    pose = np.array(read_json(shots / "frontal.json")["camera_from_patient"])
    pose[0, 3] += 2000
    edit(shots / "frontal.json", camera_from_patient=pose.tolist())


def edit(path, **changes):
    fields = {name: value for name, value in (read_json(path) | changes).items() if value is not None}
    path.write_text(json.dumps(fields))


def segmented_elsewhere(folder):
    """500 mm to the left of the CT; the boxes are 104 and 90 mm wide, so 500 - 52 - 45 = 403 mm apart."""
    path = phantom.write_segmentation(folder / "elsewhere.nrrd", phantom.LEFT_HANDED)
    image = sitk.ReadImage(str(path))
    image.SetOrigin([image.GetOrigin()[0] + 500, *image.GetOrigin()[1:]])
    sitk.WriteImage(image, str(path))


FRONTAL = ["--xray", "frontal.png", "--camera", "frontal.json"]
BOTH = [*FRONTAL, "--xray", "lateral.nrrd", "--camera", "lateral.json"]


@pytest.mark.parametrize(
    ("arguments", "prepare", "says"),
    [
        (["--camera", "frontal.json", "--xray", "frontal.png"], None, ["--camera", "behind the --xray"]),
        ([*FRONTAL, "--camera", "lateral.json"], None, ["frontal.png", "two --camera"]),
        (["--init", "camera", "--xray", "frontal.png"], None, ["frontal.png", "camera file", "--camera"]),
        (["--xray", "frontal.png"], None, ["frontal.png", "--camera"]),
        (
            ["--init", "dicom", "--xray", "frontal.dcm", "--camera", "frontal.json"],
            None,
            ["frontal.json", "--init dicom", "--init camera"],
        ),
        (
            ["--xray", "frontal.dcm"],
            without_a_tag,
            ["frontal.dcm", "PositionerPrimaryAngle (0018,1510) is missing", "--camera"],
        ),
        (FRONTAL, without_a_pose, ["no start pose", "camera_from_patient"]),
        (BOTH, rig_that_disagrees, ["lateral.json", "3.0 mm", "frontal.json", "rig_from_patient"]),
        (BOTH, rig_with_one_start, ["lateral.json", "frontal.json", "camera_from_patient", "none"]),
        (FRONTAL, far_away, ["frontal", "does not project into the X-ray", "start pose"]),
        ([*FRONTAL, "--volume", "stack.tif"], as_a_tiff, ["stack.tif", "--voxel-mm x,y,z"]),
        ([*FRONTAL, "--volume", "stack.tif", "--voxel-mm", "1,1"], as_a_tiff, ["--voxel-mm 1,1"]),
        ([*FRONTAL, "--volume", "gone.nrrd"], None, ["gone.nrrd: no such file"]),
        (["--xray", "gone.png", "--camera", "frontal.json"], None, ["gone.png: no such file", "--xray"]),
        (
            ["--xray", "lateral.nrrd", "--camera", "gone.json"],
            None,
            ["gone.json: no such file", "--camera"],
        ),
        ([*FRONTAL, "--plan", "gone.mrk.json"], None, ["gone.mrk.json: no such file"]),
        ([*FRONTAL, "--segmentation", "gone.nrrd"], None, ["gone.nrrd: no such file"]),
        (
            [*FRONTAL, "--segmentation", "elsewhere.nrrd"],
            segmented_elsewhere,
            ["segmentation", "do not overlap: 403.0 mm apart, centres 500.0 mm apart"],
        ),
        ([*FRONTAL, "--names", "frontal.json"], None, ["--names goes with --segmentation"]),
        ([*FRONTAL, "--out", "lateral.nrrd"], None, ["lateral.nrrd", "a file, not a folder", "--out"]),
        ([*FRONTAL, "--model", "elastic"], None, ["--model", "rigid", "--help"]),
        ([], None, ["--xray", "--help"]),
    ],
)
def test_bad_input_is_one_line_and_an_existing_folder_stays(
    xrayreg, shots, ct, monkeypatch, arguments, prepare, says
):
    monkeypatch.chdir(shots)
    (shots / "out").mkdir()
    (shots / "out" / "registration.json").write_text("of an earlier run")
    if prepare is not None:
        prepare(shots)
    before = contents(shots)
    line = xrayreg("register", "--volume", ct, "--out", "out", *arguments).check_refused()
    assert [part for part in says if part not in line] == []
    assert contents(shots) == before


def test_the_process_refuses_without_a_traceback(process, shots, ct):
    arguments = ("--volume", ct, "--xray", shots / "frontal.png", "--out", shots / "out")
    process("register", *arguments).check_refused()
    assert not (shots / "out").exists()


# --- Ends before the end ---


def no_space(*arguments):
    raise OSError(28, "No space left on device", "overlay_frontal.png")


def test_a_full_disk_while_drawing_leaves_the_earlier_results(
    xrayreg, shots, ct, monkeypatch, at_start, views
):
    out = shots / "out"
    given = ("register", "--volume", ct, *in_rig(shots, views), "--out", out)
    assert xrayreg(*given).code == 0
    before = contents(out)
    monkeypatch.setattr(result_files, "overlay_picture", no_space)
    line = xrayreg(*given).check_refused()
    assert "No space left" in line
    assert contents(out) == before


def cancel(density, xrays, **options):
    raise KeyboardInterrupt


@pytest.mark.parametrize("out", ["out", "not/there/yet"])
def test_a_cancel_during_refinement_changes_nothing(xrayreg, shots, ct, monkeypatch, views, out):
    monkeypatch.setattr(pipeline, "register_rigid", cancel)
    (shots / "out").mkdir()
    (shots / "out" / "registration.json").write_text("of an earlier run")
    arguments = in_rig(shots, views)
    before = contents(shots)
    answer = xrayreg("register", "--volume", ct, *arguments, "--out", shots / out)
    assert answer.code == 130
    assert answer.out == ""
    assert answer.err.splitlines()[-1] == "xrayreg: cancelled; nothing was written"
    assert contents(shots) == before
    assert not (shots / "not").exists()
    assert not list(shots.glob(".xrayreg*"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a single process")
def test_ctrl_c_ends_the_process_with_130_and_leaves_nothing(shots, ct, views):
    arguments = in_rig(shots, views)
    before = contents(shots)
    # A shell that runs the tests in the background makes its children deaf to SIGINT.
    listening = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)}
    started = start_process("register", "--volume", ct, *arguments, "--out", shots / "out", **listening)
    said = list(itertools.takewhile(lambda line: "level 1" not in line, started.stderr))
    assert started.poll() is None, said
    started.send_signal(signal.SIGINT)
    out, rest = started.communicate()
    assert started.returncode == 130
    assert out == ""
    assert rest.splitlines()[-1] == "xrayreg: cancelled; nothing was written"
    assert contents(shots) == before
    assert not (shots / "out").exists()
    assert not list(shots.glob(".xrayreg*"))
