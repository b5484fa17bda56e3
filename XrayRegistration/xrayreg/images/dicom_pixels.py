"""The pixels of a DICOM X-ray: from its file to line integrals."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from .dicom_decoding import SAVE_AS_PICTURE, pixel_layout, stored_pixels
from .dicom_frames import DSA, ONE, FrameChoice, Frames, combined, frames_of
from .dicom_intensity import Meaning, meaning_of
from .dicom_tags import has_value, number, positive, read_dataset, tag_name, text
from .enhanced_xa import classic_frame, is_enhanced
from .shutters import shutters_of

MODALITIES = ("XA", "RF", "DX", "CR")

_DEFER_BYTES = 1 << 16  # larger elements are read when they are asked for


@dataclass(frozen=True)
class FramePixels:
    """What a DICOM X-ray shows, in the orientation in which it is stored.

    Attributes:
        line_integrals: [row, column] float32, -ln(I/I0); of a subtraction, those of the contrast agent alone.
        mask: [row, column] bool, the pixels outside shutters, collimators and padding.
        first_frame: the number, from 1, of the frame whose geometry holds.
        notes: how values became line integrals and what was combined, for people.
    """

    line_integrals: np.ndarray
    mask: np.ndarray
    first_frame: int
    notes: tuple[str, ...] = ()


def open_xray(path: Path, frame: int | str | FrameChoice | None = None) -> pydicom.Dataset:
    """The data set of a monochrome XA, RF, DX or CR file; its pixels are not read yet.

    Args:
        frame: of a run of several, counted from 1, or several combined (`frame_choice`). None is allowed
            only where there is one.

    Raises:
        InputError: for anything else.
    """
    dataset = read_dataset(path, defer_size=_DEFER_BYTES)
    modality = text(dataset, "Modality", path, remedy=f"X-rays are {', '.join(MODALITIES)}")
    if modality not in MODALITIES:
        raise InputError(
            f"{tag_name('Modality')} is {modality}", where=path, remedy=f"X-rays are {', '.join(MODALITIES)}"
        )
    first = frames_of(dataset, frame, path).frames[0]
    if is_enhanced(dataset):
        dataset = classic_frame(dataset, first, path)
    photometric = text(dataset, "PhotometricInterpretation", path, SAVE_AS_PICTURE)
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputError(
            f"{tag_name('PhotometricInterpretation')} is {photometric}, not a grey image",
            where=path,
            remedy="export the unprocessed grey image",
        )
    return dataset


def frame_pixels(
    dataset: pydicom.Dataset,
    where: Path,
    frame: int | str | FrameChoice | None = None,
    intensity: str | None = None,
    keep: np.ndarray | None = None,
) -> FramePixels:
    """Line integrals of one frame of a run, or of several combined (`FrameChoice`).

    Frames are averaged, compared and subtracted as X-ray intensities, whatever relation the stored values
    have to them. Only the frames that are needed are decompressed, one after the other.

    Args:
        dataset: as `open_xray` gives it.
        intensity: "transmission" or "line_integral" where the file does not say it (`meaning_of`).
        keep: [row, column] bool, pixels that count in addition to those that the tags leave open; None: all.

    Raises:
        InputError: names the file, the tag that is missing, contradictory or not supported, and the remedy.
    """
    frames = frames_of(dataset, frame, where)
    pixel_layout(dataset, where)
    meaning = meaning_of(dataset, where, intensity)
    mask = None if keep is None else keep.copy()

    def stored(number_: int) -> np.ndarray:
        nonlocal mask
        pixels = stored_pixels(dataset, where, number_)
        is_open = open_pixels(dataset, pixels, where)
        mask = is_open if mask is None else mask & is_open
        return pixels

    if frames.kind == ONE:
        signal = meaning.signal(stored(frames.frames[0]))
    else:
        signal = combined(frames, lambda number_: meaning.intensity(stored(number_)), where)
    if not mask.any():
        raise InputError("its masks leave no pixel", where=where, remedy="correct 'mask' or the tags")
    image, notes = _line_integrals(frames, meaning, signal, mask, where)
    mask &= np.isfinite(image)
    image[~mask & ~np.isfinite(image)] = 0.0
    return FramePixels(
        image, mask, frames.frames[0], frames.notes + meaning.notes + notes + _burned_in(dataset)
    )


def _line_integrals(
    frames: Frames, meaning: Meaning, signal: np.ndarray, mask: np.ndarray, where: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    if frames.kind == DSA:
        return -np.log(signal).astype(np.float32), ()
    if frames.kind != ONE and meaning.kind != "LIN":
        signal = -np.log(signal)
    return meaning.line_integrals(signal, mask, where)


def _burned_in(dataset: pydicom.Dataset) -> tuple[str, ...]:
    if str(dataset.get("BurnedInAnnotation") or "").strip().upper() != "YES":
        return ()
    return (f"letters are burned into its pixels ({tag_name('BurnedInAnnotation')} YES)",)


def open_pixels(dataset: pydicom.Dataset, stored: np.ndarray, where: Path) -> np.ndarray:
    """[row, column] bool: pixels outside shutters, collimators and padding, stored orientation."""
    columns_per_row = 1.0
    if has_value(dataset, "ImagerPixelSpacing"):
        row_mm, column_mm = positive(dataset, "ImagerPixelSpacing", 2, where)
        columns_per_row = row_mm / column_mm
    mask = np.ones(stored.shape, dtype=bool)
    for shutter in shutters_of(dataset, where):
        mask &= shutter.mask(stored.shape, columns_per_row)
    if has_value(dataset, "PixelPaddingValue"):
        first = number(dataset, "PixelPaddingValue", where)
        limit = first
        if has_value(dataset, "PixelPaddingRangeLimit"):
            limit = number(dataset, "PixelPaddingRangeLimit", where)
        mask &= (stored < min(first, limit)) | (stored > max(first, limit))
    if not mask.any():
        raise InputError(
            f"shutter, collimator and padding ({tag_name('ShutterShape')}, {tag_name('CollimatorShape')}, "
            f"{tag_name('PixelPaddingValue')}) leave no open pixel",
            where=where,
            remedy="correct the tags, or save as PNG or TIFF and give a camera file (--camera)",
        )
    return mask
