"""The parts of a volume that move each by itself: bones, each with what is denser there than soft tissue."""

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import SimpleITK
import torch

from ..errors import InputError
from ..geometry import Camera, apply, inverse
from ..images import (
    Box,
    Grid,
    LabelMap,
    Volume,
    box_around,
    grid_of,
    resample_labels,
)
from ..render import Density, render
from .tissue import Tissue, in_cells

TISSUE_HU = 40.0
"""Of soft tissue, which closes the gap where a bone has gone, and gives way where it comes."""

_RIM_MM = 2.0  # around a label: partial volume, and bone that the segmentation missed
_REST_MM = 2.0  # soft tissue casts no sharp shadows
_TOGETHER_MM = 3.0
_POINTS = 300
_LEAST_VOXELS = 8


@dataclass(frozen=True)
class Body:
    """A part that moves rigidly.

    Attributes:
        name: for people.
        labels: of the segmentation.
        pieces: its attenuation beyond that of soft tissue, at rest: where it lay in the preoperative scan.
        whole: the same in one volume, averaged; to look for it.
        points: (n, 3) spread over it, at rest, patient, mm.
    """

    name: str
    labels: tuple[int, ...]
    pieces: tuple[Density, ...]
    whole: Density
    points: np.ndarray

    @cached_property
    def centre(self) -> np.ndarray:
        """(3,) patient, mm, at rest."""
        return self.points.mean(axis=0)

    @cached_property
    def radius_mm(self) -> float:
        """A typical lever arm: a turn by omega about the centre moves the body by radius * omega."""
        return float(np.sqrt(((self.points - self.centre) ** 2).sum(axis=1).mean()))

    @cached_property
    def corners(self) -> np.ndarray:
        """(m, 3) of its pieces' boxes, at rest, patient, mm."""
        return np.concatenate([piece.grid.corners_patient for piece in self.pieces])


@dataclass(frozen=True)
class Parts:
    """A volume taken apart; the bodies at rest and the remainder add up to the whole.

    Attributes:
        rest: what is no body, averaged; None if there is nothing else.
        tissue: the same at rest, in cells that may be shifted each; None holds it still.
    """

    bodies: tuple[Body, ...]
    rest: Density | None
    tissue: Tissue | None = None

    def with_tissue(self, shifts: np.ndarray) -> "Parts":
        """With the remainder's cells shifted by (T, 3), patient, mm."""
        return replace(self, rest=self.tissue.moved(shifts)) if np.any(shifts) else self

    def still(self, camera: Camera) -> torch.Tensor:
        """[row, column] the DRR of the remainder alone."""
        if self.rest is None:
            like = self.bodies[0].pieces[0].values
            return like.new_zeros(camera.size[::-1])
        return render(self.rest.matched(camera), camera)


def body_labels(segmentation: LabelMap, text: str | None = None) -> dict[str, tuple[int, ...]]:
    """Which labels make up which body, by its name.

    Args:
        text: what bodies there are, separated by commas. A label's number or name, or a pattern of names as
            `vertebrae_*`, each match of which is a body; several joined by + are one body, as
            `humerus_left+plate`, which may be given a name, as `ribs 3=rib_left_3+rib_right_3`. All labels
            if None.

    Raises:
        InputError: for a part that is not in the segmentation, or a label that would be in two bodies.
    """
    present = [int(label) for label in np.unique(segmentation.labels) if label > 0]
    if not text:
        return {segmentation.name_of(label): (label,) for label in present}
    bodies: dict[str, tuple[int, ...]] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, joined = item.rpartition("=")
        found = [_matching(part.strip(), segmentation, present) for part in joined.split("+")]
        if len(found) == 1 and not name:
            new = {segmentation.name_of(label): (label,) for label in found[0]}
        else:
            labels = tuple(label for part in found for label in part)
            new = {name.strip() or "+".join(segmentation.name_of(label) for label in labels): labels}
        taken = {label for labels in bodies.values() for label in labels}
        if twice := sorted({label for labels in new.values() for label in labels} & taken):
            what = f"{segmentation.name_of(twice[0])} would be part of two bodies"
            raise InputError(what, where="bodies", remedy="name each label once")
        bodies |= new
    return bodies


