"""A task that trains in milliseconds: two layers that learn a fixed linear map of random points."""

import math
import time
from pathlib import Path

import torch
from torch import nn
from xrayreg.learn import TrainingSettings, train

BATCH = 8


class TinyTask:
    """Item k of batch n depends on (seed, n, k), and each of ``world`` processes takes its share.

    Args:
        spoiled: the number of a batch whose loss is not a number; "gradient" in ``how`` spoils only that.
    """

    def __init__(self, seed: int = 0, *, width=16, dropout=0.2, spoiled: int = -1, how: str = "loss"):
        generator = torch.Generator().manual_seed(seed)
        self.module = nn.Sequential(
            nn.Conv2d(1, width, 3),
            nn.GroupNorm(4, width),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(width * 4, 3),
        )
        for parameter in self.module.parameters():
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
        self.description = {"seed": seed, "width": width}
        self.seed, self.spoiled, self.how = seed, spoiled, how

    def items(self, number: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(1000 * self.seed + number)
        return torch.randn(BATCH, 1, 4, 4, generator=generator)

    def loss(self, module: nn.Module, number: int, rank: int, world: int):
        share = BATCH // world
        images = self.items(number)[rank * share : (rank + 1) * share]
        error = (module(images) - images.flatten(1)[:, :3]).square().mean()
        if number == self.spoiled:
            error = error * math.nan if self.how == "loss" else error + _steep(module)
        return error, {"error": error.item()}


def _steep(module: nn.Module) -> torch.Tensor:
    """Zero, with a gradient that is not finite."""
    return sum((0 * parameter).abs().sqrt().sum() for parameter in module.parameters())


def settings(steps: int = 40, **changed) -> TrainingSettings:
    return TrainingSettings(**{"steps": steps, "learning_rate": 0.01, "precision": "float32", **changed})


def weights_equal(some: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> bool:
    return some.keys() == others.keys() and all(torch.equal(some[name], others[name]) for name in some)


def slow_training(folder: Path, steps: int, pause_s: float) -> None:
    """Train with a checkpoint after each step and a pause after it: what the tests kill."""
    torch.set_num_threads(1)
    train(
        TinyTask(),
        settings(steps, checkpoint_every_s=0.0),
        folder / "net.checkpoint",
        report=lambda _: time.sleep(pause_s),
    )
