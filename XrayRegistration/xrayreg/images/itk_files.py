"""NIfTI, NRRD and MetaImage files with their place in the patient; the last two through SimpleITK."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK

from ..errors import InputError
from .nifti import NIFTI_SUFFIXES, read_nifti
from .size_guard import check_size, check_stored
from .stated_place import (
    Header,
    check_metaimage_place,
    check_metaimage_size,
    check_nrrd_place,
    read_header,
    voxel_file,
)
from .volume import Grid

ITK_SUFFIXES = (*NIFTI_SUFFIXES, ".nrrd", ".nhdr", ".mha", ".mhd")

_LONGEST_FIELD = 1000
_LONGEST_HEADER_LINE = 1 << 20
_DIMENSIONS = (b"2", b"3", b"4")
_SAVE_FROM_SLICER = "save it again from 3D Slicer"


def suffix_of(path: Path, known: tuple[str, ...]) -> str | None:
    """The longest of the ``known`` endings that the file name has, or None."""
    fitting = [suffix for suffix in known if path.name.lower().endswith(suffix)]
    return max(fitting, key=len, default=None)


@dataclass(frozen=True)
class GridFile:
    """A scalar 3-D image with its place.

    Attributes:
        voxels: [k, j, i] of the file's type.
        grid: patient LPS, mm, as in the file: left-handed, oblique or sheared too.
        header: its entries; of NIfTI none.
        extensions: texts beside the header of a NIfTI file.
        notes: what was assumed.
    """

    voxels: np.ndarray
    grid: Grid
    header: dict[str, str]
    extensions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_grid_file(path: Path, layers: bool = False) -> GridFile:
    """A scalar 3-D image with its place, of any of `ITK_SUFFIXES`.

    Args:
        layers: whether several components are allowed: then voxels may be [k, j, i, component].

    Raises:
        InputError: for 2-D, 4-D and vector images, for those cut off or too large, and where the file does
            not say how it lies, or says it twice differently.
    """
    if suffix_of(path, NIFTI_SUFFIXES):
        nifti = read_nifti(path)
        return GridFile(nifti.voxels, nifti.grid, {}, nifti.extensions, nifti.notes)
    reader = _open(path)
    header = _entries(reader, path)
    scalar = layers or reader.GetNumberOfComponents() == 1
    if reader.GetDimension() != 3 or not scalar or min(reader.GetSize()) < 2:
        size = " x ".join(str(n) for n in reader.GetSize())
        raise InputError(
            f"is {size} voxels with {reader.GetNumberOfComponents()} component(s), not a scalar 3-D image",
            where=path,
            remedy="save one scalar volume",
        )
    check_place(path)
    image = _execute(reader, path)
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return GridFile(SimpleITK.GetArrayFromImage(image), Grid(image.GetSize(), affine), header)


def check_place(path: Path) -> None:
    """Raise InputError where an NRRD or MetaImage header does not say how its voxels lie in the patient."""
    is_nrrd = suffix_of(path, ITK_SUFFIXES) in (".nrrd", ".nhdr")
    check = check_nrrd_place if is_nrrd else check_metaimage_place
    check(read_header(path).fields, path)


def read_itk_picture(path: Path) -> np.ndarray:
    """A scalar 2-D or one-slice image, [row, column] = [j, i] as stored.

    Raises:
        InputError: for volumes and vector images.
    """
    reader = _open(path)
    size = reader.GetSize()
    if reader.GetNumberOfComponents() != 1 or any(n != 1 for n in size[2:]):
        shown = " x ".join(str(n) for n in size)
        raise InputError(
            f"is {shown} pixels with {reader.GetNumberOfComponents()} component(s), not one grey image",
            where=path,
            remedy="save one frame as a grey image",
        )
    array = SimpleITK.GetArrayFromImage(_execute(reader, path))
    return array.reshape(array.shape[-2:])


def _check_header_text(path: Path) -> None:
    """Refuse headers on which ITK's readers crash: NRRD fields and MetaImage dimensions of absurd size."""
    suffix = suffix_of(path, (".nrrd", ".nhdr", ".mha", ".mhd"))
    if suffix is None:
        return
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_HEADER_LINE).rstrip(b"\r\n"):
            key, _, value = line.partition(b"=")
            if suffix in (".mha", ".mhd") and key.strip() == b"ElementDataFile":
                return
            if suffix in (".mha", ".mhd") and key.strip() == b"NDims" and value.strip() not in _DIMENSIONS:
                shown = value.strip()[:20].decode(errors="replace")
                what = f"MetaImage field NDims is {shown}, not 2 to 4"
                raise InputError(what, where=path, remedy=_SAVE_FROM_SLICER)
            if suffix in (".nrrd", ".nhdr") and len(line) > _LONGEST_FIELD and b":=" not in line:
                what = f"its header has a line of more than {_LONGEST_FIELD} letters that is no key and value"
                raise InputError(what, where=path, remedy=_SAVE_FROM_SLICER)


