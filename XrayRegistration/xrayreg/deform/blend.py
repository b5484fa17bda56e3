"""A field as it is used: exact, and sampled for volumes and for other programs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..images import Grid, LabelMap, grid_of
from .field import PolyrigidField
from .folds import fold_count, unfolded
from .shapes import shapes_of
from .warp import field_grid


@dataclass(frozen=True)
class Blend:
    """The motion of everything, blended from those of bodies.

    Attributes:
        motions: (4, 4) patient_from_rest of the bodies, by their labels.
        displacements: [k, j, i, 3] ``rest_from_patient(x) - x`` on ``grid``, patient, mm.
        smoothed: at how many of its points, where it would fold as bodies meet.
        folds: at how many it does so in spite of that.
        left_out: names of bodies that go with what is around them.
    """

    field: PolyrigidField
    motions: Mapping[tuple[int, ...], np.ndarray]
    displacements: np.ndarray
    grid: Grid
    smoothed: int = 0
    folds: int = 0
    left_out: tuple[str, ...] = ()

    @property
    def notices(self) -> tuple[str, ...]:
        """What is odd about it, in words."""
        said = []
        if self.left_out:
            said.append(f"not found, so moved with what is around them: {', '.join(self.left_out)}")
        if self.smoothed:
            points = self.displacements.size // 3
            said.append(f"bodies meet: the blended field is smoothed at {self.smoothed} of {points} points")
        if self.folds:
            said.append(f"bodies meet: the blended field folds at {self.folds} points, do not use it there")
        return tuple(said)


def blended(
    segmentation: LabelMap,
    bodies: Mapping[str, tuple[int, ...]],
    motions: Sequence[np.ndarray],
    around: Grid,
    progress: Callable[[float], None] = lambda part: None,
) -> Blend:
    """The field of bodies of a segmentation, sampled in a volume's box.

    Args:
        bodies: labels by the body's name.
        motions: (4, 4) patient_from_rest of each.
        around: the volume's grid.
        progress: called with the part that is done, 0 to 1; an exception it raises ends the work.

    Raises:
        InputError: for a body without voxels.
    """
    field = PolyrigidField(shapes_of(segmentation, bodies), np.stack(motions))
    grid = field_grid(around)
    by_labels = dict(zip(bodies.values(), motions, strict=True))
    displacements, smoothed = unfolded(_sampled(field, grid, progress), grid)
    return Blend(field, by_labels, displacements, grid, smoothed, fold_count(displacements, grid))


def _sampled(field: PolyrigidField, grid: Grid, progress: Callable[[float], None]) -> np.ndarray:
    """Its displacements, slice by slice."""
    columns, rows, slices = grid.size
    done = []
    for k in range(slices):
        progress(k / slices)
        done.append(field.displacements(grid_of((slice(k, k + 1), slice(0, rows), slice(0, columns)), grid)))
    return np.concatenate(done)
