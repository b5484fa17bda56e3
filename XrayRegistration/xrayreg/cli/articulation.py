"""`--model polyrigid`: every bone its own motion."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..deform import (
    PolyrigidField,
    field_grid,
    fold_count,
    shapes_of,
    warped_labels,
    warped_volume,
    write_field,
)
from ..errors import InputError
from ..images import LabelMap, Markup, Volume, resample_labels, write_grid_nrrd, write_markups
from ..overlays import Overlay
from ..register import (
    Articulated,
    JointProgress,
    RegisteredView,
    body_labels,
    neighbours,
    register_bodies,
    taken_apart,
)
from ..results import write_body
from .files import say


@dataclass(frozen=True)
class Bodies:
    """What moves.

    Attributes:
        segmentation: on the volume's grid.
        labels: of each body, by name.
        reference: the body that counts as at rest, or None.
        linked: whether neighbours move alike.
        joints: pairs of names whose angles are asked for.
    """

    segmentation: LabelMap
    labels: dict[str, tuple[int, ...]]
    reference: str | None
    linked: bool
    joints: tuple[tuple[str, str], ...]


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


def articulated(
    bodies: Bodies, volume: Volume, air_hu: float, views: Sequence[RegisteredView]
) -> Articulated:
    """Register the bodies, from the views' rigid poses."""
    say(f"taking the volume apart into {len(bodies.labels)} bodies")
    parts = taken_apart(volume, bodies.segmentation, bodies.labels, air_hu=air_hu)
    names = list(bodies.labels)
    reference = None if bodies.reference is None else names.index(bodies.reference)
    xrays = [replace(view.xray, camera=view.camera) for view in views]
    links = neighbours(parts.bodies) if bodies.linked else ()
    return register_bodies(parts, xrays, links, reference, progress=_Reporter(names))


def moved_views(found: Articulated, views: Sequence[RegisteredView]) -> tuple[RegisteredView, ...]:
    """The views with the bodies where they are."""
    return tuple(
        replace(view, camera=camera, similarity=float(alike))
        for view, camera, alike in zip(views, found.cameras, found.similarities, strict=True)
    )


def write_articulated(
    bodies: Bodies, found: Articulated, volume: Volume, overlay: Overlay, air_hu: float, folder: Path
) -> Overlay:
    """Write each body's transform, the field, and CT, segmentation and plan as they are now.

    Returns:
        what is drawn: structures and plan where they are now.
    """
    for body in found.bodies:
        write_body(folder, body)
    say("blending the motions")
    motions = np.stack([body.patient_from_rest for body in found.bodies])
    field = PolyrigidField(shapes_of(bodies.segmentation, bodies.labels), motions)
    grid = field_grid(volume.grid)
    displacements = field.displacements(grid)
    if folds := fold_count(displacements, grid):
        say(f"the blended field folds at {folds} of {len(displacements.reshape(-1, 3))} points: bodies meet")
    write_field(folder / "rest_from_patient.h5", displacements, grid)
    by_labels = {body.labels: body.patient_from_rest for body in found.bodies}
    moved = warped_volume(volume, bodies.segmentation, by_labels, displacements, grid, air_hu)
    write_grid_nrrd(folder / "volume_now.nrrd", moved.hu, moved.grid)
    labels = warped_labels(bodies.segmentation, by_labels, displacements, grid)
    write_grid_nrrd(folder / "segmentation_now.nrrd", labels.labels, labels.grid)
    markups = tuple(_moved(markup, field) for markup in overlay.markups)
    if markups:
        write_markups(folder / "plan_now.mrk.json", markups)
    by_label = {label: motion for labels, motion in by_labels.items() for label in labels}
    return replace(overlay, labels=tuple(by_label), markups=markups, motions=by_label)


def _moved(markup: Markup, field: PolyrigidField) -> Markup:
    return replace(markup, points=field.patient_from_rest(markup.points))


class _Reporter:
    """One line of progress per stage."""

    def __init__(self, names: list[str]):
        self._names, self._last = names, None

    def __call__(self, state: JointProgress) -> None:
        what = "all bodies" if state.body is None else "each body by itself"
        if (state.stage, what) != self._last:
            say(f"stage {state.stage + 1} of {state.stages}, {what}: similarity {state.similarity:.3f}")
        self._last = (state.stage, what)
