"""Decompressing one frame of a DICOM image: which decoder, and how large an image may be."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pydicom
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder
from pydicom.uid import (
    HTJ2K,
    DeflatedExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000TransferSyntaxes,
    JPEGExtended12Bit,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
)

from ..errors import InputError
from .codestreams import Codestream, codestream_of, decoded_12_bit, is_broken_jpeg
from .dicom_tags import has_value, number, positive, tag_name

MOST_PIXELS = 100_000_000
"""Of one frame. The largest X-rays in use (stitched whole legs, mammograms) have 40 million."""

MOST_FRAMES = 100_000
"""Of one file: an hour of fluoroscopy at 30 frames a second."""

DECODERS = ("pydicom", "gdcm", "pillow")
"""In this order. GDCM (python-gdcm) decodes every JPEG syntax and hands out the integers that were encoded;
Pillow has JPEG and JPEG 2000 too, the latter by way of a full 8 or 16 bit range. pydicom itself has RLE."""

SAVE_AS_PICTURE = "save the frame as 16-bit PNG or TIFF and give a camera file (--camera)"

_JPEG = (*JPEGTransferSyntaxes, *JPEGLSTransferSyntaxes, *JPEG2000TransferSyntaxes)
_HIGH_THROUGHPUT = (HTJ2K, HTJ2KLossless, HTJ2KLosslessRPCL)  # JPEG 2000 that GDCM does not have

_EXPORT_AGAIN = "export the file again"
_EXPORT_PLAIN = "export the file again, uncompressed"


def frames_in(dataset: pydicom.Dataset, where: Path) -> int:
    """How many images the file says that it holds: Number of Frames (0028,0008), 1 without it.

    Raises:
        InputError: if that is no whole number from 1 to `MOST_FRAMES`.
    """
    if not has_value(dataset, "NumberOfFrames"):
        return 1
    count = number(dataset, "NumberOfFrames", where, _EXPORT_AGAIN)
    if count != int(count) or not 1 <= count <= MOST_FRAMES:
        raise InputError(
            f"{tag_name('NumberOfFrames')} is {count:g}, not a whole number from 1 to {MOST_FRAMES}",
            where=where,
            remedy=_EXPORT_AGAIN,
        )
    return int(count)


def stored_pixels(dataset: pydicom.Dataset, where: Path, frame: int | None = None) -> np.ndarray:
    """[row, column] pixel values as stored, decompressed, before rescaling; no colours are converted.

    Only this frame is read and decompressed, and only after its size has been checked: `MOST_PIXELS`, the
    bytes in the file, and the size that a compressed image says of itself.

    Args:
        dataset: `pydicom.dcmread` of a file; Pixel Data may be left in it (``defer_size``).
        frame: of a run of several, counted from 1.

    Raises:
        InputError: naming the transfer syntax, and the package where a decoder is missing.
    """
    syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if not syntax:
        raise InputError(f"{tag_name('TransferSyntaxUID')} is missing", where=where, remedy=SAVE_AS_PICTURE)
    _check_syntax(syntax, where)
    layout = pixel_layout(dataset, where)
    index = 0 if frame is None else frame - 1
    if index >= layout["number_of_frames"]:
        raise InputError(f"has no frame {frame}", where=where)
    try:
        with _pixel_data(dataset, where) as source:
            if not syntax.is_encapsulated:
                _check_length(dataset, source, layout, where)
                return _decoded(source, syntax, layout, index, "")
            compressed = get_frame(
                source,
                index,
                number_of_frames=layout["number_of_frames"],
                extended_offsets=_extended_offsets(dataset),
            )
    except InputError:
        raise
    except Exception as error:  # pydicom raises what its parsers meet
        raise _cannot_decode(syntax, error, where) from None
    return _decompressed(compressed, syntax, layout, where)


def _decompressed(compressed: bytes, syntax: pydicom.uid.UID, layout: dict, where: Path) -> np.ndarray:
    """One compressed frame, by the first of `DECODERS` that can."""
    stream = _checked_codestream(compressed, syntax, layout, where)
    failure: Exception | None = None
    for plugin in _plugins(syntax):
        try:
            if syntax == JPEGExtended12Bit and stream.bits == 12:
                return decoded_12_bit(compressed, layout["rows"], layout["columns"])
            # The frame stands alone here, so that offsets that belong to the file do not matter.
            alone = pydicom.encaps.encapsulate([compressed])
            return _decoded(io.BytesIO(alone), syntax, {**layout, "number_of_frames": 1}, 0, plugin)
        except Exception as error:  # each decoder with its own exceptions
            failure = failure or error
    raise _cannot_decode(syntax, failure, where)


def _decoded(source: BinaryIO, syntax: pydicom.uid.UID, layout: dict, index: int, plugin: str) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what matters has been checked
        array, _ = get_decoder(syntax).as_array(
            source, index=index, raw=True, decoding_plugin=plugin, pixel_keyword="PixelData", **layout
        )
    return array


def _check_syntax(syntax: pydicom.uid.UID, where: Path) -> None:
    what = f"no decoder for {tag_name('TransferSyntaxUID')} {syntax.name} ({syntax})"
    try:
        available = get_decoder(syntax).is_available
    except NotImplementedError:
        raise InputError(what, where=where, remedy=_EXPORT_PLAIN) from None
    if available:
        return
    package = "pylibjpeg pylibjpeg-openjpeg" if syntax in _HIGH_THROUGHPUT else "python-gdcm"
    raise InputError(what, where=where, remedy=f"pip install {package}, or {_EXPORT_PLAIN}")


def _plugins(syntax: pydicom.uid.UID) -> list[str]:
    """The decoders of a compressed syntax that are installed, ours first."""
    available = get_decoder(syntax).available_plugins
    return sorted(available, key=lambda name: DECODERS.index(name) if name in DECODERS else len(DECODERS))


def pixel_layout(dataset: pydicom.Dataset, where: Path) -> dict:
    """What pydicom's decoders need to know of a grey image.

    Raises:
        InputError: for tags that are missing or contradict each other, and for images above the limits.
    """
    for keyword in ("Rows", "Columns", "BitsStored", "PixelData"):
        if keyword not in dataset:
            raise InputError(f"{tag_name(keyword)} is missing", where=where, remedy=_EXPORT_AGAIN)
    rows, columns, allocated, stored = (
        int(positive(dataset, name, 1, where, _EXPORT_AGAIN)[0])
        for name in ("Rows", "Columns", "BitsAllocated", "BitsStored")
    )
    if rows * columns > MOST_PIXELS:
        raise InputError(
            f"{tag_name('Rows')} {rows} x {tag_name('Columns')} {columns} is above {MOST_PIXELS} pixels",
            where=where,
            remedy="check the file: no X-ray is so large",
        )
    signed = int(number(dataset, "PixelRepresentation", where, _EXPORT_AGAIN))
    high = int(number(dataset, "HighBit", where)) if has_value(dataset, "HighBit") else stored - 1
    if allocated not in (8, 16, 32) or stored > allocated or high != stored - 1 or signed not in (0, 1):
        raise InputError(
            f"its pixels cannot be told: {tag_name('BitsAllocated')} {allocated}, {tag_name('BitsStored')} "
            f"{stored}, {tag_name('HighBit')} {high}, {tag_name('PixelRepresentation')} {signed}",
            where=where,
            remedy=_EXPORT_AGAIN,
        )
    samples = int(number(dataset, "SamplesPerPixel", where)) if has_value(dataset, "SamplesPerPixel") else 1
    if samples != 1:
        raise InputError(
            f"{tag_name('SamplesPerPixel')} is {samples}, not 1: no grey image",
            where=where,
            remedy="export the unprocessed grey image",
        )
    return {
        "rows": rows,
        "columns": columns,
        "bits_allocated": allocated,
        "bits_stored": stored,
        "pixel_representation": signed,
        "samples_per_pixel": 1,
        "photometric_interpretation": str(dataset.get("PhotometricInterpretation") or "MONOCHROME2"),
        "number_of_frames": frames_in(dataset, where),
        "pixel_vr": dataset.get_item("PixelData", keep_deferred=True).VR or "OW",
    }


@contextmanager
def _pixel_data(dataset: pydicom.Dataset, where: Path) -> Iterator[BinaryIO]:
    """Pixel Data as a file that stands at its first byte: the file itself where pydicom left it there."""
    element = dataset.get_item("PixelData", keep_deferred=True)
    deflated = dataset.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    if getattr(element, "value", None) is None and hasattr(element, "value_tell") and not deflated:
        with where.open("rb") as file:
            file.seek(element.value_tell)
            yield file
    else:
        yield io.BytesIO(dataset.PixelData)


def _extended_offsets(dataset: pydicom.Dataset) -> tuple[bytes, bytes] | None:
    """Where the frames of a run of more than 4 GB begin, and their lengths: (7FE0,0001), (7FE0,0002)."""
    if not has_value(dataset, "ExtendedOffsetTable") or not has_value(dataset, "ExtendedOffsetTableLengths"):
        return None
    return dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths


def _check_length(dataset: pydicom.Dataset, source: BinaryIO, layout: dict, where: Path) -> None:
    """Uncompressed frames must be in the file whole."""
    needed = layout["rows"] * layout["columns"] * layout["bits_allocated"] // 8 * layout["number_of_frames"]
    start = source.tell()
    there = source.seek(0, io.SEEK_END) - start
    source.seek(start)
    length = getattr(dataset.get_item("PixelData", keep_deferred=True), "length", there)
    if min(there, length) < needed:
        size = f"{tag_name('Rows')} {layout['rows']} x {tag_name('Columns')} {layout['columns']}"
        raise InputError(
            f"{tag_name('PixelData')} has {min(there, length)} bytes, but {size} x "
            f"{layout['number_of_frames']} {tag_name('NumberOfFrames')} need {needed}",
            where=where,
            remedy="the file is cut off or its header is wrong: copy or export it again",
        )


def _checked_codestream(compressed: bytes, syntax, layout: dict, where: Path) -> Codestream | None:
    """What a compressed JPEG image says of itself must fit the tags: its decoder would trust it.

    None for RLE, which says nothing.
    """
    if syntax not in _JPEG:
        return None
    stream = codestream_of(compressed)
    if stream is None or is_broken_jpeg(compressed):
        raise _cannot_decode(syntax, "no whole image is found in it", where)
    if (stream.rows, stream.columns, stream.samples) != (layout["rows"], layout["columns"], 1):
        raise InputError(
            f"the compressed image has {stream.rows} rows x {stream.columns} columns of {stream.samples} "
            f"samples, not the {layout['rows']} x {layout['columns']} of one that {tag_name('Rows')} and "
            f"{tag_name('Columns')} say",
            where=where,
            remedy=_EXPORT_PLAIN,
        )
    odd = syntax == JPEGExtended12Bit and (stream.bits not in (8, 12) or layout["pixel_representation"])
    if odd or stream.bits > layout["bits_allocated"]:
        raise InputError(
            f"the compressed image has {stream.bits} bits, which does not fit {tag_name('BitsAllocated')} "
            f"{layout['bits_allocated']} and {syntax.name}",
            where=where,
            remedy=_EXPORT_PLAIN,
        )
    return stream


def _cannot_decode(syntax: pydicom.uid.UID, error: object, where: Path) -> InputError:
    what = f"the pixels ({tag_name('TransferSyntaxUID')} {syntax.name}) cannot be decoded ({error})"
    return InputError(what, where=where, remedy=_EXPORT_PLAIN)
