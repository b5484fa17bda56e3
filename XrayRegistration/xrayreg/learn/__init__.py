"""Pose networks: where the X-ray was taken from, learned on DRRs of the patient's own CT."""

from .anatomy import Anatomy
from .attention import attention_map, attention_of
from .attention_check import (
    ATTENTION,
    Audit,
    Shares,
    anatomy_mask,
    attention_audit,
    attention_shares,
    attention_warning,
    dense_part,
    xray_shares,
)
from .distributed import ALONE, Crew, crew_of_environment
from .estimate import Estimate, TrainedNetwork, combined, field_image
from .looks import Looks
from .network import NetworkConfig, PoseNetwork
from .network_file import check_same_patient, read_network, volume_sha256, write_network
from .patient_task import new_pose_task
from .pose_network_file import pose_network, read_pose_network
from .pose_task import PoseTask
from .ranges import PoseRanges, ranges_from_json, read_ranges
from .rendered_losses import LossWeights
from .settings import TrainingSettings
from .simulation import Batch, Simulation, squared
from .starting import Estimator, NetworkStart, started_from_network
from .steps import Task
from .stopping import stop_requests
from .structures import structures_of
from .template import (
    Aligned,
    Template,
    fit_to_template,
    in_template_frame,
    moved,
    packed_template,
    template_of,
    unpacked_template,
    without_template,
)
from .tensor_files import load_weights
from .training import Progress, TrainedResult, train
from .variation import varied
from .worklist import LearnedRanges, ranges_from_folder
from .xvr_checkpoint import XvrNetwork, read_xvr_network
from .xvr_estimate import XvrEstimator

__all__ = [
    "ALONE",
    "ATTENTION",
    "Aligned",
    "Anatomy",
    "Audit",
    "Batch",
    "Crew",
    "Estimate",
    "Estimator",
    "LearnedRanges",
    "Looks",
    "LossWeights",
    "NetworkConfig",
    "NetworkStart",
    "PoseNetwork",
    "PoseRanges",
    "PoseTask",
    "Progress",
    "Shares",
    "Simulation",
    "Task",
    "Template",
    "TrainedNetwork",
    "TrainedResult",
    "TrainingSettings",
    "XvrEstimator",
    "XvrNetwork",
    "anatomy_mask",
    "attention_audit",
    "attention_map",
    "attention_of",
    "attention_shares",
    "attention_warning",
    "check_same_patient",
    "combined",
    "crew_of_environment",
    "dense_part",
    "field_image",
    "fit_to_template",
    "in_template_frame",
    "load_weights",
    "moved",
    "new_pose_task",
    "packed_template",
    "pose_network",
    "ranges_from_folder",
    "ranges_from_json",
    "read_network",
    "read_pose_network",
    "read_ranges",
    "read_xvr_network",
    "squared",
    "started_from_network",
    "stop_requests",
    "structures_of",
    "template_of",
    "train",
    "unpacked_template",
    "varied",
    "volume_sha256",
    "without_template",
    "write_network",
    "xray_shares",
]
