"""Two-dimensional pictures of a registration; no Slicer, no screen."""

from .attention import attention_picture
from .canvas import Canvas, ellipse_points, grey, picture_camera, write_grey_png
from .comparisons import MIDDLE, checkerboard, difference, in_common_pixels, matched
from .layers import Layers, Mark, layers_of, layers_on
from .outlines import edges, outlined_labels, structure_outlines
from .pictures import (
    Overlay,
    checkerboard_picture,
    drr_picture,
    overlay_picture,
    view_drr,
    xray_picture,
)

__all__ = [
    "MIDDLE",
    "Canvas",
    "Layers",
    "Mark",
    "Overlay",
    "attention_picture",
    "checkerboard",
    "checkerboard_picture",
    "difference",
    "drr_picture",
    "edges",
    "ellipse_points",
    "grey",
    "in_common_pixels",
    "layers_of",
    "layers_on",
    "matched",
    "outlined_labels",
    "overlay_picture",
    "picture_camera",
    "structure_outlines",
    "view_drr",
    "write_grey_png",
    "xray_picture",
]
