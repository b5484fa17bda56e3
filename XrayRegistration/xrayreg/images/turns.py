"""Quarter turns and flips of images: the eight ways in which one picture can be stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_CLOCKWISE = np.array([[0, -1], [1, 0]])  # (column, row): to the right becomes down, down to the left
_MIRROR = np.diag([-1, 1])


@dataclass(frozen=True)
class Turn:
    """Quarter turns clockwise, then perhaps a left-right flip: the order of DICOM's field of view.

    Attributes:
        clockwise: quarter turns, 0 to 3.
        mirrored: flipped left-right afterwards.
    """

    clockwise: int = 0
    mirrored: bool = False

    def of(self, image: np.ndarray) -> np.ndarray:
        """[..., row, column] turned; contiguous."""
        turned = np.rot90(image, -self.clockwise, axes=(-2, -1))
        return np.ascontiguousarray(turned[..., ::-1] if self.mirrored else turned)

    @property
    def directions(self) -> np.ndarray:
        """(2, 2): a (column, row) direction of the turned image from one of the image before."""
        turned = np.linalg.matrix_power(_CLOCKWISE, self.clockwise)
        return _MIRROR @ turned if self.mirrored else turned

    @property
    def inverse(self) -> Turn:
        return _turn_with(self.directions.T)

    def then(self, other: Turn) -> Turn:
        """This one first."""
        return _turn_with(other.directions @ self.directions)

    def pair(self, values: tuple) -> tuple:
        """(column, row) values, such as sizes and spacings, of the turned image."""
        return tuple(values[::-1] if self.clockwise % 2 else values)

    def point(self, point: tuple[float, float], size: tuple[int, int]) -> tuple[float, float]:
        """Where a (column, row) point of an image of ``size`` (columns, rows) comes to lie."""
        middle = (np.array(size) - 1) / 2
        moved = self.directions @ (np.array(point) - middle) + (np.array(self.pair(tuple(size))) - 1) / 2
        return float(moved[0]), float(moved[1])

    def __str__(self) -> str:
        """For people: `turned by 90 degrees clockwise and flipped left-right`."""
        if self == Turn(2, True):
            return "flipped up-down"
        turned = f"turned by {90 * self.clockwise} degrees clockwise" if self.clockwise else ""
        parts = [turned] * bool(turned) + ["flipped left-right"] * self.mirrored
        return " and ".join(parts) or "not turned"


AS_IT_IS = Turn()
MIRRORED = Turn(mirrored=True)
HALF = Turn(2)
TURNS = tuple(Turn(clockwise, mirrored) for mirrored in (False, True) for clockwise in range(4))


def _turn_with(directions: np.ndarray) -> Turn:
    return next(turn for turn in TURNS if (turn.directions == directions).all())
