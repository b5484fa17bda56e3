"""NIfTI, NRRD and MetaImage through SimpleITK, with their place in the patient."""

from pathlib import Path

import numpy as np
import SimpleITK

from ..errors import InputError
from .volume import Grid

ITK_SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")

_SAVE_FROM_SLICER = "save it again from 3D Slicer"


def suffix_of(path: Path, known: tuple[str, ...]) -> str | None:
    """The longest of the ``known`` endings that the file name has, or None."""
    fitting = [suffix for suffix in known if path.name.lower().endswith(suffix)]
    return max(fitting, key=len, default=None)


def read_grid_file(path: Path) -> tuple[np.ndarray, Grid, dict[str, str]]:
    """A scalar 3-D image with its place.

    Returns:
        [k, j, i] array of the file's type; its grid, patient LPS mm, direction as in the file (left-handed
        or oblique too); the header's entries.

    Raises:
        InputError: for 2-D, 4-D and vector images, and where the file does not say how it lies.
    """
    reader = _open(path)
    header = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
    if reader.GetDimension() != 3 or reader.GetNumberOfComponents() != 1 or min(reader.GetSize()) < 2:
        size = " x ".join(str(n) for n in reader.GetSize())
        raise InputError(
            f"is {size} voxels with {reader.GetNumberOfComponents()} component(s), not a scalar 3-D image",
            where=path,
            remedy="save one scalar volume",
        )
    _check_placed(header, path)
    image = _execute(reader, path)
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return SimpleITK.GetArrayFromImage(image), Grid(image.GetSize(), affine), header


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


def _open(path: Path) -> SimpleITK.ImageFileReader:
    if not path.is_file():
        raise InputError("no such file", where=path)
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise _unreadable(path, error) from None
    return reader


def _execute(reader: SimpleITK.ImageFileReader, path: Path) -> SimpleITK.Image:
    try:
        return reader.Execute()
    except RuntimeError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: RuntimeError) -> InputError:
    reason = str(error).strip().splitlines()[-1]
    return InputError(f"cannot be read ({reason})", where=path, remedy=_SAVE_FROM_SLICER)


def _check_placed(header: dict[str, str], path: Path) -> None:
    """Whether the header says how the volume lies in the patient; ITK itself would assume it."""
    suffix = suffix_of(path, ITK_SUFFIXES)
    if suffix in (".nrrd", ".nhdr") and header.get("NRRD_space") != "left-posterior-superior":
        raise InputError(
            f"NRRD field 'space' is {header.get('NRRD_space', 'missing')}: the file does not say "
            "how it lies in the patient",
            where=path,
            remedy=_SAVE_FROM_SLICER,
        )
    if suffix in (".nii", ".nii.gz") and header.get("qform_code") == header.get("sform_code") == "0":
        raise InputError(
            "NIfTI fields qform_code and sform_code are 0: the file does not say how it lies in the patient",
            where=path,
            remedy=_SAVE_FROM_SLICER,
        )
