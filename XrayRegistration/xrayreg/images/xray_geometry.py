"""The C-arm geometry of one X-ray as people know it: what the file says, and what is given by hand."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import pydicom

from ..errors import InputError
from ..geometry import CameraFile, CArm
from .carm_angles import angles_shown, detector_is_placed, forget_equipment_angles
from .carm_distances import has_pixel_spacing, spacing_on_detector
from .dicom_tags import decimal_string, has_value, is_dicom_file, positive, read_dataset, tag_name
from .enhanced_xa import classic_frame, is_enhanced
from .field_of_view import stored_from_detector
from .itk_files import ITK_SUFFIXES, suffix_of
from .pictures import PICTURE_SUFFIXES

IN_THE_FILE = "file"
"""What `intensity` and `seen_from` are where the DICOM file itself says it."""

_NAMES = {
    "source_to_detector_mm": "source-to-detector distance",
    "source_to_isocenter_mm": "source-to-isocenter distance",
    "pixel_spacing_mm": "pixel spacing",
    "primary_deg": "primary angle",
    "secondary_deg": "secondary angle",
    "intensity": "meaning of the values",
    "seen_from": "side from which it is seen",
}


TAGS = {
    "source_to_detector_mm": tag_name("DistanceSourceToDetector"),
    "source_to_isocenter_mm": tag_name("DistanceSourceToPatient"),
    "pixel_spacing_mm": tag_name("ImagerPixelSpacing"),
    "primary_deg": tag_name("PositionerPrimaryAngle"),
    "secondary_deg": tag_name("PositionerSecondaryAngle"),
    "intensity": tag_name("PixelIntensityRelationship"),
    "seen_from": tag_name("PatientOrientation"),
}
"""Where a DICOM file says it."""


@dataclass(frozen=True)
class XrayGeometry:
    """The geometry of an X-ray; None is unknown.

    Attributes:
        source_to_detector_mm, source_to_isocenter_mm: along the central ray.
        pixel_spacing_mm: (column, row) on the detector.
        primary_deg: where the detector is about the patient: LAO positive, RAO negative.
        secondary_deg: cranial positive, caudal negative.
        intensity: "transmission" (bright = little attenuation), "line_integral", or `IN_THE_FILE`.
        seen_from: "source"; "detector", as clinical systems show it (patient's left on the right of a frontal
            image); or `IN_THE_FILE`.
    """

    source_to_detector_mm: float | None = None
    source_to_isocenter_mm: float | None = None
    pixel_spacing_mm: tuple[float, float] | None = None
    primary_deg: float | None = None
    secondary_deg: float | None = None
    intensity: str | None = None
    seen_from: str | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """The names, for people, of what is unknown."""
        return tuple(_NAMES[each.name] for each in fields(self) if getattr(self, each.name) is None)

    def differing(self, other: XrayGeometry) -> tuple[str, ...]:
        """The attributes in which the two differ."""
        names = (each.name for each in fields(self))
        return tuple(name for name in names if getattr(self, name) != getattr(other, name))

    def resolved(self, found: XrayGeometry) -> XrayGeometry:
        """With what the file is said to say itself, which is unknown if it does not: see `IN_THE_FILE`."""
        names = [name for name in ("intensity", "seen_from") if getattr(self, name) == IN_THE_FILE]
        return replace(self, **{name: getattr(found, name) for name in names})

    def carm(self, isocenter: tuple[float, float, float], where: object = None) -> CArm:
        """The C-arm with its isocenter at (3,), patient LPS, mm.

        Raises:
            InputError: names what is missing or impossible.
        """
        if self.missing:
            what = f"its geometry is incomplete: {', '.join(self.missing)}"
            raise InputError(what, where=where, remedy="fill it in, or give a camera file")
        if min(self.source_to_detector_mm, self.source_to_isocenter_mm, *self.pixel_spacing_mm) <= 0:
            raise InputError("distances and pixel spacing must be above 0", where=where)
        return CArm(
            self.source_to_detector_mm,
            self.source_to_isocenter_mm,
            self.primary_deg,
            self.secondary_deg,
            isocenter=isocenter,
        )


def geometry_found(path: str | Path) -> XrayGeometry:
    """What an X-ray file says about its geometry; nothing of it is guessed, and only DICOM files say any.

    Of a run of several frames, it is that of the first.

    Raises:
        InputError: if the file is missing, or a tag that is there is malformed.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", where=path)
    if not is_dicom(path):
        return XrayGeometry()
    dataset = read_dataset(path, stop_before_pixels=True)
    return geometry_in_tags(classic_frame(dataset, 1, path) if is_enhanced(dataset) else dataset, path)


