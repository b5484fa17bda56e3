"""Frames, cameras and rigid motions; no images."""

from .by_hand import (
    Offsets,
    depth_shift,
    motion_of,
    offsets_of,
    shift_by_drag,
    tilt_by_drag,
    turn_by_drag,
)
from .camera import Camera, intrinsics
from .camera_file import (
    CameraFile,
    camera_json,
    mayacam_text,
    read_camera_file,
    read_mayacam,
    relative_pose_error,
    write_camera_file,
)
from .frames import (
    LPS_FROM_RAS,
    CArm,
    carm_angles_deg,
    carm_from_camera,
    detector_from_image,
    flip_ras_lps,
    patient_from_detector,
    ras_from_lps,
)
from .looking import Eye, along_the_beam
from .parallel_camera import ParallelCamera
from .se3 import (
    about,
    adjoint,
    apply,
    exp_se3,
    inverse,
    is_rigid,
    log_se3,
    rotation_angle_deg,
    translation,
)
from .two_views import Triangulated, epipolar_segment, triangulate

__all__ = [
    "LPS_FROM_RAS",
    "CArm",
    "Camera",
    "CameraFile",
    "Eye",
    "Offsets",
    "ParallelCamera",
    "Triangulated",
    "about",
    "adjoint",
    "along_the_beam",
    "apply",
    "camera_json",
    "carm_angles_deg",
    "carm_from_camera",
    "depth_shift",
    "detector_from_image",
    "epipolar_segment",
    "exp_se3",
    "flip_ras_lps",
    "intrinsics",
    "inverse",
    "is_rigid",
    "log_se3",
    "mayacam_text",
    "motion_of",
    "offsets_of",
    "patient_from_detector",
    "ras_from_lps",
    "read_camera_file",
    "read_mayacam",
    "relative_pose_error",
    "rotation_angle_deg",
    "shift_by_drag",
    "tilt_by_drag",
    "translation",
    "triangulate",
    "turn_by_drag",
    "write_camera_file",
]
