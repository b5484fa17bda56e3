"""Looks of simulated X-rays: each stage by numbers worked out by hand; and what a network sees of them."""

import dataclasses
import json
import math

import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.learn import beam_and_detector as chain
from xrayreg.learn.coarse import CoarseGrid
from xrayreg.learn.collimators import Apertures
from xrayreg.learn.draws import Draws
from xrayreg.learn.foreign_objects import Rods, random_rods, random_tools
from xrayreg.learn.looks import Looks, degraded
from xrayreg.learn.network_input import BOUND, CHANNELS, standardised


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def one(value: float) -> torch.Tensor:
    """A setting of one image."""
    return torch.tensor(value, dtype=torch.float64).reshape(1, 1, 1)


def only(**settings) -> Looks:
    return dataclasses.replace(Looks.none(), **settings)


def uniform(value: float, count: int = 4, side: int = 64) -> torch.Tensor:
    return torch.full((count, side, side), value, dtype=torch.float64)


def patient(count: int = 6, side: int = 64, dtype=torch.float32, phase=0.0) -> dict[str, torch.Tensor]:
    """A round body with bars of bone, in each image elsewhere."""
    place = (torch.arange(side, dtype=dtype) + 0.5) / side - 0.5
    radius2 = place[:, None] ** 2 + place**2
    water = 3 * (1 - radius2 / 0.18).clamp(min=0)
    bars = torch.sin(
        phase + torch.arange(count, dtype=dtype)[:, None, None] + 25 * place + 9 * place[:, None]
    )
    return {"water": water.expand(count, side, side).clone(), "bone": (bars - 0.3).clamp(min=0) * water}


# --- Looks as a whole ---


def test_all_stages_off_leave_the_line_integrals():
    paths = patient(dtype=torch.float64)
    result = degraded(paths, seeded(), Looks.none())
    torch.testing.assert_close(result.images, paths["water"] + paths["bone"], rtol=0, atol=1e-9)
    assert result.masks.all()


def test_line_integrals_of_one_density_count_as_water():
    water = patient()["water"]
    result = degraded(water, seeded(3), Looks())
    assert torch.equal(result.images, degraded({"water": water}, seeded(3), Looks()).images)


def test_the_same_state_gives_the_same_bits_and_another_does_not():
    first, again, other = (degraded(patient(), seeded(seed), Looks()) for seed in (7, 7, 8))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.masks, again.masks)
    assert (first.images != other.images).float().mean() > 0.9


def test_the_global_random_numbers_are_neither_used_nor_changed():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = degraded(patient(), seeded(), Looks())
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(degraded(patient(), seeded(), Looks()).images, first.images)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept_inputs_are_not_touched_and_no_gradient_is_tracked(dtype):
    paths = {name: path.requires_grad_() for name, path in patient(dtype=dtype).items()}
    before = {name: path.detach().clone() for name, path in paths.items()}
    result = degraded(paths, seeded(), Looks())
    assert result.images.dtype == dtype
    assert result.masks.dtype == torch.bool
    assert not result.images.requires_grad
    assert all(torch.equal(paths[name], before[name]) for name in paths)
    assert standardised(result.images, result.masks, 32).dtype == dtype


@pytest.mark.parametrize("value", [0.0, 200.0])
def test_extreme_bodies_give_finite_images(value):
    always = {
        field.name: 1.0 for field in dataclasses.fields(Looks) if field.name.startswith("p_")
    }  # every stage at once
    result = degraded(uniform(value, 20, 40).float(), seeded(), Looks(**always))
    assert result.images.isfinite().all()
    assert standardised(result.images, result.masks, 40).isfinite().all()


@pytest.mark.parametrize("size", [(1, 1), (9, 30), (50, 33)])
def test_any_size_of_image_goes(size):
    result = degraded(torch.rand(5, *size, generator=seeded()), seeded(), Looks())
    assert result.images.shape == result.masks.shape == (5, *size)
    assert result.images.isfinite().all()


def test_looks_go_through_json():
    looks = Looks(p_tools=0.25, tools=(2, 5), photons=(10, 1e4))
    assert Looks(**json.loads(json.dumps(dataclasses.asdict(looks)))) == looks


