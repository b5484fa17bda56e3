"""An eye at the X-ray source: what a 3D view needs to show the patient as an X-ray does."""

from dataclasses import dataclass

import numpy as np

from .camera import Camera
from .se3 import apply


@dataclass(frozen=True)
class Eye:
    """A pinhole that looks at the middle of its picture, patient frame, mm.

    Attributes:
        position, focus: (3,) where it is and where it looks.
        up: (3,) unit vector to the upper edge of the picture.
        opening_deg: angle between the upper and the lower edge.
    """

    position: np.ndarray
    focus: np.ndarray
    up: np.ndarray
    opening_deg: float


def along_the_beam(camera: Camera, anatomy: np.ndarray, aspect: float) -> Eye:
    """The eye at the source that looks perpendicular to the detector and has all of the X-ray in its picture.

    It sees every point where the X-ray shows it, but for a scale and, where the principal point is off the
    X-ray's middle, a shift: the X-ray then is off the middle of the picture, and the opening is wider.

    Args:
        anatomy: (3,) patient, mm; the focus is as deep as this.
        aspect: width / height of the picture.
    """
    columns, rows = camera.size
    corners = [(-0.5, -0.5), (columns - 0.5, -0.5), (-0.5, rows - 0.5), (columns - 0.5, rows - 0.5)]
    across, down, _ = np.abs(camera.ray_directions(corners)).max(axis=0)
    depth_mm = max(float(apply(camera.camera_from_patient, anatomy)[2]), 1.0)
    _, row_axis, beam = camera.camera_from_patient[:3, :3]
    return Eye(
        position=camera.source_patient,
        focus=camera.source_patient + depth_mm * beam,
        up=-row_axis,
        opening_deg=float(np.degrees(2 * np.arctan(max(down, across / aspect)))),
    )
