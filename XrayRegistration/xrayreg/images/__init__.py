"""Volumes, X-rays, label maps and plans: reading, checking, intensities."""

from .markups import Markup
from .volume import WATER_PER_MM, Grid, LabelMap, Volume, attenuation_per_mm
from .xray import Xray, line_integrals_from_transmission

__all__ = [
    "WATER_PER_MM",
    "Grid",
    "LabelMap",
    "Markup",
    "Volume",
    "Xray",
    "attenuation_per_mm",
    "line_integrals_from_transmission",
]
