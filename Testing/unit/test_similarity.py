"""Normalised cross-correlation in patches: its values, what it ignores, its derivatives."""

import numpy as np
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.similarity import Comparison, Term

WHOLE = (Term(False, None),)
WHOLE_GRADIENT = (Term(True, None),)
PATCHES = (Term(False, 8),)
GRADIENT_PATCHES = (Term(True, 8),)
MIXED = (Term(False, 8, weight=1.0), Term(True, 12, weight=3.0))
EVERY = pytest.mark.parametrize("terms", [WHOLE, WHOLE_GRADIENT, PATCHES, GRADIENT_PATCHES, MIXED])
OPEN = torch.ones(30, 40, dtype=torch.bool)
# Norms have a floor, 1e-4 of their mean square: an image compared with itself falls short of 1 by
# 1 - 1 / sqrt(1.0001) = 5e-5, a patch of a tenth of the mean contrast by more.
FLOOR = 1e-4


def texture(seed=0, shape=(30, 40)):
    """A random image smooth over some pixels, float64."""
    noise = torch.as_tensor(np.random.default_rng(seed).normal(size=(1, 1, shape[0] + 4, shape[1] + 4)))
    return 3 + 10 * torch.nn.functional.avg_pool2d(noise, 5, stride=1)[0, 0]


FIXED, OTHER = texture(0), texture(1)


def numpy_ncc(first, second):
    a, b = np.asarray(first) - np.mean(np.asarray(first)), np.asarray(second) - np.mean(np.asarray(second))
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


def similarity(terms, moving, fixed=FIXED, mask=OPEN):
    return float(Comparison(fixed, mask, terms).similarity(moving))


@EVERY
def test_an_image_is_like_itself_and_unlike_its_negative(terms):
    assert similarity(terms, FIXED) == pytest.approx(1, abs=2 * FLOOR)
    assert similarity(terms, -FIXED) == pytest.approx(-1, abs=2 * FLOOR)
    assert similarity(terms, FIXED) <= 1


@EVERY
def test_unrelated_images_are_not_alike(terms):
    assert abs(similarity(terms, OTHER)) < 0.3


@EVERY
@pytest.mark.parametrize(("gain", "offset"), [(2.5, 0), (1e-3, 0), (1, -7), (40, 1000)])
def test_gain_and_offset_do_not_matter(terms, gain, offset):
    moving = FIXED + OTHER
    expected = similarity(terms, moving)
    assert 0.4 < expected < 0.95
    assert similarity(terms, gain * moving + offset) == pytest.approx(expected, abs=1e-9)
    assert similarity(terms, moving, gain * FIXED + offset) == pytest.approx(expected, abs=1e-9)


def test_one_patch_of_four_pixels_by_hand():
    # 1 2 3 6, mean 3: -2 -1 0 3, squares 14. 0 2 1 1, mean 1: -1 1 0 0, squares 2. Product 2 - 1 = 1.
    # NCC = 1 / sqrt(28) = 0.188982; the floor takes a factor sqrt(1.0001) off.
    fixed = torch.tensor([[1.0, 2], [3, 6]], dtype=torch.float64)
    moving = torch.tensor([[0.0, 2], [1, 1]], dtype=torch.float64)
    found = similarity(WHOLE, moving, fixed, torch.ones(2, 2, dtype=torch.bool))
    assert found == pytest.approx(1 / np.sqrt(28 * (1 + FLOOR)), abs=1e-12)


def test_the_whole_image_is_one_patch():
    moving = FIXED + OTHER
    expected = numpy_ncc(FIXED, moving) / np.sqrt(1 + FLOOR)
    assert similarity(WHOLE, moving) == pytest.approx(expected, abs=1e-12)


def test_a_patch_larger_than_the_image_is_the_whole_image():
    moving = FIXED + OTHER
    assert similarity((Term(False, 100),), moving) == pytest.approx(similarity(WHOLE, moving), abs=1e-12)


