"""A picture of where a network looked: the X-ray under a translucent colour layer."""

import numpy as np
from PIL import Image

from ..errors import InputError
from ..images import Xray
from .canvas import LONG_SIDE, Canvas, picture_camera
from .outlines import border
from .pictures import xray_picture

# Viridis (S. van der Walt and N. Smith, 2015, CC0): evenly lighter, also to people without red-green vision.
_COLOURS = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]])
_OPAQUE = 0.75  # of the layer where there is most attention
_EDGE = (235, 235, 235)


def attention_picture(
    xray: Xray, attention: np.ndarray, title: str, anatomy: np.ndarray | None = None
) -> Canvas:
    """The X-ray, more covered the more attention there is: from violet, little, to yellow, most.

    Args:
        attention: [row, column] from 0 to 1, on the X-ray's pixels.
        anatomy: [row, column] bool; it is outlined.

    Raises:
        InputError: if these are not of the X-ray's size.
    """
    sizes = {image.shape for image in (attention, anatomy) if image is not None}
    if sizes != {xray.line_integrals.shape}:
        raise InputError("the attention is not on the X-ray's pixels", where=xray.name, remedy="map it anew")
    canvas = xray_picture(xray, title)
    shown = np.clip(_as_shown(attention, xray, canvas), 0, 1)
    steps = np.linspace(0, 1, len(_COLOURS))
    colours = np.stack([np.interp(shown, steps, channel) for channel in _COLOURS.T], axis=-1)
    layer = Image.fromarray(np.rint(colours).astype(np.uint8))
    canvas.image.paste(layer, mask=Image.fromarray(np.rint(255 * _OPAQUE * shown).astype(np.uint8)))
    if anatomy is not None:
        canvas.outline(border(_as_shown(anatomy.astype(np.float32), xray, canvas) > 0.5), _EDGE)
    return canvas


def _as_shown(image: np.ndarray, xray: Xray, canvas: Canvas) -> np.ndarray:
    """float32, of the picture's size; rows and columns that `for_display` cuts off are cut off here too."""
    columns, rows = picture_camera(xray.camera).size
    block = xray.camera.binning_to(LONG_SIDE)
    cut = Image.fromarray(image[: rows * block, : columns * block].astype(np.float32))
    way = Image.Resampling.BOX if block > 1 else Image.Resampling.BICUBIC
    return np.asarray(cut.resize(canvas.image.size, way))
