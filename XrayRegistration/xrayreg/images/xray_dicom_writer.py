"""Writing X-rays as DICOM XA files with the complete C-arm geometry: simulated ones, and registered ones.

No public X-ray file has it all; the simulated ones stand in for them in tests, demonstrations and exports.
"""

from pathlib import Path

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import XRayAngiographicImageStorage, generate_uid

from .. import __version__
from ..errors import InputError
from ..geometry import Camera, CArm, carm_from_camera, is_feet_first
from .carm_angles import write_angles
from .dicom_intensity import LOG_RANGE
from .dicom_tags import decimal_string
from .field_of_view import write_field_of_view
from .new_dataset import new_dataset
from .orientation import stored_orientation
from .shutters import Shutter, write_shutter
from .turns import HALF, MIRRORED, Turn

_FRAME_TIME_MS = 66.7  # 15 frames a second
_FULL_SCALE = 65535
_OFF_CENTRE_PX = 1e-3


def carm_for_dicom(camera: Camera, near: np.ndarray) -> CArm:
    """The C-arm of any pose, as DICOM's tags hold it.

    Args:
        near: (3,) patient, mm, between source and detector; the isocenter is the central ray's point that is
            nearest to it.

    Raises:
        InputError: if the tags cannot hold this geometry: they put the principal point into the middle of the
            image, know no skew, and need the distance to the detector.
    """
    middle = [(n - 1) / 2 for n in camera.size]
    if not np.allclose(camera.K[:2, 2], middle, rtol=0, atol=_OFF_CENTRE_PX) or camera.K[0, 1] != 0:
        raise InputError(
            "DICOM XA tags cannot hold an off-centre principal point or a skew",
            remedy="write .nrrd with the camera file beside it",
        )
    axis = camera.patient_from_camera[:3, 2]
    return carm_from_camera(camera, float(axis @ (np.asarray(near) - camera.source_patient)))


