"""`xrayreg demo`: from a real chest CT to poses, pictures, a Slicer scene and a report that holds them.

Everything is worked out again here from the files alone: poses by numpy, anatomy from the label map as
SimpleITK reads it, X-ray tags by pydicom.
"""

import base64
import csv
import hashlib
import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
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
)
from PIL import Image
from standing_still import stay
from xrayreg.cli import demo as demo_command
from xrayreg.cli import pipeline
from xrayreg.evaluate import demo_views
from xrayreg.learn import read_network
from xrayreg.overlays import Overlay
from xrayreg.results import Outcome
from xrayreg.results import files as result_files

VIEWS = ("frontal", "oblique")
ANY_VIEW = "any"
KINDS = ("", "_start", "_xray", "_drr", "_drr_start", "_checkerboard", "_checkerboard_start")


# --- What the files say ---


@pytest.fixture(scope="module")
def folder(demo) -> Path:
    assert demo.answer.code == 0, demo.answer.err
    return demo.folder


@pytest.fixture(scope="module")
def result(folder) -> dict:
    return read_json(folder / "registration.json")


@pytest.fixture(scope="module")
def metrics(folder) -> dict:
    return read_json(folder / "metrics.json")


@pytest.fixture(scope="module")
def truth(folder) -> dict:
    """camera_from_patient of each view, as the X-rays were simulated."""
    return {name: np.array(pose) for name, pose in read_json(folder / "xrays" / "truth.json").items()}


class Anatomy:
    """The label map: which structure is where in the patient, LPS, mm."""

    def __init__(self, path: Path):
        self.image = sitk.ReadImage(str(path))
        self.array = sitk.GetArrayFromImage(self.image)
        with (path.parent / "structures.csv").open(newline="") as file:
            self.label_of = {row["structure"]: int(row["id"]) for row in csv.DictReader(file)}
        self._present = set(np.unique(self.array).tolist())
        direction = np.array(self.image.GetDirection()).reshape(3, 3)
        self._axes = direction * self.image.GetSpacing()

    def names(self, *starts: str) -> list[str]:
        """The structures that are present and whose names begin so."""
        return [name for name, k in self.label_of.items() if name.startswith(starts) and k in self._present]

    def centroid(self, name: str) -> np.ndarray:
        return self._patient(self._indices(name).mean(axis=0))

    def solid(self, name: str) -> np.ndarray:
        """Points (n, 3) that fill a structure: each voxel's centre and more between it and the next."""
        fine = np.stack(np.meshgrid((-0.25, 0.25), (-0.25, 0.25), (-0.375, -0.125, 0.125, 0.375)), axis=-1)
        indices = self._indices(name)[:, None] + fine.reshape(-1, 3)
        return self._patient(indices.reshape(-1, 3))

    def name_at(self, point: np.ndarray) -> str | None:
        label = self.image.GetPixel(*self.image.TransformPhysicalPointToIndex(point.tolist()))
        return next((name for name, k in self.label_of.items() if k == label), None)

    def _indices(self, name: str) -> np.ndarray:
        return np.argwhere(self.array == self.label_of[name])[:, ::-1]

    def _patient(self, index: np.ndarray) -> np.ndarray:
        return index @ self._axes.T + self.image.GetOrigin()


@pytest.fixture(scope="module")
def anatomy(result) -> Anatomy:
    return Anatomy(Path(result["inputs"]["segmentation"]["path"]))


@pytest.fixture(scope="module")
def plan(folder) -> dict[str, np.ndarray]:
    """Position of each planned point by its label, patient LPS."""
    markups = read_json(folder / "plan.mrk.json")["markups"]
    assert {markup["coordinateSystem"] for markup in markups} == {"LPS"}
    return {point["label"]: np.array(point["position"]) for m in markups for point in m["controlPoints"]}


@pytest.fixture(scope="module")
def targets(anatomy, plan) -> np.ndarray:
    return np.array([*plan.values(), *map(anatomy.centroid, anatomy.names("vertebrae_T", "rib"))])


@pytest.fixture(scope="module")
def tags(folder) -> dict[str, pydicom.Dataset]:
    return {name: pydicom.dcmread(folder / "xrays" / f"{name}.dcm") for name in VIEWS}


