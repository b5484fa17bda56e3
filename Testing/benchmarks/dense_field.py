"""A dense displacement field with a smoothness term, to compare bodies that do not bend with.

What is usual where bone is not told from tissue: a cubic B-spline displaces every place, the displaced CT is
rendered, Adam maximises the similarity less a penalty on bending. Renderer, similarity and X-rays are those
of the bodies. Coarse to fine from the rigid pose: control points 80, 40 and 24 mm apart, images 64, 96 and
192 pixels across, voxels of 6, 4 and 3 mm.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from xrayreg.geometry import nearest_rotation
from xrayreg.images import Grid, Xray
from xrayreg.render import Density, render
from xrayreg.similarity import Comparison, Term

SMOOTHNESS = 0.3  # of the mean squared bending of the control grid against the mean similarity


@dataclass(frozen=True)
class Scale:
    """One of the steps from coarse to fine.

    Attributes:
        control_mm: between control points.
        pixels: across the X-ray.
        voxel_mm: of what is displaced and rendered.
        rate_mm: of Adam, at first; it falls to a tenth.
        terms: what is compared.
    """

    control_mm: float
    pixels: int
    voxel_mm: float
    iterations: int
    rate_mm: float
    terms: tuple[Term, ...] = (Term(False, 24), Term(True, 24))


SCALES = (
    Scale(80.0, 64, 6.0, 120, 1.5, (Term(False, 32), Term(True, 32))),
    Scale(40.0, 96, 4.0, 120, 1.0),
    Scale(24.0, 192, 3.0, 100, 0.5),
)


@dataclass(frozen=True)
class DenseField:
    """Where everything has come from: ``rest_from_patient(x) = x + u(x)``, u a cubic B-spline.

    Attributes:
        control: [k, j, i, 3] displacements, patient, mm.
        grid: of the control points; its axes are the patient's.
    """

    control: torch.Tensor
    grid: Grid

    def rest_from_patient(self, points: np.ndarray) -> np.ndarray:
        """Where points (n, 3), patient, mm, were in the preoperative scan."""
        first, spacing = self.grid.patient_from_index[:3, 3], self.grid.spacing_mm
        i, j, k = (
            _basis((torch.as_tensor(points[:, axis]) - first[axis]) / spacing[axis], self.grid.size[axis])
            for axis in range(3)
        )
        along = torch.einsum("nk,kjic->njic", k, self.control.double())
        along = torch.einsum("nj,njic->nic", j, along)
        return points + torch.einsum("ni,nic->nc", i, along).numpy()

    def patient_from_rest(self, points: np.ndarray) -> np.ndarray:
        """Its inverse, by fixed-point iteration; where the field folds, one of the places."""
        found = points
        for _ in range(200):
            found = found + 0.5 * (points - self.rest_from_patient(found))
        return found

    def displacements(self, grid: Grid) -> np.ndarray:
        """[k, j, i, 3] at the voxels of a grid whose axes are the patient's, mm."""
        return _on_voxels(self.control, self.grid, grid).numpy()


def register_dense(
    density: Density,
    xrays: Sequence[Xray],
    smoothness: float = SMOOTHNESS,
    scales: Sequence[Scale] = SCALES,
    start: Callable[[Grid], np.ndarray] | None = None,
) -> DenseField:
    """The displacement field that makes the CT look like the X-rays.

    Args:
        xrays: their cameras hold the pose of the patient as a whole, as registered rigidly.
        start: [k, j, i, 3] displacements, mm, at the points of a grid; none of any if not given.
    """
    field = None
    for scale in scales:
        coarse = density.to_spacing(scale.voxel_mm)
        grid = _control_grid(coarse.grid, scale.control_mm)
        if field is not None:
            values = _on_voxels(field.control, field.grid, grid)
        elif start is not None:
            values = torch.from_numpy(start(grid).astype(np.float32))
        else:
            values = torch.zeros(*grid.array_shape, 3)
        field = DenseField(_refined(coarse, xrays, _fitted(values, grid), grid, scale, smoothness), grid)
    return field