def write_dicom_xray(
    path: str | Path,
    transmission: np.ndarray,
    carm: CArm,
    pixel_spacing_mm: tuple[float, float],
    *,
    flip_columns: bool = True,
    flip_rows: bool = False,
    field_of_view: Turn | None = None,
    patient_position: str = "HFS",
    principal_point: tuple[float, float] | None = None,
    shutter: Shutter | None = None,
    series_description: str = "simulated X-ray",
    patient_name: str = "Simulated^Xray",
    patient_id: str = "SIMULATED",
    frame_of_reference_uid: str | None = None,
    study_uid: str | None = None,
    angle_steps_deg: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Write an X-Ray Angiographic Image (explicit VR little endian, MONOCHROME2, LIN).

    Every file says that it is simulated. The isocenter is not in it: DICOM has no tag for that.

    Args:
        transmission: [row, column] uint16, proportional to the X-ray intensity, in the orientation of
            ``carm.camera``: as the source sees it. [frame, row, column] for a run of several.
        pixel_spacing_mm: (column, row) on the detector.
        flip_columns: store the image left-right flipped, as seen from the detector: what clinical systems
            do (patient's left on the right of a frontal image).
        flip_rows: store it up-down flipped.
        field_of_view: how the image that the detector sees is turned to be stored (Field of View Rotation and
            Horizontal Flip); in the place of the two flips, which are written so, too.
        patient_position: one of `geometry.PATIENT_POSITIONS`; the angles about the equipment depend on it.
        principal_point: (column, row) of ``transmission`` where the central ray meets it; its middle if None.
        shutter: the open part of ``transmission``; edges are rounded to whole pixels.
        frame_of_reference_uid: of the CT, where the two share a frame; a new one if None.
        study_uid: the study it belongs to; a new one if None.
        angle_steps_deg: by which the C-arm's (primary, secondary) angle changes from frame to frame.

    Raises:
        InputError: if the image is no uint16 [row, column] or [frame, row, column] array.
    """
    if transmission.dtype != np.uint16 or transmission.ndim not in (2, 3):
        raise InputError(
            f"the image is {transmission.dtype} of shape {transmission.shape}, not uint16 [row, column]",
            where=path,
        )
    shape = transmission.shape[-2:]
    stored = _stored_from_camera(flip_columns, flip_rows)
    if field_of_view is not None:
        stored = _detector_from_camera(patient_position).then(field_of_view)
    camera = carm.camera(shape[::-1], pixel_spacing_mm, principal_point)
    dataset = _identity(path, study_uid, frame_of_reference_uid)
    dataset.PatientName, dataset.PatientID = patient_name, patient_id
    dataset.Manufacturer = "xrayreg (simulation)"
    dataset.DerivationDescription = "Simulated X-ray computed from a CT by xrayreg; not an acquired image"
    dataset.ImageComments = "SIMULATED, not for diagnosis"
    dataset.SeriesDescription = series_description
    _describe_geometry(dataset, carm, camera, stored, patient_position)
    if shutter is not None:
        if stored.clockwise % 2:
            raise InputError("a shutter is not written into an image that is stored on its side", where=path)
        rows = stored.clockwise == 2
        write_shutter(dataset, shutter.flipped(shape, columns=stored.mirrored != rows, rows=rows))
    _store_pixels(dataset, stored.of(transmission), ("LIN", 1))
    if transmission.ndim == 3:
        _describe_run(dataset, len(transmission), angle_steps_deg)
    dataset.save_as(path, enforce_file_format=True)


def write_dicom_line_integrals(
    path: str | Path,
    line_integrals: np.ndarray,
    mask: np.ndarray,
    carm: CArm,
    pixel_spacing_mm: tuple[float, float],
    *,
    description: str,
    comments: str,
    frame_of_reference_uid: str,
    study_uid: str,
) -> None:
    """Write line integrals as X-Ray Angiographic Image (MONOCHROME2, LOG, sign -1), without a patient's name.

    Stored as seen from the detector. A pixel's value is 1 + (line integral - smallest) / step; the step is
    the one that `read_dicom_xray` takes for a LOG image (65535 steps are ln 1000), so that it reads the line
    integrals back but for a constant; where their range is larger than that, the step is larger, and reading
    gives them scaled. The step stands in Derivation Description (0008,2111), the isocenter, for which DICOM
    has no tag, in Image Comments (0020,4000).

    Args:
        line_integrals: [row, column], in the orientation of ``carm.camera``: as the source sees it.
        mask: [row, column] bool; pixels outside are padding (value 0).
        pixel_spacing_mm: (column, row) on the detector.
        description: Series Description, 64 characters at most.
        comments: what a reader must know first.
        frame_of_reference_uid: the same for views whose poses belong together.
    """
    inside = line_integrals[mask]
    lowest, span = float(inside.min()), float(inside.max() - inside.min())
    step = max(LOG_RANGE / _FULL_SCALE, span / (_FULL_SCALE - 1))
    values = np.where(mask, 1 + np.rint((np.where(mask, line_integrals, lowest) - lowest) / step), 0)
    dataset = _identity(path, study_uid, frame_of_reference_uid)
    dataset.Manufacturer, dataset.SoftwareVersions = "xrayreg", __version__
    dataset.SeriesDescription = description
    scale = f"line integral = {lowest - step:.9g} + {step:.9g} x pixel value"
    dataset.DerivationDescription = scale if mask.all() else f"{scale}; 0 is padding"
    place = ", ".join(f"{x:.6f}" for x in carm.isocenter)
    dataset.ImageComments = f"{comments} Isocenter at patient LPS ({place}) mm."
    camera = carm.camera(line_integrals.shape[::-1], pixel_spacing_mm)
    _describe_geometry(dataset, carm, camera, MIRRORED, None)
    if not mask.all():
        dataset.PixelPaddingValue = 0
    _store_pixels(dataset, MIRRORED.of(values.astype(np.uint16)), ("LOG", -1))
    dataset.save_as(path, enforce_file_format=True)


def _identity(path: str | Path, study_uid: str | None, frame_uid: str | None) -> FileDataset:
    """A new angiogram, without geometry and pixels."""
    dataset = new_dataset(path, XRayAngiographicImageStorage, study_uid)
    dataset.FrameOfReferenceUID = frame_uid or generate_uid()
    dataset.PositionReferenceIndicator = ""
    dataset.Modality = "XA"
    dataset.ImageType = ["DERIVED", "PRIMARY", "SINGLE PLANE"]
    dataset.AcquisitionDate, dataset.AcquisitionTime = dataset.ContentDate, dataset.ContentTime
    dataset.KVP, dataset.RadiationSetting = None, "GR"
    dataset.XRayTubeCurrent = dataset.ExposureTime = dataset.Exposure = None
    return dataset


def _stored_from_camera(flip_columns: bool, flip_rows: bool) -> Turn:
    return Turn(2 if flip_rows else 0, flip_columns != flip_rows)


def _detector_from_camera(patient_position: str) -> Turn:
    """From the image as the source sees it, head up, to the detector's own rows and columns."""
    return HALF.then(MIRRORED) if is_feet_first(patient_position) else MIRRORED


def _describe_geometry(
    dataset: Dataset, carm: CArm, camera: Camera, stored: Turn, patient_position: str | None
) -> None:
    """Set the tags of geometry and orientation.

    Args:
        stored: how the camera's image is turned to be stored.
        patient_position: None where it is not known; the angles about the equipment are then those of HFS.
    """
    column_mm, row_mm = spacing = stored.pair(camera.pixel_spacing_mm)
    dataset.PositionerMotion = "STATIC"
    dataset.DistanceSourceToDetector = decimal_string(carm.source_to_detector_mm)
    dataset.DistanceSourceToPatient = decimal_string(carm.source_to_isocenter_mm)
    dataset.EstimatedRadiographicMagnificationFactor = decimal_string(
        carm.source_to_detector_mm / carm.source_to_isocenter_mm
    )
    # DICOM: between rows first.
    dataset.ImagerPixelSpacing = [decimal_string(row_mm), decimal_string(column_mm)]
    angles = carm.primary_deg, carm.secondary_deg, carm.tertiary_deg
    write_angles(dataset, angles, patient_position or "HFS")
    if patient_position is None:
        del dataset.PatientPosition
    turn = _detector_from_camera(patient_position or "HFS").inverse.then(stored)
    size, point = stored.pair(camera.size), stored.point(tuple(camera.K[:2, 2]), camera.size)
    write_field_of_view(dataset, turn, point, size, spacing)
    letters = stored_orientation(camera.camera_from_patient, stored.inverse)
    dataset.PatientOrientation = list(letters)


def _describe_run(dataset: Dataset, frames: int, angle_steps_deg: tuple[float, float]) -> None:
    dataset.NumberOfFrames = frames
    dataset.FrameTime = decimal_string(_FRAME_TIME_MS)
    dataset.FrameIncrementPointer = tag_for_keyword("FrameTime")
    if any(angle_steps_deg):
        dataset.PositionerMotion = "DYNAMIC"
        primary, secondary = (
            [decimal_string(step * frame) for frame in range(frames)] for step in angle_steps_deg
        )
        dataset.PositionerPrimaryAngleIncrement = primary
        dataset.PositionerSecondaryAngleIncrement = secondary


def _store_pixels(dataset: Dataset, stored: np.ndarray, relationship: tuple[str, int]) -> None:
    """uint16 pixels; ``relationship`` to the intensity as in `dicom_pixels.line_integrals`."""
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = relationship
    low, high = int(stored.min()), int(stored.max())
    dataset.WindowCenter, dataset.WindowWidth = str((low + high) // 2), str(max(high - low, 1))
    dataset.PixelData = np.ascontiguousarray(stored, dtype="<u2").tobytes()
