"""NIfTI files: voxels, their place in the patient, and header extensions.

Read here and not by ITK, which takes one of the header's two places without a word, drops shear, and
allocates whatever a header claims.
"""

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import InputError
from .nifti_header import SAVE_AGAIN, VOXEL_TYPES, NiftiHeader, checked_size, grid_of, read_header
from .size_guard import check_stored
from .volume import Grid

NIFTI_SUFFIXES = (".nii", ".nii.gz")


@dataclass(frozen=True)
class Nifti:
    """A scalar 3-D NIfTI file.

    Attributes:
        voxels: [k, j, i], scaled by scl_slope and scl_inter: as stored where these change nothing, else
            float32.
        grid: patient LPS, mm.
        extensions: text of the header extensions.
        notes: what was assumed.
    """

    voxels: np.ndarray
    grid: Grid
    extensions: tuple[str, ...]
    notes: tuple[str, ...]


def read_nifti(path: Path) -> Nifti:
    """A scalar 3-D NIfTI-1 or NIfTI-2 file, packed or not.

    Where it lies: the sform or the qform, whichever has a code above 0; where both have, they must agree
    within 0.5 mm at every corner of the volume, and the sform (the exact one) is taken. A sheared sform is
    kept.

    Raises:
        InputError: if the file is cut off, larger than `check_size` allows, not scalar 3-D; if it does not
            say how it lies, says it twice differently, or lies in a template's space and not the patient's.
    """
    if not path.is_file():
        raise InputError("no such file", where=path)
    try:
        with gzip.open(path) if _is_gzip(path) else path.open("rb") as file:
            return _read(file, path)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot be read as NIfTI ({error})", where=path, remedy=SAVE_AGAIN) from None


def _read(file: BinaryIO, path: Path) -> Nifti:
    header = read_header(file, path)
    size, kind = checked_size(header, path), np.dtype(header.order + VOXEL_TYPES[header.datatype])
    begin, packed = int(header.vox_offset), _is_gzip(path)
    claimed = math.prod(size) * kind.itemsize
    check_stored(claimed, path.stat().st_size - (0 if packed else begin), packed, path)
    grid, notes = grid_of(header, size, path)
    extensions = _extensions(file, header)
    file.seek(begin)
    values = bytearray(claimed)
    got = _read_into(file, values)
    if got < claimed:
        raise InputError(
            f"is cut off: {got} of the {claimed} bytes of voxels that its header says",
            where=path,
            remedy="copy or export it again",
        )
    array = np.frombuffer(values, kind).reshape(size[::-1])
    if not kind.isnative:
        array = array.astype(kind.newbyteorder("="))
    return Nifti(_scaled(array, header, path), grid, extensions, notes)


def _read_into(file: BinaryIO, values: bytearray) -> int:
    """Bytes read, until ``values`` is full or the file ends; a stream that goes on is not unpacked."""
    view, done = memoryview(values), 0
    while done < len(view) and (count := file.readinto(view[done : done + (1 << 24)])):
        done += count
    return done


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _extensions(file: BinaryIO, header: NiftiHeader) -> tuple[str, ...]:
    """Texts between header and voxels: 4 bytes say if there are any; each has its size and code before it."""
    file.seek(header.header_bytes)
    block = file.read(int(header.vox_offset) - header.header_bytes)
    texts, at = [], 4
    while block[:1] != b"\0" and at + 8 <= len(block):
        size = struct.unpack_from(header.order + "i", block, at)[0]
        if size < 8:
            break
        texts.append(block[at + 8 : at + size].rstrip(b"\0").decode("utf-8", errors="replace"))
        at += size
    return tuple(texts)


def _scaled(array: np.ndarray, header: NiftiHeader, path: Path) -> np.ndarray:
    """scl_slope 0 means: not scaled."""
    slope, inter = header.scl_slope, header.scl_inter
    if slope == 0 or (slope, inter) == (1, 0):
        return array
    if not np.isfinite([slope, inter]).all():
        raise InputError(
            f"NIfTI fields scl_slope and scl_inter are {slope:g} and {inter:g}",
            where=path,
            remedy=SAVE_AGAIN,
        )
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite then is refused as such
        return array.astype(np.float32) * np.float32(slope) + np.float32(inter)
