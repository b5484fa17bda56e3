"""Checkpoints: all that training needs to go on as if it had never been interrupted, in one file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import InputError
from .settings import TrainingSettings
from .tensor_files import read_tensors, write_tensors
from .training_state import TrainingState

SCHEMA_VERSION = 1
_KIND = "checkpoint"
_OF_NO_ACCOUNT = ("checkpoint_every_s",)  # a run may go on with another one


@dataclass(frozen=True)
class Place:
    """How far training has come.

    Attributes:
        step: how many are done.
        steps: how many there will be; 0 while they are not known (a budget of minutes, not yet timed).
        seconds: of training so far, in all runs.
    """

    step: int = 0
    steps: int = 0
    seconds: float = 0.0


def write_checkpoint(
    path: Path, state: TrainingState, place: Place, settings: TrainingSettings, task: dict
) -> None:
    """Write a checkpoint over the last one; at any moment there is the old one or the new one.

    Args:
        task: what JSON can hold and must be the same when training goes on.
    """
    description = {
        "schema_version": SCHEMA_VERSION,
        **asdict(place),
        "settings": asdict(settings),
        "task": task,
    }
    write_tensors(path, state.tensors(), _KIND, description)


def restore_checkpoint(path: Path, state: TrainingState, settings: TrainingSettings, task: dict) -> Place:
    """Bring a fresh state to where the checkpoint was written.

    Raises:
        InputError: if there is none, if it is damaged or foreign, or if it was written by training with other
            settings, for another task or another network.
    """
    tensors, description = read_tensors(path, _KIND)
    version = description.get("schema_version")
    if version != SCHEMA_VERSION:
        what = f"has schema_version {version}, this program reads {SCHEMA_VERSION}"
        raise InputError(what, where=path, remedy="train anew, without --resume")
    _check_same(description.get("settings"), asdict(settings), path, "settings")
    _check_same(description.get("task"), json.loads(json.dumps(task)), path, "task")  # tuples are lists there
    state.restore(tensors, path)
    place = Place(*(description.get(name) for name in ("step", "steps", "seconds")))
    numbers = isinstance(place.step, int) and isinstance(place.steps, int)
    if not numbers or not isinstance(place.seconds, (int, float)) or not 0 <= place.step <= place.steps:
        raise InputError("does not say how far training had come", where=path, remedy="train anew")
    return place


def _check_same(before: object, now: object, path: Path, name: str) -> None:
    """Raise InputError, naming the first entry that is not as it was when the checkpoint was written."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*now, *(key for key in before if key not in now)]:
            if key not in _OF_NO_ACCOUNT:
                _check_same(before.get(key), now.get(key), path, key)
    elif before != now:
        raise InputError(
            f"was written by training with {name} {before}, now it is {now}",
            where=path,
            remedy="resume with the same options, or train anew without --resume",
        )
