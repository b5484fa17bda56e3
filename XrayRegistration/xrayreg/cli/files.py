"""What the commands tell the user on the way, and nobody beside them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def say(line: str) -> None:
    """A line of progress, on standard error."""
    print(f"xrayreg: {line}", file=sys.stderr, flush=True)


@contextmanager
def without_native_noise() -> Iterator[None]:
    """Nothing of what ITK, libjpeg and other native libraries print on standard error, for the time being.

    Their lines are for programmers, and some hold values of the file. `say` is heard as before. In Python's
    development mode (`python -X dev`) they are shown.
    """
    try:
        told = os.dup(2)
    except OSError:  # a program without a terminal has none
        told = None
    if told is None or sys.flags.dev_mode:
        yield
        return
    before = sys.stderr
    if _is_descriptor_2(before):
        sys.stderr = os.fdopen(told, "w", buffering=1, errors="backslashreplace", closefd=False)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = before
        os.dup2(told, 2)
        os.close(told)


def _is_descriptor_2(stream) -> bool:
    try:
        return stream.fileno() == 2
    except (AttributeError, OSError, ValueError):  # a stream that a test or another program put there
        return False
