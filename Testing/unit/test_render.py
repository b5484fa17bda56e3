"""DRRs against closed forms: lengths of rays in bodies, places in the image, derivatives."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.geometry import Camera, CArm, apply, exp_se3, inverse, translation
from xrayreg.images import WATER_PER_MM, Grid, Volume
from xrayreg.render import PROJECTORS, Density, render, render_labels, render_with_pose_jacobian
from xrayreg.render.simulate import Detector, simulate_xray

# --- Bodies of attenuation 1 per mm: their DRR is the length of each ray inside them, in mm. ---


@dataclass(frozen=True)
class Sphere:
    centre: tuple[float, float, float]
    radius: float

    def distance(self, points):
        """Signed distance (...,) of points (..., 3) from the surface, negative inside, mm."""
        return np.linalg.norm(points - np.array(self.centre), axis=-1) - self.radius

    def chords(self, sources, directions):
        """Lengths (n,) of lines through sources (n, 3) along unit directions (n, 3)."""
        closest = np.linalg.norm(np.cross(np.array(self.centre) - sources, directions), axis=-1)
        return 2 * np.sqrt(np.maximum(self.radius**2 - closest**2, 0))


@dataclass(frozen=True)
class Box:
    patient_from_box: np.ndarray
    half: tuple[float, float, float]

    def distance(self, points):
        """As of a sphere, but outside, beside an edge, only the largest of the distances from its faces."""
        outside = np.abs(apply(inverse(self.patient_from_box), points)) - self.half
        return outside.max(axis=-1)

    def chords(self, sources, directions):
        box_from_patient = inverse(self.patient_from_box)
        origin = apply(box_from_patient, sources)
        along = directions @ box_from_patient[:3, :3].T
        with np.errstate(divide="ignore"):
            ends = ((np.array([[-1], [1]]) * self.half)[:, None] - origin) / along
        enter, leave = ends.min(axis=0).max(axis=-1), ends.max(axis=0).min(axis=-1)
        return np.maximum(leave - np.maximum(enter, 0), 0)


def quadrature(projector, step_mm):
    """Arguments of `render`; only the ray sum takes a step."""
    return {"projector": projector, "step_mm": step_mm if projector == "trilinear" else None}


def grid_around(size, spacing, rotation=None, centre=(0, 0, 0)):
    """A grid whose box is centred at ``centre``, its axes the columns of ``rotation``."""
    affine = np.eye(4)
    affine[:3, :3] = (np.eye(3) if rotation is None else rotation) * spacing
    affine[:3, 3] = np.array(centre) - affine[:3, :3] @ ((np.array(size) - 1) / 2)
    return Grid(size, affine)


def voxels(body, grid, dtype=torch.float32):
    """A body on a grid; voxels on its surface hold the part of them that lies inside (4^3 samples)."""
    index = np.stack(np.meshgrid(*map(np.arange, grid.array_shape), indexing="ij")[::-1], axis=-1)
    distance = body.distance(apply(grid.patient_from_index, index.astype(float)))
    values = (distance < 0).astype(float)
    surface = np.abs(distance) < np.linalg.norm(grid.spacing_mm) / 2
    samples = (np.stack(np.meshgrid(*[np.arange(4)] * 3), axis=-1).reshape(-1, 3) + 0.5) / 4 - 0.5
    inside = [body.distance(apply(grid.patient_from_index, index[surface] + s)) < 0 for s in samples]
    values[surface] = np.mean(inside, axis=0)
    return Density(torch.as_tensor(values, dtype=dtype), grid)


def lines(camera):
    """Sources and unit directions (n, 3), patient, of all pixels row by row."""
    columns, rows = camera.size
    pixels = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    directions = camera.ray_directions(pixels) @ camera.patient_from_camera[:3, :3].T
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return np.broadcast_to(camera.source_patient, directions.shape), directions


def chords(body, camera):
    """The true DRR [row, column] of a body."""
    return body.chords(*lines(camera)).reshape(camera.size[::-1])


def random_density(size=(9, 8, 7), affine=None, seed=0):
    values = torch.as_tensor(np.random.default_rng(seed).random(size[::-1]))
    affine = grid_around(size, (1.5, 2.0, 2.5)).patient_from_index if affine is None else affine
    return Density(values, Grid(size, affine))


# Pixels of 3 x 4.5 mm, principal point off the middle, source 700 mm from the origin.
OBLIQUE_VIEW = CArm(1000.0, 700.0, 33, 24, 11).camera((31, 21), (3.0, 4.5), (13.3, 11.6))


def assert_close_to_peak(found, expected, part, where=True):
    error = np.abs(np.asarray(found, dtype=float) - expected)[np.broadcast_to(where, expected.shape)]
    assert error.max() <= part * expected.max(), f"{error.max() / expected.max():.2%} of the peak"


# --- Lengths ---


SPHERE = Sphere((3.0, -2.0, 5.0), 30.0)


@pytest.fixture(scope="module")
def sphere():
    return voxels(SPHERE, grid_around((132, 132, 132), 0.5, centre=SPHERE.centre))


@pytest.mark.parametrize("projector", PROJECTORS)
def test_chords_of_a_sphere_are_within_half_a_percent_of_the_peak(sphere, projector):
    # The image is 93 x 94 mm at the detector, 65 mm at the sphere: it covers it.
    camera = CArm(1000.0, 700.0, 33, 24, 11, SPHERE.centre).camera((49, 37), (2.0, 2.7))
    found = render(sphere, camera, **quadrature(projector, 0.5))
    # Two voxels around the silhouette are left out: there the chord falls like a square root, and what a
    # 0.5 mm voxel averages differs from it more, whatever integrates it.
    sources, directions = lines(camera)
    miss = np.linalg.norm(np.cross(np.array(SPHERE.centre) - sources, directions), axis=1)
    off_silhouette = (np.abs(miss - SPHERE.radius) > 1.0).reshape(camera.size[::-1])
    assert off_silhouette.mean() > 0.9
    assert_close_to_peak(found, chords(SPHERE, camera), 0.005, off_silhouette)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_a_sphere_keeps_its_volume(sphere, projector):
    # Seen from far away in nearly parallel rays, the sum of the chords times the pixel area at the sphere is
    # its volume, 4/3 pi r^3, silhouette included. Pixels are 1.3 mm there: 2 * 0.65 * 10000 / 10000.
    camera = CArm(20000.0, 10000.0, 33, 24, 0, SPHERE.centre).camera((61, 61), (2.6, 2.6))
    found = render(sphere, camera, **quadrature(projector, 0.5)).double().sum() * 1.3**2
    assert found == pytest.approx(4 / 3 * np.pi * 30**3, rel=1e-3)


OBLIQUE_BOX = Box(translation([2, -3, 4]) @ exp_se3([0.1, 0.2, -0.15, 0, 0, 0]), (20.0, 25.0, 30.0))


@pytest.fixture(scope="module")
def oblique_box():
    return voxels(OBLIQUE_BOX, grid_around((125, 132, 150), 0.5, centre=(2, -3, 4)))


@pytest.mark.parametrize("projector", PROJECTORS)
def test_chords_of_an_oblique_box_are_within_half_a_percent_of_the_peak(oblique_box, projector):
    # Seen over a corner, 48 to 58 degrees off each face: along a face the chord would jump.
    camera = CArm(1000.0, 700.0, 40, 30, 0, (2, -3, 4)).camera((53, 53), (2.5, 2.5))
    found = render(oblique_box, camera, **quadrature(projector, 0.5))
    assert_close_to_peak(found, chords(OBLIQUE_BOX, camera), 0.005)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_chords_of_a_box_on_an_oblique_grid(projector):
    # The box fills whole voxels of a turned grid of other spacing, with air around them.
    pose = exp_se3([0.5, -0.4, 0.3, 0, 0, 0])
    grid = grid_around((60, 50, 40), (0.5, 0.75, 1.0), pose[:3, :3], centre=(2, -3, 4))
    values = torch.zeros(grid.array_shape)
    values[5:35, 5:45, 10:50] = 1  # 40 x 40 x 30 voxels, 20 x 30 x 30 mm
    box = Box(translation([2, -3, 4]) @ pose, (10.0, 15.0, 15.0))
    camera = CArm(1000.0, 700.0, 20, 10, 0, (2, -3, 4)).camera((47, 47), (1.5, 1.5))
    found = render(Density(values, grid), camera, **quadrature(projector, 0.25))
    part = 1e-4 if projector == "siddon" else 0.02  # the others blur the faces over a 1 mm voxel
    assert_close_to_peak(found, chords(box, camera), part)


@pytest.mark.parametrize(("dtype", "relative"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
def test_siddon_is_exact(dtype, relative):
    # Against the sum, over every voxel on its own, of its value times the chord of the ray in that voxel.
    rotation = exp_se3([0.4, 0.2, -0.9, 0, 0, 0])[:3, :3]
    grid = grid_around((9, 8, 7), (1.5, 2.0, 2.5), rotation, centre=(5, -4, 3))
    density = Density(random_density().values.to(dtype), grid)
    camera = CArm(1000.0, 700.0, 33, 24, 11, (5, -4, 3)).camera((31, 21), (1.1, 1.5), (13.3, 11.6))
    expected = np.zeros(camera.size[::-1])
    for (k, j, i), value in np.ndenumerate(density.values.double().numpy()):
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = rotation, apply(grid.patient_from_index, np.array([i, j, k], float))
        expected += value * chords(Box(pose, (0.75, 1.0, 1.25)), camera)
    found = render(density, camera, projector="siddon").double().numpy()
    assert (expected > 0).mean() > 0.3
    np.testing.assert_allclose(found, expected, rtol=relative, atol=relative * 0.1 * expected.max())


def test_a_finer_ray_sum_comes_closer_to_the_interpolant():
    density, camera = random_density(), OBLIQUE_VIEW.binned(2)
    exact = render(density, camera, projector="trilinear", step_mm=0.002)
    errors = [
        float((render(density, camera, projector="trilinear", step_mm=step) - exact).norm())
        for step in (1.0, 0.1)
    ]
    assert errors[1] < errors[0] / 10
    assert errors[1] < 1e-3 * exact.norm()


@pytest.mark.parametrize("projector", PROJECTORS)
@pytest.mark.parametrize("angles", [(0, 0, 0), (90, 0, 0), (-90, 0, 90), (0, 90, 0), (180, 0, 180)])
def test_a_ray_along_an_axis_sums_the_column_of_voxels_on_it(projector, angles):
    density = random_density(size=(9, 7, 5))
    camera = CArm(1000.0, 700.0, *angles).camera((1, 1), (1.0, 1.0))
    # The ray meets the middle voxels of the two other axes; spacing along i, j, k is 1.5, 2, 2.5 mm.
    axis = int(np.abs(camera.patient_from_camera[:3, 2]).argmax())
    along_axis = [(2, 3, slice(None)), (2, slice(None), 4), (slice(None), 3, 4)][axis]
    step = (1.5, 2.0, 2.5)[axis]
    expected = density.values[along_axis].sum() * step
    # One step per voxel: its middle is the voxel's centre.
    found = render(density, camera, **quadrature(projector, 1.01 * step))
    assert float(found) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_derivatives_along_an_axis_are_finite(projector):
    camera = CArm(1000.0, 700.0, 0, 0).camera((3, 3), (1.0, 1.0))
    _, jacobian = render_with_pose_jacobian(random_density(size=(9, 7, 5)), camera, projector=projector)
    assert torch.isfinite(jacobian).all()


@pytest.mark.parametrize("projector", PROJECTORS)
def test_rays_that_miss_are_zero(projector):
    # 13.5 x 16 x 17.5 mm in the middle of an image of 200 x 200 mm at the volume.
    camera = CArm(1000.0, 700.0, 33, 24).camera((29, 29), (10.0, 10.0))
    image = render(random_density(), camera, projector=projector)
    assert image[14, 14] > 0
    border = torch.ones_like(image, dtype=torch.bool)
    border[10:19, 10:19] = False
    assert (image[border] == 0).all()


@pytest.mark.parametrize("projector", PROJECTORS)
def test_a_volume_behind_the_source_is_not_seen(projector):
    camera = OBLIQUE_VIEW.moved(translation([0, 0, -700]))
    assert (render(random_density(), camera, projector=projector) == 0).all()


@pytest.mark.parametrize("projector", PROJECTORS)
def test_from_inside_the_volume_only_what_lies_ahead_counts(projector):
    # A cube of 20 mm, the source 3 mm ahead of its middle: the central ray leaves it after 7 mm.
    density = Density(torch.ones(10, 10, 10).double(), grid_around((10, 10, 10), 2.0))
    camera = Camera((21, 21), [[100.0, 0, 10], [0, 100, 10], [0, 0, 1]], translation([0, 0, -3]))
    found = render(density, camera, projector=projector)
    assert float(found[10, 10]) == pytest.approx(7, rel=1e-9)
    expected = chords(Box(np.eye(4), (10.0, 10.0, 10.0)), camera)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("projector", ["trilinear", "siddon"])  # to Joseph it is a hat of the same mass
def test_one_voxel_is_a_box(projector):
    rotation = exp_se3([0.4, 0.2, -0.9, 0, 0, 0])
    density = Density(
        torch.full((1, 1, 1), 0.5).double(), grid_around((1, 1, 1), (30, 40, 50), rotation[:3, :3])
    )
    found = render(density, OBLIQUE_VIEW, projector=projector)
    expected = 0.5 * chords(Box(rotation, (15.0, 20.0, 25.0)), OBLIQUE_VIEW)
    assert (expected > 0).mean() > 0.2
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_an_unknown_projector_is_refused():
    with pytest.raises(InputError, match="unknown projector 'splat' - use one of joseph, trilinear, siddon"):
        render(random_density(), OBLIQUE_VIEW, projector="splat")


# --- Places ---


@pytest.mark.parametrize("projector", PROJECTORS)
@pytest.mark.parametrize(
    "matrix",
    [
        # Columns: where the copy's i, j, k axes point, in the index of the original.
        pytest.param(np.diag([-1, 1, 1]), id="i reversed, left-handed"),
        pytest.param(np.diag([1, -1, -1]), id="j and k reversed"),
        pytest.param(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]]), id="i and j exchanged, left-handed"),
        pytest.param(np.array([[0, 0, -1], [1, 0, 0], [0, 1, 0]]), id="axes cycled, one reversed"),
    ],
)
def test_a_copy_stored_along_other_axes_gives_the_same_drr(projector, matrix):
    body = random_density()
    size = np.abs(np.array(body.grid.size) @ matrix)
    index_from_copy = np.eye(4)
    index_from_copy[:3, :3] = matrix
    index_from_copy[:3, 3] = [
        n - 1 if row.sum() < 0 else 0 for n, row in zip(body.grid.size, matrix, strict=True)
    ]
    copy = np.empty(size[::-1])
    for k, j, i in np.ndindex(*copy.shape):
        source = (index_from_copy @ [i, j, k, 1]).astype(int)
        copy[k, j, i] = body.values[source[2], source[1], source[0]]
    grid = Grid(tuple(size), body.grid.patient_from_index @ index_from_copy)
    assert grid.is_left_handed == (np.linalg.det(matrix) < 0)
    found = render(Density(torch.as_tensor(copy), grid), OBLIQUE_VIEW, **quadrature(projector, 0.5))
    expected = render(body, OBLIQUE_VIEW, **quadrature(projector, 0.5))
    assert expected.max() > 5
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_volume_and_camera_moved_together_give_the_same_drr(projector):
    body = random_density()
    there_from_here = exp_se3([0.7, -1.2, 0.4, 100, -200, 300])
    moved = Density(body.values, Grid(body.grid.size, there_from_here @ body.grid.patient_from_index))
    camera = OBLIQUE_VIEW.moved(OBLIQUE_VIEW.camera_from_patient @ inverse(there_from_here))
    found = render(moved, camera, **quadrature(projector, 0.5))
    expected = render(body, OBLIQUE_VIEW, **quadrature(projector, 0.5))
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)


def centroid(image):
    """(column, row) of the mean of an image's weight."""
    image = np.asarray(image, dtype=float)
    rows, columns = np.indices(image.shape)
    return np.array([(columns * image).sum(), (rows * image).sum()]) / image.sum()