def _matching(part: str, segmentation: LabelMap, present: Sequence[int]) -> list[int]:
    found = [
        label
        for label in present
        if part == str(label) or fnmatch.fnmatchcase(segmentation.name_of(label), part)
    ]
    if not found:
        names = ", ".join(f"{label} {segmentation.name_of(label)}" for label in present[:6])
        raise InputError(
            f"no label is called {part or 'nothing'}",
            where="bodies",
            remedy=f"the segmentation holds {names}{', ...' if len(present) > 6 else ''}",
        )
    return found


def taken_apart(
    volume: Volume,
    segmentation: LabelMap,
    bodies: Mapping[str, Sequence[int]],
    tissue_hu: float = TISSUE_HU,
    air_hu: float = -1000.0,
) -> Parts:
    """The bodies of a CT, and all else.

    A body is what its labels, and a rim of 2 mm around them, hold beyond soft tissue; that much the remainder
    lacks there. So a body that moves neither leaves a hole nor meets the tissue that was there before it.

    Args:
        bodies: labels by the body's name.
        tissue_hu: of soft tissue. Of a volume masked to bones the value that counts as nothing.
        air_hu: the value that counts as nothing.

    Raises:
        InputError: for a body that holds nothing denser than soft tissue.
    """
    if segmentation.grid.size != volume.grid.size or not np.allclose(
        segmentation.grid.patient_from_index, volume.grid.patient_from_index, atol=1e-3
    ):
        segmentation = resample_labels(segmentation, volume.grid)
    number_of = np.zeros(int(segmentation.labels.max()) + 1, np.min_scalar_type(len(bodies)))
    for number, labels in enumerate(bodies.values(), start=1):
        number_of[[label for label in labels if label < len(number_of)]] = number
    numbers = number_of[segmentation.labels]
    rest = volume.hu.copy()
    made = []
    for number, (name, labels) in enumerate(bodies.items(), start=1):
        cuts = [_cut(segmentation.labels == label, volume.grid) for label in labels]
        cuts = [cut for cut in cuts if cut is not None]
        pieces = []
        for box, grid, inside in cuts:
            rim = _widened(inside, volume.grid) & ((numbers[box] == 0) | (numbers[box] == number))
            beyond = np.where(rim, np.maximum(rest[box] - tissue_hu, 0), 0)
            rest[box] -= beyond
            pieces.append(Density.from_volume(replace(volume, hu=beyond, grid=grid), above_hu=0.0))
        if not any(float(piece.values.max()) > 0 for piece in pieces):
            raise InputError(
                f"nothing in the volume is denser than {tissue_hu:g} HU there",
                where=f"body {name}",
                remedy="leave this body out, or check that the segmentation belongs to the volume",
            )
        whole = _joined(pieces, [box for box, _, _ in cuts], volume.grid).to_spacing(_REST_MM)
        points = np.concatenate([_points_in(inside, grid) for _, grid, inside in cuts])
        made.append(Body(name, tuple(labels), tuple(pieces), whole, points))
    del numbers
    remainder = _averaged(replace(volume, hu=rest), air_hu)
    if not remainder.values.any():
        return Parts(tuple(made), None)
    return Parts(tuple(made), remainder, in_cells(remainder))


def body_of(name: str, density: Density) -> Body:
    """A body that has a volume to itself."""
    dense = (density.values > 0.5 * float(density.values.max())).cpu().numpy()
    return Body(name, (), (density,), density, _points_in(dense, density.grid))


