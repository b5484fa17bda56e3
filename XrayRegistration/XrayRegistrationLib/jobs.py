"""Long work beside the GUI: a thread that computes, and a timer that lets it.

Slicer keeps Python's lock while its event loop idles, so a thread alone would starve. The timer waits a
moment for the thread again and again, which hands the lock over; the GUI is never held for longer.
"""

import queue
import threading
from collections.abc import Callable, Iterator

import qt

_INTERVAL_MS = 10
_WAIT_S = 0.03


class Cancelled(Exception):  # noqa: N818 - no error
    """Raised inside the work when its user has cancelled."""


class Job:
    """Work under way. All callbacks come in the GUI's thread; after `cancel` or `abandon` no result does.

    Args:
        work: gets a function that it calls with each state; that function raises `Cancelled` if the work is
            to stop. It must not touch the scene.
        on_state: the latest state; states that come too fast are left out.
        on_done: what the work returned.
        on_failed: the exception that ended it.
        on_cancelled: it has stopped.
    """

    def __init__(
        self,
        work: Callable[[Callable], object],
        on_state: Callable[[object], None],
        on_done: Callable[[object], None],
        on_failed: Callable[[BaseException], None],
        on_cancelled: Callable[[], None],
    ):
        self._work = work
        self._on = {"done": on_done, "failed": on_failed, "cancelled": lambda _: on_cancelled()}
        self._on_state = on_state
        self._states: queue.SimpleQueue = queue.SimpleQueue()
        self._stop, self._abandoned = threading.Event(), False
        self._outcome: tuple[str, object] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._timer = qt.QTimer()
        self._timer.setInterval(_INTERVAL_MS)
        self._timer.timeout.connect(self._tick)
        self._thread.start()
        self._timer.start()

    def cancel(self) -> None:
        """Ask the work to stop at its next state."""
        self._stop.set()

    def abandon(self) -> None:
        """Stop listening at once, as when the scene is closed; the thread ends by itself."""
        self._stop.set()
        self._abandoned = True
        self._timer.stop()

    def _run(self) -> None:
        try:
            self._outcome = ("done", self._work(self._report))
        except Cancelled:
            self._outcome = ("cancelled", None)
        except BaseException as error:  # whatever it is, the user must hear of it
            self._outcome = ("failed", error)

    def _report(self, state: object) -> None:
        if self._stop.is_set():
            raise Cancelled
        self._states.put(state)

    def _tick(self) -> None:
        self._thread.join(_WAIT_S)
        ended = not self._thread.is_alive()
        state = None
        while not self._states.empty():
            state = self._states.get()
        if state is not None and not self._stop.is_set():
            self._on_state(state)
        if ended and not self._abandoned:
            self._timer.stop()
            kind, value = self._outcome
            self._on["cancelled" if self._stop.is_set() and kind == "done" else kind](value)


class Steps:
    """Work that has to be done in the GUI's thread, step by step with events between; starts at once.

    Args:
        steps: each `next` is a step.
        on_failed: the exception that ended it.
    """

    def __init__(
        self, steps: Iterator, on_done: Callable[[], None], on_failed: Callable[[BaseException], None]
    ):
        self._steps, self._on_done, self._on_failed = steps, on_done, on_failed
        self._abandoned = False
        self._step()

    def abandon(self) -> None:
        """Stop where it is; nothing follows."""
        self._abandoned = True

    def _step(self) -> None:
        if self._abandoned:
            return
        try:
            next(self._steps)
        except StopIteration:
            self._on_done()
        except Exception as error:
            self._on_failed(error)
        else:
            qt.QTimer.singleShot(0, self._step)


class ShownJob:
    """A `Job` whose result is then shown, in `Steps`.

    Args:
        work, on_state: of the job.
        show: what the work returned, shown.
        on_done: it is shown.
        on_not_shown: the exception that ended that.
        on_stopped: the work was cancelled (None), or the exception that ended it.
    """

    def __init__(
        self,
        work: Callable[[Callable], object],
        on_state: Callable[[object], None],
        show: Callable[[object], Iterator],
        on_done: Callable[[], None],
        on_not_shown: Callable[[BaseException], None],
        on_stopped: Callable[[BaseException | None], None],
    ):
        self._steps: Steps | None = None

        def done(value: object) -> None:
            self._steps = Steps(show(value), on_done, on_not_shown)

        self._job = Job(work, on_state, done, on_stopped, lambda: on_stopped(None))

    def cancel(self) -> None:
        """Ask the work to stop at its next state."""
        self._job.cancel()

    def abandon(self) -> None:
        """Stop listening at once, as when the scene is closed; nothing follows."""
        self._job.abandon()
        if self._steps is not None:
            self._steps.abandon()
