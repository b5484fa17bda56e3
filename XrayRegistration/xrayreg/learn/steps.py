"""One step of training: a batch's loss and gradient, and what follows from them for the weights."""

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import InputError
from .distributed import Crew
from .settings import TrainingSettings
from .training_state import TrainingState, new_state

_UNTIMED, _TIMED = 3, 20  # steps: the first ones compile and fill caches, and do not count
_TRIAL_SHARE = 0.05  # of the minutes; slow steps are timed less often
_TYPICAL = 10**6  # number of a batch like most: a task may begin with easier ones


class Task(Protocol):
    """What is learned.

    Attributes:
        module: the network, on its device.
        description: what JSON can hold and must be the same when training goes on from a checkpoint.
    """

    module: nn.Module
    description: dict

    def loss(self, module: nn.Module, number: int, rank: int, world: int) -> tuple[Tensor, dict[str, float]]:
        """The loss of this process's share of batch ``number``, the mean over its items, and its terms.

        It depends on nothing but the weights and the arguments. ``module`` is to be called, not
        `self.module`: it is the same network in the wraps of its precision and of several processes.
        """


@dataclass(frozen=True)
class Step:
    """A step that was taken.

    Attributes:
        loss, terms: of this process's share of the batch.
        stopping: whether a process was asked to stop; all know it after the same step.
    """

    loss: float
    terms: dict[str, float]
    stopping: bool


@dataclass(frozen=True)
class Stepper:
    """Takes steps.

    Attributes:
        reason: why to stop, "" as long as there is no reason.
    """

    task: Task
    settings: TrainingSettings
    crew: Crew
    reason: Callable[[], str]

    def wrapped(self, module: nn.Module) -> nn.Module:
        """For the task to call: in the settings' precision, and with the gradients of all processes."""
        kind = next(module.parameters()).device.type
        precision = self.settings.precision or ("bfloat16" if kind == "cuda" else "float32")
        return self.crew.joined(module if precision == "float32" else _InBfloat16(module, kind))

    def step(self, network: nn.Module, state: TrainingState, number: int, rate: float) -> Step:
        """Learn from batch ``number``.

        Args:
            network: the state's module, wrapped.

        Raises:
            InputError: if loss or gradient is not finite, in all processes; the weights are as before then.
        """
        entropy = (self.settings.seed, number, self.crew.rank)
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1)[0]))
        state.optimiser.zero_grad(set_to_none=True)
        loss, terms = self.task.loss(network, number, self.crew.rank, self.crew.world)
        value = loss.item()
        failed, stopping = self.crew.most(not math.isfinite(value), bool(self.reason()))
        if failed:
            odd = {"loss": value, **terms}
            raise _not_finite("loss", number, [f"{k} {v:g}" for k, v in odd.items() if not math.isfinite(v)])
        loss.backward()
        weights = [(name, each) for name, each in state.module.named_parameters() if each.grad is not None]
        norm = nn.utils.clip_grad_norm_([each for _, each in weights], self.settings.clip_norm)
        if not math.isfinite(norm.item()):
            odd = [name for name, each in weights if not torch.isfinite(each.grad).all()]
            raise _not_finite("gradient", number, odd)
        state.update(rate, number, self.settings)
        return Step(value, terms, bool(stopping))

    def affordable_steps(self) -> int:
        """How many steps the minutes allow, by some that are taken with a copy of the network.

        0 if asked to stop meanwhile.
        """
        budget_s, seconds = 60 * self.settings.minutes, []
        state = new_state(copy.deepcopy(self.task.module), self.settings)
        network = self.wrapped(state.module)
        for number in range(_UNTIMED + _TIMED):
            began = time.perf_counter()
            if self.step(network, state, _TYPICAL + number, rate=0.0).stopping:
                return 0
            if number >= _UNTIMED:
                seconds += self.crew.most(time.perf_counter() - began)
            if sum(seconds) > _TRIAL_SHARE * budget_s:
                break
        # The median: another program's burst on this machine is not how every step will be.
        return max(1, int((budget_s - sum(seconds)) / np.median(seconds)))


class _InBfloat16(nn.Module):
    """The network's own layers in bfloat16; what comes out, and all that the task makes of it, in float32."""

    def __init__(self, module: nn.Module, kind: str):
        super().__init__()
        self.module, self.kind = module, kind

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        with torch.autocast(self.kind, torch.bfloat16):
            outputs = self.module(*inputs)
        return outputs.float() if isinstance(outputs, Tensor) else tuple(each.float() for each in outputs)


def _not_finite(what: str, number: int, odd: list[str]) -> InputError:
    where = f" ({', '.join(odd[:4])}{', ...' if len(odd) > 4 else ''})" if odd else " in another process"
    return InputError(
        f"the {what} of step {number + 1} is not finite{where}",
        remedy="train anew with a lower learning rate; a checkpoint of an earlier step is kept",
    )
