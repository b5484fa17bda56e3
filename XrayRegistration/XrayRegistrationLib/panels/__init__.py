"""The panels in the order of the work, one file each.

Each gets its desk, the module's widget: `desk.session` is the session's node or None, `desk.show(error)`
tells the user in words, `desk.refresh()` brings all panels up to date. A panel holds no state but its
widgets: all it shows comes from the session, all it changes goes there.
"""
# ruff: noqa: N999 - the library's name follows Slicer

from .bodies import BodiesPanel
from .export import ExportPanel
from .landmarks import LandmarksPanel
from .layout import LayoutPanel
from .manual import ManualPanel
from .network import NetworkPanel
from .points import PointsPanel
from .preoperative import PreoperativePanel
from .register import RegisterPanel
from .review import ReviewPanel
from .training import TrainingPanel
from .xrays import XraysPanel

__all__ = [
    "BodiesPanel",
    "ExportPanel",
    "LandmarksPanel",
    "LayoutPanel",
    "ManualPanel",
    "NetworkPanel",
    "PointsPanel",
    "PreoperativePanel",
    "RegisterPanel",
    "ReviewPanel",
    "TrainingPanel",
    "XraysPanel",
]
