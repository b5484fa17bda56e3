"""A CT made ready for training: rendered fast at the network's resolution, and where its matter lies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch

from ..errors import InputError
from ..geometry import Camera, apply
from ..images import Grid, Volume
from ..render import Density, materials_of
from .variation import varied

_POINTS = 400
_TRIES = 50  # views drawn for one that sees the anatomy; beyond, the best of them serves


@dataclass(frozen=True)
class Anatomy:
    """What X-rays see of one CT.

    Attributes:
        name: for people.
        materials: attenuation at 70 keV of soft tissue ("water") and of bone and metal ("bone"), averaged to
            what the network can resolve.
        centre: (3,) the middle of what attenuates more than soft tissue, patient, mm; poses refer to it.
        points: (n, 3) drawn in proportion to that, patient, mm: a view misses the anatomy if it misses them.
        structures: see `structures_of`; for the Dice loss only.
    """

    name: str
    materials: dict[str, Density]
    centre: np.ndarray
    points: np.ndarray
    structures: dict[str, Density] = field(default_factory=dict)

    @classmethod
    def of(cls, volume: Volume, voxel_mm: float, device: str | torch.device = "cpu") -> "Anatomy":
        """Of a CT, at voxels of about ``voxel_mm``.

        Raises:
            InputError: if there is nothing in it.
        """
        parts = {name: d.to_spacing(voxel_mm) for name, d in materials_of(volume, device=device).items()}
        grid = parts["water"].grid
        materials = {"water": parts.pop("water")}
        if parts:  # metal counts as bone: one DRR less for each image
            materials["bone"] = Density(sum(density.values for density in parts.values()), grid)
        dense = dense_of(materials).values
        weights = dense.flatten().double().cpu().numpy()
        if not weights.sum() > 0:
            raise InputError("the volume holds nothing that attenuates X-rays", where=volume.name)
        drawn = np.random.default_rng(0).choice(len(weights), _POINTS, p=weights / weights.sum())
        k, j, i = np.unravel_index(drawn, dense.shape)
        points = apply(grid.patient_from_index, np.stack([i, j, k], axis=1).astype(float))
        return cls(volume.name, materials, points.mean(axis=0), points)

    def of_another_shape(self, rng: np.random.Generator) -> "Anatomy":
        """Stretched and sheared a little about the centre, see `variation`; nothing is resampled."""
        grid = self.materials["water"].grid
        stretch = varied(grid, rng, self.centre).patient_from_index @ grid.index_from_patient

        def stretched(density: Density) -> Density:
            affine = density.grid.patient_from_index
            return Density(density.values, Grid(density.grid.size, stretch @ affine))

        materials, structures = (
            {name: stretched(density) for name, density in parts.items()}
            for parts in (self.materials, self.structures)
        )
        return replace(self, materials=materials, structures=structures, points=apply(stretch, self.points))

    @cached_property
    def coarse(self) -> Density:
        """All materials in one, of twice the voxel size: for DRRs of few pixels."""
        grid = self.materials["water"].grid
        whole = Density(sum(density.values for density in self.materials.values()), grid)
        return whole.to_spacing(2 * float(grid.spacing_mm.max()))

    def sighted(self, draw: Callable[[], Camera], enough: float) -> tuple[Camera, float]:
        """The first of the cameras drawn that sees ``enough`` of the anatomy, and how much it sees."""
        best, most = None, -1.0
        for _ in range(_TRIES):
            camera = draw()
            if (part := self.seen(camera)) > most:
                best, most = camera, part
            if most >= enough:
                break
        return best, most

    def seen(self, camera: Camera) -> float:
        """The part of the anatomy that lies in the field of a camera."""
        columns, rows = camera.size
        u, v = np.nan_to_num(camera.project(self.points), nan=-1e9).T
        return float(((u >= -0.5) & (u <= columns - 0.5) & (v >= -0.5) & (v <= rows - 0.5)).mean())


def dense_of(materials: Mapping[str, Density]) -> Density:
    """What counts as anatomy: bone; soft tissue, if there is none."""
    return materials.get("bone", materials["water"])
