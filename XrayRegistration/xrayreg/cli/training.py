"""From a task to the network's file: what `train` and `finetune` have in common."""

import argparse
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..evaluate import QualityCard, quality_of
from ..geometry import Camera, read_camera_file
from ..images import Volume, read_volume
from ..learn import (
    ATTENTION,
    Audit,
    Crew,
    PoseTask,
    Progress,
    TrainedNetwork,
    TrainedResult,
    TrainingSettings,
    attention_audit,
    crew_of_environment,
    pose_network,
    stop_requests,
    train,
    write_network,
)
from ..results import refuse_input, software_json, whole_or_nothing, write_card
from .files import say
from .guards import finite
from .options import voxel_mm
from .progress import KINDS, Teller, teller, tensorboard

CANCELLED = 130
_CARD_VIEWS = 40
_VOLUMES = (".nii", ".nii.gz", ".nrrd", ".mha", ".mhd")


def add_training_options(parser: argparse.ArgumentParser, minutes: float, learning_rate: float) -> None:
    """Args: ``minutes`` and ``learning_rate`` are what is taken where the options say nothing."""
    parser.add_argument(
        "--volume",
        type=Path,
        action="append",
        required=True,
        help="CT in HU: DICOM folder, NIfTI, NRRD, MHA or TIFF stack; for a network of several patients "
        "repeat it, or give a folder of such files and folders",
    )
    parser.add_argument("--voxel-mm", help="voxel size x,y,z of a TIFF stack, mm")
    parser.add_argument("--series", help="which series of a DICOM folder that holds several, as in register")
    parser.add_argument("--out", type=Path, required=True, help="file of the network, of any ending (N.pt)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--minutes",
        type=finite,
        help=f"how long to train (default {minutes:g}); the first steps are timed, and the number of steps "
        "follows",
    )
    length.add_argument("--steps", type=int, help="how many steps to train, in place of minutes")
    parser.add_argument(
        "--seed", type=int, default=0, help="the same seed gives the same network (default 0)"
    )
    parser.add_argument(
        "--learning-rate",
        type=finite,
        default=learning_rate,
        help=f"the highest, after the first steps (default {learning_rate:g})",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from N.checkpoint, which a training of N.pt leaves that was stopped or broke off; with "
        "the same other options",
    )
    parser.add_argument(
        "--progress", choices=KINDS, default="bar", help="for people (bar), or a JSON object a line (json)"
    )
    parser.add_argument("--tensorboard", type=Path, help="folder of logs for TensorBoard")
    parser.add_argument(
        "--card-views",
        type=int,
        default=_CARD_VIEWS,
        help=f"X-rays of the quality card (default {_CARD_VIEWS}, some seconds each; 0 for no card)",
    )
    parser.set_defaults(default_minutes=minutes)


@dataclass(frozen=True)
class Files:
    """What training writes.

    Attributes:
        network: N.pt.
    """

    network: Path

    @property
    def checkpoint(self) -> Path:
        """While it trains, and after it was stopped."""
        return self.network.with_suffix(".checkpoint")

    @property
    def stop(self) -> Path:
        """Others write it, to stop the training."""
        return self.network.with_suffix(".stop")

    @property
    def card(self) -> Path:
        return self.network.with_suffix(".card.json")


def settings_of(options: argparse.Namespace) -> TrainingSettings:
    """Raises InputError for numbers that mean nothing."""
    minutes = (
        options.default_minutes if options.minutes is None and options.steps is None else options.minutes
    )
    return TrainingSettings(options.steps, minutes, options.seed, options.learning_rate)


def files_of(options: argparse.Namespace, inputs: list[Path]) -> Files:
    """Where the results go.

    Raises:
        InputError: if that cannot be, if a stopped training would be overwritten or none is there to resume.
        OSError: if the folder cannot be written; it is said before the work, not after it.
    """
    if options.out.is_dir():
        raise InputError("is a folder, not a file", where=options.out, remedy="choose another file (--out)")
    files = Files(options.out)
    if files.network in (files.checkpoint, files.stop):
        raise InputError("is the name of a checkpoint or stop file", where=options.out, remedy="use N.pt")
    refuse_input(options.out, inputs)
    folder = options.out.absolute().parent
    if not folder.is_dir():
        raise InputError("its folder does not exist", where=options.out, remedy="make it, or choose another")
    there = files.checkpoint.exists()
    if options.resume and not there:
        what = "there is no such checkpoint to resume from"
        raise InputError(what, where=files.checkpoint, remedy="leave out --resume")
    if there and not options.resume:
        what = "a training of this network was not finished"
        raise InputError(what, where=files.checkpoint, remedy="add --resume to go on, or remove the file")
    with tempfile.TemporaryFile(dir=folder):
        return files


