"""Reading CTs: DICOM folders, NIfTI, NRRD, MetaImage and TIFF stacks."""

import math
from pathlib import Path

import numpy as np
import SimpleITK

from ..errors import InputError
from .dicom_series import sorted_slices
from .itk_files import ITK_SUFFIXES, read_grid_file, suffix_of
from .pictures import read_pages
from .spatial_registration import frame_of_reference_uid
from .volume import Grid, Volume

TIFF_SUFFIXES = (".tif", ".tiff")

TIFF_AIR = 1024
"""Unsigned TIFF stacks hold HU + 1024, the 12 bit convention of CT: 0..4095 is -1024..3071 HU."""

_FORMATS = f"a DICOM folder, {', '.join(ITK_SUFFIXES + TIFF_SUFFIXES)}"


def read_volume(path: str | Path, voxel_mm: tuple[float, float, float] | None = None) -> Volume:
    """Read a CT.

    Args:
        path: DICOM folder (exactly one CT series), NIfTI, NRRD, MHA/MHD, or multi-page TIFF.
        voxel_mm: (x, y, z) voxel size of a TIFF stack, which has none of its own; for no other format.

    Returns:
        The volume in HU, [k, j, i], with its grid in patient LPS mm. A TIFF stack has i = column, j = row,
        k = page along x, y, z, its box centred at the origin; unsigned integers are read as HU + 1024,
        signed ones and floats as HU.

    Raises:
        InputError: names the file, what is wrong with it and the remedy.
    """
    path, uid = Path(path), ""
    _check_exists(path)
    if path.is_dir():
        check_no_voxel_size(path, voxel_mm)
        array, grid, uid = _read_dicom_folder(path)
    elif suffix_of(path, TIFF_SUFFIXES):
        array, unsigned, grid = read_tiff_stack(path, voxel_mm)
        array = _hounsfield(array, path) if unsigned else array
    elif suffix_of(path, ITK_SUFFIXES):
        check_no_voxel_size(path, voxel_mm)
        array, grid, _ = read_grid_file(path)
    else:
        raise unknown_format(path)
    return Volume(np.ascontiguousarray(array, dtype=np.float32), grid, path.name, uid)


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


def unknown_format(path: Path) -> InputError:
    """The error for a file of an unknown kind."""
    if path.suffix.lower() in (".dcm", ".ima") or _is_dicom(path):
        return InputError("is one DICOM file", where=path, remedy="give the folder of the series")
    return InputError("unknown kind of volume", where=path, remedy=f"give {_FORMATS}")


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise InputError("no such file or folder", where=path, remedy="check the path")


def _read_dicom_folder(folder: Path) -> tuple[np.ndarray, Grid, str]:
    """[k, j, i], its grid, and the Frame of Reference UID."""
    reader = SimpleITK.ImageSeriesReader()
    files = sorted_slices(folder)
    reader.SetFileNames(files)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(
            f"the slices cannot be read ({reason})",
            where=folder,
            remedy="export the series again, uncompressed",
        ) from None
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    grid = Grid(image.GetSize(), affine)
    return SimpleITK.GetArrayFromImage(image), grid, frame_of_reference_uid(files[0])


def _hounsfield(array: np.ndarray, path: Path) -> np.ndarray:
    """HU of an unsigned TIFF stack that holds HU + 1024."""
    if array.dtype == np.uint8 or array.max() > 4095:
        raise InputError(
            f"holds {array.dtype} values up to {array.max()}, not 12 bit (HU + 1024, 0 to 4095)",
            where=path,
            remedy="save the CT in Hounsfield units as NRRD, NIfTI or signed or floating-point TIFF",
        )
    return array.astype(np.float32) - TIFF_AIR
