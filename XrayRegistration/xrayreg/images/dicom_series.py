"""The series of DICOM slices in a folder, and the choice of one."""

from dataclasses import dataclass, replace
from pathlib import Path

import pydicom

from ..errors import InputError
from .dicom_tags import is_dicom_file

_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality",
    "ImageType", "NumberOfFrames", "Rows", "Columns", "PixelSpacing", "ImageOrientationPatient",
    "ImagePositionPatient", "FrameOfReferenceUID", "GantryDetectorTilt", "RescaleSlope", "RescaleIntercept",
    "RescaleType", "PixelPaddingValue", "PixelPaddingRangeLimit", "PhotometricInterpretation",
    "SamplesPerPixel", "AcquisitionNumber", "TemporalPositionIdentifier", "PatientPosition",
]  # fmt: skip
_VOLUME_MODALITIES = ("CT", "MR")
_GIVE_FOLDER = "give the folder that holds the slices themselves"
_MOST_FILES = 20_000


@dataclass(frozen=True)
class Series:
    """Files of one Series Instance UID.

    Attributes:
        headers: one data set for each of ``files``, without pixels.
        others: how many more files lie in the folder that were left out.
    """

    uid: str
    files: tuple[Path, ...]
    headers: tuple[pydicom.Dataset, ...]
    others: int = 0

    @property
    def modality(self) -> str:
        return shown_value(self.headers[0], "Modality").upper() or "?"

    @property
    def is_localizer(self) -> bool:
        return any("LOCALIZER" in shown_value(header, "ImageType") for header in self.headers)

    @property
    def shown(self) -> str:
        """For people, without anything about the patient: number of slices, number, description, UID."""
        first = self.headers[0]
        frames = sum(_frames(header) for header in self.headers)
        number, description = (shown_value(first, k) for k in ("SeriesNumber", "SeriesDescription"))
        number = f"no. {number}, " if number else ""
        name = f"'{description}', " if description else ""
        kind = f"{self.modality} localizer" if self.is_localizer else self.modality
        return f"{number}{name}{frames} {kind} image{'s' if frames != 1 else ''}, {self.uid}"


def find_series(folder: Path) -> list[Series]:
    """All series in a folder and the folders below it (as of exports with a DICOMDIR), by number and UID.

    Files that are no DICOM images are left out.

    Raises:
        InputError: if there is none, or there are more than 20000 files.
    """
    grouped: dict[str, list[tuple[Path, pydicom.Dataset]]] = {}
    for file in _files_below(folder):
        header = _header(file)
        uid = "" if header is None else shown_value(header, "SeriesInstanceUID")
        if uid and "Rows" in header:
            grouped.setdefault(uid, []).append((file, header))
    if not grouped:
        raise InputError("no DICOM series in this folder", where=folder, remedy=_GIVE_FOLDER)
    series = [Series(uid, *zip(*pairs, strict=True)) for uid, pairs in grouped.items()]
    return sorted(series, key=lambda s: (_number(s), s.uid))


def choose_series(folder: Path, wanted: str | None = None) -> Series:
    """The series of a folder that is a volume.

    Without ``wanted`` there must be one series alone; localizers and other modalities beside it count too,
    as none is left out in silence.

    Args:
        wanted: its Series Number, its UID, or the end of its UID.

    Raises:
        InputError: listing the series if it is not plain which one is meant.
    """
    found = find_series(folder)
    listed = "; ".join(series.shown for series in found)
    if wanted is None:
        if len(found) > 1:
            best = max(
                found, key=lambda s: (s.modality in _VOLUME_MODALITIES and not s.is_localizer, len(s.files))
            )
            raise InputError(
                f"{len(found)} DICOM series: {listed}",
                where=folder,
                remedy=f"choose one by its number or the end of its UID: --series {_short_name(best, found)}",
            )
        return found[0]
    numbered = [series for series in found if wanted == _number_text(series)]
    fitting = numbered or [series for series in found if series.uid.endswith(wanted)]
    exact = [series for series in found if series.uid == wanted]
    if len(exact or fitting) != 1:
        many = "several series" if fitting else "no series"
        raise InputError(
            f"{many} with the number or UID ending '{wanted}'; there are: {listed}",
            where=folder,
            remedy="give --series the whole UID",
        )
    (chosen,) = exact or fitting
    others = sum(len(series.files) for series in found) - len(chosen.files)
    return replace(chosen, others=others)


def one_file(file: Path) -> Series:
    """The series that one DICOM file is, as an enhanced CT of many frames.

    Raises:
        InputError: if it is one slice of many.
    """
    header = read_header(file, _TAGS)
    if _frames(header) < 2:
        raise InputError("is one DICOM file", where=file, remedy="give the folder of the series")
    return Series(shown_value(header, "SeriesInstanceUID"), (file,), (header,))


def _files_below(folder: Path) -> list[Path]:
    """Regular files, in the order of their paths; linked folders are not followed, so that loops end."""
    files: list[Path] = []
    waiting = [folder]
    while waiting:
        for entry in _entries(waiting.pop()):
            if entry.is_dir() and not entry.is_symlink():
                waiting.append(entry)
            elif entry.is_file():
                files.append(entry)
        if len(files) > _MOST_FILES:
            raise InputError(f"more than {_MOST_FILES} files", where=folder, remedy=_GIVE_FOLDER)
    return sorted(files)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=folder, remedy=_GIVE_FOLDER) from None


def _header(file: Path) -> pydicom.Dataset | None:
    """Without pixels; None if it is no DICOM file.

    A damaged one is refused: the series may lack it at its end, where nobody would see it.
    """
    if is_dicom_file(file):
        return read_header(file, _TAGS)
    try:
        bare = pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=["SOPClassUID"])
    except PermissionError:
        raise InputError("may not be read", where=file, remedy="check its permissions") from None
    except Exception:  # a file of any kind, read as what it is not
        bare = {}
    if "SOPClassUID" in bare:
        return read_header(file, _TAGS)
    if file.suffix.lower() == ".dcm":
        raise InputError(
            "is no DICOM file, whatever its ending", where=file, remedy="export the series again, complete"
        )
    return None


def read_header(file: Path, tags: list[str]) -> pydicom.Dataset:
    """Some tags of a DICOM file, without pixels.

    Raises:
        InputError: if any of them is damaged: pydicom would tell only when the value is asked for.
    """
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, force=True, specific_tags=tags)
        for _ in header.iterall():
            pass
    except Exception as error:  # pydicom has many kinds
        raise InputError(
            f"cannot be read as DICOM ({error})", where=file, remedy="export the series again, complete"
        ) from None
    return header


def _number(series: Series) -> int:
    text = _number_text(series)
    return int(text) if text.lstrip("-").isdigit() else 0


def _number_text(series: Series) -> str:
    return shown_value(series.headers[0], "SeriesNumber")


def _short_name(series: Series, among: list[Series]) -> str:
    """Its number if no other has it, else its UID."""
    number = _number_text(series)
    return number if number and sum(_number_text(s) == number for s in among) == 1 else series.uid


def _frames(header: pydicom.Dataset) -> int:
    frames = shown_value(header, "NumberOfFrames")
    return max(1, int(frames)) if frames.isdigit() else 1


def shown_value(header: pydicom.Dataset, keyword: str) -> str:
    """The value as text, empty where there is none."""
    return str(header.get(keyword) or "").strip()
