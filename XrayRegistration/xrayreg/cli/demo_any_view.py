"""The demo's second half: a view from any angles, whose start pose a network finds in the image alone."""

import math
from dataclasses import replace
from pathlib import Path

from ..errors import InputError
from ..evaluate import DemoView, demo_network, write_any_view
from ..learn import read_pose_network, started_from_network
from .files import say
from .networks import tell_outside
from .pipeline import Inputs, Result, described, register_and_write
from .xrays import Shot, read_xrays

_NAME = "any"


def angles_of(text: str) -> tuple[float, float]:
    """Primary and secondary angle, degrees.

    Raises:
        InputError: if they are none.
    """
    try:
        primary, secondary = (float(part) for part in text.split(","))
    except ValueError:
        primary = secondary = math.nan
    if not (abs(primary) <= 180 and abs(secondary) < 90):
        raise InputError(f"--view {text} is not a C-arm's primary and secondary angle", remedy="as in -25,15")
    return primary, secondary


def registered_from_network(
    inputs: Inputs, angles: tuple[float, float], folder: Path, shown_as: Path
) -> tuple[DemoView, Result] | None:
    """A simulated view and its registration, in ``folder``; None where the network is not installed.

    Args:
        inputs: of the demo's first half: CT, segmentation and plan are taken from there.
        shown_as: where the folder will lie.
    """
    path = demo_network()
    if path is None:
        say("the view from any angles is left out: this installation has no Resources/Networks")
        return None
    say(f"simulating a view at {angles[0]:g}, {angles[1]:g} degrees, of which the network is told nothing")
    view = write_any_view(inputs.volume, folder / "xrays" / f"{_NAME}.dcm", *angles)
    network = read_pose_network(path, inputs.volume)
    start = started_from_network(network, read_xrays([Shot(view.path)], "network", inputs.volume))
    tell_outside(start)
    files = {
        **inputs.files,
        "xrays": [described(view.path, shown_as / view.path.relative_to(folder))],
        "network": described(path),
    }
    found = {"xrays": tuple(start.xrays), "search": start.search, "network": network}
    return view, register_and_write(replace(inputs, files=files, **found), folder)
