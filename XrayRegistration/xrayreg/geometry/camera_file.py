"""Camera files: our `camera.json` and MayaCam 2 / XMALab calibrations."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from .camera import Camera, check_intrinsics
from .se3 import inverse, is_rigid, rotation_angle_deg

SCHEMA_VERSION = 1
INTENSITIES = ("transmission", "line_integral")

_SEE_DOCS = "see docs/files.md for the fields"
_MOST_PIXELS = 1e8  # a film of 35 x 43 cm in 0.05 mm has 60 million
_DISTANCES_MM = 1.0, 1e5  # a microscope and a room; what lies outside is a wrong unit or a slip


@dataclass(frozen=True)
class CameraFile:
    """What a camera file says; poses may be missing.

    Attributes:
        size: (columns, rows).
        K: (3, 3), pixel.
        camera_from_patient: (4, 4) initial pose, or None.
        camera_from_rig: (4, 4) place in a rig whose views move together, or None.
        source_to_detector_mm: or None.
        intensity: "transmission", "line_integral" or None where the file does not say.
        mask: path of an image whose zero pixels are left out, or None.
        flip_columns: the image is stored as seen from the detector: it is flipped left-right when it is read
            (and its mask), and K belongs to the flipped one.
        notes: for people, what had to be assumed.
    """

    size: tuple[int, int]
    K: np.ndarray
    camera_from_patient: np.ndarray | None = None
    camera_from_rig: np.ndarray | None = None
    source_to_detector_mm: float | None = None
    intensity: str | None = None
    mask: Path | None = None
    flip_columns: bool = False
    notes: tuple[str, ...] = ()

    def noted(self, *notes: str) -> "CameraFile":
        """The same with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def camera(self, where: object = None) -> Camera:
        """The camera at its start pose.

        With `camera_from_rig` alone the rig's frame is taken as the patient's frame at the start.
        """
        pose = self.camera_from_patient if self.camera_from_patient is not None else self.camera_from_rig
        if pose is None:
            raise InputError(
                "no start pose: neither camera_from_patient nor camera_from_rig is given",
                where=where,
                remedy="add camera_from_patient (4x4, patient LPS in mm to camera)",
            )
        return Camera(self.size, self.K, pose, self.source_to_detector_mm)


def camera_from_json(fields: object, path: Path) -> CameraFile:
    """What the content of `camera.json` says.

    Args:
        path: where it stood, for messages and for the mask, whose path is relative to it.

    Raises:
        InputError: names the file and the field that is missing, malformed or contradictory.
    """
    if not isinstance(fields, dict):
        raise InputError("holds no JSON object", where=path, remedy=_SEE_DOCS)
    if fields.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"schema_version is {fields.get('schema_version')!r}",
            where=path,
            remedy=f"this version reads schema_version {SCHEMA_VERSION}",
        )
    size = _numbers(fields, "size", (2,), path, required=True)
    if (size < 1).any() or (size != size.round()).any() or size.prod() > _MOST_PIXELS:
        what = f"size {fields['size']} is not [columns, rows] of an X-ray"
        raise InputError(what, where=path, remedy=_SEE_DOCS)
    K = _numbers(fields, "K", (3, 3), path, required=True)
    check_intrinsics(K, path)
    sdd = _numbers(fields, "source_to_detector_mm", (), path)
    spacing = _numbers(fields, "pixel_spacing_mm", (2,), path)
    result = CameraFile(
        size=(int(size[0]), int(size[1])),
        K=K,
        camera_from_patient=_pose(fields, "camera_from_patient", path),
        camera_from_rig=_pose(fields, "camera_from_rig", path),
        source_to_detector_mm=_source_to_detector(sdd, spacing, K, path),
        intensity=fields.get("intensity"),
        mask=_mask(fields, path),
        flip_columns=fields.get("flip_columns", False),
    )
    if not isinstance(result.flip_columns, bool):
        raise InputError("field 'flip_columns' is neither true nor false", where=path)
    if result.intensity is not None and result.intensity not in INTENSITIES:
        raise InputError(
            f"intensity is {result.intensity!r}", where=path, remedy=f"use one of {', '.join(INTENSITIES)}"
        )
    return result


