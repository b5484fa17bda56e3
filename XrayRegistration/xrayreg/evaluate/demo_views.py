"""The X-rays of the demo: two C-arm views simulated from the demo CT, written as DICOM XA files.

The patient lies on the table some degrees and centimetres away from where the C-arm's tags and the
CT's centre would place them: that is the start error which registration has to find.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.uid import generate_uid

from ..errors import InputError
from ..geometry import Camera, CArm, about
from ..images import LabelMap, Markup, Shutter, Volume, write_dicom_xray
from ..render import Detector, simulate_xray
from .metrics import projection_distance, reprojection_distance, tre

# C-arm: (name, primary, secondary) in degrees; typical distances and detector of a mobile flat panel.
_VIEWS = (("frontal", 0.0, 0.0), ("oblique", 35.0, 5.0))
_SOURCE_TO_DETECTOR_MM, _SOURCE_TO_ISOCENTER_MM = 1020.0, 700.0
_PIXELS, _SPACING_MM = 512, 0.6
_SHUTTER_PIXELS = 14

# How the patient really lies, about the CT's centre: rotation vector in degrees, shift in mm (LPS).
_TURN_DEG = (4.0, -3.0, 5.5)
_SHIFT_MM = (14.0, -12.0, 19.0)

# The plan, patient LPS in mm, made on the CT: a screw through the left pedicle of T9 into its body,
# and the middle of the body of T8.
PLAN = (
    Markup(
        "T9 left pedicle screw",
        "line",
        np.array([[16.1, 101.1, -182.5], [4.4, 69.5, -182.5]]),
        ("entry", "tip"),
    ),
    Markup("target", "points", np.array([[1.5, 80.0, -160.0]]), ("T8 target",)),
)


@dataclass(frozen=True)
class DemoView:
    """One simulated X-ray.

    Attributes:
        path: its DICOM file.
        truth: the camera that made it.
    """

    name: str
    path: Path
    truth: Camera


def write_demo_views(volume: Volume, folder: Path) -> list[DemoView]:
    """Simulate the two views and write them as DICOM XA files into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    study, frame = generate_uid(), generate_uid()
    views = [
        _write_view(volume, folder / f"{name}.dcm", number, angles, study, frame)
        for number, (name, *angles) in enumerate(_VIEWS)
    ]
    _write_truth(views, folder)
    return views


def write_any_view(volume: Volume, path: Path, primary_deg: float, secondary_deg: float) -> DemoView:
    """Simulate the view of a C-arm at any angles and write it as DICOM XA."""
    path.parent.mkdir(parents=True, exist_ok=True)
    angles = (primary_deg, secondary_deg)
    view = _write_view(volume, path, len(_VIEWS), angles, generate_uid(), generate_uid())
    _write_truth([view], path.parent)
    return view


def demo_network() -> Path | None:
    """The pose network of the demo's CT; None where this installation does not have it."""
    path = Path(__file__).resolve().parents[2] / "Resources" / "Networks" / "demo-chest.safetensors"
    return path if path.is_file() else None


def demo_camera() -> Camera:
    """The C-arm of the demo's views; its pose says nothing. The network was trained for it."""
    carm = CArm(_SOURCE_TO_DETECTOR_MM, _SOURCE_TO_ISOCENTER_MM, 0.0, 0.0)
    return carm.camera((_PIXELS, _PIXELS), (_SPACING_MM, _SPACING_MM))


def _write_truth(views: Sequence[DemoView], folder: Path) -> None:
    truth = {view.name: view.truth.camera_from_patient.tolist() for view in views}
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")


def _write_view(
    volume: Volume, path: Path, number: int, angles: Sequence[float], study: str, frame: str
) -> DemoView:
    """The view of a C-arm whose isocenter is the CT's centre, with the patient lying otherwise.

    Args:
        number: seed of its noise.
        angles: primary and secondary, degrees.
        study, frame: UIDs of the study and of the frame of reference.
    """
    centre = volume.grid.centre_patient
    motion = about(centre, np.concatenate([np.radians(_TURN_DEG), _SHIFT_MM]))
    edge = _SHUTTER_PIXELS
    shutter = Shutter(rectangle=(edge, _PIXELS - 1 - edge, edge, _PIXELS - 1 - edge))
    carm = CArm(_SOURCE_TO_DETECTOR_MM, _SOURCE_TO_ISOCENTER_MM, *angles, isocenter=tuple(centre))
    spacing = (_SPACING_MM, _SPACING_MM)
    nominal = carm.camera((_PIXELS, _PIXELS), spacing)
    truth = nominal.moved(nominal.camera_from_patient @ motion)
    pixels = simulate_xray(volume, truth, Detector(seed=number), shutter.mask((_PIXELS, _PIXELS)))
    write_dicom_xray(
        path,
        pixels,
        carm,
        spacing,
        shutter=shutter,
        series_description=f"simulated {path.stem} view",
        frame_of_reference_uid=frame,
        study_uid=study,
    )
    return DemoView(path.stem, path, truth)


def demo_targets(segmentation: LabelMap) -> np.ndarray:
    """The points (n, 3), patient LPS, mm, on which the demo's errors are measured.

    The centroids of the thoracic vertebrae and of the ribs' parts in the CT, and the plan's points.
    """
    points = [point for markup in PLAN for point in markup.points]
    for label in np.unique(segmentation.labels):
        if segmentation.name_of(int(label)).startswith(("vertebrae_T", "rib")):
            k, j, i = np.argwhere(segmentation.labels == label).mean(axis=0)
            points.append((segmentation.grid.patient_from_index @ [i, j, k, 1])[:3])
    if len(points) < 10:
        raise InputError("the demo's segmentation names no thoracic vertebrae and ribs")
    return np.array(points)


def errors(points: np.ndarray, start: Camera, registered: Camera, truth: Camera) -> dict[str, float]:
    """Mean errors of one view over points (n, 3), mm; `mpd` on the detector, `mrpd` at the points."""
    found = tre(points, registered.camera_from_patient, truth.camera_from_patient)
    return {
        "initial_mtre_mm": float(tre(points, start.camera_from_patient, truth.camera_from_patient).mean()),
        "mtre_mm": float(found.mean()),
        "max_tre_mm": float(found.max()),
        "initial_mpd_mm": float(projection_distance(points, start, truth).mean()),
        "mpd_mm": float(projection_distance(points, registered, truth).mean()),
        "mrpd_mm": float(reprojection_distance(points, registered, truth).mean()),
    }
