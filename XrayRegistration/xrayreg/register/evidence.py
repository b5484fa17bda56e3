"""What speaks for and against a registered pose, however it was found.

Each number compares the pose with something it did not see: other starts, other parts of the image, another
view, the mirrored volume, what this volume could reach under the image's noise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..geometry import Camera
from ..images import Xray
from ..render import Density, render
from ..similarity import Comparison, PatchEquations, Term
from .levels import Level
from .problem import Problem
from .refine import DEFAULT_LEVELS
from .search import SearchRange, candidate_motions, shifted, without_visible_shift
from .solver import levenberg_marquardt, settled
from .uncertainty import PoseUncertainty, block_sums, pose_uncertainty

_AROUND = SearchRange((30.0,) * 3, (40.0,) * 3, candidates=48)
_COARSE = Level(32, (Term(True, 16),), poses=8, margin=0.25, iterations=8, step_px=0.3)
_FINER = replace(DEFAULT_LEVELS[1], pixels=64, iterations=8, step_px=0.2)
_SAME_MM = 4.0  # in the planes of the views: a pose nearer than this is the same
_SAME_COARSE_MM = 10.0
_SCORED = 6  # starts compared for each that is refined
_TRIED_FINER = 2
_MOST = 0.5  # of other starts
_UNLIKE = 0.1  # a patch of lower NCC shows something else


@dataclass(frozen=True)
class Evidence:
    """The numbers, of one rig's registration.

    Attributes:
        similarity: lowest of the views, at the finest level.
        reachable: that which a simulated X-ray of this volume at this pose, with the noise of the real one,
            reaches; of the same view.
        agreement: share of other starts which came back to the pose, 0 to 1.
        lead: how much more alike the pose is than the best different one that was found; may be negative.
        mirrored_lead: how much more alike than the best pose of the mirrored volume.
        sigma_mm: root mean square error over the anatomy that the covariance expects.
        sigma_seen_mm: of it the part in the planes of the views.
        regions_mm: how far the quarters of the images pull away from the pose, in the planes of the views.
        views_mm: how far each view alone pulls away; 0 for one view.
        several_views: 1 for two or more views, else 0.
        covered: share of the X-rays' compared pixels that the volume covers; the least of the views.
        inside: share of the volume's box that projects into the X-rays; the least of the views.
        unlike: share of the compared patches, by weight, that show something else.
        strayed: how far the anatomy's centre lies from its start, by the farthest that the search allows; 0
            if there was none.
    """

    similarity: float
    reachable: float
    agreement: float
    lead: float
    mirrored_lead: float
    sigma_mm: float
    sigma_seen_mm: float
    regions_mm: float
    views_mm: float
    several_views: float
    covered: float
    inside: float
    unlike: float
    strayed: float = 0.0


def gather(density: Density, xrays: Sequence[Xray]) -> tuple[Evidence, PoseUncertainty, np.ndarray | None]:
    """The evidence on the poses in the X-rays' cameras, and their covariance; the views are one rig.

    Raises:
        InputError: if the volume does not project into an X-ray.
    """
    here = np.eye(4)
    problem = Problem(density, xrays, [here], DEFAULT_LEVELS[-1])
    patches = problem.patches(here)
    uncertainty = pose_uncertainty(problem, here, patches)
    points = problem.corners
    alike = [float((part.weight * part.ncc).sum()) for part in patches]
    worst = int(np.argmin(alike))
    coarse = _COARSE
    rivals = _rivals(density, xrays, coarse)
    if rivals.agreement < _MOST:  # a thin bone among others is found only at finer pixels
        coarse = replace(_COARSE, pixels=48)
        rivals = _rivals(density, xrays, coarse)
    mirrored = _rivals(density, [_mirrored(xray, density) for xray in xrays], coarse)
    covered, inside = zip(
        *(_overlap(view.camera, view.mask, density, points) for view in problem.views), strict=True
    )
    weight = torch.cat([part.weight for part in patches])
    ncc = torch.cat([part.ncc for part in patches])
    cameras = [view.camera for view in problem.views]
    return (
        Evidence(
            similarity=alike[worst],
            reachable=_reachable(problem, worst, density),
            agreement=rivals.agreement,
            lead=rivals.mine - rivals.others,
            mirrored_lead=rivals.mine - max(mirrored.mine, mirrored.others),
            sigma_mm=uncertainty.expected_tre_mm(points),
            sigma_seen_mm=_seen(uncertainty.of_points(points), cameras),
            regions_mm=_pull_of_regions(patches, problem),
            views_mm=_pull_of_views(patches, problem),
            several_views=float(len(xrays) > 1),
            covered=min(covered),
            inside=min(inside),
            unlike=float((weight * (ncc < _UNLIKE)).sum() / weight.sum()),
        ),
        uncertainty,
        rivals.motion if rivals.others > rivals.mine else None,
    )


@dataclass(frozen=True)
class _Rivals:
    """Where other starts led.

    Attributes:
        agreement: share of them which came to the pose asked about.
        mine: similarity of that pose, and
        others: of the best different one, also by refining that pose; 0 if all agree. With its
        motion: (4, 4) from the pose asked about.
    """

    agreement: float
    mine: float
    others: float
    motion: np.ndarray


def _rivals(density: Density, xrays: Sequence[Xray], level: Level) -> _Rivals:
    """Search around the poses in the cameras, as if they were not known, first at a coarse level."""
    motions = candidate_motions(_AROUND, density.grid.centre_patient)
    coarse = Problem(density, xrays, motions, level)
    tried, fit = shifted(coarse, without_visible_shift(coarse, motions), max(_AROUND.translation_mm))
    tried = tried[np.argsort(-fit)[: _SCORED * level.poses]]
    tried = tried[np.argsort(-coarse.similarity(tried))[: level.poses]]
    state = settled(levenberg_marquardt(coarse, tried, level.iterations, level.step_px))
    here = np.eye(4)
    agree = coarse.seen_distances_mm(here, state.motions) < _SAME_COARSE_MM
    away = state.motions[~agree][np.argsort(-state.similarity[~agree])][:_TRIED_FINER]
    finer = Problem(density, xrays, [here], _FINER)
    starts = np.concatenate([here[None], away])
    mine = float(finer.similarity(here[None])[0])
    state = settled(levenberg_marquardt(finer, starts, _FINER.iterations, _FINER.step_px))
    different = finer.seen_distances_mm(here, state.motions) > _SAME_MM
    best = int(np.argmax(np.where(different, state.similarity, -np.inf)))
    others = float(state.similarity[best]) if different.any() else 0.0
    return _Rivals(float(agree.mean()), mine, others, state.motions[best])


def _mirrored(xray: Xray, density: Density) -> Xray:
    """The X-ray of the mirrored volume, as one of the volume itself by a mirrored camera.

    Left and right of the patient are exchanged about the middle of the volume; for the camera to stay a
    camera, the image's columns are too: camera' = diag(-1, 1, 1) camera S.
    """
    middle = density.grid.centre_patient[0]
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[0, 3] = 2 * middle
    camera, K = xray.camera, xray.camera.K.copy()
    K[0, 1:] = -K[0, 1], camera.size[0] - 1 - K[0, 2]
    pose = np.diag([-1.0, 1, 1, 1]) @ camera.camera_from_patient @ mirror
    return replace(
        xray,
        line_integrals=np.ascontiguousarray(xray.line_integrals[:, ::-1]),
        mask=np.ascontiguousarray(xray.mask[:, ::-1]),
        camera=replace(camera, K=K, camera_from_patient=pose),
    )


def _reachable(problem: Problem, number: int, density: Density) -> float:
    """The similarity that a DRR reaches with a finer DRR of the same pose and the X-ray's noise."""
    view = problem.views[number]
    drr = render(density.matched(view.camera), view.camera)
    pixel_mm = view.camera.pixel_size_at(density.grid.centre_patient)
    finer = render(density.to_spacing(0.5 * pixel_mm), view.camera)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(finer.shape, generator=generator).to(finer) * _noise(view.image, view.mask)
    scale = _gain(view.image, drr, view.mask)
    compared = Comparison(finer + noise / scale, view.mask, DEFAULT_LEVELS[-1].terms)
    return float(compared.similarity(drr))


