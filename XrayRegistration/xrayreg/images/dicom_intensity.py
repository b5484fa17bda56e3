"""What the pixel values of a DICOM X-ray say about the beam: how they follow its intensity."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from .dicom_decoding import SAVE_AS_PICTURE
from .dicom_tags import has_value, number, tag_name
from .lookup_tables import LookupTable, modality_lut, to_linear_lut
from .xray import line_integrals_from_transmission, open_beam

LOG_RANGE = float(np.log(1000))
"""What the full range of a LOG image's pixels counts as: the range of `line_integrals_from_transmission`."""

LIN, LOG, LINE_INTEGRAL = "LIN", "LOG", "line_integral"

_SAY_INTENSITY = "give a camera file (--camera) whose 'intensity' says transmission or line_integral"


@dataclass(frozen=True)
class Meaning:
    """How stored values follow the X-ray intensity at the detector.

    Attributes:
        kind: `LIN`, proportional to the intensity; `LOG`, its logarithm with a scale that the file does not
            tell; `LINE_INTEGRAL`, -ln(I/I0) itself, as a camera file says.
        sign: +1 if larger values mean more intensity, -1 if less.
        slope, intercept: of the modality transformation.
        white: the largest value after it that could be stored.
        lut: from stored values to intensities, in the place of slope and intercept; or None.
        notes: what was applied, for people.
    """

    kind: str
    sign: int
    slope: float
    intercept: float
    white: float
    lut: LookupTable | None = None
    notes: tuple[str, ...] = ()

    def signal(self, stored: np.ndarray) -> np.ndarray:
        """[row, column] float64: the intensity if `kind` is LIN, else its -ln; both but for a constant."""
        values = stored * self.slope + self.intercept if self.lut is None else self.lut.apply(stored)
        if self.kind == LIN:
            return values if self.sign > 0 else self.white - values
        return values * -self.sign * self._per_value()

    def intensity(self, stored: np.ndarray) -> np.ndarray:
        """[row, column] float64, proportional to the X-ray intensity; what frames are averaged in."""
        signal = self.signal(stored)
        return signal if self.kind == LIN else np.exp(-signal)

    def line_integrals(
        self, signal: np.ndarray, mask: np.ndarray, where: Path
    ) -> tuple[np.ndarray, tuple[str, ...]]:
        """-ln(I/I0), [row, column] float32, of `signal`; and a note that says what I0 is.

        Args:
            mask: [row, column] bool, the open pixels.

        Raises:
            InputError: if the X-ray is black.
        """
        if self.kind == LIN:
            beam = open_beam(signal, mask)
            return line_integrals_from_transmission(signal, mask, beam.intensity, where), (beam.note,)
        if self.kind == LINE_INTEGRAL:
            return signal.astype(np.float32), ()
        tag = tag_name("PixelIntensityRelationship")
        note = f"LOG image ({tag}): the scale of its line integrals is unknown"
        return (signal - np.percentile(signal[mask], 0.1)).astype(np.float32), (note,)

    def _per_value(self) -> float:
        return LOG_RANGE / (self.white - self.intercept) if self.kind == LOG else 1.0


def meaning_of(dataset: pydicom.Dataset, where: Path, intensity: str | None = None) -> Meaning:
    """How the stored values of a file follow the X-ray intensity at the detector.

    Pixel Intensity Relationship (0028,1040) tells, whatever way they are shown: Photometric Interpretation,
    Presentation LUT Shape and windows say only that, and are not applied.

    - LIN, sign +1: proportional to the intensity; larger = more X-rays = less attenuation. For XA and RF,
      whose definition has no sign (0028,1041), this is what LIN means.
    - LIN, sign -1: the same upside down; intensity = full scale - value.
    - LOG, sign +1: rises with ln(intensity); the line integral falls with the value. Sign -1: the line
      integral rises with the value. The factor is not in the file: the full stored range is taken as
      ln(1000); similarity measures ignore it.
    - LOG with a table back to intensities: a Pixel Intensity Relationship LUT (0028,9422) whose function is
      TO_LINEAR (PS3.3 C.7.6.16.2.13), or for XA and RF the Modality LUT (0028,3000, PS3.3 C.8.7.1.1.2). Then
      line integrals have their true scale.
    - DISP, or nothing: only what ``intensity`` says.

    Args:
        intensity: "transmission" or "line_integral" from a camera file or by hand, where the file itself
            says nothing; must not contradict it.

    Raises:
        InputError: if neither says how values follow the intensity, if they disagree, or if a table makes
            no sense.
    """
    name = str(dataset.get("PixelIntensityRelationship") or "").strip().upper()
    notes = shown_inverted(dataset)
    if name not in (LIN, LOG):
        if intensity is None:
            raise InputError(
                f"{tag_name('PixelIntensityRelationship')} is {name or 'missing'}, not LIN or LOG",
                where=where,
                remedy=_SAY_INTENSITY,
            )
        kind, sign = (LIN, 1) if intensity == "transmission" else (LINE_INTEGRAL, -1)
        if name == "DISP":
            notes += (
                f"processed for display ({tag_name('PixelIntensityRelationship')} DISP), and taken as "
                f"{intensity} as was said",
            )
        return replace(_scaled(dataset, kind, sign, where), notes=notes)
    sign = _sign(dataset, where)
    _check_agreement(name, sign, intensity, where)
    table = to_linear_lut(dataset, where)
    if table is None and name == LOG and dataset.Modality in ("XA", "RF"):
        table = modality_lut(dataset, where)
    if name == LOG and table is not None:
        _check_direction(table, sign, where)
        linear = f"made linear by {table.name}"
        return Meaning(LIN, 1, 1.0, 0.0, float(table.values.max()), table, (*notes, linear))
    meaning = _scaled(dataset, name, sign, where)
    if name == LIN and sign < 0:
        tag = tag_name("PixelIntensityRelationshipSign")
        notes += (f"inverted: intensity = {meaning.white:g} - pixel value ({tag} -1)",)
    return replace(meaning, notes=notes)


