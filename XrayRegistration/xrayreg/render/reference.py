"""The reference projectors: written to be read; every other engine is tested against them.

All integrate linear attenuation along rays, are differentiable (autograd) in the pose and in the
volume, and keep the precision of their input tensors.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from .rays import Rays, box_fractions

HARD_SAMPLES = 4
"""Samples per slice where a sample is its nearest voxel."""


def trilinear_ray_sum(values: torch.Tensor, rays: Rays, step_mm: float) -> torch.Tensor:
    """Line integrals (R,) by the midpoint rule on the trilinear interpolant.

    Each ray is cut into equal steps of at most ``step_mm`` between its entry and exit of the voxel
    box; outside the outer voxel centres the interpolant continues with the value at the border.

    Args:
        values: [k, j, i], 1/mm.
        rays: in the volume's index coordinates.
        step_mm: largest step.
    """
    size = values.shape[::-1]
    enter, leave = box_fractions(rays, size)
    chords_mm = (leave - enter) * rays.lengths_mm
    longest = float(chords_mm.detach().max()) if len(chords_mm) else 0.0
    count = max(1, int(-(-longest // step_mm)))
    middles = (torch.arange(count, dtype=values.dtype, device=values.device) + 0.5) / count
    # grid_sample with align_corners=False counts -1..1 from box face to box face.
    n = torch.tensor(size, dtype=values.dtype, device=values.device)
    directions = rays.ends - rays.sources
    first = (2 * (rays.sources + enter[:, None] * directions) + 1) / n - 1
    across = 2 * (leave - enter)[:, None] * directions / n
    unit = first[:, None] + middles[:, None] * across[:, None]
    return _interpolated(values, unit).mean(dim=1) * chords_mm


def _interpolated(values: torch.Tensor, unit: torch.Tensor) -> torch.Tensor:
    """Linear interpolation (R, S) of values [k, j, i] at points (R, S, 3).

    Points count -1..1 from face to face of the voxel box, as grid_sample has it.

    On a CPU grid_sample spreads only its batch over the threads, so the rays are cut into one batch per
    thread that share the volume. Not where the volume is differentiated: each batch would have its own.
    """
    count, steps, _ = unit.shape
    on_cpu = unit.device.type == "cpu" and not values.requires_grad
    batches = min(torch.get_num_threads(), count) if on_cpu else 1
    padded = torch.nn.functional.pad(unit, (0, 0, 0, 0, 0, -count % batches))
    samples = torch.nn.functional.grid_sample(
        values.expand(batches, 1, *values.shape),
        padded.reshape(batches, 1, -1, steps, 3),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    return samples.reshape(-1, steps)[:count]


def siddon(values: torch.Tensor, rays: Rays) -> torch.Tensor:
    """Exact line integrals (R,) through voxels of constant attenuation.

    R. L. Siddon, "Fast calculation of the exact radiological path for a three-dimensional CT array",
    Med. Phys. 12 (1985): the crossings with all voxel planes are sorted along the ray; between two
    neighbours lies one voxel, known from the middle of the segment.
    """
    size = values.shape[::-1]
    directions = rays.ends - rays.sources
    enter, leave = box_fractions(rays, size)
    tiny = torch.finfo(values.dtype).tiny
    crossings = [enter[:, None], leave[:, None]]
    for axis, count in enumerate(size):
        planes = torch.arange(count + 1, dtype=values.dtype, device=values.device) - 0.5
        d = directions[:, axis : axis + 1]
        safe = torch.where(d.abs() < tiny, torch.full_like(d, tiny), d)
        fractions = (planes - rays.sources[:, axis : axis + 1]) / safe
        crossings.append(torch.minimum(torch.maximum(fractions, enter[:, None]), leave[:, None]))
    ordered = torch.cat(crossings, dim=1).sort(dim=1).values
    segments = ordered.diff(dim=1)
    middles = (ordered[:, :-1] + ordered[:, 1:]).detach() / 2
    flat = torch.zeros_like(middles, dtype=torch.long)
    for axis in (2, 1, 0):
        index = (rays.sources[:, axis : axis + 1] + middles * directions[:, axis : axis + 1]).detach()
        flat = flat * size[axis] + (index + 0.5).floor().long().clamp(0, size[axis] - 1)
    return (segments * values.reshape(-1)[flat]).sum(dim=1) * rays.lengths_mm


def joseph(values: torch.Tensor, rays: Rays) -> torch.Tensor:
    """Line integrals (R,): bilinear in the slices of each ray's dominant axis, air around the volume.

    P. M. Joseph, "An improved algorithm for reprojecting rays through pixel images", IEEE TMI 1 (1982).
    """
    total = rays.lengths_mm.new_zeros(len(rays.lengths_mm))
    for samples in joseph_samples(rays, values.shape):
        mm_in_slice = samples.values(values) * samples.weights_mm
        total = total.index_add(0, samples.rays, mm_in_slice.sum(dim=0))
    return total


def joseph_labels(
    values: torch.Tensor, channels: torch.Tensor, count: int, rays: Rays, soft: bool
) -> torch.Tensor:
    """Line integrals (count, R) by structure.

    Args:
        values: [k, j, i], 1/mm.
        channels: [k, j, i] channel of each voxel; those outside 0..count-1 are left out.
        count: of channels.
        rays: in the volume's index coordinates.
        soft: each of the four voxels of a sample gives its part to its own channel: the DRR of the
            volume masked to a structure. Otherwise the structures have the sharp faces of their voxels:
            a ray is sampled `HARD_SAMPLES` times per slice, and a sample is its nearest voxel.
    """
    if soft:
        return torch.stack([joseph(values * (channels == channel), rays) for channel in range(count)])
    total = rays.lengths_mm.new_zeros(count, len(rays.lengths_mm))
    for samples in joseph_samples(rays, values.shape, HARD_SAMPLES):
        flat, inside = samples.nearest(values.shape)
        mm_in_slice = values.reshape(-1)[flat] * inside * samples.weights_mm
        nearest = channels.reshape(-1)[flat]
        for channel in range(count):
            total[channel].index_add_(0, samples.rays, (mm_in_slice * (nearest == channel)).sum(dim=0))
    return total


@dataclass(frozen=True)
class JosephSamples:
    """N samples of each of r rays with one dominant axis, at the same depths along that axis.

    Attributes:
        axis: of (i, j, k).
        rays: (r,) their numbers.
        slices: (N,) index coordinate of the samples along the axis.
        points: (N, r, 2) the other two index coordinates in the order (i, j, k).
        weights_mm: (N, r) length of ray that a sample stands for; around the source only what lies
            ahead of it.
    """

    axis: int
    rays: torch.Tensor
    slices: torch.Tensor
    points: torch.Tensor
    weights_mm: torch.Tensor

    def values(self, values: torch.Tensor) -> torch.Tensor:
        """Bilinear interpolation (N, r) of values [k, j, i], for one sample per slice."""
        slices = values.movedim(2 - self.axis, 0)
        n = torch.tensor(slices.shape[:0:-1], dtype=values.dtype, device=values.device)
        # grid_sample with align_corners=False counts -1..1 from pixel edge to pixel edge.
        unit = (2 * self.points + 1) / n - 1
        sampled = torch.nn.functional.grid_sample(
            slices[:, None], unit[:, :, None], mode="bilinear", padding_mode="zeros", align_corners=False
        )
        return sampled[:, 0, :, 0]

    def nearest(self, array_shape: tuple[int, int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Places (N, r) of the nearest voxels in the flat volume, and whether they lie in it."""
        nearest = (self.points + 0.5).floor().long()
        index = (self.slices + 0.5).floor().long()[:, None].expand(nearest.shape[:2])
        columns = [*nearest.unbind(dim=-1)]
        columns.insert(self.axis, index)
        inside = torch.ones_like(index, dtype=torch.bool)
        flat = torch.zeros_like(index)
        for column, extent in zip(columns[::-1], array_shape, strict=True):
            inside = inside & (column >= 0) & (column < extent)
            flat = flat * extent + column.clamp(0, extent - 1)
        return flat, inside


def joseph_samples(
    rays: Rays, array_shape: tuple[int, int, int], per_slice: int = 1
) -> Iterator[JosephSamples]:
    """The samples of rays, those of one dominant axis at a time."""
    directions = rays.ends - rays.sources
    dominant = directions.detach().abs().argmax(dim=1)
    for axis in range(3):
        (chosen,) = torch.nonzero(dominant == axis, as_tuple=True)
        if not len(chosen):
            continue
        source, direction = rays.sources[chosen], directions[chosen]
        along = direction[:, axis]
        count = array_shape[2 - axis] * per_slice
        slices = (torch.arange(count, dtype=source.dtype, device=source.device) + 0.5) / per_slice - 0.5
        ahead = slices[:, None] - source[:, axis]
        points = source + (ahead / along)[..., None] * direction
        part_ahead = (along.sign() * ahead * per_slice + 0.5).clamp(0, 1)
        weights = part_ahead * (rays.lengths_mm[chosen] / along.abs() / per_slice)
        others = [other for other in range(3) if other != axis]
        yield JosephSamples(axis, chosen, slices, points[..., others], weights)
