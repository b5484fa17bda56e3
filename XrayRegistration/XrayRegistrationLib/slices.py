"""An X-ray in a slice view: how it is turned, fitted and blended with its DRR.

Works on the slice logics of Slicer's layout as well as on those of the off-screen pictures.
"""

import numpy as np
import slicer
from xrayreg.geometry import inverse

from . import roles
from .comparing import comparison_of
from .mrml import matrix_array, world_from_index, world_from_node

DRR_OPACITY = 0.35


def show_xray(
    logic, xray, opacity: float = DRR_OPACITY, outlines: bool = True, mode: str = roles.BLEND
) -> None:
    """Fill the slice view of a vtkMRMLSliceLogic with an X-ray, its DRR over it, outlines on top."""
    blend_xray(logic, xray, opacity, outlines, mode)
    node = logic.GetSliceNode()
    node.GetSliceToRAS().DeepCopy(ras_from_slice_view(xray).ravel())
    width, height = node.GetDimensions()[:2]
    columns, rows, _ = xray.GetImageData().GetDimensions()
    column_mm, row_mm, _ = xray.GetSpacing()
    mm_per_pixel = max(columns * column_mm / width, rows * row_mm / height)
    node.SetFieldOfView(width * mm_per_pixel, height * mm_per_pixel, 1)
    node.UpdateMatrices()


def blend_xray(logic, xray, opacity: float, outlines: bool, mode: str = roles.BLEND) -> None:
    """What of a view's X-ray, DRR and outlines is shown; where the slice view looks stays.

    Args:
        opacity: of what lies over the X-ray.
        mode: what that is, one of `roles.COMPARISONS`.
    """
    composite = logic.GetSliceCompositeNode()
    composite.SetBackgroundVolumeID(xray.GetID())
    over = comparison_of(xray, mode)
    composite.SetForegroundVolumeID(None if over is None else over.GetID())
    composite.SetForegroundOpacity(opacity)
    lines = xray.GetNodeReference(roles.OUTLINES) if outlines else None
    composite.SetLabelVolumeID(None if lines is None else lines.GetID())


def slice_widgets() -> list:
    """The slice views of Slicer's layout; none without a main window."""
    layout = slicer.app.layoutManager()
    return [] if layout is None else [layout.sliceWidget(name) for name in layout.sliceViewNames()]


def follow(xray, world_before: np.ndarray) -> None:
    """Carry along the slice views that show an X-ray which has moved; what they show of it stays.

    Args:
        world_before: `world_from_node` of the X-ray before it moved.
    """
    motion = world_from_node(xray) @ inverse(world_before)
    for widget in slice_widgets():
        if widget.mrmlSliceCompositeNode().GetBackgroundVolumeID() == xray.GetID():
            node = widget.mrmlSliceNode()
            node.GetSliceToRAS().DeepCopy((motion @ matrix_array(node.GetSliceToRAS())).ravel())
            node.UpdateMatrices()


def ras_from_slice_view(xray) -> np.ndarray:
    """(4, 4) RAS from the axes of a slice view on the X-ray: as radiographs are read.

    Slice view axes: x to the right of the screen, y up, z to the viewer. Columns go right and rows
    down, so the viewer stands at the source and looks along the beam; nothing is mirrored.
    """
    ras_from_index = world_from_index(xray)
    columns, rows, _ = xray.GetImageData().GetDimensions()
    axes = ras_from_index[:3, :3] / np.linalg.norm(ras_from_index[:3, :3], axis=0)
    ras_from_slice = np.eye(4)
    ras_from_slice[:3, :3] = axes * [1, -1, -1]
    ras_from_slice[:3, 3] = (ras_from_index @ [(columns - 1) / 2, (rows - 1) / 2, 0, 1])[:3]
    return ras_from_slice