@pytest.mark.parametrize("projector", PROJECTORS)
@pytest.mark.parametrize("place", [(0, 0, 0), (12, -7, 9), (-10, 15, -6)])
def test_a_small_body_appears_where_projection_says(projector, place):
    ball = voxels(Sphere(place, 2.0), grid_around((64, 64, 64), 0.75), torch.float64)
    camera = CArm(1000.0, 700.0, 33, 24, 11).camera((90, 40), (0.6, 1.4), (35.25, 21.5))
    found = centroid(render(ball, camera, projector=projector))
    np.testing.assert_allclose(found, camera.project(np.array(place, float)), atol=0.05)


@pytest.mark.parametrize(
    ("angles", "place", "column", "row"),
    [
        # 100 pixels of 1 mm about the centre (49.5, 49.5); 14 mm at 700 mm are 20 mm on the detector.
        ((0, 0), (14, 0, 0), 29.5, 49.5),  # frontal: the patient's left is on the image's left
        ((0, 0), (0, 0, 14), 49.5, 29.5),  # and the head is up
        ((90, 0), (0, -14, 0), 69.5, 49.5),  # detector at the left: anterior is on the image's right
        ((-90, 0), (0, -14, 0), 29.5, 49.5),  # detector at the right: anterior is on the image's left
        ((90, 0), (0, 0, 14), 49.5, 29.5),
    ],
)
def test_left_anterior_and_head_are_on_their_sides_of_the_image(angles, place, column, row):
    ball = voxels(Sphere(place, 2.0), grid_around((48, 48, 48), 1.0))
    camera = CArm(1000.0, 700.0, *angles).camera((100, 100), (1.0, 1.0))
    np.testing.assert_allclose(centroid(render(ball, camera)), [column, row], atol=0.05)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_a_pose_given_as_a_tensor_takes_the_place_of_the_cameras_own(projector):
    # Also where it is further from the volume than the camera's: 1100 mm instead of 700.
    density = random_density()
    pose = translation([1, 2, 400]) @ OBLIQUE_VIEW.camera_from_patient
    found = render(density, OBLIQUE_VIEW, projector=projector, camera_from_patient=torch.as_tensor(pose))
    expected = render(density, OBLIQUE_VIEW.moved(pose), projector=projector)
    assert expected.max() > 5
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