# --- The files ---


def expected_files() -> set[str]:
    files = {"registration.json", "metrics.json", "report.html", "plan.mrk.json"}
    files |= {"xrays/frontal.dcm", "xrays/oblique.dcm", "xrays/truth.json"}
    files |= {f"camera_from_patient_{name}.tfm" for name in VIEWS}
    files |= {f"overlay_{name}{kind}.png" for name in VIEWS for kind in KINDS}
    files |= {f"network/{name}" for name in ("registration.json", "camera_from_patient_any.tfm")}
    files |= {"network/xrays/any.dcm", "network/xrays/truth.json"}
    files |= {f"network/overlay_any{kind}.png" for kind in KINDS} | {"network/attention_any.png"}
    if HAS_SLICER:
        files |= {"scene.mrb", "network/scene.mrb"}
    if has_opengl():
        files |= {"view3d.png"} | {f"slice_{name}.png" for name in VIEWS}
        files |= {"network/view3d.png", "network/slice_any.png"}
    return files


def test_every_result_is_there_and_nothing_else(folder):
    assert set(contents(folder)) == expected_files()
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_one_summary_line_and_progress_on_standard_error(demo, folder, metrics):
    (line,) = demo.answer.out.splitlines()
    assert str(folder / "report.html") in line
    assert f"{metrics['mtre_mm']:.2f} mm registered" in line
    assert all(said.startswith("xrayreg: ") for said in demo.answer.err.splitlines())
    assert any("CC BY 3.0" in said for said in demo.answer.err.splitlines())


def test_a_second_run_leaves_the_same_files_and_those_of_the_user(
    xrayreg, folder, tmp_path, monkeypatch, demo_environment
):
    # With all that takes long left out: what is asked here is which files there are.
    def blank_xray(volume, camera, detector, mask):
        return np.where(mask, np.uint16(9000), np.uint16(100))

    def blank(*args):
        return np.ones((512, 512), np.float32)

    monkeypatch.setattr(pipeline, "register_rigid", stay)
    monkeypatch.setattr(demo_views, "simulate_xray", blank_xray)
    monkeypatch.setattr(Overlay, "borders", lambda overlay, camera: {})
    monkeypatch.setattr(demo_command, "view_drr", blank)
    monkeypatch.setattr(Outcome, "drr", blank)
    for module in (result_files, demo_command):
        monkeypatch.setattr(
            module, "overlay_picture", lambda xray, *rest: demo_command.xray_picture(xray, "")
        )
    for name in ("XRAYREG_CACHE", "PIP_NO_INDEX"):
        if name in demo_environment:
            monkeypatch.setenv(name, demo_environment[name])
    out = tmp_path / "out"
    shutil.copytree(folder, out)
    (out / "notes.txt").write_text("the user's own")
    answer = xrayreg("demo", "--out", out)
    assert answer.code == 0, answer.err
    assert set(contents(out)) == expected_files() | {"notes.txt"}
    assert (out / "notes.txt").read_text() == "the user's own"
    assert read_json(out / "metrics.json")["mtre_mm"] > 20  # nothing was moved: it is the new result
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


# --- The registration ---


def test_the_registration_starts_far_away_and_ends_at_the_truth(metrics):
    assert metrics["initial_mtre_mm"] >= 20
    assert metrics["mtre_mm"] <= 0.7
    assert [view["name"] for view in metrics["views"]] == list(VIEWS)
    for view in metrics["views"]:
        assert view["mtre_mm"] <= 0.7
        assert view["mpd_mm"] <= 1.0
        assert view["initial_mpd_mm"] >= 10


