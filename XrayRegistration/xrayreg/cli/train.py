"""`xrayreg train`: a pose network of one patient, from the CT alone, or of several."""

import argparse
from pathlib import Path

import torch

from ..errors import InputError
from ..geometry import Camera
from ..learn import (
    NetworkConfig,
    PoseRanges,
    PoseTask,
    new_pose_task,
    ranges_from_folder,
    ranges_from_json,
    read_ranges,
)
from .files import say
from .losses import add_loss_options, losses_of
from .patients import in_one_frame
from .training import add_training_options, files_of, train_and_write, typical_view, volumes_of

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
        "--ranges-from",
        type=Path,
        help="folder of earlier DICOM X-rays, whose angles and distances give the ranges",
    )
    parser.add_argument(
        "--pixels",
        type=int,
        default=NetworkConfig.pixels,
        help=f"the network sees so many squared (default {NetworkConfig.pixels}); more take longer to learn",
    )
    add_loss_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    inputs = [*options.volume, options.geometry, *filter(None, [options.ranges, options.segmentation])]
    files = files_of(options, inputs)
    camera = typical_view(options.geometry)
    config = NetworkConfig(pixels=options.pixels)
    ranges = _ranges(options, camera)
    volumes = volumes_of(options)
    patients = in_one_frame(volumes)

    weights, segmentation = losses_of(options, volumes)

    def make(device: torch.device) -> PoseTask:
        return new_pose_task(
            patients.volumes,
            camera,
            ranges,
            config,
            seed=options.seed,
            device=device,
            weights=weights,
            segmentation=segmentation,
            facts=patients.facts,
        )

    return train_and_write(options, files, make, volumes[0], camera, patients.tensors)


def _ranges(options: argparse.Namespace, camera: Camera) -> PoseRanges:
    """--ranges, or what --ranges-from finds, or the usual ones.

    Raises:
        InputError: if both are given, or as `read_ranges` and `ranges_from_folder`.
    """
    if options.ranges_from is None:
        return read_ranges(options.ranges) if options.ranges else PoseRanges()
    if options.ranges is not None:
        raise InputError("--ranges and --ranges-from both say the ranges", remedy="leave one of them out")
    learned = ranges_from_folder(options.ranges_from, None, camera.source_to_detector_mm)
    for note in learned.notes:
        say(f"{options.ranges_from}: {note}")
    return ranges_from_json(learned.as_json, options.ranges_from)