def volumes_of(options: argparse.Namespace) -> list[Volume]:
    """Each --volume, and on the way what is odd about it."""
    paths = [each for path in options.volume for each in _volumes_in(path)]
    volumes = [read_volume(path, voxel_mm(options), options.series) for path in paths]
    for volume in volumes:
        for note in volume.notes:
            say(f"{volume.name}: {note}")
    return volumes


def _volumes_in(path: Path) -> list[Path]:
    """The volumes of a folder of several, by name; else the path itself, as a DICOM folder is one volume."""
    if not path.is_dir():
        return [path]
    inside = [each for each in path.iterdir() if each.is_dir() or each.name.lower().endswith(_VOLUMES)]
    return sorted(inside) or [path]


def typical_view(path: Path) -> Camera:
    """--geometry: a camera file, whose pose says nothing and may be missing."""
    file = read_camera_file(path, isocenter=np.zeros(3))
    return Camera(file.size, file.K, np.eye(4), file.source_to_detector_mm)


def train_and_write(
    options: argparse.Namespace,
    files: Files,
    make: Callable[[torch.device], PoseTask],
    volume: Volume,
    camera: Camera,
    tensors: dict[str, torch.Tensor],
) -> int:
    """Train, write the network and its quality card, and return the exit code.

    Args:
        make: the task, on a device.
        volume, camera: what the card's X-rays are made with.
        tensors: what the file holds beside the weights.

    Raises:
        InputError: as `train`; the last checkpoint is kept.
    """
    settings = settings_of(options)
    with _crew() as crew:
        task = make(crew.device)
        tell = teller(options.progress) if crew.leads else None
        with tensorboard(options.tensorboard if crew.leads else None) as log:

            def report(progress: Progress) -> None:
                tell.step(progress)
                log(progress)

            result = train(task, settings, files.checkpoint, report, resume=options.resume, crew=crew)
    if tell is None:
        return CANCELLED if result.stopped else 0
    if result.stopped:
        tell.stopped(result.stopped, files.checkpoint)
        return CANCELLED
    audit = _audit(task)
    description = {**_description(task, settings, result, crew), ATTENTION: audit.as_json}
    network = pose_network(result.weights, description, files.network, crew.device)
    card = None
    if options.card_views:
        with stop_requests(files.stop, None) as reason:
            card = _card(network, volume, camera, options, tell, reason)
            if why := reason():
                tell.stopped(why, files.checkpoint)
                return CANCELLED
    with whole_or_nothing(files.network.parent) as staging:
        write_network(staging / files.network.name, {**result.weights, **tensors}, description)
        if card is not None:
            write_card(staging / files.network.name, card.as_json, card.images)
    files.checkpoint.unlink(missing_ok=True)
    files.stop.unlink(missing_ok=True)
    tell.done(files.network, None if card is None else files.card)
    judged = "" if card is None else f"; {card.in_words}"
    minutes = result.place.seconds / 60
    print(f"{files.network}: trained in {result.place.steps} steps, {minutes:.1f} minutes{judged}")
    return 0


def _card(
    network: TrainedNetwork,
    volume: Volume,
    camera: Camera,
    options: argparse.Namespace,
    tell: Teller,
    reason: Callable[[], str],
) -> QualityCard | None:
    notices = [network.description[ATTENTION]["warning"]]
    volumes = network.description["volumes"]
    if len(volumes) > 1:
        notices.append(f"trained on {len(volumes)} patients, judged on the first one, whose CT it has seen")
    training = {**network.description["training"], "volumes": volumes}
    card = quality_of(
        network,
        volume,
        camera,
        views=options.card_views,
        seed=options.seed,
        training=training,
        progress=tell.card,
        stop=lambda: bool(reason()),
    )
    if card is None:
        return None
    return replace(card, notices=(*card.notices, *filter(None, notices)))


def _audit(task: PoseTask) -> Audit:
    """Of the trained network's attention, on images that it did not learn from."""
    fresh = replace(task.simulation, seed=task.simulation.seed + 1, clear_batches=0)
    return attention_audit(task.module.eval(), (fresh.batch(number, range(task.chunks)) for number in (0, 1)))


def _crew() -> AbstractContextManager[Crew]:
    return crew_of_environment(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def _description(task: PoseTask, settings: TrainingSettings, result: TrainedResult, crew: Crew) -> dict:
    """Of the network's file: what it is for, and how it came about."""
    training = {
        "steps": result.place.steps,
        "seconds": round(result.place.seconds, 1),
        "processes": crew.world,
        "settings": asdict(settings),
    }
    return {**task.description, "training": training, "software": software_json(crew.device.type)}
