"""Whether our cameras of DiffDRR's and nanodrr's parameters show points where the two render them.

    .venv-benchmark/bin/python Testing/benchmarks/peer_cameras.py

Balls in an oblique, anisotropic, left-handed volume are rendered in every orientation, mirrored ones too; the
centre of a ball's image is compared with its projection by our camera. Some minutes.
"""

import itertools

import numpy as np
import torch
from diffdrr.data import read
from diffdrr.drr import DRR
from diffdrr.pose import convert
from nanodrr.camera import make_k_inv, make_rt_inv
from nanodrr.data import Subject
from nanodrr.drr import render
from torchio import ScalarImage
from xrayreg.geometry import (
    LPS_FROM_RAS,
    CameraFile,
    DiffdrrView,
    apply,
    camera_from_diffdrr,
    camera_from_nanodrr,
    exp_se3,
)

SIZE, SPACING, SDD = (200, 161), (1.28, 1.58), 1020.0
X0, Y0 = 7.0, -4.0
ROTATION_DEG, SHIFT_MM = [20.0, 12.0, 5.0], [10.0, 850.0, -8.0]
SHAPE, VOXEL_MM, RADIUS_MM = np.array([90, 80, 70]), np.array([1.0, 1.2, 1.4]), 4.0
BALLS = np.array([[20, 30, 20], [60, 25, 40], [35, 60, 55], [45, 40, 35]])
POINTS, SAMPLES = 600, 1000  # along a ray: DiffDRR, nanodrr


def ras_from_index() -> np.ndarray:
    affine = exp_se3([0.14, -0.09, 0.21, 0, 0, 0])
    affine[:3, :3] *= VOXEL_MM * [1, -1, 1]
    affine[:3, 3] = 37, -52, 811
    return affine


def ball(centre: np.ndarray) -> ScalarImage:
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    distance = np.linalg.norm((index - centre) * VOXEL_MM, axis=-1)
    values = np.clip(RADIUS_MM + 0.5 - distance, 0, 1).astype(np.float32)
    return ScalarImage(tensor=torch.tensor(values)[None], affine=ras_from_index())


def centre_of(image: torch.Tensor) -> np.ndarray:
    """(column, row) of what is bright."""
    image = image[0, 0].double().numpy()
    rows, columns = np.indices(image.shape)
    return np.array([(image * columns).sum(), (image * rows).sum()]) / image.sum()


def worst(file: CameraFile, rendered: np.ndarray) -> float:
    """The largest distance, pixel, between rendered centres and projected ones."""
    points = apply(LPS_FROM_RAS @ ras_from_index(), BALLS)
    found = file.camera().project(points)
    if file.flip_columns:
        found[:, 0] = SIZE[0] - 1 - found[:, 0]
    return float(np.abs(found - rendered).max())


def by_diffdrr(orientation: str | None, reverse: bool) -> float:
    pose = pose_for(orientation)
    rendered = []
    for each in BALLS:
        image = ball(each)
        subject = read(image, orientation=orientation)
        subject.density.set_data(image.data)
        geometry = dict(height=SIZE[1], width=SIZE[0], delx=SPACING[0], dely=SPACING[1], x0=X0, y0=Y0)
        drr = DRR(subject, SDD, **geometry, reverse_x_axis=reverse, renderer="trilinear")
        rendered.append(centre_of(drr(pose, n_points=POINTS)))
    view = DiffdrrView(SDD, SIZE[1], SIZE[0], *SPACING, X0, Y0, reverse, orientation, pose.matrix[0].numpy())
    isocenter = apply(LPS_FROM_RAS @ ras_from_index(), (SHAPE - 1) / 2)
    return worst(camera_from_diffdrr(view, isocenter), np.array(rendered))


def by_nanodrr(orientation: str | None) -> float:
    rotation, shift = parameters_for(orientation)
    k_inv = make_k_inv(SDD, *SPACING, X0, Y0, *SIZE[::-1], dtype=torch.float32)
    rendered = []
    for each in BALLS:
        subject = Subject.from_images(ball(each), convert_to_mu=False)
        rt_inv = make_rt_inv(rotation, shift, orientation, subject.isocenter)
        image = render(subject, k_inv, rt_inv, torch.tensor([SDD]), *SIZE[::-1], n_samples=SAMPLES)
        rendered.append(centre_of(image))
    file = camera_from_nanodrr(k_inv[0].numpy(), rt_inv[0].numpy(), SDD, SIZE)
    return worst(file, np.array(rendered))


def parameters_for(orientation: str | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Angles (degrees) and shift that bring the source before the volume, as the orientation has it."""
    x, distance, z = SHIFT_MM
    shift = {"AP": [x, distance, z], "PA": [x, -distance, z], None: [x, z, -distance]}[orientation]
    return torch.tensor([ROTATION_DEG]), torch.tensor([shift])


def pose_for(orientation: str | None):
    parameters = parameters_for(orientation)
    return convert(*parameters, parameterization="euler_angles", convention="ZXY", degrees=True)


if __name__ == "__main__":
    for orientation, reverse in itertools.product(("AP", "PA", None), (True, False)):
        print(f"DiffDRR {orientation} reverse_x_axis={reverse}: {by_diffdrr(orientation, reverse):.3f} pixel")
    for orientation in ("AP", "PA", None):
        print(f"nanodrr {orientation}: {by_nanodrr(orientation):.3f} pixel")
