"""DeepFluoro: cameras and true poses of pelvic X-rays, in one HDF5 file (R. Grupp et al., IPCAI 2020).

Its conventions are xreg's: K has negative focal lengths, and the patient has negative z in the camera's
frame, whose z points to the source; pixels are counted from the first one's centre; poses map the camera's
frame to the volume, LPS, mm. So a point p appears at K extrinsic inverse(cam-to-pelvis-vol) p. The images are
stored as seen from the detector: the camera is that of the image flipped left-right, and the X-ray is flipped
so when it is read.
"""

from pathlib import Path

import numpy as np

from ..errors import InputError
from .camera import Camera
from .camera_file import CameraFile
from .projection_matrix import camera_from_projection_matrix
from .se3 import inverse, is_rigid

BODIES = ("pelvis", "left-femur", "right-femur")
_FLIPPED = np.diag([-1.0, 1, -1, 1])  # between our camera and theirs, of an image flipped left-right


def camera_from_deepfluoro(
    intrinsic: np.ndarray,
    extrinsic: np.ndarray,
    cam_to_vol: np.ndarray,
    size: tuple[int, int],
    spacing_mm: tuple[float, float],
    where: object = None,
) -> CameraFile:
    """The camera of a DeepFluoro projection, patient = the volume's LPS.

    Args:
        intrinsic: (3, 3), negative focal lengths.
        extrinsic: (4, 4) camera from its world.
        cam_to_vol: (4, 4) volume from that world: pose of the pelvis or a femur.
        size: (columns, rows).
        spacing_mm: (column, row).

    Raises:
        InputError: if the matrices are no such camera.
    """
    intrinsic = np.array(intrinsic, dtype=float)
    if intrinsic.shape != (3, 3) or not intrinsic[0, 0] < 0 or not intrinsic[1, 1] < 0:
        raise InputError("intrinsic is not 3x3 with negative focal lengths", where=where)
    if not is_rigid(extrinsic) or not is_rigid(cam_to_vol):
        raise InputError("extrinsic or pose is not a rigid 4x4 transform", where=where)
    if not min(spacing_mm) > 0:
        raise InputError("the pixel spacing is not positive", where=where)
    theirs_from_patient = np.asarray(extrinsic) @ inverse(np.asarray(cam_to_vol))
    on_the_beam = inverse(theirs_from_patient) @ [0, 0, -1, 1]
    found = camera_from_projection_matrix(
        intrinsic @ theirs_from_patient[:3],
        size,
        pixel_origin="centre",
        in_front=on_the_beam[:3],
        flip_columns=True,
        where=where,
    )
    distances = np.abs([intrinsic[0, 0] * spacing_mm[0], intrinsic[1, 1] * spacing_mm[1]])
    return CameraFile(
        found.size,
        found.K,
        found.camera_from_patient,
        source_to_detector_mm=float(distances.mean()),
        flip_columns=True,
    )


def deepfluoro_from_camera(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """`intrinsic` (3, 3) and `cam-to-pelvis-vol` (4, 4), with the identity as `extrinsic`: the way back.

    They belong to the camera's image flipped left-right.
    """
    intrinsic = camera.K.copy()
    intrinsic[[0, 1], [0, 1]] *= -1
    intrinsic[0, 2] = camera.size[0] - 1 - camera.K[0, 2]
    return intrinsic, inverse(_FLIPPED @ camera.camera_from_patient)


def read_deepfluoro(path: str | Path, projection: str | None = None) -> CameraFile:
    """Read a projection's camera at its true pose.

    Args:
        projection: "specimen/number" or "specimen/number/body", such as "17-1882/005/left-femur"; the
            body is the pelvis where none is named.

    Raises:
        InputError: names the file and what is missing or malformed; without h5py.
    """
    path = Path(path)
    try:
        import h5py
    except ImportError:
        raise InputError(
            "is an HDF5 file, which h5py reads", where=path, remedy="pip install 'xrayreg[deepfluoro]'"
        ) from None
    try:
        with h5py.File(path, "r") as file:
            return _camera(file, projection, path)
    except InputError:
        raise
    except Exception as error:  # h5py raises whatever a damaged file leads to
        raise InputError(f"cannot be read as HDF5 ({error})", where=path) from None


def _camera(file, projection: str | None, path: Path) -> CameraFile:
    """Of an open file."""
    specimen, number, body = _parts(projection, file, path)
    pose = f"{specimen}/projections/{number}/gt-poses/cam-to-{body}-vol"
    columns, rows = (_dataset(file, f"proj-params/{name}", (), path) for name in ("num-cols", "num-rows"))
    column_mm, row_mm = (
        _dataset(file, f"proj-params/pixel-{axis}-spacing", (), path) for axis in ("col", "row")
    )
    return camera_from_deepfluoro(
        _dataset(file, "proj-params/intrinsic", (3, 3), path),
        _dataset(file, "proj-params/extrinsic", (4, 4), path),
        _dataset(file, pose, (4, 4), path),
        (int(columns), int(rows)),
        (float(column_mm), float(row_mm)),
        f"{path}, {pose}",
    )


def _parts(projection: str | None, file, path: Path) -> tuple[str, str, str]:
    parts = (projection or "").replace("\\", "/").split("/")
    body = parts[2] if len(parts) == 3 else BODIES[0]
    if len(parts) not in (2, 3) or body not in BODIES or not all(parts):
        names = ", ".join(sorted(str(name) for name in file if name != "proj-params")[:10])
        raise InputError(
            "holds many cameras",
            where=path,
            remedy=f"choose one: {path}#specimen/number/body, as in #17-1882/005/pelvis; specimens: {names}",
        )
    return parts[0], parts[1].zfill(3), body


def _dataset(file, name: str, shape: tuple[int, ...], path: Path) -> np.ndarray:
    """A small numerical dataset of an open file; one of one value may be an array of one."""
    import h5py

    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise InputError(f"has no {name}", where=path)
    if found.shape != shape and not (shape == () and found.size == 1):
        raise InputError(f"{name} is of shape {found.shape}, not {shape or 'one number'}", where=path)
    try:
        values = np.array(found[()], dtype=float).reshape(shape)
    except (TypeError, ValueError):
        values = np.array(np.nan)
    if not np.isfinite(values).all():
        raise InputError(f"{name} is no finite numbers", where=path)
    return values