@pytest.mark.parametrize(
    "wrong",
    [{"p_tools": 1.5}, {"p_noise": math.nan}, {"photons": (0, 10)}, {"blur_px": (1, 0.5)},
     {"blur_px": (0, 3)}, {"ramp": (0, math.inf)}, {"tools": (1, 2, 3)}, {"opening": (0, 1)},
     {"tone_steep": (-2, 0)}],
)  # fmt: skip
def test_impossible_looks_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Looks(**wrong)


@pytest.mark.parametrize(
    "paths",
    [torch.zeros(4, 4), torch.zeros(0, 4, 4), torch.zeros(2, 4, 4, dtype=torch.int64), {},
     {"water": torch.zeros(2, 4, 4), "bone": torch.zeros(2, 4, 5)}, {"cheese": torch.zeros(2, 4, 4)}],
)  # fmt: skip
def test_what_is_no_batch_of_images_is_refused(paths):
    with pytest.raises(InputError):
        degraded(paths, seeded(), Looks())


# --- The beam ---


def test_a_beam_of_two_energies_by_the_tables():
    # NIST, cm2/g: water 0.2683, 0.1929, 0.1707 and bone 0.6655, 0.2570, 0.1855 at 40, 70, 100 keV.
    paths = {"water": uniform(2.0, 1, 3), "bone": uniform(1.5, 1, 3)}
    passed = chain.attenuated(paths, {"bone": one(0.5)}, one(40.0), one(100.0), one(0.25))
    soft = 2 * 0.2683 / 0.1929 + 0.5 * 1.5 * 0.6655 / 0.2570
    hard = 2 * 0.1707 / 0.1929 + 0.5 * 1.5 * 0.1855 / 0.2570
    expected = 0.75 * math.exp(-soft) + 0.25 * math.exp(-hard)
    torch.testing.assert_close(passed, torch.full_like(passed, expected))


def test_gains_are_of_soft_tissue_and_of_bone():
    paths = {"water": uniform(1.0), "bone": uniform(2.0)}
    at_70 = {"soft_kev": (70, 70), "hard_kev": (70, 70), "p_contrast": 1.0}
    fixed = only(**at_70, water_gain=(0.5, 0.5), bone_gain=(1.5, 1.5))
    assert degraded(paths, seeded(), fixed).images.numpy() == pytest.approx(0.5 * 1 + 1.5 * 2)
    each = degraded(paths, seeded(), only(**at_70, water_gain=(1, 1), bone_gain=(0.5, 2))).images[:, 0, 0]
    assert each.unique().numel() == 4
    assert 1 + 0.5 * 2 <= each.min() < each.max() <= 1 + 2 * 2


# --- Tools ---


def rod(**changes) -> Rods:
    settings = {"column": 30.0, "row": 20.0, "angle": 0.0, "half_length": 12.0, "radius": 5.0,
                "bend": 0.0, "taper": 0.0, "flat": 0.0, "depth": 2.0}  # fmt: skip
    return Rods(**{name: one(value) for name, value in (settings | changes).items()})


def test_a_round_rod_is_as_dense_as_its_chord_is_long():
    image = rod().line_integrals(41, 61)[0]
    assert image[20, 30] == pytest.approx(2.0)
    assert image[23, 30] == pytest.approx(2 * math.sqrt(1 - (3 / 5) ** 2))  # a chord of 8 in 10
    assert image[16, 25] == pytest.approx(2 * math.sqrt(1 - (4 / 5) ** 2))
    assert image[20, 30 + 12] == pytest.approx(2.0)
    assert image[20, 30 + 12 + 3] == pytest.approx(1.6)  # in the half disc at the end
    assert image[20, 30 + 12 + 5] == pytest.approx(0, abs=1e-6)
    assert image[26, 30] == 0


def test_rods_turn_bend_taper_and_are_cut_off_by_the_edge():
    straight = rod().line_integrals(41, 61)[0]
    turned = rod(angle=math.pi / 2, column=20.0, row=30.0).line_integrals(61, 41)[0]
    torch.testing.assert_close(turned, straight.T)
    bent = rod(bend=4.0).line_integrals(41, 61)[0]
    assert bent[20, 30] == bent[24, 30 + 12] == bent[24, 30 - 12] == pytest.approx(2.0)
    assert bent[21, 30 + 6] == pytest.approx(2.0)  # half way a quarter of the bend
    tapered = rod(taper=0.6).line_integrals(41, 61)[0]
    assert tapered[20 + 4, 30 + 12] == pytest.approx(2 * math.sqrt(1 - (4 / 8) ** 2))
    assert tapered[20 + 2, 30 - 12] == pytest.approx(0)
    cut = rod(column=-2.0).line_integrals(41, 61)[0]
    torch.testing.assert_close(cut[:, :20], straight[:, 32:52])


