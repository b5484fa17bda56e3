"""Fresh simulated X-rays at poses drawn from a network's ranges: what the benchmarks of networks share.

As in `cases.py` by another projector and sampling than training and registration use, with beam hardening,
scatter, noise, blur and a tone curve of their own each; every second one has a steel rod in it and a round or
rectangular collimator. Made once and kept in the cache folder.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from cases import PIXELS, SOURCE_TO_DETECTOR_MM, Case, exposure, remembered, targets_in, with_rod, with_tissue
from ray_sum import material_paths
from xrayreg.geometry import Camera, CArm
from xrayreg.images import Volume, Xray, line_integrals_from_transmission
from xrayreg.learn import Anatomy, PoseRanges
from xrayreg.render import C_ARM_BEAM, Density, Detector, detected, polyenergetic

PANEL_MM = 400.0
LEAST_SEEN = 0.5  # of what is seen from the middle of the ranges, as in training
_SEED = 20_000


def panel_camera() -> Camera:
    """A flat panel of 400 mm at 1020 mm; its pose says nothing."""
    carm = CArm(SOURCE_TO_DETECTOR_MM, 700.0, 0.0, 0.0)
    return carm.camera((PIXELS, PIXELS), (PANEL_MM / PIXELS, PANEL_MM / PIXELS))


def fresh_cases(volume: Volume, ranges: PoseRanges, count: int, first: int = 0) -> Iterator[Case]:
    """X-rays number ``first`` and on, each independent of the others."""
    anatomy = Anatomy.of(volume, 4.0)
    volume = _averaged(volume)
    for number in range(first, first + count):
        yield _case(volume, anatomy, ranges, number)


def _case(volume: Volume, anatomy: Anatomy, ranges: PoseRanges, number: int) -> Case:
    rng = np.random.default_rng([_SEED + number, *volume.name.encode()])
    camera = panel_camera()
    enough = LEAST_SEEN * anatomy.seen(camera.moved(ranges.middle_pose(anatomy.centre)))
    pose = ranges.sample(rng, 1, anatomy.centre)[0]
    while anatomy.seen(camera.moved(pose)) < enough:
        pose = ranges.sample(rng, 1, anatomy.centre)[0]
    camera = camera.moved(pose)
    disturbed = number % 2 == 1
    body = with_tissue(volume) if volume.name == "hips" else volume
    detector = Detector(
        seed=number,
        photons=exposure(body, camera),
        scatter_to_primary=rng.uniform(0.1, 0.8),
        detector_blur_mm=rng.uniform(0.2, 0.8),
        gamma=rng.uniform(0.5, 1.2),
    )
    mask = _collimated(rng) if disturbed else np.ones((PIXELS, PIXELS), dtype=bool)
    if disturbed:
        body = with_rod(body, anatomy.centre, rng)
    pixels = remembered(body, camera, detector, mask, _simulated)
    image = line_integrals_from_transmission(pixels.astype(float), mask)
    return Case(
        volume.name,
        str(number),
        disturbed,
        Xray(image, camera, mask, str(number)),
        targets_in(volume, camera),
    )


def _averaged(volume: Volume) -> Volume:
    """Fine voxels averaged in pairs within the slices, still finer than what registration compares."""
    if volume.grid.spacing_mm[:2].max() > 0.6:
        return volume
    coarse = Density(torch.from_numpy(volume.hu), volume.grid).shrunk((2, 2, 1))
    return replace(volume, hu=coarse.values.numpy(), grid=coarse.grid)


def _simulated(volume: Volume, camera: Camera, detector: Detector, mask: np.ndarray) -> np.ndarray:
    integrals = polyenergetic(material_paths(volume, camera), C_ARM_BEAM)
    return detected(integrals.numpy(), camera.pixel_spacing_mm, detector, mask)


def _collimated(rng: np.random.Generator) -> np.ndarray:
    """[row, column] bool: a round field, or one cut at two to four sides."""
    rows, columns = np.indices((PIXELS, PIXELS))
    if rng.random() < 0.5:
        return np.hypot(rows - PIXELS / 2, columns - PIXELS / 2) < rng.uniform(0.42, 0.5) * PIXELS
    left, right, top, bottom = rng.uniform(0, 0.12, 4) * PIXELS
    return (columns >= left) & (columns < PIXELS - right) & (rows >= top) & (rows < PIXELS - bottom)
