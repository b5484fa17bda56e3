"""The slices of a DICOM CT series: one series, one grid, no gaps."""

from pathlib import Path

import numpy as np
import pydicom
import SimpleITK

from ..errors import InputError
from .dicom_tags import number, numbers, positive, read_dataset, tag_name, text

_TAGS = [
    "SOPClassUID",
    "Modality",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "InstanceNumber",
]
_EXPORT_AGAIN = "export the series again, complete, or save it as NRRD from 3D Slicer"
_POSITION_TOLERANCE_MM = 0.05


def sorted_slices(folder: Path) -> list[str]:
    """The files of the one CT series in a folder, ascending along the slice normal.

    Raises:
        InputError: for no or several series, another modality than CT, missing rescale tags, slices of
            different grids, and uneven, repeated or sheared slice positions (with the position).
    """
    files = _series_files(folder)
    slices = [read_dataset(Path(file), stop_before_pixels=True, specific_tags=_TAGS) for file in files]
    for dataset, file in zip(slices, files, strict=True):
        _check_slice(dataset, Path(file))
    _check_same_grid(slices, files)
    positions = np.array(
        [
            numbers(s, "ImagePositionPatient", 3, Path(f), _EXPORT_AGAIN)
            for s, f in zip(slices, files, strict=True)
        ]
    )
    row, column = np.array(slices[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    order = np.argsort(positions @ np.cross(row, column))
    _check_positions(positions[order], np.cross(row, column), folder)
    return [files[i] for i in order]


def _series_files(folder: Path) -> tuple[str, ...]:
    reader = SimpleITK.ImageSeriesReader()
    warnings = SimpleITK.ProcessObject.GetGlobalWarningDisplay()
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # an empty folder is our error, not ITK's warning
    try:
        series = reader.GetGDCMSeriesIDs(str(folder))
    finally:
        SimpleITK.ProcessObject.SetGlobalWarningDisplay(warnings)
    if not series:
        raise InputError(
            "no DICOM series in this folder",
            where=folder,
            remedy="give the folder that holds the slices themselves",
        )
    files = {uid: reader.GetGDCMSeriesFileNames(str(folder), uid) for uid in series}
    if len(series) > 1:
        listed = ", ".join(f"{uid} ({len(files[uid])} files)" for uid in series)
        raise InputError(
            f"{len(series)} DICOM series: {listed}",
            where=folder,
            remedy="leave the files of one in the folder",
        )
    return files[series[0]]


def _check_slice(dataset: pydicom.Dataset, file: Path) -> None:
    """One slice of a CT in Hounsfield units."""
    modality = text(dataset, "Modality", file, _EXPORT_AGAIN)
    if modality != "CT":
        raise InputError(
            f"{tag_name('Modality')} is {modality}, not CT",
            where=file,
            remedy="give a CT in Hounsfield units",
        )
    if int(dataset.get("NumberOfFrames") or 1) > 1:
        raise InputError(
            f"{tag_name('NumberOfFrames')} is {dataset.NumberOfFrames}: enhanced CT is not supported yet",
            where=file,
            remedy="save it as NRRD from 3D Slicer",
        )
    for keyword in ("RescaleSlope", "RescaleIntercept"):
        number(
            dataset, keyword, file, "without it the values are no Hounsfield units; export the series again"
        )
    unit = str(dataset.get("RescaleType") or "HU").strip().upper()
    if unit != "HU":
        raise InputError(
            f"{tag_name('RescaleType')} is {unit}, not HU", where=file, remedy="give a CT in Hounsfield units"
        )
    numbers(dataset, "ImageOrientationPatient", 6, file, _EXPORT_AGAIN)
    positive(dataset, "PixelSpacing", 2, file, _EXPORT_AGAIN)


def _check_same_grid(slices: list[pydicom.Dataset], files: tuple[str, ...]) -> None:
    for keyword, tolerance in (
        ("Rows", 0),
        ("Columns", 0),
        ("PixelSpacing", 1e-4),
        ("ImageOrientationPatient", 1e-4),
    ):
        first = np.array(slices[0].get(keyword), dtype=float)
        for dataset, file in zip(slices, files, strict=True):
            if not np.allclose(np.array(dataset.get(keyword), dtype=float), first, rtol=0, atol=tolerance):
                raise InputError(
                    f"{tag_name(keyword)} is {dataset.get(keyword)}, elsewhere {slices[0].get(keyword)}",
                    where=file,
                    remedy="leave one series of equal slices in the folder (no localizer)",
                )


def _check_positions(positions: np.ndarray, normal: np.ndarray, folder: Path) -> None:
    """Slice positions (n, 3), ascending along ``normal``, must be evenly spaced on one straight line."""
    tag = tag_name("ImagePositionPatient")
    if len(positions) < 2:
        raise InputError("only one slice", where=folder, remedy="give the whole series")
    along = positions @ normal
    steps = np.diff(along)
    usual = float(np.median(steps))
    tolerance = max(_POSITION_TOLERANCE_MM, 0.01 * usual)
    for step, start in zip(steps, along, strict=False):
        if step < _POSITION_TOLERANCE_MM:
            raise InputError(
                f"two slices at {start:.2f} mm along the normal ({tag})",
                where=folder,
                remedy="leave one of them",
            )
        if abs(step - usual) > tolerance:
            raise InputError(
                f"after the slice at {start:.2f} mm along the normal the next is {step:.2f} mm away, others "
                f"{usual:.2f} mm ({tag}): slices are missing or uneven",
                where=folder,
                remedy=_EXPORT_AGAIN,
            )
    offset = positions - positions[0]
    sideways = np.abs(offset - np.outer(offset @ normal, normal)).max()
    if sideways > 2 * _POSITION_TOLERANCE_MM:
        raise InputError(
            f"slices are shifted sideways by up to {sideways:.2f} mm ({tag}): a tilted gantry",
            where=folder,
            remedy="straighten it in 3D Slicer (acquisition geometry regularization) and save it as NRRD",
        )
