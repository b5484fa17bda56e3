"""Writing simulated X-rays as DICOM XA files with the complete C-arm geometry.

No public X-ray file has it all; these files stand in for them in tests, demonstrations and exports.
"""

import datetime
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, XRayAngiographicImageStorage, generate_uid
from pydicom.valuerep import format_number_as_ds

from ..errors import InputError
from ..geometry import Camera, CArm
from .orientation import letters_of
from .shutters import Shutter, write_shutter
from .xray_dicom import DETECTOR_ROTATION_SIGN


def write_dicom_xray(
    path: str | Path,
    transmission: np.ndarray,
    carm: CArm,
    pixel_spacing_mm: tuple[float, float],
    *,
    flip_columns: bool = True,
    flip_rows: bool = False,
    shutter: Shutter | None = None,
    series_description: str = "simulated X-ray",
    patient_name: str = "Simulated^Xray",
    patient_id: str = "SIMULATED",
    frame_of_reference_uid: str | None = None,
    study_uid: str | None = None,
) -> None:
    """Write an X-Ray Angiographic Image (explicit VR little endian, MONOCHROME2, LIN).

    Every file says that it is simulated. The isocenter is not in it: DICOM has no tag for that.

    Args:
        transmission: [row, column] uint16, proportional to the X-ray intensity, in the orientation of
            ``carm.camera``: as the source sees it.
        pixel_spacing_mm: (column, row) on the detector.
        flip_columns: store the image left-right flipped, as seen from the detector: what clinical systems
            do (patient's left on the right of a frontal image).
        flip_rows: store it up-down flipped.
        shutter: the open part of ``transmission``; edges are rounded to whole pixels.
        frame_of_reference_uid: of the CT, where the two share a frame; a new one if None.
        study_uid: the study it belongs to; a new one if None.

    Raises:
        InputError: if the image is no uint16 [row, column] array.
    """
    if transmission.dtype != np.uint16 or transmission.ndim != 2:
        raise InputError(
            f"the image is {transmission.dtype} of shape {transmission.shape}, not uint16 [row, column]",
            where=path,
        )
    camera = carm.camera(transmission.shape[::-1], pixel_spacing_mm)
    dataset = _identity(path, study_uid, frame_of_reference_uid)
    dataset.PatientName, dataset.PatientID = patient_name, patient_id
    dataset.SeriesDescription = series_description
    _describe_geometry(dataset, carm, pixel_spacing_mm)
    dataset.PatientOrientation = _stored_orientation(camera, flip_columns, flip_rows)
    if shutter is not None:
        write_shutter(dataset, shutter.flipped(transmission.shape, columns=flip_columns, rows=flip_rows))
    stored = transmission[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
    _store_pixels(dataset, stored)
    dataset.save_as(path, enforce_file_format=True)


def _identity(path: str | Path, study_uid: str | None, frame_uid: str | None) -> FileDataset:
    """A new data set: patient, study, series, equipment and image, without geometry and pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = XRayAngiographicImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    now = datetime.datetime.now()
    dataset.SOPClassUID, dataset.SOPInstanceUID = (
        meta.MediaStorageSOPClassUID,
        meta.MediaStorageSOPInstanceUID,
    )
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StudyInstanceUID = study_uid or generate_uid()
    dataset.SeriesInstanceUID = generate_uid()
    dataset.FrameOfReferenceUID = frame_uid or generate_uid()
    dataset.PositionReferenceIndicator = ""
    dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = now.strftime("%Y%m%d")
    dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = now.strftime("%H%M%S")
    dataset.Modality, dataset.Manufacturer = "XA", "xrayreg (simulation)"
    dataset.ImageType = ["DERIVED", "PRIMARY", "SINGLE PLANE"]
    dataset.DerivationDescription = "Simulated X-ray computed from a CT by xrayreg; not an acquired image"
    dataset.ImageComments = "SIMULATED, not for diagnosis"
    for empty in ("PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber", "ReferringPhysicianName"):
        setattr(dataset, empty, "")
    dataset.SeriesNumber = dataset.InstanceNumber = "1"
    dataset.AcquisitionDate, dataset.AcquisitionTime = dataset.ContentDate, dataset.ContentTime
    dataset.KVP, dataset.RadiationSetting = None, "GR"
    dataset.XRayTubeCurrent = dataset.ExposureTime = dataset.Exposure = None
    return dataset


def _describe_geometry(dataset: Dataset, carm: CArm, pixel_spacing_mm: tuple[float, float]) -> None:
    column_mm, row_mm = pixel_spacing_mm
    dataset.PositionerMotion = "STATIC"
    dataset.DistanceSourceToDetector = _ds(carm.source_to_detector_mm)
    dataset.DistanceSourceToPatient = _ds(carm.source_to_isocenter_mm)
    dataset.EstimatedRadiographicMagnificationFactor = _ds(
        carm.source_to_detector_mm / carm.source_to_isocenter_mm
    )
    dataset.ImagerPixelSpacing = [_ds(row_mm), _ds(column_mm)]  # DICOM: between rows first
    dataset.PositionerPrimaryAngle = _ds(carm.primary_deg)
    dataset.PositionerSecondaryAngle = _ds(carm.secondary_deg)
    dataset.FieldOfViewRotation, dataset.FieldOfViewHorizontalFlip = "0", "NO"
    item = Dataset()
    item.PositionerIsocenterPrimaryAngle = carm.primary_deg
    item.PositionerIsocenterSecondaryAngle = carm.secondary_deg
    item.PositionerIsocenterDetectorRotationAngle = DETECTOR_ROTATION_SIGN * carm.tertiary_deg
    dataset.IsocenterReferenceSystemSequence = [item]


def _stored_orientation(camera: Camera, flip_columns: bool, flip_rows: bool) -> list[str]:
    """Patient Orientation (0020,0020) of the stored image."""
    row_direction, column_direction = camera.patient_from_camera[:3, :2].T
    return [
        letters_of(-row_direction if flip_columns else row_direction),
        letters_of(-column_direction if flip_rows else column_direction),
    ]


def _store_pixels(dataset: Dataset, stored: np.ndarray) -> None:
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 0
    dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "LIN", 1
    low, high = int(stored.min()), int(stored.max())
    dataset.WindowCenter, dataset.WindowWidth = str((low + high) // 2), str(max(high - low, 1))
    dataset.PixelData = np.ascontiguousarray(stored, dtype="<u2").tobytes()


def _ds(value: float) -> str:
    """A decimal string of at most 16 characters, the most exact that DICOM allows."""
    return format_number_as_ds(float(value))