def test_the_metrics_follow_from_the_poses_the_truth_and_the_label_map(result, metrics, truth, targets, tags):
    assert metrics["targets"] == len(targets)
    for view, shown in zip(result["views"], metrics["views"], strict=True):
        true_pose = truth[view["name"]]
        assert shown["initial_mtre_mm"] == pytest.approx(
            mean_tre_mm(pose_of(view, "initial_camera_from_patient"), true_pose, targets), abs=1e-6
        )
        assert shown["mtre_mm"] == pytest.approx(mean_tre_mm(pose_of(view), true_pose, targets), abs=1e-6)
        at_truth = moved(true_pose, targets)
        spacing_mm = float(tags[view["name"]].ImagerPixelSpacing[0])
        pixels_true = project(view | {"camera_from_patient": true_pose}, targets)
        for field, pose in (
            ("initial_mpd_mm", "initial_camera_from_patient"),
            ("mpd_mm", "camera_from_patient"),
        ):
            pixels = project(view, targets, pose)
            distance = np.linalg.norm(pixels - pixels_true, axis=1).mean() * spacing_mm
            assert shown[field] == pytest.approx(distance, abs=1e-6)
        largest = np.linalg.norm(moved(pose_of(view), targets) - at_truth, axis=1).max()
        assert shown["max_tre_mm"] == pytest.approx(largest, abs=1e-6)
        ray = moved(pose_of(view), targets)  # the source is the camera's origin
        ray /= np.linalg.norm(ray, axis=1, keepdims=True)
        off_ray = at_truth - (at_truth * ray).sum(axis=1, keepdims=True) * ray
        assert shown["mrpd_mm"] == pytest.approx(np.linalg.norm(off_ray, axis=1).mean(), abs=1e-6)


def test_from_any_view_the_network_finds_the_start_and_registration_the_rest(folder, metrics, targets):
    """The tags' angles lead elsewhere: the patient lies 20 to 30 mm and 7 degrees off them."""
    (view,) = read_json(folder / "network" / "registration.json")["views"]
    truth = np.array(read_json(folder / "network" / "xrays" / "truth.json")[ANY_VIEW])
    start, end = (pose_of(view, field) for field in ("initial_camera_from_patient", "camera_from_patient"))
    shown = metrics["network"]
    assert shown["initial_mtre_mm"] == pytest.approx(mean_tre_mm(start, truth, targets), abs=1e-6)
    assert shown["mtre_mm"] == pytest.approx(mean_tre_mm(end, truth, targets), abs=1e-6)
    turn = start[:3, :3] @ truth[:3, :3].T
    assert np.degrees(np.arccos((np.trace(turn) - 1) / 2)) < 15
    assert 1 < shown["initial_mtre_mm"] < 50
    assert shown["mtre_mm"] < 1


def test_the_demos_network_is_small_and_brings_its_card_and_says_how_it_was_made():
    network = demo_views.demo_network()
    assert network.stat().st_size < 5e6
    card = read_json(network.with_suffix(".card.json"))
    assert card["summary"]["success"]["share"] >= 0.95
    assert network.with_suffix(".card.html").is_file()
    _, description = read_network(network)
    made = (network.parent / "README.md").read_text(encoding="utf-8")
    assert f"--steps {description['training']['steps']}" in made
    assert description["ranges"] == read_json(network.parent / "demo-chest.ranges.json")


def test_the_pooled_metrics_are_the_mean_of_the_views(metrics):
    for name in ("initial_mtre_mm", "mtre_mm", "initial_mpd_mm", "mpd_mm", "mrpd_mm"):
        assert metrics[name] == pytest.approx(np.mean([view[name] for view in metrics["views"]]))
    assert metrics["max_tre_mm"] == max(view["max_tre_mm"] for view in metrics["views"])


def test_the_start_is_what_the_tags_say_and_the_ct_centre(result, tags, anatomy):
    # Angles p (LAO) and s (cranial): the beam goes to (sin p cos s, -cos p cos s, sin s), LPS.
    middle = [(n - 1) / 2 for n in anatomy.image.GetSize()]
    centre = np.array(anatomy.image.TransformContinuousIndexToPhysicalPoint(middle))
    for view in result["views"]:
        dataset = tags[view["name"]]
        p, s = np.radians([dataset.PositionerPrimaryAngle, dataset.PositionerSecondaryAngle])
        beam = np.array([np.sin(p) * np.cos(s), -np.cos(p) * np.cos(s), np.sin(s)])
        pose = pose_of(view, "initial_camera_from_patient")
        np.testing.assert_allclose(pose[2, :3], beam, atol=1e-6)
        source = -pose[:3, :3].T @ pose[:3, 3]
        np.testing.assert_allclose(source, centre - float(dataset.DistanceSourceToPatient) * beam, atol=1e-3)


