"""Which frames of a DICOM run make the X-ray: one, several combined, or a subtraction."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from .dicom_decoding import frames_in
from .dicom_tags import has_value, items_of, numbers, tag_name
from .run_motion import check_still, named

ONE, MEAN, MIN, MAX, DSA = "one", "mean", "min", "max", "dsa"

_EXAMPLES = "as in 12, mean, min:5-12, max:5-12, dsa, dsa:30 or dsa:30-40,1-5"
_RANGE = r"(\d+)(?:-(\d+))?"
_FRAMES = re.compile(rf"(mean|min|max|dsa)(?::{_RANGE}(?:,{_RANGE})?)?|(\d+)")


@dataclass(frozen=True)
class FrameChoice:
    """Frames of a run, counted from 1.

    Attributes:
        kind: `ONE`; `MEAN`, `MIN` or `MAX` of each pixel's intensity; or `DSA`, a subtraction.
        frames: (first, last), both included; of `DSA` those with contrast. None: all of the run, and with
            `DSA` what the file says.
        mask: (first, last) of `DSA` before the contrast; None: what the file says.
    """

    kind: str
    frames: tuple[int, int] | None = None
    mask: tuple[int, int] | None = None

    def __str__(self) -> str:
        spans = ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in filter(None, (self.frames, self.mask)))
        if self.kind == ONE:
            return spans
        return f"{self.kind}:{spans}" if spans else self.kind

    @property
    def as_json(self) -> int | str:
        """As `registration.json` has it: the number of a single frame, otherwise the text."""
        return self.frames[0] if self.kind == ONE else str(self)


def frame_choice(choice: "str | int | FrameChoice") -> FrameChoice:
    """From text, as `FrameChoice` prints itself, or from a single frame's number.

    ``12``; ``mean``, ``min``, ``max`` of all frames or of some (``min:5-12``); ``dsa`` as the file says,
    ``dsa:30`` that frame less the mask that the file says, ``dsa:30-40,1-5`` less frames 1 to 5.

    Raises:
        InputError: for anything else.
    """
    if isinstance(choice, FrameChoice):
        return choice
    found = _FRAMES.fullmatch(str(choice).strip().lower())
    if found is None:
        raise InputError(f"frame {choice} is not understood", where="--frame", remedy=_EXAMPLES)
    kind, first, last, mask_first, mask_last, single = found.groups()
    if single is not None:
        return FrameChoice(ONE, (int(single), int(single)))
    if mask_first is not None and kind != DSA:
        raise InputError(f"frame {choice}: only dsa has mask frames", where="--frame", remedy=_EXAMPLES)
    return FrameChoice(kind, _range(first, last, choice), _range(mask_first, mask_last, choice))


def _range(first: str | None, last: str | None, choice: object) -> tuple[int, int] | None:
    if first is None:
        return None
    result = int(first), int(last or first)
    if result[0] > result[1]:
        raise InputError(f"frame {choice}: {first} is after {last}", where="--frame", remedy=_EXAMPLES)
    return result


@dataclass(frozen=True)
class Frames:
    """The frames that a choice takes of one run.

    Attributes:
        kind: as `FrameChoice.kind`.
        frames, mask: numbers from 1, of `DSA` with and before the contrast.
        mask_shift: (rows, columns) by which the mask is moved down and to the right before it is taken away.
    """

    kind: str
    frames: tuple[int, ...]
    mask: tuple[int, ...] = ()
    mask_shift: tuple[float, float] = (0.0, 0.0)

    @property
    def all(self) -> tuple[int, ...]:
        return tuple(sorted({*self.frames, *self.mask}))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was combined, for people; nothing for a single frame."""
        if self.kind == ONE:
            return ()
        if self.kind != DSA:
            what = {MEAN: "mean", MIN: "smallest", MAX: "largest"}[self.kind]
            return (f"each pixel has its {what} intensity in {named(self.frames)}",)
        down, right = self.mask_shift
        shift = f", moved {down:g} rows down and {right:g} columns to the right" if down or right else ""
        peak = "" if len(self.frames) == 1 else "the smallest intensity in "
        return (f"subtracted: {peak}{named(self.frames)} less the mean of {named(self.mask)}{shift}",)


def frames_of(dataset: pydicom.Dataset, choice: FrameChoice | int | str | None, where: Path) -> Frames:
    """The frames that a choice takes of a file; None is allowed only where there is one.

    Raises:
        InputError: for frames that the file has not; for `DSA` without mask frames that the file or the
            choice names; for C-arms or tables that move over frames that are to be combined.
    """
    count = frames_in(dataset, where)
    if choice is None:
        if count > 1:
            raise InputError(
                f"{tag_name('NumberOfFrames')} is {count}, and nothing says which to take",
                where=where,
                remedy=f"choose one of the {count} frames (--frame)",
            )
        return Frames(ONE, (1,))
    choice = frame_choice(choice)
    for pair in filter(None, (choice.frames, choice.mask)):
        for frame in pair:
            if not 1 <= frame <= count:
                raise InputError(f"has no frame {frame}", where=where, remedy=f"choose one from 1 to {count}")
    taken = _subtraction(dataset, choice, count, where) if choice.kind == DSA else _simple(choice, count)
    check_still(dataset, taken.all, where)
    return taken


