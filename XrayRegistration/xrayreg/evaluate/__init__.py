"""Metrics against a known truth, and the public cases they are measured on."""

from .metrics import projection_distance, reprojection_distance, tre

__all__ = ["projection_distance", "reprojection_distance", "tre"]