def camera_json(camera: Camera | CameraFile, *, intensity: str | None = None) -> dict:
    """The content of `camera.json` for a camera with its pose, or for what another calibration said.

    Args:
        intensity: what the image's values mean; overrides what a `CameraFile` says.
    """
    fields: dict = {"schema_version": SCHEMA_VERSION, "size": list(camera.size), "K": camera.K.tolist()}
    if camera.camera_from_patient is not None:
        fields["camera_from_patient"] = camera.camera_from_patient.tolist()
    if camera.source_to_detector_mm is not None:
        sdd = camera.source_to_detector_mm
        fields["source_to_detector_mm"] = sdd
        fields["pixel_spacing_mm"] = [sdd / camera.K[0, 0], sdd / camera.K[1, 1]]
    if isinstance(camera, CameraFile):
        intensity = intensity or camera.intensity
        if camera.camera_from_rig is not None:
            fields["camera_from_rig"] = camera.camera_from_rig.tolist()
        if camera.mask is not None:
            fields["mask"] = str(camera.mask)
        if camera.flip_columns:
            fields["flip_columns"] = True
    if intensity is not None:
        fields["intensity"] = intensity
    return fields


def write_camera_file(path: str | Path, camera: Camera | CameraFile, *, intensity: str | None = None) -> None:
    """Write `camera.json`; arguments as in `camera_json`."""
    text = json.dumps(camera_json(camera, intensity=intensity), indent=1)
    Path(path).write_text(text + "\n", encoding="utf-8")


def read_mayacam(path: str | Path) -> CameraFile:
    """Read a MayaCam 2 text file (XMALab, Autoscoper): image size, K, rotation, translation.

    The file's `x_camera = R x_rig + t` with OpenCV pixels is our `camera_from_rig` as it stands;
    `mayacam_text` is the way back.

    Raises:
        InputError: if a section is missing, malformed or not a camera.
    """
    path = Path(path)
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError:
        raise InputError("no such file", where=path) from None
    except UnicodeDecodeError:
        raise InputError("not a MayaCam text file", where=path) from None
    size = _section(lines, "image size", (1, 2), path)[0]
    if (size < 1).any() or (size != size.round()).any():
        raise InputError("'image size' is not 'columns,rows'", where=path)
    K = _section(lines, "camera matrix", (3, 3), path)
    camera_from_rig = np.eye(4)
    camera_from_rig[:3, :3] = _section(lines, "rotation", (3, 3), path)
    camera_from_rig[:3, 3] = _section(lines, "translation", (3, 1), path)[:, 0]
    check_intrinsics(K, path)
    if not is_rigid(camera_from_rig):
        raise InputError("'rotation' is not a proper rotation matrix", where=path)
    return CameraFile(size=(int(size[0]), int(size[1])), K=K, camera_from_rig=camera_from_rig)


def mayacam_text(camera_file: CameraFile) -> str:
    """The MayaCam 2 text of a camera file with a `camera_from_rig`; inverse of `read_mayacam`."""
    pose = camera_file.camera_from_rig

    def rows(matrix: np.ndarray) -> str:
        return "\n".join(",".join(repr(float(x)) for x in row) for row in matrix)

    return (
        f"image size\n{camera_file.size[0]},{camera_file.size[1]}\n\n"
        f"camera matrix\n{rows(camera_file.K)}\n\n"
        f"rotation\n{rows(pose[:3, :3])}\n\n"
        f"translation\n{rows(pose[:3, 3:])}\n"
    )


