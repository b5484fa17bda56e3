"""Registration: from a start pose to the pose of each view."""

from .articulated import Articulated, RegisteredBody, confidence_in_bodies, joint_angle, register_bodies
from .bodies import TISSUE_HU, Body, Parts, body_labels, body_of, taken_apart
from .confidence import Confidence, confidence_in, doubted, least, not_of_a_ct
from .evidence import Evidence, gather
from .joint_problem import Posture
from .joint_uncertainty import BodyUncertainty, body_uncertainties
from .landmark_start import start_from_landmarks
from .landmarks import LandmarkPose, pose_from_landmarks, rig_pose_from_landmarks
from .levels import Level
from .links import Link, neighbours
from .polyrigid import JointProgress, refine_bodies
from .refine import DEFAULT_LEVELS, FAR, NEAR, Progress, refine
from .result import RegisteredView, Registration
from .rigid import RegisteredRig, groups, register_rigid, similarity_of
from .search import SearchRange, within_its_size
from .stages import STAGES, Stage
from .uncertainty import PointUncertainty, PoseUncertainty

__all__ = [
    "DEFAULT_LEVELS",
    "FAR",
    "NEAR",
    "STAGES",
    "TISSUE_HU",
    "Articulated",
    "Body",
    "BodyUncertainty",
    "Confidence",
    "Evidence",
    "JointProgress",
    "LandmarkPose",
    "Level",
    "Link",
    "Parts",
    "PointUncertainty",
    "PoseUncertainty",
    "Posture",
    "Progress",
    "RegisteredBody",
    "RegisteredRig",
    "RegisteredView",
    "Registration",
    "SearchRange",
    "Stage",
    "body_labels",
    "body_of",
    "body_uncertainties",
    "confidence_in",
    "confidence_in_bodies",
    "doubted",
    "gather",
    "groups",
    "joint_angle",
    "least",
    "neighbours",
    "not_of_a_ct",
    "pose_from_landmarks",
    "refine",
    "refine_bodies",
    "register_bodies",
    "register_rigid",
    "rig_pose_from_landmarks",
    "similarity_of",
    "start_from_landmarks",
    "taken_apart",
    "within_its_size",
]