def _refined(
    density: Density, xrays: Sequence[Xray], start: torch.Tensor, grid: Grid, scale: Scale, smoothness: float
) -> torch.Tensor:
    images = [xray.binned(xray.camera.binning_to(scale.pixels)) for xray in xrays]
    compared = [
        Comparison(
            torch.from_numpy(x.line_integrals.astype(np.float32)), torch.from_numpy(x.mask), scale.terms
        )
        for x in images
    ]
    control = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([control], lr=scale.rate_mm)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, scale.iterations, 0.1 * scale.rate_mm)
    unit = torch.tensor([2 / (n - 1) for n in density.grid.size], dtype=torch.float32)
    still = _unit_places(density.grid)
    by_index = torch.from_numpy(density.grid.index_from_patient[:3, :3].astype(np.float32))
    for _ in range(scale.iterations):
        shift = _on_voxels(control, grid, density.grid) @ by_index.T * unit
        values = torch.nn.functional.grid_sample(
            density.values[None, None], (still + shift)[None], align_corners=True
        )[0, 0]
        moved = replace(density, values=values)
        alike = sum(
            compare.similarity(render(moved, xray.camera))
            for compare, xray in zip(compared, images, strict=True)
        ) / len(images)
        loss = smoothness * _bending(control, scale.control_mm) - alike
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        falling.step()
    return control.detach()


def _bending(control: torch.Tensor, spacing_mm: float) -> torch.Tensor:
    """Mean squared second differences, as turns of the lines of a grid from one cell to the next."""
    total = 0.0
    for axis in range(3):
        twice = torch.diff(control, n=2, dim=axis) / spacing_mm
        total = total + twice.square().sum(-1).mean()
        for other in range(axis):
            total = (
                total + 2 * torch.diff(control / spacing_mm, dim=axis).diff(dim=other).square().sum(-1).mean()
            )
    return total


def _control_grid(grid: Grid, spacing_mm: float) -> Grid:
    """Control points around a grid, one more on each side than a cubic spline needs."""
    low, high = grid.corners_patient.min(axis=0), grid.corners_patient.max(axis=0)
    size = np.ceil((high - low) / spacing_mm).astype(int) + 4
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = (low + high) / 2 - spacing_mm * (size - 1) / 2
    return Grid(tuple(int(n) for n in size), affine)


def _basis(places: torch.Tensor, count: int) -> torch.Tensor:
    """(n, count) the cubic B-splines of control points 0, 1, ... at places (n,); beyond, as at the end."""
    away = (places.clamp(1, count - 2)[:, None] - torch.arange(count).to(places)).abs()
    near = 2 / 3 - away**2 + away**3 / 2
    far = (2 - away).clamp(min=0) ** 3 / 6
    return torch.where(away < 1, near, far)


def _on_voxels(control: torch.Tensor, control_grid: Grid, grid: Grid) -> torch.Tensor:
    """[k, j, i, 3] at voxels; the axes of both are the patient's, so the spline is a product."""
    affine, first, spacing = grid.patient_from_index, control_grid.patient_from_index, control_grid.spacing_mm
    found = control
    for axis, letter in ((2, "k"), (1, "j"), (0, "i")):
        places = affine[axis, 3] + affine[axis, axis] * np.arange(grid.size[axis])
        places = torch.as_tensor((places - first[axis, 3]) / spacing[axis])
        weights = _basis(places, control_grid.size[axis]).to(control)
        found = torch.einsum(f"n{letter},kjic->{'kji'.replace(letter, 'n')}c", weights, found)
    return found


def _unit_places(grid: Grid) -> torch.Tensor:
    """[k, j, i, 3] voxels, as `grid_sample` counts: from -1 to 1."""
    sides = [torch.linspace(-1, 1, n) for n in grid.size[::-1]]
    return torch.stack(torch.meshgrid(*sides, indexing="ij")[::-1], dim=-1)


def _fitted(values: torch.Tensor, grid: Grid) -> torch.Tensor:
    """The control displacements of the spline that takes these values at the control points, nearly."""
    control = values
    for _ in range(8):
        control = control + values - _on_voxels(control, grid, grid)
    return control


def bent_mm(rest: np.ndarray, now: np.ndarray) -> float:
    """How far points (n, 3) that should have moved rigidly lie from the rigid motion nearest to theirs."""
    before, after = rest - rest.mean(axis=0), now - now.mean(axis=0)
    return float(np.sqrt(((after - before @ nearest_rotation(after.T @ before).T) ** 2).sum(axis=1).mean()))
