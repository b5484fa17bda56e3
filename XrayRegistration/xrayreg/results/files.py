"""A result as files: registration.json, transforms and pictures."""

import errno
import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..geometry import inverse
from ..overlays import overlay_picture, picture_camera
from ..register import RegisteredBody, RegisteredView
from ..render import Density
from .outcome import Outcome
from .registration_json import registration_json


@dataclass(frozen=True)
class Drawing:
    """A view as it is shown.

    Attributes:
        drr: [row, column] line integrals at the registered pose, in the pixels of the view's pictures.
        borders: of the structures in view, by label, in the same pixels.
        overlay: PNG of the X-ray with outlines and plan.
    """

    drr: np.ndarray
    borders: dict[int, np.ndarray]
    overlay: bytes


def write_registration(folder: Path, outcome: Outcome) -> None:
    """Write registration.json."""
    text = json.dumps(registration_json(outcome), indent=1) + "\n"
    (folder / "registration.json").write_text(text, encoding="utf-8")


def write_transform(folder: Path, view: RegisteredView) -> None:
    """Write camera_from_patient_<view>.tfm: an ITK transform of a patient point (LPS, mm) to the camera.

    Slicer reads it as a transform node whose matrix to the parent is the inverse, patient from camera.
    """
    _write_affine(folder / f"camera_from_patient_{view.name}.tfm", view.camera.camera_from_patient)


def write_body(folder: Path, body: RegisteredBody) -> None:
    """Write rest_from_patient_<body>.tfm: an ITK transform of a patient point to where it was at rest.

    What is put under it in Slicer goes where the body is now.
    """
    name = re.sub(r"[^\w.-]+", "_", body.name)
    _write_affine(folder / f"rest_from_patient_{name}.tfm", inverse(body.patient_from_rest))


def _write_affine(path: Path, matrix: np.ndarray) -> None:
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    try:
        sitk.WriteTransform(transform, str(path))
    except RuntimeError:  # ITK does not say why
        raise OSError(errno.EIO, "cannot be written", str(path)) from None


def draw(outcome: Outcome, view: RegisteredView, density: Density) -> Drawing:
    """Render and draw one view."""
    camera = picture_camera(view.camera)
    drr, borders = outcome.drr(camera, density), outcome.overlay.borders(camera)
    title = f"{view.name}: registered ({outcome.standing})"
    spread = outcome.noise(view.name).in_image
    canvas = overlay_picture(view.xray, view.camera, drr, outcome.overlay, title, spread, borders)
    return Drawing(drr, borders, canvas.png())


def write_overlay(folder: Path, view: RegisteredView, drawing: Drawing) -> None:
    """Write overlay_<view>.png."""
    (folder / f"overlay_{view.name}.png").write_bytes(drawing.overlay)
