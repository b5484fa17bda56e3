"""How a stored X-ray lies in the patient, compared with its camera: the guard against mirroring.

The camera of `geometry.CArm` is right-handed and sees the image from the source. Clinical systems store
it as seen from the detector, mirrored. DICOM's Patient Orientation (0020,0020) says which: two groups of
letters, where the first row and the first column run to.
"""

import numpy as np
import pydicom

from ..errors import InputError
from .dicom_tags import USE_CAMERA_FILE, tag_name
from .turns import TURNS, Turn

_TAG = tag_name("PatientOrientation")
_DIRECTIONS = {
    "L": (1, 0, 0),
    "R": (-1, 0, 0),
    "P": (0, 1, 0),
    "A": (0, -1, 0),
    "H": (0, 0, 1),
    "F": (0, 0, -1),
}
# A component this small may carry either letter or none: 0.1 is about 6 degrees off an axis.
_TOLERANCE = 0.1


def turn_to_camera(orientation: tuple[str, str], camera_from_patient: np.ndarray, where: object) -> Turn:
    """How to turn and flip the stored image so that it fits its camera.

    Args:
        orientation: Patient Orientation: where the rows run to and where the columns run to.
        camera_from_patient: (4, 4); the camera's +x shall run along the rows (to increasing column), its +y
            down the columns.

    Raises:
        InputError: if the letters are no directions, do not fit the C-arm's angles, or fit in several ways.
    """
    axes = np.asarray(camera_from_patient)[:2, :3].T
    fitting = [turn for turn in TURNS if _fits(orientation, axes @ turn.directions, where)]
    if len(fitting) == 1:
        return fitting[0]
    shown = "\\".join(orientation)
    if fitting:
        raise InputError(
            f"{_TAG} is {shown}, which fits the C-arm's angles in several ways: the detector is turned by "
            "half a right angle",
            where=where,
            remedy=f"write further letters, or {USE_CAMERA_FILE}",
        )
    expected = " and ".join(letters_of(axis) for axis in axes.T)
    raise InputError(
        f"{_TAG} is {shown}, but by the C-arm's angles the image runs along {expected}, either way",
        where=where,
        remedy=USE_CAMERA_FILE,
    )


def stored_orientation(camera_from_patient: np.ndarray, camera_from_stored: Turn) -> tuple[str, str]:
    """The inverse of `turn_to_camera`: Patient Orientation of an image that is stored so."""
    axes = np.asarray(camera_from_patient)[:2, :3].T @ camera_from_stored.directions
    return letters_of(axes[:, 0]), letters_of(axes[:, 1])


def patient_orientation(dataset: pydicom.Dataset, where: object) -> tuple[str, str]:
    """Patient Orientation (0020,0020) of a data set.

    Raises:
        InputError: if it does not hold two values.
    """
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


def letters_of(direction: np.ndarray) -> str:
    """DICOM's letters of a unit direction (3,) in patient LPS, dominant first, such as `RP`."""
    order = np.argsort(-np.abs(direction), kind="stable")
    names = (("L", "R"), ("P", "A"), ("H", "F"))
    return "".join(names[i][int(direction[i] < 0)] for i in order if abs(direction[i]) > _TOLERANCE)


def _fits(orientation: tuple[str, str], directions: np.ndarray, where: object) -> bool:
    """Whether the letters name both columns of ``directions`` (3, 2)."""
    signs = [_sign(letters, axis, where) for letters, axis in zip(orientation, directions.T, strict=True)]
    return min(signs) > 0


def _sign(letters: str, axis: np.ndarray, where: object) -> int:
    """+1 if the letters name ``axis``, -1 if its reverse, 0 if neither."""
    if not 1 <= len(letters) <= 3 or any(letter not in _DIRECTIONS for letter in letters):
        raise InputError(
            f"{_TAG} holds '{letters}', not one to three of the letters L R A P H F",
            where=where,
            remedy=USE_CAMERA_FILE,
        )
    components = np.array([axis @ np.array(_DIRECTIONS[letter], dtype=float) for letter in letters])
    if abs(components[0]) < np.abs(axis).max() - _TOLERANCE:
        return 0  # the first letter must be the dominant direction
    sign = 1 if components[0] > 0 else -1
    return sign if (sign * components > -_TOLERANCE).all() else 0
