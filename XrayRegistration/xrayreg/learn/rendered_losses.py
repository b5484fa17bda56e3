"""Losses of poses by what they show: DRRs and structures at predicted poses and at true ones."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch

from ..errors import InputError
from ..geometry import Camera, is_rigid
from ..render import Density, render
from .codes import Fields, decode
from .image_losses import dice_loss, ncc_loss
from .simulation import CHUNK, Batch, Simulation

_BINNING = 2  # the network's pixels, to a side, of one of these images


@dataclass(frozen=True)
class LossWeights:
    """How much of the losses of rendered images is added to those of the poses.

    None unless asked for: in equal time, batches with them teach no more than the further ones without.

    Attributes:
        image: of `ncc_loss` of DRRs.
        dice: of `dice_loss` of structures; the anatomies must have some.
        after_batches: they come in after so many; an image's gradient means something only near the truth.
        views: so many of each `CHUNK` are rendered.

    Raises:
        InputError: for numbers that mean nothing.
    """

    image: float = 0.0
    dice: float = 0.0
    after_batches: int = 600
    views: int = 8

    def __post_init__(self):
        for name in ("image", "dice"):
            if not 0 <= getattr(self, name) < math.inf:
                what = f"the weight of the {name} loss is {getattr(self, name)}"
                raise InputError(what, remedy="give 0 or a positive number")
        if self.after_batches < 0 or not 1 <= self.views <= CHUNK:
            what = f"{self.views} views after {self.after_batches} batches cannot be rendered"
            raise InputError(what, remedy=f"render 1 to {CHUNK} views, after 0 batches or more")

    @property
    def as_json(self) -> dict:
        return asdict(self)

    def at(self, number: int) -> dict[str, float]:
        """The weights in batch ``number``, by the name of the loss; none that is 0."""
        weights = {"image": self.image, "dice": self.dice}
        return {name: weight for name, weight in weights.items() if weight and number >= self.after_batches}


POSES_ONLY = LossWeights()


def rendered_losses(
    weights: dict[str, float], views: int, batch: Batch, codes: torch.Tensor, simulation: Simulation
) -> tuple[torch.Tensor, dict[str, float]]:
    """The weighted sum of the losses by images, and each of them; all NaN if a code says no pose.

    Means over the first views of each chunk; the image loss as in DiffPose (V. Gopalakrishnan et al.,
    CVPR 2024, section 3.2), the other one as the segmentation's in xvr.

    Args:
        weights: see `LossWeights.at`.
        views: of each chunk.
        codes: (B, 9) predicted; gradients reach them.
        simulation: where the batch comes from.
    """
    chosen = [view for view in range(len(codes)) if view % CHUNK < views]
    cameras = [batch.cameras[view].binned(_BINNING) for view in chosen]
    fields = Fields(batch.fields.middle[chosen], batch.fields.half[chosen])
    middle = torch.as_tensor(simulation.ranges.middle)
    poses = decode(codes[chosen].cpu().double(), simulation.centre, middle, fields)
    if not is_rigid(poses.detach().numpy(), 1e-3):  # training then stops, in all processes alike
        return codes.sum() * math.nan, dict.fromkeys(weights, math.nan)
    truth = batch.poses[chosen]
    losses = {}
    if "image" in weights:
        losses["image"] = _compared(ncc_loss, _drr, batch.anatomy.coarse, cameras, poses, truth)
    if "dice" in weights:
        structures = batch.anatomy.structures.values()
        each = [_compared(dice_loss, _shadow, part, cameras, poses, truth) for part in structures]
        losses["dice"] = sum(each) / len(each)
    total = sum(weights[name] * loss for name, loss in losses.items())
    return total.to(codes), {name: loss.item() for name, loss in losses.items()}


def _compared(
    loss: Callable, shown: Callable, density: Density, cameras: list[Camera], poses: torch.Tensor,
    truth: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    with torch.no_grad():
        fixed = shown(density, cameras, truth)
    return loss(shown(density, cameras, poses), fixed).mean()


def _drr(density: Density, cameras: list[Camera], poses: torch.Tensor) -> torch.Tensor:
    return render(density, cameras, camera_from_patient=poses)


def _shadow(structure: Density, cameras: list[Camera], poses: torch.Tensor) -> torch.Tensor:
    """Soft masks: 0 beside the structure, towards 1 where it is thick."""
    return -torch.expm1(-_drr(structure, cameras, poses))
