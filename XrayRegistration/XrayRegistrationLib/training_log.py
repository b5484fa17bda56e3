"""What a training tells while it runs: JSON lines, and, if it fails, plain ones. Light to import."""

from __future__ import annotations

import json
import math

PREPARING, RUNNING, PAUSING, CANCELLING = "preparing", "running", "pausing", "cancelling"
"""What a training is doing until it has ended."""


class TrainingLog:
    """All that has been told so far.

    Attributes:
        losses: (step, loss) in order.
        rotation_deg: how far the network is off on average, degrees; None before that is known.
        left_s: until the end, seconds; None before that is known.
        part: that is done, 0 to 1.
        card: (done, all) of the X-rays that the quality card is tried on; None while it still learns.
        ended: the event "done" or "stopped" that it ended with; None while it runs, or if it broke.
        last_words: the last line that was no event; a program that breaks says there why.
    """

    def __init__(self):
        self.losses: list[tuple[int, float]] = []
        self.rotation_deg: float | None = None
        self.left_s: float | None = None
        self.part = 0.0
        self.card: tuple[int, int] | None = None
        self.ended: dict | None = None
        self.last_words = ""

    def take(self, line: str) -> None:
        """Note one line."""
        event = _event(line)
        if event is None:
            self.last_words = line.strip() or self.last_words
        elif event["event"] == "step":
            self._take_step(event)
        elif event["event"] == "card":
            self.card = int(event["done"]), int(event["of"])
        elif event["event"] in ("done", "stopped"):
            self.ended = event

    def begin_again(self) -> None:
        """It is resumed: what was told of its end holds no more."""
        self.card = self.ended = None
        self.last_words = ""

    def curve(self, points: int) -> list[tuple[float, float]]:
        """(step, loss), averaged to no more than so many points."""
        told = [pair for pair in self.losses if math.isfinite(pair[1])]
        size = max(1, math.ceil(len(told) / points))
        groups = [told[start : start + size] for start in range(0, len(told), size)]
        return [tuple(sum(column) / len(group) for column in zip(*group, strict=True)) for group in groups]

    def _take_step(self, event: dict) -> None:
        step = int(event["step"])
        while self.losses and self.losses[-1][0] >= step:  # told before the checkpoint that was gone back to
            self.losses.pop()
        self.losses.append((step, _number(event.get("loss"), math.nan)))
        self.rotation_deg = _number(event.get("rotation_deg"), None)
        self.left_s = _number(event.get("left_s"), None)
        seconds = _number(event.get("seconds"), 0.0)
        if self.left_s is not None and seconds + self.left_s > 0:
            self.part = seconds / (seconds + self.left_s)
        elif event.get("steps"):
            self.part = step / event["steps"]


def _event(line: str) -> dict | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _number(value, otherwise):
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else otherwise