def together(bodies: Sequence[Body], motions: Sequence[np.ndarray]) -> Density:
    """Several bodies in one volume, where they are as the first one sees it from its rest; to look for them.

    Args:
        motions: (4, 4) of each.
    """
    back = inverse(motions[0])
    first_from_rest = [back @ motion for motion in motions]
    corners = [
        apply(m, body.whole.grid.corners_patient) for m, body in zip(first_from_rest, bodies, strict=True)
    ]
    low, high = np.concatenate(corners).min(axis=0), np.concatenate(corners).max(axis=0)
    affine = np.diag([_TOGETHER_MM] * 3 + [1.0])
    affine[:3, 3] = low
    grid = Grid(tuple(int(n) for n in np.ceil((high - low) / _TOGETHER_MM)), affine)
    k, j, i = np.indices(grid.array_shape)
    points = apply(affine, np.stack([i, j, k], axis=-1).astype(float))
    values = bodies[0].whole.values.new_zeros(grid.array_shape)
    for moved, body in zip(first_from_rest, bodies, strict=True):
        whole = body.whole
        index = apply(whole.grid.index_from_patient @ inverse(moved), points)
        at = 2 * index / (np.array(whole.grid.size) - 1) - 1  # as grid_sample wants it
        sampled = torch.nn.functional.grid_sample(
            whole.values[None, None], torch.as_tensor(at[None]).to(whole.values), align_corners=True
        )
        values += sampled[0, 0]
    return Density(values, grid)


def _averaged(volume: Volume, air_hu: float) -> Density:
    """Its attenuation in larger voxels; by slabs, as all at once would take several times the space."""
    slices, *sides = volume.grid.array_shape
    depth = 8 * max(1, round(_REST_MM / float(volume.grid.spacing_mm[2])))
    slabs = []
    for first in range(0, slices, depth):
        box = (slice(first, min(first + depth, slices)), *(slice(0, side) for side in sides))
        slab = replace(volume, hu=volume.hu[box], grid=grid_of(box, volume.grid))
        slabs.append(Density.from_volume(slab, air_hu).to_spacing(_REST_MM))
    values = torch.cat([slab.values for slab in slabs])
    return Density(values, Grid(tuple(values.shape[::-1]), slabs[0].grid.patient_from_index))


def _cut(mask: np.ndarray, grid: Grid) -> tuple[Box, Grid, np.ndarray] | None:
    """The box of a mask with room for its rim, the box's grid, and the mask in it."""
    if np.count_nonzero(mask) < _LEAST_VOXELS:
        return None
    box = box_around(mask, [int(np.ceil(_RIM_MM / spacing)) + 1 for spacing in grid.spacing_mm])
    return box, grid_of(box, grid), mask[box]


def _joined(pieces: Sequence[Density], boxes: Sequence[Box], grid: Grid) -> Density:
    """Pieces in one volume."""
    sides = list(zip(*boxes, strict=True))
    around = tuple(slice(min(s.start for s in side), max(s.stop for s in side)) for side in sides)
    whole = torch.zeros(tuple(each.stop - each.start for each in around))
    for piece, box in zip(pieces, boxes, strict=True):
        inside = tuple(slice(b.start - a.start, b.stop - a.start) for a, b in zip(around, box, strict=True))
        whole[inside] += piece.values
    return Density(whole, grid_of(around, grid))


def _widened(mask: np.ndarray, grid: Grid) -> np.ndarray:
    radius = [round(_RIM_MM / float(spacing)) for spacing in grid.spacing_mm]
    image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    return SimpleITK.GetArrayFromImage(SimpleITK.BinaryDilate(image, radius)) > 0


def _points_in(mask: np.ndarray, grid: Grid) -> np.ndarray:
    """(n, 3) patient, mm, evenly drawn from a mask [k, j, i]."""
    k, j, i = np.nonzero(mask)
    chosen = np.random.default_rng(0).choice(len(k), min(_POINTS, len(k)), replace=False)
    return apply(grid.patient_from_index, np.stack([i, j, k], axis=-1)[chosen].astype(float))
