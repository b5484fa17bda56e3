"""Angles and directions as clinicians say them."""

import numpy as np

from .camera import Camera
from .frames import carm_angles_deg

_ENDS = (("left", "right"), ("back", "front"), ("head", "feet"))  # of LPS, + and -
_OBLIQUE_DEG = 5.0


def angles_in_words(camera: Camera) -> str:
    """The C-arm's angles: LAO or RAO, cranial or caudal, turn of the detector."""
    primary, secondary, turn = carm_angles_deg(camera)
    return f"{carm_in_words(primary, secondary)}, detector turned {_rounded(turn):.1f}°"


def carm_in_words(primary_deg: float, secondary_deg: float) -> str:
    """A C-arm's two angles by DICOM's signs, such as "LAO 30.0°, CRAN 20.0°"."""
    primary, secondary = _rounded(primary_deg), _rounded(secondary_deg)
    side, height = "LAO" if primary >= 0 else "RAO", "CRAN" if secondary >= 0 else "CAUD"
    return f"{side} {abs(primary):.1f}°, {height} {abs(secondary):.1f}°"


def direction_in_words(direction: np.ndarray) -> str:
    """Where a direction (3,), patient LPS, of any length points to: "left", or "head (12° off)"."""
    unit = np.asarray(direction, dtype=float) / np.linalg.norm(direction)
    axis = int(np.argmax(np.abs(unit)))
    off = float(np.degrees(np.arccos(min(1.0, abs(unit[axis])))))
    name = _ENDS[axis][int(unit[axis] < 0)]
    return name if off < _OBLIQUE_DEG else f"{name} ({off:.0f}° off)"


def _rounded(degrees: float) -> float:
    return round(float(degrees), 1) + 0.0  # no minus before a zero
