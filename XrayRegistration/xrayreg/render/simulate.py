"""Simulated X-rays for tests and demonstrations: what a detector would have measured.

To avoid the inverse crime the projector here (trilinear, on the full volume) is not the one that
registration uses (Joseph, on a volume averaged to the pixels), and the image carries what real ones
carry: beam hardening, scatter, blur, noise, a tone curve.
"""

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry import Camera
from ..images import Volume
from .spectrum import materials_of, render_polyenergetic


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
        subsamples: rays squared whose mean intensity is a pixel's.
    """

    photons: float = 30_000.0
    scatter_to_primary: float = 0.35
    scatter_blur_mm: float = 30.0
    detector_blur_mm: float = 0.4
    gamma: float = 0.75
    bits: int = 14
    seed: int = 0
    subsamples: int = 1


def simulate_xray(volume: Volume, camera: Camera, detector: Detector, mask: np.ndarray) -> np.ndarray:
    """Stored pixel values [row, column] uint16, brighter = more intensity; outside ``mask`` the
    collimator lets only scatter through."""
    integrals = render_polyenergetic(
        materials_of(volume),
        camera,
        subsamples=detector.subsamples,
        projector="trilinear",
        step_mm=float(volume.grid.spacing_mm.mean()),
    )
    return detected(integrals.double().numpy(), camera.pixel_spacing_mm, detector, mask)


def detected(
    integrals: np.ndarray, spacing: tuple[float, float], detector: Detector, mask: np.ndarray
) -> np.ndarray:
    """As `simulate_xray`, of effective line integrals [row, column]; (column, row) spacing, mm."""
    primary = np.exp(-integrals) * mask
    scatter = detector.scatter_to_primary * _blurred(primary, detector.scatter_blur_mm, spacing)
    intensity = _blurred(primary, detector.detector_blur_mm, spacing) + scatter
    counts = np.random.default_rng(detector.seed).poisson(intensity * detector.photons) / detector.photons
    top = 2**detector.bits - 1
    stored = (counts / (1 + detector.scatter_to_primary)) ** detector.gamma * top
    return np.clip(np.round(stored), 0, top).astype(np.uint16)


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
