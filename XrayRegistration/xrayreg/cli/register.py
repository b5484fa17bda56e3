"""`xrayreg register`: the pose of each X-ray in the frame of the volume."""

import argparse
import itertools
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..audit import check_inputs, check_patients, check_rig, raise_problems, warnings
from ..errors import InputError
from ..geometry import INTENSITIES, CameraFile, read_camera_file
from ..images import (
    FrameChoice,
    LabelMap,
    Volume,
    Xray,
    XrayGeometry,
    check_overlap,
    completed_geometry,
    frame_choice,
    mask_names,
    masked_by_content,
    read_label_map,
    read_markups,
    read_xray,
    view_name,
    xray_size,
)
from ..overlays import Overlay, outlined_labels
from ..results import nameless, refuse_file, whole_or_nothing, write_report
from .files import say
from .landmarks import add_landmark_options, check_landmark_options, started_from_landmarks, without_start
from .options import add_volume_options, air_hu, search_range, volume_of
from .pipeline import Inputs, described, register_and_write

_START_FROM_TAGS = "start pose from the C-arm's angles, with the isocenter at the volume's centre"
REJECTED = 3


class _ByXray(argparse.Action):
    """The option belongs to the --xray before it."""

    def __call__(self, parser, namespace, value, option_string=None):
        xrays, given = namespace.xray or [], getattr(namespace, self.dest) or {}
        if not xrays:
            parser.error(f"{option_string} stands behind the --xray that it belongs to")
        if len(xrays) - 1 in given:
            parser.error(f"--xray {xrays[-1]} has two {option_string}")
        setattr(namespace, self.dest, {**given, len(xrays) - 1: value})


