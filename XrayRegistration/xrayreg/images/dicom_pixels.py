"""The pixels of one frame of a DICOM X-ray and what they say about the beam."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.pixels import get_decoder, pixel_array

from ..errors import InputError
from .dicom_tags import has_value, number, read_dataset, tag_name, text
from .enhanced_xa import classic_frame, is_enhanced
from .shutters import shutters_of
from .xray import line_integrals_from_transmission

MODALITIES = ("XA", "RF", "DX", "CR")

_DEFER_BYTES = 1 << 16  # larger elements are read when they are asked for
LOG_RANGE = float(np.log(1000))
"""What the full range of a LOG image's pixels counts as: the range of `line_integrals_from_transmission`."""

_SAVE_AS_PICTURE = "save the frame as 16-bit PNG or TIFF and give a camera file (--camera)"
_SAY_INTENSITY = "give a camera file (--camera) whose 'intensity' says transmission or line_integral"
_DECODERS = {"1.2.840.10008.1.2.4.9": "pylibjpeg-openjpeg", "1.2.840.10008.1.2.4": "pylibjpeg-libjpeg"}


def open_xray(path: Path, frame: int | None = None) -> pydicom.Dataset:
    """The data set of a monochrome XA, RF, DX or CR file; its pixels are not read yet.

    Args:
        frame: of a run of several, counted from 1. None is allowed only where there is one.

    Raises:
        InputError: for anything else.
    """
    dataset = read_dataset(path, defer_size=_DEFER_BYTES)
    modality = text(dataset, "Modality", path, remedy=f"X-rays are {', '.join(MODALITIES)}")
    if modality not in MODALITIES:
        raise InputError(
            f"{tag_name('Modality')} is {modality}", where=path, remedy=f"X-rays are {', '.join(MODALITIES)}"
        )
    count = frames_in(dataset, path)
    if frame is None and count > 1:
        raise InputError(
            f"{tag_name('NumberOfFrames')} is {count}, and nothing says which to take",
            where=path,
            remedy=f"choose one of the {count} frames (--frame)",
        )
    if frame is not None and not 1 <= frame <= count:
        raise InputError(f"has no frame {frame}", where=path, remedy=f"choose one from 1 to {count}")
    if is_enhanced(dataset):
        dataset = classic_frame(dataset, frame or 1, path)
    photometric = text(dataset, "PhotometricInterpretation", path, _SAVE_AS_PICTURE)
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputError(
            f"{tag_name('PhotometricInterpretation')} is {photometric}, not a grey image",
            where=path,
            remedy="export the unprocessed grey image",
        )
    return dataset


def frames_in(dataset: pydicom.Dataset, where: Path) -> int:
    """How many images the file holds."""
    return int(number(dataset, "NumberOfFrames", where)) if has_value(dataset, "NumberOfFrames") else 1


def stored_pixels(dataset: pydicom.Dataset, where: Path, frame: int | None = None) -> np.ndarray:
    """[row, column] pixel values as stored, decompressed, before rescaling.

    Args:
        frame: of a run of several, counted from 1; only this one is decompressed.

    Raises:
        InputError: naming the transfer syntax, and the package where a decoder is missing.
    """
    syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if syntax is None:
        raise InputError(f"{tag_name('TransferSyntaxUID')} is missing", where=where, remedy=_SAVE_AS_PICTURE)
    if syntax.is_compressed and not _has_decoder(syntax):
        package = next((p for uid, p in _DECODERS.items() if syntax.startswith(uid)), "pylibjpeg")
        raise InputError(
            f"no decoder for {tag_name('TransferSyntaxUID')} {syntax.name} ({syntax})",
            where=where,
            remedy=f"pip install pylibjpeg {package}",
        )
    for keyword in ("Rows", "Columns", "BitsStored", "PixelData"):
        if keyword not in dataset:
            raise InputError(f"{tag_name(keyword)} is missing", where=where, remedy="export the file again")
    try:
        return pixel_array(dataset, index=None if frame is None else frame - 1)
    except Exception as error:  # decoders of several packages, each with its own exceptions
        raise InputError(
            f"the pixels ({tag_name('TransferSyntaxUID')} {syntax.name}) cannot be decoded ({error})",
            where=where,
            remedy="export the file again, uncompressed",
        ) from None


def open_pixels(dataset: pydicom.Dataset, stored: np.ndarray, where: Path) -> np.ndarray:
    """[row, column] bool: pixels outside shutters, collimators and padding, stored orientation."""
    spacing = dataset.get("ImagerPixelSpacing")
    columns_per_row = float(spacing[0]) / float(spacing[1]) if spacing and len(spacing) == 2 else 1.0
    mask = np.ones(stored.shape, dtype=bool)
    for shutter in shutters_of(dataset, where):
        mask &= shutter.mask(stored.shape, columns_per_row)
    if has_value(dataset, "PixelPaddingValue"):
        first = dataset.PixelPaddingValue
        limit = dataset.PixelPaddingRangeLimit if has_value(dataset, "PixelPaddingRangeLimit") else first
        mask &= (stored < min(first, limit)) | (stored > max(first, limit))
    if not mask.any():
        raise InputError(
            f"shutter, collimator and padding ({tag_name('ShutterShape')}, {tag_name('CollimatorShape')}, "
            f"{tag_name('PixelPaddingValue')}) leave no open pixel",
            where=where,
            remedy="correct the tags, or save as PNG or TIFF and give a camera file (--camera)",
        )
    return mask


