"""Start poses from a network, for registration: views of one rig together, and how far to search around."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ..geometry import apply, inverse, nearest_rotation
from ..images import Xray
from ..register import SearchRange, groups
from .estimate import Estimate

_SIGMAS = 2.5  # errors that the search covers
_LEAST_DEG, _MOST_DEG = 8.0, 30.0
_LEAST_MM, _MOST_MM = 20.0, 100.0
_CANDIDATES = 128


class Estimator(Protocol):
    """A network that knows the patient: a `TrainedNetwork`, or an `XvrNetwork` with its CT.

    Attributes:
        centre: (3,) the anatomy's centre, patient, mm.
    """

    centre: np.ndarray

    def estimated(self, xray: Xray) -> Estimate:
        """The pose of an X-ray, whatever its camera says of it."""

    def outside(self, camera_from_patient: np.ndarray) -> dict[str, float]:
        """By how much, mm or degrees, a pose (4, 4) is outside of what it knows, by name."""


@dataclass(frozen=True)
class NetworkStart:
    """Where registration starts.

    Attributes:
        xrays: with their cameras at the network's poses, a note on each; in the order given.
        search: covers what the network may be off.
        outside: by view, what of its pose lies outside the poses that the network knows, for people.
    """

    xrays: list[Xray]
    search: SearchRange
    outside: dict[str, dict[str, float]]


def started_from_network(network: Estimator, xrays: Sequence[Xray]) -> NetworkStart:
    """The X-rays at the poses that a network gives them; only how views of a rig lie to each other is kept.

    Of a rig every view tells the patient's place and turn in it; they are averaged by the inverse squares of
    their expected errors, so that a view from the side tells the depth of another.

    Raises:
        InputError: if the network gives no pose.
    """
    started: dict[str, Xray] = {}
    turn_deg, shift_mm, outside = 0.0, 0.0, {}
    for group in groups(xrays):
        estimates = [network.estimated(xray) for xray in group]
        motion = _motion(group, estimates, network.centre)
        for xray, estimate in zip(group, estimates, strict=True):
            camera = xray.camera.moved(xray.camera.camera_from_patient @ motion)
            started[xray.name] = replace(xray, camera=camera, notes=(*xray.notes, _note(estimate)))
            if beyond := network.outside(camera.camera_from_patient):
                outside[xray.name] = beyond
        turn_deg = max(turn_deg, min(estimate.rotation_deg for estimate in estimates))
        shift_mm = max(shift_mm, min(max(e.across_mm, e.depth_mm) for e in estimates))
    search = SearchRange(
        (float(np.clip(_SIGMAS * turn_deg, _LEAST_DEG, _MOST_DEG)),) * 3,
        (float(np.clip(_SIGMAS * shift_mm, _LEAST_MM, _MOST_MM)),) * 3,
        candidates=_CANDIDATES,
    )
    return NetworkStart([started[xray.name] for xray in xrays], search, outside)


def _motion(group: Sequence[Xray], estimates: Sequence[Estimate], centre: np.ndarray) -> np.ndarray:
    """(4, 4) of the patient, so that ``camera_from_patient @ motion`` is what the estimates say."""
    turn, information, weighted = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros(3)
    for xray, estimate in zip(group, estimates, strict=True):
        start_from_now = inverse(xray.camera.camera_from_patient) @ estimate.poses[0]
        turn += start_from_now[:3, :3] / estimate.rotation_deg**2
        precision = np.diag([1 / estimate.across_mm**2] * 2 + [1 / estimate.depth_mm**2])
        axes = xray.camera.camera_from_patient[:3, :3]
        information += axes.T @ precision @ axes
        weighted += axes.T @ precision @ axes @ apply(start_from_now, centre)
    motion = np.eye(4)
    motion[:3, :3] = nearest_rotation(turn)
    motion[:3, 3] = np.linalg.solve(information, weighted) - motion[:3, :3] @ centre
    return motion


def _note(estimate: Estimate) -> str:
    return (
        f"start pose from the network, expected to be off by {estimate.rotation_deg:.1f} degrees, "
        f"{estimate.across_mm:.0f} mm across the beam and {estimate.depth_mm:.0f} mm in depth"
    )
