"""Views that go together: one patient, one rig, and directions that differ."""

import numpy as np

from ..geometry import Camera, CameraFile, relative_pose_error
from .findings import Finding, Fit

RIG_MM, RIG_DEG = 1.0, 0.5  # two views of a rig may disagree this much about the start
_ALIKE_DEG = 10.0


def rig_finding(first: CameraFile, first_name: object, other: CameraFile) -> Finding | None:
    """What speaks against two camera files of one rig: they must start from one place of the patient in it.

    Args:
        first_name: what the first is called.
    """
    if (first.camera_from_patient is None) != (other.camera_from_patient is None):
        return Finding(
            "problem",
            f"has a start pose (camera_from_patient) only in one of {first_name} and this",
            "give camera_from_patient in all views of the rig or in none",
        )
    if other.camera_from_patient is None:
        return None
    distance, angle = relative_pose_error(first, other)
    if distance <= RIG_MM and angle <= RIG_DEG:
        return None
    return Finding(
        "problem",
        f"places the patient {distance:.1f} mm and {angle:.1f} degrees elsewhere in the rig than "
        f"{first_name}",
        "camera_from_patient must be camera_from_rig times one rig_from_patient in all views",
    )


def directions_fit(one: Camera, other: Camera, names: tuple[str, str]) -> Fit:
    """The angle between two beams; nearly along one line they leave the depth open."""
    axes = [camera.patient_from_camera[:3, 2] for camera in (one, other)]
    angle = float(np.degrees(np.arccos(np.clip(axes[0] @ axes[1], -1, 1))))
    findings = ()
    if min(angle, 180 - angle) < _ALIKE_DEG:
        text = f"the beams differ by {angle:.0f} degrees: depth along them stays uncertain"
        findings = (Finding("note", text),)
    return Fit(names, "directions", {"angle_between_beams_deg": round(angle, 1)}, findings)
