"""Soft tissue in overlapping cells that are shifted each."""

import numpy as np
import pytest
import torch
from xrayreg.geometry import CArm, translation
from xrayreg.images import Grid, Volume
from xrayreg.register.bodies import _averaged
from xrayreg.register.tissue import Tissue, in_cells
from xrayreg.render import Density, render

SPACING = 4.0


@pytest.fixture(scope="module")
def rest():
    """Lumps in 288 x 240 x 200 mm, on a grid that is not along the patient's axes."""
    rng = np.random.default_rng(0)
    k, j, i = np.indices((50, 60, 72))
    values = np.zeros(k.shape, np.float32)
    for _ in range(40):
        middle, half = rng.uniform(10, 40, 3), rng.uniform(4, 9)
        values += 0.01 * np.exp(
            -((k - middle[0]) ** 2 + (j - middle[1]) ** 2 + (i - middle[2]) ** 2) / half**2
        )
    affine = np.eye(4)
    affine[:3, :3] = SPACING * np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    affine[:3, 3] = [120, -150, -90]
    return Density(torch.from_numpy(values), Grid((72, 60, 50), affine))


def camera():
    return CArm(1000.0, 700.0, 30.0, 10.0).camera((90, 90), (4.0, 4.0))


def test_cells_add_up(rest):
    tissue = in_cells(rest)
    assert len(tissue) > 8
    drawn = render(tissue.moved(np.zeros((len(tissue), 3))), camera())
    whole = render(rest, camera())
    assert (drawn - whole).abs().max() < 0.02 * whole.max()


@pytest.mark.parametrize("shift", [(8.0, -4.0, 12.0), (3.1, 5.3, -9.7)])
def test_cells_shifted_alike_are_the_whole_shifted(rest, shift):
    tissue = in_cells(rest)
    moved = tissue.moved(np.tile(shift, (len(tissue), 1)))
    view = camera()
    there = view.moved(view.camera_from_patient @ translation(np.array(shift)))
    whole = render(tissue.moved(np.zeros((len(tissue), 3))), there)
    assert (render(moved, view) - whole).abs().max() < 0.02 * whole.max()
    assert (render(rest, view) - whole).abs().max() > 0.1 * whole.max()


def test_attenuation_is_kept_when_cells_part(rest):
    tissue = in_cells(rest)
    shifts = np.random.default_rng(1).normal(0, 6, (len(tissue), 3))
    total = sum(float(cell.values.sum()) for cell in tissue.cells())
    assert float(tissue.moved(shifts).values.sum()) == pytest.approx(total, rel=1e-4)


def test_smoothness_by_hand(rest):
    """Two cells: 1 / 15^2 each at all, 1 / 5^2 between them."""
    two = Tissue(rest, in_cells(rest).weights[:2], np.array([[0, 1]]))
    expected = [[1 / 225 + 0.04, -0.04], [-0.04, 1 / 225 + 0.04]]
    np.testing.assert_allclose(two.smoothness, expected, rtol=1e-12)


def test_the_remainder_is_averaged_as_a_whole(rest):
    """In slabs, the last of them not full."""
    hu = 1000 * (rest.values.numpy() / 0.0193 - 1)
    fine = Grid(rest.grid.size, rest.grid.patient_from_index @ np.diag([0.25, 0.25, 0.17, 1.0]))
    volume = Volume(hu.astype(np.float32), fine)
    whole, slabs = Density.from_volume(volume).to_spacing(2.0), _averaged(volume, -1000.0)
    assert whole.grid.size[2] < fine.size[2]
    torch.testing.assert_close(slabs.values, whole.values)
    np.testing.assert_allclose(slabs.grid.patient_from_index, whole.grid.patient_from_index)
