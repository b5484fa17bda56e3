"""The compiled engine against the reference: values, derivatives, transposes, structures, odd views.

Where both hold the volume in float32 they integrate the same thing, and agree to 1e-5 in the norm. A
volume that is not learned is packed in 16 bits: its derivatives agree to 1e-3.
"""

import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.geometry import CArm, ParallelCamera, exp_se3, translation
from xrayreg.images import Grid, read_volume
from xrayreg.render import Density, engines, render, render_bodies, render_labels, render_with_pose_jacobian
from xrayreg.render.memory import Memory
from xrayreg.render.views import views_of

numba = pytest.importorskip("numba")

from xrayreg.render import cpu  # noqa: E402
from xrayreg.render.cpu.kernels import integrate, scratch_for  # noqa: E402

EXACT, PACKED = 1e-5, 1e-3

VIEW = CArm(1000.0, 700.0, 33, 24, 11).camera((31, 21), (3.0, 4.5), (13.3, 11.6))

VIEWS = {
    "oblique": VIEW,
    "along j": CArm(1000.0, 700.0, 0, 0).camera((31, 21), (3.0, 4.5), (13.3, 11.6)),
    "along i": CArm(1000.0, 700.0, 90, 0).camera((31, 21), (3.0, 4.5), (13.3, 11.6)),
    "along k, nearly": CArm(1000.0, 700.0, 10, 85).camera((31, 21), (3.0, 4.5), (13.3, 11.6)),
    "45 degrees: two axes in one image": CArm(1000.0, 700.0, 45, 3).camera((31, 21), (3.0, 4.5)),
    "over a corner": CArm(1000.0, 700.0, 45, 35).camera((31, 21), (3.0, 4.5), (13.3, 11.6)),
    "grazing a face": CArm(1000.0, 700.0, 0, 0, 0, (0, 0, 33.0)).camera((31, 21), (1.0, 1.0)),
    "source inside": CArm(1000.0, 12.0, 20, 10).camera((31, 21), (40.0, 40.0)),
    "source just inside": CArm(1000.0, 32.7, 0, 0).camera((31, 21), (20.0, 20.0), (13.3, 11.6)),
    "parallel": ParallelCamera((31, 21), (2.0, 3.0), (14.2, 9.7), VIEW.camera_from_patient),
    "parallel, origin inside": ParallelCamera((31, 21), (2, 3), (14.2, 9.7), exp_se3([0.3, 0.2, 0, 0, 0, 0])),
}  # fmt: skip


def density(size=(40, 33, 27), seed=0, learned=False):
    """Smooth random values, some of them negative, on an anisotropic left-handed grid."""
    values = torch.as_tensor(np.random.default_rng(seed).normal(0.3, 1, size[::-1]), dtype=torch.float32)
    for axis in range(3):
        values = (values + values.roll(1, axis)) / 2
    affine = np.diag([-1.5, 2.0, 2.5, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(size) - 1) / 2)
    return Density(values.requires_grad_(learned), Grid(size, affine))


def double(body):
    return Density(body.values.detach().double(), body.grid)


def assert_close(found, expected, part):
    found, expected = found.detach().double(), expected.detach().double()
    assert expected.norm() > 0
    assert (found - expected).norm() <= part * expected.norm()


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize(("learned", "part"), [(True, EXACT), (False, PACKED)])
def test_values_and_jacobian_are_those_of_the_reference(name, learned, part):
    body = density(learned=learned)
    image, jacobian = render_with_pose_jacobian(body, VIEWS[name])
    expected, expected_jacobian = render_with_pose_jacobian(double(body), VIEWS[name])
    assert image.shape == (21, 31)
    assert image.dtype == torch.float32
    assert_close(image, expected, min(part, 1e-4))
    for found_by, expected_by in zip(jacobian.unbind(-1), expected_jacobian.unbind(-1), strict=True):
        if expected_by.norm() > 1e-9 * expected_jacobian.norm():  # parallel rays do not see the depth
            assert_close(found_by, expected_by, part)
    assert_close(render(body, VIEWS[name]), image, 1e-6)


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 40, 3), (2, 9, 17), (64, 8, 8)])
@pytest.mark.parametrize("name", ["oblique", "along i", "over a corner"])
def test_small_and_thin_volumes(size, name):
    body = density(size, learned=True)
    with torch.no_grad():
        body.values.add_(1)
    image, jacobian = render_with_pose_jacobian(body, VIEWS[name])
    expected, expected_jacobian = render_with_pose_jacobian(double(body), VIEWS[name])
    assert_close(image, expected, EXACT)
    assert_close(jacobian, expected_jacobian, EXACT)


