"""Pictures that compare X-ray and DRR, on images whose relation is known."""

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import CArm
from xrayreg.images import Xray
from xrayreg.overlays import MIDDLE, checkerboard, difference, in_common_pixels, matched

ROWS, COLUMNS = 60, 80


def drr_of(rows=ROWS, columns=COLUMNS):
    """Not zero, without a repeated pattern, from 0 to 4."""
    v, u = np.mgrid[:rows, :columns] / 10
    return (2 + np.sin(u) + np.cos(1.7 * v + 0.3 * u)).astype(np.float32)


def xray_of(image, mask=None):
    camera = CArm(1000.0, 700.0, 0.0, 0.0).camera(image.shape[::-1], (1.0, 1.0))
    return Xray(image, camera, np.ones(image.shape, bool) if mask is None else mask, "ap")


def test_a_drr_is_brought_to_the_contrast_of_its_x_ray():
    drr = drr_of()
    np.testing.assert_allclose(matched(xray_of(0.4 * drr + 1.5), drr), 0.4 * drr + 1.5, atol=1e-5)


def test_an_implant_does_not_change_the_match():
    drr = drr_of()
    image = 0.4 * drr + 1.5
    image[20:40, 20:50] += 3  # an eighth of the picture
    np.testing.assert_allclose(matched(xray_of(image), drr), 0.4 * drr + 1.5, atol=0.01)


def test_a_turned_contrast_is_not_matched():
    drr = drr_of()
    assert np.ptp(matched(xray_of(5 - drr), drr)) == pytest.approx(0, abs=1e-4)


def test_where_the_volume_does_not_project_to_has_no_say():
    drr = drr_of()
    drr[:, :30] = 0
    image = 0.4 * drr + 1.5
    image[:, :30] = 4  # the body goes on where the CT ends
    np.testing.assert_allclose(matched(xray_of(image), drr)[:, 30:], image[:, 30:], atol=1e-5)


def test_a_difference_is_grey_where_both_agree_bright_where_the_x_ray_has_more():
    drr = drr_of()
    image = 0.4 * drr + 1.5
    image[10:14, 10:14] += 0.2
    image[30:34, 10:14] -= 0.2
    mask = np.ones(image.shape, bool)
    mask[:, 70:] = False
    image[:, 70:] = 9
    picture = difference(xray_of(image, mask), drr)
    assert picture.dtype == np.uint8
    low, high = np.percentile(image[mask], [1, 99])
    step = round(0.2 * 127 / ((high - low) / 2))
    assert 30 < step < 100
    assert np.abs(picture[10:14, 10:14].astype(int) - (MIDDLE + step)).max() <= 1
    assert np.abs(picture[30:34, 10:14].astype(int) - (MIDDLE - step)).max() <= 1
    assert (picture[:, 70:] == MIDDLE).all()
    assert np.abs(picture[40:, :60].astype(int) - MIDDLE).max() <= 1


def test_a_blank_x_ray_has_a_difference():
    assert (difference(xray_of(np.ones((8, 8), np.float32)), np.zeros((8, 8), np.float32)) == MIDDLE).all()


@pytest.mark.parametrize("block", [1, 2, 3])
def test_both_come_to_pixels_in_common(block):
    # An X-ray of which each pixel of the DRR is a block, the last rows and columns left over.
    drr = drr_of()
    fine = np.pad(np.kron(drr, np.ones((block, block), np.float32)), ((0, block - 1), (0, block - 1)))
    ours, theirs = in_common_pixels(xray_of(fine), drr, 1000)
    np.testing.assert_allclose(ours.line_integrals, drr, atol=1e-6)
    assert theirs is drr
    assert ours.camera.size == (COLUMNS, ROWS)
    ours, theirs = in_common_pixels(xray_of(fine), drr, 30)
    assert theirs.shape == ours.mask.shape == (20, 26)  # 80 / 3 = 26 and two columns left over
    np.testing.assert_allclose(theirs[3, 4], drr[9:12, 12:15].mean(), rtol=1e-6)
    np.testing.assert_allclose(ours.line_integrals, theirs, atol=1e-5)


def test_a_drr_of_another_picture_is_refused():
    with pytest.raises(InputError, match="does not lie on"):
        in_common_pixels(xray_of(drr_of()), drr_of(50, 80), 1000)


def test_the_tiles_of_a_checkerboard_alternate():
    drr = drr_of()
    image = drr_of()[::-1].copy()
    board = checkerboard(xray_of(image), drr)
    tile = COLUMNS // 8
    same = [checkerboard(xray_of(one), one) for one in (image, drr)]
    for row in range(ROWS // tile):
        for column in range(8):
            part = np.s_[row * tile : (row + 1) * tile, column * tile : (column + 1) * tile]
            np.testing.assert_array_equal(board[part], same[(row + column) % 2][part])
