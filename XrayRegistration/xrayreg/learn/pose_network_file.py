"""Pose networks in files: written after training, read for a patient."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..images import Volume
from .estimate import TrainedNetwork
from .network import NetworkConfig, PoseNetwork
from .network_file import check_same_patient, read_network
from .ranges import ranges_from_json
from .template import fit_to_template, unpacked_template, without_template
from .tensor_files import load_weights


def read_pose_network(
    path: Path, volume: Volume, *, other_patient: bool = False, device: str | torch.device = "cpu"
) -> TrainedNetwork:
    """A network for a patient.

    Args:
        volume: the patient's CT.
        other_patient: whether a network of another CT is meant.

    Raises:
        InputError: names the file; as `read_network`, `check_same_patient`, and for what does not fit; for a
            CT that does not show what an agnostic network's template shows.
    """
    weights, description = read_network(path)
    check_same_patient(description, volume, path, allowed=other_patient)
    network = pose_network(weights, description, path, device)
    if not description.get("agnostic"):
        return network
    template = unpacked_template(weights, description.get("template"), path)
    fit = fit_to_template(volume, template)
    return replace(network, network_from_patient=fit.template_from_patient)


def pose_network(
    weights: dict[str, torch.Tensor], description: dict, where: object, device: str | torch.device = "cpu"
) -> TrainedNetwork:
    """A network from its weights and its description, see `PoseTask.description`.

    Raises:
        InputError: for a description that is not of a pose network, or weights that do not fit it.
    """
    try:
        config = NetworkConfig(**description["network"])
        centre = np.array(description["centre"], dtype=float).reshape(3)
        ranges = description["ranges"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"its description is not of a pose network ({error})", where=where) from None
    module = PoseNetwork(config)
    load_weights(module, without_template(weights), where)
    module.eval().to(device, memory_format=torch.channels_last)
    return TrainedNetwork(module, ranges_from_json(ranges, where), centre, description)
