"""Pose networks: where the X-ray was taken from, learned on DRRs of the patient's own CT."""

from .anatomy import Anatomy
from .network import NetworkConfig, PoseNetwork
from .ranges import PoseRanges, ranges_from_json, read_ranges

__all__ = [
    "Anatomy",
    "NetworkConfig",
    "PoseNetwork",
    "PoseRanges",
    "ranges_from_json",
    "read_ranges",
]
