"""Averaged volumes are remembered by their values, not by where those lie."""

import numpy as np
import pytest
import torch
from xrayreg.images import Grid
from xrayreg.render import Density

HALVES = (2, 2, 2)


@pytest.fixture
def twice():
    """The same values on two grids: voxels of 1 mm at the origin, and of 3 mm at (100, 0, 0)."""
    values = torch.arange(64.0).reshape(4, 4, 4)
    elsewhere = np.diag([3.0, 3, 3, 1])
    elsewhere[0, 3] = 100
    return Density(values, Grid((4, 4, 4), np.eye(4))), Density(values, Grid((4, 4, 4), elsewhere))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_each_of_two_densities_of_the_same_values_keeps_its_own_grid(twice, order):
    shrunk = {number: twice[number].shrunk(HALVES) for number in order}
    # The first block's centre lies half a voxel from the first voxel's, along each axis.
    np.testing.assert_allclose(shrunk[0].grid.patient_from_index[:3, 3], [0.5, 0.5, 0.5])
    np.testing.assert_allclose(shrunk[0].grid.spacing_mm, [2, 2, 2])
    np.testing.assert_allclose(shrunk[1].grid.patient_from_index[:3, 3], [101.5, 1.5, 1.5])
    np.testing.assert_allclose(shrunk[1].grid.spacing_mm, [6, 6, 6])


def test_the_averages_are_made_once_for_the_same_values(twice):
    first, second = twice
    averages = first.shrunk(HALVES).values
    assert averages.data_ptr() != first.values.data_ptr()
    assert first.shrunk(HALVES).values is averages
    assert second.shrunk(HALVES).values is averages
    # 0 1 4 5 of the first layer, 16 17 20 21 of the next: mean 10.5; the next block 2 further.
    assert averages[0, 0].tolist() == [10.5, 12.5]


def test_equal_values_of_another_tensor_and_other_blocks_are_made_anew(twice):
    first, _ = twice
    averages = first.shrunk(HALVES).values
    assert Density(first.values.clone(), first.grid).shrunk(HALVES).values is not averages
    assert first.shrunk((4, 2, 2)).values.shape == (2, 2, 1)
    assert first.shrunk(HALVES).values is averages


def test_a_volume_being_learned_is_not_remembered(twice):
    values = twice[0].values.clone().requires_grad_()
    density = Density(values, twice[0].grid)
    first = density.shrunk(HALVES).values
    assert first.requires_grad
    assert density.shrunk(HALVES).values is not first
