"""`--init network`: start poses from a network that was trained on the CT."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..geometry import is_torch_file
from ..images import Volume, Xray
from ..learn import (
    NetworkStart,
    TrainedNetwork,
    XvrEstimator,
    read_pose_network,
    read_xvr_network,
    started_from_network,
)
from ..register import SearchRange
from .files import say


def add_network_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--network",
        type=Path,
        help="trained pose network of this CT (`xrayreg train`), or a checkpoint of xvr",
    )
    parser.add_argument(
        "--other-patient", action="store_true", help="use the --network although it was trained on another CT"
    )


def init_of(options: argparse.Namespace) -> str:
    """--init, where auto stands for the network if one is given.

    Raises:
        InputError: for options that do not go together.
    """
    if options.init == "network" and options.network is None:
        raise InputError("--init network needs a network", remedy="add --network FILE")
    if options.network is not None and options.init not in ("auto", "network"):
        remedy = "use --init network, or leave --network out"
        raise InputError(f"--network does not go with --init {options.init}", remedy=remedy)
    if options.other_patient and options.network is None:
        raise InputError("--other-patient goes with --network", remedy="add --network FILE")
    return options.init if options.network is None else "network"


def started_by_network(
    options: argparse.Namespace, xrays: Sequence[Xray], volume: Volume, reach: SearchRange | None
) -> tuple[list[Xray], SearchRange | None, TrainedNetwork | None]:
    """The X-rays at the poses of the network, how far to search around them, and the network if it is ours.

    Args:
        reach: what the options say of the search; it counts where they do say something.

    Raises:
        InputError: for a network that cannot be used, or is of another patient.
    """
    ours = None
    if is_torch_file(options.network):
        start = started_from_network(XvrEstimator(read_xvr_network(options.network), volume), xrays)
    else:
        ours = read_pose_network(options.network, volume, other_patient=options.other_patient)
        start = started_from_network(ours, xrays)
    tell_outside(start)
    asked = options.search_deg is not None or options.search_mm is not None
    return start.xrays, reach if asked else start.search, ours


def tell_outside(start: NetworkStart) -> None:
    """A line for each view whose pose the network was not trained on."""
    for name, beyond in start.outside.items():
        far = ", ".join(f"{what} by {value:.0f}" for what, value in beyond.items())
        say(f"{name}: the network's pose lies outside of what it was trained on: {far}")
