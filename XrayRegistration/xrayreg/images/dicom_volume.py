"""A volume from the slices of a DICOM series."""

from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from .dicom_decoding import stored_pixels
from .dicom_series import Series, choose_series, one_file, shown_value
from .dicom_slices import Slice, ordered, slices_of, tilt_notes
from .dicom_tags import read_dataset, tag_name
from .enhanced_ct import enhanced_slices, is_enhanced
from .volume import Grid

AIR_HU = -1000.0


def read_dicom_volume(
    path: Path, series: str | None = None, kind: str = "ct"
) -> tuple[np.ndarray, Grid, tuple[str, ...], str]:
    """One series of a folder, or one multi-frame file.

    Each slice is rescaled by its own slope and intercept. Padding (0028,0120) counts as air in a CT, as the
    lowest value in an MR.

    Args:
        series: its Series Number, its UID or the end of it; needed where there are several.

    Returns:
        [k, j, i] float32 in HU (an MR's intensities), the grid, notes, and the Frame of Reference UID.

    Raises:
        InputError: as `choose_series`, `ordered` and `tilt_notes`, and where pixels cannot be decoded.
    """
    chosen = choose_series(path, series) if path.is_dir() else one_file(path)
    slices = (enhanced_slices if is_enhanced(chosen) else slices_of)(chosen, kind)
    slices, grid = ordered(slices, path)
    notes = tilt_notes(grid, chosen)
    values, padded = _values(slices, grid, kind)
    if chosen.others:
        notes += (f"series {chosen.shown}; {chosen.others} image(s) of other series are not used",)
    if padded:
        notes += (
            f"{100 * padded:.0f} % of the voxels are padding ({tag_name('PixelPaddingValue')}), taken as air",
        )
    return values, grid, notes, _frame_of_reference(chosen)


def _frame_of_reference(series: Series) -> str:
    """Its UID, the same in all files; empty where there is none."""
    uids = {shown_value(header, "FrameOfReferenceUID") for header in series.headers}
    if len(uids) > 1:
        raise InputError(
            f"{tag_name('FrameOfReferenceUID')} differs between its slices: they lie in {len(uids)} frames",
            where=series.files[0].parent,
            remedy="export the series again, complete",
        )
    return uids.pop()


def _values(slices: list[Slice], grid: Grid, kind: str) -> tuple[np.ndarray, float]:
    """[k, j, i] float32, and which part of it was padding."""
    values = np.empty(grid.array_shape, np.float32)
    padded = 0
    opened: tuple[Path | None, pydicom.Dataset | None] = (None, None)
    for number, each in enumerate(slices):
        try:
            if opened[0] != each.file:
                opened = each.file, read_dataset(each.file)
            stored = _stored(opened[1], each, grid)
        except InputError:
            raise
        except Exception as error:  # pydicom has many kinds, for a transfer syntax that is none and the like
            raise InputError(
                f"the pixels cannot be decoded ({error})", where=each.file, remedy="export the series again"
            ) from None
        slope, intercept = each.rescale
        values[number] = stored * np.float32(slope) + np.float32(intercept)
        if each.padding is not None:
            low, high = (_as_stored(bound, stored) for bound in each.padding)
            empty = (stored >= low) & (stored <= high)
            values[number][empty] = AIR_HU if kind == "ct" else np.nan
            padded += int(empty.sum())
    if kind != "ct" and padded:
        values = np.nan_to_num(values, copy=False, nan=float(np.nanmin(values)))
    return values, padded / values.size


def _stored(dataset: pydicom.Dataset, each: Slice, grid: Grid) -> np.ndarray:
    stored = stored_pixels(dataset, each.file, each.frame)
    if stored.shape != grid.array_shape[1:]:
        raise InputError(
            f"holds pixels of shape {stored.shape}, but Rows and Columns say {grid.array_shape[1:]}",
            where=each.file,
            remedy="export the series again",
        )
    return stored


def _as_stored(bound: float, stored: np.ndarray) -> float:
    """A padding value that was written unsigned beside signed pixels, as some scanners do."""
    if stored.dtype.kind == "i" and bound > np.iinfo(stored.dtype).max:
        return bound - 2.0 ** (8 * stored.dtype.itemsize)
    return bound
