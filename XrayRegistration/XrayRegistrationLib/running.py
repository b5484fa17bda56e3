"""A registration under way: the session's inputs go in, moving DRRs and a result come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import vtk
from xrayreg.errors import InputError
from xrayreg.images import check_overlap

from . import roles
from .jobs import ShownJob
from .mrml import remove_references
from .networks import network_of
from .nodes import label_map_of, markups_of, volume_of
from .scene import show_drr
from .session import show_found, undo, xrays_at_start
from .unheld import unheld

if TYPE_CHECKING:
    from xrayreg.images import LabelMap

    from .nodes import SceneVolume
    from .work import Found, Moving


class Run:
    """Starts at once. The poses stay until it is done; only the DRRs move.

    Args:
        turn_deg, shift_mm: how far the start may be off, either way and per axis; both 0 only refine it. Not
            looked at where the session starts from a network.
        on_state: what it is at, in words, and the part that is done, 0 to 1.
        on_done: the session holds the result.
        on_stopped: the scene is as before; with the error, or None if it was cancelled.

    Attributes:
        notices: once it is done, what the check of the inputs has to say.

    Raises:
        InputError: if an input is missing or unfit.
    """

    def __init__(
        self,
        session,
        turn_deg: float,
        shift_mm: float,
        on_state: Callable[[str, float], None],
        on_done: Callable[[], None],
        on_stopped: Callable[[BaseException | None], None],
    ):
        self._session = session
        self._on_state, self._on_stopped = on_state, on_stopped
        volume, xrays = chosen_volume(session), xrays_at_start(session)
        segmentation = chosen_segmentation(session, volume)
        modality = roles.modality_of(session)
        from_network = session.GetAttribute(roles.START) == roles.FROM_NETWORK
        network = network_of(session) if from_network else None
        markups = markups_of(roles.references(session, roles.PLAN))
        views = roles.references(session, roles.VIEW)
        self._nodes = {xray.name: node for xray, node in zip(xrays, views, strict=True)}
        self.notices: tuple[str, ...] = ()
        self._before = {name: _drr_of(node) for name, node in self._nodes.items()}

        def work(report: Callable) -> Found:
            with unheld():
                from .work import load_projector, register  # leads to torch: seconds, the first time

                load_projector()
            ct = volume.converted()
            return register(ct, xrays, turn_deg, shift_mm, segmentation, markups, report, modality, network)

        self._job = ShownJob(work, self._moving, self._found, on_done, self._not_shown, self._stopped)

    def cancel(self) -> None:
        """Ask it to stop; `on_stopped` follows."""
        self._job.cancel()

    def abandon(self) -> None:
        """Stop listening at once, as when the scene is closed; nothing follows."""
        self._job.abandon()

    def _moving(self, state: Moving) -> None:
        for name, drr, camera in state.drrs:
            show_drr(self._nodes[name], drr, camera)
        self._on_state(state.text, state.part)

    def _found(self, found: Found) -> Iterator:
        self.notices = found.notices
        return show_found(self._session, found)

    def _not_shown(self, error: BaseException) -> None:
        undo(self._session)
        self._stopped(error)

    def _stopped(self, error: BaseException | None) -> None:
        for name, node in self._nodes.items():
            _restore_drr(node, self._before[name])
        self._on_stopped(error)


def chosen_volume(session) -> SceneVolume:
    """Raises InputError if there is none, or it is unfit."""
    node = session.GetNodeReference(roles.VOLUME)
    if node is None:
        raise InputError("no volume is chosen", remedy="choose the CT in the first panel")
    return volume_of(node)


def chosen_segmentation(session, volume: SceneVolume) -> LabelMap | None:
    """What it shows; raises InputError if it is unfit or of another place than the volume."""
    node = session.GetNodeReference(roles.SEGMENTATION)
    if node is None:
        return None
    segmentation = label_map_of(node)
    check_overlap(segmentation.grid, volume.grid)
    return segmentation


def _drr_of(xray) -> tuple | None:
    """Image and geometry of a view's DRR, to put it back."""
    node = xray.GetNodeReference(roles.DRR)
    if node is None:
        return None
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    display = node.GetDisplayNode()
    return node.GetImageData(), matrix, display.GetWindow(), display.GetLevel()


def _restore_drr(xray, before: tuple | None) -> None:
    node = xray.GetNodeReference(roles.DRR)
    if node is None:
        return
    if before is None:
        remove_references(xray, roles.DRR)
        return
    image, matrix, window, level = before
    node.SetAndObserveImageData(image)
    node.SetIJKToRASMatrix(matrix)
    node.GetDisplayNode().SetWindowLevel(window, level)
