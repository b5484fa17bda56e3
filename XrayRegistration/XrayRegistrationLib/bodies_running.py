"""A registration bone by bone under way: a registered session goes in, moved bones come back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from xrayreg.errors import InputError

from . import roles
from .asking import asked_of
from .choosing import check_place, check_registered
from .jobs import ShownJob
from .nodes import markups_of
from .now import check_free
from .running import chosen_segmentation, chosen_volume
from .session import show_refound, undo, xrays_at_start
from .unheld import unheld

if TYPE_CHECKING:
    from xrayreg.images import Xray

    from .work import Found, Moving


class BodiesRun:
    """Starts at once. Nothing in the scene changes until it is done.

    Args:
        on_state: what it is at, in words, and the part that is done, 0 to 1.
        on_done: the session holds the result.
        on_stopped: the scene is as before; with the error, or None if it was cancelled.

    Attributes:
        notices: once it is done, what is odd about the result.

    Raises:
        InputError: if the session has not been registered, or an input is missing or unfit.
    """

    def __init__(
        self,
        session,
        on_state: Callable[[str, float], None],
        on_done: Callable[[], None],
        on_stopped: Callable[[BaseException | None], None],
    ):
        self._session = session
        self._on_state, self._on_stopped = on_state, on_stopped
        self.notices: tuple[str, ...] = ()
        _check(session)
        volume, views = chosen_volume(session), roles.references(session, roles.VIEW)
        segmentation = chosen_segmentation(session, volume)
        markups = markups_of(roles.references(session, roles.PLAN))
        xrays = [_rigid(node, xray) for node, xray in zip(views, xrays_at_start(session), strict=True)]
        covariances = [np.array(json.loads(node.GetAttribute(roles.COVARIANCE))) for node in views]
        kind, asked, seconds = roles.modality_of(session).lower(), asked_of(session), _seconds(session)

        def work(report: Callable) -> Found:
            with unheld():
                from .bodies_work import Registered, register_bones  # leads to torch: seconds
                from .work import load_projector

                load_projector()
            ct = replace(volume.converted(), kind=kind)
            before = Registered(ct, xrays, covariances, segmentation, markups, seconds)
            return register_bones(before, asked, report)

        self._job = ShownJob(work, self._moving, self._found, on_done, self._not_shown, on_stopped)

    def cancel(self) -> None:
        """Ask it to stop; `on_stopped` follows."""
        self._job.cancel()

    def abandon(self) -> None:
        """Stop listening at once, as when the scene is closed; nothing follows."""
        self._job.abandon()

    def _moving(self, state: Moving) -> None:
        self._on_state(state.text, state.part)

    def _found(self, found: Found) -> Iterator:
        self.notices = found.notices
        return show_refound(self._session, found)

    def _not_shown(self, error: BaseException) -> None:
        undo(self._session)
        self._on_stopped(error)


def _check(session) -> None:
    if session.GetAttribute(roles.CONFIDENCE) is None:
        raise InputError("the X-rays are not registered", remedy="register them first, as a whole")
    if session.GetNodeReference(roles.SEGMENTATION) is None:
        raise InputError("no segmentation is chosen", remedy="choose or make one in the first panel")
    check_place(session)
    for view in roles.references(session, roles.VIEW):
        check_registered(view)
    check_free(session)


def _seconds(session) -> dict[str, float]:
    """That the registration as a whole took, by stage."""
    taken = json.loads(session.GetAttribute(roles.MADE) or "{}").get("timing_s", {})
    return {name: value for name, value in taken.items() if name not in ("bodies", "total")}


def _rigid(node, xray: Xray) -> Xray:
    """The X-ray where it was registered as a whole, if bones have been registered since."""
    before = node.GetAttribute(roles.RIGID_CAMERA_FROM_PATIENT)
    if before is None:
        return xray
    return replace(xray, camera=xray.camera.moved(np.array(json.loads(before))))
