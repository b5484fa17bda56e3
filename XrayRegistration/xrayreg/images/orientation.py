"""How a stored X-ray lies in the patient, compared with its camera: the guard against mirroring.

The camera of `geometry.CArm` is right-handed and sees the image from the source. Clinical systems store
it as seen from the detector, mirrored. DICOM's Patient Orientation (0020,0020) says which: two groups of
letters, where the first row and the first column run to.
"""

import numpy as np

from ..errors import InputError
from ..geometry import Camera
from .dicom_tags import USE_CAMERA_FILE, tag_name

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


def flips_to_camera(orientation: tuple[str, str], camera: Camera, where: object) -> tuple[bool, bool]:
    """Whether to flip the stored image (left-right, up-down) so that it fits its camera.

    Args:
        orientation: Patient Orientation: where the rows run to and where the columns run to.
        camera: its +x must run along the image's rows (to increasing column), its +y down the columns.

    Raises:
        InputError: if the letters are no directions, if rows and columns are exchanged, or if the letters
            do not fit the C-arm's angles.
    """
    axes = camera.patient_from_camera[:3, :2].T
    signs = [_sign(letters, axis, where) for letters, axis in zip(orientation, axes, strict=True)]
    if all(signs):
        return signs[0] < 0, signs[1] < 0
    shown = "\\".join(orientation)
    expected = "\\".join(letters_of(axis) for axis in axes)
    if all(_sign(letters, axis, where) for letters, axis in zip(orientation, axes[::-1], strict=True)):
        raise InputError(
            f"{_TAG} is {shown}, but by the C-arm's angles the image runs along {expected}: rows and columns "
            "are exchanged",
            where=where,
            remedy=f"export the image without a quarter turn, or {USE_CAMERA_FILE}",
        )
    raise InputError(
        f"{_TAG} is {shown}, but by the C-arm's angles the image runs along {expected} or the reverse",
        where=where,
        remedy=USE_CAMERA_FILE,
    )


def letters_of(direction: np.ndarray) -> str:
    """DICOM's letters of a unit direction (3,) in patient LPS, dominant first, such as `RP`."""
    order = np.argsort(-np.abs(direction), kind="stable")
    names = (("L", "R"), ("P", "A"), ("H", "F"))
    return "".join(names[i][int(direction[i] < 0)] for i in order if abs(direction[i]) > _TOLERANCE)


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
