"""The best shifts of a DRR: where a texture was cut out, and which of several places come first."""

import numpy as np
import pytest
import torch
from xrayreg.similarity import Shifts

ROWS, COLUMNS = 24, 30
M, N = 8, 6  # pixels more on each side: columns, rows


def texture(seed=0, shape=(ROWS + 2 * N, COLUMNS + 2 * M)):
    """A random image, smooth over some pixels, positive."""
    noise = np.random.default_rng(seed).normal(size=(1, 1, shape[0] + 4, shape[1] + 4))
    return 3 + torch.nn.functional.avg_pool2d(torch.as_tensor(noise), 5, stride=1)[0, 0]


MOVING = texture()
OPEN = torch.ones(ROWS, COLUMNS, dtype=torch.bool)


def cut(row, column, image=MOVING):
    """The part of a larger image whose first pixel is this; the middle one starts at (N, M)."""
    return image[row : row + ROWS, column : column + COLUMNS].clone()


def best(fixed, moving=MOVING, mask=OPEN, count=1):
    shifts, fits = Shifts(fixed, mask).best(moving[None], count)
    return shifts[0].tolist(), fits[0]


@pytest.mark.parametrize(
    ("row", "column", "shift"),
    [
        (N, M, [0, 0]),
        # Cut out 3 columns further right: the content must go 3 to the left to meet it.
        (N, M + 3, [-3, 0]),
        (N + 2, M, [0, -2]),
        (N - 4, M - 5, [5, 4]),
        # The ends of the range.
        (0, 0, [M, N]),
        (2 * N, 2 * M, [-M, -N]),
    ],
)
def test_a_part_is_found_at_the_shift_it_was_cut_out_at(row, column, shift):
    shifts, fits = best(cut(row, column))
    assert shifts == [shift]
    # The floor takes a factor of up to sqrt(1.05) off 1; and the X-ray has no differences across its border,
    # which the larger image has: (2 / 30 + 2 / 24) / 2 = 7.5 % of the energy. sqrt(0.925 / 1.05) = 0.939.
    assert 0.92 < float(fits[0]) < 1


def test_a_perfect_match_fits_by_nearly_one_and_its_negative_by_minus_as_much():
    # One place only: the floor, 0.05 of the largest energy, takes off 1, and that the X-ray's gradients are
    # evened out, which those of an even texture hardly need.
    perfect = 1 / np.sqrt(1.05)
    _, fits = best(cut(N, M), cut(N, M))
    assert 0.98 * perfect < float(fits[0]) <= perfect
    _, negative = best(-cut(N, M), cut(N, M))
    assert float(negative[0]) == pytest.approx(-float(fits[0]), abs=1e-9)


def test_a_faint_part_is_found_beside_strong_edges():
    # A part of the anatomy, and in the X-ray elsewhere also bars a hundred times as strong.
    moving = torch.zeros(60, 90, dtype=torch.float64)
    moving[24:36, 39:51] = texture(3, (12, 12))
    fixed = torch.zeros(40, 60, dtype=torch.float64)
    fixed[6:18, 10:22] = moving[24:36, 39:51]
    fixed[:, 40::4] = 100
    # In the X-ray's frame it is at (column 39 - 15, row 24 - 10) of the larger image, and must go to (10, 6).
    (shift,), _ = best(fixed, moving, torch.ones(40, 60, dtype=torch.bool))
    assert shift == [-14, -8]


def test_an_unrelated_image_fits_nowhere():
    _, fits = best(texture(9, (ROWS, COLUMNS)))
    assert fits[0] < 0.35


@pytest.mark.parametrize(("gain", "offset"), [(2.5, 0), (1e-3, 0), (1, -7), (40, 1000)])
def test_gain_and_offset_of_the_xray_do_not_matter(gain, offset):
    fixed = cut(N + 1, M - 2)
    shifts, fits = best(fixed, count=4)
    again, same = best(gain * fixed + offset, count=4)
    assert again == shifts
    assert shifts[0] == [2, -1]
    torch.testing.assert_close(same, fits, rtol=0, atol=1e-9)


def test_the_gain_of_each_drr_does_not_matter():
    shifts, fits = Shifts(cut(N, M + 3), OPEN).best(torch.stack([MOVING, 50 * MOVING]), 3)
    assert torch.equal(shifts[0], shifts[1])
    torch.testing.assert_close(fits[0], fits[1])


def test_masked_pixels_may_hold_anything():
    mask = OPEN.clone()
    mask[5:15, 8:14] = False
    fixed = cut(N - 1, M + 4)
    expected, fits = best(fixed, mask=mask, count=3)
    assert expected[0] == [-4, 1]
    for value in (0, -1e3, 1e5, torch.nan):
        spoilt = torch.where(mask, fixed, value)
        shifts, same = best(spoilt, mask=mask, count=3)
        assert shifts == expected
        torch.testing.assert_close(same, fits)
    # Without the mask they do.
    assert best(torch.where(mask, fixed, 1e3))[0] != [expected[0]]


def test_places_are_apart_and_best_first():
    shifts, fits = best(cut(N, M), count=6)
    assert torch.isfinite(fits).all()
    assert fits.tolist() == sorted(fits.tolist(), reverse=True)
    for number, one in enumerate(shifts):
        for other in shifts[:number]:
            # More than 2 pixels in one direction at least: each is the best of the 5 x 5 around it.
            assert max(abs(one[0] - other[0]), abs(one[1] - other[1])) > 2


def test_a_part_that_occurs_twice_is_found_at_both_places():
    # Two copies of a small part, 14 columns and 8 rows apart, on an even ground.
    part = texture(3, (10, 10))
    moving = torch.full_like(MOVING, 3.0)
    moving[10:20, 10:20] = part
    moving[18:28, 24:34] = part
    fixed = torch.full((ROWS, COLUMNS), 3.0, dtype=torch.float64)
    fixed[6:16, 9:19] = part  # pixel (12, 17) of the larger image, (row, column)
    (first, second), fits = best(fixed, moving, count=2)
    # One must go from (10, 10) to (12, 17), the other from (18, 24): (u, v) = (7, 2) and (-7, -6).
    assert sorted([first, second]) == [[-7, -6], [7, 2]]
    # The larger image holds both copies: at either place half of the energy in view may belong to the other.
    assert fits[1] > 0.6


def test_where_there_are_fewer_places_the_rest_is_minus_infinity():
    # A range of 1 pixel either way: 9 places, of which one is the best around.
    small = MOVING[N - 1 : N + ROWS + 1, M - 1 : M + COLUMNS + 1]
    shifts, fits = best(cut(N, M + 1), small, count=12)
    assert len(shifts) == 12
    assert shifts[0] == [-1, 0]
    assert torch.isfinite(fits[0])
    assert (fits[1:] == -torch.inf).all()


def test_drrs_are_judged_each_for_itself():
    together = Shifts(cut(N, M), OPEN).best(torch.stack([MOVING, MOVING.roll((2, -3), (0, 1))]), 1)
    # The second's content lies 2 rows further down and 3 columns further left.
    assert together[0][:, 0].tolist() == [[0, 0], [3, -2]]
