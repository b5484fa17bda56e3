"""Rigid registration of every view, and what there is to say of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..geometry import apply, nearest_rigid
from ..images import Xray
from ..render import Density, render
from .evidence import Evidence, gather
from .levels import Level, prepare_view
from .refine import DEFAULT_LEVELS, NEAR, Progress, refine
from .result import RegisteredView
from .search import SearchRange
from .uncertainty import PoseUncertainty


@dataclass(frozen=True)
class RegisteredRig:
    """The views that moved together, registered.

    Attributes:
        views: in the order given.
        evidence: for and against their poses.
        uncertainty: of the pose; `PoseUncertainty.covariance` is shared by the views.
    """

    views: tuple[RegisteredView, ...]
    evidence: Evidence
    uncertainty: PoseUncertainty


def register_rigid(
    density: Density,
    xrays: Sequence[Xray],
    levels: tuple[Level, ...] = DEFAULT_LEVELS,
    search: SearchRange | None = NEAR,
    progress: Callable[[Progress], None] = lambda state: None,
) -> tuple[RegisteredRig, ...]:
    """Register every view from its start pose; those of one rig together, the others each alone.

    Args:
        density: the volume.
        xrays: their cameras hold the start poses, `Xray.rig` says which move together.
        levels: coarse to fine.
        search: how far the start may be off; None refines it as it is.
        progress: called after each iteration; an exception it raises ends the registration.

    Returns:
        the rigs, in the order of their first views.

    Raises:
        InputError: if the volume does not project into an X-ray.
    """
    return tuple(_registered(density, group, levels, search, progress) for group in groups(xrays))


def groups(xrays: Sequence[Xray]) -> list[list[Xray]]:
    """The X-rays by what moves together, in the order given."""
    by_rig: dict[str, list[Xray]] = {}
    for number, xray in enumerate(xrays):
        by_rig.setdefault(xray.rig or f"alone {number}", []).append(xray)
    return list(by_rig.values())


def rigs_of(xrays: Sequence[Xray]) -> list[int]:
    """The number of each X-ray's rig, in the order of their first views."""
    together = groups(xrays)
    rig_of = {id(xray): number for number, group in enumerate(together) for xray in group}
    return [rig_of[id(xray)] for xray in xrays]


@dataclass(frozen=True)
class _Attempt:
    motion: np.ndarray
    evidence: Evidence
    uncertainty: PoseUncertainty
    better: np.ndarray | None


def _registered(
    density: Density,
    xrays: Sequence[Xray],
    levels: tuple[Level, ...],
    search: SearchRange | None,
    progress: Callable[[Progress], None],
) -> RegisteredRig:
    """A quick search; if the evidence is not plain a thorough one, then a finer one of more candidates."""
    best = None
    for effort, reach in _efforts(levels, search):
        tried = _attempt(density, xrays, np.eye(4), effort, reach, progress)
        if tried.better is not None and reach is not None:
            again = _attempt(density, xrays, tried.motion @ tried.better, effort[1:], None, progress)
            tried = max(tried, again, key=lambda each: each.evidence.similarity)
        if best is None or tried.evidence.similarity > best.evidence.similarity:
            best = tried
        if _is_plain(best.evidence):
            break
    views = tuple(_view(density, xray, best.motion) for xray in xrays)
    evidence = best.evidence
    if search is not None:
        evidence = replace(evidence, strayed=_strayed(density.grid.centre_patient, best.motion, search))
    return RegisteredRig(views, evidence, best.uncertainty)


def _strayed(centre: np.ndarray, motion: np.ndarray, search: SearchRange) -> float:
    """How far a motion moves the centre, by the farthest that the search allows."""
    moved = apply(motion, centre)
    return float(np.linalg.norm(moved - centre) / max(1.0, np.linalg.norm(search.translation_mm)))


def _efforts(
    levels: tuple[Level, ...], search: SearchRange | None
) -> list[tuple[tuple[Level, ...], SearchRange | None]]:
    if search is None:
        return [(levels, None)]
    quick = tuple(replace(level, poses=max(1, level.poses // 3)) for level in levels)
    fewer = replace(search, candidates=max(2, search.candidates // 4))
    finer = replace(search, pixels=levels[0].pixels)
    # A thin bone beside others is told from them only at finer pixels than the first level usually has.
    fine = tuple(replace(level, pixels=min(4 * level.pixels // 3, levels[-1].pixels)) for level in levels)
    return [(quick, fewer), (levels, finer), (fine, replace(finer, candidates=4 * search.candidates))]


def _attempt(
    density: Density,
    xrays: Sequence[Xray],
    motion: np.ndarray,
    levels: tuple[Level, ...],
    search: SearchRange | None,
    progress: Callable[[Progress], None],
) -> _Attempt:
    def since_the_start(state: Progress) -> None:
        progress(replace(state, patient_motion=motion @ state.patient_motion))

    states = refine(density, _moved(xrays, motion), levels, search)
    motion = motion @ _followed(states, since_the_start)
    return _Attempt(motion, *gather(density, _moved(xrays, motion)))


def _is_plain(evidence: Evidence) -> bool:
    """Whether more searching would hardly change anything."""
    return evidence.lead > 0.1 and evidence.similarity > 0.3 * evidence.reachable


def _followed(states, progress: Callable[[Progress], None]) -> np.ndarray:
    for state in states:
        progress(state)
    return state.patient_motion


def _moved(xrays: Sequence[Xray], motion: np.ndarray) -> list[Xray]:
    return [
        replace(xray, camera=xray.camera.moved(nearest_rigid(xray.camera.camera_from_patient @ motion)))
        for xray in xrays
    ]


def _view(density: Density, xray: Xray, motion: np.ndarray) -> RegisteredView:
    (moved,) = _moved([xray], motion)
    return RegisteredView(xray, moved.camera, similarity_of(density, moved), similarity_of(density, xray))


def similarity_of(density: Density, xray: Xray, level: Level = DEFAULT_LEVELS[-2]) -> float:
    """The similarity of one view at its camera's pose: NCC and gradient NCC in patches, 1 is perfect."""
    view = prepare_view(xray, [np.eye(4)], density, level)
    return float(view.comparison.similarity(render(density.matched(view.camera), view.camera)))
