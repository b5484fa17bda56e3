"""`--model polyrigid`: every bone its own motion."""

import argparse
from collections.abc import Sequence
from dataclasses import replace

from ..articulate import Bodies, articulated, require_ct, step_in_words
from ..errors import InputError
from ..images import LabelMap, Volume, resample_labels
from ..register import Articulated, JointProgress, RegisteredView, body_labels
from .files import say


def add_body_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        choices=["rigid", "polyrigid"],
        default="rigid",
        help="polyrigid: first the whole, then every body of the segmentation by its own motion",
    )
    parser.add_argument(
        "--bodies",
        help="with polyrigid, what moves: labels by number, name or pattern, with commas between them, as in "
        "vertebrae_*,sternum; labels joined by + are one body, as in humerus_left+plate or in "
        "'ribs 3=rib_left_3+rib_right_3' (default: every label)",
    )
    parser.add_argument("--reference", help="with polyrigid, the body that counts as not having moved")
    parser.add_argument(
        "--unlinked",
        action="store_true",
        help="with polyrigid: nothing is assumed of neighbours; else they tend to move alike",
    )
    parser.add_argument(
        "--joint",
        action="append",
        default=[],
        metavar="A:B",
        help="with polyrigid, two bodies whose angle is asked for; repeat",
    )


def bodies_of(options: argparse.Namespace, segmentation: LabelMap | None, volume: Volume) -> Bodies | None:
    """What the options ask for; None with a rigid model.

    Raises:
        InputError: for options that do not go together, or bodies that are not there.
    """
    if options.model == "rigid":
        given = [("--bodies", options.bodies), ("--reference", options.reference), ("--joint", options.joint)]
        for name, value in [*given, ("--unlinked", options.unlinked)]:
            if value:
                raise InputError(f"{name} goes with --model polyrigid")
        return None
    if segmentation is None:
        raise InputError("--model polyrigid needs bodies", remedy="give their --segmentation")
    require_ct(volume)
    labels = body_labels(segmentation, options.bodies)
    joints = tuple(_pair(text, labels) for text in options.joint)
    if options.reference is not None:
        _named(options.reference, labels, "--reference")
    on_grid = resample_labels(segmentation, volume.grid)
    return Bodies(on_grid, labels, options.reference, not options.unlinked, joints)


def _pair(text: str, labels: dict) -> tuple[str, str]:
    one, colon, other = text.partition(":")
    if not colon:
        raise InputError(f"--joint {text} is no pair of bodies", remedy="as in femur:tibia")
    return _named(one, labels, "--joint"), _named(other, labels, "--joint")


def _named(name: str, labels: dict, option: str) -> str:
    if name not in labels:
        shown = ", ".join(list(labels)[:6])
        raise InputError(f"{option}: there is no body {name}", remedy=f"the bodies are {shown}")
    return name


def registered_bodies(
    bodies: Bodies, volume: Volume, air_hu: float, views: Sequence[RegisteredView]
) -> Articulated:
    """Register the bodies, from the views' rigid poses."""
    say(f"taking the volume apart into {len(bodies.labels)} bodies")
    xrays = [replace(view.xray, camera=view.camera) for view in views]
    return articulated(bodies, volume, xrays, air_hu, _Reporter())


class _Reporter:
    """One line of progress per stage."""

    def __init__(self):
        self._last = ""

    def __call__(self, state: JointProgress) -> None:
        words = step_in_words(state)
        if words != self._last:
            say(f"{words}: similarity {state.similarity:.3f}")
        self._last = words
