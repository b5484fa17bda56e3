"""A training under way, in a process of its own; what it tells goes into a file, and a timer reads that.

Not into a pipe: Slicer keeps Python's lock while it idles, so a thread that empties one would starve and the
training wait for it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import qt
from xrayreg.errors import InputError

from .jobs import Job
from .training_files import Inputs, Place, check_resumable, put_in_place, remove, write_inputs
from .training_log import CANCELLING, PAUSING, PREPARING, RUNNING, TrainingLog

_INTERVAL_MS = 200
_NICENESS = 10
_MODULE = Path(__file__).parents[1]


class Training:
    """Begins at once, or goes on where it was paused.

    Args:
        inputs: what to train with; None: what lies in ``place`` from before is gone on with.
        on_change: `state` or `log` say something new.
        on_done: network and quality card are in their place.
        on_paused: it can be resumed, also by another `Training`.
        on_stopped: with the error, or None if it was cancelled. There is no new network; what can be resumed
            after an error is kept, all else is removed.

    Attributes:
        place: where it writes.
        log: what it has told.
        state: `PREPARING`, `RUNNING`, `PAUSING` or `CANCELLING`.
        step: what is being prepared, in words.

    Raises:
        InputError: if it cannot begin; nothing is written then.
    """

    def __init__(
        self,
        place: Place,
        inputs: Inputs | None,
        on_change: Callable[[], None],
        on_done: Callable[[], None],
        on_paused: Callable[[], None],
        on_stopped: Callable[[BaseException | None], None],
    ):
        self.place, self.log, self.state, self.step = place, TrainingLog(), PREPARING, ""
        self._on_change, self._on_done = on_change, on_done
        self._on_paused, self._on_stopped = on_paused, on_stopped
        self._child: subprocess.Popen | None = None
        self._read, self._rest, self._job = 0, b"", None
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.timeout.connect(self._tick)
        if inputs is None:
            self._resume()
        elif place.is_begun:
            remedy = "resume or cancel it, or choose another file"
            raise InputError("a training of this network is paused", where=place.network, remedy=remedy)
        else:
            self._prepare(inputs)

    def pause(self) -> None:
        """Ask it to keep what it has learned and end; `on_paused` follows."""
        if self.state == RUNNING:
            self.state = PAUSING
            with suppress(FileNotFoundError):  # its folder is gone, and it ends by itself
                self.place.stop.touch()

    def cancel(self) -> None:
        """End it and remove all that it wrote; `on_stopped` follows."""
        self.state = CANCELLING
        if self._child is not None:
            self._child.kill()
        elif self._job is not None:
            self._job.cancel()

    def leave(self) -> None:
        """The module closes: it pauses by itself, and nothing follows."""
        if self._child is None and self._job is not None:
            self._job.abandon()  # which removes what it wrote
        self._timer.stop()
        self.pause()

    def _prepare(self, inputs: Inputs) -> None:
        self._job = Job(
            lambda report: write_inputs(self.place, inputs, report),
            on_state=self._prepares,
            on_done=lambda _: self._start(),
            on_failed=self._on_stopped,
            on_cancelled=self._cancelled,
        )

    def _prepares(self, step: str) -> None:
        self.step = step
        self._on_change()

    def _cancelled(self) -> None:
        remove(self.place)
        self._on_stopped(None)

    def _resume(self) -> None:
        self._listen()
        check_resumable(self.place, self.log)
        if self.log.ended is not None and self.log.ended["event"] == "done":  # while nobody listened
            qt.QTimer.singleShot(0, self._finish)
            return
        self.log.begin_again()
        self.place.stop.unlink(missing_ok=True)
        self._launch(["--resume"] if self.place.checkpoint.is_file() else [])

    def _start(self) -> None:
        try:
            self._launch([])
        except Exception as error:
            remove(self.place)
            self._on_stopped(error)

    def _launch(self, more: list[str]) -> None:
        arguments = json.loads(self.place.arguments.read_text(encoding="utf-8"))
        self._child = start_process([python_slicer(), "-m", "xrayreg", *arguments, *more], self.place)
        self.state = RUNNING
        self._timer.start()
        self._on_change()

    def _tick(self) -> None:
        code = self._child.poll()  # before reading: what it told last is there then
        if self._listen():
            self._on_change()
        if code is not None:
            self._timer.stop()
            self._end(code)

    def _listen(self) -> bool:
        """Take what has been told since; a line that is not whole waits."""
        if not self.place.progress.is_file():
            return False
        with self.place.progress.open("rb") as file:
            file.seek(self._read)
            told = file.read()
        self._read += len(told)
        *lines, self._rest = (self._rest + told).split(b"\n")
        for line in lines:
            self.log.take(line.decode("utf-8", errors="replace"))
        return bool(lines)

    def _end(self, code: int) -> None:
        self.log.take(self._rest.decode("utf-8", errors="replace"))
        ended = (self.log.ended or {}).get("event")
        if self.state == CANCELLING:
            self._cancelled()
        elif ended == "done":
            self._finish()
        elif ended == "stopped" and self.state == PAUSING and self.place.checkpoint.is_file():
            self.place.stop.unlink(missing_ok=True)
            self._on_paused()
        else:
            if not self.place.checkpoint.is_file():
                remove(self.place)
            self._on_stopped(RuntimeError(f"The training has stopped: {self._reason(code)}"))

    def _finish(self) -> None:
        try:
            put_in_place(self.place)
        except InputError as error:
            self._on_stopped(error)
        else:
            self._on_done()

    def _reason(self, code: int) -> str:
        if self.log.ended is not None and self.log.ended.get("reason"):
            return self.log.ended["reason"]
        return self.log.last_words or f"it ended with code {code} and without a word; is there enough memory?"


def start_process(command: list[str], place: Place) -> subprocess.Popen:
    """In the place's folder, without a window, with lower priority than Slicer, told to its progress file."""
    paths = [str(_MODULE), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUTF8": "1"}
    windows = ("CREATE_NO_WINDOW", "BELOW_NORMAL_PRIORITY_CLASS")  # names that other systems do not have
    with place.progress.open("ab") as progress:
        child = subprocess.Popen(
            command,
            cwd=place.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=progress,
            creationflags=sum(getattr(subprocess, name, 0) for name in windows),
        )
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, child.pid, _NICENESS)
    return child


def python_slicer() -> str:
    """Slicer's Python for programs without a window.

    Raises:
        InputError: if it is not found.
    """
    found = shutil.which("PythonSlicer")
    if found is None:
        raise InputError("Slicer's Python (PythonSlicer) is not found", remedy="install Slicer anew")
    return found
