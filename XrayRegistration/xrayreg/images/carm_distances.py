"""Distances and pixel spacing of a DICOM X-ray, checked against each other."""

from pathlib import Path

import pydicom

from ..errors import InputError
from .dicom_tags import USE_CAMERA_FILE, has_value, positive, tag_name

_AGREE = 0.02  # two tags that say the same may differ by this fraction
_CORRECT = f"correct the tag that is wrong, or {USE_CAMERA_FILE}"


def distances_mm(dataset: pydicom.Dataset, where: Path) -> tuple[float, float]:
    """From the source to the detector and to the isocenter, along the central ray.

    Distance Source to Patient (0018,1111) of X-Ray Angiography is that to the isocenter (PS3.3 C.8.7.5), for
    which Enhanced XA has its own, Distance Source to Isocenter (0018,9402).

    Raises:
        InputError: if one is missing, if they contradict each other, or if they contradict Estimated
            Radiographic Magnification Factor (0018,1114) by more than 2 %.
    """
    (to_detector,) = positive(dataset, "DistanceSourceToDetector", 1, where)
    names = ("DistanceSourceToIsocenter", "DistanceSourceToPatient")
    there = [name for name in names if has_value(dataset, name)] or ["DistanceSourceToPatient"]
    to_isocenter, *other = (positive(dataset, name, 1, where)[0] for name in there)
    if other and not _alike(to_isocenter, other[0]):
        raise InputError(
            f"{tag_name(there[0])} is {to_isocenter:g} mm, but {tag_name(there[1])} is {other[0]:g} mm",
            where=where,
            remedy=_CORRECT,
        )
    if to_isocenter >= to_detector:
        raise InputError(
            f"{tag_name(there[0])} {to_isocenter:g} mm is not below "
            f"{tag_name('DistanceSourceToDetector')} {to_detector:g} mm",
            where=where,
            remedy=USE_CAMERA_FILE,
        )
    keyword = "EstimatedRadiographicMagnificationFactor"
    if has_value(dataset, keyword):
        (magnification,) = positive(dataset, keyword, 1, where)
        if not _alike(magnification, to_detector / to_isocenter):
            raise InputError(
                f"{tag_name(keyword)} is {magnification:g}, but {tag_name('DistanceSourceToDetector')} "
                f"{to_detector:g} mm and {tag_name(there[0])} {to_isocenter:g} mm make "
                f"{to_detector / to_isocenter:.4g}",
                where=where,
                remedy=_CORRECT,
            )
    return to_detector, to_isocenter


def distance_notes(dataset: pydicom.Dataset, where: Path) -> tuple[str, ...]:
    """What is to be said of the distance to the isocenter where it may be another one."""
    tag = tag_name("DistanceSourceToPatient")
    if has_value(dataset, "DistanceSourceToIsocenter"):
        return ()
    if str(dataset.get("Modality")) in ("DX", "CR"):
        what = f"of {dataset.Modality} the distance to the patient's support"
        return (f"the start's depth is {tag}, {what}",)
    entrance, to_patient = "DistanceSourceToEntrance", dataset.get("DistanceSourceToPatient")
    if has_value(dataset, entrance) and positive(dataset, entrance, 1, where)[0] >= float(to_patient):
        return (
            f"{tag_name(entrance)} {dataset.get(entrance):g} mm is not below {tag} {to_patient:g} mm: the "
            "beam enters the patient behind the isocenter, or one of the two is wrong",
        )
    return ()


def pixel_spacing_mm(dataset: pydicom.Dataset, where: Path) -> tuple[tuple[float, float], tuple[str, ...]]:
    """(column, row) spacing on the detector, and notes.

    That is Imager Pixel Spacing (0018,1164). Where it is missing, Pixel Spacing (0028,0030) is brought back
    to the detector by Estimated Radiographic Magnification Factor (0018,1114), if Pixel Spacing Calibration
    Type (0028,0A02) says that it was corrected for geometric magnification (GEOMETRY); PS3.3 10.7.1.3.

    Raises:
        InputError: if there is no spacing of the detector, or if the two contradict each other.
    """
    spacing = spacing_on_detector(dataset, where)
    if has_value(dataset, "ImagerPixelSpacing"):
        return spacing, _compared(dataset, spacing[::-1], where)
    note = (
        f"pixel spacing on the detector computed as {tag_name('PixelSpacing')} x "
        f"{tag_name('EstimatedRadiographicMagnificationFactor')}"
    )
    return spacing, (note,)


