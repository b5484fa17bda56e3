"""Options that several commands have."""

import argparse
import math
from dataclasses import replace
from pathlib import Path

from ..errors import InputError
from ..images import KINDS, Volume, corrected_for_bias, read_volume
from ..register import FAR, NEAR, SearchRange, within_its_size
from .guards import finite

AIR_HU = -1000.0


def add_volume_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--volume", type=Path, required=True, help="CT in HU: DICOM folder, NIfTI, NRRD, MHA or TIFF stack"
    )
    parser.add_argument("--voxel-mm", help="voxel size x,y,z of a TIFF stack, mm")
    parser.add_argument(
        "--series",
        help="which series of a DICOM folder that holds several: its number, its UID or the UID's end",
    )
    parser.add_argument(
        "--kind",
        choices=KINDS,
        default="ct",
        help="what the volume is: ct (default); mr, bright tissue taken as dense; mr-inverted, dark tissue "
        "within the "
        "body taken as dense; vessels, what is above --air-hu taken as filled with contrast medium",
    )
    parser.add_argument(
        "--bias-correct",
        action="store_true",
        help="even out the brightness of an MR first (N4; some seconds)",
    )
    parser.add_argument(
        "--air-hu",
        type=finite,
        help="the HU that counts as nothing (default -1000); about -120 for a volume masked to single bones, "
        "because the tissue around them is in the X-ray but not in the volume",
    )


def volume_of(options: argparse.Namespace) -> Volume:
    """The volume as the options say.

    Raises:
        InputError: as `read_volume`, and for options that do not go together.
    """
    if options.bias_correct and not options.kind.startswith("mr"):
        raise InputError("--bias-correct is for an MR", remedy="add --kind mr, or leave it out")
    if options.air_hu is not None and options.kind.startswith("mr"):
        raise InputError("--air-hu is for values in HU, an MR has none", remedy="leave it out")
    if options.air_hu is None and options.kind == "vessels":
        raise InputError("nothing says where vessels begin", remedy="give the value: --air-hu 200")
    volume = read_volume(options.volume, voxel_mm(options), options.series, options.kind)
    return corrected_for_bias(volume) if options.bias_correct else volume


def air_hu(options: argparse.Namespace) -> float:
    """--air-hu, or what stands for it."""
    return AIR_HU if options.air_hu is None else options.air_hu


def voxel_mm(options: argparse.Namespace) -> tuple[float, float, float] | None:
    """--voxel-mm as three positive numbers, or None where it was not given."""
    if options.voxel_mm is None:
        return None
    values = _numbers(options.voxel_mm, float, "--voxel-mm", "--voxel-mm 0.39,0.39,0.625")
    if len(values) != 3 or not all(0 < value < math.inf for value in values):
        raise InputError(
            f"--voxel-mm {options.voxel_mm} is not three positive numbers", remedy="as in 0.4,0.4,1"
        )
    return values


def search_range(options: argparse.Namespace, volume: Volume) -> SearchRange | None:
    """--search-deg and --search-mm, or what stands for them; None where both are 0."""
    default = within_its_size(FAR if options.init == "search" else NEAR, volume.grid)
    turn = _three(options.search_deg, "--search-deg") or default.rotation_deg
    shift = _three(options.search_mm, "--search-mm") or default.translation_mm
    if not any(turn) and not any(shift):
        return None
    return replace(default, rotation_deg=turn, translation_mm=shift)


def _three(text: str | None, option: str) -> tuple[float, float, float] | None:
    if text is None:
        return None
    values = _numbers(text, float, option, f"{option} 20,20,180")
    if len(values) not in (1, 3) or not all(0 <= value < math.inf for value in values):
        raise InputError(
            f"{option} {text} is not one or three numbers from 0", remedy="as in 25 or 20,20,180"
        )
    return values * 3 if len(values) == 1 else values


def label_values(text: str) -> tuple[int, ...]:
    """A list such as "1,2,3"."""
    values = _numbers(text, int, "--labels", "--labels 1,2")
    if not values or min(values) < 1 or len(set(values)) != len(values):
        raise InputError(f"--labels {text}: labels are different whole numbers from 1", remedy="as in 1,2")
    return values


def _numbers(text: str, kind: type, option: str, example: str) -> tuple:
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"{option} {text} is not a list of numbers", remedy=f"as in {example}") from None
