"""Writing DRRs as NRRD images that lie on the detector."""

from pathlib import Path

import numpy as np
import SimpleITK

from ..errors import InputError
from ..geometry import Camera, detector_from_image, patient_from_detector


def write_drr_nrrd(path: str | Path, image: np.ndarray, camera: Camera) -> None:
    """Write a DRR as a float32 NRRD.

    With a known source-to-detector distance it is a one-slice volume on the detector plane, patient LPS
    mm, the slice 1 mm thick; without one a 2-D image in pixel units.

    Args:
        image: [row, column], or [channel, row, column], which becomes a vector image.

    Raises:
        InputError: if the image does not have the camera's size, or the camera has a skew.
    """
    if image.ndim not in (2, 3) or image.shape[-2:] != camera.size[::-1]:
        raise InputError(
            f"the DRR has shape {image.shape}, the camera {camera.size[1]} rows x {camera.size[0]} columns",
            where=path,
        )
    vector = image.ndim == 3
    pixels = np.moveaxis(image, 0, -1) if vector else image
    pixels = np.ascontiguousarray(pixels, dtype=np.float32)
    if camera.source_to_detector_mm is None:
        result = SimpleITK.GetImageFromArray(pixels, isVector=vector)
    else:
        result = SimpleITK.GetImageFromArray(pixels[None], isVector=vector)
        patient_from_image = patient_from_detector(camera) @ detector_from_image(camera)
        spacing = np.linalg.norm(patient_from_image[:3, :3], axis=0)
        result.SetSpacing(spacing.tolist())
        result.SetDirection((patient_from_image[:3, :3] / spacing).ravel().tolist())
        result.SetOrigin(patient_from_image[:3, 3].tolist())
    try:
        SimpleITK.WriteImage(result, str(path), useCompression=True)
    except RuntimeError:  # ITK does not say why
        raise InputError("cannot be written", where=path, remedy="check the folder and free space") from None
