"""DRRs: differentiable X-rays of a volume, and simulated X-rays for tests."""

from .density import Density
from .project import PROJECTORS, render, render_labels, render_with_pose_jacobian
from .simulate import Detector, simulate_xray

__all__ = [
    "PROJECTORS",
    "Density",
    "Detector",
    "render",
    "render_labels",
    "render_with_pose_jacobian",
    "simulate_xray",
]
