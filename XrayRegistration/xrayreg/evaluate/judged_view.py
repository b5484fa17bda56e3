"""One X-ray through the network and registration, and how far off both were."""

import time
from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from ..geometry import Camera, apply, carm_angles_of, inverse, rotation_angle_deg
from ..images import Xray
from ..learn import PoseRanges, TrainedNetwork, started_from_network
from ..register import SearchRange, confidence_in, register_rigid
from ..render import Density
from .fresh_xrays import FreshXray
from .metrics import tre

SUCCESS_MM = 1.0
_MOST = 9999.0  # errors are cut here: behind the source a point has no image


@dataclass(frozen=True)
class PoseErrors:
    """How far a pose of one view is off.

    Attributes:
        rotation_deg: angle between found and true rotation.
        centre_mm, depth_mm: of the anatomy's centre, across the central ray and along it.
        mpd_mm: mean distance of where bone in the field is shown, scaled back to its depth.
        across_mm: mean TRE of the same bone without the depth.
        mtre_mm: mean TRE of the same bone.
    """

    rotation_deg: float
    centre_mm: float
    depth_mm: float
    mpd_mm: float
    across_mm: float
    mtre_mm: float

    @property
    def success(self) -> bool:
        return self.mpd_mm < SUCCESS_MM


@dataclass(frozen=True)
class JudgedView:
    """A simulated X-ray and what became of it.

    Attributes:
        number: from 1.
        primary_deg, secondary_deg, tertiary_deg: C-arm angles, in the network's frame.
        tilt_deg: of the central ray from that at the middle of the ranges.
        tilt_primary_deg, tilt_secondary_deg: the same as a vector, towards larger angles of either kind.
        offset_x_mm, offset_y_mm, source_to_centre_mm: place of the anatomy's centre in the camera.
        seen: part of the anatomy in the field.
        disturbed: by rod and collimator.
        start, found: errors of the network's pose, and after registration.
        in_reach: whether the true pose lay within the search around the start.
        search_deg, search_mm: how far that reached on each axis.
        verdict, success_probability, p95_tre_mm: what registration said of itself.
        start_s, register_s: wall time.
        note: why registration refused; then the result is the start, rejected.
    """

    number: int
    primary_deg: float
    secondary_deg: float
    tertiary_deg: float
    tilt_deg: float
    tilt_primary_deg: float
    tilt_secondary_deg: float
    offset_x_mm: float
    offset_y_mm: float
    source_to_centre_mm: float
    seen: float
    disturbed: bool
    start: PoseErrors
    found: PoseErrors
    in_reach: bool
    search_deg: float
    search_mm: float
    verdict: str
    success_probability: float
    p95_tre_mm: float
    start_s: float
    register_s: float
    note: str = ""


@dataclass(frozen=True)
class _Registered:
    """What registration says of an X-ray; without evidence the worst."""

    pose: np.ndarray
    verdict: str = "reject"
    success_probability: float = 0.0
    p95_tre_mm: float = _MOST
    note: str = ""


def judged(
    number: int,
    fresh: FreshXray,
    blind: Camera,
    network: TrainedNetwork,
    density: Density,
    points: np.ndarray,
) -> tuple[JudgedView, np.ndarray, np.ndarray]:
    """The view with its errors over points (n, 3), and the poses (4, 4) of start and result.

    Args:
        blind: the X-ray's camera at a pose that tells nothing of the truth.
        density: what is registered.
    """
    truth = fresh.xray.camera
    begun = time.perf_counter()
    start = started_from_network(network, [replace(fresh.xray, camera=blind)])
    between = time.perf_counter()
    pose = start.xrays[0].camera.camera_from_patient
    result = _registered(density, start.xrays[0], start.search)
    ended = time.perf_counter()
    points = points[_in_field(points, truth)]
    place = apply(truth.camera_from_patient, network.centre)
    motion = inverse(pose) @ truth.camera_from_patient
    view = JudgedView(
        number,
        *carm_angles_of(fresh.network_pose[:3, :3].T),
        *tilts(fresh.network_pose, network.ranges),
        *map(float, place),
        seen=fresh.seen,
        disturbed=fresh.disturbed,
        start=pose_errors(points, network.centre, pose, truth),
        found=pose_errors(points, network.centre, result.pose, truth),
        in_reach=within_reach(start.search, motion, density.grid.centre_patient),
        search_deg=max(start.search.rotation_deg),
        search_mm=max(start.search.translation_mm),
        verdict=result.verdict,
        success_probability=result.success_probability,
        p95_tre_mm=result.p95_tre_mm,
        start_s=between - begun,
        register_s=ended - between,
        note=result.note,
    )
    return view, pose, result.pose


