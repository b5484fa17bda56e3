"""Where a network looks, laid over the X-rays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from . import roles
from .jobs import Job
from .networks import attention, network_of
from .nodes import volume_of, xray_of
from .scene import lay_on_detector, set_window
from .unheld import unheld

if TYPE_CHECKING:
    from xrayreg.geometry import Camera

_COLORS = "vtkMRMLColorTableNodeIron"
_LEAST = 0.15
"""Below it the X-ray alone is seen."""


def start_attention(session, on_done: Callable[[], None], on_failed: Callable[[BaseException], None]) -> Job:
    """Ask the session's network beside the GUI; then its maps lie over all X-rays.

    Args:
        on_failed: the scene is as before.

    Raises:
        InputError: if the network or an input is missing or unfit.
    """
    network, volume = network_of(session), volume_of(session.GetNodeReference(roles.VOLUME))
    nodes = roles.references(session, roles.VIEW)
    xrays = [xray_of(node) for node in nodes]

    def work(report: Callable) -> list[np.ndarray]:
        with unheld():
            import torch  # noqa: F401 - seconds, the first time
        return attention(network, xrays, volume.converted())

    def done(maps: list[np.ndarray]) -> None:
        for node, xray, values in zip(nodes, xrays, maps, strict=True):
            show_attention(node, values, xray.camera)
        session.SetAttribute(roles.COMPARE, roles.ATTENTION)
        on_done()

    return Job(work, lambda state: None, done, on_failed, lambda: None)


def show_attention(xray, values: np.ndarray, camera: Camera) -> None:
    """Lay a map [row, column], 0 to 1, of ``camera``'s pixels over a view's X-ray, for the one before."""
    node = lay_on_detector(xray, roles.ATTENTION_MAP, values.astype(np.float32), camera)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(_COLORS)
    display.SetThreshold(_LEAST, 1.0)
    display.SetApplyThreshold(True)
    set_window(node, 1.0, 0.5)
