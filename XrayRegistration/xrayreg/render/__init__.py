"""DRRs: differentiable X-rays of a volume."""

from .density import Density
from .project import PROJECTORS, render, render_labels, render_with_pose_jacobian

__all__ = ["PROJECTORS", "Density", "render", "render_labels", "render_with_pose_jacobian"]