def pose_errors(points: np.ndarray, centre: np.ndarray, pose: np.ndarray, truth: Camera) -> PoseErrors:
    """Errors of camera_from_patient (4, 4) over points (n, 3), patient, mm; see `PoseErrors`."""
    true_pose = truth.camera_from_patient
    place = apply(true_pose, points)
    apart = apply(pose, points) - place
    moved = apply(pose, centre) - apply(true_pose, centre)
    pixels = truth.moved(pose).project(points) - truth.project(points)
    shown = np.linalg.norm(pixels * place[:, 2:] / [truth.K[0, 0], truth.K[1, 1]], axis=1)
    values = (
        rotation_angle_deg(pose @ inverse(true_pose)),
        np.hypot(moved[0], moved[1]),
        abs(moved[2]),
        np.nan_to_num(shown, nan=_MOST).mean(),
        np.linalg.norm(apart[:, :2], axis=1).mean(),
        tre(points, pose, true_pose).mean(),
    )
    return PoseErrors(*(float(min(value, _MOST)) for value in values))


def tilts(camera_from_network: np.ndarray, ranges: PoseRanges) -> tuple[float, float, float]:
    """(tilt, its part towards larger primary angles, towards larger secondary angles), degrees.

    Of the central ray against that at the middle of the ranges: what a map of C-arm angles shows as distance
    and direction from its middle. Turns about the central ray do not count.
    """
    axis, middle = camera_from_network[2, :3], ranges.middle[2]
    primary = np.radians(sum(ranges.primary_deg) / 2)
    # Derivatives of the axis (sin p cos s, -cos p cos s, sin s) at the middle, as unit vectors.
    by_primary = np.array([np.cos(primary), np.sin(primary), 0.0])
    by_secondary = np.cross(middle, by_primary)
    away = np.array([axis @ by_primary, axis @ by_secondary])
    tilt = float(np.degrees(np.arctan2(np.linalg.norm(away), axis @ middle)))
    towards = tilt * away / max(float(np.linalg.norm(away)), 1e-12)
    return tilt, float(towards[0]), float(towards[1])


def within_reach(search: SearchRange, motion: np.ndarray, centre: np.ndarray) -> bool:
    """Whether the candidates of a search are spread over a range that holds a motion (4, 4) of the patient.

    As the search does it: turned about the z, y and x axes through ``centre`` (3,), then shifted.
    """
    turn = motion[:3, :3]
    x = np.arctan2(-turn[1, 2], turn[2, 2])
    y = np.arcsin(np.clip(turn[0, 2], -1, 1))
    z = np.arctan2(-turn[0, 1], turn[0, 0])
    shift = apply(motion, centre) - centre
    turned = np.abs(np.degrees([x, y, z])) <= search.rotation_deg
    return bool(turned.all() and (np.abs(shift) <= search.translation_mm).all())


def _registered(density: Density, xray: Xray, search: SearchRange) -> _Registered:
    try:
        (rig,) = register_rigid(density, [xray], search=search)
    except InputError as error:  # a start beside the X-ray: a failure like others
        return _Registered(xray.camera.camera_from_patient, note=error.what)
    sure = confidence_in(rig.evidence)
    pose = rig.views[0].camera.camera_from_patient
    return _Registered(pose, sure.verdict, sure.success_probability, sure.p95_tre_mm)


def _in_field(points: np.ndarray, camera: Camera) -> np.ndarray:
    """(n,) bool; all, if none is."""
    pixel = np.nan_to_num(camera.project(points), nan=-1e9)
    inside = ((pixel > -0.5) & (pixel < np.array(camera.size) - 0.5)).all(axis=1)
    return inside if inside.any() else ~inside
