"""Registration: from a start pose to the pose of each view."""

from .confidence import Confidence, confidence_in, doubted, least, not_of_a_ct
from .evidence import Evidence, gather
from .landmark_start import start_from_landmarks
from .landmarks import LandmarkPose, pose_from_landmarks, rig_pose_from_landmarks
from .levels import Level
from .refine import DEFAULT_LEVELS, FAR, NEAR, Progress, refine
from .result import RegisteredView, Registration
from .rigid import RegisteredRig, groups, register_rigid, similarity_of
from .search import SearchRange, within_its_size
from .uncertainty import PoseUncertainty

__all__ = [
    "DEFAULT_LEVELS",
    "FAR",
    "NEAR",
    "Confidence",
    "Evidence",
    "LandmarkPose",
    "Level",
    "PoseUncertainty",
    "Progress",
    "RegisteredRig",
    "RegisteredView",
    "Registration",
    "SearchRange",
    "confidence_in",
    "doubted",
    "gather",
    "groups",
    "least",
    "not_of_a_ct",
    "pose_from_landmarks",
    "refine",
    "register_rigid",
    "rig_pose_from_landmarks",
    "similarity_of",
    "start_from_landmarks",
    "within_its_size",
]