def _noise(image: torch.Tensor, mask: torch.Tensor) -> float:
    """Standard deviation of the noise of white-noise images (J. Immerkaer, CVIU 64, 1996), by the median."""
    kernel = image.new_tensor([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]])[None, None]
    filled = torch.where(mask, image, 0)
    response = torch.nn.functional.conv2d(filled[None, None], kernel)[0, 0].abs()
    open_ = torch.nn.functional.avg_pool2d(mask[None].to(image.dtype), 3, stride=1)[0] > 0.99
    return float(response[open_].median() / (0.6745 * 6)) if open_.any() else 0.0


def _gain(image: torch.Tensor, drr: torch.Tensor, mask: torch.Tensor) -> float:
    """How much of the DRR's contrast the X-ray shows, by their standard deviations."""
    return float(image[mask].std() / drr[mask].std().clamp(min=1e-12))


def _overlap(camera: Camera, mask: torch.Tensor, density: Density, points: np.ndarray) -> tuple[float, float]:
    """Share of the open pixels that the volume covers, and of points (n, 3), patient, mm, in the image."""
    box = Density(torch.ones((1, 1, 1)).to(density.values), _box_of(density))
    covered = render(box, camera) > 0
    pixel = camera.project(points)
    inside = ((pixel > -0.5) & (pixel < np.array(camera.size) - 0.5)).all(axis=1)
    return float((covered & mask).sum() / mask.sum()), float(inside.mean())