def test_a_ray_along_an_axis_through_voxel_centres_has_the_derivatives_from_the_right():
    body = density((9, 7, 5), learned=True)
    camera = CArm(1000.0, 700.0, 0, 0).camera((1, 1), (1.0, 1.0))
    assert_close(*(render_with_pose_jacobian(b, camera)[1] for b in (body, double(body))), EXACT)


def test_an_empty_volume_and_one_that_is_missed_are_black():
    empty = Density(torch.zeros(5, 6, 7), density((7, 6, 5)).grid)
    assert (render(empty, VIEW) == 0).all()
    away = VIEW.moved(translation([5000, 0, 0]) @ VIEW.camera_from_patient)
    image, jacobian = render_with_pose_jacobian(density(), away)
    assert (image == 0).all()
    assert (jacobian == 0).all()
    behind = VIEW.moved(translation([0, 0, -700]))
    assert (render(density(), behind) == 0).all()


def test_the_real_chest_packed_in_16_bits(data):
    body = Density.from_volume(read_volume(data / "chest_ct" / "cxr.nii.gz"))
    centre = tuple(body.grid.centre_patient)
    camera = CArm(1020.0, 850.0, 30, 20, 0, centre).camera((24, 20), (17.0, 20.0))
    image, jacobian = render_with_pose_jacobian(body, camera)
    expected, expected_jacobian = render_with_pose_jacobian(double(body), camera)
    assert_close(image, expected, EXACT)
    for found_by, expected_by in zip(jacobian.unbind(-1), expected_jacobian.unbind(-1), strict=True):
        assert_close(found_by, expected_by, PACKED)


# --- Derivatives through torch ---


@pytest.mark.parametrize("name", VIEWS)
def test_the_volume_gradient_is_the_transpose(name):
    # <render(x), y> = <x, transpose(y)> for any x and y.
    body = density(learned=True)
    weights = torch.as_tensor(np.random.default_rng(1).normal(size=(21, 31)), dtype=torch.float32)
    image = render(body, VIEWS[name])
    (by_volume,) = torch.autograd.grad((image * weights).sum(), body.values)
    there = (image.detach().double() * weights).sum()
    back = (body.values.detach().double() * by_volume).sum()
    scale = image.detach().double().norm() * weights.norm()
    assert abs(there - back) < 1e-6 * scale
    reference = double(body)
    reference.values.requires_grad_()
    (expected,) = torch.autograd.grad((render(reference, VIEWS[name]) * weights).sum(), reference.values)
    assert_close(by_volume, expected, EXACT)


@pytest.mark.parametrize("name", VIEWS)
def test_the_pose_gradient_is_that_of_the_reference_along_every_twist(name):
    body = density(learned=True)
    weights = torch.as_tensor(np.random.default_rng(1).normal(size=(21, 31)))
    start = torch.as_tensor(VIEWS[name].camera_from_patient)

    def by_twist(volume):
        # Through a pose made from a twist, as networks make theirs.
        twist = torch.zeros(6, dtype=torch.float64, requires_grad=True)
        x, y, z = twist[:3]
        zero = torch.zeros_like(x)
        rows = [[zero, -z, y, twist[3]], [z, zero, -x, twist[4]], [-y, x, zero, twist[5]], [zero] * 4]
        generator = torch.stack([torch.stack(row) for row in rows])
        pose = torch.linalg.matrix_exp(generator) @ start
        image = render(volume, VIEWS[name], camera_from_patient=pose)
        (gradient,) = torch.autograd.grad((image * weights).sum(), twist)
        return gradient

    found, expected = by_twist(body), by_twist(double(body))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_a_volume_can_be_learned_from_its_drrs():
    truth = density((12, 11, 10))
    cameras = [CArm(1000.0, 700.0, angle, 10).camera((21, 19), (2.0, 2.0)) for angle in (0, 40, 80, 120)]
    images = render(truth, cameras)
    learned = Density(torch.zeros_like(truth.values, requires_grad=True), truth.grid)
    optimiser = torch.optim.Adam([learned.values], lr=0.05)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = (render(learned, cameras) - images).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.01 * losses[0]


# --- Batches, parts of images, bodies, structures ---