def test_plates_are_flat():
    image = rod(flat=1.0).line_integrals(41, 61)[0]
    assert image[20, 30] == image[24, 30] == pytest.approx(2.0)
    assert image[25, 30] == 0


def test_thin_wires_are_drawn_thicker_and_as_much_fainter():
    small, large = (
        random_rods(Draws(seeded(), torch.zeros(1)), 300, (side, side), (1.0, 1.0)) for side in (32, 3200)
    )
    assert large.radius.min() > 3200 * 0.002  # none is thin there
    assert small.radius.min() == pytest.approx(0.8)
    torch.testing.assert_close(small.depth * small.radius * 100, large.depth * large.radius)


def test_tools_only_darken_and_lie_in_the_chosen_share_of_images():
    looks = only(p_tools=0.5, tools=(1, 2), tool_depth=(3, 3))
    added = degraded(uniform(0.5, 200, 32), seeded(), looks).images - 0.5
    assert added.min() > -1e-9
    assert 2 < added.max() <= 2 * 3 + 1e-9  # two of them, one over the other
    assert 0.35 < (added.amax((1, 2)) > 0.01).float().mean() < 0.6


def test_tools_add_up_and_their_numbers_may_not_rise():
    draws = Draws(seeded(), torch.zeros(1, dtype=torch.float64))
    counts = torch.tensor([3, 1, 0])
    images = random_tools(draws, counts, (32, 32), (1.0, 1.0))
    again = Draws(seeded(), torch.zeros(1, dtype=torch.float64))
    slots = [random_rods(again, n, (32, 32), (1.0, 1.0)).line_integrals(32, 32) for n in (2, 1, 1)]
    torch.testing.assert_close(images[0], slots[0][0] + slots[1][0] + slots[2][0])
    torch.testing.assert_close(images[1], slots[0][1])
    assert not images[2].any()
    with pytest.raises(InputError):
        random_tools(draws, torch.tensor([1, 2]), (32, 32), (1.0, 1.0))


# --- The detector ---


def test_scatter_of_a_uniform_body_goes_with_its_thickness():
    looks = only(p_scatter=1.0, scatter=(0.1, 0.1))
    for thickness in (0.0, 2.0):
        image = degraded(uniform(thickness), seeded(), looks).images
        expected = thickness - math.log(1 + 0.1 * thickness)  # primary 1, scatter 0.1 for each unit
        torch.testing.assert_close(image, torch.full_like(image, expected))


def test_scatter_is_smooth_and_reaches_beyond_the_body():
    image = uniform(0.0, 1)
    image[:, :, :32] = 2.0
    grid = CoarseGrid.of(image)
    added = chain.scattered(torch.exp(-image), grid, one(0.1), one(0.1))[0]
    share = added[32, 40] / added[32, 2]  # 8 pixels or 1.25 standard deviations beside the edge
    assert share == pytest.approx(0.5 * math.erfc(1.25 / math.sqrt(2)), abs=0.02)
    assert added.diff(dim=1).abs().max() < 0.07 * added.max()  # 1 / (sqrt(2 pi) 6.4)
    assert added[32, 0] == pytest.approx(0.2 * math.exp(-2), rel=1e-3)


@pytest.mark.parametrize("width", [0.3, 1.1])
def test_blur_has_its_standard_deviation_and_loses_nothing(width):
    image = torch.zeros(1, 21, 21, dtype=torch.float64)
    image[0, 10, 8] = 1.0
    spread = chain.blurred(image, one(width))[0]
    place = torch.arange(21, dtype=torch.float64)
    assert spread.sum() == pytest.approx(1)
    assert (spread.sum(0) * (place - 8) ** 2).sum() == pytest.approx(width**2)
    assert (spread.sum(1) * (place - 10) ** 2).sum() == pytest.approx(width**2)
    torch.testing.assert_close(chain.blurred(uniform(3.0, 1, 5), one(width)), uniform(3.0, 1, 5))


