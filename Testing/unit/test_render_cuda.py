"""The engine for graphics cards against the reference, on a card where there is one.

Without a card its kernels run on numba's simulator, thread by thread in Python, in a process of their own,
since numba decides on import.
"""

import importlib
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from xrayreg.geometry import Camera, CArm, ParallelCamera, exp_se3, translation
from xrayreg.images import Grid
from xrayreg.render import Density, render, render_labels, render_with_pose_jacobian
from xrayreg.render.differentiable import line_integrals as differentiable_line_integrals
from xrayreg.render.views import views_of

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
HAS_CARD = torch.cuda.is_available() and not SIMULATED
DEVICE = "cuda" if HAS_CARD else "cpu"

SIZE = (9, 8, 7)
# Turned a little against the patient's axes, with three spacings; its middle lies near the origin.
AFFINE = exp_se3([0.1, -0.2, 0.15, 0, 0, 0]) @ np.diag([1.5, 2.0, 2.5, 1]) @ translation([-4, -3.5, -3])
GRID = Grid(SIZE, AFFINE)
OBLIQUE = CArm(1000.0, 700.0, 33, 24, 11).camera((6, 5), (5.0, 6.5), (2.3, 1.6))


@pytest.fixture(scope="module")
def engine():
    if not SIMULATED and not HAS_CARD:
        pytest.skip("no NVIDIA graphics card; runs on numba's simulator in test_on_the_simulator")
    try:
        return importlib.import_module("xrayreg.render.cuda")
    except ImportError as problem:
        pytest.skip(str(problem))


@pytest.fixture
def values():
    return torch.rand(SIZE[::-1], generator=torch.Generator().manual_seed(1)).to(DEVICE)


def reference(values):
    """In float64, on the processor."""
    return Density(values.detach().cpu().double(), GRID)


def looking_along(axis, backwards=False):
    """A camera 300 mm from the volume whose rays advance most along an axis of the patient."""
    towards = [np.eye(3)[[1, 2, 0]], np.eye(3)[[2, 0, 1]], np.eye(3)][axis]
    if backwards:
        towards = np.diag([1, -1, -1]) @ towards
    pose = np.eye(4)
    pose[:3, :3] = towards
    return Camera((5, 4), [[100, 0, 2.2], [0, 80, 1.4], [0, 0, 1]], translation([0.3, -0.4, 300]) @ pose)


# The source in the middle of a voxel's slice, and rays to all sides: 2 pixels are 45 degrees.
INSIDE = Camera((5, 4), [[2, 0, 2.2], [0, 2, 1.4], [0, 0, 1]], translation([0.8, 0.3, -0.6]))
PARALLEL = ParallelCamera((5, 4), (3.0, 3.5), (2.2, 1.4), exp_se3([0.3, 0.4, -0.2, 1, 2, 50]))
NOWHERE = Camera((4, 3), [[100, 0, 900], [0, 100, 2], [0, 0, 1]], translation([0, 0, 300]))

