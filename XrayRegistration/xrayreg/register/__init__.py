"""Registration: from a start pose to the pose of each view."""

from .levels import Level
from .result import RegisteredView, Registration
from .rigid import DEFAULT_LEVELS, Progress, groups, refine, register_rigid, similarity_of
from .verdict import judge

__all__ = [
    "DEFAULT_LEVELS",
    "Level",
    "Progress",
    "RegisteredView",
    "Registration",
    "groups",
    "judge",
    "refine",
    "register_rigid",
    "similarity_of",
]