def line_integrals(
    dataset: pydicom.Dataset, stored: np.ndarray, mask: np.ndarray, where: Path, intensity: str | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """-ln(I/I0) of an X-ray, [row, column] float32, and notes on what was assumed.

    Pixel Intensity Relationship (0028,1040) tells how stored values follow the X-ray intensity at the
    detector, whatever way they are shown (Photometric Interpretation says only that):

    - LIN, sign +1: proportional to the intensity; larger = more X-rays = less attenuation. For XA and RF,
      whose definition has no sign (0028,1041), this is what LIN means.
    - LIN, sign -1: the same upside down; intensity = full scale - value.
    - LOG, sign +1: rises with ln(intensity); the line integral falls with the value. Sign -1: the line
      integral rises with the value. The factor is not in the file: the full stored range is taken as
      ln(1000); similarity measures ignore it.

    Args:
        stored: [row, column] as stored.
        mask: [row, column] bool, the open pixels.
        intensity: "transmission" or "line_integral" from a camera file, where the file itself says
            nothing; must not contradict it.

    Raises:
        InputError: if neither says how values follow the intensity, or if they disagree.
    """
    values, white = _rescaled(dataset, stored, where)
    relationship = _relationship(dataset, where, intensity)
    if relationship == ("LIN", 1):
        return line_integrals_from_transmission(values, mask), ()
    if relationship == ("LIN", -1):
        note = (
            f"inverted: intensity = {white:g} - pixel value ({tag_name('PixelIntensityRelationshipSign')} -1)"
        )
        return line_integrals_from_transmission(white - values, mask), (note,)
    if relationship is None:
        return values.astype(np.float32), ()
    span = white - _rescale(dataset, where)[1]
    scaled = values * (-relationship[1] * LOG_RANGE / span)
    beam = np.percentile(scaled[mask], 0.1)
    note = f"LOG image ({tag_name('PixelIntensityRelationship')}): the scale of its line integrals is unknown"
    return (scaled - beam).astype(np.float32), (note,)


def _relationship(dataset: pydicom.Dataset, where: Path, intensity: str | None) -> tuple[str, int] | None:
    """(LIN or LOG, sign), or None where a camera file says that the values are line integrals."""
    tag = tag_name("PixelIntensityRelationship")
    name = str(dataset.get("PixelIntensityRelationship") or "").strip().upper()
    if name not in ("LIN", "LOG"):
        if intensity is None:
            raise InputError(
                f"{tag} is {name or 'missing'}, not LIN or LOG", where=where, remedy=_SAY_INTENSITY
            )
        return ("LIN", 1) if intensity == "transmission" else None
    sign = _sign(dataset, where)
    says = {("LIN", 1): "transmission", ("LOG", -1): "line_integral"}.get((name, sign))
    if intensity is not None and intensity != says:
        raise InputError(
            f"{tag} {name} with sign {sign:+d} contradicts the camera file's intensity '{intensity}'",
            where=where,
            remedy="take 'intensity' out of the camera file, or correct the tag",
        )
    return name, sign


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
    if has_value(dataset, "ModalityLUTSequence"):
        raise InputError(
            f"{tag_name('ModalityLUTSequence')} is not supported yet", where=where, remedy=_SAVE_AS_PICTURE
        )
    slope = number(dataset, "RescaleSlope", where) if has_value(dataset, "RescaleSlope") else 1.0
    intercept = number(dataset, "RescaleIntercept", where) if has_value(dataset, "RescaleIntercept") else 0.0
    if slope <= 0:
        raise InputError(
            f"{tag_name('RescaleSlope')} is {slope:g}; it must be positive",
            where=where,
            remedy=_SAVE_AS_PICTURE,
        )
    return slope, intercept


def _rescaled(dataset: pydicom.Dataset, stored: np.ndarray, where: Path) -> tuple[np.ndarray, float]:
    """The values after rescaling, float64, and the largest that could be stored."""
    slope, intercept = _rescale(dataset, where)
    bits = int(dataset.BitsStored) - int(dataset.PixelRepresentation)
    return stored * slope + intercept, (2**bits - 1) * slope + intercept


def _has_decoder(syntax: pydicom.uid.UID) -> bool:
    try:
        return get_decoder(syntax).is_available
    except NotImplementedError:
        return False