def add_to(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "register",
        help="the pose of each X-ray in the frame of the volume",
        description="Register X-rays with a volume, rigidly, from a start pose. Views whose camera files "
        "have camera_from_rig, or whose DICOM files share a Frame of Reference UID, keep their relative "
        "geometry and move together; other views are registered each alone.",
    )
    add_volume_options(parser)
    parser.add_argument(
        "--xray", type=Path, action="append", required=True, help="DICOM, TIFF, PNG, NRRD or NIfTI; repeat"
    )
    parser.add_argument(
        "--camera",
        type=Path,
        action=_ByXray,
        help="camera file of the --xray before it (needed unless DICOM): camera.json, or a calibration of "
        "another program; of several cameras in a file, the second is FILE#2",
    )
    parser.add_argument(
        "--intensity",
        choices=INTENSITIES,
        action=_ByXray,
        help="what the values of the --xray before it mean, where its camera file does not say it: "
        "transmission (bright = little attenuation) or line_integral",
    )
    parser.add_argument(
        "--geometry",
        type=Path,
        action=_ByXray,
        help="geometry.json of the --xray before it: what its tags do not say of the C-arm, or all of it "
        "for other files",
    )
    parser.add_argument(
        "--frame",
        action=_ByXray,
        help="which frame of the --xray before it, counted from 1 (needed for DICOM runs of several): 12; "
        "mean, min or max intensity of all or of some, as in mean:5-12; or the subtraction dsa, dsa:30 or "
        "dsa:30,1-5 (contrast, mask)",
    )
    parser.add_argument(
        "--mask",
        help="what is searched for in the X-rays' own pixels and left out: field (a dark border), markers "
        "(burned-in letters) or metal, or several, as in field,metal",
    )
    parser.add_argument("--segmentation", type=Path, help="label map whose structures are outlined")
    parser.add_argument("--names", type=Path, help="CSV with the columns structure,id: names of the labels")
    parser.add_argument("--model", choices=["rigid"], default="rigid")
    parser.add_argument(
        "--init",
        choices=["auto", "camera", "dicom", "landmarks", "search"],
        default="auto",
        help="where the start pose comes from: camera files, DICOM tags, whichever of the two a view has "
        "(auto, and search, which looks twice as far around it), or landmarks found in volume and X-rays",
    )
    parser.add_argument(
        "--search-deg",
        help="how far the patient may be turned against the start, degrees: one number or x,y,z "
        "(default 25, with --init search 45; 0 with --search-mm 0 only refines the start)",
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
    check_landmark_options(options)
    frames = {n: frame_choice(text) for n, text in (options.frame or {}).items()}
    masks = mask_names(options.mask) if options.mask else ()
    volume = volume_of(options)
    xrays = read_xrays(
        options.xray,
        options.camera or {},
        options.init,
        volume,
        frames,
        options.geometry or {},
        options.intensity or {},
    )
    xrays = [masked_by_content(xray, masks) for xray in xrays]
    if options.init == "landmarks":
        from_tags = {xray.name for n, xray in enumerate(xrays) if n not in (options.camera or {})}
        xrays = started_from_landmarks(xrays, options.landmarks3d, options.landmarks2d, from_tags)
    if options.deidentify:
        xrays = [nameless(xray, number) for number, xray in enumerate(xrays, start=1)]
    overlay = _overlay(options, volume)
    _check(options, volume, xrays, overlay)
    shots = [_described_xray(path, frames.get(n), masks) for n, path in enumerate(options.xray)]
    files = {"volume": _described_volume(options), "xrays": shots}
    if options.segmentation is not None:
        files["segmentation"] = described(options.segmentation)
    reach = search_range(options, volume)
    inputs = Inputs(volume, air_hu(options), tuple(xrays), overlay, files, reach, options.deidentify)
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


def read_xrays(
    paths: list[Path],
    cameras: dict[int, Path],
    init: str,
    volume: Volume,
    frames: dict[int, FrameChoice] | None = None,
    geometries: dict[int, Path] | None = None,
    intensities: dict[int, str] | None = None,
) -> list[Xray]:
    """The X-rays at their start poses, checked against each other.

    Args:
        cameras: camera file by the number of its X-ray.
        init: "camera", "dicom", "auto", or "landmarks", where poses of views alone mean nothing yet.
        volume: its centre is taken as the isocenter of poses from DICOM tags.
        frames: which frames, by the number of their X-ray.
        geometries: geometry.json by the number of its X-ray.
        intensities: what an X-ray's values mean, by its number, where its camera file does not say it.
    """
    names = _unique_names(paths)
    files: dict[int, CameraFile] = {}
    xrays = []
    for number, path in enumerate(paths):
        if init == "dicom" and number in cameras:
            raise InputError(
                "--init dicom takes K and pose from the DICOM tags, but a camera file is given",
                where=cameras[number],
                remedy="leave out --camera, or use --init camera",
            )
        if init == "camera" and number not in cameras:
            raise InputError("--init camera needs a camera file", where=path, remedy="add --camera behind it")
        isocenter = tuple(float(x) for x in volume.grid.centre_patient)
        if number in cameras:
            file = read_camera_file(cameras[number], size=partial(xray_size, path), isocenter=isocenter)
            files[number] = _with_intensity(file, (intensities or {}).get(number), cameras[number])
            if init == "landmarks":
                files[number] = without_start(files[number])
            _check_rig_start(files, cameras, number)
        elif number in (intensities or {}):
            raise InputError("--intensity needs a camera file", where=path, remedy="add --camera")
        geometry = _geometry(path, number, cameras, geometries or {})
        frame = (frames or {}).get(number)
        xray = read_xray(path, files.get(number), names[number], isocenter, frame, geometry)
        if number not in cameras and init != "landmarks":
            xray = replace(xray, notes=(*xray.notes, _START_FROM_TAGS))
        xrays.append(xray)
    return xrays


def _geometry(
    xray: Path, number: int, cameras: dict[int, Path], geometries: dict[int, Path]
) -> XrayGeometry | None:
    if number not in geometries:
        return None
    if number in cameras:
        raise InputError(
            f"{geometries[number]} and {cameras[number]} both give its geometry",
            where=xray,
            remedy="leave out --geometry or --camera",
        )
    return completed_geometry(xray, geometries[number])


def _with_intensity(file: CameraFile, intensity: str | None, path: Path) -> CameraFile:
    if intensity is None or intensity == file.intensity:
        return file
    if file.intensity is not None:
        raise InputError(
            f"says that the X-ray's values are {file.intensity}, --intensity that they are {intensity}",
            where=path,
            remedy="leave out --intensity, or correct the file",
        )
    return replace(file, intensity=intensity)


def _described_volume(options: argparse.Namespace) -> dict:
    chosen = {} if options.series is None else {"series": options.series}
    return {**described(options.volume), **chosen, **({} if options.kind == "ct" else {"kind": options.kind})}


def _described_xray(path: Path, frame: FrameChoice | None, masks: tuple[str, ...]) -> dict:
    how = {"frame": frame and frame.as_json, "mask": ",".join(masks)}
    return {**described(path), **{name: value for name, value in how.items() if value}}


def _unique_names(paths: list[Path]) -> list[str]:
    """File names without endings; where two are the same, each gets a number that makes it unique.

    Upper and lower case count as the same, as some file systems have it.
    """
    stems = [view_name(path) for path in paths]
    counts = Counter(stem.casefold() for stem in stems)
    taken = {stem for stem, count in counts.items() if count == 1}
    names = []
    for stem in stems:
        name = stem
        if counts[stem.casefold()] > 1:
            numbered = (f"{stem}_{number}" for number in itertools.count(1))
            name = next(candidate for candidate in numbered if candidate.casefold() not in taken)
            taken.add(name.casefold())
        names.append(name)
    return names


def _check_rig_start(files: dict[int, CameraFile], cameras: dict[int, Path], number: int) -> None:
    """Views of a rig must start from one place of the patient in it."""
    mine = files[number]
    if mine.camera_from_rig is not None:
        first = next(n for n, file in files.items() if file.camera_from_rig is not None)
        check_rig(files[first], cameras[first], mine, cameras[number])


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
