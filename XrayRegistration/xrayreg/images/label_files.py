"""Reading segmentations."""

from pathlib import Path

import numpy as np

from ..errors import InputError
from .dicom_tags import is_dicom_file
from .itk_files import ITK_SUFFIXES, read_grid_file, suffix_of
from .label_names import names_in_extensions, read_names, segments_in_header
from .volume import LabelMap
from .volume_files import TIFF_SUFFIXES, check_no_voxel_size, read_tiff_stack

_EXPORT_LABEL_MAP = "in 3D Slicer: Segmentations, export to a label map, save as NRRD"


def read_label_map(
    path: str | Path,
    names_file: str | Path | None = None,
    voxel_mm: tuple[float, float, float] | None = None,
) -> LabelMap:
    """Read a segmentation: NIfTI, NRRD, MHA/MHD, TIFF stack, or Slicer's `.seg.nrrd`.

    Args:
        names_file: as `read_names`; goes before the names in a `.seg.nrrd`, or in a NIfTI file of
            TotalSegmentator.
        voxel_mm: (x, y, z) of a TIFF stack; for no other format.

    Raises:
        InputError: for fractional, negative or no labels, overlapping segments, DICOM, and
            as `read_volume`.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("no such file or folder", where=path, remedy="check the path")
    names: dict[int, str] = {}
    if suffix_of(path, TIFF_SUFFIXES):
        array, _, grid = read_tiff_stack(path, voxel_mm)
    elif path.is_file() and suffix_of(path, ITK_SUFFIXES):
        check_no_voxel_size(path, voxel_mm)
        file = read_grid_file(path, layers=path.name.lower().endswith(".seg.nrrd"))
        array, grid = file.voxels, file.grid
        segments = segments_in_header(file.header, path)
        names = {label: name for _, label, name in segments} or names_in_extensions(file.extensions)
        if array.ndim == 4:
            array, names = _layers_as_one(array, segments, path)
    else:
        kind = "a DICOM object" if path.is_dir() or is_dicom_file(path) else "an unknown kind of file"
        raise InputError(
            f"unknown kind of segmentation: {kind}",
            where=path,
            remedy=f"give {', '.join(ITK_SUFFIXES + TIFF_SUFFIXES)}; {_EXPORT_LABEL_MAP}",
        )
    if names_file is not None:
        names |= read_names(names_file)
    return LabelMap(_checked_labels(array, path), grid, names)


def _layers_as_one(
    array: np.ndarray, segments: list[tuple[int, int, str]], path: Path
) -> tuple[np.ndarray, dict[int, str]]:
    """Segments that Slicer keeps in several layers, [k, j, i, layer], as one label map, if none overlap.

    Label values are kept where they differ, else segments are numbered from 1 in their order.
    """
    values = [label for _, label, _ in segments]
    numbers = values if len(set(values)) == len(values) else range(1, len(values) + 1)
    whole = np.zeros(array.shape[:3], np.int32)
    names: dict[int, str] = {}
    for (layer, label, name), number in zip(segments, numbers, strict=True):
        if not 0 <= layer < array.shape[3]:
            raise InputError(
                f"segment {name} is said to be in layer {layer} of {array.shape[3]}",
                where=path,
                remedy=_EXPORT_LABEL_MAP,
            )
        inside = array[..., layer] == label
        if (shared := np.count_nonzero(whole[inside])) > 0:
            other = names[int(whole[inside].max())]
            raise InputError(
                f"segments {other} and {name} overlap in {shared} voxel(s)",
                where=path,
                remedy=_EXPORT_LABEL_MAP,
            )
        whole[inside] = number
        names[number] = name
    return whole, names


def _checked_labels(array: np.ndarray, path: Path) -> np.ndarray:
    """[k, j, i] integers: whole, not negative, not all background."""
    if not np.issubdtype(array.dtype, np.integer):
        whole = np.isfinite(array) & (array == np.round(array))
        if not whole.all():
            example = array[~whole].flat[0]
            raise InputError(
                f"holds fractional values such as {example:g}, not labels",
                where=path,
                remedy="resample segmentations with nearest neighbour",
            )
        array = array.astype(np.int32)
    if array.min() < 0:
        raise InputError(f"holds the negative label {array.min()}", where=path, remedy="number labels from 1")
    if not array.any():
        raise InputError("holds no label, only background 0", where=path, remedy="give a filled segmentation")
    return array