def test_a_batch_is_its_views_one_by_one():
    body = density()
    cameras = [VIEW, CArm(900.0, 600.0, -20, 5).camera((31, 21), (2.0, 3.0)), VIEWS["along i"]]
    images, jacobians = render_with_pose_jacobian(body, cameras)
    assert images.shape == (3, 21, 31)
    for number, camera in enumerate(cameras):
        image, jacobian = render_with_pose_jacobian(body, camera)
        torch.testing.assert_close(images[number], image)
        torch.testing.assert_close(jacobians[number], jacobian)
    poses = torch.as_tensor(np.stack([camera.camera_from_patient for camera in cameras]))
    by_poses = render(body, VIEW, camera_from_patient=poses)
    torch.testing.assert_close(by_poses[2], render(body, VIEW.moved(cameras[2].camera_from_patient)))
    assert render(body, [VIEW]).shape == (1, 21, 31)


def test_a_part_of_an_image_and_a_list_of_pixels_are_those_of_the_whole():
    body = density()
    whole, jacobian = render_with_pose_jacobian(body, VIEW)
    part = render(body, VIEW.cropped((5, 3), (20, 11)))
    torch.testing.assert_close(part, whole[3:14, 5:25])
    pixels = np.array([(0, 0), (30, 20), (13, 11), (14, 9), (13, 11)])
    some, some_jacobian = render_with_pose_jacobian(body, VIEW, pixels=pixels)
    torch.testing.assert_close(some, whole[pixels[:, 1], pixels[:, 0]])
    torch.testing.assert_close(some_jacobian, jacobian[pixels[:, 1], pixels[:, 0]])
    between = render(body, VIEW, pixels=np.array([(13.5, 11.25)]))
    assert_close(between, render(double(body), VIEW, pixels=np.array([(13.5, 11.25)])), 1e-4)


def test_images_larger_than_a_tile_have_no_seams():
    body = density()
    camera = CArm(1000.0, 700.0, 40, 3).camera((230, 210), (0.5, 0.5))
    assert_close(render(body, camera), render(double(body), camera), EXACT)


def test_subsamples_average_the_rays_of_a_pixel():
    body, fine = density(), CArm(1000.0, 700.0, 33, 24).camera((62, 42), (1.5, 2.25))
    found = render(body, fine.binned(2), subsamples=2)
    expected = torch.nn.functional.avg_pool2d(render(body, fine)[None], 2)[0]
    torch.testing.assert_close(found, expected)


def test_bodies_move_on_their_own_and_add_up():
    bodies = [density(), density((12, 13, 14), seed=3)]
    motions = torch.as_tensor(np.stack([np.eye(4), exp_se3([0.1, 0.2, -0.1, 8, -5, 3])]))
    image, jacobians = render_bodies(bodies, VIEW, motions)
    pose = VIEW.camera_from_patient @ motions[1].numpy()
    alone, by_second = render_with_pose_jacobian(bodies[1], VIEW.moved(pose))
    torch.testing.assert_close(image, render(bodies[0], VIEW) + alone)
    assert jacobians.shape == (2, 21, 31, 6)
    torch.testing.assert_close(jacobians[1], by_second)


@pytest.mark.parametrize("soft", [True, False])
@pytest.mark.parametrize("name", ["oblique", "over a corner", "source inside", "parallel"])
def test_structures_are_those_of_the_reference(soft, name):
    body = density()
    labels = torch.zeros(body.grid.array_shape, dtype=torch.int32)
    labels[4:20, 5:30, 3:18] = 1
    labels[10:25, 8:20, 18:35] = 5
    found = render_labels(labels, body, VIEWS[name], (5, 1), soft=soft)
    expected = render_labels(labels, double(body), VIEWS[name], (5, 1), soft=soft)
    assert found.shape == (2, 21, 31)
    # A hard sample next to a face may fall to either side by rounding.
    assert_close(found, expected, EXACT if soft else 5e-3)
    batch = render_labels(labels, body, [VIEWS[name]] * 2, (5,), soft=soft)
    torch.testing.assert_close(batch[1, 0], found[0])


# --- Safety ---


def test_nan_is_refused():
    values = density().values.clone()
    values[3, 4, 5] = torch.nan
    with pytest.raises(InputError, match="NaN"):
        Density(values, density().grid)


