"""X-rays on the command line: each with the options that stand behind it."""

import argparse
import itertools
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..audit import check_rig
from ..errors import InputError
from ..geometry import INTENSITIES, CameraFile, read_camera_file
from ..images import (
    FrameChoice,
    Volume,
    Xray,
    XrayGeometry,
    completed_geometry,
    frame_choice,
    read_xray,
    view_name,
    xray_size,
)
from .landmarks import without_start

_WITHOUT_START = ("landmarks", "network")
_START_FROM_TAGS = "start pose from the C-arm's angles, with the isocenter at the volume's centre"


@dataclass(frozen=True)
class Shot:
    """An X-ray as it is given.

    Attributes:
        camera: its camera file.
        intensity: what its values mean, where its camera file does not say it.
        geometry: its geometry.json.
        frame: which frames of a run.
    """

    path: Path
    camera: Path | None = None
    intensity: str | None = None
    geometry: Path | None = None
    frame: FrameChoice | None = None


class _ByXray(argparse.Action):
    """The option belongs to the --xray before it."""

    def __call__(self, parser, namespace, value, option_string=None):
        xrays, given = namespace.xray or [], getattr(namespace, self.dest) or {}
        if not xrays:
            parser.error(f"{option_string} stands behind the --xray that it belongs to")
        if len(xrays) - 1 in given:
            parser.error(f"--xray {xrays[-1]} has two {option_string}")
        setattr(namespace, self.dest, {**given, len(xrays) - 1: value})


def add_xray_options(parser: argparse.ArgumentParser) -> None:
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


def shots_of(options: argparse.Namespace) -> list[Shot]:
    """The X-rays with their options."""

    def behind(name: str, number: int):
        return (getattr(options, name) or {}).get(number)

    frames = {n: frame_choice(text) for n, text in (options.frame or {}).items()}
    return [
        Shot(path, behind("camera", n), behind("intensity", n), behind("geometry", n), frames.get(n))
        for n, path in enumerate(options.xray)
    ]


def read_xrays(shots: list[Shot], init: str, volume: Volume) -> list[Xray]:
    """The X-rays at their start poses; camera files of one rig are checked against each other.

    Args:
        init: "camera", "dicom", "auto", "search"; or "landmarks" or "network", where poses of views alone
            mean nothing.
        volume: its centre is taken as the isocenter of poses from DICOM tags.
    """
    isocenter = tuple(float(x) for x in volume.grid.centre_patient)
    first_of_rig: tuple[CameraFile, Path] | None = None
    xrays = []
    for shot, name in zip(shots, _unique_names([shot.path for shot in shots]), strict=True):
        _check_options(shot, init)
        camera_file = None
        if shot.camera is not None:
            camera_file = _camera_file(shot, isocenter)
            if init in _WITHOUT_START:
                camera_file = without_start(camera_file)
            if camera_file.camera_from_rig is not None:
                first_of_rig = first_of_rig or (camera_file, shot.camera)
                check_rig(*first_of_rig, camera_file, shot.camera)
        xray = read_xray(shot.path, camera_file, name, isocenter, shot.frame, _geometry(shot))
        if shot.camera is None and init not in _WITHOUT_START:
            xray = replace(xray, notes=(*xray.notes, _START_FROM_TAGS))
        xrays.append(xray)
    return xrays


def _check_options(shot: Shot, init: str) -> None:
    """Raise InputError for options that do not go together."""
    if init == "dicom" and shot.camera is not None:
        raise InputError(
            "--init dicom takes K and pose from the DICOM tags, but a camera file is given",
            where=shot.camera,
            remedy="leave out --camera, or use --init camera",
        )
    if init == "camera" and shot.camera is None:
        raise InputError(
            "--init camera needs a camera file", where=shot.path, remedy="add --camera behind it"
        )
    if shot.intensity is not None and shot.camera is None:
        raise InputError("--intensity needs a camera file", where=shot.path, remedy="add --camera")
    if shot.geometry is not None and shot.camera is not None:
        raise InputError(
            f"{shot.geometry} and {shot.camera} both give its geometry",
            where=shot.path,
            remedy="leave out --geometry or --camera",
        )


def _geometry(shot: Shot) -> XrayGeometry | None:
    return None if shot.geometry is None else completed_geometry(shot.path, shot.geometry)


def _camera_file(shot: Shot, isocenter: tuple[float, float, float]) -> CameraFile:
    """With --intensity, which must not contradict it."""
    file = read_camera_file(shot.camera, size=partial(xray_size, shot.path), isocenter=isocenter)
    if shot.intensity is None or shot.intensity == file.intensity:
        return file
    if file.intensity is not None:
        raise InputError(
            f"says that the X-ray's values are {file.intensity}, --intensity that they are {shot.intensity}",
            where=shot.camera,
            remedy="leave out --intensity, or correct the file",
        )
    return replace(file, intensity=shot.intensity)


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
