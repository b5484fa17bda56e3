"""Bones of the session's volume, found here or by the extension TotalSegmentator."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from xrayreg.errors import InputError
from xrayreg.images import segment_bones

from . import roles
from .choosing import choose
from .jobs import Job
from .mrml import remove_node
from .nodes import volume_of
from .segments import add_segmentation

if TYPE_CHECKING:
    from xrayreg.images import LabelMap


def start_bones(
    session,
    threshold_hu: float,
    on_state: Callable[[str], None],
    on_done: Callable[[], None],
    on_stopped: Callable[[BaseException | None], None],
) -> Job:
    """Find the bones beside the GUI; then they are the session's segmentation.

    Args:
        threshold_hu: the least value of bone.
        on_state: what it is at, in words.
        on_stopped: the scene is as before; with the error, or None if it was cancelled.

    Raises:
        InputError: if the volume is unfit.
    """
    volume = volume_of(session.GetNodeReference(roles.VOLUME))

    def done(bones: LabelMap) -> None:
        try:
            node = add_segmentation(session.GetScene(), bones)
        except Exception as error:
            on_stopped(error)
            return
        _choose(session, node, "bones")
        on_done()

    return Job(
        lambda report: segment_bones(volume.converted(), threshold_hu, report=report),
        on_state=on_state,
        on_done=done,
        on_failed=on_stopped,
        on_cancelled=lambda: on_stopped(None),
    )


def total_segmentation(session) -> None:
    """Have the extension TotalSegmentator segment the session's volume; this takes minutes and holds the GUI.

    Raises:
        InputError: in one line, what it failed at; the scene is as before.
    """
    from TotalSegmentator import TotalSegmentatorLogic

    volume, scene = session.GetNodeReference(roles.VOLUME), session.GetScene()
    is_mr = roles.modality_of(session) == "MR"
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    try:
        logic = TotalSegmentatorLogic()
        logic.setupPythonRequirements()
        logic.process(volume, node, fast=False, task="total_mr" if is_mr else "total")
        if not node.GetSegmentation().GetNumberOfSegments():
            raise RuntimeError("it found nothing")
        node.CreateClosedSurfaceRepresentation()
    except Exception as error:
        remove_node(node)
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"TotalSegmentator failed ({first})", remedy="try it in its own module, or use Segment bones"
        ) from error
    _choose(session, node, "TotalSegmentator")


def _choose(session, node, name: str) -> None:
    scene = session.GetScene()
    node.SetName(scene.GenerateUniqueName(f"{session.GetNodeReference(roles.VOLUME).GetName()} {name}"))
    choose(session, roles.SEGMENTATION, [node])
