"""Small pictures of X-rays, to tell them apart in a list."""

import io

import numpy as np
from PIL import Image


def thumbnail_png(image: np.ndarray, longest_px: int = 64) -> bytes:
    """A PNG, 8 bit grey, of an image [row, column] from its darkest to its brightest values.

    Args:
        longest_px: of its longer side, at most.
    """
    step = max(1, -(-max(image.shape) // longest_px))
    small = image[step // 2 :: step, step // 2 :: step]
    low, high = np.percentile(small, [1, 99])
    grey = np.clip((small - low) / max(high - low, 1e-6), 0, 1) * 255
    file = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()
