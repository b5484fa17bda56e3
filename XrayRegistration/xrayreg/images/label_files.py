"""Reading segmentations and bringing them to a volume's grid."""

import csv
from pathlib import Path

import numpy as np

from ..errors import InputError
from .itk_files import ITK_SUFFIXES, read_grid_file, suffix_of
from .volume import Grid, LabelMap
from .volume_files import TIFF_SUFFIXES, check_no_voxel_size, read_tiff_stack

_EXPORT_LABEL_MAP = "in 3D Slicer: Segmentations, export to a label map, save as NRRD"


def read_label_map(
    path: str | Path,
    names_file: str | Path | None = None,
    voxel_mm: tuple[float, float, float] | None = None,
) -> LabelMap:
    """Read a segmentation: NIfTI, NRRD, MHA/MHD, TIFF stack, or Slicer's `.seg.nrrd` with one layer.

    Args:
        names_file: CSV with columns `structure` and `id`; goes before the names in a `.seg.nrrd`.
        voxel_mm: (x, y, z) of a TIFF stack; for no other format.

    Raises:
        InputError: for fractional, negative or no labels, overlapping segments (several layers), DICOM, and
            as `read_volume`.
    """
    path = Path(path)
    if not path.exists():
        raise InputError("no such file or folder", where=path, remedy="check the path")
    header: dict[str, str] = {}
    if suffix_of(path, TIFF_SUFFIXES):
        array, _, grid = read_tiff_stack(path, voxel_mm)
    elif path.is_file() and suffix_of(path, ITK_SUFFIXES):
        check_no_voxel_size(path, voxel_mm)
        array, grid, header = _read_one_layer(path)
    else:
        raise InputError(
            "unknown kind of segmentation",
            where=path,
            remedy=f"give {', '.join(ITK_SUFFIXES + TIFF_SUFFIXES)}; {_EXPORT_LABEL_MAP}",
        )
    names = _segment_names(header, path)
    if names_file is not None:
        names |= read_names(names_file)
    return LabelMap(_checked_labels(array, path), grid, names)


def read_names(path: str | Path) -> dict[int, str]:
    """Label value to structure name from a CSV with columns `structure` and `id`."""
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            missing = {"structure", "id"} - set(table.fieldnames or ())
            rows = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"cannot be read as CSV ({error})", where=path) from None
    if missing:
        raise InputError(
            f"column {' and '.join(sorted(missing))} missing", where=path, remedy="head it structure,id"
        )
    names: dict[int, str] = {}
    for number, row in enumerate(rows, start=2):
        try:
            label, name = int(row["id"]), row["structure"].strip()
        except (TypeError, ValueError, AttributeError):
            raise InputError(f"id '{row['id']}' is no integer", where=f"{path} line {number}") from None
        if names.setdefault(label, name) != name:
            raise InputError(
                f"id {label} has two names, {names[label]} and {name}", where=f"{path} line {number}"
            )
    return names


def resample_labels(label_map: LabelMap, grid: Grid) -> LabelMap:
    """The label map on another grid: nearest neighbour through the patient frame, 0 outside its box.

    Raises:
        InputError: if the boxes lie apart (with the distance), or no labelled voxel falls into the grid.
    """
    check_overlap(label_map.grid, grid)
    source = label_map.grid.index_from_patient @ grid.patient_from_index
    size = np.array(label_map.grid.size)
    j, i = np.meshgrid(np.arange(grid.size[1]), np.arange(grid.size[0]), indexing="ij")
    in_plane = np.stack([i, j], axis=-1) @ source[:3, :2].T + source[:3, 3]
    result = np.zeros(grid.array_shape, dtype=label_map.labels.dtype)
    for k in range(grid.size[2]):
        index = np.floor(in_plane + k * source[:3, 2] + 0.5).astype(np.intp)
        inside = ((index >= 0) & (index < size)).all(axis=-1)
        x, y, z = index[inside].T
        result[k][inside] = label_map.labels[z, y, x]
    if not result.any():
        raise InputError(
            "no labelled voxel lies inside the volume",
            where="segmentation",
            remedy="check that the segmentation belongs to this volume",
        )
    return LabelMap(result, grid, label_map.names)


def check_overlap(segmentation: Grid, volume: Grid) -> None:
    """Raise InputError with the distance if the patient-aligned boxes around the two grids lie apart."""
    a, b = segmentation, volume
    low = np.maximum(a.corners_patient.min(axis=0), b.corners_patient.min(axis=0))
    high = np.minimum(a.corners_patient.max(axis=0), b.corners_patient.max(axis=0))
    gap = float(np.linalg.norm(np.maximum(low - high, 0)))
    if (low >= high).any():
        between = np.linalg.norm(a.centre_patient - b.centre_patient)
        raise InputError(
            f"segmentation and volume do not overlap: {gap:.1f} mm apart, centres {between:.1f} mm apart",
            where="segmentation",
            remedy="check that both come from the same CT and are in the patient's frame",
        )


def _read_one_layer(path: Path) -> tuple[np.ndarray, Grid, dict[str, str]]:
    if path.name.lower().endswith(".seg.nrrd"):
        layers = _layer_count(path)
        if layers > 1:
            raise InputError(
                f"its segments overlap (Segment*_Layer: {layers} layers)",
                where=path,
                remedy=_EXPORT_LABEL_MAP,
            )
    return read_grid_file(path)


def _layer_count(path: Path) -> int:
    """By the header's Segment*_Layer entries."""
    layers = set()
    with path.open("rb") as file:
        for line in file:
            key, _, value = line.decode("utf-8", errors="replace").strip().partition(":=")
            if not line.strip():
                break
            if key.startswith("Segment") and key.endswith("_Layer"):
                layers.add(value)
    return len(layers)


def _segment_names(header: dict[str, str], path: Path) -> dict[int, str]:
    """Names by label value from the Segment<n>_Name and Segment<n>_LabelValue entries."""
    names: dict[int, str] = {}
    for key, name in header.items():
        if not (key.startswith("Segment") and key.endswith("_Name")):
            continue
        label_key = key.removesuffix("_Name") + "_LabelValue"
        try:
            label = int(header[label_key])
        except (KeyError, ValueError):
            raise InputError(
                f"header field {label_key} is {header.get(label_key, 'missing')} for segment {name}",
                where=path,
                remedy=_EXPORT_LABEL_MAP,
            ) from None
        if label in names:
            raise InputError(
                f"segments {names[label]} and {name} share the label value {label} ({label_key})",
                where=path,
                remedy=_EXPORT_LABEL_MAP,
            )
        names[label] = name
    return names


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
