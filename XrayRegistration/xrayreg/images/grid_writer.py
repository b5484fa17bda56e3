"""Writing volumes and label maps as NRRD files."""

from pathlib import Path

import numpy as np
import SimpleITK

from ..errors import InputError
from .volume import Grid


def itk_image(voxels: np.ndarray, grid: Grid, vectors: bool = False) -> SimpleITK.Image:
    """Voxels [k, j, i], or vectors [k, j, i, n], with their place, as SimpleITK has them."""
    image = SimpleITK.GetImageFromArray(voxels, isVector=vectors)
    image.SetSpacing(grid.spacing_mm.tolist())
    image.SetDirection((grid.patient_from_index[:3, :3] / grid.spacing_mm).ravel().tolist())
    image.SetOrigin(grid.patient_from_index[:3, 3].tolist())
    return image


def write_grid_nrrd(path: str | Path, voxels: np.ndarray, grid: Grid) -> None:
    """Write voxels [k, j, i] with their place, patient LPS, mm; `read_volume` and `read_label_map` read them.

    They keep their type, and are not compressed, which takes long.

    Raises:
        InputError: if the voxels do not have the grid's size, or the file cannot be written.
    """
    if voxels.shape != grid.array_shape:
        raise InputError(f"voxels of shape {voxels.shape} do not fill a grid of {grid.size}", where=path)
    image = itk_image(voxels, grid)
    try:
        SimpleITK.WriteImage(image, str(path))
    except RuntimeError:  # ITK does not say why
        raise InputError("cannot be written", where=path, remedy="check the folder and free space") from None
