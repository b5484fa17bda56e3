"""The DRRs of views on the move: coarse at once, sharper when they rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import qt

from . import roles
from .jobs import Job
from .mrml import world_from_index
from .nodes import camera_of, volume_of
from .scene import show_drr
from .unheld import unheld

if TYPE_CHECKING:
    from .sketches import Sketches

_MOVING_PX = 96
_RESTING_PX = 256
_REST_MS = 300


class Preview:
    """Draws one session's views; the volume is prepared beside the GUI and kept while it stays the same.

    Args:
        on_ready: what is shown from now on follows at once.
        on_failed: the error; nothing is drawn until another `prepare`.
        on_shown: a view has got its first DRR, or all are sharp; with whether the latter.
    """

    def __init__(
        self,
        on_ready: Callable[[], None],
        on_failed: Callable[[BaseException], None],
        on_shown: Callable[[bool], None],
    ):
        self._on_ready, self._on_failed, self._on_shown = on_ready, on_failed, on_shown
        self._inputs: tuple | None = None
        self._sketches: Sketches | None = None
        self._jobs: dict[str, Job] = {}
        self._waiting: list = []  # views to be drawn coarsely, the one that waits longest first
        self._moved: list = []  # and all since they rested last
        self._soon, self._rest = _timer(0, self._draw), _timer(_REST_MS, self._sharpen)

    def ready(self, session) -> bool:
        return self._sketches is not None and self._inputs == _inputs_of(session)

    def prepare(self, session) -> None:
        """Make ready for a session's volume and views; at once if they are what they were.

        Raises:
            InputError: if the volume is unfit.
        """
        inputs = _inputs_of(session)
        if inputs is None or inputs == self._inputs:
            return
        self.abandon()
        self._inputs = inputs
        volume = volume_of(session.GetNodeReference(roles.VOLUME))
        modality = roles.modality_of(session)
        cameras = [camera_of(node) for node in roles.references(session, roles.VIEW)]

        def work(report: Callable) -> Sketches:
            with unheld():
                from .sketches import Sketches  # leads to torch: seconds, the first time
                from .work import load_projector

                load_projector()
            return Sketches(volume.converted(), modality, cameras, (_MOVING_PX, _RESTING_PX))

        self._start("prepare", work, self._prepared, self._failed)

    def show(self, views: list) -> None:
        """Draw these views where they are now, as soon as that can be done."""
        self._cancel("sharpen")
        for asked in (self._waiting, self._moved):
            asked += [node for node in views if node not in asked]
        if self._sketches is not None:
            self._soon.start()
            self._rest.start()

    def stop(self) -> None:
        """Draw nothing more of what was asked for."""
        self._soon.stop()
        self._rest.stop()
        self._cancel("sharpen")
        self._waiting, self._moved = [], []

    def abandon(self) -> None:
        """Forget the volume too, as when the scene is closed; nothing follows."""
        self.stop()
        self._cancel("prepare")
        self._inputs = self._sketches = None

    def _start(self, name: str, work: Callable, on_done: Callable, on_failed: Callable) -> None:
        self._jobs[name] = Job(work, _nothing, on_done, on_failed, _nothing)

    def _cancel(self, name: str) -> None:
        job = self._jobs.pop(name, None)
        if job is not None:
            job.abandon()

    def _prepared(self, sketches: Sketches) -> None:
        self._sketches = sketches
        self._on_ready()
        if self._waiting:
            self.show([])

    def _failed(self, error: BaseException) -> None:
        self.abandon()
        self._on_failed(error)

    def _draw(self) -> None:
        """One view at a time, so that the GUI is not held; moves that came meanwhile are in its pose."""
        self._waiting = list(filter(_is_there, self._waiting))
        if not self._waiting:
            return
        node = self._waiting.pop(0)
        if self._waiting:
            self._soon.start()
        self._lay([(node, *self._sketches.draw(camera_of(node), _MOVING_PX))], resting=False)

    def _sharpen(self) -> None:
        sketches, nodes, self._moved = self._sketches, list(filter(_is_there, self._moved)), []
        cameras = [camera_of(node) for node in nodes]

        def work(report: Callable) -> list:
            return [sketches.draw(camera, _RESTING_PX) for camera in cameras]

        def done(drawn: list) -> None:
            self._lay([(node, *each) for node, each in zip(nodes, drawn, strict=True)], resting=True)

        self._start("sharpen", work, done, self._failed)

    def _lay(self, drawn: list[tuple], resting: bool) -> None:
        left = [each for each in drawn if _is_there(each[0])]
        is_new = any(node.GetNodeReference(roles.DRR) is None for node, _, _ in left)
        for node, drr, camera in left:
            show_drr(node, drr, camera)
        if is_new or resting:
            self._on_shown(resting)


def _inputs_of(session) -> tuple | None:
    """What the drawings depend on; None if something is missing."""
    volume = session.GetNodeReference(roles.VOLUME)
    views = [node.GetID() for node in roles.references(session, roles.VIEW)]
    if volume is None or volume.GetImageData() is None or not views:
        return None
    place = world_from_index(volume).tobytes()
    return volume.GetID(), volume.GetImageData().GetMTime(), place, roles.modality_of(session), *views


def _is_there(node) -> bool:
    """A view may be taken out while it waits to be drawn."""
    return node.GetScene() is not None


def _timer(milliseconds: int, slot: Callable[[], None]):
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(slot)
    return timer


def _nothing(*_) -> None:
    pass
