"""What is laid over an X-ray to compare it with its DRR.

Slicer's slice views only blend, so a checkerboard, a difference, edges and a DRR in the X-ray's contrast are
computed by the core, as a volume of one slice on the detector.
"""

from __future__ import annotations

import numpy as np

from . import roles
from .mrml import array_of
from .nodes import xray_of
from .scene import DRR_COLORS, GREY, lay_on_detector, set_window

_LONGEST_PX = {roles.CHECKERBOARD: 512, roles.DIFFERENCE: 1024, roles.EDGES: 400, roles.FLICKER: 1024}
"""What is computed while the user waits is given fewer pixels the longer it takes."""


def comparison_of(xray, mode: str):
    """The volume node to be laid over a view's X-ray, made or renewed if it must be; None if there is no DRR.

    Where a network looks is never made here: without its map it is the DRR.

    Args:
        mode: one of `roles.COMPARISONS`.

    Raises:
        InputError: if the DRR does not lie on the X-ray.
    """
    drr = xray.GetNodeReference(roles.DRR)
    if mode == roles.ATTENTION:
        return xray.GetNodeReference(roles.ATTENTION_MAP) or drr
    if drr is None or mode == roles.BLEND:
        return drr
    node = xray.GetNodeReference(roles.COMPARISON)
    if node is None or node.GetAttribute(roles.COMPARE) != mode or _is_outdated(node, xray):
        node = _renewed(xray, mode)
    if mode == roles.FLICKER:  # the user may have changed how the X-ray is shown
        shown = xray.GetDisplayNode()
        set_window(node, shown.GetWindow(), shown.GetLevel())
    return node


def _is_outdated(node, xray) -> bool:
    """Whether one of the images that it was made of is newer."""
    sources = [xray, *(xray.GetNodeReference(role) for role in (roles.DRR, roles.MASK))]
    made = node.GetImageData().GetMTime()
    return any(source is not None and source.GetImageData().GetMTime() > made for source in sources)


def _renewed(xray, mode: str):
    from xrayreg.overlays import checkerboard, difference, edges, in_common_pixels, matched

    drr = array_of(xray.GetNodeReference(roles.DRR))[0]
    ours, theirs = in_common_pixels(xray_of(xray), drr, _LONGEST_PX[mode])
    compute = {
        roles.CHECKERBOARD: checkerboard,
        roles.DIFFERENCE: difference,
        roles.EDGES: lambda ours, theirs: edges(theirs).astype(np.uint8) * 255,
        roles.FLICKER: matched,
    }
    node = lay_on_detector(xray, roles.COMPARISON, compute[mode](ours, theirs), ours.camera)
    node.SetAttribute(roles.COMPARE, mode)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(DRR_COLORS if mode == roles.EDGES else GREY)
    display.SetThreshold(64, 255)  # slanting edges too hold together where pixels are interpolated
    display.SetApplyThreshold(mode == roles.EDGES)  # between edges the X-ray is seen
    set_window(node, 255.0, 127.5)
    return node