def relative_pose_error(first: CameraFile, second: CameraFile) -> tuple[float, float]:
    """How far two views of one rig disagree about `rig_from_patient`: (mm, degrees)."""
    a = inverse(first.camera_from_rig) @ first.camera_from_patient
    b = inverse(second.camera_from_rig) @ second.camera_from_patient
    return float(np.linalg.norm(a[:3, 3] - b[:3, 3])), rotation_angle_deg(inverse(a) @ b)


def _section(lines: list[str], title: str, shape: tuple[int, int], path: Path) -> np.ndarray:
    try:
        start = lines.index(title) + 1
        values = np.array([[float(x) for x in line.split(",")] for line in lines[start : start + shape[0]]])
        if values.shape != shape or not np.isfinite(values).all():
            raise ValueError
    except ValueError:
        raise InputError(
            f"section '{title}' is missing or malformed",
            where=path,
            remedy="expected a MayaCam 2 / XMALab calibration",
        ) from None
    return values


def _numbers(
    fields: dict, name: str, shape: tuple[int, ...], path: Path, required: bool = False
) -> np.ndarray | None:
    value = fields.get(name)
    if value is None:
        if required:
            raise InputError(f"field '{name}' is missing", where=path, remedy=_SEE_DOCS)
        return None
    try:
        array = np.array(value, dtype=float)
    except (TypeError, ValueError, OverflowError):
        array = np.array(np.nan)
    if array.shape != shape or not np.isfinite(array).all() or not _all_numbers(value):
        expected = "one finite number" if shape == () else f"finite numbers of shape {shape}"
        raise InputError(f"field '{name}' is not {expected}", where=path, remedy=_SEE_DOCS)
    return array


def _all_numbers(value) -> bool:
    """Whether a JSON value, or all in its lists, are numbers: numpy takes texts and true for some, too."""
    if isinstance(value, list):
        return all(_all_numbers(each) for each in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _mask(fields: dict, path: Path) -> Path | None:
    mask = fields.get("mask")
    if mask is not None and (not isinstance(mask, str) or "\0" in mask):
        raise InputError(
            "field 'mask' is not the path of an image", where=path, remedy="give it relative to this file"
        )
    return path.parent / mask if mask else None


def _pose(fields: dict, name: str, path: Path) -> np.ndarray | None:
    pose = _numbers(fields, name, (4, 4), path)
    if pose is not None and not is_rigid(pose):
        raise InputError(
            f"field '{name}' is not a rigid transform (rotation with determinant +1)",
            where=path,
            remedy="flip the image instead of mirroring the pose",
        )
    return pose


def _source_to_detector(
    sdd: np.ndarray | None, spacing: np.ndarray | None, K: np.ndarray, path: Path
) -> float | None:
    """The distance from whichever of the two optional fields is there; both must agree with K."""
    if spacing is not None and (spacing <= 0).any():
        raise InputError("pixel_spacing_mm must be positive", where=path, remedy="give it in mm")
    if sdd is None and spacing is None:
        return None
    if sdd is None:
        candidates = spacing * [K[0, 0], K[1, 1]]
        if not np.isclose(candidates[0], candidates[1], rtol=1e-3):
            raise InputError(
                f"pixel_spacing_mm and K give two source-to-detector distances, {candidates[0]:.2f} and "
                f"{candidates[1]:.2f} mm",
                where=path,
            )
        return float(candidates.mean())
    if not _DISTANCES_MM[0] <= sdd <= _DISTANCES_MM[1]:
        raise InputError(
            f"source_to_detector_mm must be positive and no more than {_DISTANCES_MM[1]:g}, not {sdd:g}",
            where=path,
            remedy="give the distance in mm",
        )
    if spacing is not None and not np.allclose(sdd / spacing, [K[0, 0], K[1, 1]], rtol=1e-3):
        expected = sdd / spacing
        raise InputError(
            f"source_to_detector_mm / pixel_spacing_mm = {expected[0]:.2f}, {expected[1]:.2f} px but K has "
            f"{K[0, 0]:.2f}, {K[1, 1]:.2f}",
            where=path,
            remedy="correct the one that is wrong",
        )
    return float(sdd)
