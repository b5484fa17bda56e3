"""Files of torch, read without running what is in them.

Such a file is a pickle, and a pickle can run any program. torch's weights-only reader builds tensors,
numbers, text, lists and dictionaries only. Paths, dates and tables that programs save beside them become
empty stand-ins.
"""

import pickle
import zipfile
from pathlib import Path

from ..errors import InputError

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"  # first bytes of new and of old files
_LIMIT_BYTES = 2**30
_SKIPPED = ("pathlib.", "pandas.", "numpy.", "datetime.", "builtins.slice")  # what xvr saves beside numbers


class _Skipped:
    """Stands for an object of a file that is not looked at; nothing of its class is loaded or called."""

    def __new__(cls, *args, **kwargs):
        return object.__new__(cls)

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        pass


def is_torch_file(path: str | Path) -> bool:
    """Whether it begins as what `torch.save` writes.

    Raises:
        InputError: if there is no such file.
    """
    try:
        with Path(path).open("rb") as file:
            head = file.read(len(_ZIP))
    except OSError:
        raise InputError("no such file", where=path) from None
    return head == _ZIP or head[:1] == _PICKLE


def read_torch_file(path: str | Path) -> object:
    """What `torch.save` wrote, its tensors on the CPU. torch is loaded by this call.

    Raises:
        InputError: names the file: it is missing, damaged, larger than 1 GB unpacked, or would have to run
            code to be read.
    """
    import torch

    path = Path(path)
    size = _unpacked_bytes(path)
    if size > _LIMIT_BYTES:
        raise InputError(f"holds {size >> 20} MB: no file of parameters", where=path)
    try:
        if not hasattr(torch.serialization, "get_unsafe_globals_in_checkpoint"):  # before torch 2.6
            return torch.load(path, map_location="cpu", weights_only=True)
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        skipped = [(_Skipped, name) for name in names if name.startswith(_SKIPPED)]
        with torch.serialization.safe_globals(skipped):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = next((line for line in str(error).splitlines() if "GLOBAL" in line), "")
        raise InputError(
            f"would have to run code to be read {reason[:200]}",
            where=path,
            remedy="save a dictionary of numbers and tensors only (torch.save)",
        ) from None
    except Exception as error:  # torch raises whatever a damaged pickle or archive leads to
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise InputError(f"is no file of torch, or damaged ({reason})", where=path) from None


def _unpacked_bytes(path: Path) -> int:
    """How much a file holds; an archive may hold far more than its size."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except FileNotFoundError:
        raise InputError("no such file", where=path) from None
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return path.stat().st_size
