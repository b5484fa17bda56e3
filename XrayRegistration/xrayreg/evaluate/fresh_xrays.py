"""X-rays of a CT that no training has seen: random poses, another projector, what real X-rays carry."""

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry import Camera, apply, inverse
from ..images import Volume, Xray, line_integrals_from_transmission
from ..learn import Anatomy, TrainedNetwork
from ..render import C_ARM_BEAM, Detector, detected, polyenergetic, render

PIXELS = 256
"""The longer side of an X-ray, at most; the finest at which registration compares."""
VOXEL_MM = 1.0
"""To about this the CT is averaged: a third of the time of a full one."""

_APART = 720_517_093  # no seed of training begins with it
_LEAST_SEEN = 0.5  # of the part of the anatomy that is seen from the middle of the ranges
_FIELD_MM = 300.0  # every detector counts as so wide: blur and scatter are given in mm
_PHOTONS = 4000.0  # behind the middle of the field in a pixel, as automatic exposure would have it
_MOST_PHOTONS = 1.6e6  # before the patient

_ROD_RADIUS_MM, _ROD_HALF_MM, _ROD_AWAY_MM = 3.5, 75.0, 40.0
_STEEL_PER_MM = 0.685  # 316L at 70 keV: 0.8562 cm2/g * 8.0 g/cm3


@dataclass(frozen=True)
class FreshXray:
    """One of them.

    Attributes:
        xray: its camera is the truth.
        network_pose: (4, 4) the same pose in the network's frame.
        seen: the part of the anatomy that is in the field.
        disturbed: by a steel rod and a collimator.
    """

    xray: Xray
    network_pose: np.ndarray
    seen: float
    disturbed: bool


class FreshXrays:
    """X-rays of a CT from poses that a network should know; each depends on seed and number alone.

    Training and registration integrate in slices of a volume averaged to the pixels (Joseph); these are sums
    at even steps along the rays (trilinear) of another sampling, with beam hardening, scatter, blur, noise
    and a tone curve; every second one holds a steel rod, and a collimator hides part of its field.

    Args:
        camera: a typical view; its pose says nothing.
        network: says from where, see `TrainedNetwork.ranges`.
    """

    def __init__(self, volume: Volume, camera: Camera, network: TrainedNetwork, seed: int):
        self.anatomy = Anatomy.of(volume, VOXEL_MM)
        self.camera = camera.binned(camera.binning_to(PIXELS))
        self._network, self._seed = network, seed

    @property
    def middle(self) -> Camera:
        """The camera at the middle of all ranges: what is known of a pose without looking."""
        network = self._network
        return self.camera.moved(network.ranges.middle_pose(network.reference) @ network.network_from_patient)

    def xray(self, number: int) -> FreshXray:
        """The X-ray of a number, from 0."""
        rng = np.random.default_rng([_APART, self._seed, number])
        camera, seen = self._placed(rng)
        disturbed = number % 2 == 1
        paths = {
            name: render(density, camera, projector="trilinear", step_mm=VOXEL_MM)
            for name, density in self.anatomy.materials.items()
        }
        mask = np.ones(camera.size[::-1], dtype=bool)
        if disturbed:
            paths["steel"] = _STEEL_PER_MM * _rod_mm(camera, self.anatomy.centre, rng)
            mask = _collimated(mask.shape, rng)
        image = line_integrals_from_transmission(_pixels(polyenergetic(paths, C_ARM_BEAM), mask, rng), mask)
        network_pose = camera.camera_from_patient @ inverse(self._network.network_from_patient)
        return FreshXray(Xray(image, camera, mask, f"view {number + 1}"), network_pose, seen, disturbed)

    def _placed(self, rng: np.random.Generator) -> tuple[Camera, float]:
        """A random camera that sees enough of the anatomy, and how much it sees."""
        network = self._network

        def draw() -> Camera:
            pose = network.ranges.sample(rng, 1, network.reference)[0]
            return self.camera.moved(pose @ network.network_from_patient)

        return self.anatomy.sighted(draw, _LEAST_SEEN * self.anatomy.seen(self.middle))


def _pixels(integrals: torch.Tensor, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a detector stores, float64, brighter = more intensity."""
    values = integrals.double().cpu().numpy()
    rows, columns = values.shape
    middle = values[rows // 4 : -(-3 * rows // 4), columns // 4 : -(-3 * columns // 4)]
    detector = Detector(
        photons=min(_PHOTONS / float(np.exp(-middle).mean()), _MOST_PHOTONS),
        scatter_to_primary=rng.uniform(0.1, 0.8),
        detector_blur_mm=rng.uniform(0.2, 0.8),
        gamma=rng.uniform(0.5, 1.2),
        seed=int(rng.integers(2**32)),
    )
    pixel_mm = _FIELD_MM / max(values.shape)
    return detected(values, (pixel_mm, pixel_mm), detector, mask).astype(float)


def _rod_mm(camera: Camera, near: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
    """The length [row, column], mm, of each pixel's ray in a rod at most `_ROD_AWAY_MM` from a point."""
    along = rng.normal(size=3)
    along /= np.linalg.norm(along)
    middle = apply(camera.camera_from_patient, near + rng.uniform(-1, 1, 3) * _ROD_AWAY_MM / np.sqrt(3))
    v, u = np.indices(camera.size[::-1], dtype=float)
    rays = camera.ray_directions(np.stack([u, v], axis=-1))
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return torch.from_numpy(length_in_rod(rays, middle, along).astype(np.float32))


def length_in_rod(rays: np.ndarray, middle: np.ndarray, along: np.ndarray) -> np.ndarray:
    """The length (...), mm, of rays from the origin, unit vectors (..., 3), in a rod along a unit vector."""
    slope, start = rays @ along, -middle @ along  # along the rod: start + slope * t
    across, offset = rays - slope[..., None] * along, -middle - start * along
    a, b = (across * across).sum(axis=-1), across @ offset
    root = b * b - a * (offset @ offset - _ROD_RADIUS_MM**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = np.sqrt(root) / a
        ends = np.sort(np.stack([(-_ROD_HALF_MM - start) / slope, (_ROD_HALF_MM - start) / slope]), axis=0)
    length = np.minimum(-b / a + half, ends[1]) - np.maximum(-b / a - half, ends[0])
    return np.where((root > 0) & (length > 0), length, 0.0)


def _collimated(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """[row, column] bool: a round field, or one cut at its four sides."""
    rows, columns = np.indices(shape)
    if rng.random() < 0.5:
        middle = (np.array(shape) - 1) / 2
        return np.hypot(rows - middle[0], columns - middle[1]) < rng.uniform(0.42, 0.5) * max(shape)
    top, bottom = rng.uniform(0, 0.12, 2) * shape[0]
    left, right = rng.uniform(0, 0.12, 2) * shape[1]
    return (columns >= left) & (columns < shape[1] - right) & (rows >= top) & (rows < shape[0] - bottom)