# --- Derivatives ---


def blob():
    """A smooth body, off the middle of its oblique, left-handed grid."""
    rotation = exp_se3([0.4, 0.2, -0.9, 0, 0, 0])[:3, :3] @ np.diag([1, -1, 1])
    grid = grid_around((24, 22, 20), (1.5, 1.7, 1.9), rotation)
    index = np.stack(np.meshgrid(*map(np.arange, grid.array_shape), indexing="ij")[::-1], axis=-1)
    points = apply(grid.patient_from_index, index.astype(float)) - [2, -1, 3]
    stretched = points / [5.0, 6.0, 4.0]
    return Density(torch.as_tensor(np.exp(-(stretched**2).sum(axis=-1) / 2)), grid)


SMOOTH_VIEW = CArm(1000.0, 700.0, 33, 24, 11).camera((31, 21), (1.7, 2.3), (13.3, 11.6))
# rad, mm: about 1e-6 mm across the rays at the body, 700 mm away and 10 mm beside the central ray.
# Derivatives jump where a sample crosses a voxel plane; within so little hardly any does.
STEPS = np.array([1e-9, 1e-9, 1e-7, 1e-6, 1e-6, 1e-4])


def central_differences(function, camera):
    """Derivatives [row, column, 6] of an image by a twist on the left of camera_from_patient."""
    columns = []
    for step, twist in zip(STEPS, np.diag(STEPS), strict=True):
        there, back = (camera.moved(exp_se3(sign * twist) @ camera.camera_from_patient) for sign in (1, -1))
        columns.append((function(there) - function(back)) / (2 * step))
    return torch.stack(columns, dim=-1)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_pose_jacobian_is_the_central_difference_to_a_millionth(projector):
    density = blob()
    image, jacobian = render_with_pose_jacobian(density, SMOOTH_VIEW, **quadrature(projector, 0.7))
    torch.testing.assert_close(image, render(density, SMOOTH_VIEW, **quadrature(projector, 0.7)))
    expected = central_differences(
        lambda camera: render(density, camera, **quadrature(projector, 0.7)), SMOOTH_VIEW
    )
    assert jacobian.shape == (21, 31, 6)
    for found_by, expected_by in zip(jacobian.unbind(-1), expected.unbind(-1), strict=True):
        assert expected_by.norm() > 0.1
        assert (found_by - expected_by).norm() < 1e-6 * expected_by.norm()


