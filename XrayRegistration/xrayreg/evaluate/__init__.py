"""Metrics against a known truth, and the public cases they are measured on."""

from .demo_case import DemoCase, cache_folder, fetch_demo_case
from .demo_views import (
    PLAN,
    DemoView,
    demo_camera,
    demo_network,
    demo_targets,
    errors,
    write_any_view,
    write_demo_views,
)
from .fresh_xrays import FreshXray, FreshXrays
from .metrics import projection_distance, reprojection_distance, tre
from .quality import QualityCard, ViewImages, quality_of
from .statistics import wilson_interval

__all__ = [
    "PLAN",
    "DemoCase",
    "DemoView",
    "FreshXray",
    "FreshXrays",
    "QualityCard",
    "ViewImages",
    "cache_folder",
    "demo_camera",
    "demo_network",
    "demo_targets",
    "errors",
    "fetch_demo_case",
    "projection_distance",
    "quality_of",
    "reprojection_distance",
    "tre",
    "wilson_interval",
    "write_any_view",
    "write_demo_views",
]
