"""From inputs to result files: what `register` and `demo` have in common."""

import json
import time
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from .. import __version__
from ..images import Volume, Xray
from ..overlays import Overlay, overlay_picture, view_drr
from ..register import (
    NEAR,
    Confidence,
    PoseUncertainty,
    Progress,
    RegisteredView,
    Registration,
    SearchRange,
    confidence_in,
    groups,
    least,
    register_rigid,
)
from ..render import Density
from .files import say, sha256

SCHEMA_VERSION = 1
_SCENE_WRITERS = "xrayreg.scene_writer"


@dataclass(frozen=True)
class Inputs:
    """Everything that was read.

    Attributes:
        air_hu: the HU that counts as nothing.
        search: how far the start may be off.
        files: the "inputs" of registration.json: path and checksum of volume, xrays and segmentation.
    """

    volume: Volume
    air_hu: float
    xrays: tuple[Xray, ...]
    overlay: Overlay
    files: dict
    search: SearchRange | None = NEAR


def described(path: Path, shown_as: Path | None = None) -> dict:
    """A file in registration.json: where it lies (or will lie) and its checksum."""
    return {"path": str(shown_as or path), "sha256": sha256(path)}


@dataclass(frozen=True)
class Result:
    """What was found.

    Attributes:
        drrs: by view, at the registered pose, in the pixels of the view's pictures.
        density: the prepared volume, for more pictures.
        confidence: of the worst rig.
    """

    registration: Registration
    drrs: dict[str, np.ndarray]
    density: Density
    confidence: Confidence


def register_and_write(inputs: Inputs, folder: Path) -> Result:
    """Register and write registration.json, overlays, transforms and the scene into ``folder``."""
    for xray in inputs.xrays:
        for note in xray.notes:
            say(f"{xray.name}: {note}")
    started = time.perf_counter()
    density = Density.from_volume(inputs.volume, inputs.air_hu)
    prepared = time.perf_counter()
    together = groups(inputs.xrays)
    for group in together:
        say(f"registering {' and '.join(xray.name for xray in group)}{' together' if len(group) > 1 else ''}")
    rigs = register_rigid(density, inputs.xrays, search=inputs.search, progress=_LevelReporter())
    done = time.perf_counter()
    seconds = {"initialise": prepared - started, "refine": done - prepared, "total": done - started}
    by_name = {view.name: view for rig in rigs for view in rig.views}
    views = tuple(by_name[xray.name] for xray in inputs.xrays)
    registration = Registration(inputs.volume, views, seconds)
    confidence = least([confidence_in(rig.evidence) for rig in rigs])
    uncertainties = {view.name: rig.uncertainty for rig in rigs for view in rig.views}
    body = rigs[0].uncertainty if len(rigs) == 1 else None
    device = density.values.device.type
    fields = _registration_json(inputs, registration, device, confidence, uncertainties, body)
    (folder / "registration.json").write_text(json.dumps(fields, indent=1) + "\n", encoding="utf-8")
    drrs = {}
    for view in views:
        say(f"drawing {view.name}")
        _write_transform(folder / f"camera_from_patient_{view.name}.tfm", view.camera.camera_from_patient)
        drrs[view.name] = view_drr(density, view.xray, view.camera.camera_from_patient)
        picture = overlay_picture(
            view.xray,
            view.camera,
            drrs[view.name],
            inputs.overlay,
            f"{view.name}: registered ({confidence.verdict})",
            uncertainties[view.name].in_image,
        )
        picture.save(folder / f"overlay_{view.name}.png")
    _write_scene(registration, drrs, inputs.overlay, folder)
    return Result(registration, drrs, density, confidence)


class _LevelReporter:
    """One line of progress per level."""

    def __init__(self):
        self._last: Progress | None = None

    def __call__(self, state: Progress) -> None:
        if self._last is None or state.level != self._last.level:
            say(f"level {state.level + 1} of {state.levels}, {state.poses} pose(s)")
        self._last = state