@pytest.mark.parametrize("projector", PROJECTORS)
def test_autograd_by_the_pose_is_the_jacobian(projector):
    density = blob()
    weights = torch.as_tensor(np.random.default_rng(1).random((21, 31)))
    pose = torch.tensor(SMOOTH_VIEW.camera_from_patient, requires_grad=True)
    image = render(density, SMOOTH_VIEW, camera_from_patient=pose, **quadrature(projector, 0.7))
    (by_pose,) = torch.autograd.grad((weights * image).sum(), pose)
    # d exp(twist) at 0 is a generator: the derivative by twist n is <by_pose, generator_n @ pose>.
    generators = [(exp_se3(t * 1e-6) - exp_se3(-t * 1e-6)) / 2e-6 for t in np.eye(6)]
    found = [float((by_pose * torch.as_tensor(g @ pose.detach().numpy())).sum()) for g in generators]
    _, jacobian = render_with_pose_jacobian(density, SMOOTH_VIEW, **quadrature(projector, 0.7))
    expected = torch.einsum("rc,rcn->n", weights, jacobian).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("projector", PROJECTORS)
def test_autograd_by_the_volume_is_the_central_difference_of_every_voxel(projector):
    density = random_density(size=(5, 4, 3))
    camera = CArm(1000.0, 700.0, 33, 24, 11).camera((13, 9), (1.3, 1.9), (5.3, 4.6))
    weights = torch.as_tensor(np.random.default_rng(1).random((9, 13)))

    def weighted(values):
        return (weights * render(Density(values, density.grid), camera, projector=projector)).sum()

    values = density.values.clone().requires_grad_()
    (found,) = torch.autograd.grad(weighted(values), values)
    expected = torch.zeros_like(found)
    for place in np.ndindex(*found.shape):
        step = torch.zeros_like(found)
        step[place] = 0.5  # the DRR is linear in the volume: any step is exact
        expected[place] = weighted(density.values + step) - weighted(density.values - step)
    assert (expected > 0).sum() > 40
    assert (found - expected).norm() < 1e-6 * expected.norm()


