"""Simulated X-rays for tests and demonstrations: what a detector would have measured.

To avoid the inverse crime the projector here (Joseph) is not one that registration uses, and the
image carries what real ones carry: beam hardening, scatter, blur, noise, a tone curve.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry import Camera
from ..images import WATER_PER_MM, Volume
from .rays import Rays, ends_in_camera, rays_in_index
from .reference import interpolated

# Attenuation of water and cortical bone relative to 70 keV (NIST XCOM, ICRU-44 bone) and the photons
# of a filtered 90 kVp beam, in bins at 40, 50, 60, 80 and 100 keV.
_WATER = np.array([1.39, 1.18, 1.07, 0.95, 0.885])
_BONE = np.array([2.55, 1.63, 1.21, 0.857, 0.713])
_PHOTONS = np.array([0.16, 0.29, 0.28, 0.22, 0.05])

# Between these HU a voxel turns from all soft tissue to all bone.
_SOFT_HU, _BONE_HU = 150.0, 800.0


@dataclass(frozen=True)
class Detector:
    """How the beam becomes an image.

    Attributes:
        photons: per pixel in the open beam; the noise follows from it.
        scatter_to_primary: mean ratio behind the patient.
        scatter_blur_mm, detector_blur_mm: standard deviations on the detector.
        gamma: exponent of the tone curve; 1 is linear.
        bits: of the stored integers.
        seed: of the noise.
    """

    photons: float = 30_000.0
    scatter_to_primary: float = 0.35
    scatter_blur_mm: float = 30.0
    detector_blur_mm: float = 0.4
    gamma: float = 0.75
    bits: int = 14
    seed: int = 0


def simulate_xray(volume: Volume, camera: Camera, detector: Detector, mask: np.ndarray) -> np.ndarray:
    """Stored pixel values [row, column] uint16, brighter = more intensity; outside ``mask`` the
    collimator lets only scatter through."""
    paths = material_paths(volume, camera)
    primary = sum(
        photons * np.exp(-(water * paths[0] + bone * paths[1]))
        for photons, water, bone in zip(_PHOTONS, _WATER, _BONE, strict=True)
    )
    primary = primary * mask
    spacing = camera.pixel_spacing_mm
    scatter = detector.scatter_to_primary * _blurred(primary, detector.scatter_blur_mm, spacing)
    intensity = _blurred(primary, detector.detector_blur_mm, spacing) + scatter
    counts = np.random.default_rng(detector.seed).poisson(intensity * detector.photons) / detector.photons
    top = 2**detector.bits - 1
    stored = (counts / (1 + detector.scatter_to_primary)) ** detector.gamma * top
    return np.clip(np.round(stored), 0, top).astype(np.uint16)


def material_paths(volume: Volume, camera: Camera) -> np.ndarray:
    """Line integrals at 70 keV of soft tissue and of bone, [2, row, column]."""
    hu = torch.from_numpy(volume.hu)
    attenuation = (hu + 1000).clamp(min=0) * (WATER_PER_MM / 1000)
    bone_fraction = ((hu - _SOFT_HU) / (_BONE_HU - _SOFT_HU)).clamp(0, 1)
    materials = torch.stack([attenuation * (1 - bone_fraction), attenuation * bone_fraction])
    ends = torch.as_tensor(ends_in_camera(camera, volume.grid), dtype=torch.float32)
    pose = torch.as_tensor(camera.camera_from_patient, dtype=torch.float32)
    index_from_patient = torch.as_tensor(volume.grid.index_from_patient, dtype=torch.float32)
    rays = rays_in_index(ends, pose, index_from_patient)
    return joseph(materials, rays).reshape(2, *camera.size[::-1]).numpy().astype(float)


def joseph(values: torch.Tensor, rays: Rays) -> torch.Tensor:
    """Line integrals (C, R) of channels [C, k, j, i]: bilinear in the slices of one axis.

    P. M. Joseph, "An improved algorithm for reprojecting rays through pixel images", IEEE TMI 1
    (1982). The slices are those of the axis along which the rays advance most on average.
    """
    directions = rays.ends - rays.sources
    axis = int(directions.abs().mean(dim=0).argmax())
    across = [a for a in (2, 1, 0) if a != axis]  # rows, columns of a slice
    slices = values.movedim(3 - axis, 1)
    n = torch.tensor([values.shape[3 - a] for a in across[::-1]], dtype=values.dtype)
    per_slice_mm = rays.lengths_mm / directions[:, axis].abs()
    total = values.new_zeros(values.shape[0], len(per_slice_mm))
    for index in range(slices.shape[1]):
        fraction = (index - rays.sources[:, axis]) / directions[:, axis]
        points = rays.sources + fraction[:, None] * directions
        unit = (2 * points[:, across[::-1]] + 1) / n - 1
        total += interpolated(slices[:, index], unit[:, None], padding_mode="zeros")[..., 0]
    return total * per_slice_mm


def _blurred(image: np.ndarray, sigma_mm: float, spacing_mm: tuple[float, float]) -> np.ndarray:
    """Gaussian blur of [row, column], edges continued."""
    result = torch.as_tensor(image, dtype=torch.float64)[None, None]
    for spacing, shape in ((spacing_mm[1], (-1, 1)), (spacing_mm[0], (1, -1))):
        sigma = sigma_mm / spacing
        radius = max(1, int(np.ceil(3 * sigma)))
        kernel = torch.exp(-0.5 * (torch.arange(-radius, radius + 1, dtype=torch.float64) / sigma) ** 2)
        kernel = (kernel / kernel.sum()).reshape(1, 1, *shape)
        pad = (0, 0, radius, radius) if shape[0] == -1 else (radius, radius, 0, 0)
        result = torch.nn.functional.conv2d(torch.nn.functional.pad(result, pad, mode="replicate"), kernel)
    return result[0, 0].numpy()