def test_masked_pixels_are_left_out_of_the_one_patch():
    mask = OPEN.clone()
    mask[:, 25:] = False
    moving = FIXED + OTHER
    expected = numpy_ncc(FIXED[mask], moving[mask]) / np.sqrt(1 + FLOOR)
    assert similarity(WHOLE, moving, mask=mask) == pytest.approx(expected, abs=1e-12)


def test_patches_overlap_by_half_and_weigh_as_they_vary():
    # 4 x 6 pixels in patches of 4: columns 0..3 and 2..5. With the X-ray's variance v in it, a patch counts
    # by v / (v + 0.05^2 * mean v). The floor is 1e-4 of the mean of both patches' squares of the DRR.
    rng = np.random.default_rng(0)
    fixed, moving = torch.as_tensor(rng.normal(size=(4, 6))), torch.as_tensor(rng.normal(size=(4, 6)))
    fixed[:, 4:] *= 5
    parts = [slice(0, 4), slice(2, 6)]
    variance = np.array([fixed[:, part].numpy().var() for part in parts])
    weight = variance / (variance + 0.05**2 * variance.mean())
    weight /= weight.sum()
    squares = np.array([16 * moving[:, part].numpy().var() for part in parts])
    ncc = np.array([numpy_ncc(fixed[:, part], moving[:, part]) for part in parts])
    ncc = ncc * np.sqrt(squares / (squares + FLOOR * squares.mean()))
    found = similarity((Term(False, 4),), moving, fixed, torch.ones(4, 6, dtype=torch.bool))
    assert found == pytest.approx((weight * ncc).sum(), abs=1e-12)


def test_gradient_ncc_compares_the_two_derivative_images():
    # Columns and rows by central differences smoothed 1 2 1 across (Sobel), edges continued.
    moving = FIXED + OTHER

    def derivatives(image):
        padded = np.pad(np.asarray(image), 1, mode="edge")
        smooth_rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
        smooth_columns = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
        return smooth_rows[:, 2:] - smooth_rows[:, :-2], smooth_columns[2:] - smooth_columns[:-2]

    pairs = list(zip(derivatives(FIXED), derivatives(moving), strict=True))
    ncc = np.array([numpy_ncc(first, second) for first, second in pairs])
    # The two images weigh nearly the same and share one floor, 1e-4 of their mean contrast.
    assert ncc.min() < similarity(WHOLE_GRADIENT, moving) < ncc.max()
    assert similarity(WHOLE_GRADIENT, moving) == pytest.approx(ncc.mean(), abs=1e-3)


def test_gradient_ncc_does_not_see_a_slow_change_of_brightness_that_ncc_sees():
    ramp = 0.5 * torch.arange(40, dtype=torch.float64).expand(30, 40)
    assert similarity(WHOLE, FIXED + ramp) < 0.7
    assert similarity(WHOLE_GRADIENT, FIXED + ramp) > 0.99


def test_terms_are_averaged_by_their_weights():
    moving = FIXED + OTHER
    ncc, gradient = similarity((MIXED[0],), moving), similarity((MIXED[1],), moving)
    assert abs(ncc - gradient) > 1e-3
    assert similarity(MIXED, moving) == pytest.approx((ncc + 3 * gradient) / 4, abs=1e-12)


