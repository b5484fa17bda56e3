"""DICOM X-rays whose tags hold the whole C-arm geometry."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from ..geometry import Camera, CArm
from .carm_angles import Angles, angles_of_frame, read_angles
from .carm_distances import distance_notes, distances_mm, pixel_spacing_mm
from .dicom_decoding import frames_in
from .dicom_frames import FrameChoice, frames_of
from .dicom_pixels import frame_pixels, open_xray
from .dicom_tags import has_value, positive, tag_name
from .enhanced_xa import undistorted_notes
from .field_of_view import field_of_view_shown, principal_point, stored_from_detector
from .orientation import patient_orientation, turn_to_camera
from .turns import AS_IT_IS, HALF, MIRRORED, Turn
from .xray_geometry import IN_THE_FILE, XrayGeometry, says_how_it_lies, write_into_tags

_BY_GEOMETRY_FILE = (
    "say by hand from which side the image is seen (--geometry), or give a camera file (--camera)"
)


@dataclass(frozen=True)
class DicomXray:
    """An X-ray as its DICOM file describes it.

    Attributes:
        line_integrals: [row, column] float32, -ln(I/I0), turned and flipped where needed to fit the camera.
        mask: [row, column] bool, the pixels outside shutters, collimators and padding.
        camera: right-handed; pose from the C-arm's angles and the isocenter that was passed in.
        frame_of_reference_uid: (0020,0052), or "" where the file has none.
        modality: XA, RF, DX or CR.
        notes: what was turned, computed or assumed, for people.
    """

    line_integrals: np.ndarray
    mask: np.ndarray
    camera: Camera
    frame_of_reference_uid: str
    modality: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _View:
    """The camera of a frame, how its stored image fits it, and what is to be said of that."""

    camera: Camera
    camera_from_stored: Turn
    notes: tuple[str, ...]


def read_dicom_xray(
    path: str | Path,
    isocenter: tuple[float, float, float] = (0.0, 0.0, 0.0),
    frame: int | str | FrameChoice | None = None,
    geometry: XrayGeometry | None = None,
) -> DicomXray:
    """Read an XA, RF, DX or CR file with complete C-arm geometry.

    Args:
        isocenter: (3,) patient LPS, mm. DICOM does not say where the isocenter lies in the CT; the
            centre of the volume is a fair start.
        frame: of a run of several, counted from 1; its C-arm angles are its own where they change
            (`carm_angles.angles_of_frame`). Or several combined, over which the C-arm stands still.
        geometry: complete; what it says otherwise than the tags is taken as given by hand. None: the tags.

    Raises:
        InputError: names the file, the tag that is missing, contradictory or not supported, and the remedy.
    """
    path = Path(path)
    dataset = open_xray(path, frame)
    by_hand = () if geometry is None else write_into_tags(dataset, geometry, path)
    side = None if geometry is None or geometry.seen_from == IN_THE_FILE else geometry.seen_from
    number = frames_of(dataset, frame, path).frames[0]
    view = _view(dataset, path, isocenter, number, side)
    given = None if geometry is None or geometry.intensity == IN_THE_FILE else geometry.intensity
    pixels = frame_pixels(dataset, path, frame, given)
    return DicomXray(
        view.camera_from_stored.of(pixels.line_integrals),
        view.camera_from_stored.of(pixels.mask),
        view.camera,
        str(dataset.get("FrameOfReferenceUID") or ""),
        str(dataset.Modality),
        by_hand + view.notes + undistorted_notes(dataset) + _table_motion(dataset, number) + pixels.notes,
    )


def camera_from_dicom(
    dataset: pydicom.Dataset,
    where: Path,
    isocenter: tuple[float, float, float] = (0.0, 0.0, 0.0),
    frame: int = 1,
) -> Camera:
    """The camera of a frame of a DICOM X-ray, right-handed: the image as the source sees it.

    The stored image may lie otherwise; `read_dicom_xray` turns and flips it.

    Raises:
        InputError: for missing, contradictory or unsupported geometry.
    """
    return _view(dataset, where, isocenter, frame, None).camera


def _view(
    dataset: pydicom.Dataset,
    where: Path,
    isocenter: tuple[float, float, float],
    frame: int,
    side: str | None,
) -> _View:
    """Args: side: "source" or "detector", from where the image is seen, if that was given by hand."""
    rows, columns = (int(positive(dataset, name, 1, where)[0]) for name in ("Rows", "Columns"))
    to_detector, to_isocenter = distances_mm(dataset, where)
    spacing, spacing_notes = pixel_spacing_mm(dataset, where)
    angles = read_angles(dataset, where)
    point = principal_point(dataset, (columns, rows), spacing, where)
    first = CArm(to_detector, to_isocenter, angles.primary, angles.secondary, angles.tertiary)
    # The orientation in the tags is that of the angles in the tags: the first frame's.
    turn, turn_notes = _camera_from_stored(dataset, first.camera_from_patient, angles, side, where)
    primary, secondary = angles_of_frame(dataset, frame, frames_in(dataset, where), where)
    carm = CArm(to_detector, to_isocenter, primary, secondary, angles.tertiary, tuple(isocenter))
    size = (columns, rows)
    camera = carm.camera(turn.pair(size), turn.pair(spacing), turn.point(point, size))
    return _View(camera, turn, distance_notes(dataset, where) + spacing_notes + angles.notes + turn_notes)


def _camera_from_stored(
    dataset: pydicom.Dataset, camera_from_patient: np.ndarray, angles: Angles, side: str | None, where: Path
) -> tuple[Turn, tuple[str, ...]]:
    """How to turn the stored image, and notes on that.

    Patient Orientation (0020,0020) says it, or in Enhanced XA the field of view's turn on the detector, if it
    is known how the detector lies about the patient. Where there are both, they must agree.
    """
    if side is not None:
        seen_from_detector = side == "detector"
        note = ("flipped left-right: seen from the detector",) if seen_from_detector else ()
        return (MIRRORED if seen_from_detector else AS_IT_IS), note
    by_detector = _camera_from_field_of_view(dataset, angles, where)
    if (
        by_detector is not None
        and not has_value(dataset, "PatientOrientation")
        and says_how_it_lies(dataset, where)
    ):
        shown = f"{by_detector}, as {field_of_view_shown(dataset)} say"
        return by_detector, (f"{shown}; no {tag_name('PatientOrientation')} confirms it",)
    letters = patient_orientation(dataset, where)
    turn = turn_to_camera(letters, camera_from_patient, where)
    shown = f"{tag_name('PatientOrientation')} " + "\\".join(letters)
    _check_agreement(dataset, turn, by_detector, shown, where)
    return turn, _turn_notes(turn, shown)


def _camera_from_field_of_view(dataset: pydicom.Dataset, angles: Angles, where: Path) -> Turn | None:
    """As the field of view's turn says; None where the file does not tell it or how the detector lies."""
    stored = stored_from_detector(dataset, where)
    if stored is None or angles.feet_first is None:
        return None
    # The camera sees the image from the source, the detector's own rows and columns are seen from it.
    turned = stored.inverse.then(MIRRORED)
    return turned.then(HALF) if angles.feet_first else turned


