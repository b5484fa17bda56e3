"""Registration: from a start pose to the pose of each view."""

from .result import RegisteredView, Registration

__all__ = ["RegisteredView", "Registration"]
