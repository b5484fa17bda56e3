"""Deflated DICOM files, which are unpacked whole when they are read: how large they may become."""

import zlib
from pathlib import Path

import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian

from ..errors import InputError

MOST_BYTES = 1 << 30
"""Unpacked: 500 frames of 1024 x 1024 pixels of 16 bits."""

_CHUNK = 1 << 20
_BEFORE_META = 128 + 4 + 12  # preamble, DICM, and the element that tells the length of what follows


def check_unpacked_size(path: Path) -> None:
    """Raise InputError if a deflated DICOM file unpacks to more than `MOST_BYTES`; others pass."""
    with path.open("rb") as file:
        if DeflatedExplicitVRLittleEndian.encode() not in file.read(2048):
            return
        meta = pydicom.filereader.read_file_meta_info(path)
        if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
            return
        file.seek(_BEFORE_META + int(meta.get("FileMetaInformationGroupLength") or 0))
        unpacking, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        while size <= MOST_BYTES and not unpacking.eof:
            packed = unpacking.unconsumed_tail or file.read(_CHUNK)
            if not packed:
                return  # cut off, which its reader says
            size += len(unpacking.decompress(packed, _CHUNK))
    if size > MOST_BYTES:
        raise InputError(
            f"unpacks to more than {MOST_BYTES >> 20} MiB (TransferSyntaxUID (0002,0010) deflated)",
            where=path,
            remedy="export it again, not deflated",
        )
