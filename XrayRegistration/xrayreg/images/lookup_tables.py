"""Lookup tables in DICOM X-rays: Modality LUT and Pixel Intensity Relationship LUT."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from .dicom_decoding import SAVE_AS_PICTURE
from .dicom_tags import has_value, items_of, numbers, tag_name

_NO_INTENSITIES = ("HU", "OD")  # CT numbers; optical densities of a film, whose curve is unknown


@dataclass(frozen=True)
class LookupTable:
    """values[n] is the output for the stored value first + n; beyond its ends the end values hold.

    Attributes:
        name: the sequence it comes from, for people.
        values: (n,) float64.
    """

    name: str
    first: int
    values: np.ndarray

    def apply(self, stored: np.ndarray) -> np.ndarray:
        """[row, column] float64."""
        index = np.clip(stored.astype(np.int64) - self.first, 0, len(self.values) - 1)
        return self.values[index]

    def straight_line(self) -> tuple[float, float] | None:
        """(slope, intercept) against the stored value if it is one to within rounding, else None."""
        count = len(self.values)
        slope = (self.values[-1] - self.values[0]) / max(count - 1, 1)
        line = self.values[0] + slope * np.arange(count)
        if slope == 0 or np.abs(self.values - line).max() > 1:
            return None
        return float(slope), float(self.values[0] - slope * self.first)


def modality_lut(dataset: pydicom.Dataset, where: Path) -> LookupTable | None:
    """The table of the Modality LUT Sequence (0028,3000); None without it.

    Raises:
        InputError: if Modality LUT Type (0028,3004) or Rescale Type (0028,1054) says that it makes Hounsfield
            units or optical densities; if there is a Rescale Slope too, more than one table, or a broken one.
    """
    items = items_of(dataset, "ModalityLUTSequence", where)
    kind = str((items[0] if items else dataset).get("ModalityLUTType" if items else "RescaleType") or "")
    if kind.strip().upper() in _NO_INTENSITIES:
        keyword = "ModalityLUTType" if items else "RescaleType"
        _refuse(f"{tag_name(keyword)} is {kind}: its values are no X-ray intensities", where)
    if not items:
        return None
    if len(items) > 1:
        _refuse(f"{tag_name('ModalityLUTSequence')} has {len(items)} items, one is allowed", where)
    if has_value(dataset, "RescaleSlope") or has_value(dataset, "RescaleIntercept"):
        _refuse(f"{tag_name('ModalityLUTSequence')} and {tag_name('RescaleSlope')} exclude each other", where)
    return lookup_table(items[0], "ModalityLUTSequence", dataset, where)


def to_linear_lut(dataset: pydicom.Dataset, where: Path) -> LookupTable | None:
    """The table of the Pixel Intensity Relationship LUT Sequence (0028,9422) whose function is TO_LINEAR; its
    other tables are for display. None without one."""
    keyword = "PixelIntensityRelationshipLUTSequence"
    items = [
        item
        for item in items_of(dataset, keyword, where)
        if str(item.get("LUTFunction") or "").strip().upper() == "TO_LINEAR"
    ]
    if len(items) > 1:
        _refuse(f"{tag_name(keyword)} has {len(items)} tables TO_LINEAR, one is expected", where)
    return lookup_table(items[0], keyword, dataset, where) if items else None


def lookup_table(item: pydicom.Dataset, sequence: str, dataset: pydicom.Dataset, where: Path) -> LookupTable:
    """LUT Descriptor (0028,3002) and LUT Data (0028,3006) of a sequence's item (PS3.3 C.11.1.1).

    Raises:
        InputError: if they are missing or do not fit each other.
    """
    what = f"{tag_name(sequence)}: {tag_name('LUTDescriptor')}"
    entries, first, bits = (int(x) for x in numbers(item, "LUTDescriptor", 3, where, SAVE_AS_PICTURE))
    entries = entries or 1 << 16  # 0 stands for 65536
    if dataset.get("PixelRepresentation") == 1 and first >= 1 << 15:
        first -= 1 << 16  # the first value is of the pixels' own kind, whatever the descriptor was read as
    if not has_value(item, "LUTData"):
        _refuse(f"{tag_name(sequence)}: {tag_name('LUTData')} is missing", where)
    data = item.LUTData
    if isinstance(data, bytes):
        little = dataset.original_encoding[1] is not False if hasattr(dataset, "original_encoding") else True
        kind = "u1" if len(data) < 2 * entries else "<u2" if little else ">u2"
        data = np.frombuffer(data, kind)
    values = np.atleast_1d(np.asarray(data, dtype=np.float64))[:entries]
    if len(values) < entries or not 1 <= bits <= 16 or values.min() < 0 or values.max() >= 1 << 16:
        _refuse(f"{what} {entries}\\{first}\\{bits} does not fit its {len(values)} values", where)
    return LookupTable(tag_name(sequence), first, values)


def _refuse(what: str, where: Path) -> None:
    raise InputError(what, where=where, remedy=SAVE_AS_PICTURE)
