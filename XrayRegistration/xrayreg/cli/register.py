"""`xrayreg register`: the pose of each X-ray in the frame of the volume."""

import argparse
from dataclasses import replace
from pathlib import Path

from ..audit import check_inputs, check_patients, raise_problems, warnings
from ..errors import InputError
from ..images import (
    LabelMap,
    Volume,
    Xray,
    check_overlap,
    mask_names,
    masked_by_content,
    read_label_map,
    read_markups,
)
from ..overlays import Overlay, outlined_labels
from ..results import nameless, refuse_file, refuse_input, whole_or_nothing, write_report
from .articulation import add_body_options, bodies_of
from .files import say
from .guards import check_air
from .landmarks import add_landmark_options, check_landmark_options, started_from_landmarks
from .networks import add_network_options, init_of, started_by_network
from .options import add_volume_options, air_hu, search_range, volume_of
from .pipeline import Inputs, described, register_and_write
from .xrays import Shot, add_xray_options, read_xrays, shots_of

REJECTED = 3


def add_to(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "register",
        help="the pose of each X-ray in the frame of the volume",
        description="Register X-rays with a volume, rigidly or bone by bone, from a start pose. Views whose "
        "camera files have camera_from_rig, or whose DICOM files share a Frame of Reference UID, keep their "
        "relative geometry and move together; other views are registered each alone.",
    )
    add_volume_options(parser)
    add_xray_options(parser)
    parser.add_argument(
        "--mask",
        help="what is searched for in the X-rays' own pixels and left out: field (a dark border), markers "
        "(burned-in letters) or metal, or several, as in field,metal",
    )
    parser.add_argument("--segmentation", type=Path, help="label map whose structures are outlined")
    parser.add_argument("--names", type=Path, help="CSV with the columns structure,id: names of the labels")
    add_body_options(parser)
    parser.add_argument(
        "--init",
        choices=["auto", "camera", "dicom", "network", "landmarks", "search"],
        default="auto",
        help="where the start pose comes from: camera files, DICOM tags, a network that was trained on this "
        "CT, landmarks found in volume and X-rays, or (auto) the network if one is given and else whichever "
        "of the first two a view has; search takes the same and looks twice as far around it",
    )
    add_network_options(parser)
    parser.add_argument(
        "--search-deg",
        help="how far the patient may be turned against the start, degrees: one number or x,y,z "
        "(default 25, with --init search 45, from a network as it says; 0 with --search-mm 0 only refines "
        "the start)",
    )
    parser.add_argument(
        "--search-mm",
        help="how far the patient may be shifted, mm (default 60, with --init search 100, but for small "
        "volumes no more than half the way from their middle to their corners)",
    )
    add_landmark_options(parser)
    parser.add_argument(
        "--plan", type=Path, action="append", default=[], help=".mrk.json to reproject; repeat"
    )
    parser.add_argument(
        "--deidentify",
        action="store_true",
        help="number the views and plans and leave out the files' names and paths; letters burned into an "
        "X-ray, labels of points and names of structures stay",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    refuse_file(options.out)
    refuse_input(options.out, [options.volume])
    check_landmark_options(options)
    init = init_of(options)
    shots = shots_of(options)
    masks = mask_names(options.mask) if options.mask else ()
    volume = volume_of(options)
    check_air(volume, air_hu(options), options.volume)
    xrays = [masked_by_content(xray, masks) for xray in read_xrays(shots, init, volume)]
    reach, network = search_range(options, volume), None
    if init == "network":
        xrays, reach, network = started_by_network(options, xrays, volume, reach)
    if init == "landmarks":
        from_tags = {xray.name for shot, xray in zip(shots, xrays, strict=True) if shot.camera is None}
        xrays = started_from_landmarks(xrays, options.landmarks3d, options.landmarks2d, from_tags)
    if options.deidentify:
        xrays = [nameless(xray, number) for number, xray in enumerate(xrays, start=1)]
    overlay = _overlay(options, volume)
    bodies = bodies_of(options, overlay.segmentation, volume)
    _check(options, volume, xrays, overlay)
    files = {
        "volume": _described_volume(options),
        "xrays": [_described_xray(shot, masks) for shot in shots],
    }
    if options.segmentation is not None:
        files["segmentation"] = described(options.segmentation)
    if init == "network":
        files["network"] = described(options.network)
    inputs = Inputs(
        volume, air_hu(options), tuple(xrays), overlay, files, reach, options.deidentify, network, bodies
    )
    with whole_or_nothing(options.out) as staging:
        result = register_and_write(inputs, staging)
        write_report(staging, result.outcome, result.drawings)
    alike = ", ".join(f"{view.name} {view.similarity:.3f}" for view in result.outcome.registration.views)
    sure = result.outcome.confidence
    print(
        f"{options.out}: {sure.verdict}; expected TRE {sure.expected_tre_mm:.2f} mm "
        f"(95 % below {sure.p95_tre_mm:.2f}); similarity {alike}"
    )
    return REJECTED if sure.verdict == "reject" else 0


def _described_volume(options: argparse.Namespace) -> dict:
    chosen = {} if options.series is None else {"series": options.series}
    return {**described(options.volume), **chosen, **({} if options.kind == "ct" else {"kind": options.kind})}


def _described_xray(shot: Shot, masks: tuple[str, ...]) -> dict:
    how = {"frame": shot.frame and shot.frame.as_json, "mask": ",".join(masks)}
    return {**described(shot.path), **{name: value for name, value in how.items() if value}}


def _check(options: argparse.Namespace, volume: Volume, xrays: list[Xray], overlay: Overlay) -> None:
    """The checks of `xrayreg check`, before the work begins: problems end it, all else is told."""
    volume = replace(volume, name="volume") if options.deidentify else volume
    fits = (
        *check_patients(options.volume, options.xray),
        *check_inputs(volume, xrays, overlay.segmentation, overlay.markups, air_hu=air_hu(options)),
    )
    raise_problems(fits)
    for line in warnings(fits):
        say(line)


def _overlay(options: argparse.Namespace, volume: Volume) -> Overlay:
    segmentation: LabelMap | None = None
    labels: tuple[int, ...] = ()
    if options.segmentation is not None:
        segmentation = read_label_map(options.segmentation, options.names)
        check_overlap(segmentation.grid, volume.grid)
        labels = outlined_labels(segmentation)
    elif options.names is not None:
        raise InputError("--names goes with --segmentation", where=options.names)
    markups = tuple(markup for path in options.plan for markup in read_markups(path))
    return Overlay(segmentation, labels, markups)
