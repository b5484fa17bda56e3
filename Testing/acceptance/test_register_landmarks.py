"""`xrayreg register --init landmarks`: no start pose but points that were found in CT and X-rays."""

import json
from pathlib import Path

import numpy as np
import phantom
import pytest
from looking import contents, mean_tre_mm, pose_of, project, read_json
from xrayreg.geometry import about, inverse
from xrayreg.images import Markup, write_markups

# Centres and some tips of the bones (`phantom.targets` has 7 points of each bone).
LANDMARKS = {
    "L1 centre": phantom.targets()[0],
    "L1 left": phantom.targets()[1],
    "L1 top": phantom.targets()[3],
    "rib centre": phantom.targets()[7],
    "rib front": phantom.targets()[12],
    "rib top": phantom.targets()[10],
    "talus centre": phantom.targets()[14],
    "talus right": phantom.targets()[18],
}
NAMES = tuple(LANDMARKS)


@pytest.fixture(scope="module")
def ct(tmp_path_factory) -> Path:
    return phantom.write_ct(tmp_path_factory.mktemp("phantom") / "ct.nii.gz")


@pytest.fixture(scope="module")
def views(ct) -> list[phantom.View]:
    return phantom.make_views(ct)


def clicks(view, names) -> dict[str, tuple[int, int]]:
    """Where landmarks are seen, to the whole pixel: 1.2 mm on the detector."""
    pixels = view.truth.project(np.array([LANDMARKS[name] for name in names]))
    return {name: (round(u), round(v)) for name, (u, v) in zip(names, pixels, strict=True)}


def landmark_files(folder: Path, found: dict[str, dict[str, tuple]]) -> list:
    markup = Markup("landmarks", "points", np.array(list(LANDMARKS.values())), NAMES)
    write_markups(folder / "landmarks.mrk.json", (markup,))
    rows = [f"{view},{label},{u},{v}" for view, of in found.items() for label, (u, v) in of.items()]
    (folder / "clicks.csv").write_text("\n".join(["view,label,u,v", *rows]) + "\n")
    files = ["--landmarks3d", folder / "landmarks.mrk.json", "--landmarks2d", folder / "clicks.csv"]
    return ["--init", "landmarks", *files]


def xray_files(folder: Path, views, **fields) -> list:
    """X-rays and camera files without a start pose."""
    arguments = []
    for view in views:
        here = {name: make(view) for name, make in fields.items()}
        xray = phantom.write_xray(folder / f"{view.name}.png", view.pixels)
        camera = phantom.write_camera(
            folder / f"{view.name}.json", view.start, **{"camera_from_patient": None} | here
        )
        arguments += ["--xray", xray, "--camera", camera]
    return arguments


def camera_from_rig(view) -> list:
    """The rig has a frame of its own, turned and a metre away from the patient's."""
    rig_from_patient = about(np.zeros(3), np.array([0.9, -2.4, 0.3, 120.0, -40.0, 900.0]))
    return (view.start.camera_from_patient @ inverse(rig_from_patient)).tolist()


def notes(answer, view) -> str:
    (line,) = [line for line in answer.err.splitlines() if f"{view}: start pose from landmarks" in line]
    return line


def test_a_rig_whose_place_nobody_knows_comes_to_the_truth(xrayreg, ct, views, tmp_path):
    found = {"frontal": clicks(views[0], NAMES[:6]), "lateral": clicks(views[1], NAMES[5:])}
    found["frontal"]["L1 left"], found["frontal"]["rib top"] = (
        found["frontal"]["rib top"],
        found["frontal"]["L1 left"],
    )
    files = landmark_files(tmp_path, found)
    xrays = xray_files(tmp_path, views, camera_from_rig=camera_from_rig)
    answer = xrayreg("register", "--volume", ct, *xrays, *files, "--out", tmp_path / "out")
    assert answer.code == 0
    assert notes(answer, "frontal").partition("rejected: ")[2].startswith("L1 left ")
    assert ", rib top " in notes(answer, "frontal").partition("rejected: ")[2]
    assert "rejected" not in notes(answer, "lateral")
    result = read_json(tmp_path / "out" / "registration.json")
    for view, known in zip(result["views"], views, strict=True):
        truth = known.truth.camera_from_patient
        assert mean_tre_mm(pose_of(view, "initial_camera_from_patient"), truth, phantom.targets()) < 3
        assert mean_tre_mm(pose_of(view), truth, phantom.targets()) < 0.3
    first, second = (pose_of(view) for view in result["views"])
    start = [view.start.camera_from_patient for view in views]
    np.testing.assert_allclose(first @ inverse(second), start[0] @ inverse(start[1]), atol=1e-5)


def test_views_of_no_rig_start_each_from_its_own_landmarks(xrayreg, ct, views, tmp_path, at_start):
    files = landmark_files(tmp_path, {view.name: clicks(view, NAMES) for view in views})
    xrays = xray_files(tmp_path, views)
    answer = xrayreg("register", "--volume", ct, *xrays, *files, "--out", tmp_path / "out")
    assert answer.code == 0
    for view, known in zip(read_json(tmp_path / "out" / "registration.json")["views"], views, strict=True):
        shown = project(view, phantom.targets(), "initial_camera_from_patient")
        assert np.linalg.norm(shown - known.truth.project(phantom.targets()), axis=1).mean() < 1.5
        start = pose_of(view, "initial_camera_from_patient")
        assert mean_tre_mm(start, known.truth.camera_from_patient, phantom.targets()) < 30  # along the beam
        for name in NAMES:
            assert f"{name} " in notes(answer, known.name)
        assert notes(answer, known.name).count(" px") == len(NAMES)


