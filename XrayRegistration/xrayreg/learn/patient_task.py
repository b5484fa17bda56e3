"""From a CT and a typical view to what a pose network of this patient learns."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from ..geometry import Camera, camera_json
from ..images import LabelMap, Volume
from .anatomy import Anatomy
from .network import NetworkConfig, PoseNetwork
from .network_file import volume_sha256
from .pose_task import PoseTask
from .ranges import PoseRanges
from .rendered_losses import POSES_ONLY, LossWeights
from .simulation import Simulation
from .structures import structures_of


def new_pose_task(
    volumes: Sequence[Volume],
    camera: Camera,
    ranges: PoseRanges,
    config: NetworkConfig,
    *,
    seed: int = 0,
    device: str | torch.device = "cpu",
    clear_batches: int = 300,
    facts: dict | None = None,
    weights: LossWeights = POSES_ONLY,
    segmentation: LabelMap | None = None,
) -> PoseTask:
    """A new network and simulated X-rays of the CTs; the same seed gives the same ones.

    Args:
        volumes: one patient's CT, or several that were brought into the first one's frame.
        camera: a typical view; its pose says nothing.
        clear_batches: see `Simulation`; 0 for a network that knows degraded images already.
        facts: what else the description says.
        weights: of the losses of rendered images.
        segmentation: of a single CT, for the Dice loss.

    Raises:
        InputError: if a volume is empty; without MONAI; for a Dice loss without a segmentation.
    """
    columns = camera.size[0]
    depth_mm = sum(ranges.source_to_centre_mm) / 2
    voxel_mm = depth_mm * columns / camera.K[0, 0] / config.pixels  # what a pixel of the network sees
    anatomies = [Anatomy.of(volume, voxel_mm, device) for volume in volumes]
    anatomies = tuple(replace(each, centre=anatomies[0].centre) for each in anatomies)
    if segmentation is not None:
        structures = structures_of(segmentation, anatomies[0], 2 * voxel_mm)
        anatomies = (replace(anatomies[0], structures=structures), *anatomies[1:])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = PoseNetwork(config).to(device)
    facts = {
        "volumes": [volume_sha256(volume) for volume in volumes],
        "agnostic": len(volumes) > 1,
        "geometry": camera_json(camera),
        **(facts or {}),
    }
    simulation = Simulation(
        anatomies,
        camera,
        ranges,
        config.pixels,
        shapes=len(volumes) > 1,
        clear_batches=clear_batches,
        seed=seed,
    )
    return PoseTask(network, simulation, facts=facts, weights=weights)