# --- Structures ---


@pytest.fixture(scope="module")
def labelled():
    """Attenuation and three structures, label 2 a box of 8 x 6 x 5 voxels, and a fourth not asked for."""
    density = random_density(size=(20, 18, 16))
    labels = torch.zeros(16, 18, 20, dtype=torch.int16)
    labels[:8, :9, :10] = 1
    labels[9:14, 10:16, 11:19] = 2
    labels[10:, 2:7, 3:9] = 7
    return density, labels


@pytest.mark.parametrize("soft", [True, False])
def test_structures_and_background_add_up_to_the_whole(labelled, soft):
    density, labels = labelled
    channels = render_labels(labels, density, OBLIQUE_VIEW, (0, 1, 2, 7), soft=soft)
    assert channels.shape == (4, 21, 31)
    whole = render_labels(torch.ones_like(labels), density, OBLIQUE_VIEW, (1,), soft=soft)[0]
    torch.testing.assert_close(channels.sum(dim=0), whole, rtol=1e-10, atol=1e-10)
    if soft:
        torch.testing.assert_close(whole, render(density, OBLIQUE_VIEW), rtol=1e-10, atol=1e-10)
    else:  # nearest sampling, four times per slice, of what Siddon integrates exactly
        exact = render(density, OBLIQUE_VIEW, projector="siddon")
        assert (whole - exact).norm() < 0.03 * exact.norm()