def _open(path: Path) -> SimpleITK.ImageFileReader:
    """A reader that knows the header; the header's claims are checked before ITK allocates anything."""
    if not path.is_file():
        raise InputError("no such file", where=path, remedy="check the path")
    _check_header_text(path)
    header = None if suffix_of(path, NIFTI_SUFFIXES) else read_header(path)
    if header is not None and suffix_of(path, ITK_SUFFIXES) in (".mha", ".mhd"):
        check_metaimage_size(header.fields, path)
    data = None if header is None else _voxels_in(header, path)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path, error) from None
    if not min(reader.GetSpacing()) > 0:  # ITK would turn the axis round
        shown = " x ".join(f"{mm:g}" for mm in reader.GetSpacing())
        raise InputError(f"its spacing is {shown} mm, not positive", where=path, remedy=_SAVE_FROM_SLICER)
    check_size(reader.GetSize(), path)
    if data is not None:
        _check_amount(reader, header, data, path)
    return reader


def _voxels_in(header: Header, path: Path) -> Path:
    """The one file that holds the voxels."""
    data = voxel_file(header, path)
    if data is None:  # ITK fills a pattern's numbers in by printf, which a damaged one leads anywhere
        raise InputError("its voxels are spread over several files", where=path, remedy=_SAVE_FROM_SLICER)
    try:
        there = data.is_file()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        raise InputError(
            f"its voxels should be in the file {data.name[:40]}, which is not there",
            where=path,
            remedy="copy both files",
        )
    return data


def _check_amount(reader: SimpleITK.ImageFileReader, header: Header, data: Path, path: Path) -> None:
    """Whether the file can hold as many voxels as its header says."""
    components = reader.GetNumberOfComponents()
    pixel = SimpleITK.Image([1] * reader.GetDimension(), reader.GetPixelID(), components)
    claimed = math.prod(reader.GetSize()) * pixel.GetSizeOfPixelComponent() * components
    usual = "gzip" if header.fields.get("CompressedData", "").lower() == "true" else "raw"
    packing = header.fields.get("encoding", usual).lower()
    if packing in ("raw", "gzip", "gz"):
        stored = data.stat().st_size - (header.length if data == path else 0)
        check_stored(claimed, stored, packing != "raw", path)


def _entries(reader: SimpleITK.ImageFileReader, path: Path) -> dict[str, str]:
    try:
        return {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
    except (TypeError, UnicodeError):
        raise InputError("its header is no text", where=path, remedy=_SAVE_FROM_SLICER) from None


def _execute(reader: SimpleITK.ImageFileReader, path: Path) -> SimpleITK.Image:
    try:
        return reader.Execute()
    except RuntimeError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: RuntimeError) -> InputError:
    reason = str(error).strip().splitlines()[-1]
    return InputError(f"cannot be read ({reason})", where=path, remedy=_SAVE_FROM_SLICER)
