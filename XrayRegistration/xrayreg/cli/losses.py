"""Options of `train` for losses by rendered images, which are off unless asked for."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..images import LabelMap, Volume, check_overlap, read_label_map
from ..learn import LossWeights
from .guards import finite


def add_loss_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--image-loss",
        type=finite,
        default=0.0,
        help="weight of 1 - NCC of the DRRs at the predicted and the true pose (default 0: it did not pay)",
    )
    parser.add_argument(
        "--dice-loss",
        type=finite,
        default=0.0,
        help="weight of the Dice loss of the largest structures of --segmentation at both poses (default 0)",
    )
    parser.add_argument("--segmentation", type=Path, help="label map of the CT, for --dice-loss")


def losses_of(options: argparse.Namespace, volumes: Sequence[Volume]) -> tuple[LossWeights, LabelMap | None]:
    """The weights and what they need.

    Raises:
        InputError: for options that do not go together, or a segmentation that is not of the CT.
    """
    weights = LossWeights(options.image_loss, options.dice_loss)
    if (options.segmentation is not None) != (options.dice_loss > 0):
        raise InputError("--dice-loss and --segmentation need each other", remedy="give both or neither")
    if options.segmentation is None:
        return weights, None
    if len(volumes) > 1:
        what = "--segmentation is of one CT, not of several"
        raise InputError(what, where=options.segmentation, remedy="leave out --dice-loss")
    segmentation = read_label_map(options.segmentation)
    check_overlap(segmentation.grid, volumes[0].grid)
    return weights, segmentation
