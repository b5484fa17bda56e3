"""`xrayreg register --model polyrigid`: bones that moved each by itself, and all the files that say so."""

from pathlib import Path

import moved_bones
import numpy as np
import phantom
import pytest
import SimpleITK as sitk
from looking import contents, pose_of, read_json
from xrayreg.cli import main
from xrayreg.geometry import apply, inverse
from xrayreg.images import read_label_map, read_markups, read_volume
from xrayreg.register import PoseUncertainty
from xrayreg.render import Detector, simulate_xray

PLAN = phantom.CENTRE + [[-12.0, 4.0, -14.0], [20.0, -10.0, 8.0]]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("moved")
    ct = phantom.write_ct(folder / "ct.nii.gz")
    moved = moved_bones.write_ct(folder / "moved.nii.gz")
    labels = phantom.write_segmentation(folder / "labels.nii.gz", phantom.LEFT_HANDED)
    names = folder / "names.csv"
    names.write_text("structure,id\n" + "".join(f"{name},{label}\n" for label, name, _, _ in phantom.BONES))
    plan = phantom.write_plan(folder / "plan.mrk.json", PLAN, "LPS")
    found = {"ct": ct, "labels": labels, "names": names, "plan": plan, "folder": folder}
    volume = read_volume(moved)
    for seed, (name, primary, secondary) in enumerate(phantom.VIEWS):
        camera = phantom.nominal_camera(primary, secondary)
        pixels = simulate_xray(volume, camera, Detector(seed=seed), np.ones(camera.size[::-1], bool))
        found[name] = phantom.write_xray(folder / f"{name}.png", pixels)
        rig = {"camera_from_patient": None, "camera_from_rig": camera.camera_from_patient.tolist()}
        found[f"{name}.json"] = phantom.write_camera(folder / f"{name}.json", camera, **rig)
    return found


def arguments(files, out: Path, *more) -> list[str]:
    given = [
        "register",
        "--volume",
        files["ct"],
        "--segmentation",
        files["labels"],
        "--names",
        files["names"],
    ]
    for name, _, _ in phantom.VIEWS:
        given += ["--xray", files[name], "--camera", files[f"{name}.json"]]
    given += ["--search-deg", "5", "--search-mm", "5", "--out", out, *more]
    return [str(each) for each in given]