@EVERY
def test_what_lies_under_the_mask_does_not_matter(terms):
    mask = OPEN.clone()
    mask[5:12, 8:20] = False
    mask[:, 36:] = False
    moving = FIXED + OTHER
    jacobian = torch.stack([texture(n) for n in range(2, 8)], dim=-1)
    expected = Comparison(FIXED, mask, terms)
    spoilt_fixed = torch.where(mask, FIXED, 1000 * OTHER)
    spoilt_moving = torch.where(mask, moving, -500 * texture(9))
    spoilt_jacobian = torch.where(mask[..., None], jacobian, 300 * jacobian.flip(0))
    found = Comparison(spoilt_fixed, mask, terms)
    assert float(found.similarity(spoilt_moving)) == pytest.approx(
        float(expected.similarity(moving)), abs=1e-9
    )
    before = expected.normal_equations(moving, jacobian)
    after = found.normal_equations(spoilt_moving, spoilt_jacobian)
    assert float(after.similarity) == pytest.approx(float(before.similarity), abs=1e-9)
    torch.testing.assert_close(after.gradient, before.gradient, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(after.hessian, before.hessian, rtol=1e-9, atol=1e-9)


def test_nan_under_the_mask_of_the_xray_does_not_matter():
    mask = OPEN.clone()
    mask[5:12, 8:20] = False
    holed = torch.where(mask, FIXED, float("nan"))
    assert similarity(MIXED, OTHER, holed, mask) == pytest.approx(similarity(MIXED, OTHER, FIXED, mask))


# --- Derivatives ---


JACOBIAN = torch.stack([texture(n) for n in range(2, 8)], dim=-1)


@EVERY
def test_an_empty_drr_is_no_better_than_one_that_fits_poorly(terms):
    # Steps are taken to where the similarity rises: out of the image, where there is nothing, it must not.
    comparison = Comparison(FIXED, OPEN, terms)
    empty, poor = (comparison.normal_equations(image, JACOBIAN) for image in (0 * OTHER, FIXED + 3 * OTHER))
    assert float(empty.similarity) == pytest.approx(0, abs=1e-3)
    assert 0.1 < float(poor.similarity) < 0.6
    assert float(poor.similarity) == pytest.approx(float(comparison.similarity(FIXED + 3 * OTHER)), abs=1e-12)


def central_differences(comparison, moving, jacobian, step=1e-5):
    def loss(image):
        return 1 - comparison.similarity(image)

    return torch.tensor(
        [(loss(moving + step * d) - loss(moving - step * d)) / (2 * step) for d in jacobian.unbind(-1)],
        dtype=torch.float64,
    )


@EVERY
def test_gradient_is_the_central_difference_of_the_loss(terms):
    # To the floor under the norms, which is held fixed: relative 1e-4.
    comparison, moving = Comparison(FIXED, OPEN, terms), FIXED + OTHER
    found = comparison.normal_equations(moving, JACOBIAN).gradient
    expected = central_differences(comparison, moving, JACOBIAN)
    assert expected.norm() > 0.01
    assert (found - expected).norm() < 2 * FLOOR * expected.norm()


@pytest.mark.parametrize("terms", [WHOLE, (Term(False, 30),)])
def test_gradient_is_exact_where_the_contrast_does_not_change(terms):
    # Derivatives orthogonal to the DRR's own contrast leave its norm and the floor alone to first order.
    moving = (FIXED + OTHER)[:30, :30]
    centred = moving - moving.mean()
    along = (JACOBIAN[:30, :30] * centred[..., None]).sum(dim=(0, 1)) / centred.square().sum()
    jacobian = JACOBIAN[:30, :30] - centred[..., None] * along
    comparison = Comparison(FIXED[:30, :30], OPEN[:30, :30], terms)
    found = comparison.normal_equations(moving, jacobian).gradient
    expected = central_differences(comparison, moving, jacobian)
    assert expected.norm() > 0.01
    assert (found - expected).norm() < 1e-6 * expected.norm()
    # And the derivative of the similarity itself by autograd, with the sign turned.
    image = moving.clone().requires_grad_()
    (by_pixel,) = torch.autograd.grad(comparison.similarity(image), image)
    torch.testing.assert_close(-torch.einsum("rc,rcn->n", by_pixel, jacobian), found, rtol=1e-9, atol=1e-12)


@EVERY
def test_gradient_is_minus_that_of_the_similarity(terms):
    comparison = Comparison(FIXED, OPEN, terms)
    image = (FIXED + OTHER).requires_grad_()
    (by_pixel,) = torch.autograd.grad(comparison.similarity(image), image)
    expected = -torch.einsum("rc,rcn->n", by_pixel, JACOBIAN)
    found = comparison.normal_equations(image.detach(), JACOBIAN).gradient
    assert (found - expected).norm() < 5 * FLOOR * expected.norm()


@EVERY
def test_gauss_newton_matrix_predicts_the_loss_around_a_perfect_match(terms):
    # At zero residual J^T J is the whole second derivative: loss(t d) = t^2 d.H d / 2.
    comparison = Comparison(FIXED, OPEN, terms)
    at_match = comparison.normal_equations(FIXED, JACOBIAN)
    torch.testing.assert_close(at_match.hessian, at_match.hessian.T)
    assert torch.linalg.eigvalsh(at_match.hessian).min() > 0
    direction = torch.tensor([1.0, -2, 3, 1, -1, 2], dtype=torch.float64)
    alike = [float(comparison.similarity(FIXED + t * JACOBIAN @ direction)) for t in (-1e-3, 1e-3)]
    predicted = 1e-6 * float(direction @ at_match.hessian @ direction) / 2
    assert float(at_match.similarity) - np.mean(alike) == pytest.approx(predicted, rel=1e-2)


def test_normal_equations_add_up():
    comparison = Comparison(FIXED, OPEN, PATCHES)
    one, two = (comparison.normal_equations(FIXED + part * OTHER, JACOBIAN) for part in (0.3, 1.0))
    total = one + two
    assert total.similarity == one.similarity + two.similarity
    torch.testing.assert_close(total.gradient, one.gradient + two.gradient)
    torch.testing.assert_close(total.hessian, one.hessian + two.hessian)


# --- Nothing to compare ---


@EVERY
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_flat_drr_is_not_alike_and_gives_no_nan(terms, dtype):
    flat = torch.full((30, 40), 2.0, dtype=dtype)
    for moving in (flat, 0 * flat):
        comparison = Comparison(FIXED.to(dtype), OPEN, terms)
        image = moving.to(dtype).clone().requires_grad_()
        value = comparison.similarity(image)
        (by_pixel,) = torch.autograd.grad(value, image)
        equations = comparison.normal_equations(moving.to(dtype), JACOBIAN.to(dtype))
        assert value.item() == pytest.approx(0, abs=1e-3)
        assert torch.isfinite(by_pixel).all()
        assert torch.isfinite(equations.similarity)
        assert torch.isfinite(equations.gradient).all()
        assert torch.isfinite(equations.hessian).all()


@EVERY
def test_a_blank_xray_is_refused(terms):
    with pytest.raises(InputError, match="blank"):
        Comparison(torch.full((30, 40), 2.0), OPEN, terms)


@pytest.mark.parametrize("on_gradient", [False, True])
def test_a_narrow_open_strip_is_compared_not_taken_for_a_perfect_match(on_gradient):
    mask = torch.zeros_like(OPEN)
    mask[:, 18:24] = True  # patches of 24 have at most a quarter of their pixels open
    terms = (Term(on_gradient, 24),)
    assert similarity(terms, FIXED, mask=mask) == pytest.approx(1, abs=2 * FLOOR)
    assert similarity(terms, OTHER, mask=mask) < 0.6


def test_a_flat_part_of_the_xray_hardly_counts():
    # The left half varies by a hundredth of the right: 0.01^2 against 0.05^2 of the fade. Of the patches that
    # count, those from columns 15, 20, 25 and 30, three lie right of column 20 and one half.
    fixed = torch.cat([2 + 0.01 * FIXED[:, :20], FIXED[:, 20:]], dim=1)
    moving = torch.cat([OTHER[:, :20], FIXED[:, 20:]], dim=1)
    assert similarity((Term(False, 10),), moving, fixed) > 0.75
    moving = torch.cat([fixed[:, :20], OTHER[:, 20:]], dim=1)
    assert abs(similarity((Term(False, 10),), moving, fixed)) < 0.3


def test_a_patch_with_less_than_half_of_its_pixels_does_not_count():
    mask = OPEN.clone()
    mask[:, 4:16] = False  # of patches of 8 with stride 4, only those from column 16 on are whole
    moving = torch.cat([OTHER[:, :4], FIXED[:, 4:]], dim=1)
    assert similarity(PATCHES, moving, mask=mask) < 1 - 10 * FLOOR  # half a patch counts
    mask[:, 3] = False
    assert similarity(PATCHES, moving, mask=mask) == pytest.approx(1, abs=2 * FLOOR)