def combined(frames: Frames, intensity_of: Callable[[int], np.ndarray], where: Path) -> np.ndarray:
    """[row, column] intensity: of each pixel the mean, smallest or largest in the frames. Of `DSA`, the ratio
    of contrast to mask, 1 where they are alike and NaN where the moved mask has no pixel.

    Only two frames are held at a time.

    Args:
        intensity_of: the intensities of a frame, [row, column], by its number.

    Raises:
        InputError: if the mask of a subtraction is black.
    """
    if frames.kind != DSA:
        return _folded(frames.kind, frames.frames, intensity_of)
    mask = _folded(MEAN, frames.mask, intensity_of)
    dark = 1e-3 * np.percentile(mask, 99.9)  # as in `line_integrals_from_transmission`
    if not dark > 0:
        raise InputError("the mask frames are black: no pixel has a positive intensity", where=where)
    mask = _moved(np.maximum(mask, dark), frames.mask_shift)
    return np.maximum(_folded(MIN, frames.frames, intensity_of), dark) / mask


def _folded(kind: str, numbers_: tuple[int, ...], intensity_of: Callable[[int], np.ndarray]) -> np.ndarray:
    fold = {MEAN: np.add, MIN: np.minimum, MAX: np.maximum}[kind]
    result = intensity_of(numbers_[0]).copy()
    for frame in numbers_[1:]:
        fold(result, intensity_of(frame), out=result)
    return result / len(numbers_) if kind == MEAN else result


def _moved(image: np.ndarray, shift: tuple[float, float]) -> np.ndarray:
    """The image moved down and to the right by (rows, columns), linear between pixels; NaN beyond them."""
    for axis, by in enumerate(shift):
        if not by:
            continue
        size = image.shape[axis]
        at = np.arange(size) - by
        below = np.clip(np.floor(at).astype(int), 0, max(size - 2, 0))
        weight = np.expand_dims(at - below, 1 - axis)
        moved = np.take(image, below, axis) * (1 - weight) + np.take(image, below + 1, axis) * weight
        outside = np.expand_dims((at < 0) | (at > size - 1), 1 - axis)
        image = np.where(outside, np.nan, moved)
    return image


def _simple(choice: FrameChoice, count: int) -> Frames:
    first, last = choice.frames or (1, count)
    return Frames(choice.kind, tuple(range(first, last + 1)))


def _subtraction(dataset: pydicom.Dataset, choice: FrameChoice, count: int, where: Path) -> Frames:
    """Of the Mask Subtraction Sequence (0028,6100, PS3.3 C.7.6.10), for what the choice leaves open."""
    if choice.mask is not None:
        contrast = tuple(range(choice.frames[0], choice.frames[1] + 1))
        mask = tuple(range(choice.mask[0], choice.mask[1] + 1))
        return _apart(Frames(DSA, contrast, mask), where)
    item, span = _mask_item(dataset, choice, count, where)
    mask = tuple(int(x) for x in _some(item, "MaskFrameNumbers", where))
    if any(not 1 <= frame <= count for frame in mask):
        raise InputError(
            f"{tag_name('MaskFrameNumbers')} is {list(mask)}, the run has frames 1 to {count}",
            where=where,
            remedy="name the frames: --frame dsa:30,1-5",
        )
    wanted = choice.frames or (1, count)
    contrast = tuple(n for n in span if wanted[0] <= n <= wanted[1] and n not in mask)
    shift = (
        numbers(item, "MaskSubPixelShift", 2, where) if has_value(item, "MaskSubPixelShift") else (0.0, 0.0)
    )
    return _apart(Frames(DSA, contrast, mask, shift), where)


def _mask_item(
    dataset: pydicom.Dataset, choice: FrameChoice, count: int, where: Path
) -> tuple[pydicom.Dataset, list[int]]:
    """The one item of the sequence that subtracts a mask from the wanted frames, and the frames it is for."""
    remedy = "name the frames: --frame dsa:30,1-5 (contrast, mask)"
    described = items_of(dataset, "MaskSubtractionSequence", where)
    items = [(item, _applicable(item, count, where)) for item in described]
    fitting = [
        (item, span)
        for item, span in items
        if str(item.get("MaskOperation") or "").strip().upper() == "AVG_SUB"
        and (choice.frames is None or set(range(choice.frames[0], choice.frames[1] + 1)) <= set(span))
    ]
    if len(fitting) == 1:
        return fitting[0]
    tag = tag_name("MaskSubtractionSequence")
    kinds = ", ".join(sorted({str(item.get("MaskOperation") or "nothing") for item, _ in items}))
    if not items:
        what = f"{tag} is missing, so that nothing says which frames are the mask"
    elif fitting:
        what = f"{tag} has {len(fitting)} masks (AVG_SUB) for different frames"
    else:
        what = f"{tag} has no mask (AVG_SUB) for these frames, only {kinds}"
    raise InputError(what, where=where, remedy=remedy)


def _applicable(item: pydicom.Dataset, count: int, where: Path) -> list[int]:
    """Frames of Applicable Frame Range (0028,6102), pairs of first and last; all without it."""
    if not has_value(item, "ApplicableFrameRange"):
        return list(range(1, count + 1))
    ends = [int(x) for x in _some(item, "ApplicableFrameRange", where)]
    spans = [range(max(1, a), min(b, count) + 1) for a, b in zip(ends[::2], ends[1::2], strict=False)]
    return sorted({frame for span in spans for frame in span})


def _some(item: pydicom.Dataset, keyword: str, where: Path) -> tuple[float, ...]:
    """One or more required numbers."""
    value = item.get(keyword)
    several = isinstance(value, (list, tuple, pydicom.multival.MultiValue))
    return numbers(item, keyword, len(value) if several else 1, where)


def _apart(frames: Frames, where: Path) -> Frames:
    both = sorted({*frames.frames} & {*frames.mask})
    if both or not frames.frames:
        what = (
            f"frame {both[0]} is both contrast and mask" if both else "no frame is left but those of the mask"
        )
        raise InputError(what, where=where, remedy="name the frames: --frame dsa:30,1-5 (contrast, mask)")
    return frames
