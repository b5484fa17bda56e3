"""A small registration with numbers that can be followed by hand, on Slicer's real MRML."""

import numpy as np
import pytest
from xrayreg.geometry import Camera, CArm, inverse
from xrayreg.images import Grid, LabelMap, Markup, Volume, Xray
from xrayreg.register import RegisteredView, Registration

FRONTAL_SIZE = (64, 120)
FRONTAL_K = np.array([[2000.0, 0, 30], [0, 4000, 100], [0, 0, 1]])
"""1000 mm to the detector, pixels of 0.5 x 0.25 mm, principal point far off centre."""

PATIENT_FROM_FRONTAL = np.array([[1.0, 0, 0, 10], [0, 0, 1, -700], [0, -1, 0, 20], [0, 0, 0, 1]])
"""Source in front of the patient at LPS (10, -700, 20), beam to the back, image rows towards the feet."""


@pytest.fixture
def opened():
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from XrayRegistrationLib.headless import headless

    with headless() as opened:
        yield opened


@pytest.fixture(scope="session")
def opengl():
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from XrayRegistrationLib.offscreen import opengl_problem

    problem = opengl_problem()
    if problem:
        pytest.skip(problem)


@pytest.fixture
def volume() -> Volume:
    """12 x 10 x 8 voxels whose value tells their index; anisotropic, left-handed (i runs to the right)."""
    grid = Grid((12, 10, 8), np.array([[-2.0, 0, 0, 21], [0, 3, 0, -15], [0, 0, 4, 5], [0, 0, 0, 1]]))
    k, j, i = np.meshgrid(np.arange(8), np.arange(10), np.arange(12), indexing="ij")
    return Volume((100 * k + 10 * j + i - 500).astype(np.float32), grid, "preop CT")


@pytest.fixture
def labels() -> LabelMap:
    """Two boxes on a grid of their own (1 mm, right-handed, not the volume's)."""
    grid = Grid((30, 30, 30), np.array([[1.0, 0, 0, -5], [0, 1, 0, -15], [0, 0, 1, 5], [0, 0, 0, 1]]))
    array = np.zeros((30, 30, 30), np.uint8)
    array[2:12, 4:16, 6:26] = 7
    array[18:28, 4:16, 6:26] = 9
    return LabelMap(array, grid, {7: "vertebra_T8", 9: "vertebra_T7"})


@pytest.fixture
def registration(volume) -> Registration:
    frontal = Camera(FRONTAL_SIZE, FRONTAL_K, inverse(PATIENT_FROM_FRONTAL), 1000.0)
    oblique = CArm(1100, 780, 60, 10, 5, isocenter=(10, -1, 20)).camera((80, 60), (0.5, 0.5), (35, 33))
    views = []
    for name, camera in (("frontal", frontal), ("oblique", oblique)):
        rows, columns = np.mgrid[: camera.size[1], : camera.size[0]]
        image = (rows + columns / 1000).astype(np.float32)
        xray = Xray(image, camera, np.ones(image.shape, bool), name)
        views.append(RegisteredView(xray, camera, 0.97, 0.5))
    return Registration(volume, tuple(views), {"total": 1.0})


@pytest.fixture
def drrs(registration) -> dict[str, np.ndarray]:
    return {view.name: view.xray.line_integrals * 2 for view in registration.views}


@pytest.fixture
def markups() -> tuple[Markup, ...]:
    points = np.array([[10.0, -1, 20], [12, 3, 25], [9, 2, 30]])
    return (
        Markup("entry", "points", points, ("a", "b", "c")),
        Markup("screw", "line", points[:2], ("head", "tip")),
        Markup("rod", "curve", points, ("", "", "")),
    )


@pytest.fixture
def result(opened, registration, drrs, labels, markups):
    """The result node of everything above in ``opened.scene``."""
    from finding import add_registration, layers_of

    layers = {view.name: layers_of(view.camera, drrs[view.name]) for view in registration.views}
    return add_registration(opened.scene, registration, layers, segmentation=labels, markups=markups)
