"""Shutters and collimators of DICOM X-rays: which pixels they leave open."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from .dicom_tags import has_value, number, numbers, tag_name
from .masks import without_polygon

_REMEDY = "correct the tag, or give a camera file with a mask (--camera)"
_ASIDE = np.array([1e-6, 0.7310585e-6])  # pixel; along no edge between pixels


@dataclass(frozen=True)
class Shutter:
    """The open part of an image; what lies outside says nothing about the patient.

    Pixels are counted from 0 at the first stored pixel; several shapes together leave what all leave.

    Attributes:
        rectangle: (first column, last column, first row, last row) that are open, or None.
        circle: (column, row, radius) of the open disc, pixel; the radius is counted in columns. Or None.
        polygon: ((column, row), ...) of its corners; what it encloses is open. Or None.
    """

    rectangle: tuple[int, int, int, int] | None = None
    circle: tuple[float, float, float] | None = None
    polygon: tuple[tuple[float, float], ...] | None = None

    def mask(self, shape: tuple[int, int], columns_per_row: float = 1.0) -> np.ndarray:
        """[row, column] bool, True where open.

        Args:
            shape: (rows, columns).
            columns_per_row: row spacing / column spacing, for pixels that are not square.
        """
        row, column = np.ogrid[: shape[0], : shape[1]]
        mask = np.ones(shape, dtype=bool)
        if self.rectangle is not None:
            left, right, top, bottom = self.rectangle
            mask &= (column >= left) & (column <= right) & (row >= top) & (row <= bottom)
        if self.circle is not None:
            u, v, radius = self.circle
            mask &= (column - u) ** 2 + ((row - v) * columns_per_row) ** 2 <= radius * radius
        if self.polygon is not None:
            for aside in (_ASIDE, -_ASIDE):  # pixels on an edge are outside one of the two
                mask &= ~without_polygon(np.ones(shape, dtype=bool), np.array(self.polygon) + aside)
        return mask

    def flipped(self, shape: tuple[int, int], *, columns: bool, rows: bool) -> "Shutter":
        """The shutter of the image (rows, columns) after a left-right and/or up-down flip."""
        rectangle, circle, polygon = self.rectangle, self.circle, self.polygon
        last_row, last_column = shape[0] - 1, shape[1] - 1
        if rectangle is not None:
            left, right, top, bottom = rectangle
            left, right = (last_column - right, last_column - left) if columns else (left, right)
            top, bottom = (last_row - bottom, last_row - top) if rows else (top, bottom)
            rectangle = (left, right, top, bottom)
        if circle is not None:
            u, v, radius = circle
            circle = (last_column - u if columns else u, last_row - v if rows else v, radius)
        if polygon is not None:
            polygon = tuple(
                (last_column - u if columns else u, last_row - v if rows else v) for u, v in polygon
            )
        return Shutter(rectangle, circle, polygon)


def shutters_of(dataset: pydicom.Dataset, where: Path) -> tuple[Shutter, ...]:
    """The display shutter (0018,1600..) and the collimator (0018,1700..) of a file, stored orientation.

    DICOM counts pixels from 1. The pixels on an edge are taken as covered.

    Raises:
        InputError: for a shape other than rectangle, circle or polygon, or missing edges.
    """
    result = []
    for kind in ("Shutter", "Collimator"):
        shapes = dataset.get(f"{kind}Shape") or []
        shapes = (
            tuple(shapes) if isinstance(shapes, (list, tuple, pydicom.multival.MultiValue)) else (shapes,)
        )
        for shape in shapes:
            if shape == "RECTANGULAR":
                result.append(_rectangle(dataset, kind, where))
            elif shape == "CIRCULAR":
                row, column = numbers(dataset, f"CenterOfCircular{kind}", 2, where, _REMEDY)
                radius = number(dataset, f"RadiusOfCircular{kind}", where, _REMEDY)
                result.append(Shutter(circle=(column - 1, row - 1, radius)))
            elif shape == "POLYGONAL":
                result.append(_polygon(dataset, kind, where))
            else:
                raise InputError(
                    f"{tag_name(f'{kind}Shape')} is {shape}, not RECTANGULAR, CIRCULAR or POLYGONAL",
                    where=where,
                    remedy="give a camera file with a mask (--camera)",
                )
    return tuple(result)


def write_shutter(dataset: pydicom.Dataset, shutter: Shutter) -> None:
    """Set the display shutter tags; the inverse of `shutters_of`."""
    shapes = []
    if shutter.rectangle is not None:
        left, right, top, bottom = shutter.rectangle
        shapes.append("RECTANGULAR")
        dataset.ShutterLeftVerticalEdge, dataset.ShutterRightVerticalEdge = left, right + 2
        dataset.ShutterUpperHorizontalEdge, dataset.ShutterLowerHorizontalEdge = top, bottom + 2
    if shutter.circle is not None:
        u, v, radius = shutter.circle
        shapes.append("CIRCULAR")
        dataset.CenterOfCircularShutter = [round(v) + 1, round(u) + 1]
        dataset.RadiusOfCircularShutter = round(radius)
    if shutter.polygon is not None:
        shapes.append("POLYGONAL")
        corners = [round(x) + 1 for u, v in shutter.polygon for x in (v, u)]
        dataset.VerticesOfThePolygonalShutter = corners
    if shapes:
        dataset.ShutterShape = shapes
        dataset.ShutterPresentationValue = 0


def _rectangle(dataset: pydicom.Dataset, kind: str, where: Path) -> Shutter:
    names = ("LeftVertical", "RightVertical", "UpperHorizontal", "LowerHorizontal")
    left, right, top, bottom = (int(number(dataset, f"{kind}{n}Edge", where, _REMEDY)) for n in names)
    return Shutter(rectangle=(left, right - 2, top, bottom - 2))


def _polygon(dataset: pydicom.Dataset, kind: str, where: Path) -> Shutter:
    """Vertices (0018,1620), (0018,1720): row, column, row, column, ..."""
    keyword = f"VerticesOfThePolygonal{kind}"
    count = len(dataset.get(keyword)) if has_value(dataset, keyword) else 1
    if count < 6 or count % 2:
        state = f"has {count} numbers" if has_value(dataset, keyword) else "is missing"
        raise InputError(
            f"{tag_name(keyword)} {state}; a polygon has a row and a column of each of three corners or more",
            where=where,
            remedy=_REMEDY,
        )
    values = numbers(dataset, keyword, count, where, _REMEDY)
    return Shutter(polygon=tuple((u - 1, v - 1) for v, u in zip(values[::2], values[1::2], strict=True)))
