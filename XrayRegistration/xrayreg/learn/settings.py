"""How a network is trained, and the learning rate at each step."""

import math
from dataclasses import dataclass

from ..errors import InputError

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained.

    Attributes:
        steps: how many batches; None where ``minutes`` says it.
        minutes: how long the steps may take: some are timed, and their number follows. What is compiled at
            the first use comes on top.
        seed: of batches and of whatever in the network is random.
        learning_rate: the highest.
        warmup_share: of the steps, in which the rate rises from nothing.
        final_share: the last rate as a share of the highest.
        weight_decay: of matrices and kernels; biases and scales are left alone.
        clip_norm: longer gradients are shortened to this norm.
        average_decay: of the exponential moving average of the weights, which is what training returns.
        checkpoint_every_s: seconds between checkpoints.
        precision: of `PRECISIONS`, in which the network runs; None is bfloat16 on CUDA, elsewhere float32.
    """

    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    learning_rate: float = 1e-3
    warmup_share: float = 0.05
    final_share: float = 0.01
    weight_decay: float = 1e-2
    clip_norm: float = 1.0
    average_decay: float = 0.999
    checkpoint_every_s: float = 60.0
    precision: str | None = None

    def __post_init__(self):
        if (self.steps is None) == (self.minutes is None):
            raise InputError("training takes a number of steps or of minutes", remedy="give one of them")
        allowed = {
            "steps": self.steps is None or self.steps >= 1,
            "minutes": self.minutes is None or 0 < self.minutes < math.inf,
            "seed": 0 <= self.seed < 2**63,
            "learning_rate": 0 < self.learning_rate < math.inf,
            "warmup_share": 0 <= self.warmup_share < 1,
            "final_share": 0 <= self.final_share <= 1,
            "weight_decay": 0 <= self.weight_decay < math.inf,
            "clip_norm": 0 < self.clip_norm < math.inf,
            "average_decay": 0 <= self.average_decay < 1,
            "checkpoint_every_s": 0 <= self.checkpoint_every_s < math.inf,
            "precision": self.precision in (None, *PRECISIONS),
        }
        for name, fine in allowed.items():
            if not fine:
                raise InputError(f"{name} of training cannot be {getattr(self, name)}")


def learning_rate_at(step: int, steps: int, settings: TrainingSettings) -> float:
    """The rate of a step, counted from 0: a straight rise, then half a cosine down to the final share.

    Loshchilov and Hutter, SGDR, ICLR 2017, without restarts; the rise as in Goyal et al., arXiv 1706.02677.
    """
    rise = round(settings.warmup_share * steps)
    if step < rise:
        return settings.learning_rate * (step + 1) / rise
    way = (step - rise) / max(1, steps - 1 - rise)
    low = settings.final_share
    return settings.learning_rate * (low + (1 - low) * (1 + math.cos(math.pi * way)) / 2)
