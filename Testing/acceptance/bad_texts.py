"""Bad camera files, landmarks, plans and options, for `test_bad_inputs.py`."""

# ruff: noqa: E501  a case is a line
import json

import numpy as np
import phantom
from bad_cases import CAMERA, PIXELS, BadCase, bad_camera, written
from PIL import Image

_POSE = CAMERA.camera_from_patient
_K = CAMERA.K.tolist()
_CENTRE_IN_CAMERA = 700.0  # mm: the isocenter's depth


def _pose(change) -> list:
    pose = _POSE.copy()
    change(pose)
    return pose.tolist()


def _mirrored(pose):
    pose[0] *= -1


def _sheared(pose):
    pose[0, 1] += 0.2


def _past_the_patient(pose):
    pose[0, 3] += 2000


def _behind_the_source(pose):
    pose[2, 3] -= 2000


def _in_the_volume(pose):
    pose[2, 3] -= _CENTRE_IN_CAMERA


def _with(row: int, column: int, value) -> list:
    K = [list(line) for line in _K]
    K[row][column] = value
    return K


def _mask(content) -> object:
    def make(folder):
        content(folder / "mask.png")
        return bad_camera(mask="mask.png")(folder)

    return make


def _nested(depth: int) -> str:
    return '{"schema_version": 1, "size": ' + "[" * depth + "]" * depth + "}"


def _without(name: str):
    return bad_camera(**{name: None})


CAMERAS = [
    BadCase("text for a camera", written("camera", "bad.json", "no camera"), ("bad.json", "JSON")),
    BadCase("empty camera file", written("camera", "bad.json", ""), ("bad.json", "JSON")),
    BadCase("picture for a camera", written("camera", "bad.json", bytes(range(256))), ("bad.json",)),
    BadCase("folder for a camera", lambda folder: {"camera": "series"}, ("series",)),
    BadCase("list for a camera", written("camera", "bad.json", "[1, 2]"), ("bad.json",)),
    BadCase("nested deeply", written("camera", "bad.json", _nested(100_000)), ("bad.json",)),
    BadCase("nested", written("camera", "bad.json", _nested(500)), ("bad.json", "size")),
    BadCase("other schema", bad_camera(schema_version=99), ("bad.json", "schema_version is 99")),
    BadCase("no schema", _without("schema_version"), ("bad.json", "schema_version")),
    BadCase("no K", _without("K"), ("bad.json", "'K' is missing")),
    BadCase("K of NaN", bad_camera(K=_with(0, 0, float("nan"))), ("bad.json", "'K'")),
    BadCase("K with a huge number", bad_camera(K=_with(0, 0, 10**400)), ("bad.json", "'K'")),
    BadCase("K of texts", bad_camera(K=_with(0, 0, "wide")), ("bad.json", "'K'")),
    BadCase("K of numbers as texts", bad_camera(K=[[str(x) for x in row] for row in _K]), ("bad.json", "'K'")),
    BadCase("K of the wrong shape", bad_camera(K=_K[:2]), ("bad.json", "'K'")),
    BadCase("negative focal length", bad_camera(K=_with(1, 1, -900.0)), ("bad.json", "focal lengths", "-900")),
    BadCase("no size", _without("size"), ("bad.json", "'size' is missing")),
    BadCase("size 0", bad_camera(size=[0, 160]), ("bad.json", "size")),
    BadCase("size of an object", bad_camera(size={"columns": 1}), ("bad.json", "'size'")),
    BadCase("size of logical values", bad_camera(size=[True, True]), ("bad.json", "'size'")),
    BadCase("no pose", _without("camera_from_patient"), ("no start pose", "camera_from_patient")),
    BadCase("mirrored pose", bad_camera(camera_from_patient=_pose(_mirrored)), ("bad.json", "rigid", "mirroring")),
    BadCase("sheared pose", bad_camera(camera_from_patient=_pose(_sheared)), ("bad.json", "rigid")),
    BadCase("pose of the wrong shape", bad_camera(camera_from_patient=_POSE[:3].tolist()), ("bad.json", "camera_from_patient")),
    BadCase("pose far out of the world", bad_camera(camera_from_patient=_pose(lambda p: p.__setitem__((0, 3), 1e300))), ("does not project",)),
    BadCase("contradictory distance", bad_camera(source_to_detector_mm=1200.0), ("bad.json", "source_to_detector_mm")),
    *(
        BadCase(f"distance {value!r}", bad_camera(source_to_detector_mm=value, pixel_spacing_mm=None), ("bad.json", "source_to_detector_mm"))
        for value in (0, -1, 1e9, float("nan"), float("inf"), "far", [1000])
    ),
    BadCase("spacing 0", bad_camera(pixel_spacing_mm=[0, 1.2]), ("bad.json", "pixel_spacing_mm")),
    BadCase("unknown intensity", bad_camera(intensity="bright"), ("bad.json", "intensity is 'bright'")),
    BadCase("intensity of a list", bad_camera(intensity=["transmission"]), ("bad.json", "intensity")),
    BadCase("no intensity", _without("intensity"), ("frontal.png", "'intensity'"), ("register",)),
    BadCase("mask of a number", bad_camera(mask=3), ("bad.json", "'mask'")),
    BadCase("mask that is not there", bad_camera(mask="gone.png"), ("gone.png", "no such mask"), ("register",)),
    BadCase("mask with a null character", bad_camera(mask="a\0b.png"), ("bad.json", "'mask'"), ("register",)),
    BadCase("mask of another size", _mask(Image.new("L", (9, 9), 1).save), ("mask.png", "9 x 9"), ("register",)),
    BadCase("mask that is a text", _mask(lambda path: path.write_text("x")), ("mask.png",), ("register",)),
    BadCase("mask that leaves nothing", _mask(Image.new("L", CAMERA.size).save), ("frontal.png", "no pixel"), ("register",)),
    BadCase("camera of another image", bad_camera(size=[99, 160]), ("frontal.png", "99 x 160"), ("register",)),
    BadCase("the beam misses the volume", bad_camera(camera_from_patient=_pose(_past_the_patient)), ("does not project",)),
    BadCase("the volume is behind the source", bad_camera(camera_from_patient=_pose(_behind_the_source)), ("volume",)),
    BadCase("the source is in the volume", bad_camera(camera_from_patient=_pose(_in_the_volume)), ("source",), ("register",)),
]  # fmt: skip

