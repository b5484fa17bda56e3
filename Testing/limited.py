"""A call in a process of its own that may take only so much time, memory and disk. For Linux.

The process is a copy of this one (fork), so that nothing has to be imported again: a call costs some
milliseconds. What it prints is caught at the file descriptors, warnings of native libraries too.
"""

import faulthandler
import os
import pickle
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GIB = 1 << 30
_KILOBYTE = 1024


@dataclass(frozen=True)
class Ended:
    """How a call ended.

    Attributes:
        value: what it returned; None unless it came to its end.
        failure: "" or the exception's traceback, the signal that ended it, or that it took too long.
        out, err: what it printed.
        grown_bytes: by how much its memory (resident) grew at most.
    """

    value: object
    failure: str
    out: str
    err: str
    grown_bytes: int


def call(
    function: Callable[[], object],
    *,
    seconds: float = 60,
    memory_bytes: int | None = None,
    file_bytes: int | None = None,
) -> Ended:
    """Call ``function`` in a copy of this process; its answer must be one that pickle takes.

    Args:
        seconds: after so long it is ended.
        memory_bytes: addresses it may take in addition to those it has.
        file_bytes: how long a file may become that it writes: what a full disk is like.
    """
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            os.close(reading)
            _be_the_child(function, writing, (out.fileno(), err.fileno()), memory_bytes, file_bytes)
        os.close(writing)
        answer, late = _answer(reading, time.monotonic() + seconds)
        if late:
            os.kill(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
        texts = [_text(file) for file in (out, err)]
    grown = max(0, usage.ru_maxrss * _KILOBYTE - _resident())
    if late:
        return Ended(None, f"no end after {seconds:g} s", *texts, grown)
    if os.WIFSIGNALED(status) or not answer:
        return Ended(None, f"ended by {_ending(status)}", *texts, grown)
    value, failure = pickle.loads(answer)
    return Ended(value, failure, *texts, grown)


def _be_the_child(function, writing: int, outputs: tuple[int, int], memory_bytes, file_bytes) -> None:
    """Never returns."""
    value, failure = None, ""
    try:
        for number, output in enumerate(outputs, start=1):
            os.dup2(output, number)
        sys.stdout, sys.stderr = (os.fdopen(n, "w", buffering=1, closefd=False) for n in (1, 2))
        faulthandler.enable(sys.stderr)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if memory_bytes is not None:
            addresses = _addresses() + memory_bytes
            resource.setrlimit(resource.RLIMIT_AS, (addresses, addresses))
        if file_bytes is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # so that writing fails instead
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        value = function()
    except BaseException:
        failure = traceback.format_exc()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(writing, pickle.dumps((value, failure)))
    finally:
        os._exit(0)


def _answer(reading: int, end: float) -> tuple[bytes, bool]:
    """All that the child writes; and whether it was too late."""
    answer = b""
    with os.fdopen(reading, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, end - time.monotonic()))[0]:
            part = pipe.read(1 << 16)
            if not part:
                return answer, False
            answer += part
    return answer, True


def _text(file) -> str:
    file.seek(0)
    return file.read().decode("utf-8", errors="backslashreplace")


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit code {os.WEXITSTATUS(status)}"


def _addresses() -> int:
    """Bytes of this process's address space."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
