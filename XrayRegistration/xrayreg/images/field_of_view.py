"""Where the stored image lies on the detector: PS3.3 C.8.11.4.1.1 (DX), C.8.19.6.2 (Enhanced XA).

The detector's own rows and columns are those that one sees looking from it towards the source
(C.8.19.6.13.1.2). The part of them that is kept, the field of view, is turned clockwise and then flipped
left-right before it is stored.
"""

from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from .dicom_tags import USE_CAMERA_FILE, decimal_string, has_value, number, numbers, positive, tag_name, text
from .turns import Turn

_WRONG_SIZE = 0.1  # field of view and pixels may differ by this fraction: nominal sizes are rounded


def stored_from_detector(dataset: pydicom.Dataset, where: Path) -> Turn | None:
    """How the detector's image was turned to be stored; None where the file does not say.

    Field of View Rotation (0018,7032) is clockwise and comes first, Field of View Horizontal Flip (0018,7034)
    second.

    Raises:
        InputError: for other values than the standard's, or if one of the two is missing but the other turns.
    """
    has_rotation, has_flip = (
        has_value(dataset, f"FieldOfView{name}") for name in ("Rotation", "HorizontalFlip")
    )
    rotation = number(dataset, "FieldOfViewRotation", where) if has_rotation else 0.0
    flip = text(dataset, "FieldOfViewHorizontalFlip", where) if has_flip else "NO"
    if rotation not in (0, 90, 180, 270):
        raise InputError(
            f"{tag_name('FieldOfViewRotation')} is {rotation:g}, not 0, 90, 180 or 270 degrees",
            where=where,
            remedy=USE_CAMERA_FILE,
        )
    if flip not in ("NO", "YES"):
        raise InputError(
            f"{tag_name('FieldOfViewHorizontalFlip')} is {flip}, not YES or NO",
            where=where,
            remedy=USE_CAMERA_FILE,
        )
    turn = Turn(int(rotation) // 90, flip == "YES")
    if has_rotation and has_flip:
        return turn
    if turn != Turn():
        there, missing = ("Rotation", "HorizontalFlip") if has_rotation else ("HorizontalFlip", "Rotation")
        raise InputError(
            f"{tag_name(f'FieldOfView{there}')} turns the image, but {tag_name(f'FieldOfView{missing}')} is "
            "missing",
            where=where,
            remedy=USE_CAMERA_FILE,
        )
    return None


def field_of_view_shown(dataset: pydicom.Dataset) -> str:
    """Both tags with their values, for messages."""
    names = ("FieldOfViewRotation", "FieldOfViewHorizontalFlip")
    return " and ".join(f"{tag_name(name)} {dataset.get(name)}" for name in names)


def principal_point(
    dataset: pydicom.Dataset, size: tuple[int, int], spacing_mm: tuple[float, float], where: Path
) -> tuple[float, float]:
    """(column, row) of the stored image where the central ray meets it.

    Without Field of View Origin (0018,7030) that is the middle of the image, as X-Ray Angiography assumes
    (PS3.17 FFF.2.1.5.2). With it, it is Position of Isocenter Projection (0018,9430), or else the middle of
    the detector, whose size is Physical Detector Size (0018,9429), or else the middle of its active area,
    Detector Active Dimensions (0018,7026) from Detector Active Origin (0018,7028).

    Args:
        size: (columns, rows), spacing_mm: (column, row), of the stored image.

    Raises:
        InputError: if the tags do not suffice or contradict each other.
    """
    middle = tuple((n - 1) / 2 for n in size)
    _check_dimensions(dataset, size, spacing_mm, where)
    if not has_value(dataset, "FieldOfViewOrigin"):
        return middle
    origin = np.array(numbers(dataset, "FieldOfViewOrigin", 2, where))
    beam_mm, detector_mm = _beam_on_detector(dataset, where)
    if beam_mm is None and not origin.any():
        return middle
    if beam_mm is None:
        raise InputError(
            f"{tag_name('FieldOfViewOrigin')} is {origin[0]:g}\\{origin[1]:g}, but "
            f"{tag_name('DetectorActiveDimensions')} does not say how large the detector is",
            where=where,
            remedy=USE_CAMERA_FILE,
        )
    turn = stored_from_detector(dataset, where)
    unturned = (turn or Turn()).inverse
    rows_first = np.array(unturned.pair(spacing_mm))[::-1]  # (row, column) spacing on the detector
    shape = np.array(unturned.pair(size))[::-1]
    corner_mm = origin * positive(dataset, "DetectorElementSpacing", 2, where)
    if detector_mm is not None:
        _check_inside(corner_mm, corner_mm + shape * rows_first, detector_mm, rows_first, where)
    row, column = (beam_mm - corner_mm) / rows_first - 0.5
    on_detector, of_detector = (float(column), float(row)), tuple(shape[::-1])
    if turn is not None:
        return turn.point(on_detector, of_detector)
    if np.allclose(on_detector, (np.array(of_detector) - 1) / 2, rtol=0, atol=0.01):
        return middle
    raise InputError(
        f"{tag_name('FieldOfViewOrigin')} moves the image off the detector's middle, but "
        f"{tag_name('FieldOfViewRotation')} and {tag_name('FieldOfViewHorizontalFlip')} are missing, so that "
        "nothing says to which side",
        where=where,
        remedy=USE_CAMERA_FILE,
    )


def write_field_of_view(
    dataset: pydicom.Dataset,
    turn: Turn,
    point: tuple[float, float],
    size: tuple[int, int],
    spacing_mm: tuple[float, float],
) -> None:
    """Set the tags from which `stored_from_detector` and `principal_point` read the same again.

    An off-centre point is written by a detector that lies evenly around it, with elements like the pixels.

    Args:
        point: (column, row) of the stored image where the central ray meets it.
        size: (columns, rows), spacing_mm: (column, row), of the stored image.
    """
    dataset.FieldOfViewRotation = str(90 * turn.clockwise)
    dataset.FieldOfViewHorizontalFlip = "YES" if turn.mirrored else "NO"
    if np.allclose(point, (np.array(size) - 1) / 2, rtol=0, atol=1e-6):
        return
    on_detector = turn.inverse.point(point, size)
    before = np.array(on_detector[::-1]) + 0.5  # (row, column), pixels from the edges to the point
    after = np.array(turn.inverse.pair(size))[::-1] - before
    half = np.maximum(before, after)
    elements_mm = np.array(turn.inverse.pair(spacing_mm))[::-1]
    dataset.FieldOfViewOrigin = [decimal_string(x) for x in half - before]
    dataset.DetectorActiveShape = "RECTANGLE"
    dataset.DetectorActiveDimensions = [decimal_string(x) for x in 2 * half * elements_mm]
    dataset.DetectorElementSpacing = [decimal_string(x) for x in elements_mm]


def _beam_on_detector(dataset: pydicom.Dataset, where: Path) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Where the central ray meets the detector and its size, both (row, column), mm, from its corner."""
    size = None
    if has_value(dataset, "PhysicalDetectorSize"):
        size = np.array(positive(dataset, "PhysicalDetectorSize", 2, where))
    if has_value(dataset, "PositionOfIsocenterProjection"):
        element = np.array(positive(dataset, "DetectorElementSpacing", 2, where))
        position = np.array(numbers(dataset, "PositionOfIsocenterProjection", 2, where))
        return (position + 0.5) * element, size  # counted from the first element's middle
    if size is not None:
        return size / 2, size
    if not has_value(dataset, "DetectorActiveDimensions"):
        return None, None
    active = np.array(positive(dataset, "DetectorActiveDimensions", 2, where))
    if not has_value(dataset, "DetectorActiveOrigin"):
        return active / 2, active
    element = np.array(positive(dataset, "DetectorElementSpacing", 2, where))
    return numbers(dataset, "DetectorActiveOrigin", 2, where) * element + active / 2, None


def _check_dimensions(
    dataset: pydicom.Dataset, size: tuple[int, int], spacing_mm: tuple[float, float], where: Path
) -> None:
    """A rectangular field of view must be as large as its pixels together (C.8.11.4.1.1)."""
    names = [n for n in ("FieldOfViewDimensions", "FieldOfViewDimensionsInFloat") if has_value(dataset, n)]
    if str(dataset.get("FieldOfViewShape") or "").strip() != "RECTANGLE" or not names:
        return
    field = np.array(positive(dataset, names[0], np.size(dataset.get(names[0])), where))
    pixels = np.multiply(size, spacing_mm)[::-1]
    if (np.abs(field / pixels - 1) > _WRONG_SIZE).any():
        raise InputError(
            f"{tag_name(names[0])} is {field[0]:g} x {field[1]:g} mm, but the rows and columns make "
            f"{pixels[0]:.4g} x {pixels[1]:.4g} mm: the pixel spacing may be that of another image size",
            where=where,
            remedy=USE_CAMERA_FILE,
        )


def _check_inside(
    first: np.ndarray, last: np.ndarray, detector_mm: np.ndarray, tolerance: np.ndarray, where: Path
) -> None:
    if (first < -tolerance).any() or (last > detector_mm + tolerance).any():
        raise InputError(
            f"{tag_name('FieldOfViewOrigin')} and the image's size make a field of view that leaves the "
            f"detector of {detector_mm[0]:.4g} x {detector_mm[1]:.4g} mm",
            where=where,
            remedy=USE_CAMERA_FILE,
        )
