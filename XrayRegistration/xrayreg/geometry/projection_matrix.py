"""Plain 3x4 projection matrices, as xreg, OpenCV, MATLAB and many calibrations have them.

`P` maps a point of the patient (LPS, mm) to the image: s (u, v, 1) = P (x, y, z, 1), scale and sign of P
arbitrary. Its parts: R. Hartley, A. Zisserman, "Multiple View Geometry" (2004), section 6.2.4.
"""

import io
import re
from pathlib import Path

import numpy as np

from ..errors import InputError
from .camera import Camera
from .camera_file import CameraFile
from .se3 import apply
from .text_files import chosen, known_size, parse_json, read_bytes, read_text

PIXEL_ORIGINS = {"centre": 0.0, "corner": 0.5, "one-based": 1.0}
"""By name of a convention, the coordinates that the centre of the first pixel has in it."""

_NO_SKEW = 1e-6  # a skew below this part of the focal length is rounding
_SINGULAR = 1e-12
_LIMIT_BYTES = 2**20
_NAMES = ("P", "projection_matrix")


def camera_from_projection_matrix(
    P: np.ndarray,
    size: tuple[int, int],
    *,
    pixel_origin: str,
    in_front: np.ndarray,
    flip_columns: bool = False,
    where: object = None,
) -> CameraFile:
    """The camera of a projection matrix.

    Every P fits a right-handed camera, by its sign; but of a mirrored image the patient then lies behind the
    source. So a point of the patient has to be known.

    Args:
        P: (3, 4), patient LPS in mm to pixels, up to scale and sign.
        size: (columns, rows).
        pixel_origin: where P's pixel coordinates begin: "centre" of the first pixel (OpenCV, xreg), its outer
            "corner", or "one-based" (MATLAB: the first pixel's centre is (1, 1)).
        in_front: (3,) patient, mm, between source and detector, such as the volume's centre.
        flip_columns: P belongs to an image stored as seen from the detector. The camera is that of the image
            flipped left-right, and the X-ray is flipped so when it is read.

    Raises:
        InputError: if P is no perspective projection, or mirrored (see ``flip_columns``).
    """
    size = (int(size[0]), int(size[1]))
    P = np.array(P, dtype=float)
    if P.shape != (3, 4) or not np.isfinite(P).all():
        raise InputError("the projection matrix is not 3x4 finite numbers", where=where)
    rows = np.linalg.norm(P[:, :3], axis=1)
    determinant = float(np.linalg.det(P[:, :3]))
    if not abs(determinant) > _SINGULAR * rows.prod():
        raise InputError(
            "the projection matrix has no source: it is singular or of parallel rays", where=where
        )
    P = _columns_flipped(_from_centre(pixel_origin, where) @ P, size, flip_columns)
    P *= np.sign(np.linalg.det(P[:, :3])) / rows[2]
    K, rotation = _parts(P[:, :3])
    camera_from_patient = np.eye(4)
    camera_from_patient[:3, :3], camera_from_patient[:3, 3] = rotation, np.linalg.solve(K, P[:, 3])
    if apply(camera_from_patient, in_front)[2] <= 0:
        place = ", ".join(f"{x:g}" for x in np.asarray(in_front, dtype=float))
        raise InputError(
            f"the projection matrix is mirrored, or the patient's point ({place}) lies behind the source",
            where=where,
            remedy="check that its frame is patient LPS in mm; if the image is stored as seen from the "
            "detector, set flip_columns to true (in a JSON file with P, size, pixel_origin, flip_columns)",
        )
    return CameraFile(size, K, camera_from_patient, flip_columns=flip_columns)


def projection_matrix(camera: Camera, pixel_origin: str = "centre") -> np.ndarray:
    """P (3, 4) of a camera, patient LPS in mm to pixels, third row of unit length: the way back."""
    P = camera.K @ camera.camera_from_patient[:3]
    return np.linalg.inv(_from_centre(pixel_origin, None)) @ P


def read_projection_matrix(
    path: str | Path,
    size: tuple[int, int] | None = None,
    in_front: np.ndarray | None = None,
    index: int | None = None,
) -> CameraFile:
    """Read a projection matrix from text, CSV, JSON or .npy.

    Text: three rows of four numbers, or one of twelve, between blanks, commas or semicolons; `#` begins a
    comment; several matrices follow each other; or a file of Plastimatch. JSON: the rows, or an object with
    `P` (or `projection_matrix`) and, if wanted, `size` [columns, rows], `pixel_origin` and `flip_columns` as
    in `camera_from_projection_matrix`. .npy: (3, 4) or (n, 3, 4). Without `pixel_origin`, "centre" is
    assumed, and a note says so.

    Args:
        size: (columns, rows), where the file does not say it.
        in_front: (3,) patient, mm: see `camera_from_projection_matrix`.
        index: which of several, counted from 1.

    Raises:
        InputError: names the file and what is missing or malformed.
    """
    path = Path(path)
    fields = _fields(path)
    P = chosen(_matrices(next((fields[name] for name in _NAMES if name in fields), None), path), index, path)
    if in_front is None:
        raise InputError(
            "a projection matrix alone does not say whether the image is mirrored",
            where=path,
            remedy="give a point of the patient, such as the volume's centre",
        )
    size = known_size(_size(fields, path) or size, path)
    origin, flip = fields.get("pixel_origin"), fields.get("flip_columns", False)
    if not isinstance(flip, bool):
        raise InputError("field 'flip_columns' is neither true nor false", where=path)
    result = camera_from_projection_matrix(
        P, size, pixel_origin=origin or "centre", in_front=in_front, flip_columns=flip, where=path
    )
    if origin is not None:
        return result
    return result.noted("assumed that its projection matrix counts pixels from the first one's centre")


