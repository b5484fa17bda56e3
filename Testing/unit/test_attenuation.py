"""Attenuation of CT with chosen contrast, of MR and of vessels, against numbers worked out by hand."""

import numpy as np
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.geometry import CArm
from xrayreg.images import WATER_PER_MM, Grid, Volume
from xrayreg.render import (
    IODINE_PER_MM,
    CtContrast,
    Density,
    ct_attenuation,
    ct_density,
    mr_density,
    random_contrast,
    render,
    vessel_density,
)


def volume(hu):
    """Voxels of 1 mm about the origin."""
    hu = np.asarray(hu, np.float32)
    affine = np.eye(4)
    affine[:3, 3] = -(np.array(hu.shape[::-1]) - 1) / 2
    return Volume(hu, Grid(hu.shape[::-1], affine))


def row(*values):
    return volume(np.array(values).reshape(1, 1, -1))


# --- CT ---


def test_the_default_contrast_is_the_definition_of_hounsfield_units():
    ct = row(-1024, -1000, -50, 0, 150, 400, 3000)
    torch.testing.assert_close(ct_density(ct).values, Density.from_volume(ct).values)
    masked = ct_density(ct, CtContrast(air_hu=-124))
    torch.testing.assert_close(masked.values, Density.from_volume(ct, above_hu=-124).values)


def test_forty_millimetres_of_water_have_their_line_integral():
    hu = np.full((20, 60, 20), -1000)
    hu[:, 10:50] = 0
    camera = CArm(1000.0, 700.0, 0, 0).camera((1, 1), (1.0, 1.0))
    assert float(render(ct_density(volume(hu)), camera)) == pytest.approx(40 * 0.0193, rel=1e-5)


def test_bone_rises_from_its_hu_by_the_gain():
    # 1150 HU: 2150 on the water line, and its 950 above 200 HU count 1.5 times more.
    found = ct_attenuation(torch.tensor([-1100.0, 0.0, 200.0, 1150.0]), CtContrast(-1000.0, 200.0, 2.5))
    expected = torch.tensor([0, 1000, 1200, 2150 + 1.5 * 950]) * WATER_PER_MM / 1000
    torch.testing.assert_close(found, expected)


def test_gradients_reach_hounsfield_units_with_the_slope_of_their_line():
    hu = torch.tensor([-1200.0, 0.0, 500.0], requires_grad=True)
    (slopes,) = torch.autograd.grad(ct_attenuation(hu, CtContrast(bone_gain=3.0)).sum(), hu)
    torch.testing.assert_close(slopes, torch.tensor([0.0, 1.0, 3.0]) * WATER_PER_MM / 1000)


def test_random_contrasts_follow_their_seed_rise_with_hu_and_reach_both_ways():
    contrasts = [random_contrast(np.random.default_rng(seed)) for seed in range(50)]
    assert contrasts[3] == random_contrast(np.random.default_rng(3))
    assert len(set(contrasts)) == 50
    hu = torch.linspace(-750, 3000, 200)
    assert all((ct_attenuation(hu, contrast).diff() > 0).all() for contrast in contrasts)
    gains = [contrast.bone_gain for contrast in contrasts]
    assert 0.67 <= min(gains) < 1 < 2 < max(gains) <= 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bone_hu_from": -1000.0}, "bone cannot begin at -1000 HU .* - choose bone_hu_from above air_hu"),
        ({"bone_gain": 0.0}, "bone_gain is 0 - choose a positive gain"),
        ({"bone_gain": np.nan}, "must be finite"),
    ],
)
def test_a_senseless_contrast_is_refused(settings, message):
    with pytest.raises(InputError, match=message):
        CtContrast(**settings)


# --- MR ---


def mr():
    """Noise of 0 to 20 in 700 voxels, tissue of 100 to 1000 in 300."""
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.uniform(0, 20, 700), np.linspace(100, 1000, 300)])
    return volume(values.reshape(10, 10, 10))


def test_the_background_of_an_mr_is_nothing_and_its_brightest_tissue_water():
    values = mr_density(mr()).values.reshape(-1)
    assert values.dtype == torch.float32
    assert (values[:700] == 0).all()
    assert (values[700:].diff() >= 0).all()
    assert float(values.max()) == pytest.approx(WATER_PER_MM)
    # Upper end 940 (of 300 tissue voxels, 20 are brighter), threshold a tenth of it: 550 is 456 of 846.
    assert float(values[849]) == pytest.approx(WATER_PER_MM * 456 / 846, rel=0.01)


def test_the_scale_of_an_mr_does_not_matter():
    scaled = Volume(37 * mr().hu - 500, mr().grid)
    torch.testing.assert_close(mr_density(scaled).values, mr_density(mr()).values, rtol=1e-4, atol=1e-7)


def test_without_a_background_noise_counts():
    assert (mr_density(mr(), background=0.0).values.reshape(-1)[:700] > 0).float().mean() > 0.9


@pytest.mark.parametrize(
    ("values", "settings", "message"),
    [
        (mr().hu, {"percentiles": (98, 2)}, r"do not rise from 0 to 100 - use for example \(2, 98\)"),
        (mr().hu, {"background": 1.0}, "background is 1 - choose a part"),
        (np.full((2, 2, 2), 7), {}, "volume: 96 % of the voxels have the value 7 - crop"),
    ],
)
def test_an_mr_without_a_window_is_refused(values, settings, message):
    with pytest.raises(InputError, match=message):
        mr_density(volume(values), **settings)


# --- Vessels ---


def test_vessels_begin_at_their_threshold_and_fill_over_the_shoulder():
    found = vessel_density(row(-1000, 199, 200, 225, 250, 300, 2000), 200.0, shoulder=100.0).values.reshape(
        -1
    )
    # A quarter of the way: 3/16 - 2/64 = 5/32.
    expected = torch.tensor([0, 0, 0, 5 / 32, 0.5, 1, 1]) * IODINE_PER_MM
    torch.testing.assert_close(found, expected)


def test_a_vessel_mask_keeps_bone_out():
    angiogram, mask = row(0, 400, 1200), np.array([True, True, False]).reshape(1, 1, 3)
    within = vessel_density(angiogram, mask=mask, per_mm=0.02).values.reshape(-1)
    torch.testing.assert_close(within, torch.tensor([0.02, 0.02, 0.0]))
    both = vessel_density(angiogram, 200.0, mask=mask, per_mm=0.02).values.reshape(-1)
    torch.testing.assert_close(both, torch.tensor([0.0, 0.02, 0.0]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "nothing says where the vessels are - give a threshold, a vessel mask or both"),
        ({"above": 1.0, "shoulder": 0.0}, "shoulder is 0 - choose a positive range"),
        ({"mask": np.ones((2, 1, 1))}, r"vessel mask \(2, 1, 1\) does not fit .* - resample it"),
    ],
)
def test_vessels_that_nothing_shows_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        vessel_density(row(0, 400), **settings)