def geometry_in_tags(dataset: pydicom.Dataset, where: Path) -> XrayGeometry:
    """As `geometry_found`, of a data set."""

    def distance(*keywords: str):
        there = [name for name in keywords if has_value(dataset, name)]
        return positive(dataset, there[0], 1, where)[0] if there else None

    relationship = str(dataset.get("PixelIntensityRelationship") or "").strip().upper()
    return XrayGeometry(
        distance("DistanceSourceToDetector"),
        distance("DistanceSourceToIsocenter", "DistanceSourceToPatient"),
        spacing_on_detector(dataset, where) if has_pixel_spacing(dataset) else None,
        *angles_shown(dataset, where),
        IN_THE_FILE if relationship in ("LIN", "LOG") else None,
        IN_THE_FILE if says_how_it_lies(dataset, where) else None,
    )


def says_how_it_lies(dataset: pydicom.Dataset, where: Path) -> bool:
    """Whether a file says how its image lies in the patient.

    Patient Orientation (0020,0020) does. Without it, Enhanced XA does by the field of view on a detector of
    which all angles are known: only there the standard says from which side a detector's rows are counted.
    """
    if has_value(dataset, "PatientOrientation"):
        return True
    by_detector = is_enhanced(dataset) and detector_is_placed(dataset, where)
    return by_detector and stored_from_detector(dataset, where) is not None


def write_into_tags(dataset: pydicom.Dataset, geometry: XrayGeometry, where: Path) -> tuple[str, ...]:
    """Make the tags say the numbers that were given by hand, where they differ.

    Returns:
        A note, for people, that names what was given by hand; empty if nothing was.

    Raises:
        InputError: if ``geometry`` is incomplete.
    """
    found = geometry_in_tags(dataset, where)
    geometry = geometry.resolved(found)
    geometry.carm((0.0, 0.0, 0.0), where)  # checks it
    changes = geometry.differing(found)
    if not changes:
        return ()
    _forget_what_hands_replaced(dataset, changes)
    values = {
        "DistanceSourceToDetector": ("source_to_detector_mm", [geometry.source_to_detector_mm]),
        "DistanceSourceToPatient": ("source_to_isocenter_mm", [geometry.source_to_isocenter_mm]),
        "ImagerPixelSpacing": ("pixel_spacing_mm", geometry.pixel_spacing_mm[::-1]),
        "PositionerPrimaryAngle": ("primary_deg", [geometry.primary_deg]),
        "PositionerSecondaryAngle": ("secondary_deg", [geometry.secondary_deg]),
    }
    for keyword, (name, numbers) in values.items():
        if name in changes:
            setattr(dataset, keyword, [decimal_string(x) for x in numbers])
    return (f"given by hand: {', '.join(_NAMES[name] for name in changes)}",)


def _forget_what_hands_replaced(dataset: pydicom.Dataset, changes: tuple[str, ...]) -> None:
    """Take out the tags that say the old numbers in other words."""
    gone = []
    if {"source_to_detector_mm", "source_to_isocenter_mm"} & set(changes):
        gone += ["EstimatedRadiographicMagnificationFactor"]
    if "source_to_isocenter_mm" in changes:
        gone += ["DistanceSourceToIsocenter"]
    if "pixel_spacing_mm" in changes:
        gone += ["PixelSpacing", "FieldOfViewDimensions", "FieldOfViewDimensionsInFloat"]
    for keyword in gone:
        if keyword in dataset:
            delattr(dataset, keyword)
    if {"primary_deg", "secondary_deg"} & set(changes):
        forget_equipment_angles(dataset)


def camera_file_from(
    geometry: XrayGeometry, size: tuple[int, int], isocenter: tuple[float, float, float], where: object = None
) -> CameraFile:
    """A picture's camera file from its C-arm geometry; the principal point is the image centre.

    Args:
        size: (columns, rows).
        isocenter: (3,) patient LPS, mm.

    Raises:
        InputError: names what is missing or impossible.
    """
    camera = geometry.carm(isocenter, where).camera(size, geometry.pixel_spacing_mm)
    return CameraFile(
        size,
        camera.K,
        camera.camera_from_patient,
        source_to_detector_mm=camera.source_to_detector_mm,
        intensity=geometry.intensity,
    )


def is_dicom(path: Path) -> bool:
    """By the DICM mark, whatever the ending; files without preamble need an ending of no other format."""
    return is_dicom_file(path) or suffix_of(path, ITK_SUFFIXES + PICTURE_SUFFIXES) is None
