"""How training tells where it is: JSON lines for programs, a line on the terminal for people, TensorBoard.

The line is written here: for one number of steps a package for progress bars would be one more to install.
"""

import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from ..errors import InputError
from ..learn import Progress
from .files import say

KINDS = ("json", "bar")
_JSON_EVERY_S, _BAR_EVERY_S, _PLAIN_EVERY_S = 0.5, 0.2, 30.0
_BAR = 24  # characters


class Teller(Protocol):
    """Tells of a training."""

    def step(self, progress: Progress) -> None:
        """A step was taken."""

    def card(self, done: int, of: int) -> None:
        """So many X-rays of the quality card are done."""

    def done(self, network: Path, card: Path | None) -> None:
        """The files are in their place."""

    def stopped(self, reason: str, checkpoint: Path) -> None:
        """It ended before its end and can go on."""


def teller(kind: str) -> Teller:
    """Of one of `KINDS`, on standard error."""
    return JsonLines() if kind == "json" else Line()


class Pace:
    """Lets a step through now and then, and the last one; losses and terms are means since the one before."""

    def __init__(self, every_s: float, clock: Callable[[], float] = time.monotonic):
        self._every_s, self._clock = every_s, clock
        self._next_s, self._since = -math.inf, []

    def told(self, progress: Progress) -> Progress | None:
        """The step as it is to be told, or None."""
        self._since.append(progress)
        now = self._clock()
        if now < self._next_s and progress.step < progress.steps:
            return None
        self._next_s = now + self._every_s
        since, self._since = self._since, []
        count = len(since)
        terms = {name: sum(each.terms[name] for each in since) / count for name in progress.terms}
        return replace(progress, loss=sum(each.loss for each in since) / count, terms=terms)


class JsonLines:
    """One JSON object a line, for the Slicer module and other programs."""

    def __init__(self):
        self._pace = Pace(_JSON_EVERY_S)

    def step(self, progress: Progress) -> None:
        if told := self._pace.told(progress):
            numbers = {"loss": told.loss, **told.terms, "seconds": told.seconds, "left_s": told.left_s}
            finite = {name: float(f"{value:.6g}") for name, value in numbers.items() if math.isfinite(value)}
            _tell("step", step=told.step, steps=told.steps, **finite)

    def card(self, done: int, of: int) -> None:
        _tell("card", done=done, of=of)

    def done(self, network: Path, card: Path | None) -> None:
        _tell("done", network=str(network), **({} if card is None else {"card": str(card)}))

    def stopped(self, reason: str, checkpoint: Path) -> None:
        _tell("stopped", reason=reason, checkpoint=str(checkpoint))


class Line:
    """One line that is written anew on a terminal; elsewhere a line from time to time."""

    def __init__(self):
        self._terminal = sys.stderr.isatty()
        self._pace = Pace(_BAR_EVERY_S if self._terminal else _PLAIN_EVERY_S)

    def step(self, progress: Progress) -> None:
        if told := self._pace.told(progress):
            self._show(bar_text(told), last=told.step == told.steps)

    def card(self, done: int, of: int) -> None:
        if self._terminal or done == of:
            self._show(f"quality card: X-ray {done} of {of}", last=done == of)

    def done(self, network: Path, card: Path | None) -> None:
        """The summary on standard output says it."""

    def stopped(self, reason: str, checkpoint: Path) -> None:
        if self._terminal:
            print(file=sys.stderr)
        say(f"stopped ({reason}); {checkpoint} is kept, --resume goes on from it")

    def _show(self, text: str, last: bool) -> None:
        if not self._terminal:
            say(text)
            return
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{text[:width]:{width}}", end="\n" if last else "", file=sys.stderr, flush=True)


def bar_text(progress: Progress) -> str:
    """Such as "step 120 of 4000 ###......... loss 0.83, rotation_deg 14.2, 14:00 left"."""
    filled = round(_BAR * progress.step / progress.steps)
    numbers = {"loss": progress.loss, **progress.terms}
    shown = ", ".join(f"{name} {value:.3g}" for name, value in numbers.items())
    minutes, seconds = divmod(round(progress.left_s), 60)
    bar = "#" * filled + "." * (_BAR - filled)
    return f"step {progress.step} of {progress.steps} {bar} {shown}, {minutes}:{seconds:02} left"


@contextmanager
def tensorboard(folder: Path | None) -> Iterator[Callable[[Progress], None]]:
    """A function that writes each step for TensorBoard; it does nothing without a folder.

    Raises:
        InputError: without the package tensorboard.
    """
    if folder is None:
        yield lambda progress: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise InputError(
            "--tensorboard needs the package tensorboard", remedy="pip install tensorboard, or leave it out"
        ) from None
    with SummaryWriter(folder) as writer:
        yield _TensorBoard(writer)


@dataclass(frozen=True)
class _TensorBoard:
    writer: object

    def __call__(self, progress: Progress) -> None:
        numbers = {"loss": progress.loss, **progress.terms, "learning_rate": progress.rate}
        for name, value in numbers.items():
            self.writer.add_scalar(name, value, progress.step)


def _tell(event: str, **values) -> None:
    print(json.dumps({"event": event, **values}), file=sys.stderr, flush=True)