def test_both_views_moved_together(result, truth):
    found, start, true = (
        [np.asarray(pose) for pose in poses]
        for poses in (
            [pose_of(view) for view in result["views"]],
            [pose_of(view, "initial_camera_from_patient") for view in result["views"]],
            truth.values(),
        )
    )
    relative = [first @ np.linalg.inv(second) for first, second in (found, start, true)]
    np.testing.assert_allclose(relative[0], relative[1], atol=1e-5)
    np.testing.assert_allclose(relative[0], relative[2], atol=1e-5)


def test_registration_json_describes_views_and_confidence(result, tags):
    assert result["schema_version"] == 1
    assert result["model"] == "rigid"
    for view in result["views"]:
        dataset = tags[view["name"]]
        assert view["size"] == [dataset.Columns, dataset.Rows]
        focal = float(dataset.DistanceSourceToDetector) / np.array(dataset.ImagerPixelSpacing, dtype=float)
        expected = [[focal[1], 0, 255.5], [0, focal[0], 255.5], [0, 0, 1]]
        np.testing.assert_allclose(view["K"], expected, atol=1e-6)
        check_rigid(view["camera_from_patient"])
        check_rigid(view["initial_camera_from_patient"])
        assert view["initial_similarity"] < view["similarity"] <= 1
    confidence = result["confidence"]
    assert confidence["verdict"] == "accept"
    assert confidence["success_probability"] > 0.95
    assert 0 < confidence["expected_tre_mm"] < confidence["p95_tre_mm"] < 3
    assert confidence["reasons"]
    assert set(result["timing_s"]) == {"initialise", "refine", "total"}
    assert all(seconds > 0 for seconds in result["timing_s"].values())


def test_the_inputs_are_named_with_their_checksums_and_the_truth_is_none_of_them(result, folder):
    inputs = result["inputs"]
    given = [inputs["volume"], inputs["segmentation"], *inputs["xrays"]]
    assert [Path(entry["path"]).name for entry in given] == [
        "cxr.nii.gz",
        "mask.nii.gz",
        "frontal.dcm",
        "oblique.dcm",
    ]
    for entry in given:
        assert entry["sha256"] == hashlib.sha256(Path(entry["path"]).read_bytes()).hexdigest()
    assert [Path(entry["path"]) for entry in inputs["xrays"]] == [
        folder / "xrays" / f"{name}.dcm" for name in VIEWS
    ]
    assert "truth" not in json.dumps(inputs)


def test_the_transform_files_map_patient_points_to_the_camera(result, folder, targets):
    for view in result["views"]:
        transform = sitk.ReadTransform(str(folder / f"camera_from_patient_{view['name']}.tfm"))
        mapped = np.array([transform.TransformPoint(point.tolist()) for point in targets])
        np.testing.assert_allclose(mapped, moved(pose_of(view), targets), atol=1e-6)


# --- The X-rays ---


@pytest.mark.parametrize("name", VIEWS)
def test_the_x_rays_have_every_tag_that_geometry_needs(tags, name):
    dataset = tags[name]
    assert dataset.Modality == "XA"
    assert dataset.pixel_array.shape == (dataset.Rows, dataset.Columns) == (512, 512)
    assert dataset.BitsStored > 8
    assert dataset.PixelIntensityRelationship
    for keyword in (
        "DistanceSourceToDetector",
        "DistanceSourceToPatient",
        "ImagerPixelSpacing",
        "PositionerPrimaryAngle",
        "PositionerSecondaryAngle",
        "PatientOrientation",
        "ShutterShape",
        "FrameOfReferenceUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
    ):
        assert dataset.get(keyword) not in (None, ""), keyword
    assert "simulated" in f"{dataset.DerivationDescription} {dataset.SeriesDescription}".lower()


def test_the_x_rays_are_two_series_of_one_study_in_one_frame(tags):
    assert len({dataset.StudyInstanceUID for dataset in tags.values()}) == 1
    assert len({dataset.FrameOfReferenceUID for dataset in tags.values()}) == 1
    assert len({dataset.SOPInstanceUID for dataset in tags.values()}) == 2
    assert len({float(dataset.PositionerPrimaryAngle) for dataset in tags.values()}) == 2


