"""A registration as DICOM: X-rays and DRRs with the geometry found, and how their frame lies to the CT's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.uid import generate_uid

from ..errors import InputError
from ..geometry import Camera, translation
from ..images import (
    SpatialRegistration,
    carm_for_dicom,
    write_dicom_line_integrals,
    write_spatial_registration,
)
from ..register import RegisteredView, groups
from ..render import Density
from .outcome import Outcome

_MEET_MM = 0.1  # central rays this near to each other have one isocenter


def write_dicom(folder: Path, outcome: Outcome, density: Density, tell: Callable[[str], None]) -> list[str]:
    """Write xray_<view>.dcm and drr_<view>.dcm (X-Ray Angiographic Images) of the views that DICOM can hold.

    Of a volume with a Frame of Reference UID, spatial_registration.dcm maps the X-rays' frames to it. An
    X-ray's frame has its origin in the isocenter and the axes of the volume's patient, LPS: in it, the angles
    in the X-ray's file say where source and detector are.

    Views of one rig share a frame of reference, as long as their central rays meet: DICOM places a C-arm by
    its isocenter. No patient's name is in the files; letters burned into an X-ray stay in its pixels.

    Args:
        tell: called with each step; an exception it raises ends the work.

    Returns:
        notices, one line each: the views that were left out or stand alone, and why.
    """
    notices, study, placed = [], generate_uid(), {}
    centre = outcome.registration.volume.grid.centre_patient
    views = {view.name: view for view in outcome.registration.views}
    for rig in groups([view.xray for view in views.values()]):
        together = []
        for xray in rig:
            try:
                carm_for_dicom(views[xray.name].camera, centre)
            except InputError as error:
                notices.append(f"{xray.name} is left out as DICOM: {str(error).split(' - ')[0]}")
            else:
                together.append(views[xray.name])
        isocenter, frame = _isocenter([view.camera for view in together], centre), generate_uid()
        if isocenter is None:
            names = " and ".join(view.name for view in together)
            notices.append(f"{names} stand alone as DICOM: their central rays do not meet")
        for view in together:
            tell(f"writing {view.name} as DICOM")
            near, uid = (centre, generate_uid()) if isocenter is None else (isocenter, frame)
            files = _write_view(folder, outcome, view, near, density, uid, study)
            alone = isocenter is None or len(together) == 1
            origin = np.array(carm_for_dicom(view.camera, near).isocenter) if alone else near
            placed.setdefault(uid, _Frame(origin, [])).files.extend(files)
    if placed and outcome.registration.volume.frame_of_reference_uid:
        _write_registration(folder / "spatial_registration.dcm", outcome, placed, study)
    return notices


@dataclass(frozen=True)
class _Frame:
    """The frame of reference of X-rays.

    Attributes:
        origin: (3,) patient, mm: the isocenter.
        files: that lie in it.
    """

    origin: np.ndarray
    files: list[Path]


def _write_registration(path: Path, outcome: Outcome, placed: dict[str, _Frame], study: str) -> None:
    rejected, standing = _standing(outcome)
    registration = SpatialRegistration(
        outcome.registration.volume.frame_of_reference_uid,
        {uid: translation(frame.origin) for uid, frame in placed.items()},
    )
    write_spatial_registration(
        path,
        registration,
        images={uid: frame.files for uid, frame in placed.items()},
        description=f"{rejected}{standing}",
        label="REJECTED" if rejected else "REGISTRATION",
        study_uid=study,
    )


def _standing(outcome: Outcome) -> tuple[str, str]:
    """ "REJECTED " or nothing, and what verdict and reviewer say."""
    decision = "not reviewed" if outcome.review is None else f"{outcome.review.decision} by the reviewer"
    rejected = "REJECTED " if decision.startswith("rejected") else ""
    return rejected, f"registration by xrayreg: {outcome.confidence.verdict}, {decision}"


def _write_view(
    folder: Path,
    outcome: Outcome,
    view: RegisteredView,
    near: np.ndarray,
    density: Density,
    frame: str,
    study: str,
) -> list[Path]:
    """The files that were written."""
    carm, spacing = carm_for_dicom(view.camera, near), view.camera.pixel_spacing_mm
    rejected, standing = _standing(outcome)
    state = f"{rejected}{standing}. Research use only."
    drr = outcome.drr(view.camera, density)
    files = []
    for kind, image, mask, what in (
        ("xray", view.xray.line_integrals, view.xray.mask, "X-ray with the geometry of a "),
        ("drr", drr, np.ones(drr.shape, bool), "SIMULATED X-ray (DRR of the volume) with the geometry of a "),
    ):
        files.append(folder / f"{kind}_{view.name}.dcm")
        write_dicom_line_integrals(
            files[-1],
            image,
            mask,
            carm,
            spacing,
            description=f"{rejected}{kind} {view.name}"[:64],
            comments=what + state,
            frame_of_reference_uid=frame,
            study_uid=study,
        )
    return files


def _isocenter(cameras: Sequence[Camera], centre: np.ndarray) -> np.ndarray | None:
    """(3,) patient, mm: where the central rays meet; of one alone ``centre``; None if they do not."""
    if len(cameras) < 2:
        return centre
    axes = np.stack([camera.patient_from_camera[:3, 2] for camera in cameras])
    across = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    away = np.einsum("vij,vj->vi", across, np.stack([camera.source_patient for camera in cameras]) - centre)
    step = np.linalg.lstsq(across.reshape(-1, 3), away.reshape(-1), rcond=None)[0]
    misses = np.linalg.norm(across @ step - away, axis=1)
    return centre + step if misses.max() <= _MEET_MM else None
