"""`xrayreg finetune`: a pose network that knows other patients, or this one before, learns this CT."""

import argparse
from pathlib import Path

import torch

from ..errors import InputError
from ..geometry import Camera, camera_from_json
from ..images import sha256
from ..learn import (
    NetworkConfig,
    PoseRanges,
    PoseTask,
    load_weights,
    new_pose_task,
    ranges_from_json,
    read_network,
    without_template,
)
from .training import add_training_options, files_of, train_and_write, volumes_of

_MINUTES, _LEARNING_RATE = 3.0, 5e-4


def add_to(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "finetune",
        help="a network of other patients learns this CT, in less time than train takes",
        description="Train a pose network further, on simulated X-rays of this CT, with the geometry and the "
        "ranges that it was trained for.",
    )
    parser.add_argument(
        "--from", dest="source", type=Path, required=True, help="the network to begin with; it is not changed"
    )
    add_training_options(parser, _MINUTES, _LEARNING_RATE)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    files = files_of(options, [*options.volume, options.source])
    weights, description = read_network(options.source)
    camera, ranges, config = _what_it_was_trained_for(description, options.source)
    facts = {"from": sha256(options.source)}
    volume, *others = volumes_of(options)
    if others:
        raise InputError("finetune is for one patient", where=options.source, remedy="give one --volume")
    weights = without_template(weights)

    def make(device: torch.device) -> PoseTask:
        task = new_pose_task(
            [volume],
            camera,
            ranges,
            config,
            seed=options.seed,
            device=device,
            clear_batches=0,
            facts=facts,
        )
        load_weights(task.module, weights, options.source)
        return task

    return train_and_write(options, files, make, volume, camera, {})


def _what_it_was_trained_for(description: dict, where: Path) -> tuple[Camera, PoseRanges, NetworkConfig]:
    try:
        config = NetworkConfig(**description["network"])
        camera = camera_from_json(description["geometry"], where).camera(where)
        return camera, ranges_from_json(description["ranges"], where), config
    except (KeyError, TypeError):
        what = "does not say what it was trained for"
        raise InputError(what, where=where, remedy="give a network of `xrayreg train`") from None
