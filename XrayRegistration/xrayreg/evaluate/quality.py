"""The quality card of a pose network: how well registration ends from its starts, on X-rays it never saw."""

import itertools
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np
import torch

from .. import __version__
from ..geometry import Camera
from ..images import Volume, Xray
from ..learn import TrainedNetwork
from ..render import Density, density_of, render
from .fresh_xrays import VOXEL_MM, FreshXrays
from .judged_view import SUCCESS_MM, JudgedView, judged
from .statistics import wilson_interval

SCHEMA_VERSION = 1
ACROSS_MM = 2.0
_PICTURES = 6
_START_BINS_MM = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, np.inf)
_GOOD, _FEW = 0.9, 20
_VERDICTS = ("accept", "review", "reject")
_PACKAGES = ("torch", "monai", "numpy", "safetensors")


class ViewImages(NamedTuple):
    """What is shown of a view.

    Attributes:
        xray: as simulated.
        start, found: [row, column] DRRs in its pixels at the network's pose and at the registered one.
    """

    xray: Xray
    start: np.ndarray
    found: np.ndarray


@dataclass(frozen=True)
class QualityCard:
    """How good a network is.

    Attributes:
        views: one or more.
        asked: how many were asked for: more than there are if it was stopped.
        seed: of the X-rays.
        size: (columns, rows) of the X-rays.
        ranges: of the network, see `PoseRanges.as_json`.
        training: how it was trained: what JSON can hold, shown as it is.
        notices: to be said beside the numbers, such as of an attention audit.
        images: of the views that ended worst, by number.
    """

    views: tuple[JudgedView, ...]
    asked: int
    seed: int
    size: tuple[int, int]
    ranges: dict
    training: dict = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    images: dict[int, ViewImages] = field(default_factory=dict)

    @property
    def in_words(self) -> str:
        """In one line."""
        good = sum(view.found.success for view in self.views)
        return f"{good} of {len(self.views)} fresh simulated X-rays registered within {SUCCESS_MM:g} mm"

    @property
    def as_json(self) -> dict:
        """The content of N.card.json."""
        summary = summary_of(self.views)
        return {
            "schema_version": SCHEMA_VERSION,
            "software": _software(),
            "training": self.training,
            "ranges": self.ranges,
            "xrays": {
                "count": len(self.views),
                "asked": self.asked,
                "seed": self.seed,
                "size": list(self.size),
                "projector": "trilinear",
                "voxel_mm": VOXEL_MM,
            },
            "summary": summary,
            "notices": [*warnings_of(summary, self.asked), *self.notices],
            "views": _rounded([asdict(view) | {"success": view.found.success} for view in self.views]),
        }


def quality_of(
    network: TrainedNetwork,
    volume: Volume,
    camera: Camera,
    *,
    views: int = 40,
    seed: int = 0,
    training: dict | None = None,
    progress: Callable[[int, int], None] = lambda done, of: None,
    stop: Callable[[], bool] | None = None,
) -> QualityCard | None:
    """Simulate X-rays of a CT that training did not see, start from the network, register, compare.

    Args:
        volume: the CT.
        camera: a typical view, as in training; its pose says nothing.
        views: how many, each at a random pose in the network's ranges.
        seed: of the X-rays.
        training: what to say of how the network was trained.
        progress: called with how many of how many views are done.
        stop: asked before each view; the card then tells of the views that are done.

    Returns:
        None if it was stopped before the first view was done.
    """
    density = density_of(volume)
    source = FreshXrays(volume, camera, network, seed)
    done, poses = [], {}
    for number in range(views):
        if stop is not None and stop():
            break
        fresh = source.xray(number)
        view, start, found = judged(number + 1, fresh, source.middle, network, density, source.anatomy.points)
        done.append(view)
        poses[view.number] = (fresh.xray, start, found)
        progress(len(done), views)
    if not done:
        return None
    shown = {view.number: _images(density, *poses[view.number]) for view in worst(done)[:_PICTURES]}
    size, ranges = source.camera.size, network.ranges.as_json
    return QualityCard(tuple(done), views, seed, size, ranges, training or {}, (), shown)


def worst(views: Sequence[JudgedView]) -> list[JudgedView]:
    """By error after registration, the largest first."""
    return sorted(views, key=lambda view: -view.found.mpd_mm)


def summary_of(views: Sequence[JudgedView]) -> dict:
    """Shares with 95 % intervals, and distributions, of the views."""
    return {
        "success_below_mm": SUCCESS_MM,
        "success": share([view.found.success for view in views]),
        "across_below_2mm": share([view.found.across_mm < ACROSS_MM for view in views]),
        "in_reach": share([view.in_reach for view in views]),
        "start": _distributions([asdict(view.start) for view in views]),
        "found": _distributions([asdict(view.found) for view in views]),
        "success_by_start": _by_start(views),
        "verdicts": {
            verdict: {
                "right": sum(v.verdict == verdict and v.found.success for v in views),
                "wrong": sum(v.verdict == verdict and not v.found.success for v in views),
            }
            for verdict in _VERDICTS
        },
        "seconds": _distributions([{"start": v.start_s, "register": v.register_s} for v in views]),
    }


def share(successes: Sequence[bool]) -> dict:
    """How many of how many, the share, and its 95 % interval."""
    count, total = sum(map(bool, successes)), len(successes)
    low, high = wilson_interval(count, total)
    return _rounded({"count": count, "of": total, "share": count / total, "low": low, "high": high})


def warnings_of(summary: dict, asked: int) -> list[str]:
    """What a user must not overlook, in words."""
    success, found = summary["success"], []
    if success["share"] < _GOOD:
        found.append(
            f"only {success['count']} of {success['of']} X-rays were registered: train longer, or with "
            "narrower ranges"
        )
    if wrong := summary["verdicts"]["accept"]["wrong"]:
        results = "1 wrong result" if wrong == 1 else f"{wrong} wrong results"
        found.append(f"{results} had the verdict accept: look at every result")
    if success["of"] < asked:
        found.append(f"stopped after {success['of']} of {asked} X-rays")
    if success["of"] < _FEW:
        found.append(f"{success['of']} X-rays are few: the intervals are wide")
    return found


def _by_start(views: Sequence[JudgedView]) -> list[dict]:
    """Success by the mean TRE of the start; bins without views are left out."""
    bins = []
    for low, high in itertools.pairwise(_START_BINS_MM):
        inside = [view.found.success for view in views if low <= view.start.mtre_mm < high]
        if inside:
            bins.append({"from_mm": low, "to_mm": high if np.isfinite(high) else None, **share(inside)})
    return bins


def _distributions(rows: Sequence[dict[str, float]]) -> dict:
    """Median, 90th percentile and worst of each key."""
    values = {key: [row[key] for row in rows] for key in rows[0]}
    return {
        key: _rounded(dict(zip(("median", "p90", "worst"), np.percentile(each, [50, 90, 100]), strict=True)))
        for key, each in values.items()
    }


def _images(density: Density, xray: Xray, start: np.ndarray, found: np.ndarray) -> ViewImages:
    drrs = (render(density, xray.camera.moved(pose)).cpu().numpy() for pose in (start, found))
    return ViewImages(xray, *drrs)


def _software() -> dict:
    used = {"name": "xrayreg", "version": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            used[package] = torch.__version__ if package == "torch" else version(package)
        except PackageNotFoundError:
            continue
    return used


def _rounded(value):
    """With floats to four places, in whatever JSON can hold."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return round(float(value), 4) if isinstance(value, float) else value
