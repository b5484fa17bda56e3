"""Every conversion between RAS, LPS, the camera frame and DICOM's C-arm angles.

Tested with numbers worked out by hand in Testing/unit/test_frames.py.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .camera import Camera, intrinsics
from .se3 import inverse, translation

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""(4, 4): Slicer's RAS and DICOM's LPS differ by a half turn about z; its own inverse."""

# DICOM angles all 0: the detector is in front of the chest and the source behind the back. Columns
# of the matrix are the camera axes in patient LPS: x to the patient's right, y to the feet, z to
# anterior. This is the image as the source sees it; seen from the detector it is mirrored.
_PATIENT_FROM_CAMERA_AT_ZERO = np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, -1.0, 0.0]])


def ras_from_lps(a_from_b_lps: np.ndarray) -> np.ndarray:
    """A transform (4, 4) between LPS frames, rewritten between the RAS frames (or the reverse)."""
    return LPS_FROM_RAS @ a_from_b_lps @ LPS_FROM_RAS


def flip_ras_lps(points: np.ndarray) -> np.ndarray:
    """Points or directions (..., 3) from RAS to LPS; the same function leads back."""
    return np.asarray(points, dtype=float) * [-1.0, -1.0, 1.0]


def patient_from_detector(camera: Camera) -> np.ndarray:
    """(4, 4) pose of the detector: axes of the camera, origin where the central ray meets it."""
    shift = translation([0, 0, camera.require_source_to_detector()])
    return camera.patient_from_camera @ shift


def detector_from_image(camera: Camera) -> np.ndarray:
    """(4, 4) affine from (column, row, slice) to the detector frame, mm; the slice axis is 1 mm.

    Raises:
        InputError: for a skewed K, whose pixels are no rectangles.
    """
    if not np.isclose(camera.K[0, 1], 0):
        raise InputError("K has a skew; an image with slanted pixels cannot be placed in a scene")
    column_mm, row_mm = camera.pixel_spacing_mm
    affine = np.diag([column_mm, row_mm, 1.0, 1.0])
    affine[:2, 3] = -camera.K[0, 2] * column_mm, -camera.K[1, 2] * row_mm
    return affine


@dataclass(frozen=True)
class CArm:
    """An isocentric C-arm by DICOM's conventions (PS3.3 C.8.7.5, angles relative to the patient).

    Attributes:
        source_to_detector_mm, source_to_isocenter_mm: along the central ray.
        primary_deg: position of the detector about the patient, LAO (patient's left) positive.
        secondary_deg: towards the head (cranial) positive.
        tertiary_deg: turn of the detector about the central ray (camera +z, right-handed).
        isocenter: (3,) patient, mm.
    """

    source_to_detector_mm: float
    source_to_isocenter_mm: float
    primary_deg: float
    secondary_deg: float
    tertiary_deg: float = 0.0
    isocenter: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def __post_init__(self):
        if not 0 < self.source_to_isocenter_mm < self.source_to_detector_mm:
            raise InputError(
                f"source-to-isocenter distance {self.source_to_isocenter_mm:g} mm must lie between 0 and "
                f"the source-to-detector distance {self.source_to_detector_mm:g} mm"
            )

    @property
    def camera_from_patient(self) -> np.ndarray:
        """(4, 4). patient_from_camera = Rz(primary) Rx(-secondary) . (axes at zero) . Rz(tertiary)."""
        rotation = carm_rotation(self.primary_deg, self.secondary_deg, self.tertiary_deg)
        patient_from_camera = np.eye(4)
        patient_from_camera[:3, :3] = rotation
        patient_from_camera[:3, 3] = np.asarray(self.isocenter) - rotation[:, 2] * self.source_to_isocenter_mm
        return inverse(patient_from_camera)

    def camera(
        self,
        size: tuple[int, int],
        pixel_spacing_mm: tuple[float, float],
        principal_point: tuple[float, float] | None = None,
    ) -> Camera:
        """The camera with (columns, rows) and (column, row) spacing; principal point: image centre."""
        centre = principal_point or ((size[0] - 1) / 2, (size[1] - 1) / 2)
        K = intrinsics(self.source_to_detector_mm, pixel_spacing_mm, centre)
        return Camera(size, K, self.camera_from_patient, self.source_to_detector_mm)


def carm_angles_deg(camera: Camera) -> tuple[float, float, float]:
    """Primary, secondary and tertiary angle of a camera as in `CArm`, any pose.

    The secondary angle is taken in [-90, 90] degrees, as C-arms report it.
    """
    return carm_angles_of(camera.patient_from_camera[:3, :3])


def carm_rotation(primary_deg: float, secondary_deg: float, tertiary_deg: float = 0.0) -> np.ndarray:
    """(3, 3): Rz(primary) Rx(-secondary) . (axes at zero) . Rz(tertiary), patient from camera."""
    beam = axis_rotation(2, primary_deg) @ axis_rotation(0, -secondary_deg)
    return beam @ _PATIENT_FROM_CAMERA_AT_ZERO @ axis_rotation(2, tertiary_deg)


def carm_angles_of(rotation: np.ndarray) -> tuple[float, float, float]:
    """Primary, secondary and tertiary angle of a rotation (3, 3), patient from camera."""
    axis = rotation[:, 2]  # (sin(p) cos(s), -cos(p) cos(s), sin(s))
    primary = np.degrees(np.arctan2(axis[0], -axis[1]))
    secondary = np.degrees(np.arctan2(axis[2], np.hypot(axis[0], axis[1])))
    return float(primary), float(secondary), twist_deg(carm_rotation(primary, secondary), rotation)


def twist_deg(untwisted: np.ndarray, rotation: np.ndarray) -> float:
    """By how much the second camera (3, 3), patient from camera, is turned about its z against the first."""
    twist = untwisted.T @ rotation
    return float(np.degrees(np.arctan2(twist[1, 0], twist[0, 0])))


def carm_from_camera(camera: Camera, source_to_isocenter_mm: float) -> CArm:
    """The C-arm parameters of a camera: the inverse of `CArm.camera`, any pose."""
    isocenter = camera.source_patient + camera.patient_from_camera[:3, 2] * source_to_isocenter_mm
    return CArm(
        camera.require_source_to_detector(),
        source_to_isocenter_mm,
        *carm_angles_deg(camera),
        tuple(float(x) for x in isocenter),
    )


def axis_rotation(axis: int, degrees: float) -> np.ndarray:
    """Right-handed rotation (3, 3) about coordinate axis 0, 1 or 2."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.eye(3)
    rotation[[i, i, j, j], [i, j, i, j]] = c, -s, s, c
    return rotation
