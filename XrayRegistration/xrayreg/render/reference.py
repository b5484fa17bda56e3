"""The reference projectors: written to be read; every other engine is tested against them.

Both integrate linear attenuation along rays, are differentiable (autograd) in the pose and in the
volume, and keep the precision of their input tensors.
"""

import torch

from .rays import Rays, box_fractions


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
    return interpolated(values[None], unit)[0].mean(dim=1) * chords_mm


def interpolated(channels: torch.Tensor, unit: torch.Tensor, padding_mode: str = "border") -> torch.Tensor:
    """Linear interpolation (C, R, S) of channels [C, (k,) j, i] at points (R, S, 2 or 3).

    Points count -1..1 from face to face of the voxel box, as grid_sample has it.

    On a CPU grid_sample spreads only its batch over the threads, so the rays are cut into one batch per
    thread that share the volume. Not where the volume is differentiated: each batch would have its own.
    """
    count, steps, dimensions = unit.shape
    on_cpu = unit.device.type == "cpu" and not channels.requires_grad
    batches = min(torch.get_num_threads(), count) if on_cpu else 1
    padded = torch.nn.functional.pad(unit, (0, 0, 0, 0, 0, -count % batches))
    samples = torch.nn.functional.grid_sample(
        channels.expand(batches, *channels.shape),
        padded.reshape(batches, *[1] * (dimensions - 2), -1, steps, dimensions),
        mode="bilinear",
        padding_mode=padding_mode,
        align_corners=False,
    )
    return samples.movedim(1, 0).reshape(len(channels), -1, steps)[:, :count]


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
