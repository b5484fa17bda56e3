"""Beams of many energies against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.geometry import CArm
from xrayreg.images import Grid, Volume, attenuation_per_mm
from xrayreg.render import (
    C_ARM_BEAM,
    IODINE_PER_MM,
    Density,
    Detector,
    Spectrum,
    materials_of,
    polyenergetic,
    render,
    render_polyenergetic,
    simulate,
    simulate_xray,
)
from xrayreg.render.spectrum import ENERGIES_KEV

AT_70 = Spectrum((70,), (1.0,))
SOFT_AND_HARD = Spectrum((50, 100), (3.0, 1.0))


def paths(**values):
    return {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}


# --- Tables ---


def test_water_and_iodine_are_those_of_the_renderer_at_70_kev():
    # 0.1929 cm2/g * 1 g/cm3 = 0.0193 per mm; 5.016 cm2/g * 0.15 g/cm3 = 0.0752 per mm.
    water = AT_70.relative_attenuation(["water"])
    np.testing.assert_array_equal(water, [[1]])
    assert pytest.approx(5.016 * 0.15 / 10, rel=1e-3) == IODINE_PER_MM


def test_ratios_are_those_of_the_published_tables():
    # NIST at 50 and 100 keV, cm2/g: water 0.2269 and 0.1707, bone 0.4242 and 0.1855; at 70: 0.1929, 0.2570.
    found = SOFT_AND_HARD.relative_attenuation(["water", "bone"])
    expected = [[0.2269 / 0.1929, 0.4242 / 0.2570], [0.1707 / 0.1929, 0.1855 / 0.2570]]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_attenuation_falls_with_energy_but_for_the_edge_of_iodine():
    every = Spectrum(ENERGIES_KEV, (1.0,) * len(ENERGIES_KEV))
    table = every.relative_attenuation(["water", "bone", "titanium", "steel", "iodine"])
    assert (np.diff(table[:, :4], axis=0) < 0).all()
    # The more protons, the steeper: water < bone < titanium < steel.
    assert (np.diff(table[1, :4]) > 0).all()
    assert table[1, 4] > 2 * table[0, 4]
    assert (np.diff(table[1:, 4]) < 0).all()


# --- Beams ---


@pytest.mark.parametrize(("energy", "relative"), [(70, 1.0), (50, 0.2269 / 0.1929)])
def test_one_energy_gives_the_line_integral(energy, relative):
    found = polyenergetic(paths(water=[0.0, 40 * 0.0193, 300.0]), Spectrum((energy,), (5.0,)))
    torch.testing.assert_close(found, torch.tensor([0.0, 0.772, 300.0]).double() * relative)
    assert float(torch.exp(-found[1])) == pytest.approx(np.exp(-0.772 * relative))


def test_two_energies_and_two_materials_are_the_closed_form():
    found = polyenergetic(paths(water=[[2.0, 0.0]], bone=[[1.0, 3.0]]), SOFT_AND_HARD)
    soft = np.array([2 * 0.2269 / 0.1929 + 0.4242 / 0.2570, 3 * 0.4242 / 0.2570])
    hard = np.array([2 * 0.1707 / 0.1929 + 0.1855 / 0.2570, 3 * 0.1855 / 0.2570])
    expected = -np.log(0.75 * np.exp(-soft) + 0.25 * np.exp(-hard))
    np.testing.assert_allclose(found.numpy(), [expected], rtol=1e-12)


def test_the_beam_hardens():
    # Every further millimetre counts less: at first the mean over the photons, in the end the hardest energy.
    thickness = torch.linspace(0, 200, 400001, dtype=torch.float64)
    slopes = polyenergetic({"bone": thickness}, SOFT_AND_HARD).diff() / thickness.diff()
    assert (slopes.diff() < 1e-9).all()
    assert float(slopes[0]) == pytest.approx((0.75 * 0.4242 + 0.25 * 0.1855) / 0.2570, rel=1e-3)
    assert float(slopes[-1]) == pytest.approx(0.1855 / 0.2570, rel=1e-3)


def test_metal_too_thick_for_any_photon_has_a_finite_integral_and_gradient():
    path = torch.tensor([500.0], requires_grad=True)
    found = polyenergetic({"steel": path}, C_ARM_BEAM)
    (gradient,) = torch.autograd.grad(found.sum(), path)
    assert float(found.detach()) == pytest.approx(500 * 0.3865 / 0.8562 - np.log(0.05), rel=1e-4)
    assert float(gradient) == pytest.approx(0.3865 / 0.8562, rel=1e-4)


def test_gradients_are_the_central_differences():
    torch.manual_seed(0)
    water, bone = (torch.rand(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(
        lambda w, b: polyenergetic({"water": w, "bone": b}, C_ARM_BEAM), (water, bone)
    )


@pytest.mark.parametrize(
    ("energies", "weights", "message"),
    [
        ((50, 65), (1, 1), "no attenuation is tabulated at 65 keV - use bins at 30, 40"),
        ((50, 60), (1,), "2 energies do not fit the weights .* - give one positive weight"),
        ((50, 60), (1, -1), "- give one positive weight"),
        ((), (), "- give one positive weight"),
    ],
)
def test_a_senseless_spectrum_is_refused(energies, weights, message):
    with pytest.raises(InputError, match=message):
        Spectrum(energies, weights)


def test_an_unknown_material_is_refused():
    with pytest.raises(InputError, match="unknown materials gold - use water, bone, steel, titanium, iodine"):
        polyenergetic(paths(water=1.0, gold=1.0), AT_70)
    with pytest.raises(InputError, match="there is no material - use water"):
        polyenergetic({}, AT_70)


# --- Volumes ---


def volume(hu):
    hu = np.asarray(hu, np.float32)
    affine = np.eye(4)
    affine[:3, 3] = -(np.array(hu.shape[::-1]) - 1) / 2
    return Volume(hu, Grid(hu.shape[::-1], affine))


def test_a_ct_is_divided_without_loss():
    ct = volume(np.array([-1024, -500, 0, 150, 475, 800, 2500, 2750, 3071, 9000]).reshape(1, 1, -1))
    parts = materials_of(ct, metal="titanium")
    assert list(parts) == ["water", "bone", "titanium"]
    attenuation = torch.from_numpy(attenuation_per_mm(ct.hu))
    torch.testing.assert_close(sum(part.values for part in parts.values()), attenuation)
    shares = [(part.values / attenuation).nan_to_num().reshape(-1).tolist() for part in parts.values()]
    np.testing.assert_allclose(shares[0], [0, 1, 1, 1, 0.5, 0, 0, 0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(shares[1], [0, 0, 0, 0, 0.5, 1, 1, 0.5, 0, 0], atol=1e-6)


def test_materials_that_are_not_there_are_left_out():
    assert list(materials_of(volume(np.full((2, 2, 2), -1000)))) == ["water"]
    assert list(materials_of(volume(np.full((2, 2, 2), 700)))) == ["water", "bone"]
    with pytest.raises(InputError, match="unknown metal 'bone' - use steel or titanium"):
        materials_of(volume(np.zeros((2, 2, 2))), metal="bone")


def view(angle, size=(24, 20), spacing=1.5):
    return CArm(1000.0, 700.0, angle, 5).camera(size, (spacing, spacing))


VIEW = view(10)


def phantom():
    """40 mm of water in air with a plate of metal and a rod of bone."""
    hu = np.full((24, 60, 24), -1000)
    hu[:, 10:50] = 0
    hu[4:12, 20:30, 4:12] = 1200
    hu[15:18, 25:40, 10:20] = 9000
    return volume(hu)


def test_a_rendered_beam_is_the_combination_of_rendered_materials():
    materials = materials_of(phantom())
    assert len(materials) == 3
    found = render_polyenergetic(materials, VIEW, projector="trilinear", step_mm=1.0)
    rendered = {
        name: render(part, VIEW, projector="trilinear", step_mm=1.0) for name, part in materials.items()
    }
    torch.testing.assert_close(found, polyenergetic(rendered, C_ARM_BEAM))
    whole = render(Density.from_volume(phantom()), VIEW)
    torch.testing.assert_close(render_polyenergetic(materials, VIEW, AT_70), whole, rtol=1e-4, atol=1e-4)


def test_iodine_is_added_on_a_grid_of_its_own():
    materials = materials_of(volume(np.zeros((20, 40, 20))))
    vessel = Density(torch.full((6, 6, 6), 0.05), Grid((6, 6, 6), np.diag([1.0, 1.0, 1.0, 1.0])))
    beam = Spectrum((50,), (1.0,))
    with_iodine = render_polyenergetic({**materials, "iodine": vessel}, VIEW, beam)
    added = with_iodine - render_polyenergetic(materials, VIEW, beam)
    assert added.max() > 0.5
    torch.testing.assert_close(added, render(vessel, VIEW) * (12.32 / 5.016), rtol=1e-4, atol=1e-4)


def test_gradients_reach_the_pose():
    pose = torch.tensor(VIEW.camera_from_patient, requires_grad=True)
    materials = materials_of(phantom())
    image = render_polyenergetic(materials, VIEW, camera_from_patient=pose)
    (gradient,) = torch.autograd.grad(image.square().sum(), pose)
    assert torch.isfinite(gradient).all()
    assert gradient.norm() > 0


@pytest.mark.parametrize("batch", [False, True])
def test_a_pixel_is_the_mean_intensity_of_its_rays(batch):
    angles = [10, -10] if batch else [10]
    cameras = [view(angle) for angle in angles] if batch else VIEW
    materials = materials_of(phantom())
    found = render_polyenergetic(materials, cameras, AT_70, subsamples=2)
    # The same detector with pixels of half the size and the same centre.
    fine = [view(angle, (48, 40), 0.75) for angle in angles]
    intensity = torch.exp(-render_polyenergetic(materials, fine, AT_70))
    blocks = intensity.reshape(len(fine), 20, 2, 24, 2).mean(dim=(2, 4))
    expected = -torch.log(blocks if batch else blocks[0])
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    # The mean of intensities is more than the intensity of the mean (Jensen), most at the metal's edge.
    means = render(Density.from_volume(phantom()), cameras, subsamples=2)
    assert (found <= means + 1e-4).all()
    assert (means - found).max() > 0.02


# --- Simulated X-rays ---


def test_a_quiet_detector_stores_the_intensity_of_the_beam():
    quiet = Detector(photons=1e14, scatter_to_primary=0.0, detector_blur_mm=0.01, gamma=1.0)
    open_field = np.ones((20, 24), bool)
    stored = simulate_xray(phantom(), VIEW, quiet, open_field) / (2**14 - 1)
    integrals = render_polyenergetic(materials_of(phantom()), VIEW, projector="trilinear", step_mm=1.0)
    np.testing.assert_allclose(stored, np.exp(-integrals.numpy()), atol=1e-4)
    finer = simulate_xray(phantom(), VIEW, replace(quiet, subsamples=2), open_field) / (2**14 - 1)
    options = {"projector": "trilinear", "step_mm": 1.0, "subsamples": 2}
    averaged = render_polyenergetic(materials_of(phantom()), VIEW, **options)
    np.testing.assert_allclose(finer, np.exp(-averaged.numpy()), atol=1e-4)
    assert 0.01 < np.abs(finer - stored).max() < 0.3


def test_a_simulated_xray_renders_only_materials_that_are_there(monkeypatch):
    rendered = []

    def counting(materials, *arguments, **options):
        rendered.append(list(materials))
        return render_polyenergetic(materials, *arguments, **options)

    monkeypatch.setattr(simulate, "render_polyenergetic", counting)
    soft = volume(np.zeros((4, 4, 4)))
    simulate_xray(soft, VIEW, Detector(), np.ones((20, 24), bool))
    assert rendered == [["water"]]