def _registration_json(
    inputs: Inputs,
    registration: Registration,
    device: str,
    confidence: Confidence,
    uncertainties: dict[str, PoseUncertainty],
    body: PoseUncertainty | None,
) -> dict:
    """The content of registration.json; ``uncertainties`` by view, ``body`` None if views moved apart."""
    return {
        "schema_version": SCHEMA_VERSION,
        "software": {
            "name": "xrayreg",
            "version": __version__,
            "torch": torch.__version__,
            "device": device,
        },
        "inputs": inputs.files,
        "model": "rigid",
        "views": [_view_json(view, uncertainties[view.name]) for view in registration.views],
        "bodies": [
            {
                "name": registration.volume.name,
                "label": None,
                "patient_from_rest": np.eye(4).tolist(),
                "covariance": None if body is None else body.covariance.tolist(),
            }
        ],
        "targets": _targets_json(inputs.overlay, uncertainties),
        "confidence": {
            "verdict": confidence.verdict,
            "success_probability": round(confidence.success_probability, 4),
            "expected_tre_mm": round(confidence.expected_tre_mm, 3),
            "p95_tre_mm": round(confidence.p95_tre_mm, 3),
            "reasons": list(confidence.reasons),
        },
        "timing_s": {stage: round(value, 3) for stage, value in registration.seconds.items()},
    }


def _targets_json(overlay: Overlay, uncertainties: dict[str, PoseUncertainty]) -> list[dict]:
    """Every point of the plan, and how far noise leaves it off in each view; nothing of gross failure."""
    return [
        {
            "markup": markup.name,
            "point": label,
            "noise_tre_mm": {
                name: round(uncertainty.expected_tre_mm(point), 3)
                for name, uncertainty in uncertainties.items()
            },
        }
        for markup in overlay.markups
        for point, label in zip(markup.points, markup.labels, strict=True)
    ]


def _view_json(view: RegisteredView, uncertainty: PoseUncertainty) -> dict:
    return {
        "name": view.name,
        "size": list(view.camera.size),
        "K": view.camera.K.tolist(),
        "camera_from_patient": view.camera.camera_from_patient.tolist(),
        "initial_camera_from_patient": view.xray.camera.camera_from_patient.tolist(),
        "similarity": round(view.similarity, 6),
        "initial_similarity": round(view.initial_similarity, 6),
        "covariance": uncertainty.covariance.tolist(),
    }


def _write_transform(path: Path, camera_from_patient: np.ndarray) -> None:
    """An ITK transform that maps a patient point (LPS, mm) to the camera frame.

    Slicer reads it as a transform node whose matrix to the parent is the inverse, patient from camera.
    """
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(camera_from_patient[:3, :3].ravel().tolist())
    transform.SetTranslation(camera_from_patient[:3, 3].tolist())
    sitk.WriteTransform(transform, str(path))


def _write_scene(
    registration: Registration, drrs: dict[str, np.ndarray], overlay: Overlay, folder: Path
) -> None:
    """The Slicer scene, written by whoever answers to the entry point; the core knows no Slicer."""
    writer = next(iter(entry_points(group=_SCENE_WRITERS)), None)
    if writer is None:
        say("scene.mrb left out: no scene writer is installed - pip install 'xrayreg[scene]'")
        return
    say("writing the Slicer scene")
    placed = replace(registration, views=tuple(_on_a_plane(view) for view in registration.views))
    try:
        notices = writer.load()(
            placed,
            folder,
            drrs={view.name: _enlarged(drrs[view.name], view.camera.size) for view in placed.views},
            segmentation=overlay.segmentation,
            labels=overlay.labels,
            markups=overlay.markups,
        )
    except ImportError as error:
        notices = [f"scene.mrb left out: {error}"]
    for notice in notices:
        say(notice)


def _on_a_plane(view: RegisteredView) -> RegisteredView:
    """The view with a distance to its detector: the X-ray has to lie somewhere in the scene.

    Calibrations such as MayaCam's give no distance. Any plane across the beam shows the same
    projection; the one twice as far from the source as the patient's origin is as right as any.
    """
    if view.camera.source_to_detector_mm is not None:
        return view
    distance_mm = 2.0 * float(np.linalg.norm(view.camera.camera_from_patient[:3, 3]))
    say(f"{view.name}: source-to-detector distance unknown, shown at {distance_mm:.0f} mm in the scene")
    return replace(
        view,
        xray=replace(view.xray, camera=replace(view.xray.camera, source_to_detector_mm=distance_mm)),
        camera=replace(view.camera, source_to_detector_mm=distance_mm),
    )


def _enlarged(drr: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A DRR of averaged pixels repeated to ``size`` = (columns, rows) of its X-ray."""
    factor = size[0] // drr.shape[1]
    repeated = drr.repeat(factor, axis=0).repeat(factor, axis=1)
    rest = [(0, full - have) for full, have in zip(size[::-1], repeated.shape, strict=True)]
    return np.pad(repeated, rest, mode="edge")