def spacing_on_detector(dataset: pydicom.Dataset, where: Path) -> tuple[float, float]:
    """As `pixel_spacing_mm`, without comparing it with other tags."""
    if has_value(dataset, "ImagerPixelSpacing"):
        row_mm, column_mm = positive(dataset, "ImagerPixelSpacing", 2, where)
        return column_mm, row_mm
    if not has_pixel_spacing(dataset):
        there = ""
        if has_value(dataset, "PixelSpacing"):
            there = (
                f"; {tag_name('PixelSpacing')} helps only with {tag_name('PixelSpacingCalibrationType')} "
                f"GEOMETRY and {tag_name('EstimatedRadiographicMagnificationFactor')}"
            )
        state = "empty" if "ImagerPixelSpacing" in dataset else "missing"
        raise InputError(
            f"{tag_name('ImagerPixelSpacing')} is {state}{there}", where=where, remedy=USE_CAMERA_FILE
        )
    row_mm, column_mm = positive(dataset, "PixelSpacing", 2, where)
    (magnification,) = positive(dataset, "EstimatedRadiographicMagnificationFactor", 1, where)
    return column_mm * magnification, row_mm * magnification


def has_pixel_spacing(dataset: pydicom.Dataset) -> bool:
    """Whether a data set says the spacing on the detector: see `pixel_spacing_mm`."""
    if has_value(dataset, "ImagerPixelSpacing"):
        return True
    names = ("PixelSpacing", "EstimatedRadiographicMagnificationFactor")
    return all(has_value(dataset, name) for name in names) and _calibration(dataset) == "GEOMETRY"


def _compared(dataset: pydicom.Dataset, imager: tuple[float, float], where: Path) -> tuple[str, ...]:
    """Notes on Pixel Spacing beside Imager Pixel Spacing, (row, column) each.

    Pixel Spacing is that of the detector if it is not corrected, or that of a plane nearer to the source. Of
    the isocenter's plane (GEOMETRY) it is the detector's divided by the magnification.
    """
    if not has_value(dataset, "PixelSpacing"):
        return ()
    spacing = positive(dataset, "PixelSpacing", 2, where)
    ratios = [one / on_detector for one, on_detector in zip(spacing, imager, strict=True)]
    magnification = _magnification(dataset, where)
    geometry = _calibration(dataset) == "GEOMETRY" and magnification is not None
    shown = (
        f"{tag_name('PixelSpacing')} is {spacing[0]:g}\\{spacing[1]:g} mm, but "
        f"{tag_name('ImagerPixelSpacing')} {imager[0]:g}\\{imager[1]:g} mm"
    )
    if not _alike(ratios[0], ratios[1]) or max(ratios) > 1 + _AGREE:
        raise InputError(
            f"{shown}, which no plane between source and detector has", where=where, remedy=_CORRECT
        )
    if _alike(ratios[0], 1) or (magnification is not None and _alike(ratios[0] * magnification, 1)):
        return ()
    if geometry:
        raise InputError(
            f"{shown} divided by the magnification {magnification:.4g} is "
            f"{imager[0] / magnification:.4g}\\{imager[1] / magnification:.4g} mm",
            where=where,
            remedy=_CORRECT,
        )
    return (
        f"{tag_name('PixelSpacing')} {spacing[0]:g}\\{spacing[1]:g} mm is not used: it belongs to a plane at "
        f"{ratios[0]:.0%} of the way from the source to the detector",
    )


def _magnification(dataset: pydicom.Dataset, where: Path) -> float | None:
    if has_value(dataset, "EstimatedRadiographicMagnificationFactor"):
        return positive(dataset, "EstimatedRadiographicMagnificationFactor", 1, where)[0]
    names = ("DistanceSourceToDetector", "DistanceSourceToPatient")
    if not all(has_value(dataset, name) for name in names):
        return None
    to_detector, to_isocenter = (positive(dataset, name, 1, where)[0] for name in names)
    return to_detector / to_isocenter


def _calibration(dataset: pydicom.Dataset) -> str:
    return str(dataset.get("PixelSpacingCalibrationType") or "").strip().upper()


def _alike(one: float, other: float) -> bool:
    return abs(one / other - 1) <= _AGREE
