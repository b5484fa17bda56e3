"""How large a volume may be: what a header claims is checked before anything of that size is allocated."""

import ctypes
import math
import os
import sys
from pathlib import Path

from ..errors import InputError

MOST_VOXELS = 2**31
"""About 1290 cubed. A body in 0.35 mm voxels has a third of that."""

_BYTES_PER_VOXEL = 12  # as stored, as float32, and as attenuation
_DEFLATE_RATIO = 1032  # no deflate stream unpacks to more (zlib's technical notes)
_SPARE_BYTES = 1 << 16


def check_size(size: tuple[int, ...], where: Path) -> None:
    """Raise InputError if a header claims no voxels, or more than the limit or this computer's memory.

    Args:
        size: voxels along each axis, as the header says.
    """
    shown = " x ".join(str(n) for n in size)
    if min(size, default=0) < 1:
        raise InputError(f"its header says {shown} voxels", where=where, remedy="export it again")
    voxels = math.prod(size)
    if voxels > MOST_VOXELS:
        raise InputError(
            f"its header says {shown} voxels, more than {MOST_VOXELS / 1e9:.1f} thousand million",
            where=where,
            remedy="check the header; crop or resample a volume that is truly so large",
        )
    memory = physical_memory_bytes()
    if memory is not None and voxels * _BYTES_PER_VOXEL > memory:
        raise InputError(
            f"its {shown} voxels need {voxels * _BYTES_PER_VOXEL / 1e9:.1f} GB of memory, this computer has "
            f"{memory / 1e9:.1f} GB",
            where=where,
            remedy="crop or resample it to the region of the X-rays",
        )


def check_stored(claimed_bytes: int, stored_bytes: int, packed: bool, where: Path) -> None:
    """Raise InputError if a file is too small for the voxels that its header claims.

    Args:
        stored_bytes: of the voxel data in the file.
        packed: whether they are packed by deflate, whose best ratio is 1032 to 1.
    """
    most = stored_bytes * _DEFLATE_RATIO + _SPARE_BYTES if packed else stored_bytes
    if claimed_bytes > most:
        raise InputError(
            f"its header says {claimed_bytes} bytes of voxels, the file holds "
            f"{stored_bytes}{' packed' if packed else ''}: it is cut off or its header is wrong",
            where=where,
            remedy="copy or export it again",
        )


def physical_memory_bytes() -> int | None:
    """The computer's memory, or None where it does not tell."""
    if sys.platform == "win32":
        return _windows_memory_bytes()
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _windows_memory_bytes() -> int | None:
    """By GlobalMemoryStatusEx, which fills two 32 bit and seven 64 bit fields; the second of those is it."""
    status = (ctypes.c_uint64 * 8)()
    ctypes.cast(status, ctypes.POINTER(ctypes.c_uint32))[0] = ctypes.sizeof(status)
    return int(status[1]) if ctypes.windll.kernel32.GlobalMemoryStatusEx(status) else None