def test_a_soft_channel_is_the_drr_of_the_masked_volume(labelled):
    density, labels = labelled
    found = render_labels(labels, density, OBLIQUE_VIEW, (2,))[0]
    masked = Density(density.values * (labels == 2), density.grid)
    torch.testing.assert_close(found, render(masked, OBLIQUE_VIEW))


def test_what_is_not_asked_for_is_left_out_and_channels_keep_the_order_asked(labelled):
    density, labels = labelled
    every = render_labels(labels, density, OBLIQUE_VIEW, (0, 1, 2, 7))
    some = render_labels(labels, density, OBLIQUE_VIEW, (7, 1))
    torch.testing.assert_close(some, every[[3, 1]])


def test_a_label_that_is_not_there_is_an_empty_channel(labelled):
    density, labels = labelled
    channels = render_labels(labels, density, OBLIQUE_VIEW, (2, 40))
    assert channels[0].max() > 1
    assert (channels[1] == 0).all()


def test_with_ones_a_hard_structure_has_the_lengths_of_its_box(labelled):
    density, labels = labelled
    ones = Density(torch.ones_like(density.values), density.grid)
    # Voxels i 11..18, j 10..15, k 9..13 of 1.5 x 2 x 2.5 mm: 12 x 12 x 12.5 mm about index (14.5, 12.5, 11).
    middle = apply(density.grid.patient_from_index, np.array([14.5, 12.5, 11]))
    expected = chords(Box(translation(middle), (6.0, 6.0, 6.25)), OBLIQUE_VIEW)
    found = render_labels(labels, ones, OBLIQUE_VIEW, (2,), soft=False)[0]
    assert expected.max() > 12
    # Entry and exit are each seen to half a sample; four to a slice, here less than 3 mm of ray.
    np.testing.assert_allclose(found, expected, atol=3 / 4)


