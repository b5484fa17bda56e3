"""The slices of a DICOM series on one grid: in order, complete, and where they say they are."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from .dicom_series import Series, shown_value
from .dicom_tags import has_value, number, numbers, positive, tag_name, text
from .size_guard import check_size
from .volume import Grid

EXPORT_AGAIN = "export the series again, complete, or save it as NRRD from 3D Slicer"

_POSITION_TOLERANCE_MM = 0.05
_MOST_TILT_DEG = 40.0  # gantries reach 30
_TILT_TOLERANCE_DEG = 1.0
_MODALITIES = {"ct": ("CT",), "mr": ("MR",), "mr-inverted": ("MR",), "vessels": ("CT", "MR")}


@dataclass(frozen=True)
class Slice:
    """One image of a series.

    Attributes:
        file: where its pixels are.
        frame: of a multi-frame file, counted from 1; else None.
        size: (columns, rows).
        spacing_mm: (between rows, between columns).
        orientation: (6,) directions of increasing column and row index, patient LPS.
        position: (3,) centre of its first pixel, patient LPS, mm.
        rescale: (slope, intercept) from stored values to HU.
        padding: the stored values, from and to, that are none; or None.
        acquisition: what tells it from another slice at its place, in words.
    """

    file: Path
    frame: int | None
    size: tuple[int, int]
    spacing_mm: tuple[float, float]
    orientation: np.ndarray
    position: np.ndarray
    rescale: tuple[float, float]
    padding: tuple[float, float] | None
    acquisition: str = ""

    @property
    def shown(self) -> str:
        return self.file.name if self.frame is None else f"{self.file.name} frame {self.frame}"


def check_image(header: pydicom.Dataset, file: Path, kind: str) -> None:
    """Raise InputError unless the file holds grey images of a modality that ``kind`` takes."""
    modality = text(header, "Modality", file, EXPORT_AGAIN)
    taken = _MODALITIES[kind]
    if modality not in taken:
        remedy = "give a CT in Hounsfield units" + (", or say --kind mr" if modality == "MR" else "")
        raise InputError(
            f"{tag_name('Modality')} is {modality}, not {' or '.join(taken)}",
            where=file,
            remedy=remedy if kind == "ct" else "say --kind ct if it is a CT",
        )
    if "LOCALIZER" in shown_value(header, "ImageType"):
        raise InputError(
            f"is a localizer ({tag_name('ImageType')})",
            where=file,
            remedy="give the slices, not the overview",
        )
    photometric = shown_value(header, "PhotometricInterpretation") or "MONOCHROME2"
    if not photometric.startswith("MONOCHROME") or shown_value(header, "SamplesPerPixel") not in ("", "1"):
        raise InputError(
            f"{tag_name('PhotometricInterpretation')} is {photometric}, not a grey image",
            where=file,
            remedy="give the slices, not pictures of them",
        )


def rescale_of(values: pydicom.Dataset, file: Path, kind: str) -> tuple[float, float]:
    """Slope and intercept; an MR may lack them, as its values have no unit.

    Raises:
        InputError: if a CT's are missing, or lead to another unit than HU.
    """
    if kind != "ct" and not has_value(values, "RescaleSlope"):
        return 1.0, 0.0
    remedy = "without it the values are no Hounsfield units; export the series again"
    slope, intercept = (
        number(values, keyword, file, remedy) for keyword in ("RescaleSlope", "RescaleIntercept")
    )
    unit = shown_value(values, "RescaleType").upper() or "HU"
    if kind == "ct" and unit != "HU":
        raise InputError(
            f"{tag_name('RescaleType')} is {unit}, not HU", where=file, remedy="give a CT in Hounsfield units"
        )
    if slope <= 0:
        raise InputError(
            f"{tag_name('RescaleSlope')} is {slope:g}, not positive", where=file, remedy=EXPORT_AGAIN
        )
    return slope, intercept


def size_of(header: pydicom.Dataset, file: Path) -> tuple[int, int]:
    """(columns, rows)."""
    columns, rows = (int(number(header, keyword, file, EXPORT_AGAIN)) for keyword in ("Columns", "Rows"))
    return columns, rows


def padding_of(header: pydicom.Dataset, file: Path) -> tuple[float, float] | None:
    """Stored values that stand for no value (PS3.3 C.7.5.1.1.2)."""
    if not has_value(header, "PixelPaddingValue"):
        return None
    keywords = [k for k in ("PixelPaddingValue", "PixelPaddingRangeLimit") if has_value(header, k)]
    ends = [number(header, keyword, file, EXPORT_AGAIN) for keyword in keywords]
    return min(ends), max(ends)


def slices_of(series: Series, kind: str) -> list[Slice]:
    """One slice for each file of a classic CT or MR series.

    Raises:
        InputError: naming the file, for another modality, localizers, colour, and missing or bad tags.
    """
    slices = []
    for header, file in zip(series.headers, series.files, strict=True):
        check_image(header, file, kind)
        slices.append(
            Slice(
                file,
                None,
                size_of(header, file),
                positive(header, "PixelSpacing", 2, file, EXPORT_AGAIN),
                np.array(numbers(header, "ImageOrientationPatient", 6, file, EXPORT_AGAIN)),
                np.array(numbers(header, "ImagePositionPatient", 3, file, EXPORT_AGAIN)),
                rescale_of(header, file, kind),
                padding_of(header, file),
                f"{tag_name('AcquisitionNumber')} {shown_value(header, 'AcquisitionNumber') or '-'}",
            )
        )
    return slices


def ordered(slices: list[Slice], folder: Path) -> tuple[list[Slice], Grid]:
    """The slices ascending along their normal, and their grid.

    The grid's third axis runs from position to position, not along the normal: a tilted gantry gives a
    sheared grid, which is exact, and needs no resampling.

    Raises:
        InputError: for slices of different grids, and for missing, repeated or uneven positions (naming
            position and file).
    """
    _check_same_grid(slices)
    first = slices[0]
    row, column = first.orientation.reshape(2, 3)
    normal = np.cross(row, column)
    if not np.allclose([row @ row, column @ column, row @ column], [1, 1, 0], rtol=0, atol=1e-3):
        raise InputError(
            f"{tag_name('ImageOrientationPatient')} is no pair of perpendicular directions of length 1",
            where=first.file,
            remedy=EXPORT_AGAIN,
        )
    if len(slices) < 2:
        raise InputError("only one slice", where=folder, remedy="give the whole series")
    size = (*first.size, len(slices))
    check_size(size, folder)
    slices = sorted(slices, key=lambda s: float(s.position @ normal))
    _check_steps(slices, normal, folder)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = row * first.spacing_mm[1], column * first.spacing_mm[0]
    affine[:3, 2] = _step(slices, folder)
    affine[:3, 3] = slices[0].position
    return slices, Grid(size, affine)


def tilt_notes(grid: Grid, series: Series) -> tuple[str, ...]:
    """What is to be said about a tilted gantry: by the positions and by Gantry/Detector Tilt (0018,1120).

    Raises:
        InputError: if the two contradict each other in slices that are as the scanner made them, or the
            slices are stacked more aslant than a gantry can stand.
    """
    step = grid.patient_from_index[:3, 2]
    normal = np.cross(grid.patient_from_index[:3, 0], grid.patient_from_index[:3, 1])
    aslant = float(
        np.degrees(np.arccos(min(1.0, step @ normal / np.linalg.norm(step) / np.linalg.norm(normal))))
    )
    tag, file, header = tag_name("GantryDetectorTilt"), series.files[0], series.headers[0]
    if aslant > _MOST_TILT_DEG:
        raise InputError(
            f"slices are stacked {aslant:.1f} degrees off their normal "
            f"({tag_name('ImagePositionPatient')}), more "
            "than a gantry tilts",
            where=file.parent,
            remedy=EXPORT_AGAIN,
        )
    notes = []
    sideways = np.sin(np.radians(aslant)) * float(np.linalg.norm(step)) * (grid.size[2] - 1)
    if sideways > 2 * _POSITION_TOLERANCE_MM:
        notes.append(
            f"slices are stacked {aslant:.1f} degrees off their normal, as a tilted gantry leaves them; "
            "used as they "
            "lie, not resampled"
        )
    if has_value(header, "GantryDetectorTilt"):
        tilt = abs(number(header, "GantryDetectorTilt", file, EXPORT_AGAIN))
        if abs(tilt - aslant) > _TILT_TOLERANCE_DEG:
            what = f"{tag} is {tilt:g} degrees, but slices are stacked {aslant:.1f} degrees aslant"
            if "DERIVED" not in shown_value(header, "ImageType"):
                raise InputError(
                    what,
                    where=file,
                    remedy="look in 3D Slicer whether the patient is sheared; if not, save it as NRRD",
                )
            notes.append(f"{what}; the positions are taken, as the slices are reformatted")
    return tuple(notes)


def _check_same_grid(slices: list[Slice]) -> None:
    first = slices[0]
    for keyword, field, tolerance in (
        ("Columns", "size", 0),
        ("PixelSpacing", "spacing_mm", 1e-4),
        ("ImageOrientationPatient", "orientation", 1e-4),
    ):
        usual = np.array(getattr(first, field), dtype=float)
        for each in slices:
            value = np.array(getattr(each, field), dtype=float)
            if not np.allclose(value, usual, rtol=0, atol=tolerance):
                shown, elsewhere = (", ".join(f"{x:g}" for x in v) for v in (value, usual))
                name = (
                    f"{tag_name('Columns')} x {tag_name('Rows')}"
                    if keyword == "Columns"
                    else tag_name(keyword)
                )
                raise InputError(
                    f"{name} is {shown}, in {first.shown} {elsewhere}",
                    where=each.file,
                    remedy="leave one series of equal slices in the folder (no localizer)",
                )


def _check_steps(slices: list[Slice], normal: np.ndarray, folder: Path) -> None:
    """No two slices at one place, no slice missing, one distance between neighbours."""
    along = np.array([s.position @ normal for s in slices])
    steps = np.diff(along)
    tag = tag_name("ImagePositionPatient")
    for n in np.flatnonzero(steps < _POSITION_TOLERANCE_MM):
        a, b = slices[n], slices[n + 1]
        runs = (
            f"; they differ in {a.acquisition} and {b.acquisition}" if a.acquisition != b.acquisition else ""
        )
        raise InputError(
            f"two slices at {along[n]:.2f} mm along the normal ({tag}): {a.shown} and {b.shown}{runs}",
            where=folder,
            remedy="export one acquisition or phase" if runs else "leave one of them",
        )
    usual = float(np.median(steps))
    tolerance = max(_POSITION_TOLERANCE_MM, 0.01 * usual)
    uneven = np.flatnonzero(np.abs(steps - usual) > tolerance)
    if not len(uneven):
        return
    places = "; ".join(
        f"after the slice at {along[n]:.2f} mm along the normal ({slices[n].shown}) the next is "
        f"{steps[n]:.2f} mm away"
        for n in uneven[:3]
    )
    more = f" and {len(uneven) - 3} more places" if len(uneven) > 3 else ""
    missing = np.round(steps[uneven] / usual) - 1
    in_runs = len(uneven) > 2 and np.ptp(steps[uneven]) < tolerance and (np.diff(uneven) == 1).all()
    if (missing >= 1).all() and not in_runs:
        raise InputError(
            f"{int(missing.sum())} slice(s) missing: {places}{more}, others {usual:.2f} mm ({tag})",
            where=folder,
            remedy=EXPORT_AGAIN,
        )
    raise InputError(
        f"unevenly spaced slices: {places}{more}, others {usual:.2f} mm ({tag})",
        where=folder,
        remedy="resample it in 3D Slicer (acquisition geometry regularization) and save it as NRRD",
    )


def _step(slices: list[Slice], folder: Path) -> np.ndarray:
    """(3,) mm from one slice to the next; all must lie on one straight line."""
    positions = np.array([s.position for s in slices])
    step = (positions[-1] - positions[0]) / (len(slices) - 1)
    numbers = np.arange(len(slices))[:, None]
    off = np.linalg.norm(positions - positions[0] - numbers * step, axis=1)
    worst = int(off.argmax())
    allowed = max(2 * _POSITION_TOLERANCE_MM, 0.02 * float(np.linalg.norm(step)))
    if off[worst] > allowed:
        raise InputError(
            f"{slices[worst].shown} lies {off[worst]:.2f} mm off the straight line through the slices "
            f"({tag_name('ImagePositionPatient')})",
            where=folder,
            remedy=EXPORT_AGAIN,
        )
    return step
