"""An export under way: the session goes in, a folder of files comes out, or nothing."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import qt
import slicer
from xrayreg.errors import InputError
from xrayreg.images import frame_of_reference_uid

from . import roles
from .bodies import MovedBody, bodies_of, motions_of
from .choosing import check_place, check_registered
from .jobs import Job
from .nodes import SceneVolume, label_map_of, markups_of, volume_of, xray_of
from .results import SCENE_FILE
from .unheld import unheld

if TYPE_CHECKING:
    from xrayreg.images import LabelMap, Markup, Xray


@dataclass(frozen=True)
class Wanted:
    """What to write beside registration.json, which tells the poses and how far to trust them.

    Attributes:
        deidentified: under plain names; not for a scene, whose nodes have those of the user.
    """

    scene: bool
    transforms: bool
    pictures: bool
    dicom: bool
    report: bool
    deidentified: bool = False


@dataclass(frozen=True)
class TakenView:
    """One registered view.

    Attributes:
        xray: its camera stands where it was found.
        start: (4, 4) camera_from_patient before.
        covariance: (6, 6), nested lists, as `PoseUncertainty` has it.
        file: path and checksum of its file, as in registration.json; None if it came from none.
    """

    xray: Xray
    start: np.ndarray
    similarity: float
    covariance: list
    file: dict | None


@dataclass(frozen=True)
class TakenBodies:
    """Bones that were registered each by itself.

    Attributes:
        motions: (4, 4) patient_from_rest of each.
        remainder: (4, 4) of what is no body.
    """

    bodies: tuple[MovedBody, ...]
    motions: tuple[np.ndarray, ...]
    remainder: np.ndarray


@dataclass(frozen=True)
class Taken:
    """A session's result, taken from the scene.

    Attributes:
        modality: "CT" or "MR".
        confidence: the fields of `Confidence`.
        made: "software" and "timing_s" as in registration.json, empty if unknown.
        review: decision and comment, None before the decision.
        volume_files, segmentation_files: that they were read from and still are equal to.
        bodies: None if all was registered as a whole.
        frame_of_reference_uid: of the DICOM series that the volume is, where it lies as that says; or empty.
    """

    volume: SceneVolume
    modality: str
    views: tuple[TakenView, ...]
    segmentation: LabelMap | None
    markups: tuple[Markup, ...]
    confidence: dict
    made: dict
    review: tuple[str, str] | None
    volume_files: tuple[Path, ...]
    segmentation_files: tuple[Path, ...]
    frame_of_reference_uid: str
    bodies: TakenBodies | None = None


class Export:
    """Starts at once; the scene is saved in the GUI's thread, the rest is written beside it.

    Args:
        on_state: what it is at, in words.
        on_done: the folder is written; with notices about what was left out.
        on_stopped: the folder is as before; with the error, or None if it was cancelled.

    Raises:
        InputError: if the session cannot be exported as it is.
    """

    def __init__(
        self,
        session,
        folder: str,
        wanted: Wanted,
        on_state: Callable[[str], None],
        on_done: Callable[[list[str]], None],
        on_stopped: Callable[[BaseException | None], None],
    ):
        self._session, self._folder, self._wanted = session, Path(folder), wanted
        self._on_state, self._on_done, self._on_stopped = on_state, on_done, on_stopped
        self._taken = taken_from(session)
        self._job, self._stop, self._abandoned = None, False, False
        self._written: list[str] | None = None
        qt.QTimer.singleShot(0, self._start)  # what it is at can be read before the scene holds the GUI

    def cancel(self) -> None:
        """Ask it to stop; `on_stopped` follows."""
        self._stop = True
        if self._job is not None:
            self._job.cancel()

    def abandon(self) -> None:
        """Stop listening at once; nothing follows, and nothing is written."""
        self._abandoned = True
        if self._job is not None:
            self._job.abandon()

    def _start(self) -> None:
        if self._abandoned:
            return
        if self._stop or self._session.GetScene() is None:
            self._on_stopped(None)
            return
        place = Path(tempfile.mkdtemp(prefix="xrayreg-", dir=slicer.app.temporaryPath))
        try:
            scene = save_scene(self._session, place) if self._wanted.scene else None
        except Exception as error:
            shutil.rmtree(place, ignore_errors=True)
            self._on_stopped(error)
            return

        def work(report: Callable) -> list[str]:
            with unheld():
                from .writing import write  # leads to torch: seconds, the first time

            try:
                self._written = write(self._taken, self._wanted, scene, self._folder, report)
            finally:
                shutil.rmtree(place, ignore_errors=True)
            return self._written

        self._job = Job(work, self._on_state, self._on_done, self._on_stopped, self._cancelled)

    def _cancelled(self) -> None:
        if self._written is None:
            self._on_stopped(None)
        else:  # the cancel came too late
            self._on_done(self._written)


def taken_from(session) -> Taken:
    """The session's result as core objects.

    Raises:
        InputError: if the volume was moved, or an X-ray or a frame came in, since the registration, or if
            an input is unfit.
    """
    review = session.GetAttribute(roles.DECISION)
    volume = session.GetNodeReference(roles.VOLUME)
    segmentation = session.GetNodeReference(roles.SEGMENTATION)
    if volume is None:
        raise InputError("no volume is chosen", remedy="choose the CT in the first panel")
    check_place(session)
    return Taken(
        volume_of(volume),
        roles.modality_of(session),
        tuple(_view(node) for node in roles.references(session, roles.VIEW)),
        None if segmentation is None else label_map_of(segmentation),
        markups_of(roles.references(session, roles.PLAN)),
        json.loads(session.GetAttribute(roles.CONFIDENCE)),
        json.loads(session.GetAttribute(roles.MADE) or "{}"),
        (review, session.GetAttribute(roles.COMMENT) or "") if review else None,
        _files_of(volume),
        () if segmentation is None else _files_of(segmentation),
        _frame_of_reference(volume),
        _bodies(session),
    )


def save_scene(session, folder: Path) -> Path:
    """Save the whole scene into ``folder``, marked so that this session is found in it.

    Raises:
        InputError: if Slicer could not write it.
    """
    path = folder / SCENE_FILE
    session.SetAttribute(roles.EXPORTED, "1")
    try:
        if not slicer.util.saveScene(str(path)):
            raise InputError("the scene could not be saved", remedy="make space on the disk, or leave it out")
    finally:
        session.RemoveAttribute(roles.EXPORTED)
    return path


def _view(node) -> TakenView:
    check_registered(node)
    start, similarity, covariance, file = (
        json.loads(node.GetAttribute(name) or "null")
        for name in (roles.INITIAL_CAMERA_FROM_PATIENT, roles.SIMILARITY, roles.COVARIANCE, roles.FILE)
    )
    return TakenView(xray_of(node), np.array(start), similarity, covariance, file)


def _bodies(session) -> TakenBodies | None:
    if not session.GetNumberOfNodeReferences(roles.BODY):
        return None
    remainder = np.array(json.loads(session.GetAttribute(roles.REMAINDER)))
    return TakenBodies(tuple(bodies_of(session)), tuple(motions_of(session)), remainder)


def _frame_of_reference(node) -> str:
    """Of the DICOM files of a volume; empty if it has none, or was moved or changed since it was read."""
    files = _files_of(node)
    moved = node.GetParentTransformNode() is not None
    return frame_of_reference_uid(files[0]) if files and not moved else ""


def _files_of(node) -> tuple[Path, ...]:
    """The files that a node was read from, unless it has changed since."""
    storage = node.GetStorageNode()
    if storage is None or not storage.GetFileName() or node.GetModifiedSinceRead():
        return ()
    names = [storage.GetNthFileName(n) for n in range(storage.GetNumberOfFileNames())]
    return tuple(dict.fromkeys(Path(name) for name in (storage.GetFileName(), *names)))