def shown_inverted(dataset: pydicom.Dataset) -> tuple[str, ...]:
    """A note where the two tags that say how to show the image disagree (PS3.3 C.7.6.3.1.2, C.8.11.3)."""
    shape = str(dataset.get("PresentationLUTShape") or "").strip().upper()
    expected = {"MONOCHROME1": "INVERSE", "MONOCHROME2": "IDENTITY"}.get(
        str(dataset.get("PhotometricInterpretation") or "").strip().upper()
    )
    if shape in ("", expected) or expected is None:
        return ()
    return (
        f"{tag_name('PresentationLUTShape')} {shape} contradicts {dataset.PhotometricInterpretation}; both "
        "say only how to show the image, and neither is used",
    )


def _scaled(dataset: pydicom.Dataset, kind: str, sign: int, where: Path) -> Meaning:
    """With the modality transformation applied: slope and intercept, or a table."""
    full = 2 ** (int(dataset.BitsStored) - int(dataset.PixelRepresentation)) - 1
    table = modality_lut(dataset, where)
    if table is None:
        slope, intercept = _rescale(dataset, where)
        return Meaning(kind, sign, slope, intercept, full * slope + intercept)
    said = str(dataset.get("PixelIntensityRelationship") or "").strip().upper() in (LIN, LOG)
    line = table.straight_line()
    if said and line is None:
        raise InputError(
            f"{tag_name('ModalityLUTSequence')} is no straight line, so that its values cannot be {kind} as "
            f"{tag_name('PixelIntensityRelationship')} says of the stored ones",
            where=where,
            remedy=SAVE_AS_PICTURE,
        )
    if line is not None and line[0] > 0:
        return Meaning(kind, sign, *line, full * line[0] + line[1])
    if said:
        raise InputError(
            f"{tag_name('ModalityLUTSequence')} turns bright into dark, against "
            f"{tag_name('PixelIntensityRelationship')}",
            where=where,
            remedy=SAVE_AS_PICTURE,
        )
    return Meaning(kind, sign, 1.0, 0.0, float(table.values.max()), table)


def _check_agreement(name: str, sign: int, intensity: str | None, where: Path) -> None:
    says = {(LIN, 1): "transmission", (LOG, -1): "line_integral"}.get((name, sign))
    if intensity is not None and intensity != says:
        raise InputError(
            f"{tag_name('PixelIntensityRelationship')} {name} with sign {sign:+d} contradicts the camera "
            f"file's intensity '{intensity}'",
            where=where,
            remedy="take 'intensity' out of the camera file, or correct the tag",
        )


def _check_direction(table: LookupTable, sign: int, where: Path) -> None:
    """A table back to intensities must rise or fall as the sign says, and nothing else."""
    steps = np.diff(table.values)
    if not (steps * sign >= 0).all() or not steps.any():
        raise InputError(
            f"{table.name} does not {'rise' if sign > 0 else 'fall'} throughout, as "
            f"{tag_name('PixelIntensityRelationshipSign')} {sign:+d} asks of a table to intensities",
            where=where,
            remedy=SAVE_AS_PICTURE,
        )


def _sign(dataset: pydicom.Dataset, where: Path) -> int:
    keyword = "PixelIntensityRelationshipSign"
    remedy = "add it: 1 if larger values mean more X-rays, -1 if fewer"
    if has_value(dataset, keyword):
        sign = number(dataset, keyword, where, remedy)
        if sign not in (1, -1):
            raise InputError(f"{tag_name(keyword)} is {sign:g}", where=where, remedy="use 1 or -1")
        return int(sign)
    if dataset.Modality in ("DX", "CR") or dataset.PhotometricInterpretation == "MONOCHROME1":
        raise InputError(
            f"{tag_name(keyword)} is missing ({dataset.Modality}, {dataset.PhotometricInterpretation})",
            where=where,
            remedy=remedy,
        )
    return 1


def _rescale(dataset: pydicom.Dataset, where: Path) -> tuple[float, float]:
    """Rescale slope and intercept; (1, 0) where the file has none."""
    slope = number(dataset, "RescaleSlope", where) if has_value(dataset, "RescaleSlope") else 1.0
    intercept = number(dataset, "RescaleIntercept", where) if has_value(dataset, "RescaleIntercept") else 0.0
    if slope <= 0:
        raise InputError(
            f"{tag_name('RescaleSlope')} is {slope:g}; it must be positive",
            where=where,
            remedy=SAVE_AS_PICTURE,
        )
    return slope, intercept
