"""Enhanced CT and MR: the slices of multi-frame files, by their functional groups (PS3.3 C.7.6.16)."""

from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from .dicom_series import Series, read_header, shown_value
from .dicom_slices import EXPORT_AGAIN, Slice, check_image, padding_of, rescale_of, size_of
from .dicom_tags import number, numbers, positive

_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")


def is_enhanced(series: Series) -> bool:
    """Whether any of its files holds several frames."""
    return any(shown_value(header, "NumberOfFrames") not in ("1", "") for header in series.headers)


def enhanced_slices(series: Series, kind: str) -> list[Slice]:
    """One slice for each frame of each file.

    Raises:
        InputError: naming the file, as `slices_of`, and if frames and their functional groups differ in
            number.
    """
    slices: list[Slice] = []
    for header, file in zip(series.headers, series.files, strict=True):
        check_image(header, file, kind)
        groups = read_header(file, list(_GROUPS))
        shared, each = (groups.get(name) or [] for name in _GROUPS)
        frames = int(number(header, "NumberOfFrames", file, EXPORT_AGAIN))
        if len(each) != frames:
            raise InputError(
                f"has {frames} frames, but PerFrameFunctionalGroupsSequence (5200,9230) tells of {len(each)}",
                where=file,
                remedy=EXPORT_AGAIN,
            )
        common = shared[0] if len(shared) else pydicom.Dataset()
        slices += [_slice(header, file, n + 1, (frame, common), kind) for n, frame in enumerate(each)]
    return slices


def _slice(header: pydicom.Dataset, file: Path, frame: int, groups: tuple, kind: str) -> Slice:
    measures = _group(groups, "PixelMeasuresSequence")
    content = _group(groups, "FrameContentSequence")
    stack = f"stack {content.get('StackID') or '-'}, time {content.get('TemporalPositionIndex') or '-'}"
    where = f"{file} frame {frame}"
    return Slice(
        file,
        frame,
        size_of(header, file),
        positive(measures, "PixelSpacing", 2, where, EXPORT_AGAIN),
        np.array(
            numbers(
                _group(groups, "PlaneOrientationSequence"), "ImageOrientationPatient", 6, where, EXPORT_AGAIN
            )
        ),
        np.array(
            numbers(_group(groups, "PlanePositionSequence"), "ImagePositionPatient", 3, where, EXPORT_AGAIN)
        ),
        rescale_of(_group(groups, "PixelValueTransformationSequence"), where, kind),
        padding_of(header, file),
        stack,
    )


def _group(groups: tuple, keyword: str) -> pydicom.Dataset:
    """A functional group's item: the frame's own, else the shared one, else an empty one."""
    for group in groups:
        items = group.get(keyword)
        if items:
            return items[0]
    return pydicom.Dataset()
