"""`xrayreg train`: a pose network of one patient, from the CT alone."""

import argparse
from pathlib import Path

import torch

from ..learn import NetworkConfig, PoseRanges, PoseTask, new_pose_task, read_ranges
from .training import add_training_options, files_of, train_and_write, typical_view, volume_of

_MINUTES, _LEARNING_RATE = 15.0, 2e-3


def add_to(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "train",
        help="a network that gives registrations of this CT their start",
        description="Train a pose network on simulated X-rays of the CT, on the CPU or a CUDA device, or by "
        "torchrun on several. SIGTERM, Ctrl-C or a file N.stop beside N.pt end it with a checkpoint, from "
        "which --resume goes on.",
    )
    add_training_options(parser, _MINUTES, _LEARNING_RATE)
    parser.add_argument(
        "--geometry",
        type=Path,
        required=True,
        help="camera.json of a typical view: detector and source distance; its pose says nothing",
    )
    parser.add_argument("--ranges", type=Path, help="ranges.json: from where X-rays may be taken")
    parser.add_argument(
        "--pixels",
        type=int,
        default=NetworkConfig.pixels,
        help=f"the network sees so many squared (default {NetworkConfig.pixels}); more take longer to learn",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    inputs = [options.volume, options.geometry, *filter(None, [options.ranges])]
    files = files_of(options, inputs)
    camera = typical_view(options.geometry)
    config = NetworkConfig(pixels=options.pixels)
    ranges = read_ranges(options.ranges) if options.ranges else PoseRanges()
    volume = volume_of(options)

    def make(device: torch.device) -> PoseTask:
        return new_pose_task([volume], camera, ranges, config, seed=options.seed, device=device)

    return train_and_write(options, files, make, volume, camera)