_LANDMARKS = {"init": "landmarks", "landmarks3d": "points.mrk.json", "landmarks2d": "points.csv"}
_HEAD = "view,label,u,v\n"


def _found(text: str | bytes):
    """--landmarks2d with this content."""
    return written("landmarks2d", "bad.csv", text, init="landmarks", landmarks3d="points.mrk.json")


def _points(content):
    """--landmarks3d and --plan with this content."""
    text = content if isinstance(content, str) else json.dumps(content)
    return written("landmarks3d", "bad.mrk.json", text, init="landmarks", landmarks2d="points.csv")


def _plan(content):
    return written("plan", "bad.mrk.json", content if isinstance(content, str) else json.dumps(content))


def _markup(**changes) -> dict:
    point = {"label": "a", "position": phantom.CENTRE.tolist()}
    good = {"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": [point]}
    return {"markups": [{name: value for name, value in (good | changes).items() if value is not None}]}


_SAME = {"label": "a", "position": [1, 2, 3]}
_FOUR = "frontal,p0,10,10\nfrontal,p1,20,30\nfrontal,p2,40,20\n"
POINTS = [
    BadCase("landmarks without columns", _found("view,label,u\nfrontal,p0,1\n"), ("bad.csv", "column v")),
    BadCase("landmark of NaN", _found(_HEAD + "frontal,p0,nan,1\n"), ("bad.csv line 2", "u is 'nan'")),
    BadCase("landmark of a text", _found(_HEAD + "frontal,p0,4,high\n"), ("bad.csv line 2", "v is 'high'")),
    BadCase("landmark twice", _found(_HEAD + "frontal,p0,1,1\nfrontal,p0,2,2\n"), ("bad.csv line 3", "twice")),
    BadCase("landmarks with semicolons", _found("view;label;u;v\nfrontal;p0;1;2\n"), ("bad.csv", "column")),
    BadCase("landmarks in another encoding", _found((_HEAD + "frontal,Wirbelkörper,1,1\n").encode("latin-1")), ("bad.csv",)),
    BadCase("landmarks in UTF-16", _found((_HEAD + "frontal,p0,1,1\n").encode("utf-16")), ("bad.csv",)),
    BadCase("landmarks with null characters", _found(_HEAD + "frontal,p\0,1,1\n"), ("bad.csv",)),
    BadCase("too few landmarks", _found(_HEAD + _FOUR), ("bad.csv", "at least 4")),
    BadCase("no landmarks", _found(_HEAD), ("bad.csv", "no landmark")),
    BadCase("landmarks of another view", _found(_HEAD + _FOUR.replace("frontal", "lateral")), ("bad.csv", "lateral")),
    BadCase("landmark outside the image", _found(_HEAD + "frontal,p5,1e9,1\n" + _FOUR), ("bad.csv", "outside")),
    BadCase("landmark that the patient does not have", _found(_HEAD + "frontal,zz,1,1\n" + _FOUR), ("bad.csv", "zz")),
    BadCase("landmarks without the X-ray's", lambda folder: {**_LANDMARKS, "landmarks2d": None}, ("--landmarks2d",)),
    BadCase("points for landmarks not JSON", _points("{"), ("bad.mrk.json", "JSON")),
    BadCase("points with one label", _points(_markup(controlPoints=[_SAME, _SAME])), ("bad.mrk.json", "labelled a")),
    BadCase("plan not JSON", _plan("no plan"), ("bad.mrk.json", "JSON")),
    BadCase("plan nested deeply", _plan("[" * 100_000), ("bad.mrk.json",)),
    BadCase("plan of a list", _plan([]), ("bad.mrk.json", "markups")),
    BadCase("plan without control points", _plan(_markup(controlPoints=[])), ("bad.mrk.json", "controlPoints")),
    BadCase("plan whose points are a number", _plan(_markup(controlPoints=3)), ("bad.mrk.json", "controlPoints")),
    BadCase("plan whose points are numbers", _plan(_markup(controlPoints=[1, 2])), ("bad.mrk.json", "controlPoints")),
    BadCase("plan with a point of NaN", _plan(_markup(controlPoints=[{"position": [0, float("nan"), 1]}])), ("bad.mrk.json", "position")),
    BadCase("plan in an unknown frame", _plan(_markup(coordinateSystem="XYZ")), ("bad.mrk.json", "coordinateSystem")),
    BadCase("plan without a frame", _plan(_markup(coordinateSystem=None)), ("bad.mrk.json", "coordinateSystem")),
    BadCase("plan in inches", _plan(_markup(coordinateUnits="in")), ("bad.mrk.json", "coordinateUnits")),
    BadCase("plan of an unknown type", _plan(_markup(type=["Line"])), ("bad.mrk.json", "type")),
    BadCase("plan that is a folder", lambda folder: {"plan": "series"}, ("series",)),
]  # fmt: skip