# --- The plan ---


def test_the_screw_lies_in_t9_and_the_target_in_t8(plan, anatomy):
    assert set(plan) == {"entry", "tip", "T8 target"}
    assert anatomy.name_at(plan["tip"]) == "vertebrae_T9"
    assert anatomy.name_at(plan["T8 target"]) == "vertebrae_T8"
    length = np.linalg.norm(plan["tip"] - plan["entry"])
    assert 25 < length < 50
    along = [anatomy.name_at(point) for point in np.linspace(plan["entry"], plan["tip"], 100)]
    assert along.count("vertebrae_T9") > 80
    assert not {name for name in along if name is not None and name.startswith("vertebrae")} - {
        "vertebrae_T9"
    }


# --- The pictures ---


@pytest.mark.parametrize("number", [0, 1])
def test_outlines_are_where_the_label_map_projects(result, folder, anatomy, number):
    view = result["views"][number]
    rgb = read_rgb(folder / f"overlay_{view['name']}.png")
    scale = picture_scale(rgb, view)
    assert scale == 2
    one_pixel = scale  # of the X-ray
    borders = {
        name: border(silhouette(in_picture(project(view, anatomy.solid(name)), scale), rgb.shape[:2]))
        for name in anatomy.names("vertebra")
    }
    anywhere = np.any(list(borders.values()), axis=0)
    assert share_near(blue(rgb), anywhere, 3 * one_pixel) > 0.95
    for name in ("vertebrae_T8", "vertebrae_T9"):
        assert share_near(borders[name], blue(rgb), 3 * one_pixel) > 0.95
        at_start = read_rgb(folder / f"overlay_{view['name']}_start.png")
        assert share_near(borders[name], blue(at_start), 3 * one_pixel) < 0.7


@pytest.mark.parametrize("kind", ["", "_start"])
def test_the_plan_is_drawn_where_the_pose_puts_it(result, folder, plan, kind):
    field = "initial_camera_from_patient" if kind else "camera_from_patient"
    for view in result["views"]:
        rgb = read_rgb(folder / f"overlay_{view['name']}{kind}.png")
        for spot in in_picture(project(view, np.array(list(plan.values())), field), picture_scale(rgb, view)):
            assert ring(rgb, spot, red) > 0.6


def test_every_picture_shows_something_of_its_own(folder):
    pictures = sorted(folder.glob("*.png"))
    for path in pictures:
        with Image.open(path) as image:
            assert min(image.size) >= 512
            assert np.array(image.convert("L")).std() > 5, path.name
    assert len({path.read_bytes() for path in pictures}) == len(pictures)


def test_the_drr_at_the_found_pose_resembles_the_x_ray_more_than_at_the_start(folder):
    for name in VIEWS:
        xray, start, end = (
            read_rgb(folder / f"overlay_{name}_{kind}.png").mean(axis=-1)[60:-60, 60:-60]
            for kind in ("xray", "drr_start", "drr")
        )
        alike = [np.corrcoef(drr.ravel(), xray.ravel())[0, 1] for drr in (start, end)]
        assert alike[1] > 0.8
        assert alike[1] > alike[0] + 0.1


# --- The report ---


def test_the_report_tells_numbers_licence_and_purpose(folder, metrics, result):
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert "not a medical device" in text
    assert "CC BY 3.0" in text
    assert "10.7937/K9/TCIA.2015.LO9QL9SX" in text
    assert "simulated" in text
    assert result["confidence"]["verdict"] in text
    for row in (metrics, *metrics["views"], metrics["network"]):
        for name in ("initial_mtre_mm", "mtre_mm", "mpd_mm"):
            assert f"<td>{row[name]:.2f}</td>" in text