@pytest.mark.parametrize("thickness", [0.0, 4.0])
def test_noise_variance_is_one_over_the_counts(thickness):
    looks = only(p_noise=1.0, photons=(400, 400))
    image = degraded(uniform(thickness), seeded(), looks).images
    assert image.std() == pytest.approx(1 / 20, rel=0.03)
    assert image.mean() == pytest.approx(thickness, abs=0.005)


def test_noise_goes_with_the_intensity():
    image = uniform(1.0, 1, 128)
    image[:, :, 64:] = 3.0  # 2 on average: e times as many photons on the left, e times fewer on the right
    noise = degraded(image, seeded(), only(p_noise=1.0, photons=(1000, 1000))).images - image
    assert noise[:, :, :64].std() == pytest.approx((1000 * math.e) ** -0.5, rel=0.04)
    assert noise[:, :, 64:].std() == pytest.approx((1000 / math.e) ** -0.5, rel=0.04)


def test_no_pixel_counts_less_than_half_a_photon():
    image = degraded(uniform(3.0), seeded(), only(p_noise=1.0, photons=(1, 1))).images
    assert image.max() == pytest.approx(3 + math.log(2))


def test_ramp_and_bowl():
    plain = chain.ramp((11, 21), one(0.6), one(0.0), one(0.0))[0]
    assert (plain[:, -1] - plain[:, 0]).numpy() == pytest.approx(0.6)
    assert plain[:, 10].numpy() == pytest.approx(0)
    turned = chain.ramp((11, 21), one(0.6), one(math.pi / 2), one(0.0))[0]
    assert (turned[-1] - turned[0]).numpy() == pytest.approx(0.6)
    bowl = chain.ramp((11, 21), one(0.0), one(0.0), one(0.2))[0]
    assert bowl[5, 10] == pytest.approx(0)
    assert bowl[5, 0] == bowl[0, 10] == pytest.approx(0.2)
    assert bowl[0, 0] == pytest.approx(0.4)


# --- The picture ---


def test_tone_curves_by_hand():
    values = torch.tensor(
        [[[-1.0, 1.0, 1.5, 2.0, 3.0, 9.0]]], dtype=torch.float64
    )  # 0, 1/4, 1/2, 1 of 1 to 3
    low, high = one(1.0), one(3.0)
    linear = chain.toned(values, low, high, one(1.0), one(0.0))[0, 0].tolist()
    assert linear == pytest.approx([1, 1, 1.5, 2, 3, 3])
    bent = chain.toned(values, low, high, one(2.0), one(0.0))[0, 0].tolist()
    assert bent == pytest.approx([1, 1, 1 + 2 * 0.4, 1 + 2 * 2 / 3, 3, 3])
    steep = chain.toned(values, low, high, one(1.0), one(1.0))[0, 0].tolist()
    assert steep == pytest.approx([1, 1, 1 + 2 * 0.15625, 2, 3, 3])  # 3/16 - 2/64


