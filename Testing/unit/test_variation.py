"""Stretched patients: numbers by hand."""

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import apply
from xrayreg.images import Grid
from xrayreg.learn import varied
from xrayreg.learn.variation import stretch

CENTRE = np.array([10.0, 20.0, 30.0])


def test_a_stretch_by_hand():
    """(20, 40, 40) lies (10, 20, 10) from the centre, and then x 1.1*10 + 0.02*20 + 0.01*10,
    y 0.02*10 + 0.9*20 + 0.03*10, z 0.01*10 + 0.03*20 + 1.0*10."""
    found = apply(stretch((1.1, 0.9, 1.0), (0.03, 0.01, 0.02), CENTRE), np.array([20.0, 40.0, 40.0]))
    np.testing.assert_allclose(found, CENTRE + [11.5, 18.5, 10.7])


def test_the_centre_stays_and_nothing_is_turned():
    matrix = stretch((1.05, 0.95, 1.02), (0.01, -0.02, 0.03), CENTRE)
    np.testing.assert_allclose(apply(matrix, CENTRE), CENTRE)
    # The nearest rotation to a symmetric positive matrix is none.
    u, _, v = np.linalg.svd(matrix[:3, :3])
    np.testing.assert_allclose(u @ v, np.eye(3), atol=1e-12)


@pytest.mark.parametrize("first_axis", [1.0, -1.0])
def test_varied_grids_keep_their_hand_and_differ(first_axis):
    grid = Grid((4, 5, 6), np.diag([first_axis, 2.0, 3.0, 1.0]))
    rng = np.random.default_rng(0)
    spacings = np.array([varied(grid, rng, CENTRE).spacing_mm / grid.spacing_mm for _ in range(200)])
    # A factor of 0.92 to 1.08, and two shears of at most 0.03: sqrt(1.08^2 + 2 * 0.03^2) = 1.081.
    assert 0.92 <= spacings.min() < 0.93
    assert 1.07 < spacings.max() <= 1.081
    assert abs(spacings.mean() - 1) < 0.01
    one, same = (varied(grid, np.random.default_rng(7), CENTRE) for _ in range(2))
    assert np.array_equal(one.patient_from_index, same.patient_from_index)
    assert one.size == grid.size
    assert one.is_left_handed == (first_axis < 0)


@pytest.mark.parametrize("factors", [(-1, 1, 1), (0, 1, 1)])
def test_mirrored_and_flattened_patients_are_refused(factors):
    with pytest.raises(InputError, match="mirror or flatten"):
        stretch(factors, (0, 0, 0), CENTRE)