CASES = {
    "oblique": (OBLIQUE, None),
    "along i": (looking_along(0), None),
    "along j": (looking_along(1), None),
    "along k": (looking_along(2), None),
    "against i": (looking_along(0, backwards=True), None),
    "source inside": (INSIDE, None),
    "parallel": (PARALLEL, None),
    "past the volume": (NOWHERE, None),
    "list of pixels": (OBLIQUE, np.array([[0.0, 0.0], [2.25, 3.5], [4.9, 1.1]])),
    "batch": ([looking_along(0), looking_along(2)], None),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


def assert_close(found, expected, part=1e-5):
    found, expected = found.cpu().double().reshape(expected.shape), expected.double()
    error = (found - expected).norm()
    assert error <= part * expected.norm(), f"{error / expected.norm():.1e} of the norm"


def test_values_and_derivatives(engine, values, case):
    cameras, pixels = case
    image, jacobian = render_with_pose_jacobian(reference(values), cameras, pixels=pixels, engine="torch")
    views = views_of(cameras, pixels=pixels)
    found, nothing = engine.line_integrals(values, GRID, views, jacobian=False)
    assert nothing is None
    assert_close(found, image)
    found, by_twist = engine.line_integrals(values, GRID, views, jacobian=True)
    assert_close(found, image)
    # Rotations and shifts have different units: none may hide behind the other.
    by_twist = by_twist.reshape(jacobian.shape)
    assert_close(by_twist[..., :3], jacobian[..., :3])
    assert_close(by_twist[..., 3:], jacobian[..., 3:])


def test_the_transpose(engine, values, case):
    cameras, pixels = case
    views = views_of(cameras, pixels=pixels)
    weights = torch.randn(views.count, views.rays, generator=torch.Generator().manual_seed(2)).to(DEVICE)
    weights[0, 1] = 0
    found = engine.by_volume(weights, GRID, views)
    density = Density(reference(values).values.requires_grad_(), GRID)
    image = render(density, cameras, pixels=pixels, engine="torch")
    image.backward(weights.cpu().double().reshape(image.shape))
    assert_close(found, density.values.grad)
    forward, _ = engine.line_integrals(values, GRID, views, jacobian=False)
    one, other = (forward.double() * weights).sum(), (values.double() * found).sum()
    scale = (forward.double() * weights).abs().sum()
    assert abs(float(one - other)) <= 1e-5 * float(scale)


@pytest.mark.parametrize("soft", [True, False], ids=["soft", "hard"])
def test_labels(engine, values, case, soft):
    cameras, pixels = case
    labels = torch.from_numpy(np.random.default_rng(3).integers(0, 4, SIZE[::-1]))
    wanted = (2, 0, 1)
    expected = render_labels(
        labels, reference(values), cameras, wanted, soft=soft, pixels=pixels, engine="torch"
    )
    channels = torch.tensor([1, 2, 0, -1], dtype=torch.int16)[labels].to(DEVICE)
    found = engine.label_integrals(values, channels, 3, GRID, views_of(cameras, pixels=pixels), soft)
    assert_close(found, expected)


def test_more_views_than_blocks_may_lie_behind_each_other(engine, values, monkeypatch):
    monkeypatch.setattr(engine, "_MOST_BLOCKS_DEEP", 2)
    cameras = [looking_along(axis) for axis in (0, 1, 2)]
    found, _ = engine.line_integrals(values, GRID, views_of(cameras), jacobian=False)
    assert_close(found, render(reference(values), cameras, engine="torch"))


def test_gradients_reach_the_volume_and_the_pose(engine, values):
    pose = torch.as_tensor(OBLIQUE.camera_from_patient)
    mine = values.clone().requires_grad_(), pose.clone().requires_grad_()
    image = differentiable_line_integrals(engine, mine[0], GRID, views_of(OBLIQUE, mine[1]))
    image.square().sum().backward()
    theirs = reference(values).values.requires_grad_(), pose.clone().requires_grad_()
    expected = render(Density(theirs[0], GRID), OBLIQUE, camera_from_patient=theirs[1], engine="torch")
    expected.square().sum().backward()
    assert_close(mine[0].grad, theirs[0].grad)
    # Of the gradient by the matrix only the part along rigid motions is meant to agree.
    for number in range(6):
        twist = np.eye(6)[number] * 1e-6
        along = torch.as_tensor((exp_se3(twist) - exp_se3(-twist)) / 2e-6) @ pose
        one, other = ((along * gradient).sum() for gradient in (mine[1].grad, theirs[1].grad))
        assert float(one) == pytest.approx(float(other), rel=1e-4, abs=1e-4 * float(theirs[1].grad.norm()))


def test_at_a_voxel_the_derivative_is_the_one_from_the_right(engine):
    # |i - 4| in every slice; rays along k through i = 4 and beside it. Moving the patient along x moves
    # the ray the other way.
    grid = Grid(SIZE, np.eye(4))
    values = (torch.arange(9.0) - 4).abs().expand(SIZE[::-1]).contiguous().to(DEVICE)
    camera = ParallelCamera((9, 8), (1.0, 1.0), (0.0, 0.0), np.eye(4))
    pixels = np.array([[4.0, 3.0], [4.001, 3.0], [3.999, 3.0]])
    _, by_twist = engine.line_integrals(values, grid, views_of(camera, pixels=pixels), jacobian=True)
    np.testing.assert_allclose(by_twist[0, :, 3].cpu(), [-7, -7, 7], rtol=1e-5)


@pytest.mark.skipif(not HAS_CARD, reason="no NVIDIA graphics card")
def test_a_card_renders_a_whole_image_on_any_stream(engine):
    size = (96, 80, 72)
    generator = torch.Generator().manual_seed(4)
    coarse = torch.rand((1, 1, 9, 10, 12), generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size[::-1], mode="trilinear")[0, 0].contiguous()
    grid = Grid(size, np.diag([1.0, 1.1, 1.2, 1]) @ translation([-48, -40, -36]))
    camera = CArm(1000.0, 700.0, 33, 24, 11).camera((129, 97), (1.6, 1.7))
    expected = render_with_pose_jacobian(Density(smooth.double(), grid), camera, engine="torch")
    with torch.cuda.stream(torch.cuda.Stream()):
        found = render_with_pose_jacobian(Density(smooth.cuda(), grid), camera)
        found = [x.cpu() for x in found]
    assert_close(found[0], expected[0])
    # Where a ray passes within float32's reach of a voxel's edge, the two may take either side's slope.
    assert_close(found[1], expected[1], 1e-3)


def test_on_the_simulator():
    if SIMULATED:
        pytest.skip("this is the simulator")
    ended = python("-c", "import numba.cuda.simulator.kernel", simulated=True)
    if ended.returncode:
        pytest.skip(f"numba's simulator is not installed: {ended.stderr.strip().splitlines()[-1]}")
    ended = python("-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, simulated=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "passed" in ended.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a graphics card")
def test_without_a_card_the_engine_cannot_be_imported_and_is_not():
    asked = "import sys, xrayreg.render; assert 'numba' not in sys.modules; import xrayreg.render.cuda"
    ended = python("-c", asked, simulated=False)
    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines()[-1].startswith(("ImportError", "ModuleNotFoundError"))


COMPILE = """
import importlib.util, sys, types
from numba import cuda
from numba.types import Array, boolean, float32, float64, int16, int32, int64

try:
    cuda.compile_ptx(lambda x: None, (int32,), cc=(7, 5))
except Exception as problem:
    sys.exit("skip: " + str(problem).strip().replace("\\n", " ")[:200])

# By its path: its package wants a card.
package = importlib.util.find_spec("xrayreg.render").submodule_search_locations[0]
spec = importlib.util.spec_from_file_location("kernels", package + "/cuda/kernels.py")
kernels = sys.modules["kernels"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kernels)
# numba compiles functions of the device for the card that it finds.
dispatcher = sys.modules[type(kernels.integrate).__module__]
dispatcher.get_current_device = lambda: types.SimpleNamespace(compute_capability=(7, 5))

def of(kind, dimensions):
    return Array(kind, dimensions, "C")

first = (of(float32, 1), of(int32, 3), of(float64, 4), of(float32, 4), of(float64, 2))
first += (int64, int64, boolean, boolean)
for kernel, more in [
    (kernels.integrate, (of(float32, 2),)),
    (kernels.integrate_with_jacobian, (of(float32, 2), of(float32, 3))),
    (kernels.backproject, (of(float32, 2),)),
    (kernels.integrate_labels, (of(int16, 1), int64, of(float32, 3))),
]:
    ptx, _ = cuda.compile_ptx(kernel.py_func, first + more, cc=(7, 5))
    assert ".visible .entry" in ptx
    assert "call" not in ptx, "a function of the device was not inlined"
print("compiled")
"""


def test_the_kernels_compile_for_a_card_of_2018():
    ended = python("-c", COMPILE, simulated=False)
    reason = ended.stderr.strip().splitlines()[-1] if ended.stderr.strip() else ""
    if reason.startswith("skip: ") or "ModuleNotFoundError" in reason:
        pytest.skip(f"no compiler for graphics cards: {reason.removeprefix('skip: ')}")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == "compiled"


def python(*arguments, simulated):
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1" if simulated else "0"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=600
    )
