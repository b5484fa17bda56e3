"""What is left out of an X-ray by hand, pixel by pixel, and by what its pixels show; and thumbnails."""

import io

import numpy as np
import phantom
import pytest
from PIL import Image, ImageDraw
from xrayreg.errors import InputError
from xrayreg.geometry import CameraFile, CArm
from xrayreg.images import (
    Xray,
    field_mask,
    line_integrals_from_transmission,
    mask_names,
    masked_by_content,
    read_volume,
    read_xray,
    thumbnail_png,
    without_burned_in,
    without_metal,
    without_polygon,
)
from xrayreg.images.content_masks import _hull_mask
from xrayreg.render import Detector, simulate_xray

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


# --- Found in the pixels ---

# A simulated X-ray of the phantom, 320 x 300 pixels, with noise, scatter and a tone curve; the body fills the
# middle, its bones are in it, and there is air around it.
SIZE = (320, 300)


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    volume = read_volume(phantom.write_ct(tmp_path_factory.mktemp("masks") / "ct.nrrd"))
    camera = CArm(1000.0, 700.0, 0.0, 0.0, isocenter=tuple(phantom.CENTRE)).camera(SIZE, (0.6, 0.6))
    return simulate_xray(volume, camera, Detector(), np.ones(SIZE[::-1], bool)).astype(float)


def line_integrals(image):
    return line_integrals_from_transmission(image, np.ones(image.shape, bool))


def everywhere(image):
    return np.ones(image.shape, bool)


ROW, COLUMN = np.mgrid[: SIZE[1], : SIZE[0]]


def test_a_plain_xray_is_left_as_it_is(pixels):
    image = line_integrals(pixels)
    for search in (field_mask, without_burned_in, without_metal):
        assert search(image, everywhere(image)).all()


@pytest.mark.parametrize("value", [0, 16383])  # black on air, white on the body
def test_burned_in_letters_are_found(pixels, value):
    picture = Image.new("1", SIZE)
    at = (250, 20) if value == 0 else (130, 140)
    ImageDraw.Draw(picture).text(at, "L 12", fill=1)
    letters = np.array(picture)
    assert letters.sum() > 30
    image = line_integrals(np.where(letters, value, pixels))
    found = ~without_burned_in(image, everywhere(image))
    assert found[letters].mean() > 0.95
    near = (np.abs(COLUMN - at[0] - 12) < 25) & (np.abs(ROW - at[1] - 6) < 15)
    assert not found[~near].any()


def test_metal_is_found_and_bones_are_not(pixels):
    # A rod 10 pixels wide and 121 long across the body that lets a hundredth through, blurred by a pixel.
    along = (COLUMN - 160) * 0.6 + (ROW - 150) * 0.8
    across = -(COLUMN - 160) * 0.8 + (ROW - 150) * 0.6
    depth = np.clip((5.5 - np.abs(across)), 0, 1) * np.clip(60.5 - np.abs(along), 0, 1)
    image = line_integrals(pixels * 0.01**depth)
    found = ~without_metal(image, everywhere(image))
    rod = depth >= 1
    assert 900 < rod.sum() < 1500
    assert found[rod].mean() > 0.98
    assert not found[(np.abs(across) > 12) | (np.abs(along) > 68)].any()


def test_a_round_field_is_found(pixels):
    # A disc of radius 140 about (160, 150); the border lets nothing through but noise.
    distance = np.hypot(COLUMN - 160, ROW - 150)
    border = np.random.default_rng(0).uniform(0, 5, pixels.shape)
    image = line_integrals(np.where(distance <= 140, pixels, border))
    left = field_mask(image, everywhere(image))
    assert not left[distance > 140].any()
    assert left[distance < 134].all()  # 1 % of 300 pixels inside the edge


def test_a_collimated_field_is_found_and_keeps_dark_anatomy_at_its_edge(pixels):
    # Open from column 40 and row 30; a black disc of radius 20, half inside, touches the collimator's edge.
    dark = np.where((COLUMN >= 40) & (ROW >= 30), pixels, 3.0)
    dark[np.hypot(COLUMN - 40, ROW - 150) < 20] = 3.0
    left = field_mask(line_integrals(dark), everywhere(dark))
    assert not left[(COLUMN < 40) | (ROW < 30)].any()
    assert left[(COLUMN >= 46) & (ROW >= 36)].all()


def test_dark_corners_that_are_no_field_stay(pixels):
    # Two dark bars across the image leave three parts: no aperture looks like that.
    image = line_integrals(np.where((COLUMN % 120 > 90) | (ROW > 200) & (COLUMN < 160), 3.0, pixels))
    assert field_mask(image, everywhere(image)).all()


def test_the_hull_of_an_l_is_cut_off_at_its_corner():
    # Pixels (row, column): a column of four and a row of four. The hull's slanted side runs from the column's
    # upper right end to the row's: (u, v) from (0.5, -0.5) to (3.5, 2.5), that is u - v = 1.
    chosen = np.zeros((4, 4), bool)
    chosen[:, 0] = chosen[3] = True
    row, column = np.mgrid[:4, :4]
    np.testing.assert_array_equal(_hull_mask(chosen), column - row <= 0)


def test_masks_are_told_with_their_share(pixels):
    image = np.where(COLUMN >= 80, pixels, 3.0)
    camera = phantom.carm(0, 0).camera(SIZE, (0.6, 0.6))
    xray = Xray(line_integrals(image), camera, everywhere(image), "ap", notes=("before",))
    left = masked_by_content(xray, ("field", "metal"))
    # 80 of 320 columns and three of margin on that side; the outer edges of the image have none
    assert left.notes == (
        "before",
        "left out: the dark border of the field, 25.9 % of the pixels",
        "metal: none found",
    )
    assert left.mask.mean() == pytest.approx(1 - 83 / 320)
    assert masked_by_content(xray, ()) is xray


def test_names_of_masks():
    assert mask_names("metal, FIELD") == ("field", "metal")
    with pytest.raises(InputError, match="'bones' is unknown - any of field,markers,metal"):
        mask_names("field,bones")


def test_real_fields_are_found(data):
    # Round fields and collimators that no tag tells about; shares of the image as seen in the pictures.

    for name, size, frame, share in (
        (
            "NEMA_WG04_XA1_UNC",
            1024,
            None,
            (0.21, 0.27),
        ),  # a disc that touches all sides leaves 1 - pi/4 = 0.215
        ("fo-dicom_XA_rubo_96frames", 512, 1, (0.2, 0.27)),
        ("NEMA_WG04_RG3_tibia_CR_J2KR", 1760, None, (0.43, 0.52)),
    ):
        K = np.array([[4000.0, 0, size / 2], [0, 4000, size / 2], [0, 0, 1]])
        says = None if "rubo" in name else "transmission"
        camera_file = CameraFile((size, size), K, np.eye(4), intensity=says)
        xray = read_xray(data / "xray_dicom" / f"{name}.dcm", camera_file, frame=frame)
        left = masked_by_content(xray, ("field", "markers", "metal"))
        assert share[0] < 1 - left.mask.mean() < share[1], name
