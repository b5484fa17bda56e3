"""DRRs: one function per question, whichever engine answers."""

from collections.abc import Sequence

import numpy as np
import torch

from . import differentiable, torch_engine
from .density import Density
from .engines import compiled_engine
from .torch_engine import PROJECTORS, projector_for
from .views import AnyCamera, Views, views_of

__all__ = ["PROJECTORS", "render", "render_bodies", "render_labels", "render_with_pose_jacobian"]


def render(
    density: Density,
    cameras: AnyCamera | Sequence[AnyCamera],
    *,
    camera_from_patient: torch.Tensor | None = None,
    pixels: np.ndarray | None = None,
    subsamples: int = 1,
    projector: str = "joseph",
    step_mm: float | None = None,
    engine: str = "auto",
) -> torch.Tensor:
    """DRRs: line integrals, dimensionless, as networks and optimisers can differentiate them.

    Args:
        density: the volume; gradients reach its values if these require them.
        cameras: one view, or several of one size, which gives the image a batch axis. For a part of an
            image, `Camera.cropped`.
        camera_from_patient: (4, 4), or (B, 4, 4), which gives a batch axis too: poses in place of the
            cameras' own; gradients reach them if they require them.
        pixels: (R, 2) image points (u, v) to render in place of all pixels.
        subsamples: each pixel is the mean of this many rays squared, spread evenly over its area.
        projector: "joseph" (bilinear in slices; compiled where possible), "trilinear" (ray sum) or
            "siddon" (exact through voxels).
        step_mm: largest step of "trilinear"; half the smallest voxel spacing if None.
        engine: "auto", or "torch" for the reference.

    Returns:
        (B,) rows, columns; or (B,) R for a list of pixels.

    Raises:
        InputError: if the views do not fit each other, or the projector is unknown.
    """
    integrate = projector_for(density, projector, step_mm)
    views = views_of(cameras, camera_from_patient, pixels)
    compiled = _compiled(density, projector, engine)
    images = []
    for part in views.subsampled(subsamples):
        if compiled is None:
            images.append(torch_engine.line_integrals(density, part, integrate))
        else:
            images.append(differentiable.line_integrals(compiled, density.values, density.grid, part))
    return _mean(images).reshape(views.image_shape)


def render_with_pose_jacobian(
    density: Density,
    cameras: AnyCamera | Sequence[AnyCamera],
    *,
    camera_from_patient: torch.Tensor | None = None,
    pixels: np.ndarray | None = None,
    subsamples: int = 1,
    projector: str = "joseph",
    step_mm: float | None = None,
    engine: str = "auto",
) -> tuple[torch.Tensor, torch.Tensor]:
    """As `render`, and the derivative of every pixel [..., 6] by its view's pose.

    The derivative is by a twist (omega in rad, v in mm) applied on the left of ``camera_from_patient``.
    """
    integrate = projector_for(density, projector, step_mm)
    views = views_of(cameras, camera_from_patient, pixels)
    compiled = _compiled(density, projector, engine)
    parts = []
    for part in views.subsampled(subsamples):
        if compiled is None:
            parts.append(torch_engine.line_integrals_with_jacobian(density, part, integrate))
        else:
            parts.append(compiled.line_integrals(density.values, density.grid, part, jacobian=True))
    image, jacobian = (_mean(each) for each in zip(*parts, strict=True))
    return image.reshape(views.image_shape), jacobian.reshape(*views.image_shape, 6)


def render_bodies(
    bodies: Sequence[Density],
    camera: AnyCamera,
    patient_from_rest: torch.Tensor,
    *,
    pixels: np.ndarray | None = None,
    engine: str = "auto",
) -> tuple[torch.Tensor, torch.Tensor]:
    """Several rigid bodies, each with a motion of its own, in one image: their line integrals add up.

    Args:
        bodies: K volumes, each where it lay in the preoperative scan. Gradients are not tracked.
        camera: the view.
        patient_from_rest: (K, 4, 4) each body's motion since then.
        pixels, engine: as of `render`.

    Returns:
        the image, and its derivatives (K, ..., 6) by a twist on the left of each body's
        ``camera_from_patient @ patient_from_rest``.
    """
    pose = torch.as_tensor(camera.camera_from_patient).to(patient_from_rest)
    parts = [
        render_with_pose_jacobian(
            body, camera, camera_from_patient=pose @ motion, pixels=pixels, engine=engine
        )
        for body, motion in zip(bodies, patient_from_rest, strict=True)
    ]
    return sum(image for image, _ in parts), torch.stack([jacobian for _, jacobian in parts])


def render_labels(
    labels: torch.Tensor,
    density: Density,
    cameras: AnyCamera | Sequence[AnyCamera],
    values: tuple[int, ...],
    *,
    soft: bool = True,
    pixels: np.ndarray | None = None,
    engine: str = "auto",
) -> torch.Tensor:
    """One DRR per structure [(B,) label, row, column] in one pass; all structures add up to the whole.

    Args:
        labels: [k, j, i] integers on the density's grid.
        density: the volume; a density of ones gives the length of each ray in each structure, mm.
        cameras: one view or several, as of `render`.
        values: the labels asked for, one channel each.
        soft: each voxel gives its part of an interpolated value to its own label, so that a channel is
            the DRR of the volume masked to it. Otherwise a sample is its nearest voxel, value and label.
        pixels, engine: as of `render`.
    """
    views = views_of(cameras, None, pixels)
    present = int(labels.max()) + 1
    channel_of = torch.full((max(present, max(values) + 1),), -1, dtype=torch.int16, device=labels.device)
    channel_of[list(values)] = torch.arange(len(values), dtype=torch.int16, device=labels.device)
    channels = channel_of[labels.long()]
    compiled = _compiled(density, "joseph", engine)
    if compiled is None:
        images = torch_engine.label_integrals(density, channels, len(values), views, soft)
    else:
        grid = density.grid
        images = compiled.label_integrals(density.values.detach(), channels, len(values), grid, views, soft)
    batch, image = _split(views)
    return images.reshape(*batch, len(values), *image)


def _mean(images: Sequence[torch.Tensor]) -> torch.Tensor:
    return images[0] if len(images) == 1 else sum(images) / len(images)


def _split(views: Views) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The batch axis, if any, and the rest of the image's shape."""
    rest = 1 if len(views.pixels) else 2
    return views.image_shape[:-rest], views.image_shape[-rest:]


def _compiled(density: Density, projector: str, engine: str):
    if projector != "joseph" or engine == "torch":
        return None
    return compiled_engine(density.values)
