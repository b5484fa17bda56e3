"""What is left out of an X-ray by hand, worked out pixel by pixel; and thumbnails."""

import io

import numpy as np
import pytest
from PIL import Image
from xrayreg.images import thumbnail_png, without_polygon

OPEN = np.ones((6, 8), bool)


def left_out(corners, mask=OPEN):
    """(row, column) of the pixels that a polygon takes away."""
    return {(int(r), int(c)) for r, c in np.argwhere(mask & ~without_polygon(mask, np.array(corners, float)))}


def test_pixels_are_left_out_by_their_centres():
    # Columns 1.5 to 4.5 hold the centres 2, 3, 4; rows 0.6 to 2.4 hold 1 and 2.
    inside = {(r, c) for r in (1, 2) for c in (2, 3, 4)}
    assert left_out([(1.5, 0.6), (4.5, 0.6), (4.5, 2.4), (1.5, 2.4)]) == inside
    assert left_out([(1.5, 2.4), (4.5, 2.4), (4.5, 0.6), (1.5, 0.6)]) == inside  # the other way round


def test_neighbouring_polygons_share_no_pixel_and_leave_no_gap():
    left, right = [(0, 0), (3, 0), (3, 4), (0, 4)], [(3, 0), (6, 0), (6, 4), (3, 4)]
    assert left_out(left) == {(r, c) for r in range(4) for c in range(3)}
    assert left_out(left) & left_out(right) == set()
    assert left_out(left) | left_out(right) == {(r, c) for r in range(4) for c in range(6)}


def test_slanted_edges():
    # A triangle under u + v = 4, a little more: in row v the centres up to 4 - v.
    triangle = [(-0.5, -0.5), (5.01, -0.5), (-0.5, 5.01)]
    assert left_out(triangle) == {(v, u) for v in range(5) for u in range(5 - v)}


def test_a_hollow_polygon_leaves_its_hollow():
    # A U: columns 0..6, rows 0..4, open at the top between columns 2 and 4.
    u = [(-0.5, -0.5), (1.5, -0.5), (1.5, 2.5), (4.5, 2.5), (4.5, -0.5), (6.5, -0.5), (6.5, 4.5), (-0.5, 4.5)]
    assert left_out(u) == {(r, c) for r in range(5) for c in range(7)} - {
        (r, c) for r in range(3) for c in (2, 3, 4)
    }


def test_corners_may_lie_outside_and_closed_pixels_stay_closed():
    assert left_out([(-100, -100), (3.5, -100), (3.5, 100), (-100, 100)]) == {
        (r, c) for r in range(6) for c in range(4)
    }
    mask = OPEN.copy()
    mask[2, 1] = False
    after = without_polygon(mask, np.array([(3.5, -1), (9, -1), (9, 9), (3.5, 9.0)]))
    assert not after[2, 1]
    assert after.sum() == 6 * 4 - 1
    assert mask.sum() == 47  # the one that came in is as it was


def test_a_thumbnail_is_small_and_keeps_the_shape():
    image = np.tile(np.linspace(0, 5, 300, dtype=np.float32), (150, 1))
    with Image.open(io.BytesIO(thumbnail_png(image, 64))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (60, 30))
        row = np.array(picture)[3]
    assert (row[0], row[-1]) == (0, 255)
    assert int(row[30]) == pytest.approx(127, abs=5)
    assert (np.diff(row.astype(int)) >= 0).all()


def test_the_thumbnail_of_a_blank_image_is_black():
    with Image.open(io.BytesIO(thumbnail_png(np.ones((10, 10), np.float32)))) as picture:
        assert np.array(picture).max() == 0
