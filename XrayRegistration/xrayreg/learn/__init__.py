"""Pose networks: where the X-ray was taken from, learned on DRRs of the patient's own CT."""

from .anatomy import Anatomy
from .estimate import Estimate, TrainedNetwork, estimated
from .looks import Looks
from .network import NetworkConfig, PoseNetwork
from .pose_task import PoseTask
from .ranges import PoseRanges, ranges_from_json, read_ranges
from .settings import TrainingSettings
from .simulation import Batch, Simulation
from .starting import NetworkStart, started_from_network
from .training import Progress, TrainedResult, train

__all__ = [
    "Anatomy",
    "Batch",
    "Estimate",
    "Looks",
    "NetworkConfig",
    "NetworkStart",
    "PoseNetwork",
    "PoseRanges",
    "PoseTask",
    "Progress",
    "Simulation",
    "TrainedNetwork",
    "TrainedResult",
    "TrainingSettings",
    "estimated",
    "ranges_from_json",
    "read_ranges",
    "started_from_network",
    "train",
]
