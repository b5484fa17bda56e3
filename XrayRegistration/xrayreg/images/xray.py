"""The X-ray image of one view."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..geometry import Camera


@dataclass(frozen=True)
class Xray:
    """An X-ray with its camera.

    Attributes:
        line_integrals: [row, column] float32, -ln(I/I0), dimensionless, larger = more attenuation.
        camera: where it was taken; its pose may be only a start.
        mask: [row, column] bool, False where a pixel says nothing about the patient (collimator,
            text, outside a round field).
        name: of the view, unique in a registration; names its output files.
        rig: views with the same rig keep their relative geometry and move together; "" moves alone.
        notes: what was flipped or assumed in reading, for people.
    """

    line_integrals: np.ndarray
    camera: Camera
    mask: np.ndarray
    name: str = "view"
    rig: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        shape = self.camera.size[::-1]
        if self.line_integrals.shape != shape or self.mask.shape != shape:
            raise InputError(
                f"the image is {self.line_integrals.shape[::-1]} and its mask {self.mask.shape[::-1]} "
                f"columns x rows, the camera says {self.camera.size}",
                where=self.name,
            )
        if not np.isfinite(self.line_integrals[self.mask]).all():
            raise InputError("the image holds NaN or infinite values", where=self.name)
        if not self.mask.any():
            raise InputError("the mask leaves no pixel to compare", where=self.name)

    def cropped(self, first: tuple[int, int], size: tuple[int, int]) -> "Xray":
        """The part of ``size`` whose first pixel is ``first``, (column, row) each."""
        part = (slice(first[1], first[1] + size[1]), slice(first[0], first[0] + size[0]))
        return replace(
            self,
            line_integrals=self.line_integrals[part],
            mask=self.mask[part],
            camera=self.camera.cropped(first, size),
        )

    def binned(self, factor: int) -> "Xray":
        """Averaged over the unmasked pixels of factor x factor blocks; a block counts if half of it does."""
        camera = self.camera.binned(factor)
        columns, rows = camera.size

        def sums(array: np.ndarray) -> np.ndarray:
            total = np.zeros((rows, columns))
            for row in range(factor):  # one pixel of every block at a time: a tenth of the time of reshaping
                for column in range(factor):
                    total += array[row : rows * factor : factor, column : columns * factor : factor]
            return total

        if self.mask.all():
            count, sum_of_values = np.full((rows, columns), float(factor**2)), sums(self.line_integrals)
        else:
            count, sum_of_values = sums(self.mask), sums(np.where(self.mask, self.line_integrals, 0))
        mean = sum_of_values / np.maximum(count, 1)
        mask = count >= 0.5 * factor * factor
        return replace(self, line_integrals=mean.astype(np.float32), mask=mask, camera=camera)


def line_integrals_from_transmission(transmission: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """-ln(I/I0) with I0 the 99.9th percentile of the unmasked pixels, [row, column] float32.

    The percentile stands for the unattenuated beam; where none reaches the detector, all values are
    shifted by one constant, which the similarity measures ignore. Intensities are floored at 0.1 %
    of I0, the dark end of a detector.
    """
    beam = float(np.percentile(transmission[mask], 99.9))
    if not beam > 0:
        raise InputError("the X-ray is black: no pixel has a positive intensity")
    return -np.log(np.maximum(transmission / beam, 1e-3)).astype(np.float32)
