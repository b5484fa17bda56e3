"""Requests to stop training between two steps: signals, a file, a function."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_SIGNALS = {signal.SIGTERM: "SIGTERM", signal.SIGINT: "Ctrl-C"}


@contextmanager
def stop_requests(file: Path | None, stop: Callable[[], bool] | None) -> Iterator[Callable[[], str]]:
    """A function that tells why to stop, "" as long as there is no reason.

    In the main thread SIGTERM and Ctrl-C become reasons until the block ends; a second Ctrl-C does what it
    did before, for those who cannot wait. Schedulers send SIGTERM several times: it goes on to be a reason.

    Args:
        file: its appearance is a reason, also where signals are unknown; it is removed when that was told.
        stop: a reason once it returns true.
    """
    heard: list[str] = []

    def reason() -> str:
        if file is not None and not heard and file.exists():
            heard.append(f"{file.name} appeared")
            file.unlink(missing_ok=True)
        if stop is not None and not heard and stop():
            heard.append("asked to")
        return heard[0] if heard else ""

    with ExitStack() as handlers:
        if threading.current_thread() is threading.main_thread():
            for number, name in _SIGNALS.items():
                handlers.enter_context(_heard(number, name, heard))
        yield reason


@contextmanager
def _heard(number: int, name: str, heard: list[str]) -> Iterator[None]:
    before = signal.getsignal(number)

    def note(*_):
        heard.append(name)
        if number == signal.SIGINT:
            signal.signal(number, before)

    if before is None:  # installed by a program written in C: left alone
        yield
        return
    signal.signal(number, note)
    try:
        yield
    finally:
        signal.signal(number, before)
