"""Motions of everything, from those of the bodies: fields, and what they do to volumes and plans."""

from .blend import Blend, blended
from .field import PolyrigidField, inverse_fourth_power, inverse_square, polypose
from .folds import determinants, fold_count, unfolded
from .shapes import Shapes, shapes_of
from .warp import field_grid, warped_labels, warped_volume, write_field

__all__ = [
    "Blend",
    "PolyrigidField",
    "Shapes",
    "blended",
    "determinants",
    "field_grid",
    "fold_count",
    "inverse_fourth_power",
    "inverse_square",
    "polypose",
    "shapes_of",
    "unfolded",
    "warped_labels",
    "warped_volume",
    "write_field",
]
