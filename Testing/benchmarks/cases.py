"""Simulated X-rays of four real CTs, with known poses: what the registration benchmarks share.

The X-rays come from another projector and sampling than the one that registers, with beam hardening,
scatter, noise, blur and a tone curve (`simulate_xray`); every second one has a steel rod in it and a round
collimator. The hip bones, whose CT holds nothing else, are given soft tissue, which the registering side
does not know. The X-rays are made once and kept in the cache folder.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from xrayreg.evaluate import cache_folder
from xrayreg.geometry import Camera, CArm, about, apply
from xrayreg.images import Volume, Xray, line_integrals_from_transmission, read_volume
from xrayreg.render import Density, Detector, render, simulate_xray

DATA = Path(os.environ.get("XRAYREG_TEST_DATA", Path(__file__).parents[3] / "shared" / "data"))
ANATOMIES = {
    "skull": "skull_phantom_ct/dicom",
    "chest": "chest_ct/cxr.nii.gz",
    "hips": "hipbones_ct/pelvisSegmIntensityLPI.mha",
    "pelvis": "pelvis_ct_3mm/example_ct.nii.gz",
}
# Primary and secondary angle of the C-arm, degrees.
ANGLES = {"ap": (0.0, 0.0), "oblique": (35.0, 8.0), "lateral": (88.0, -4.0), "inlet": (0.0, -30.0)}
PIXELS, SPACING_MM = 512, 0.6
SOURCE_TO_DETECTOR_MM, SOURCE_TO_ISOCENTER_MM = 1020.0, 700.0
_BONE_HU = 250.0
_DETECTED = 1000.0  # photons per pixel in the middle of the field: the C-arm's automatic exposure


@dataclass(frozen=True)
class Case:
    """An X-ray whose camera is the truth, of a CT.

    Attributes:
        targets: (n, 3) points on bone, patient, mm, seen in the X-ray.
    """

    anatomy: str
    view: str
    disturbed: bool
    xray: Xray
    targets: np.ndarray

    @property
    def name(self) -> str:
        return f"{self.anatomy} {self.view}{' disturbed' if self.disturbed else ''}"


def volume_of(anatomy: str) -> Volume:
    return replace(read_volume(DATA / ANATOMIES[anatomy]), name=anatomy)


def density_of(volume: Volume) -> Density:
    """What registers: of the hip bones only what is denser than soft tissue."""
    return Density.from_volume(volume, above_hu=100.0 if volume.name == "hips" else -1000.0)


def cases_of(volume: Volume) -> Iterator[Case]:
    """Every view of an anatomy, once clean and once with a rod and a collimator."""
    for number, view in enumerate(ANGLES):
        for disturbed in (False, True):
            yield make_case(volume, view, disturbed, seed=2 * number + disturbed)


def make_case(volume: Volume, view: str, disturbed: bool, seed: int) -> Case:
    """The C-arm's isocenter lies up to 15 mm from the CT's centre, its angles are up to 5 degrees off."""
    rng = np.random.default_rng([seed, *volume.name.encode()])
    primary, secondary = np.array(ANGLES[view]) + rng.uniform(-5, 5, 2)
    isocenter = volume.grid.centre_patient + rng.uniform(-15, 15, 3)
    carm = CArm(SOURCE_TO_DETECTOR_MM, SOURCE_TO_ISOCENTER_MM, primary, secondary, isocenter=tuple(isocenter))
    camera = carm.camera((PIXELS, PIXELS), (SPACING_MM, SPACING_MM))
    rows, columns = np.indices((PIXELS, PIXELS)) - (PIXELS - 1) / 2
    radius = 0.47 * PIXELS if disturbed else PIXELS
    mask = np.hypot(rows, columns) < radius
    body = with_tissue(volume) if volume.name == "hips" else volume
    detector = Detector(seed=seed, photons=exposure(body, camera), gamma=0.8)
    if disturbed:
        body = with_rod(body, isocenter, rng)
    pixels = remembered(body, camera, detector, mask)
    image = line_integrals_from_transmission(pixels.astype(float), mask)
    return Case(volume.name, view, disturbed, Xray(image, camera, mask, view), targets_in(volume, camera))


def exposure(volume: Volume, camera: Camera) -> float:
    """Photons per open pixel at which `_DETECTED` pass through the middle of the field, at most 400 000."""
    small = camera.cropped((PIXELS // 4, PIXELS // 4), (PIXELS // 2, PIXELS // 2)).binned(8)
    passing = float(np.exp(-render(Density.from_volume(volume), small).double().numpy()).mean())
    return round(min(_DETECTED / passing, 4e5))


def with_tissue(volume: Volume) -> Volume:
    """Soft tissue of 40 HU wherever the CT holds nothing (0 HU), within an elliptic cylinder."""
    j, i = np.indices(volume.hu.shape[1:])
    inside = np.hypot(2 * i / volume.grid.size[0] - 1, 2 * j / volume.grid.size[1] - 1) < 1
    return replace(
        volume, hu=np.where(inside, np.where(volume.hu > 40, volume.hu, 40), -1000).astype(np.float32)
    )


def with_rod(volume: Volume, near: np.ndarray, rng: np.random.Generator) -> Volume:
    """A steel rod of 7 mm, 150 mm long, at most 40 mm beside a point."""
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    middle = near + rng.uniform(-40, 40, 3) / np.sqrt(3)
    k, j, i = np.meshgrid(*map(np.arange, volume.hu.shape), indexing="ij", sparse=True)
    affine = volume.grid.patient_from_index
    offset = [
        affine[a, 0] * i + affine[a, 1] * j + affine[a, 2] * k + affine[a, 3] - middle[a] for a in range(3)
    ]
    along = sum(d * o for d, o in zip(direction, offset, strict=True))
    beside2 = sum(o * o for o in offset) - along * along
    rod = (beside2 < 3.5**2) & (np.abs(along) < 75)
    return replace(volume, hu=np.where(rod, np.float32(3071), volume.hu))


def targets_in(volume: Volume, camera: Camera, count: int = 200) -> np.ndarray:
    """Bone voxels (n, 3), patient, mm, that the camera sees, evenly drawn."""
    k, j, i = np.nonzero(volume.hu > _BONE_HU)
    points = apply(volume.grid.patient_from_index, np.stack([i, j, k], axis=-1).astype(float))
    pixel = camera.project(points)
    seen = points[((pixel > 0) & (pixel < np.array(camera.size) - 1)).all(axis=1)]
    return seen[np.random.default_rng(0).choice(len(seen), count)]


def random_start(case: Case, volume: Volume, rng: np.random.Generator, deg: float, mm: float) -> np.ndarray:
    """(4, 4) motion of the anatomy about its centre, uniform in +-deg and +-mm per axis."""
    limits = np.repeat([np.radians(deg), mm], 3)
    return about(volume.grid.centre_patient, rng.uniform(-limits, limits))


def remembered(
    volume: Volume, camera: Camera, detector: Detector, mask: np.ndarray, simulate=simulate_xray
) -> np.ndarray:
    """The X-ray from the cache, or made now."""
    what = [volume.name, float(volume.hu.sum(dtype=np.float64)), camera.K.tolist(), camera.size,
            camera.camera_from_patient.round(9).tolist(), repr(detector), int(mask.sum())]  # fmt: skip
    if simulate is not simulate_xray:
        what.append(simulate.__name__)
    key = hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]
    path = cache_folder() / "benchmark-xrays" / f"{volume.name}-{key}.npy"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, simulate(volume, camera, detector, mask))
    return np.load(path)