def test_a_pose_in_the_camera_file_makes_no_difference(xrayreg, ct, views, tmp_path, at_start):
    files = landmark_files(tmp_path, {"frontal": clicks(views[0], NAMES)})
    starts = []
    for number, pose in enumerate([None, views[1].start.camera_from_patient.tolist()]):
        xrays = xray_files(tmp_path, views[:1], camera_from_patient=lambda view, pose=pose: pose)
        out = tmp_path / f"out{number}"
        assert xrayreg("register", "--volume", ct, *xrays, *files, "--out", out).code == 0
        (view,) = read_json(out / "registration.json")["views"]
        starts.append(view["initial_camera_from_patient"])
    assert starts[0] == starts[1]


@pytest.mark.parametrize("mirrored", [False, True])
def test_clicks_in_a_mirrored_image_show_against_the_tags_of_a_dicom_file(
    xrayreg, ct, views, tmp_path, at_start, mirrored
):
    """The file is stored as seen from the detector and read as seen from the source."""
    xray = phantom.write_dicom(tmp_path / "frontal.dcm", views[0])
    found = clicks(views[0], NAMES)
    if mirrored:
        found = {name: (views[0].truth.size[0] - 1 - u, v) for name, (u, v) in found.items()}
    files = landmark_files(tmp_path, {"frontal": found})
    answer = xrayreg("register", "--volume", ct, "--xray", xray, *files, "--out", tmp_path / "out")
    assert answer.code == 0
    assert "start pose from the C-arm's tags" not in answer.err
    assert "start pose from landmarks" in answer.err
    assert ("degrees against the C-arm's tags: if the landmarks" in answer.err) == mirrored


# --- Bad input: exit code 2, one line, nothing written ---


def clicks_become(change):
    def prepare(folder):
        text = (folder / "clicks.csv").read_text()
        (folder / "clicks.csv").write_text(change(text))

    return prepare


def only(view, count=8):
    """The first lines of one view."""

    def change(text):
        header, *rows = text.splitlines()
        return "\n".join([header, *[row for row in rows if row.startswith(view)][:count]])

    return clicks_become(change)


def in_one_rig(folder):
    """The frontal view has three landmarks, the lateral one none."""
    for name in ("frontal", "lateral"):
        fields = read_json(folder / f"{name}.json") | {"camera_from_rig": np.eye(4).tolist()}
        (folder / f"{name}.json").write_text(json.dumps(fields))
    only("frontal", 3)(folder)


FILES = ["--landmarks3d", "landmarks.mrk.json", "--landmarks2d", "clicks.csv"]
LANDMARK_START = ["--init", "landmarks", *FILES]


@pytest.mark.parametrize(
    ("arguments", "prepare", "says"),
    [
        (FILES, None, ["landmarks.mrk.json", "--landmarks3d goes with --init landmarks"]),
        (["--init", "camera", *FILES[2:]], None, ["clicks.csv", "--landmarks2d goes with --init landmarks"]),
        (["--init", "landmarks", *FILES[:2]], None, ["--init landmarks needs --landmarks2d"]),
        (["--init", "landmarks", *FILES[2:]], None, ["--init landmarks needs --landmarks3d"]),
        ([*LANDMARK_START, "--landmarks3d", "gone.mrk.json"], None, ["gone.mrk.json: no such file"]),
        ([*LANDMARK_START, "--landmarks2d", "gone.csv"], None, ["gone.csv: no such file"]),
        (
            LANDMARK_START,
            clicks_become(lambda text: text + "ap,L1 top,1,2\n"),
            ["clicks.csv: no X-ray is named ap", "the views are frontal, lateral"],
        ),
        (
            LANDMARK_START,
            clicks_become(lambda text: text + "lateral,L3,1,2\n"),
            ["clicks.csv view lateral: no position in the patient for L3", "L1 centre, "],
        ),
        (
            LANDMARK_START,
            clicks_become(lambda text: text.replace("lateral,L1 top,", "lateral,L1 top,7")),
            ["clicks.csv view lateral: L1 top at 7", "outside its 176 columns and 160 rows"],
        ),
        (LANDMARK_START, clicks_become(lambda text: "view,label\n"), ["clicks.csv: column u and v missing"]),
        (LANDMARK_START, only("frontal"), ["clicks.csv view lateral: no landmark", "at least 4"]),
        (LANDMARK_START, in_one_rig, ["clicks.csv view frontal and lateral: 3 landmark(s)", "at least 4"]),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    xrayreg, ct, views, tmp_path, monkeypatch, arguments, prepare, says
):
    xrays = xray_files(tmp_path, views)
    landmark_files(tmp_path, {view.name: clicks(view, NAMES) for view in views})
    monkeypatch.chdir(tmp_path)
    if prepare is not None:
        prepare(tmp_path)
    before = contents(tmp_path)
    line = xrayreg("register", "--volume", ct, *xrays, "--out", "out", *arguments).check_refused()
    assert [part for part in says if part not in line] == []
    assert contents(tmp_path) == before