def test_the_report_holds_its_pictures(folder):
    text = (folder / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'<img\b[^>]*?\bsrc="([^"]*)"', text)
    prefix = "data:image/png;base64,"
    assert all(source.startswith(prefix) for source in sources)  # nothing is loaded from elsewhere
    assert not re.search(r'\b(?:href|src)="?(?:https?:|file:|/)', text)
    embedded = [base64.b64decode(source.removeprefix(prefix), validate=True) for source in sources]
    for data in embedded:
        with Image.open(io.BytesIO(data)) as image:
            assert image.format == "PNG"
            image.load()
    on_disk = {path.read_bytes() for path in folder.glob("*.png")} - {
        path.read_bytes() for path in folder.glob("*_drr_start.png")
    }
    of_network = ("_start", "", "_checkerboard_start", "_checkerboard")
    on_disk |= {(folder / "network" / f"overlay_any{kind}.png").read_bytes() for kind in of_network}
    assert set(embedded) == on_disk
    assert len(embedded) == len(on_disk)


# --- The scene ---


@pytest.fixture(scope="module")
def scene_result(folder):
    """The result node of scene.mrb, opened in a scene of its own."""
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.bundle import read_mrb
    from XrayRegistrationLib.headless import headless

    with headless() as opened:
        read_mrb(opened.scene, folder / "scene.mrb")
        (node,) = roles.result_nodes(opened.scene)
        yield node


def test_the_scene_holds_ct_bones_views_and_plan(scene_result, anatomy, plan):
    from XrayRegistrationLib import roles

    volume = scene_result.GetNodeReference(roles.VOLUME)
    assert volume.GetImageData().GetDimensions() == anatomy.image.GetSize()
    segments = scene_result.GetNodeReference(roles.SEGMENTATION).GetSegmentation()
    shown = {segments.GetNthSegment(n).GetName() for n in range(segments.GetNumberOfSegments())}
    assert shown == set(anatomy.names("vertebra", "rib"))
    screw, target = roles.references(scene_result, roles.PLAN)
    for node, number, label in ((screw, 0, "entry"), (screw, 1, "tip"), (target, 0, "T8 target")):
        assert node.GetNthControlPointLabel(number) == label
        position = node.GetNthControlPointPosition(number)
        assert position == pytest.approx(plan[label] * [-1, -1, 1], abs=1e-3)  # LPS to RAS
    views = roles.references(scene_result, roles.VIEW)
    assert [roles.view_name(node) for node in views] == list(VIEWS)
    for node in views:
        for role in (roles.CAMERA, roles.DETECTOR, roles.DRR, roles.FRUSTUM):
            assert node.GetNodeReference(role) is not None


def test_the_x_rays_lie_on_their_detectors_in_the_scene(scene_result, result, tags):
    from XrayRegistrationLib import roles
    from XrayRegistrationLib.mrml import world_from_index

    for node, view in zip(roles.references(scene_result, roles.VIEW), result["views"], strict=True):
        dataset = tags[view["name"]]
        (row_mm, column_mm), K = np.array(dataset.ImagerPixelSpacing, dtype=float), np.array(view["K"])
        for column, row in ((0, 0), (511, 0), (511, 511)):
            on_detector = [(column - K[0, 2]) * column_mm, (row - K[1, 2]) * row_mm]
            camera = np.array([[*on_detector, float(dataset.DistanceSourceToDetector)]])
            lps = moved(np.linalg.inv(pose_of(view)), camera)[0]
            for image in (node, node.GetNodeReference(roles.DRR)):
                ras = (world_from_index(image) @ [column, row, 0, 1])[:3]
                np.testing.assert_allclose(ras, lps * [-1, -1, 1], atol=1e-2)


def test_bones_in_the_scene_project_onto_their_outlines(scene_result, result, anatomy):
    # A closed surface's points, world RAS, seen by the view's camera: the box of the vertebra's voxels.
    from vtk.util.numpy_support import vtk_to_numpy
    from XrayRegistrationLib import roles

    segments = scene_result.GetNodeReference(roles.SEGMENTATION).GetSegmentation()
    segment = segments.GetSegment(segments.GetSegmentIdBySegmentName("vertebrae_T9"))
    surface = segment.GetRepresentation("Closed surface")
    ras = vtk_to_numpy(surface.GetPoints().GetData()).astype(float)
    for view in result["views"]:
        seen = project(view, ras * [-1, -1, 1])
        expected = project(view, anatomy.solid("vertebrae_T9"))
        np.testing.assert_allclose(seen.min(axis=0), expected.min(axis=0), atol=6)
        np.testing.assert_allclose(seen.max(axis=0), expected.max(axis=0), atol=6)
