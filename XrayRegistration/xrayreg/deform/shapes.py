"""Bodies as a field sees them: which voxels are whose, and how far it is to each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK
import torch

from ..errors import InputError
from ..geometry import apply
from ..images import Box, Grid, LabelMap, box_around

_MAP_MM = 3.0  # distances are smooth: they are looked up in maps of about this spacing


@dataclass(frozen=True)
class Shapes:
    """K bodies at rest.

    Attributes:
        names: of the bodies.
        numbers: [k, j, i] on ``grid``: 0, or one more than the body's number.
        distances: (K, k, j, i) float16 tensor on ``map_grid``: mm to each body's surface, negative inside.
    """

    names: tuple[str, ...]
    numbers: torch.Tensor
    grid: Grid
    distances: torch.Tensor
    map_grid: Grid

    def inside(self, points: np.ndarray) -> np.ndarray:
        """(n,) one more than the number of the body that holds each point (n, 3), patient, mm; 0 for none."""
        index = np.rint(apply(self.grid.index_from_patient, points)).astype(np.int64)
        held = ((index >= 0) & (index < self.grid.size)).all(axis=1)
        found = np.zeros(len(points), np.int64)
        i, j, k = index[held].T
        found[held] = self.numbers[k, j, i].numpy()
        return found

    def distance(self, body: int, points: np.ndarray) -> np.ndarray:
        """(n,) mm from points (n, 3), patient, mm, to a body; negative inside."""
        index = apply(self.map_grid.index_from_patient, points)
        last = np.array(self.map_grid.size) - 1
        nearest = np.clip(index, 0, last)
        beyond = np.linalg.norm((index - nearest) * self.map_grid.spacing_mm, axis=1)
        unit = torch.as_tensor(2 * nearest / last - 1, dtype=torch.float32)[None, None, None]
        values = torch.nn.functional.grid_sample(
            self.distances[body].float()[None, None], unit, align_corners=True, padding_mode="border"
        )
        found = values.flatten().double().numpy()
        return found + beyond


def shapes_of(segmentation: LabelMap, bodies: Mapping[str, Sequence[int]]) -> Shapes:
    """The bodies of a segmentation.

    Args:
        bodies: labels by the body's name.

    Raises:
        InputError: for a body without voxels.
    """
    numbers = np.zeros(segmentation.labels.shape, np.uint8)
    for number, labels in enumerate(bodies.values(), start=1):
        numbers[np.isin(segmentation.labels, labels)] = number
    factors = np.maximum(1, np.round(_MAP_MM / segmentation.grid.spacing_mm)).astype(int)
    index_from_map = np.diag([*map(float, factors), 1.0])
    size = tuple(-(-n // int(f)) for n, f in zip(segmentation.grid.size, factors, strict=True))
    if min(size) < 2:
        raise InputError("the segmentation is too thin for distances to its bodies", where="segmentation")
    map_grid = Grid(size, segmentation.grid.patient_from_index @ index_from_map)
    maps = []
    for number, name in enumerate(bodies, start=1):
        mask = numbers == number
        if not mask.any():
            raise InputError("has no voxel in the segmentation", where=f"body {name}")
        maps.append(torch.from_numpy(_distance_map(mask, segmentation.grid, factors)))
    return Shapes(tuple(bodies), torch.from_numpy(numbers), segmentation.grid, torch.stack(maps), map_grid)


def _distance_map(mask: np.ndarray, grid: Grid, factors: np.ndarray) -> np.ndarray:
    """[k, j, i] float16 mm at every ``factors``-th voxel, from the body's own voxels near it."""
    far = _maurer(_any_in_blocks(mask, factors), grid.spacing_mm * factors)
    near, box = _near(mask, grid)
    result = far.astype(np.float16)
    every = [np.arange(0, n, f) for n, f in zip(mask.shape, factors[::-1], strict=True)]
    inside = [np.flatnonzero((e >= b.start) & (e < b.stop)) for e, b in zip(every, box, strict=True)]
    places = np.ix_(*inside)
    taken = np.ix_(*(e[n] - b.start for e, n, b in zip(every, inside, box, strict=True)))
    result[places] = near[taken]
    return result


def _any_in_blocks(mask: np.ndarray, factors: np.ndarray) -> np.ndarray:
    pad = [(0, -n % int(f)) for n, f in zip(mask.shape, factors[::-1], strict=True)]
    padded = np.pad(mask, pad)
    k, j, i = (n // int(f) for n, f in zip(padded.shape, factors[::-1], strict=True))
    fi, fj, fk = (int(f) for f in factors)
    return padded.reshape(k, fk, j, fj, i, fi).any(axis=(1, 3, 5))


def _near(mask: np.ndarray, grid: Grid, room_mm: float = 15.0) -> tuple[np.ndarray, Box]:
    """Distances at full resolution in the box around a mask."""
    box = box_around(mask, [int(np.ceil(room_mm / spacing)) for spacing in grid.spacing_mm])
    return _maurer(mask[box], grid.spacing_mm), box


def _maurer(mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Signed distances, mm, to the surface half-way between voxels (C. Maurer et al., IEEE PAMI 25, 2003)."""
    image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing.tolist())
    found = SimpleITK.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False,
                                              useImageSpacing=True)  # fmt: skip
    return SimpleITK.GetArrayFromImage(found)
