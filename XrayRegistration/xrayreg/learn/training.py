"""The training of a network, whatever it learns: steps, checkpoints, stopping, going on."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from .checkpoints import Place, restore_checkpoint, write_checkpoint
from .distributed import ALONE, Crew
from .settings import TrainingSettings, learning_rate_at
from .steps import Stepper, Task
from .stopping import stop_requests
from .training_state import TrainingState, new_state


@dataclass(frozen=True)
class Progress:
    """Where training is after a step.

    Attributes:
        step, steps: how many are done, of how many.
        loss, terms: of this step's batch; of several processes, of the first one's share.
        rate: the learning rate.
        seconds: of training so far, in all runs.
        left_s: seconds until the last step, by the steps of this run.
    """

    step: int
    steps: int
    loss: float
    terms: dict[str, float]
    rate: float
    seconds: float
    left_s: float


@dataclass(frozen=True)
class TrainedResult:
    """What training ended with.

    Attributes:
        weights: the averaged weights; the task's module has them now, too.
        place: how far it came.
        stopped: why it ended before its last step; "" if it did not.
    """

    weights: dict[str, Tensor]
    place: Place
    stopped: str


def train(
    task: Task,
    settings: TrainingSettings,
    checkpoint: Path | None = None,
    report: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
    *,
    resume: bool = False,
    crew: Crew = ALONE,
) -> TrainedResult:
    """Train until the last step, or until asked to stop; on a CPU the same seed gives the same bits.

    SIGTERM, Ctrl-C, ``stop``, or a file beside the checkpoint that ends in .stop end it after the step,
    which the checkpoint then holds. Resumed, the steps that follow are those of a run that was not stopped.
    Minutes become a number of steps once, at the start: some steps are timed with a copy of the network.

    Args:
        checkpoint: written every ``checkpoint_every_s``, at a stop and at the end; not removed. All processes
            of a crew must see it.
        report: called after each step, in the first process.
        stop: asked in each step.
        resume: go on from the checkpoint.
        crew: the processes that share each batch.

    Raises:
        InputError: if loss or gradient is not finite: it names the step and the terms or weights, and the
            last checkpoint stays; for a checkpoint that training cannot go on from.
    """
    began = time.perf_counter()
    file = checkpoint.with_suffix(".stop") if checkpoint and crew.leads else None
    with torch.random.fork_rng(devices=[]), stop_requests(file, stop) as reason:
        state = new_state(task.module.train(), settings)
        place = restore_checkpoint(checkpoint, state, settings, task.description) if resume else Place()
        stepper = Stepper(task, settings, crew, reason)
        steps = place.steps or settings.steps or stepper.affordable_steps()

        def save(place: Place) -> None:
            if checkpoint and crew.leads:
                write_checkpoint(checkpoint, state, place, settings, task.description)

        began -= place.seconds
        place = _steps(
            stepper, state, replace(place, steps=steps), save, report if crew.leads else None, began
        )
        early = place.step < place.steps or not steps
        why = (reason() or "another process was asked to") if early else ""
    task.module.load_state_dict(state.average)
    return TrainedResult(state.average, place, why)


def _steps(
    stepper: Stepper,
    state: TrainingState,
    place: Place,
    save: Callable[[Place], None],
    report: Callable[[Progress], None] | None,
    began: float,
) -> Place:
    """The steps from a place on.

    Args:
        began: when training began, had it all been this run (`time.perf_counter`).
    """
    settings, network = stepper.settings, stepper.wrapped(state.module)
    first, started = place.step, time.perf_counter()
    saved = started
    for number in range(first, place.steps):
        rate = learning_rate_at(number, place.steps, settings)
        step = stepper.step(network, state, number, rate)
        now = time.perf_counter()
        place = replace(place, step=number + 1, seconds=now - began)
        if report:
            left_s = (now - started) / (place.step - first) * (place.steps - place.step)
            report(Progress(place.step, place.steps, step.loss, step.terms, rate, place.seconds, left_s))
        if step.stopping:
            break
        if now - saved >= settings.checkpoint_every_s:
            save(place)
            saved = time.perf_counter()
    save(place)
    stepper.crew.most(0.0)  # all wait until it is written
    return place
