"""DICOM X-rays whose tags hold the whole C-arm geometry."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from ..geometry import Camera, CArm
from .dicom_pixels import frames_in, line_integrals, open_pixels, open_xray, stored_pixels
from .dicom_tags import USE_CAMERA_FILE, has_value, number, numbers, positive, tag_name
from .orientation import flips_to_camera
from .xray_geometry import IN_THE_FILE, XrayGeometry, write_into_tags

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


def read_dicom_xray(
    path: str | Path,
    isocenter: tuple[float, float, float] = (0.0, 0.0, 0.0),
    frame: int | None = None,
    geometry: XrayGeometry | None = None,
) -> DicomXray:
    """Read an XA, RF, DX or CR file with complete C-arm geometry.

    Args:
        isocenter: (3,) patient LPS, mm. DICOM does not say where the isocenter lies in the CT; the
            centre of the volume is a fair start.
        frame: of a run of several, counted from 1; its C-arm angles are its own where they change
            (`angles_of_frame`).
        geometry: complete; what it says otherwise than the tags is taken as given by hand. None: the tags.

    Raises:
        InputError: names the file, the tag that is missing, contradictory or not supported, and the remedy.
    """
    path = Path(path)
    dataset = open_xray(path, frame)
    by_hand = () if geometry is None else write_into_tags(dataset, geometry, path)
    camera = camera_from_dicom(dataset, path, isocenter, frame or 1)
    first = camera_from_dicom(dataset, path, isocenter)  # the orientation is that of the angles in the tags
    flip_columns, flip_rows, flipped = _flips(dataset, first, geometry, path)
    stored = stored_pixels(dataset, path, frame)
    mask = open_pixels(dataset, stored, path)
    given = None if geometry is None or geometry.intensity == IN_THE_FILE else geometry.intensity
    image, notes = line_integrals(dataset, stored, mask, path, given)
    return DicomXray(
        _flipped(image, flip_columns, flip_rows),
        _flipped(mask, flip_columns, flip_rows),
        camera,
        str(dataset.get("FrameOfReferenceUID") or ""),
        str(dataset.Modality),
        by_hand + notes + flipped + _table_motion(dataset, frame or 1),
    )


def camera_from_dicom(
    dataset: pydicom.Dataset,
    where: Path,
    isocenter: tuple[float, float, float] = (0.0, 0.0, 0.0),
    frame: int = 1,
) -> Camera:
    """The camera of a frame of a DICOM X-ray, right-handed: the image as the source sees it.

    The stored image may run the other way; `orientation.flips_to_camera` tells. The principal point is
    the image centre.

    Raises:
        InputError: for missing, contradictory or unsupported geometry.
    """
    rows, columns = (int(positive(dataset, name, 1, where)[0]) for name in ("Rows", "Columns"))
    (to_detector,) = positive(dataset, "DistanceSourceToDetector", 1, where)
    (to_isocenter,) = positive(dataset, "DistanceSourceToPatient", 1, where)
    row_mm, column_mm = positive(dataset, "ImagerPixelSpacing", 2, where)
    primary, secondary = angles_of_frame(dataset, frame, where)
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


def angles_of_frame(dataset: pydicom.Dataset, frame: int, where: Path) -> tuple[float, float]:
    """Positioner primary and secondary angle, degrees, of a frame counted from 1.

    Positioner Angle Increments (0018,1520) and (0018,1521) hold the mean change from frame to frame, or for
    each frame its offset from the initial angle (PS3.3 C.8.7.5.1.3). Without them the C-arm stands still.
    """
    return tuple(
        number(dataset, keyword, where) + _offset(dataset, f"{keyword}Increment", frame, where)
        for keyword in ("PositionerPrimaryAngle", "PositionerSecondaryAngle")
    )


def _offset(dataset: pydicom.Dataset, keyword: str, frame: int, where: Path) -> float:
    if not has_value(dataset, keyword):
        return 0.0
    if isinstance(dataset.get(keyword), pydicom.multival.MultiValue):
        return numbers(dataset, keyword, frames_in(dataset, where), where)[frame - 1]
    return (frame - 1) * number(dataset, keyword, where)


def _table_motion(dataset: pydicom.Dataset, frame: int) -> tuple[str, ...]:
    """A note if the table had moved the patient by this frame, which the start pose does not follow."""
    keywords = ("TableVerticalIncrement", "TableLongitudinalIncrement", "TableLateralIncrement")
    moving = [name for name in keywords if np.any(np.asarray(dataset.get(name) or 0.0, dtype=float))]
    if frame == 1 or not moving:
        return ()
    return (
        f"the table moved during the run ({tag_name(moving[0])}): the start pose is that before it moved",
    )


def _detector_rotation(dataset: pydicom.Dataset, where: Path) -> float:
    """`CArm.tertiary_deg` from the Isocenter Reference System Sequence (0018,9462); 0 without it."""
    for item in dataset.get("IsocenterReferenceSystemSequence") or ():
        if has_value(item, "PositionerIsocenterDetectorRotationAngle"):
            return DETECTOR_ROTATION_SIGN * number(item, "PositionerIsocenterDetectorRotationAngle", where)
    return 0.0


def _flips(
    dataset: pydicom.Dataset, camera: Camera, geometry: XrayGeometry | None, where: Path
) -> tuple[bool, bool, tuple[str, ...]]:
    """Whether to flip the stored image left-right and up-down, and notes on that."""
    if geometry is not None and geometry.seen_from != IN_THE_FILE:
        from_detector = geometry.seen_from == "detector"
        return from_detector, False, ("flipped left-right: seen from the detector",) if from_detector else ()
    orientation = _patient_orientation(dataset, where)
    columns, rows = flips_to_camera(orientation, camera, where)
    letters = "\\".join(orientation)
    shown = f"({tag_name('PatientOrientation')} {letters})"
    notes: tuple[str, ...] = ()
    if columns:
        notes += (f"flipped left-right: stored as seen from the detector {shown}",)
    if rows:
        notes += (f"flipped up-down to fit the C-arm's angles {shown}",)
    return columns, rows, notes


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
