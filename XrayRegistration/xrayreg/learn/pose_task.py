"""What a pose network learns: the pose of simulated X-rays, and how wrong it is about it."""

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .ahead import Ahead
from .network import PoseNetwork, Prediction
from .rendered_losses import POSES_ONLY, LossWeights, rendered_losses
from .simulation import CHUNK, Simulation

_DOUBT = 0.1  # weight of the errors' own likelihood beside the errors


class PoseTask:
    """A network and where its images come from; a `Task` of `train`.

    The loss is the geodesic distance of rotation plus those of place and depth, as the double geodesic loss
    of DiffPose (V. Gopalakrishnan et al., CVPR 2024, section 3.2), in the units of the normalised camera;
    and the likelihood of Laplace distributions of the predicted widths for the errors as they are (A. Kendall
    and Y. Gal, NeurIPS 2017, equation 8), whose gradient does not reach the pose. Losses of rendered images
    are added where `LossWeights` ask for them.

    Args:
        views: in a batch; rounded up to whole chunks.
        facts: what else its description says.
        weights: of the losses of rendered images.

    Raises:
        InputError: if network and simulation have images of different sizes; for a Dice loss without
            structures.
    """

    def __init__(
        self,
        module: PoseNetwork,
        simulation: Simulation,
        views: int = 64,
        facts: dict | None = None,
        weights: LossWeights = POSES_ONLY,
    ):
        if module.config.pixels != simulation.pixels:
            raise InputError(f"the network sees {module.config.pixels} pixels, not {simulation.pixels}")
        bare = [anatomy.name for anatomy in simulation.anatomies if not anatomy.structures]
        if weights.dice and bare:
            what = "the Dice loss needs a segmentation"
            raise InputError(what, where=bare[0], remedy="give one, or train without the Dice loss")
        self.module, self.simulation, self.facts, self.weights = module, simulation, facts or {}, weights
        self.chunks = -(-views // CHUNK)
        self.ahead = Ahead()

    @property
    def description(self) -> dict:
        simulation = self.simulation
        return {
            **self.facts,
            "network": self.module.config.as_json,
            "ranges": simulation.ranges.as_json,
            "views": self.chunks * CHUNK,
            "seed": simulation.seed,
            "centre": simulation.centre.tolist(),
            "loss_weights": self.weights.as_json,
            "structures": [list(anatomy.structures) for anatomy in simulation.anatomies],
        }

    def loss(
        self, module: torch.nn.Module, number: int, rank: int, world: int
    ) -> tuple[Tensor, dict[str, float]]:
        """See `Task`.

        Raises:
            InputError: if the processes cannot share the batch evenly.
        """
        if self.chunks % world:
            raise InputError(
                f"{world} processes cannot share a batch of {self.chunks * CHUNK} views",
                remedy=f"choose a batch that is a multiple of {CHUNK * world}",
            )
        share = self.chunks // world
        batch = self.ahead.batch(self.simulation, number, range(rank * share, (rank + 1) * share))
        device = next(module.parameters()).device
        images = batch.images.to(device, memory_format=torch.channels_last)
        prediction = Prediction.of(module(images))
        errors = prediction.errors(batch.codes.to(device))
        doubt = errors.detach() * torch.exp(-prediction.log_errors) + prediction.log_errors
        rotation, place, depth = errors.mean(dim=0)
        loss = rotation + place + depth + _DOUBT * doubt.mean()
        terms = {"rotation_deg": np.degrees(rotation.item()), "place": place.item(), "depth": depth.item()}
        if weights := self.weights.at(number):
            shown, more = rendered_losses(
                weights, self.weights.views, batch, prediction.codes, self.simulation
            )
            loss, terms = loss + shown, terms | more
        return loss, terms