def _from_centre(pixel_origin: str, where: object) -> np.ndarray:
    """(3, 3): pixels counted as ``pixel_origin`` says to pixels counted from the first one's centre."""
    if pixel_origin not in PIXEL_ORIGINS:
        raise InputError(
            f"pixel_origin is {pixel_origin!r}", where=where, remedy=f"use one of {', '.join(PIXEL_ORIGINS)}"
        )
    shift = PIXEL_ORIGINS[pixel_origin]
    return np.array([[1, 0, -shift], [0, 1, -shift], [0, 0, 1]])


def _columns_flipped(P: np.ndarray, size: tuple[int, int], flip: bool) -> np.ndarray:
    return np.array([[-1.0, 0, size[0] - 1], [0, 1, 0], [0, 0, 1]]) @ P if flip else P


def _parts(A: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """K with positive focals and the rotation, A = K R; the last row of A has length 1, det A > 0."""
    r3 = A[2]
    cx, cy = A[0] @ r3, A[1] @ r3
    across = A[1] - cy * r3
    fy = np.linalg.norm(across)
    r2 = across / fy
    skew = A[0] @ r2
    r1 = np.cross(r2, r3)
    fx = A[0] @ r1
    skew = 0.0 if abs(skew) < _NO_SKEW * fx else skew
    return np.array([[fx, skew, cx], [0, fy, cy], [0, 0, 1]]), np.stack([r1, r2, r3])


def _fields(path: Path) -> dict:
    """What the file says, by the names of the JSON form."""
    if read_bytes(path, 6) == b"\x93NUMPY":
        content = read_bytes(path, _LIMIT_BYTES)
        try:
            return {"P": np.load(io.BytesIO(content), allow_pickle=False)}
        except Exception as error:  # numpy raises whatever parsing a damaged header leads to
            raise InputError(f"not a .npy file of numbers ({error})", where=path) from None
    text = read_text(path)
    if text.lstrip()[:1] not in ("{", "["):
        return {"P": _numbers_in(text, path)}
    fields = parse_json(text, path)
    return fields if isinstance(fields, dict) else {"P": fields}


def _numbers_in(text: str, path: Path) -> np.ndarray:
    """(n, 3, 4) of a text or CSV file."""
    lines = [line.split("#")[0].strip().rstrip(",;") for line in text.splitlines()]
    lines = [line for line in lines if line]
    try:
        rows = [_row(line) for line in lines[:4]]
        if [len(row) for row in rows] == [2, 4, 4, 4]:  # Plastimatch; what follows says the same in parts
            (u, v), P = rows[0], np.array(rows[1:])
            return (np.array([[1, 0, u], [0, 1, v], [0, 0, 1]]) @ P)[None]
        rows += [_row(line) for line in lines[4:]]
    except ValueError:
        raise InputError(
            "is no camera file: neither numbers nor a format that is known",
            where=path,
            remedy="see docs/cameras.md for the formats",
        ) from None
    widths = {len(row) for row in rows}
    if widths == {3} and len(rows) == 5:
        raise InputError(
            "is a MayaCam 1.0 file, which is not read", where=path, remedy="export MayaCam 2 from XMALab"
        )
    if widths not in ({4}, {12}) or (widths == {4} and len(rows) % 3):
        raise InputError("is not rows of a 3x4 projection matrix", where=path)
    return np.array(rows).reshape(-1, 3, 4)


def _row(line: str) -> list[float]:
    return [float(x) for x in re.split(r"\s*[,;]\s*|\s+", line)]


def _matrices(value: object, path: Path) -> np.ndarray:
    try:
        P = np.array(value, dtype=float)
    except (TypeError, ValueError):
        P = np.empty(0)
    if P.ndim not in (2, 3) or P.shape[-2:] != (3, 4):
        what = "its projection matrix is not 3x4 numbers"
        raise InputError(what, where=path, remedy="see docs/cameras.md for the formats")
    return P.reshape(-1, 3, 4)


def _size(fields: dict, path: Path) -> tuple[int, int] | None:
    size = fields.get("size")
    if size is None:
        return None
    whole = isinstance(size, list) and len(size) == 2 and all(type(n) is int and n > 0 for n in size)
    if not whole:
        raise InputError(f"size {size} is not [columns, rows]", where=path)
    return size[0], size[1]
