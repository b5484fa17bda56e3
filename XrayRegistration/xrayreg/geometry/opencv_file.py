"""Camera files of OpenCV: calibrations as its FileStorage writes them (YAML, XML, JSON), and ROS's.

OpenCV's camera is ours: x to increasing column, y to increasing row, z away, pixels counted from the centre
of the first; x_camera = R x_world + t. The world of a calibration is that of its object: our rig. OpenCV has
no unit of length; here it must be mm.
"""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ..errors import InputError
from .camera import check_intrinsics
from .camera_file import CameraFile
from .se3 import exp_se3, is_rigid
from .text_files import chosen, known_size, parse_json, parse_xml, read_text

K_NAMES = ("camera_matrix", "Camera_Matrix", "cameraMatrix", "K", "M", "intrinsic_matrix")
"""Under these names calibrations hold K."""

_DISTORTION = ("distortion_coefficients", "Distortion_Coefficients", "distCoeffs", "dist_coeffs", "D")
_WIDTH = ("image_width", "image_Width", "width")
_HEIGHT = ("image_height", "image_Height", "height")
_ROTATION = ("R", "rotation_matrix", "rotation")
_VECTOR = ("rvec", "rotation_vector")
_TRANSLATION = ("tvec", "T", "t", "translation_vector", "translation")
_EXTRINSIC = ("extrinsic", "extrinsic_matrix")
_VIEWS = ("extrinsic_parameters", "Extrinsic_Parameters")


def read_opencv(
    path: str | Path, size: tuple[int, int] | None = None, index: int | None = None
) -> CameraFile:
    """Read an OpenCV calibration: K, and size and place in the rig where it has them.

    Read are `camera_matrix`; `distortion_coefficients`, which must be 0; `image_width` and `image_height`;
    and for the pose, which becomes `camera_from_rig`: `rvec` or `R` with `tvec` or `T`, an `extrinsic` matrix
    4x4 or 3x4, or one row (rvec, tvec) of `extrinsic_parameters`; other spellings that are in use, too.

    Args:
        size: (columns, rows), where the file does not say it.
        index: which row of `extrinsic_parameters`, counted from 1.

    Raises:
        InputError: names the file and what is missing, malformed, or no pinhole camera.
    """
    path = Path(path)
    fields = _content(read_text(path), path)
    K = _matrix(fields, K_NAMES, path)
    if K is None:
        raise InputError(f"holds no {K_NAMES[0]}", where=path)
    check_intrinsics(K, path)
    distortion = _matrix(fields, _DISTORTION, path)
    if distortion is not None and distortion.any():
        shown = ", ".join(f"{x:g}" for x in distortion.ravel()[:5])
        raise InputError(
            f"has a lens distortion ({shown}), and a camera here has none",
            where=path,
            remedy="undistort the image first (cv2.undistort), then set the coefficients to 0",
        )
    width, height = (_whole(fields, names, path) for names in (_WIDTH, _HEIGHT))
    found = None if width is None or height is None else (width, height)
    pose = _pose(fields, index, path)
    return CameraFile(known_size(found or size, path), K, camera_from_rig=pose)


def opencv_yaml(camera_file: CameraFile) -> str:
    """The calibration as FileStorage's YAML; R and T are its place in the rig, or else its start pose."""
    pose = camera_file.camera_from_rig
    pose = camera_file.camera_from_patient if pose is None else pose
    matrices = {"camera_matrix": camera_file.K, "distortion_coefficients": np.zeros((1, 5))}
    if pose is not None:
        matrices |= {"R": pose[:3, :3], "T": pose[:3, 3:]}
    lines = [
        "%YAML:1.0",
        "---",
        f"image_width: {camera_file.size[0]}",
        f"image_height: {camera_file.size[1]}",
    ]
    for name, matrix in matrices.items():
        data = ", ".join(repr(float(x)) for x in matrix.ravel())
        rows, columns = matrix.shape
        lines += [f"{name}: !!opencv-matrix", f"   rows: {rows}", f"   cols: {columns}", "   dt: d"]
        lines += [f"   data: [ {data} ]"]
    return "\n".join(lines) + "\n"


def _content(text: str, path: Path) -> dict:
    start = text.lstrip()[:1]
    if start == "<":
        fields = _element(parse_xml(text, path))
    elif start == "{":
        fields = parse_json(text, path)
    else:
        fields = _yaml(text, path)
    if not isinstance(fields, dict):
        raise InputError("is no OpenCV calibration", where=path)
    return fields


