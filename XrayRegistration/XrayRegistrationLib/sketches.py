"""DRRs drawn at once while a view is moved.

The door to torch, as `work`: imported in a job, not with the module.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from xrayreg.geometry import Camera
from xrayreg.images import Volume
from xrayreg.render import Density, render

from .work import density_of


class Sketches:
    """A volume averaged to the pixels of some views, small and sharper; the whole of it is not kept.

    Args:
        modality: as in `density_of`.
        cameras: of the views, at about their depth.
        sizes: the pixels of the longer side of the DRRs that will be drawn.
    """

    def __init__(self, volume: Volume, modality: str, cameras: Sequence[Camera], sizes: Sequence[int]):
        density = density_of(volume, modality)
        self._densities: dict[tuple, Density] = {}
        for camera in cameras:
            for pixels in sizes:
                self._densities[_kind(camera, pixels)] = density.matched(_small(camera, pixels))
                self.draw(camera, pixels)  # the projector is compiled, the volume packed

    def draw(self, camera: Camera, pixels: int) -> tuple[np.ndarray, Camera]:
        """The DRR [row, column] of one of the views at its pose now, and the camera of its pixels."""
        small = _small(camera, pixels)
        return render(self._densities[_kind(camera, pixels)], small).cpu().numpy(), small


def _kind(camera: Camera, pixels: int) -> tuple:
    """What of a view tells how finely its volume is averaged; but for its depth, which changes little."""
    return (*camera.size, camera.K[0, 0], camera.K[1, 1], pixels)


def _small(camera: Camera, pixels: int) -> Camera:
    return camera.binned(camera.binning_to(pixels))
