"""The sample of Slicer's Sample Data module: a public chest CT and two X-rays of it, ready to register."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from . import roles
from .choosing import is_empty
from .jobs import Job
from .mrml import all_or_nothing, remove_node
from .networks import sample_network
from .scene import add_markup, add_result, add_volume
from .segments import add_segmentation
from .session import add_view
from .unheld import unheld

if TYPE_CHECKING:
    from xrayreg.images import LabelMap, Markup, Volume, Xray


@dataclass(frozen=True)
class Sample:
    """What is brought into the scene.

    Attributes:
        bones: those of ``segmentation`` to show.
        xrays: at their start poses, which registration is to correct.
    """

    volume: Volume
    segmentation: LabelMap
    bones: tuple[int, ...]
    plan: tuple[Markup, ...]
    xrays: tuple[Xray, ...]


_under_way: list[Job] = []


def load(
    scene,
    on_state: Callable[[str], None],
    on_done: Callable[[object], None],
    on_failed: Callable[[BaseException], None],
) -> None:
    """Fetch and simulate beside the GUI, then add it to the scene, which is as before if that fails.

    While one is under way another is not started.

    Args:
        on_state: what it is at, in words.
        on_done: gets the session's node.
    """
    if _under_way:
        return
    words = {
        "fetch": _("Fetching the chest CT (35 MB, the first time)"),
        "simulate": _("Simulating two X-rays"),
    }

    def done(sample: Sample) -> None:
        try:
            session = add_sample(scene, sample)
        except Exception as error:
            failed(error)
        else:
            _under_way.clear()
            on_done(session)

    def failed(error: BaseException) -> None:
        _under_way.clear()
        on_failed(error)

    _under_way.append(Job(read_sample, lambda step: on_state(words[step]), done, failed, _under_way.clear))


def read_sample(report: Callable[[str], None]) -> Sample:
    """The CT from the cache or the network, once; the X-rays simulated from it.

    Args:
        report: called with "fetch" and "simulate" when that begins.

    Raises:
        InputError: if the CT is not in the cache and cannot be fetched.
    """
    with unheld():
        from xrayreg.evaluate import PLAN, fetch_demo_case, write_demo_views  # lead to torch: seconds
        from xrayreg.images import read_label_map, read_volume, read_xray
        from xrayreg.overlays import outlined_labels

    report("fetch")
    case = fetch_demo_case()
    volume = replace(read_volume(case.volume), name="Chest CT")
    segmentation = read_label_map(case.segmentation, case.structures)
    report("simulate")
    centre = tuple(float(x) for x in volume.grid.centre_patient)
    with TemporaryDirectory(prefix="xrayreg-sample-") as folder:
        views = write_demo_views(volume, Path(folder))
        xrays = tuple(read_xray(view.path, isocenter=centre) for view in views)
    return Sample(volume, segmentation, outlined_labels(segmentation), PLAN, xrays)


def add_sample(scene, sample: Sample):
    """A session with all of it, instead of an empty one; returns its node. On error nothing changes."""
    before = roles.result_nodes(scene)[-1:]
    with all_or_nothing(scene):
        session = add_result(scene)
        session.SetNodeReferenceID(roles.VOLUME, add_volume(scene, sample.volume).GetID())
        bones = add_segmentation(scene, sample.segmentation, sample.bones)
        session.SetNodeReferenceID(roles.SEGMENTATION, bones.GetID())
        for markup in sample.plan:
            session.AddNodeReferenceID(roles.PLAN, add_markup(scene, markup).GetID())
        for xray in sample.xrays:
            add_view(session, xray)
        if network := sample_network():
            session.SetAttribute(roles.NETWORK, str(network))
    for empty in before:
        if is_empty(empty):
            remove_node(empty)
    return session
