"""Reading CTs: DICOM folders, NIfTI, NRRD, MetaImage and TIFF stacks."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from .dicom_tags import is_dicom_file
from .dicom_volume import read_dicom_volume
from .itk_files import ITK_SUFFIXES, read_grid_file, suffix_of
from .pictures import read_pages
from .volume import KINDS, Grid, Volume
from .volume_notes import notes_on

TIFF_SUFFIXES = (".tif", ".tiff")

TIFF_AIR = 1024
"""Unsigned TIFF stacks hold HU + 1024, the 12 bit convention of CT: 0..4095 is -1024..3071 HU."""

_FORMATS = f"a DICOM folder, {', '.join(ITK_SUFFIXES + TIFF_SUFFIXES)}"


def read_volume(
    path: str | Path,
    voxel_mm: tuple[float, float, float] | None = None,
    series: str | None = None,
    kind: str = "ct",
) -> Volume:
    """Read a CT, or a volume of another kind that stands for one.

    Args:
        path: DICOM folder (with the folders below it), enhanced CT or MR file, NIfTI, NRRD, MHA/MHD, or
            multi-page TIFF.
        voxel_mm: (x, y, z) voxel size of a TIFF stack, which has none of its own; for no other format.
        series: of a DICOM folder that holds several: its Series Number, its UID, or the end of the UID.
        kind: of `KINDS`; what the values are to be taken for.

    Returns:
        The volume in HU (an MR's intensities), [k, j, i], with its grid in patient LPS mm. Its notes tell
        what was assumed, and what is odd about it (`notes_on`). A TIFF stack has i = column, j = row, k =
        page along x, y, z, its box centred at the origin; unsigned integers are read as HU + 1024, signed
        ones and floats as HU.

    Raises:
        InputError: names the file, what is wrong with it and the remedy.
    """
    path, uid = Path(path), ""
    _check_exists(path)
    if kind not in KINDS:
        raise InputError(f"there is no kind of volume '{kind}'", remedy=f"choose {', '.join(KINDS)}")
    if not suffix_of(path, TIFF_SUFFIXES):
        check_no_voxel_size(path, voxel_mm)
    dicom = path.is_dir() or is_lone_dicom(path)
    if series is not None and not dicom:
        raise InputError("is no DICOM folder", where=path, remedy="leave out --series")
    notes: tuple[str, ...] = ()
    if dicom:
        array, grid, notes, uid = read_dicom_volume(path, series, kind)
    elif suffix_of(path, TIFF_SUFFIXES):
        array, unsigned, grid = read_tiff_stack(path, voxel_mm)
        array = _hounsfield(array, path) if unsigned else array
    elif suffix_of(path, ITK_SUFFIXES):
        file = read_grid_file(path)
        array, grid, notes = file.voxels, file.grid, file.notes
    else:
        raise InputError("unknown kind of volume", where=path, remedy=f"give {_FORMATS}")
    with np.errstate(over="ignore"):  # what is infinite then is refused as such
        values = np.ascontiguousarray(array, dtype=np.float32)
    volume = Volume(values, grid, path.name, notes, kind, uid)
    return replace(volume, notes=(*notes, *notes_on(volume)))


def read_tiff_stack(path: Path, voxel_mm: tuple[float, float, float] | None) -> tuple[np.ndarray, bool, Grid]:
    """A TIFF stack as stored, [k = page, j = row, i = column]; whether it is unsigned; its grid.

    Raises:
        InputError: without ``voxel_mm``, or if it is not three positive lengths; for a single page.
    """
    if voxel_mm is None:
        raise InputError(
            "a TIFF stack does not know its voxel size (its resolution tags are those of a printer)",
            where=path,
            remedy="give it in mm: --voxel-mm x,y,z",
        )
    spacing = np.array(voxel_mm, dtype=float)
    if spacing.shape != (3,) or not all(math.isfinite(s) and s > 0 for s in spacing):
        raise InputError(
            f"voxel size {voxel_mm} is not three positive lengths",
            where="--voxel-mm",
            remedy="give x,y,z in mm",
        )
    pages, unsigned = read_pages(path)
    if min(pages.shape) < 2:
        raise InputError(
            f"is {pages.shape[::-1]} pixels x pages, not a stack", where=path, remedy="give a multi-page TIFF"
        )
    size = pages.shape[::-1]
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -(np.array(size) - 1) / 2 * spacing
    return pages, unsigned, Grid(size, affine)


def check_no_voxel_size(path: Path, voxel_mm: tuple[float, float, float] | None) -> None:
    """Raise InputError where a voxel size is given for a format that has its own."""
    if voxel_mm is not None:
        raise InputError("has its own voxel size", where=path, remedy="leave out --voxel-mm")


def is_lone_dicom(path: Path) -> bool:
    """Whether the path is one DICOM file, by its ending or its mark."""
    return path.is_file() and (path.suffix.lower() in (".dcm", ".ima") or is_dicom_file(path))


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise InputError("no such file or folder", where=path, remedy="check the path")


def _hounsfield(array: np.ndarray, path: Path) -> np.ndarray:
    """HU of an unsigned TIFF stack that holds HU + 1024."""
    if array.dtype == np.uint8 or array.max() > 4095:
        raise InputError(
            f"holds {array.dtype} values up to {array.max()}, not 12 bit (HU + 1024, 0 to 4095)",
            where=path,
            remedy="save the CT in Hounsfield units as NRRD, NIfTI or signed or floating-point TIFF",
        )
    return array.astype(np.float32) - TIFF_AIR
