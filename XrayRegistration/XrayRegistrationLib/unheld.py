"""The first import of torch, seconds long, without standing in the GUI's way."""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LIBRARIES = ("libtorch_python.so", "libtorch_python.dylib")


@contextmanager
def unheld() -> Iterator[None]:
    """Imports inside, in a job's thread, leave Python's lock to the GUI but for moments.

    Python holds its lock while it loads a library, and while it searches all objects for garbage: tenths of
    a second each. So torch's library is loaded before, by a call that holds no lock, and garbage waits.
    """
    _load_torch()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()  # both together: all that is new counts as old, without having been searched
        if was_on:
            gc.enable()


def _load_torch() -> None:
    """If it fails, the import does the same with the lock held. On Windows torch itself does it so."""
    spec = importlib.util.find_spec("torch")
    if os.name != "posix" or spec is None or spec.origin is None:
        return
    for name in _LIBRARIES:
        path = Path(spec.origin).parent / "lib" / name
        if path.is_file():
            ctypes.CDLL(None).dlopen(os.fsencode(path), ctypes.c_int(os.RTLD_NOW))
