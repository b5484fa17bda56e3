"""Plans and landmarks: points, lines and curves in the patient, as Slicer markups store them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Markup:
    """One markup.

    Attributes:
        name: for people.
        kind: "points", "line" or "curve": how the control points are joined.
        points: (n, 3) patient LPS, mm.
        labels: a label per point.
    """

    name: str
    kind: str
    points: np.ndarray
    labels: tuple[str, ...]
