"""What the tags of a DICOM X-ray say of the C-arm, however little that is; the pixels are not read."""

from dataclasses import dataclass
from pathlib import Path

import pydicom

from .carm_angles import angles_of_frame, read_angles
from .dicom_decoding import frames_in
from .dicom_pixels import MODALITIES
from .dicom_tags import has_value, read_dataset
from .enhanced_xa import classic_frame, is_enhanced
from .xray_geometry import geometry_in_tags

_TURN = "PositionerIsocenterDetectorRotationAngle"


@dataclass(frozen=True)
class StatedCArm:
    """What an X-ray's tags say; None where they do not.

    Attributes:
        uid: SOP Instance UID (0008,0018), the name of the image.
        protocol: Series Description (0008,103E) and Protocol Name (0018,1030), as far as they are there.
        angles_deg: (primary, secondary) about the patient, as in `CArm`, of each frame.
        tertiary_deg: the turn of the detector.
        source_to_detector_mm, source_to_isocenter_mm: along the central ray.
        pixel_spacing_mm: (column, row) on the detector.
    """

    uid: str
    protocol: str
    angles_deg: tuple[tuple[float, float], ...] | None
    tertiary_deg: float | None
    source_to_detector_mm: float | None
    source_to_isocenter_mm: float | None
    pixel_spacing_mm: tuple[float, float] | None


def stated_carm(path: str | Path) -> StatedCArm | None:
    """Of an XA, RF, DX or CR image, also of one without geometry; None for other DICOM objects.

    Raises:
        InputError: if the file is no DICOM object, or a tag is malformed or contradicts another.
    """
    path = Path(path)
    dataset = read_dataset(path, stop_before_pixels=True)
    if str(dataset.get("Modality") or "") not in MODALITIES or "Rows" not in dataset:
        return None
    if is_enhanced(dataset):
        dataset = classic_frame(dataset, 1, path)
    found = geometry_in_tags(dataset, path)
    names = (str(dataset.get(each) or "").strip() for each in ("SeriesDescription", "ProtocolName"))
    angles, tertiary = None, None
    if None not in (found.primary_deg, found.secondary_deg):
        frames = frames_in(dataset, path)
        angles = tuple(angles_of_frame(dataset, n, frames, path) for n in range(1, frames + 1))
        tertiary = read_angles(dataset, path).tertiary if _says_turn(dataset) else None
    return StatedCArm(
        str(dataset.get("SOPInstanceUID") or path),
        " / ".join(dict.fromkeys(filter(None, names))),
        angles,
        tertiary,
        found.source_to_detector_mm,
        found.source_to_isocenter_mm,
        found.pixel_spacing_mm,
    )


def _says_turn(dataset: pydicom.Dataset) -> bool:
    return any(has_value(item, _TURN) for item in dataset.get("IsocenterReferenceSystemSequence") or ())