# --- Simulated X-rays ---


# Soft tissue (0 HU), 40 mm thick; in it a rod of bone (1000 HU), 10 mm, on the patient's left.
SIMULATED_VIEW = CArm(1000.0, 700.0, 0, 0).camera((40, 40), (1.0, 1.0))
QUIET = Detector(photons=1e14, scatter_to_primary=0.0, detector_blur_mm=0.01, gamma=1.0)


def phantom(bone_mm=10):
    hu = np.full((40, 40, 40), 0, np.float32)
    hu[:, 20 - bone_mm // 2 : 20 + bone_mm // 2, 28:34] = 1000
    return Volume(hu, grid_around((40, 40, 40), 1.0))


OPEN = np.ones((40, 40), dtype=bool)


def test_a_simulated_xray_is_the_same_for_the_same_seed_and_no_other():
    detector = Detector(photons=1000.0, scatter_blur_mm=5.0, seed=3)
    first, again = (simulate_xray(phantom(), SIMULATED_VIEW, detector, OPEN) for _ in range(2))
    other = simulate_xray(
        phantom(), SIMULATED_VIEW, Detector(photons=1000.0, scatter_blur_mm=5.0, seed=4), OPEN
    )
    assert first.shape == (40, 40)
    assert first.dtype == np.uint16
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


def test_a_simulated_xray_is_darker_behind_bone_and_the_bone_is_on_the_left():
    # The rod lies 8 to 14 mm to the patient's left, about 11 * 1000 / 700 = 16 pixels left of the middle.
    image = simulate_xray(phantom(), SIMULATED_VIEW, Detector(scatter_blur_mm=5.0), OPEN).astype(float)
    bone, tissue = image[5:35, 2:6], image[5:35, 12:28]
    assert bone.mean() < 0.9 * tissue.mean()
    assert image[5:35].mean(axis=0).argmin() in range(1, 7)


def test_nothing_in_the_beam_is_the_brightest_value():
    air = Volume(np.full((4, 4, 4), -1000, np.float32), grid_around((4, 4, 4), 1.0))
    assert (simulate_xray(air, SIMULATED_VIEW, QUIET, OPEN) == 2**14 - 1).all()


def test_a_simulated_beam_hardens():
    # -ln of the intensity through water, 40 mm: near 40 * 0.0193 = 0.772 at 70 keV, more for the softer
    # beam; twice the bone adds less than twice.
    def depth(bone_mm):
        image = simulate_xray(phantom(bone_mm), SIMULATED_VIEW, QUIET, OPEN) / (2**14 - 1)
        return -np.log(image[20, 4]), -np.log(image[20, 20])

    none, water = depth(0)
    assert 1.0 < water / (40 * WATER_PER_MM) < 1.15
    once, twice = depth(10)[0] - none, depth(20)[0] - none
    assert once > 10 * WATER_PER_MM
    assert 1.7 < twice / once < 1.99


def test_masked_corners_of_a_simulated_xray_are_dark_but_for_scatter():
    rows, columns = np.indices((40, 40))
    round_field = np.hypot(rows - 19.5, columns - 19.5) < 18
    corner = np.hypot(rows - 19.5, columns - 19.5) > 24
    without = simulate_xray(phantom(), SIMULATED_VIEW, QUIET, round_field)
    assert (without[corner] == 0).all()
    scattering = Detector(scatter_blur_mm=5.0)
    with_scatter = simulate_xray(phantom(), SIMULATED_VIEW, scattering, round_field)
    assert with_scatter[corner].mean() > 0
    assert with_scatter[corner].mean() < 0.3 * with_scatter[15:25, 15:25].mean()
