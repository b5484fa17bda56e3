"""The files of a training: what it is given, and where it writes until it is done.

All lie in one folder beside the network to come, which is gone in the end. So nothing is half written in the
place of the network, and a training that was paused can be resumed, also after Slicer was closed.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from slicer.i18n import tr as _
from xrayreg.errors import InputError
from xrayreg.geometry import CArm, apply, carm_angles_deg, write_camera_file
from xrayreg.images import write_grid_nrrd

from . import roles
from .nodes import camera_of, volume_of
from .training_log import TrainingLog

if TYPE_CHECKING:
    from xrayreg.geometry import Camera

    from .nodes import SceneVolume

SUFFIX = ".safetensors"
TYPICAL = {"source_to_detector_mm": 1020.0, "source_to_centre_mm": 700.0, "pixels": 512, "pixel_mm": 0.6}
"""A mobile C-arm with a flat panel."""
_STILL_S = 60.0
"""A training that has told nothing for so long does not run any more."""


@dataclass(frozen=True)
class Reach:
    """How far views may be from the middle one, each way.

    Attributes:
        primary_deg, secondary_deg, tertiary_deg: the C-arm's angles.
        across_mm: the CT's middle across the beam.
        along_mm: along it.
    """

    primary_deg: float = 45.0
    secondary_deg: float = 45.0
    tertiary_deg: float = 15.0
    across_mm: float = 100.0
    along_mm: float = 150.0


@dataclass(frozen=True)
class Middle:
    """The view in the middle of those that are learned, and the X-ray's detector.

    Attributes:
        angles_deg: primary, secondary, tertiary.
        source_to_centre_mm: of the CT, along the beam.
    """

    camera: Camera
    angles_deg: tuple[float, float, float]
    source_to_centre_mm: float


@dataclass(frozen=True)
class Inputs:
    """What a network is trained with."""

    volume: SceneVolume
    middle: Middle
    reach: Reach
    minutes: float


@dataclass(frozen=True)
class Place:
    """Where a training writes.

    Attributes:
        network: the file to come.
    """

    network: Path

    @property
    def folder(self) -> Path:
        return self.network.with_suffix(".training")

    @property
    def draft(self) -> Path:
        """The network until it is put in its place."""
        return self.folder / self.network.name

    @property
    def checkpoint(self) -> Path:
        return self.draft.with_suffix(".checkpoint")

    @property
    def stop(self) -> Path:
        """A file that tells the training to write a checkpoint and end."""
        return self.draft.with_suffix(".stop")

    @property
    def progress(self) -> Path:
        """What it tells."""
        return self.folder / "progress.jsonl"

    @property
    def arguments(self) -> Path:
        """Those of the command line."""
        return self.folder / "arguments.json"

    @property
    def is_begun(self) -> bool:
        """Whether there is a training that was not brought to its end."""
        return self.arguments.is_file()


def place_of(path: str) -> Place:
    """For a network file that the user names; without an ending it gets `SUFFIX`.

    Raises:
        InputError: if its folder is not there.
    """
    network = Path(path).expanduser().absolute()
    if not network.parent.is_dir():
        raise InputError("no such folder", where=network.parent, remedy="choose another network file")
    return Place(network if network.suffix else network.with_suffix(SUFFIX))


def inputs_of(session, xray, reach: Reach, minutes: float) -> Inputs:
    """Taken from the scene.

    Args:
        xray: the node of the X-ray whose C-arm and start the views are learned around; None: `TYPICAL`.

    Raises:
        InputError: if an input is missing or unfit.
    """
    if roles.modality_of(session) != "CT":
        raise InputError(
            "a network learns from a CT, and the volume is said to be an MR", remedy="choose a CT"
        )
    node = session.GetNodeReference(roles.VOLUME)
    if node is None:
        raise InputError("no volume is chosen", remedy="choose the CT in the first panel")
    volume = volume_of(node)
    return Inputs(volume, middle_of(volume, xray), reach, minutes)


def middle_of(volume: SceneVolume, xray) -> Middle:
    """Around which views are learned; ``xray`` as in `inputs_of`."""
    centre = volume.grid.centre_patient
    if xray is None:
        distance, centre_mm = TYPICAL["source_to_detector_mm"], TYPICAL["source_to_centre_mm"]
        carm = CArm(distance, centre_mm, 0.0, 0.0, isocenter=tuple(centre))
        camera = carm.camera((TYPICAL["pixels"],) * 2, (TYPICAL["pixel_mm"],) * 2)
        return Middle(camera, (0.0, 0.0, 0.0), centre_mm)
    camera = camera_of(xray)
    depth = float(apply(camera.camera_from_patient, centre)[2])
    if not 0 < depth < camera.require_source_to_detector():
        raise InputError(
            "the CT's middle does not lie between source and detector",
            where=roles.view_name(xray),
            remedy="correct the X-ray's start, or choose the typical C-arm",
        )
    return Middle(camera, carm_angles_deg(camera), depth)


def ranges_json(middle: Middle, reach: Reach) -> dict:
    """The content of `ranges.json`: lowest and highest of each."""
    turns = (reach.primary_deg, reach.secondary_deg, reach.tertiary_deg)
    names = ("primary_deg", "secondary_deg", "tertiary_deg")
    ranges = {
        name: [angle - turn, angle + turn]
        for name, angle, turn in zip(names, middle.angles_deg, turns, strict=True)
    }
    across = [-reach.across_mm, reach.across_mm]
    depth = middle.source_to_centre_mm
    along = [depth - reach.along_mm, depth + reach.along_mm]
    shifts = {"offset_x_mm": across, "offset_y_mm": across, "source_to_centre_mm": along}
    return {"schema_version": 1, **ranges, **shifts}


def write_inputs(place: Place, inputs: Inputs, report: Callable[[str], None]) -> None:
    """Make the folder; takes seconds, and is done by a job. On error there is none.

    Raises:
        InputError: if it cannot be written.
    """
    remedy = "choose another network file, or make space"
    try:
        place.folder.mkdir()
    except OSError as error:  # also if there is one already, which may not be ours
        raise InputError(error.strerror, where=place.folder, remedy=remedy) from None
    try:
        _fill(place, inputs, report)
    except OSError as error:
        remove(place)
        raise InputError(error.strerror or str(error), where=place.folder, remedy=remedy) from None
    except BaseException:
        remove(place)
        raise


def _fill(place: Place, inputs: Inputs, report: Callable[[str], None]) -> None:
    report(_("writing the CT"))
    write_grid_nrrd(place.folder / "volume.nrrd", inputs.volume.voxels, inputs.volume.grid)
    report(_("starting"))
    write_camera_file(place.folder / "camera.json", inputs.middle.camera)
    _write_json(place.folder / "ranges.json", ranges_json(inputs.middle, inputs.reach))
    given = ["--volume", "volume.nrrd", "--geometry", "camera.json", "--ranges", "ranges.json"]
    given += ["--out", place.network.name]
    given += ["--minutes", f"{inputs.minutes:g}", "--progress", "json"]
    _write_json(place.arguments, ["train", *given])  # the last: a folder that has it is whole


def check_resumable(place: Place, log: TrainingLog) -> None:
    """Raise InputError if a training that was begun still runs, as that of another Slicer.

    Args:
        log: what it has told.
    """
    if log.ended is None and place.progress.is_file():
        seconds = time.time() - place.progress.stat().st_mtime
        if seconds < _STILL_S:
            place.stop.touch()
            raise InputError(
                f"this training still ran {seconds:.0f} s ago; it has been asked to pause",
                where=place.network,
                remedy="resume in a minute",
            )


def put_in_place(place: Place) -> None:
    """Network and quality card go where they belong, and the folder goes.

    Raises:
        InputError: if they cannot; the folder is still there then.
    """
    stem = place.network.stem
    cards = sorted(file for file in place.folder.glob("*.card.*") if file.name.startswith(f"{stem}.card."))
    try:
        for file in (*cards, place.draft):
            os.replace(file, place.network.with_name(file.name))
    except OSError as error:
        raise InputError(
            error.strerror or str(error), where=place.network, remedy=f"it is still in {place.folder}"
        ) from None
    remove(place)


def remove(place: Place) -> None:
    """All that the training wrote."""
    shutil.rmtree(place.folder, ignore_errors=True)


def _write_json(path: Path, content) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
