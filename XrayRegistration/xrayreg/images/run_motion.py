"""Whether C-arm and table stand still during a DICOM run."""

from pathlib import Path

import pydicom

from ..errors import InputError
from .dicom_decoding import frames_in
from .dicom_tags import has_value, number, numbers, tag_name

STILL_DEG, STILL_MM = 0.1, 0.5
"""What C-arm and table may move over frames that are combined."""

_TURNING = ("PositionerPrimaryAngleIncrement", "PositionerSecondaryAngleIncrement")
_SHIFTING = ("TableVerticalIncrement", "TableLongitudinalIncrement", "TableLateralIncrement")


def offset_of_frame(dataset: pydicom.Dataset, keyword: str, frame: int, frames: int, where: Path) -> float:
    """How far an increment tag has moved by a frame counted from 1, of ``frames``; 0 without the tag.

    It holds the mean change from frame to frame, or for each frame its offset from the first (PS3.3
    C.8.7.5.1.3, C.8.7.4.1.4).
    """
    if not has_value(dataset, keyword):
        return 0.0
    if isinstance(dataset.get(keyword), pydicom.multival.MultiValue):
        return numbers(dataset, keyword, frames, where)[frame - 1]
    return (frame - 1) * number(dataset, keyword, where)


def check_still(dataset: pydicom.Dataset, frames: tuple[int, ...], where: Path) -> None:
    """Combined frames must show the patient from one place.

    Raises:
        InputError: naming the tag by which C-arm or table moves more than `STILL_DEG` or `STILL_MM`.
    """
    if len(frames) == 1:
        return
    count = frames_in(dataset, where)
    for keyword in (*_TURNING, *_SHIFTING):
        offsets = [offset_of_frame(dataset, keyword, frame, count, where) for frame in frames]
        spread = max(offsets) - min(offsets)
        most, unit = (STILL_DEG, "degrees") if keyword in _TURNING else (STILL_MM, "mm")
        if spread > most:
            raise InputError(
                f"{tag_name(keyword)}: {'the C-arm' if keyword in _TURNING else 'the table'} moves "
                f"{spread:.3g} {unit} over {named(frames)}, which cannot be combined",
                where=where,
                remedy="choose one frame, or frames over which nothing moves (--frame)",
            )
    for keyword, increments in (("PositionerMotion", _TURNING), ("TableMotion", _SHIFTING)):
        moving = str(dataset.get(keyword) or "").strip().upper() == "DYNAMIC"
        if moving and not any(has_value(dataset, name) for name in increments):
            raise InputError(
                f"{tag_name(keyword)} is DYNAMIC and no increment says how: frames cannot be combined",
                where=where,
                remedy="choose one frame (--frame)",
            )


def named(frames: tuple[int, ...]) -> str:
    """Frame numbers for people."""
    if len(frames) == 1:
        return f"frame {frames[0]}"
    whole = frames == tuple(range(frames[0], frames[-1] + 1))
    return f"frames {frames[0]} to {frames[-1]}" if whole else f"frames {', '.join(map(str, frames))}"
