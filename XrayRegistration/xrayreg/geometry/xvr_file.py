"""Cameras in the `.pt` and `.pth` files of xvr and nanodrr users."""

from pathlib import Path

import numpy as np

from ..errors import InputError
from .camera import Camera
from .camera_file import CameraFile
from .diffdrr import DiffdrrView, camera_from_diffdrr, camera_from_nanodrr, diffdrr_from_camera, uncropped
from .text_files import known_size
from .torch_file import read_torch_file

_NUMBERS = ("sdd", "height", "width", "delx", "dely", "x0", "y0")
_IN_PYTHON = "if you know it, convert in Python: camera_from_diffdrr(DiffdrrView(...), isocenter)"


def read_xvr(
    path: str | Path, isocenter: np.ndarray | None = None, *, size: tuple[int, int] | None = None
) -> CameraFile:
    """Read a camera from xvr's parameters (see `diffdrr`), or from a dictionary of nanodrr's arguments.

    xvr: `drr` or `detector` (or the dictionary itself) with sdd, height, width, delx, dely, x0, y0,
    orientation, reverse_x_axis; the pose is `final_pose`, or where that is None `pose` or `init_pose`.
    nanodrr: `k_inv`, `rt_inv`, `sdd`, and `height` and `width` where ``size`` is not given. torch is loaded
    by this call.

    Args:
        isocenter: (3,) patient LPS, mm: the middle of the volume's box, to which DiffDRR's poses refer.
        size: (columns, rows), for nanodrr.

    Raises:
        InputError: names the file and what is missing or malformed; if it would have to run code to be read.
    """
    path = Path(path)
    content = read_torch_file(path)
    if not isinstance(content, dict):
        raise InputError("holds no dictionary of parameters", where=path)
    if "k_inv" in content and "rt_inv" in content:
        return _nanodrr(content, size, path)
    if isocenter is None:
        raise InputError(
            "DiffDRR's poses refer to the middle of the volume's box",
            where=path,
            remedy="give isocenter=volume.grid.centre_patient",
        )
    fields = next(
        (content[name] for name in ("drr", "detector") if isinstance(content.get(name), dict)), content
    )
    missing = [name for name in (*_NUMBERS, "orientation", "reverse_x_axis") if name not in fields]
    if missing:
        raise InputError(f"does not say {', '.join(missing)}", where=path, remedy=_IN_PYTHON)
    numbers = {name: _number(fields[name], name, path) for name in _NUMBERS}
    orientation, reverse = fields["orientation"], fields["reverse_x_axis"]
    if not isinstance(reverse, bool) or not isinstance(orientation, str | None):
        raise InputError("orientation or reverse_x_axis is malformed", where=path)
    name = next((name for name in ("final_pose", "pose", "init_pose") if content.get(name) is not None), None)
    if name is None:
        raise InputError("holds no pose (final_pose, pose or init_pose)", where=path)
    view = DiffdrrView(
        numbers["sdd"],
        round(numbers["height"]),
        round(numbers["width"]),
        *(numbers[each] for each in ("delx", "dely", "x0", "y0")),
        reverse,
        orientation,
        _matrix(content[name], name, (4, 4), path),
    )
    return _as_stored(content, view, isocenter, path)


def write_xvr(
    path: str | Path, camera: Camera, isocenter: np.ndarray, orientation: str | None = "AP"
) -> None:
    """Write a camera as xvr's dictionary `drr` and `final_pose`, tensors in double precision: the way back.

    Raises:
        InputError: as `diffdrr_from_camera`.
    """
    import torch

    view = diffdrr_from_camera(camera, isocenter, orientation)
    fields = {name: value for name, value in vars(view).items() if name != "pose"}
    torch.save({"drr": fields, "final_pose": torch.tensor(view.pose)[None]}, path)


def _as_stored(content: dict, view: DiffdrrView, isocenter: np.ndarray, path: Path) -> CameraFile:
    """The camera of the X-ray's file, which xvr may have cropped and flipped before it registered it."""
    xray = content.get("xray")
    crop = round(_number(xray.get("crop") or 0, "crop", path)) if isinstance(xray, dict) else 0
    result = camera_from_diffdrr(uncropped(view, crop, path), isocenter, path)
    if content.get("pf_to_af") is not True:
        return result
    return CameraFile(
        result.size,
        result.K,
        result.camera_from_patient,
        source_to_detector_mm=result.source_to_detector_mm,
        flip_columns=not result.flip_columns,
    )


def _nanodrr(content: dict, size: tuple[int, int] | None, path: Path) -> CameraFile:
    if "width" in content and "height" in content:
        size = tuple(round(_number(content[name], name, path)) for name in ("width", "height"))
    return camera_from_nanodrr(
        _matrix(content["k_inv"], "k_inv", (3, 3), path),
        _matrix(content["rt_inv"], "rt_inv", (4, 4), path),
        _number(content.get("sdd"), "sdd", path),
        known_size(size, path),
        path,
    )


def _number(value: object, name: str, path: Path) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = np.nan
    if not np.isfinite(number):
        raise InputError(f"'{name}' is no finite number", where=path)
    return number


def _matrix(value: object, name: str, shape: tuple[int, int], path: Path) -> np.ndarray:
    """One matrix, also out of a batch of one."""
    try:
        matrix = np.array(value.tolist() if hasattr(value, "tolist") else value, dtype=float)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.shape == (1, *shape):
        matrix = matrix[0]
    if matrix.shape != shape:
        raise InputError(f"'{name}' is {matrix.shape}, not one {shape[0]}x{shape[1]} matrix", where=path)
    return matrix
