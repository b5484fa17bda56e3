"""DICOM X-rays whose tags hold the whole C-arm geometry."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from ..geometry import Camera, CArm
from .dicom_pixels import line_integrals, open_pixels, open_xray, stored_pixels
from .dicom_tags import USE_CAMERA_FILE, has_value, number, numbers, positive, tag_name
from .orientation import flips_to_camera

DETECTOR_ROTATION_SIGN = -1
"""Detector Rotation Angle (0018,9465) turns the detector right-handed about the axis from the isocenter
to the source (PS3.3 C.8.19.6.13.1.2, matrix R3 in PS3.17 FFF.1.2.4.1); `CArm.tertiary_deg` turns about
the camera's z, which points the other way."""


@dataclass(frozen=True)
class DicomXray:
    """An X-ray as its DICOM file describes it.

    Attributes:
        line_integrals: [row, column] float32, -ln(I/I0), flipped where needed to fit the camera.
        mask: [row, column] bool, the pixels outside shutters, collimators and padding.
        camera: right-handed; pose from the C-arm's angles and the isocenter that was passed in.
        frame_of_reference_uid: (0020,0052), or "" where the file has none.
        modality: XA, RF, DX or CR.
        notes: what was flipped or assumed, for people.
    """

    line_integrals: np.ndarray
    mask: np.ndarray
    camera: Camera
    frame_of_reference_uid: str
    modality: str
    notes: tuple[str, ...] = ()


def read_dicom_xray(path: str | Path, isocenter: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> DicomXray:
    """Read a single-frame XA, RF, DX or CR file with complete C-arm geometry.

    Args:
        isocenter: (3,) patient LPS, mm. DICOM does not say where the isocenter lies in the CT; the
            centre of the volume is a fair start.

    Raises:
        InputError: names the file, the tag that is missing, contradictory or not supported, and the remedy.
    """
    path = Path(path)
    dataset = open_xray(path)
    camera = camera_from_dicom(dataset, path, isocenter)
    orientation = _patient_orientation(dataset, path)
    flip_columns, flip_rows = flips_to_camera(orientation, camera, path)
    stored = stored_pixels(dataset, path)
    mask = open_pixels(dataset, stored, path)
    image, notes = line_integrals(dataset, stored, mask, path)
    letters = "\\".join(orientation)
    shown = f"({tag_name('PatientOrientation')} {letters})"
    if flip_columns:
        notes += (f"flipped left-right: stored as seen from the detector {shown}",)
    if flip_rows:
        notes += (f"flipped up-down to fit the C-arm's angles {shown}",)
    return DicomXray(
        _flipped(image, flip_columns, flip_rows),
        _flipped(mask, flip_columns, flip_rows),
        camera,
        str(dataset.get("FrameOfReferenceUID") or ""),
        str(dataset.Modality),
        notes,
    )


def camera_from_dicom(
    dataset: pydicom.Dataset, where: Path, isocenter: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Camera:
    """The camera of a DICOM X-ray, right-handed: the image as the source sees it.

    The stored image may run the other way; `orientation.flips_to_camera` tells. The principal point is
    the image centre.

    Raises:
        InputError: for missing, contradictory or unsupported geometry.
    """
    rows, columns = (int(positive(dataset, name, 1, where)[0]) for name in ("Rows", "Columns"))
    (to_detector,) = positive(dataset, "DistanceSourceToDetector", 1, where)
    (to_isocenter,) = positive(dataset, "DistanceSourceToPatient", 1, where)
    row_mm, column_mm = positive(dataset, "ImagerPixelSpacing", 2, where)
    primary = number(dataset, "PositionerPrimaryAngle", where)
    secondary = number(dataset, "PositionerSecondaryAngle", where)
    _check_field_of_view(dataset, (rows, columns), (row_mm, column_mm), where)
    if to_isocenter >= to_detector:
        raise InputError(
            f"{tag_name('DistanceSourceToPatient')} {to_isocenter:g} mm is not below "
            f"{tag_name('DistanceSourceToDetector')} {to_detector:g} mm",
            where=where,
            remedy=USE_CAMERA_FILE,
        )
    tertiary = _detector_rotation(dataset, where)
    carm = CArm(to_detector, to_isocenter, primary, secondary, tertiary, tuple(isocenter))
    return carm.camera((columns, rows), (column_mm, row_mm))


def _detector_rotation(dataset: pydicom.Dataset, where: Path) -> float:
    """`CArm.tertiary_deg` from the Isocenter Reference System Sequence (0018,9462); 0 without it."""
    for item in dataset.get("IsocenterReferenceSystemSequence") or ():
        if has_value(item, "PositionerIsocenterDetectorRotationAngle"):
            return DETECTOR_ROTATION_SIGN * number(item, "PositionerIsocenterDetectorRotationAngle", where)
    return 0.0


def _patient_orientation(dataset: pydicom.Dataset, where: Path) -> tuple[str, str]:
    keyword = "PatientOrientation"
    value = dataset.get(keyword)
    parts = () if value is None or isinstance(value, str) else tuple(str(part).strip() for part in value)
    if len(parts) != 2 or not all(parts):
        state = f"is '{value}'" if value else ("is empty" if keyword in dataset else "is missing")
        raise InputError(
            f"{tag_name(keyword)} {state}, so that nothing says whether the image is mirrored",
            where=where,
            remedy=USE_CAMERA_FILE,
        )
    return parts


def _check_field_of_view(
    dataset: pydicom.Dataset, size: tuple[int, int], spacing_mm: tuple[float, float], where: Path
) -> None:
    """Refuse what turns or shifts the image against the detector.

    Args:
        size: (rows, columns).
        spacing_mm: (row, column).
    """
    rotation = (
        number(dataset, "FieldOfViewRotation", where) if has_value(dataset, "FieldOfViewRotation") else 0
    )
    if rotation % 360 != 0:
        _refuse(f"{tag_name('FieldOfViewRotation')} {rotation:g} degrees", where)
    if str(dataset.get("FieldOfViewHorizontalFlip") or "NO").strip().upper() != "NO":
        _refuse(f"{tag_name('FieldOfViewHorizontalFlip')} {dataset.FieldOfViewHorizontalFlip}", where)
    if not has_value(dataset, "FieldOfViewOrigin"):
        return
    origin = np.array(numbers(dataset, "FieldOfViewOrigin", 2, where))
    if has_value(dataset, "DetectorActiveDimensions") and has_value(dataset, "DetectorElementSpacing"):
        detector_mm = np.array(positive(dataset, "DetectorActiveDimensions", 2, where))
        element_mm = np.array(positive(dataset, "DetectorElementSpacing", 2, where))
        centre_mm = origin * element_mm + np.multiply(size, spacing_mm) / 2 - detector_mm / 2
        if (np.abs(centre_mm) > spacing_mm).any():
            _refuse(
                f"{tag_name('FieldOfViewOrigin')} moves the image centre {np.linalg.norm(centre_mm):.1f} mm "
                "away from the detector's: it",
                where,
            )
    elif origin.any():
        _refuse(f"{tag_name('FieldOfViewOrigin')} {origin[0]:g}\\{origin[1]:g}", where)


def _refuse(what: str, where: Path) -> None:
    raise InputError(f"{what} is not supported yet", where=where, remedy=USE_CAMERA_FILE)


def _flipped(image: np.ndarray, columns: bool, rows: bool) -> np.ndarray:
    """[row, column] flipped left-right and/or up-down, contiguous."""
    return np.ascontiguousarray(image[:: -1 if rows else 1, :: -1 if columns else 1])
