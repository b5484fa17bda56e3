"""What a compressed JPEG image says of itself; and the one kind that pydicom leaves to nobody."""

from dataclasses import dataclass

import numpy as np

_SOI, _SOC = b"\xff\xd8", b"\xff\x4f"  # how a JPEG, JPEG-LS or JPEG 2000 image begins
_SIZ = b"\xff\x51"
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}  # SOF0..15; F7 is JPEG-LS
_SCAN = 0xDA


@dataclass(frozen=True)
class Codestream:
    """Size of a compressed image: rows, columns, samples of a pixel, bits of a sample."""

    rows: int
    columns: int
    samples: int
    bits: int


def codestream_of(data: bytes) -> Codestream | None:
    """From the frame header of JPEG and JPEG-LS (ITU-T T.81 B.2.2, T.87 C.2.2) or the SIZ of JPEG 2000 (T.800
    A.5.1); None where there is none."""
    if _SOC + _SIZ in data[:256]:
        return _jpeg_2000(data, data.index(_SOC + _SIZ) + 4)
    if data[:2] != _SOI:
        return None
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _SCAN:
        if data[at + 1] in _FRAME_HEADERS:
            return _jpeg(data, at + 4)
        at += 1 if data[at + 1] == 0xFF else 2 + _u16(data, at + 2)  # markers may be filled up with FF
    return None


def is_broken_jpeg(data: bytes) -> bool:
    """Whether the headers of a JPEG stream do not follow each other up to its first scan (T.81, B.1.1).

    GDCM ends the whole process on some such streams.
    """
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        if data[at + 1] == _SCAN:
            return False
        at += 1 if data[at + 1] == 0xFF else 2 + _u16(data, at + 2)
    return data[:2] == b"\xff\xd8"


def _jpeg(data: bytes, at: int) -> Codestream | None:
    if len(data) < at + 6:
        return None
    return Codestream(_u16(data, at + 1), _u16(data, at + 3), data[at + 5], data[at])


def _jpeg_2000(data: bytes, at: int) -> Codestream | None:
    if len(data) < at + 39:
        return None
    right, bottom, left, top = (int.from_bytes(data[at + n : at + n + 4], "big") for n in (4, 8, 12, 16))
    return Codestream(bottom - top, right - left, _u16(data, at + 36), (data[at + 38] & 0x7F) + 1)


def _u16(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def decoded_12_bit(data: bytes, rows: int, columns: int) -> np.ndarray:
    """[row, column] uint16 of a JPEG Extended image of 12 bits, by GDCM.

    pydicom hands such images to no decoder. GDCM decodes those whose frame header says 12 bits; its own
    encoder writes 16 there, against T.81, and what comes back from that is wrong at the bright end.
    """
    import gdcm

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(data)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    grey = gdcm.PhotometricInterpretation.MONOCHROME2
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(grey))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    image.SetPixelFormat(gdcm.PixelFormat(1, 12, 12, 11, 0))
    values = image.GetBuffer().encode("utf-8", "surrogateescape")  # bytes, which GDCM hands out as text
    return np.frombuffer(values, "<u2").reshape(rows, columns)
