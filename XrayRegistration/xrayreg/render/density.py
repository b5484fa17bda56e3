"""A volume prepared for rendering: linear attenuation as a tensor, with its place in the patient."""

from dataclasses import dataclass

import numpy as np
import torch

from ..errors import InputError
from ..images import Grid, Volume, attenuation_per_mm
from .memory import PREPARED
from .views import AnyCamera


@dataclass(frozen=True)
class Density:
    """Linear attenuation on a voxel grid.

    Attributes:
        values: [k, j, i] tensor, 1/mm; may require a gradient.
        grid: its place in the patient.

    Raises:
        InputError: if a value is NaN or infinite, or their number does not fit the grid.
    """

    values: torch.Tensor
    grid: Grid

    def __post_init__(self):
        if tuple(self.values.shape) != self.grid.array_shape:
            shape = tuple(self.values.shape)
            raise InputError(f"attenuation of shape {shape} does not fit the grid {self.grid.array_shape}")
        if not torch.isfinite(self.values.detach().sum()) and not torch.isfinite(self.values).all():
            raise InputError("the attenuation holds NaN or infinite values")

    @classmethod
    def from_volume(
        cls, volume: Volume, above_hu: float = -1000.0, device: str | torch.device = "cpu"
    ) -> "Density":
        """Attenuation of a CT in float32; `above_hu` as in `attenuation_per_mm`."""
        values = torch.from_numpy(attenuation_per_mm(volume.hu, above_hu))
        return cls(values.to(device), volume.grid)

    def shrunk(self, factors: tuple[int, int, int]) -> "Density":
        """Averaged over blocks of ``factors`` = (i, j, k) voxels; air fills up the blocks at the far ends.

        The total attenuation along an axis is kept, so line integrals of the two agree. Remembered, unless
        the volume is being learned.
        """
        if factors == (1, 1, 1):
            return self
        if self.values.requires_grad:
            return self._shrunk(factors)

        def make() -> tuple[torch.Tensor, int]:
            values = self._shrunk(factors).values
            return values, values.nbytes

        # Only the values: the same tensor may lie on another grid in another density.
        return Density(PREPARED.get(self.values, ("shrunk", factors), make), self._grid_of_blocks(factors))

    def _shrunk(self, factors: tuple[int, int, int]) -> "Density":
        kernel = factors[::-1]
        pad = [amount for f, n in zip(factors, self.grid.size, strict=True) for amount in (0, -n % f)]
        padded = torch.nn.functional.pad(self.values[None], pad)[None]
        values = torch.nn.functional.avg_pool3d(padded, kernel)[0, 0]
        return Density(values, self._grid_of_blocks(factors))

    def _grid_of_blocks(self, factors: tuple[int, int, int]) -> Grid:
        # The centre of the first block lies (f - 1) / 2 voxels from the centre of its first voxel.
        index_from_block = np.diag([*map(float, factors), 1.0])
        index_from_block[:3, 3] = (np.array(factors) - 1) / 2
        size = tuple(-(-n // f) for n, f in zip(self.grid.size, factors, strict=True))
        return Grid(size, self.grid.patient_from_index @ index_from_block)

    def to_spacing(self, spacing_mm: float) -> "Density":
        """Shrunk by whole factors so that no axis is much finer than ``spacing_mm``."""
        factors = np.maximum(1, np.round(spacing_mm / self.grid.spacing_mm)).astype(int)
        return self.shrunk(tuple(int(f) for f in factors))

    def matched(self, camera: AnyCamera) -> "Density":
        """Averaged to the size of a camera's pixels at the volume's own depth.

        Finer voxels cost time, and alias: a pixel sees their mean over its area, one ray does not.
        """
        return self.to_spacing(camera.pixel_size_at(self.grid.centre_patient))
