"""The C-arm geometry of one X-ray as people know it: what the file says, and what is given by hand."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

import pydicom
from pydicom.valuerep import format_number_as_ds

from ..errors import InputError
from ..geometry import CameraFile, CArm
from .dicom_tags import has_value, number, positive, read_dataset
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

    Raises:
        InputError: if the file is missing, or a tag that is there is malformed.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", where=path)
    return (
        geometry_in_tags(read_dataset(path, stop_before_pixels=True), path)
        if is_dicom(path)
        else XrayGeometry()
    )


def geometry_in_tags(dataset: pydicom.Dataset, where: Path) -> XrayGeometry:
    """As `geometry_found`, of a data set."""

    def maybe(keyword: str, count: int):
        return positive(dataset, keyword, count, where) if has_value(dataset, keyword) else None

    def angle(keyword: str):
        return number(dataset, keyword, where) if has_value(dataset, keyword) else None

    distances = [maybe(name, 1) for name in ("DistanceSourceToDetector", "DistanceSourceToPatient")]
    spacing = maybe("ImagerPixelSpacing", 2)
    relationship = str(dataset.get("PixelIntensityRelationship") or "").strip().upper()
    return XrayGeometry(
        *(distance and distance[0] for distance in distances),
        spacing and spacing[::-1],  # DICOM: between rows first
        angle("PositionerPrimaryAngle"),
        angle("PositionerSecondaryAngle"),
        IN_THE_FILE if relationship in ("LIN", "LOG") else None,
        IN_THE_FILE if has_value(dataset, "PatientOrientation") else None,
    )


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
    values = {
        "DistanceSourceToDetector": ("source_to_detector_mm", [geometry.source_to_detector_mm]),
        "DistanceSourceToPatient": ("source_to_isocenter_mm", [geometry.source_to_isocenter_mm]),
        "ImagerPixelSpacing": ("pixel_spacing_mm", geometry.pixel_spacing_mm[::-1]),
        "PositionerPrimaryAngle": ("primary_deg", [geometry.primary_deg]),
        "PositionerSecondaryAngle": ("secondary_deg", [geometry.secondary_deg]),
    }
    for keyword, (name, numbers) in values.items():
        if name in changes:
            setattr(dataset, keyword, [format_number_as_ds(float(x)) for x in numbers])
    return (f"given by hand: {', '.join(_NAMES[name] for name in changes)}",)


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
    with path.open("rb") as file:
        head = file.read(132)
    return head[128:] == b"DICM" or suffix_of(path, ITK_SUFFIXES + PICTURE_SUFFIXES) is None