def test_a_volume_that_does_not_fit_its_grid_is_refused():
    with pytest.raises(InputError, match="does not fit the grid"):
        Density(torch.zeros(3, 4, 5), density().grid)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cameras": []}, "no camera"),
        ({"cameras": [VIEW, VIEW.binned(2)]}, "different sizes"),
        ({"camera_from_patient": torch.full((4, 4), torch.nan)}, "not a rigid"),
        ({"camera_from_patient": 2 * torch.eye(4)}, "not a rigid"),
        ({"cameras": [VIEW] * 2, "camera_from_patient": torch.eye(4).expand(3, 4, 4)}, "do not fit 3"),
        ({"pixels": np.zeros((0, 2))}, r"\(R, 2\)"),
        ({"pixels": np.array([[np.nan, 1]])}, "finite"),
        ({"step_mm": 1.0}, "has no step"),
        ({"projector": "splat"}, "unknown projector"),
    ],
)  # fmt: skip
def test_views_that_cannot_be_rendered_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        render(density(), **{"cameras": VIEW, **arguments})


def test_more_than_two_to_the_31_voxels_are_counted_right():
    # 130 x 4097 x 520 x 8 shorts, of which the system gives only the pages that are touched.
    slabs = np.zeros((130, 4097, 520, 8), np.int16)
    assert slabs.size > 2**31
    slabs[129, 4090, 510, 2] = 100  # slice 1034 along k, p = i, q = j
    grid = Grid((4097, 520, 1040), np.eye(4))
    camera = ParallelCamera((1, 1), (1.0, 1.0), (0, 0), translation([-4090, -510, 0]))
    views = views_of(camera)
    ((_, axis, view, _),) = cpu._passes(grid, views)
    image = np.zeros(1, np.float32)
    where = ((0, 0), (1, 1), 1, True, np.zeros((0, 2)))
    integrate(slabs, grid.size, 0.5, axis, view, False, *where, image, None, scratch_for(1))
    assert image[0] == pytest.approx(50)


def test_many_threads_may_render_at_once():
    body, cameras = density(), list(VIEWS.values())[:6]
    expected = [render(body, camera) for camera in cameras]
    found = [None] * 24

    def work(number):
        found[number] = render(body, cameras[number % 6])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, image in enumerate(found):
        torch.testing.assert_close(image, expected[number % 6])


def test_without_numba_torch_serves_and_warns_once():
    code = """
import sys, warnings
sys.modules["numba"] = None  # as if it were not installed
import torch
from xrayreg.geometry import CArm
from xrayreg.images import Grid
from xrayreg.render import Density, render
camera = CArm(1000.0, 700.0, 33, 24).camera((5, 4), (3.0, 3.0))
affine = [[1, 0, 0, -4], [0, 1, 0, -4], [0, 0, 1, -3], [0, 0, 0, 1]]
density = Density(torch.ones(6, 7, 8), Grid((8, 7, 6), affine))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    images = [render(density, camera) for _ in range(3)]
print(len([w for w in caught if "numba" in str(w.message)]), float(images[0].max()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    warned, peak = done.stdout.split()
    assert warned == "1"
    assert float(peak) == pytest.approx(8.5, abs=1.5)


def test_float64_goes_to_the_reference_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert engines.compiled_engine(torch.zeros(1, dtype=torch.float64)) is None
        assert engines.compiled_engine(torch.zeros(1)) is cpu


# --- What is remembered ---


def test_a_changed_volume_is_prepared_anew():
    body = density()
    before = render(body, VIEW)
    body.values.mul_(2)
    torch.testing.assert_close(render(body, VIEW), 2 * before, rtol=1e-4, atol=1e-3)


def test_the_memory_keeps_what_was_used_last_within_its_bound_and_forgets_with_the_tensor():
    memory = Memory(bound_bytes=100)
    made = []

    def prepare(values, name, size):
        return memory.get(values, name, lambda: (made.append(name) or name, size))

    first, second = torch.zeros(1), torch.zeros(1)
    prepare(first, "a", 40)
    prepare(first, "b", 40)
    prepare(first, "a", 40)  # remembered, and now used last
    assert made == ["a", "b"]
    prepare(second, "c", 40)  # b goes
    assert memory.used_bytes == 80
    prepare(first, "a", 40)
    assert made == ["a", "b", "c"]
    prepare(first, "b", 40)
    assert made == ["a", "b", "c", "b"]
    prepare(second, "huge", 1000)  # alone too large: kept, and nothing else
    assert memory.used_bytes == 1000
    del second
    assert memory.used_bytes == 0
    prepare(first, "a", 40)
    first += 1
    prepare(first, "a", 40)
    assert made[-2:] == ["a", "a"]