def _box_of(density: Density):
    """A grid of one voxel of the volume's size."""
    grid = density.grid
    index_from_box = np.diag([*map(float, grid.size), 1.0])
    index_from_box[:3, 3] = (np.array(grid.size) - 1) / 2
    return replace(grid, size=(1, 1, 1), patient_from_index=grid.patient_from_index @ index_from_box)


def _seen(covariances: np.ndarray, cameras: Sequence[Camera]) -> float:
    """Root mean square over points and views of the part of (n, 3, 3) covariances across the view's axis."""
    total = 0.0
    for camera in cameras:
        across = camera.camera_from_patient[:2, :3]
        total += np.trace(across @ covariances @ across.T, axis1=1, axis2=2).mean()
    return float(np.sqrt(total / len(cameras)))


def _pull_of_regions(patches: Sequence[PatchEquations], problem: Problem) -> float:
    """Of the images' quarters, each against its own view."""
    steps = []
    for view, part in zip(problem.views, patches, strict=True):
        steps += _steps_mm(*block_sums(part, view.camera.size, 2), problem)
    return float(np.sqrt(np.mean(np.square(steps))))


def _pull_of_views(patches: Sequence[PatchEquations], problem: Problem) -> float:
    if len(patches) < 2:
        return 0.0
    gradients = [part.gradient.double().cpu().numpy().sum(axis=0) for part in patches]
    hessians = [part.hessian.double().cpu().numpy().sum(axis=0) for part in patches]
    steps = _steps_mm(np.stack(gradients), np.stack(hessians), problem)
    return float(np.sqrt(np.mean(np.square(steps))))


def _steps_mm(gradients: np.ndarray, hessians: np.ndarray, problem: Problem) -> list[float]:
    """How far each of n parts (n, 6), (n, 6, 6) steps by itself, held by a tenth of all together."""
    held = 0.1 * hessians.sum(axis=0)
    return [
        _step_mm(hessian + held, gradient, problem)
        for gradient, hessian in zip(gradients, hessians, strict=True)
    ]


def _step_mm(hessian: np.ndarray, gradient: np.ndarray, problem: Problem) -> float:
    twist = -np.linalg.solve(hessian + 1e-9 * np.trace(hessian) * np.eye(6), gradient)
    moved = problem.moved(np.eye(4), twist)
    return float(problem.seen_distances_mm(np.eye(4), moved[None])[0])
