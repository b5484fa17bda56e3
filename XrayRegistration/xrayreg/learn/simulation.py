"""Training images on the fly: random poses in the ranges, DRRs of the CT, random looks."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from ..geometry import Camera
from ..render import render
from .anatomy import Anatomy
from .codes import Fields, encode, fields_of
from .looks import Looks, degraded
from .network_input import standardised
from .ranges import PoseRanges

CHUNK = 32
"""Views drawn together: processes share a batch by whole chunks, so that it is the same for any number."""

_SHAPE = 2**32 - 1  # in place of a chunk's number, for what all chunks of a batch share


@dataclass(frozen=True)
class Batch:
    """Simulated X-rays with what a network should say of them.

    Attributes:
        images: (B, 1, N, N), see `standardised`.
        codes: (B, 9) float32.
        poses: (B, 4, 4) float64 camera_from_patient.
        fields: of the cameras.
        cameras: N x N each, at the poses.
        anatomy: the CT.
    """

    images: torch.Tensor
    codes: torch.Tensor
    poses: torch.Tensor
    fields: Fields
    cameras: tuple[Camera, ...]
    anatomy: Anatomy


@dataclass(frozen=True)
class Simulation:
    """Where training images come from.

    Attributes:
        anatomies: one patient's CT, or several brought into one frame, which then share the centre.
        camera: a typical view; its field of view and proportions are kept, its pose says nothing.
        ranges: of the poses.
        pixels: N.
        shapes: whether each batch shows the anatomy in another shape, for networks of several patients.
        looks: how the images are degraded.
        clear_batches: over so many first batches the looks come in; the pose is learned sooner from clear
            images.
        zoom: the field is narrower or wider by a factor in this range, so that other detectors and crops
            are known.
        least_seen: a view counts if it sees this part of what is seen of the anatomy from the middle of the
            ranges.
        seed: of everything that is drawn.
    """

    anatomies: tuple[Anatomy, ...]
    camera: Camera
    ranges: PoseRanges
    pixels: int
    shapes: bool = False
    looks: Looks = field(default_factory=Looks)
    clear_batches: int = 300
    zoom: tuple[float, float] = (0.85, 1.15)
    least_seen: float = 0.5
    seed: int = 0

    @property
    def centre(self) -> torch.Tensor:
        """(3,) float64; poses refer to it."""
        return torch.as_tensor(self.anatomies[0].centre)

    def batch(self, number: int, chunks: Sequence[int]) -> Batch:
        """The named chunks of a batch, `CHUNK` views each; a chunk is the same whoever asks for it."""
        anatomy = self.anatomies[number % len(self.anatomies)]
        if self.shapes:
            anatomy = anatomy.of_another_shape(np.random.default_rng([self.seed, number, _SHAPE]))
        clear = number < self.clear_batches
        looks = self.looks.rarer(number / self.clear_batches) if clear else self.looks
        enough = self._enough(anatomy)
        cameras, images = [], []
        for chunk in chunks:
            rng = np.random.default_rng([self.seed, number, chunk])
            draw = partial(self._drawn, anatomy, rng)
            views = [anatomy.sighted(draw, enough)[0] for _ in range(CHUNK)]
            paths = {name: render(density, views) for name, density in anatomy.materials.items()}
            generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
            xrays = degraded(paths, generator, looks)
            images.append(standardised(xrays.images, xrays.masks, self.pixels))
            cameras += views
        poses = torch.as_tensor(np.stack([camera.camera_from_patient for camera in cameras]))
        fields = fields_of(cameras)
        codes = encode(poses, self.centre, torch.as_tensor(self.ranges.middle), fields)
        images = torch.cat(images)
        return Batch(images, codes.to(images), poses, fields, tuple(cameras), anatomy)

    def _drawn(self, anatomy: Anatomy, rng: np.random.Generator) -> Camera:
        """A random N x N camera."""
        camera = squared(self.camera, self.pixels, rng.uniform(*self.zoom))
        return camera.moved(self.ranges.sample(rng, 1, anatomy.centre)[0])

    def _enough(self, anatomy: Anatomy) -> float:
        """The part of the anatomy that a view has to see."""
        pose = self.ranges.middle_pose(anatomy.centre)
        return self.least_seen * anatomy.seen(squared(self.camera, self.pixels).moved(pose))


def squared(camera: Camera, pixels: int, zoom: float = 1.0) -> Camera:
    """The camera of the square field (see `codes`) around the same rays, ``pixels`` wide, at the same pose.

    Args:
        zoom: above 1 the field is narrower.
    """
    field = fields_of([camera])
    focal = pixels * zoom / (2 * float(field.half[0]))
    u, v = (pixels - 1) / 2 - focal * field.middle[0].numpy()
    K = np.array([[focal, 0, u], [0, focal, v], [0, 0, 1.0]])
    return Camera((pixels, pixels), K, camera.camera_from_patient, camera.source_to_detector_mm)