def _file_as_out(folder):
    (folder / "taken").write_text("mine")
    return {"out": "taken"}


def _below_a_file(folder):
    (folder / "taken").write_text("mine")
    return {"out": "taken/out"}


OPTIONS = [
    BadCase("voxel size of NIfTI", lambda folder: {"voxel_mm": "1,1,1"}, ("ct.nii.gz", "--voxel-mm")),
    *(
        BadCase(f"voxel size {text}", lambda folder, text=text: {"voxel_mm": text}, ("--voxel-mm",))
        for text in ("0,1,1", "nan,1,1", "1,inf,1", "1,1", "a,b,c", "1,-1,1")
    ),
    BadCase("labels of texts", lambda folder: {"segmentation": "labels.nrrd", "labels": "bone"}, ("--labels bone",), ("render",)),
    BadCase("labels without a segmentation", lambda folder: {"labels": "1"}, ("--labels", "--segmentation"), ("render",)),
    BadCase("air of NaN", lambda folder: {"air_hu": "nan"}, ("--air-hu",)),
    BadCase("air above all", lambda folder: {"air_hu": "1e9"}, ("--air-hu",)),
    BadCase("search of NaN", lambda folder: {"search_deg": "nan"}, ("--search-deg",), ("register",)),
    BadCase("search without end", lambda folder: {"search_mm": "1e400"}, ("--search-mm",), ("register",)),
    BadCase("step of NaN", lambda folder: {"step_mm": "nan"}, ("--step-mm",), ("render",)),
    BadCase("frame of a text", lambda folder: {"frame": "first"}, ("--frame",)),
    BadCase("two cameras of one X-ray", lambda folder: {"camera": ["frontal.json", "lateral.json"]}, ("frontal.png", "two --camera"), ("register",)),
    BadCase("no --out", lambda folder: {"out": None}, ("--out",), ("register",)),
    BadCase("a file for the output folder", _file_as_out, ("taken", "--out"), ("register",)),
    BadCase("an output folder below a file", _below_a_file, ("taken", "--out"), ("register",)),
    BadCase("a folder for the output file", lambda folder: {"out": "series"}, ("series",), ("render",)),
    BadCase("an output folder that is not there", lambda folder: {"out": "no/drr.nrrd"}, ("no/drr.nrrd", "--out"), ("render",)),
    BadCase("the volume as output", lambda folder: {"out": "ct.nii.gz"}, ("ct.nii.gz",)),
    BadCase("an unknown option", lambda folder: {"colour": "red"}, ("--colour", "--help")),
]  # fmt: skip
_ = np, PIXELS