@pytest.mark.parametrize("bend", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("steep", [-0.99, 0.0, 1.0])
def test_tone_curves_never_fall(bend, steep):
    values = torch.linspace(-0.2, 1.2, 500, dtype=torch.float64).reshape(1, 1, -1)
    assert chain.toned(values, one(0.0), one(1.0), one(bend), one(steep)).diff().min() >= -1e-12


def test_the_tone_stage_clips_scales_and_shifts():
    image = torch.linspace(0, 1, 64, dtype=torch.float64).expand(1, 64, 64).clone()
    looks = only(p_tone=1.0, tone_bend=(1, 1), tone_steep=(0, 0), clip_low=(0.25, 0.25),
                 clip_high=(0.25, 0.25), gain=(2, 2), offset=(5, 5))  # fmt: skip
    shown = degraded(image, seeded(), looks).images[0, 0]
    # Means of the first and last of 16 cells of 4 pixels: 1.5/63 and 61.5/63.
    low, high = 1.5 / 63 + 0.25 * 60 / 63, 61.5 / 63 - 0.25 * 60 / 63
    assert shown[0] == shown[10] == pytest.approx(5 + 2 * low)
    assert shown[-1] == pytest.approx(5 + 2 * high)
    assert shown[32] == pytest.approx(5 + 2 * 32 / 63)


def test_flattening_takes_what_is_smooth_and_leaves_what_is_fine():
    place = torch.linspace(-0.5, 0.5, 64, dtype=torch.float64)
    smooth = torch.cos(math.pi * place).expand(1, 64, 64)
    fine = 0.2 * (1 - 2 * (torch.arange(64) % 2)).double()
    flat = chain.locally_flattened(smooth + fine, CoarseGrid.of(smooth), one(1.0))
    left = flat - fine
    assert left.std() < 0.4 * smooth.std()
    assert left.mean() == pytest.approx(smooth.mean().item(), abs=0.02)
    torch.testing.assert_close(chain.locally_flattened(smooth, CoarseGrid.of(smooth), one(0.0)), smooth)


def test_inversion_exchanges_bright_and_dark():
    paths = patient(dtype=torch.float64)
    total = degraded(paths, seeded(), only(p_inverted=1.0)).images + paths["water"] + paths["bone"]
    assert (total - total[:, :1, :1]).abs().max() < 1e-9


def test_letters_are_few_and_of_the_extreme_values():
    image = torch.linspace(0, 1, 64, dtype=torch.float64).expand(40, 64, 64).clone()
    shown = degraded(image, seeded(), only(p_letters=1.0, letters=(1, 1))).images
    written = (shown - image).abs() > 1e-9
    low, high = 1.5 / 63, 61.5 / 63
    values = shown[written]
    assert torch.minimum((values - low).abs(), (values - high).abs()).max() < 1e-9
    assert written.any(2).any(1).float().mean() > 0.9
    assert written.float().mean((1, 2)).max() < 11 * 5 * 0.023**2


def test_blocks_are_rectangles_of_one_value():
    image = torch.linspace(0, 1, 64, dtype=torch.float64).expand(20, 64, 64).clone()
    looks = only(p_blocks=1.0, blocks=(1, 1), block_sides=(0.25, 0.25))
    shown = degraded(image, seeded(), looks).images
    for before, after in zip(image, shown, strict=True):
        covered = (after - before).abs() > 1e-9
        rows, columns = covered.any(1).sum(), covered.any(0).sum()
        assert 7 <= rows <= 16  # half of it at least is in the image
        assert 7 <= columns <= 16
        assert after[covered].unique().numel() == 1


# --- Collimators ---


def aperture(**changes) -> Apertures:
    settings = {"column": 30.0, "row": 25.0, "angle": 0.0, "half_width": 20.5, "half_height": 10.5,
                "corners": 0.5, "round": 0.0}  # fmt: skip
    return Apertures(**{name: one(value) for name, value in (settings | changes).items()})


def test_rectangular_fields():
    depth = aperture().depth(51, 61)[0]
    assert depth[25, 30] == pytest.approx(10.5)
    assert depth[25 + 4, 30] == pytest.approx(6.5)
    field = depth >= 0
    assert field.sum() == 41 * 21
    assert field[15:36, 10:51].all()
    turned = aperture(angle=math.pi / 2, column=25.0, row=30.0).depth(61, 51)[0]
    assert torch.equal(turned >= 0, field.T)
    shifted = aperture(column=33.0).depth(51, 61)[0] >= 0
    assert torch.equal(shifted[:, 3:], field[:, :-3])


def test_octagons_and_circles_by_their_areas():
    like = {"half_width": 20.0, "half_height": 20.0, "angle": 0.3}
    octagon = (aperture(**like, corners=0.5**0.5).depth(51, 61)[0] >= 0).sum()
    assert octagon == pytest.approx(8 * (math.sqrt(2) - 1) * 20**2, rel=0.02)
    circle = (aperture(**like, round=1.0).depth(51, 61)[0] >= 0).sum()
    assert circle == pytest.approx(math.pi * 20**2, rel=0.02)


def test_a_known_collimator_is_in_the_mask_and_leaves_the_field_as_it_was():
    paths = patient(30, dtype=torch.float64)
    plain = paths["water"] + paths["bone"]
    result = degraded(paths, seeded(), only(p_collimator=1.0, opening=(0.5, 0.5)))
    torch.testing.assert_close(result.images[result.masks], plain[result.masks])
    corners = (slice(None), slice(None, None, 63), slice(None, None, 63))
    assert not result.masks[corners].any()  # at most 0.25 sqrt(2) + 0.12 sqrt(2) of the side from the middle
    assert result.masks[:, 32, 32].all()
    shares = result.masks.float().mean((1, 2))
    assert shares.min() > 0.1
    assert shares.max() < 0.25  # 0.5 times 0.5
    assert (result.images[corners] > plain[corners] + 1).all()  # dark, where there was nothing


def test_a_hidden_collimator_is_dark_but_not_in_the_mask():
    settings = {"p_collimator": 1.0, "opening": (0.5, 0.5)}
    known = degraded(patient(30), seeded(), only(**settings))
    hidden = degraded(patient(30), seeded(), only(**settings, p_hidden=1.0))
    assert hidden.masks.all()
    assert torch.equal(hidden.images, known.images)
    some = degraded(patient(200, 16), seeded(), only(**settings, p_hidden=0.4)).masks.all(2).all(1)
    assert some.float().mean() == pytest.approx(0.4, abs=0.1)


def test_outside_the_field_it_may_be_blank():
    paths = patient(30, dtype=torch.float64)
    looks = only(p_collimator=1.0, opening=(0.5, 0.5), p_blank=1.0)
    images = degraded(paths, seeded(), looks).images
    assert images[:, :5, :5].abs().max() < 0.02  # as beside the body, where nothing is


# --- Few cells ---


@pytest.mark.parametrize("size", [(64, 64), (50, 33), (7, 100)])
def test_cells_hold_means_and_are_joined_by_straight_lines(size):
    rows, columns = size
    v, u = torch.arange(rows).double()[:, None], torch.arange(columns).double()
    image = (2 * v - 3 * u + 1)[None]
    grid = CoarseGrid.of(image)
    cells = grid.means(image)
    assert cells.shape == (1, min(16, *size), min(16, *size))
    assert cells.mean() == pytest.approx(image.mean().item())
    smooth = grid.smooth(cells)
    v_edge, u_edge = math.ceil(rows / cells.shape[1]), math.ceil(columns / cells.shape[2])
    inner = (slice(None), slice(v_edge, -v_edge), slice(u_edge, -u_edge))
    # A pixel that lies in two cells counts in each with its centre.
    exact = 1e-9 if rows % cells.shape[1] == columns % cells.shape[2] == 0 else 0.1
    torch.testing.assert_close(smooth[inner], image[inner], rtol=0, atol=exact)


def test_the_blur_of_cells_keeps_constants_and_has_a_width_for_each_image():
    grid = CoarseGrid.of(torch.zeros(2, 32, 32))
    cells = torch.zeros(2, 16, 16)
    cells[:, 8, 8] = 1
    blurred = grid.blurred(cells, torch.tensor([1 / 16, 2 / 16]).reshape(2, 1, 1))
    shares = (blurred[:, 8, 9] / blurred[:, 8, 8]).tolist()
    assert shares == pytest.approx([math.exp(-1 / 2), math.exp(-1 / 8)], rel=1e-3)
    ones = torch.ones(2, 16, 16)
    torch.testing.assert_close(grid.blurred(ones, 0.1), ones)


# --- What a network sees ---


def seen(images: torch.Tensor, masks: torch.Tensor | None = None, pixels: int = 64) -> torch.Tensor:
    return standardised(images, torch.ones_like(images, dtype=torch.bool) if masks is None else masks, pixels)


def test_the_networks_input_has_its_size_and_bounds():
    result = seen(patient()["bone"], pixels=48)
    assert result.shape == (6, CHANNELS, 48, 48)
    assert result.abs().max() <= BOUND
    assert 0.3 < result.std() < 2


@pytest.mark.parametrize(("gain", "offset"), [(0.01, 0.0), (30.0, -7.0), (1.0, 100.0), (0.1, -20.0)])
@pytest.mark.parametrize("pixels", [64, 40])
def test_a_gain_and_an_offset_do_not_matter(gain, offset, pixels):
    images, masks = degraded(patient(), seeded(), Looks()).images, torch.rand(6, 64, 64) > 0.2
    first, second = (seen(each, masks, pixels) for each in (images, gain * images + offset))
    assert (first - second).abs().max() < (1e-4 if abs(offset) < 50 * gain else 2e-3)  # float32 has 7 digits


def test_what_is_outside_the_mask_does_not_matter_and_becomes_zero():
    images, masks = patient()["bone"] + 1, torch.ones(6, 64, 64, dtype=torch.bool)
    masks[:, :, 40:] = False
    other = images.clone()
    other[:, :, 40:50], other[:, :, 50:60], other[:, :, 60:] = math.nan, math.inf, 1e6
    for pixels in (64, 32):
        first, second = seen(images, masks, pixels), seen(other, masks, pixels)
        assert torch.equal(first, second)
        assert not first[..., 40 * pixels // 64 :].any()
        assert first[..., : 40 * pixels // 64].std() > 0.3


def test_nan_within_the_mask_is_refused():
    images = patient()["bone"]
    images[2, 3, 4] = math.nan
    with pytest.raises(InputError, match="NaN"):
        seen(images)


@pytest.mark.parametrize("value", [0.0, 5.0, -1e30, 1e38, 1e-40])
def test_an_image_without_contrast_is_zero(value):
    assert seen(torch.full((2, 64, 64), value)).abs().max() < 0.1


@pytest.mark.parametrize("open_pixels", [0, 1, 2])
@pytest.mark.parametrize("pixels", [64, 16, 100])
def test_tiny_masks_give_numbers(open_pixels, pixels):
    masks = torch.zeros(6, 64, 64, dtype=torch.bool)
    masks.flatten(1)[:, 1000 : 1000 + open_pixels] = True
    result = seen(1e6 * patient()["bone"], masks, pixels)
    assert result.isfinite().all()
    assert result.abs().max() <= BOUND


@pytest.mark.parametrize("scale", [1e-20, 1e37])
def test_extreme_contrast_gives_numbers(scale):
    reference = seen(patient()["bone"])
    torch.testing.assert_close(seen(scale * patient()["bone"]), reference, rtol=0, atol=1e-3)


def test_texture_looks_alike_where_the_gain_is_another():
    place = torch.arange(128)
    texture = torch.where((place // 2 + place[:, None] // 2) % 2 == 0, 1.0, -1.0)
    image = torch.where(place < 64, texture, 0.2 * texture + 3)[None]
    result = seen(image, pixels=128)[0, 0]
    assert result[:, 110:].std() / result[:, :18].std() > 0.5  # it was 0.2


def test_the_anatomy_counts_more_and_its_looks_less_than_in_the_image_itself():
    """How much more alike two looks of one body are than those of bodies whose bones lie a little apart."""
    looks = Looks(p_collimator=0, p_blocks=0)
    first, same = (degraded(patient(24), seeded(seed), looks).images for seed in (1, 2))
    other = degraded(patient(24, phase=0.8), seeded(2), looks).images
    margins = [
        sum(correlation(a, b) - correlation(a, c) for a, b, c in zip(*images, strict=True)) / 24
        for images in ((first, same, other), (seen(first), seen(same), seen(other)))
    ]
    assert margins[1] > 1.5 * margins[0] > 0


def correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    return torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1].item()


@pytest.mark.parametrize("pixels", [64, 37, 150])
def test_another_size_shows_the_same_field_of_view(pixels):
    place = (torch.arange(100) + 0.5) / 100
    image = torch.exp(-(((place - 0.3) / 0.04) ** 2) - ((place[:, None] - 0.6) / 0.04)[None] ** 2)
    blob = seen(image, pixels=pixels)[0, 0].clamp(min=0) ** 2
    ours = (torch.arange(pixels) + 0.5) / pixels
    assert (blob.sum(0) * ours).sum() / blob.sum() == pytest.approx(0.3, abs=0.004)
    assert (blob.sum(1) * ours).sum() / blob.sum() == pytest.approx(0.6, abs=0.004)


def test_images_that_do_not_fit_are_refused():
    for images, masks in (
        (torch.zeros(2, 8, 9), torch.ones(2, 8, 9)),
        (torch.zeros(2, 8, 8), torch.ones(8, 8)),
    ):
        with pytest.raises(InputError):
            standardised(images, masks.bool(), 8)


def test_the_networks_input_can_be_differentiated():
    images = patient(2, 16, torch.float64)["bone"].requires_grad_()
    seen(images, pixels=8).square().sum().backward()
    assert images.grad.isfinite().all()
    assert images.grad.any()