@pytest.fixture(scope="module")
def result(files, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("out") / "result"
    more = ("--model", "polyrigid", "--plan", files["plan"], "--joint", "rib_left_1:talus")
    assert main(arguments(files, out, *more)) in (0, 3)
    return out


def distances(found: dict, body: dict, label: int, middle) -> list[float]:
    """How far a bone's middle lies from its true place, for each view, mm.

    Turns are not looked at: two outlines of an ellipsoid do not tell how it is turned.
    """
    point = phantom.CENTRE + np.array(middle)
    result = []
    for view, (_, *angles) in zip(found["views"], phantom.VIEWS, strict=True):
        here = apply(pose_of(view) @ np.array(body["patient_from_rest"]), point)
        truth = apply(phantom.nominal_camera(*angles).camera_from_patient @ moved_bones.MOTIONS[label], point)
        result.append(float(np.linalg.norm(here - truth)))
    return result


def test_every_bone_is_found(result):
    found = read_json(result / "registration.json")
    assert found["model"] == "polyrigid"
    bodies = {body["label"]: body for body in found["bodies"]}
    assert {body["name"] for body in bodies.values()} == {name for _, name, _, _ in phantom.BONES}
    for label, _, middle, _ in phantom.BONES:
        off = distances(found, bodies[label], label, middle)
        assert max(off) < 0.6
        assert max(distances(found, {"patient_from_rest": np.eye(4)}, label, middle)) > 2
        assert bodies[label]["verdict"] in ("accept", "review")
        assert np.array(bodies[label]["covariance"]).shape == (6, 6)
    (joint,) = found["joints"]
    between = inverse(np.array(bodies[2]["patient_from_rest"])) @ np.array(bodies[5]["patient_from_rest"])
    angle = np.degrees(np.arccos((np.trace(between[:3, :3]) - 1) / 2))
    assert joint["angle_deg"] == pytest.approx(angle, abs=0.01)
    assert 0 < joint["sigma_deg"] < 5


def test_the_files_say_the_same(result, files):
    bodies = {body["name"]: body for body in read_json(result / "registration.json")["bodies"]}
    field = sitk.ReadTransform(str(result / "rest_from_patient.h5"))
    now = read_volume(result / "volume_now.nrrd")
    labels = read_label_map(result / "segmentation_now.nrrd")
    (plan,) = read_markups(result / "plan_now.mrk.json")
    for (label, name, middle, _), point in zip(phantom.BONES, (PLAN[0], PLAN[1], None), strict=True):
        motion = np.array(bodies[name]["patient_from_rest"])
        rest = phantom.CENTRE + np.array(middle)
        here = apply(motion, rest)
        rigid = sitk.ReadTransform(str(result / f"rest_from_patient_{name}.tfm"))
        np.testing.assert_allclose(rigid.TransformPoint(here.tolist()), rest, atol=1e-4)
        np.testing.assert_allclose(field.TransformPoint(here.tolist()), rest, atol=0.3)
        k, j, i = np.rint(apply(now.grid.index_from_patient, here)).astype(int)[::-1]
        assert now.hu[k, j, i] == pytest.approx(900, abs=1)
        assert labels.labels[k, j, i] == label
        if point is not None:
            np.testing.assert_allclose(plan.points[list(PLAN[:, 0]).index(point[0])], here, atol=1e-3)
    assert now.hu.shape == read_volume(files["ct"]).hu.shape


def test_the_plans_points_are_as_uncertain_as_their_bones(result):
    found = read_json(result / "registration.json")
    bodies = {body["name"]: body for body in found["bodies"]}
    for number, target in enumerate(found["targets"]):
        body = bodies[target["body"]]
        assert (body["label"], target["verdict"]) == (phantom.BONES[number][0], body["verdict"])
        at_rest = PoseUncertainty(np.array(body["covariance"])).expected_tre_mm(PLAN[number])
        assert target["expected_tre_mm"] == {name: round(at_rest, 3) for name, _, _ in phantom.VIEWS}
    assert f"{body['name']} ({body['verdict']})" in (result / "report.html").read_text(encoding="utf-8")


def test_the_picture_shows_bones_where_they_are(result):
    assert {"overlay_frontal.png", "overlay_lateral.png", "report.html"} <= {p.name for p in result.iterdir()}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--model", "polyrigid", "--bodies", "femur"), "no label is called femur"),
        (("--model", "polyrigid", "--reference", "femur"), "--reference: there is no body femur"),
        (("--model", "polyrigid", "--joint", "talus"), "is no pair of bodies"),
        (("--bodies", "talus"), "--bodies goes with --model polyrigid"),
    ],
)
def test_wrong_options_are_one_line(files, tmp_path, capsys, more, said):
    assert main(arguments(files, tmp_path / "out", *more)) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert contents(tmp_path) == {}


def test_a_reference_counts_as_at_rest(files, tmp_path):
    out = tmp_path / "out"
    more = (
        "--model",
        "polyrigid",
        "--reference",
        "rib_left_1",
        "--unlinked",
        "--bodies",
        "rib*,vertebrae_L1",
    )
    assert main(arguments(files, out, *more)) in (0, 3)
    found = read_json(out / "registration.json")
    rib, vertebra = found["bodies"]
    np.testing.assert_allclose(rib["patient_from_rest"], np.eye(4), atol=1e-9)
    for body, (label, _, middle, _) in ((rib, phantom.BONES[1]), (vertebra, phantom.BONES[0])):
        assert max(distances(found, body, label, middle)) < 0.8