def _yaml(text: str, path: Path) -> object:
    """Safely: numbers, text, lists and dictionaries only; a matrix stays the dictionary that it is."""
    try:
        import yaml
    except ImportError:  # 3D Slicer brings none; it is installed with the first registration
        raise InputError("is a YAML file", where=path, remedy="pip install PyYAML") from None

    class Loader(yaml.SafeLoader):
        pass

    tag = "tag:yaml.org,2002:opencv-matrix"
    Loader.add_constructor(tag, lambda loader, node: loader.construct_mapping(node, deep=True))
    text = re.sub(r"\A\s*%YAML[^\n]*\n", "", text)  # OpenCV writes "%YAML:1.0", which YAML does not know
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=Loader)):
            raise ValueError("aliases can grow without bound")
        return yaml.load(text, Loader=Loader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"not a YAML file ({error})", where=path) from None


def _element(element: ElementTree.Element) -> dict | str:
    """An element of FileStorage's XML: its text, or what is in it by name."""
    return {child.tag: _element(child) for child in element} if len(element) else (element.text or "")


def _matrix(fields: dict, names: tuple[str, ...], path: Path) -> np.ndarray | None:
    """The first of ``names`` that is there, two-dimensional; None without."""
    name = next((name for name in names if fields.get(name) is not None), None)
    if name is None:
        return None
    value = fields[name]
    try:
        if isinstance(value, dict):
            shape = int(value["rows"]), int(value["cols"])
            data = value["data"]
            values = np.array(data.split() if isinstance(data, str) else data, dtype=float).reshape(shape)
        else:
            values = np.atleast_2d(np.array(value.split() if isinstance(value, str) else value, dtype=float))
    except (KeyError, TypeError, ValueError):
        values = np.full(1, np.nan)
    if not np.isfinite(values).all() or values.ndim != 2:
        raise InputError(f"'{name}' is no matrix of numbers", where=path)
    return values


def _whole(fields: dict, names: tuple[str, ...], path: Path) -> int | None:
    name = next((name for name in names if fields.get(name) is not None), None)
    if name is None:
        return None
    try:
        value = float(fields[name])
    except (TypeError, ValueError):
        value = 0.5
    if not 1 <= value < 1e6 or value != int(value):
        raise InputError(f"'{name}' is {fields[name]}, not a count of pixels", where=path)
    return int(value)


def _pose(fields: dict, index: int | None, path: Path) -> np.ndarray | None:
    """(4, 4), or None where the file has no pose."""
    pose = np.eye(4)
    views, extrinsic = _matrix(fields, _VIEWS, path), _matrix(fields, _EXTRINSIC, path)
    rotation, vector = _matrix(fields, _ROTATION, path), _matrix(fields, _VECTOR, path)
    shift = _matrix(fields, _TRANSLATION, path)
    if rotation is not None and rotation.size == 3:
        rotation, vector = None, rotation
    if views is not None:
        if views.shape[1] != 6:
            raise InputError(f"'{_VIEWS[0]}' is not rows of (rvec, tvec)", where=path)
        row = chosen(list(views), index, path)
        vector, shift, rotation, extrinsic = row[:3], row[3:], None, None
    elif index not in (None, 1):
        raise InputError(f"has no camera {index}", where=path, remedy="it holds one")
    if extrinsic is not None:
        if extrinsic.shape not in ((3, 4), (4, 4)):
            raise InputError(f"'{_EXTRINSIC[0]}' is not 4x4 or 3x4", where=path)
        pose[: len(extrinsic)] = extrinsic
    elif rotation is None and vector is None and shift is None:
        return None
    else:
        turn = vector if rotation is None else rotation
        if turn is None or shift is None or shift.size != 3 or turn.size not in (3, 9):
            raise InputError("has only one of rotation and translation, or one is malformed", where=path)
        turned = turn if turn.size == 9 else exp_se3(np.append(turn, np.zeros(3)))[:3, :3]
        pose[:3, :3] = turned.reshape(3, 3)
        pose[:3, 3] = shift.ravel()
    if not is_rigid(pose):
        raise InputError("its rotation is not a proper rotation matrix (determinant +1)", where=path)
    return pose
