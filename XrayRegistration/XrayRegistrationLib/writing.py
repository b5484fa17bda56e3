"""What the export job writes: core objects in, files out; nothing of the scene.

The door to torch: imported when a job starts, not with the module.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from xrayreg.articulate import write_articulated
from xrayreg.errors import InputError
from xrayreg.images import sha256_of_files
from xrayreg.overlays import Overlay
from xrayreg.register import Confidence, PoseUncertainty, RegisteredView, Registration, similarity_of
from xrayreg.render import Density
from xrayreg.results import (
    Outcome,
    Review,
    deidentified,
    draw,
    software_json,
    whole_or_nothing,
    write_dicom,
    write_overlay,
    write_registration,
    write_report,
    write_transform,
)

from .bodies_written import articulated, bodies_taken
from .results import SCENE_FILE
from .work import density_of

if TYPE_CHECKING:
    from xrayreg.images import Volume

    from .exporting import Taken, Wanted

_NO_FILE = {"path": None, "sha256": None, "reason": "made or changed in the scene, not read from a file"}


def write(
    taken: Taken, wanted: Wanted, scene: Path | None, folder: Path, report: Callable[[str], None]
) -> list[str]:
    """Write all that is wanted into ``folder``, or, after an error or a cancel, nothing.

    Args:
        scene: the saved scene, which moves into the folder; None leaves it out.
        report: called with each step; an exception it raises ends the work.

    Returns:
        notices, one line each, about what was left out.

    Raises:
        InputError: if the folder cannot be written.
    """
    try:
        with whole_or_nothing(folder) as staging:
            if scene is not None:
                shutil.move(scene, staging / SCENE_FILE)
            notices = _write(taken, wanted, staging, report)
            report("putting the files in place")
        return notices
    except OSError as error:
        raise InputError(
            error.strerror or str(error), where=folder, remedy="choose another folder, or make space"
        ) from None


def _write(taken: Taken, wanted: Wanted, folder: Path, report: Callable[[str], None]) -> list[str]:
    report("preparing the volume")
    volume = replace(taken.volume.converted(), frame_of_reference_uid=taken.frame_of_reference_uid)
    density = density_of(volume, taken.modality)
    outcome = outcome_of(taken, volume, density)
    bodies = None if taken.bodies is None else bodies_taken(taken, volume)
    if bodies is not None:
        outcome = articulated(outcome, taken.bodies, bodies, report)
    if wanted.deidentified:
        outcome = deidentified(outcome)
    write_registration(folder, outcome)
    if bodies is not None and wanted.transforms:
        report("moving the volume")
        write_articulated(folder, bodies, outcome)
    drawings = {}
    for view in outcome.registration.views:
        if wanted.transforms:
            write_transform(folder, view)
        if wanted.pictures or wanted.report:
            report(f"drawing {view.name}")
            drawings[view.name] = draw(outcome, view, density)
        if wanted.pictures:
            write_overlay(folder, view, drawings[view.name])
    if wanted.report:
        write_report(folder, outcome, drawings)
    return write_dicom(folder, outcome, density, report) if wanted.dicom else []


def outcome_of(taken: Taken, volume: Volume, density: Density) -> Outcome:
    """The result as the command line would have it."""
    views = []
    for view in taken.views:
        start = replace(view.xray, camera=view.xray.camera.moved(view.start))
        found = view.xray.camera
        views.append(RegisteredView(start, found, view.similarity, similarity_of(density, start)))
    inputs = {
        "volume": _described(taken.volume_files),
        "xrays": [view.file or _NO_FILE for view in taken.views],
    }
    if taken.segmentation is not None:
        inputs["segmentation"] = _described(taken.segmentation_files)
    labels = () if taken.segmentation is None else tuple(taken.segmentation.names)
    return Outcome(
        Registration(volume, tuple(views), taken.made.get("timing_s", {})),
        Confidence(**{**taken.confidence, "reasons": tuple(taken.confidence["reasons"])}),
        {view.xray.name: PoseUncertainty(np.array(view.covariance)) for view in taken.views},
        Overlay(taken.segmentation, labels, taken.markups),
        inputs,
        taken.made.get("software") or software_json("unknown"),
        Review(*taken.review) if taken.review else None,
    )


def _described(files: tuple[Path, ...]) -> dict:
    """As the command line describes a file, or the folder of a series."""
    if not files or not all(file.is_file() for file in files):
        return _NO_FILE
    shown = files[0] if len(files) == 1 else files[0].parent
    return {"path": str(shown), "sha256": sha256_of_files(sorted(files))}
