"""The X-ray image of one view."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..geometry import Camera

_BIN = 0.01  # of the histogram in which `open_beam` looks for a peak, part of the 99.9th percentile
_BEAM_WIDTH, _BEAM_TOP, _BEAM_SHARE = 0.03, 0.15, 0.01


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


def line_integrals_from_transmission(
    transmission: np.ndarray, mask: np.ndarray, beam: float | None = None, where: object = None
) -> np.ndarray:
    """-ln(I/I0), [row, column] float32.

    Intensities are floored at 0.1 % of I0, the dark end of a detector.

    Args:
        mask: [row, column] bool, the open pixels.
        beam: I0, as `open_beam` finds it. None takes the 99.9th percentile of the open pixels.
        where: the file, for the error.

    Raises:
        InputError: if no pixel has a positive intensity.
    """
    beam = float(np.percentile(transmission[mask], 99.9)) if beam is None else beam
    if not beam > 0:
        what = "the X-ray is black: no pixel has a positive intensity"
        raise InputError(what, where=where, remedy="check that it is the right file, and its mask")
    return -np.log(np.maximum(transmission / beam, 1e-3)).astype(np.float32)


@dataclass(frozen=True)
class OpenBeam:
    """The intensity I0 of the beam before the patient, in the image's own unit.

    Attributes:
        intensity: I0.
        share: of the open pixels, those that see the beam directly; 0 where none do, and I0 is then the
            99.9th percentile: all line integrals are shifted by one constant, which the similarity measures
            ignore.
    """

    intensity: float
    share: float

    @property
    def note(self) -> str:
        """One line for people."""
        if self.share:
            part = f"{100 * self.share:.3g} % of the pixels"
            return f"I0 = {self.intensity:.4g}, the beam beside the patient ({part})"
        return f"I0 = {self.intensity:.4g}, the 99.9th percentile: no beam beside the patient is seen"


def open_beam(transmission: np.ndarray, mask: np.ndarray) -> OpenBeam:
    """I0 from the pixels that nothing shadows, where there are such.

    They make a peak at the bright end of the histogram: at least `_BEAM_SHARE` of the open pixels within
    `_BEAM_WIDTH` of its middle, that middle within `_BEAM_TOP` of the 99.9th percentile, and a valley below
    it that is less than half as high. I0 is their median. No DICOM tag tells I0.

    Args:
        transmission: [row, column], proportional to the X-ray intensity.
        mask: [row, column] bool, the open pixels.
    """
    values = transmission[mask]
    top = float(np.percentile(values, 99.9))
    if not top > 0:
        return OpenBeam(top, 0.0)
    edges = np.arange(0, round(1.05 / _BIN) + 1) * _BIN
    counts = np.histogram(values / top, edges)[0]
    near = round(_BEAM_WIDTH / _BIN)
    peaks = np.convolve(counts, np.ones(2 * near + 1), "same")
    first = round((1 - _BEAM_TOP) / _BIN)
    middle = first + int(np.argmax(peaks[first:]))
    level = edges[middle] + _BIN / 2
    share = float(peaks[middle] / len(values))
    valley = peaks[middle - 4 * near : middle - 2 * near].min()
    if share < _BEAM_SHARE or valley > 0.5 * peaks[middle]:
        return OpenBeam(top, 0.0)
    inside = np.abs(values / top - level) <= _BEAM_WIDTH + _BIN / 2
    return OpenBeam(float(np.median(values[inside])), share)