def _check_agreement(
    dataset: pydicom.Dataset, turn: Turn, by_detector: Turn | None, shown: str, where: Path
) -> None:
    """Of Patient Orientation with the field of view; only of the mirroring where more is not known."""
    stored = stored_from_detector(dataset, where)
    if stored is None:
        return
    mirrored_alike = stored.mirrored != turn.mirrored
    if mirrored_alike and by_detector in (None, turn):
        return
    says = by_detector or stored.inverse.then(MIRRORED)
    raise InputError(
        f"{shown} contradicts {field_of_view_shown(dataset)}: to be as the source sees it, the image is "
        f"to be {turn} by the first, but {says} by the second",
        where=where,
        remedy=_BY_GEOMETRY_FILE,
    )


def _turn_notes(turn: Turn, shown: str) -> tuple[str, ...]:
    """What was done to the image, and a warning if it was stored as clinical systems do not show it.

    Angles of a prone patient that are those of the equipment exchange front and back: the image then seems to
    be stored as seen from the source, and nothing else in classic tags tells.
    """
    if turn.mirrored:
        return (f"{turn}: stored as seen from the detector ({shown})",)
    done = "" if turn == AS_IT_IS else f"{turn}; "
    return (
        f"{done}stored as seen from the source, mirrored to what clinical systems show ({shown}): check that "
        "the C-arm's angles are about the patient, not the table",
    )


def _table_motion(dataset: pydicom.Dataset, frame: int) -> tuple[str, ...]:
    """A note if the table had moved the patient by this frame, which the start pose does not follow."""
    keywords = ("TableVerticalIncrement", "TableLongitudinalIncrement", "TableLateralIncrement")
    moving = [name for name in keywords if np.any(np.asarray(dataset.get(name) or 0.0, dtype=float))]
    if frame == 1 or not moving:
        return ()
    return (
        f"the table moved during the run ({tag_name(moving[0])}): the start pose is that before it moved",
    )
