"""Pictures of a view: everything is drawn where the camera sees it, in the pixels of the picture."""

import numpy as np
import pytest
from PIL import Image
from xrayreg.geometry import Camera, CArm
from xrayreg.images import Grid, LabelMap, Markup, Volume, Xray
from xrayreg.overlays import (
    Canvas,
    Overlay,
    checkerboard_picture,
    drr_picture,
    edges,
    layers_on,
    overlay_picture,
    structure_outlines,
    view_drr,
    write_grey_png,
    xray_picture,
)
from xrayreg.overlays.canvas import LONG_SIDE, for_display, grey
from xrayreg.render import Density

# --- Outlines: a block of voxels, its eight corners known ---

# Left-handed and anisotropic; labels 4 (a block) and 9 (a small block beside it).
GRID = Grid((40, 30, 24), np.array([[-1.5, 0, 0, 30], [0, 2.0, 0, -30], [0, 0, 2.5, -30], [0, 0, 0, 1]]))
FIRST, LAST = np.array([8, 7, 6]), np.array([27, 20, 15])


def block_labels():
    labels = np.zeros(GRID.array_shape, np.uint8)
    labels[FIRST[2] : LAST[2] + 1, FIRST[1] : LAST[1] + 1, FIRST[0] : LAST[0] + 1] = 4
    labels[18:22, 22:28, 30:36] = 9
    return LabelMap(labels, GRID, {4: "vertebrae_T9", 9: "rib_left_9"})


def block_corners():
    """(8, 3) patient, mm."""
    ends = np.array([FIRST - 0.5, LAST + 0.5])
    corners = np.array([[ends[a, 0], ends[b, 1], ends[c, 2]] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    return corners @ GRID.patient_from_index[:3, :3].T + GRID.patient_from_index[:3, 3]


def hull(points):
    """Corners (n, 2) of the convex hull, in order (Andrew's monotone chain)."""
    ordered = sorted(map(tuple, points))

    def turns_left(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) > (b[1] - a[1]) * (c[0] - a[0])

    def chain(points):
        result = []
        for p in points:
            while len(result) > 1 and not turns_left(*result[-2:], p):
                result.pop()
            result.append(p)
        return result[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def distance_from_polygon(pixels, corners):
    """Signed distance (n,) of pixels (n, 2) from a convex polygon's border, negative inside."""
    inside = np.full(len(pixels), True)
    nearest = np.full(len(pixels), np.inf)
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along = (b - a) / np.linalg.norm(b - a)
        t = np.clip((pixels - a) @ along, 0, np.linalg.norm(b - a))
        nearest = np.minimum(nearest, np.linalg.norm(pixels - a - t[:, None] * along, axis=1))
        inside &= (pixels - a) @ [-along[1], along[0]] >= 0
    return np.where(inside, -nearest, nearest)


@pytest.mark.parametrize("primary_deg", [0, 40, 90])
@pytest.mark.parametrize(("size", "spacing_mm"), [((128, 120), 1.2), ((256, 240), 0.6)])
def test_the_outline_of_a_block_is_the_hull_of_its_projected_corners(size, spacing_mm, primary_deg):
    camera = CArm(1000.0, 700.0, primary_deg, -20.0, 10.0).camera(size, (spacing_mm, spacing_mm))
    row, column = np.nonzero(structure_outlines(block_labels(), camera, (4,))[4])
    corners = hull(camera.project(block_corners()))
    distance = distance_from_polygon(np.stack([column, row], axis=-1).astype(float), corners)
    assert distance.max() < 0.5  # the outline is the outermost pixels that are inside
    assert -1.2 < distance.mean() < 0
    assert distance.min() > -3  # at the corners, which are rounded
    # It goes all the way round: every point of the hull's sides has outline near it.
    along = np.linspace(corners, np.roll(corners, -1, axis=0), 50).reshape(-1, 2)
    gaps = np.linalg.norm(along[:, None] - np.stack([column, row], axis=-1), axis=-1).min(axis=1)
    assert gaps.max() < 4


def test_each_structure_has_its_own_outline_and_those_out_of_view_have_none():
    camera = CArm(1000.0, 700.0, 0.0, 0.0).camera((256, 240), (0.6, 0.6))
    outlines = structure_outlines(block_labels(), camera, (9, 4, 5))
    assert list(outlines) == [9, 4]
    assert not (outlines[4] & outlines[9]).all()
    beside = camera.cropped((0, 0), (20, 240))  # left of both
    assert structure_outlines(block_labels(), beside, (4, 9)) == {}


def test_the_rim_of_the_image_is_no_outline():
    camera = CArm(1000.0, 700.0, 0.0, 0.0).camera((256, 240), (0.6, 0.6))
    row, column = np.nonzero(structure_outlines(block_labels(), camera, (4,))[4])
    middle = (int(column.mean()), int(row.mean()))
    quarter = structure_outlines(block_labels(), camera.cropped(middle, (100, 100)), (4,))[4]
    assert not quarter[0, :10].any()
    assert not quarter[:10, 0].any()
    assert quarter.any()


def test_edges_of_a_disc_are_its_circle():
    row, column = np.mgrid[:90, :110]
    radius = np.hypot(row - 40, column - 60)
    found = edges(np.clip(25.5 - radius, 0, 1).astype(np.float32) * 0.3)
    assert found.sum() > 120  # 2 pi 25 = 157, a little fewer where pixels meet at corners
    assert np.abs(radius[found] - 25).max() < 1.5
    angles = np.degrees(np.arctan2(row - 40, column - 60))[found]
    assert np.diff(np.sort(angles)).max() < 6


@pytest.mark.parametrize("enlarged", [1, 2, 4])
def test_faint_edges_are_found_in_a_thick_body_in_pixels_of_any_size(enlarged):
    # A bone of a tenth on a slope from 3 to 5: its border is steeper than all around it, though not steep.
    v, u = np.mgrid[: 120 * enlarged, : 160 * enlarged] / enlarged
    radius = np.hypot(u - 80, v - 60)
    found = edges((3 + u / 80 + 0.3 / (1 + np.exp((radius - 30) / 2))).astype(np.float32))
    row, column = np.nonzero(found)
    distance = np.hypot(column / enlarged - 80, row / enlarged - 60)
    assert np.abs(distance - 30).max() < 4
    assert len(row) > 0.7 * np.pi * 60 * enlarged


def test_an_empty_drr_has_no_edges():
    assert not edges(np.zeros((20, 30), np.float32)).any()


# --- The canvas: half-pixel rules, for pictures as large as the X-ray, larger, smaller ---


def flat_xray(size, spacing_mm=0.3):
    camera = CArm(1000.0, 700.0, 20.0, 5.0).camera(size, (spacing_mm, spacing_mm))
    shape = size[::-1]
    return Xray(np.zeros(shape, np.float32), camera, np.ones(shape, bool))


@pytest.mark.parametrize(
    ("size", "binned", "enlarge"),
    [
        ((1024, 700), 1, 1),
        ((1000, 990), 1, 1),
        ((512, 400), 1, 2),
        ((100, 90), 1, 10),
        ((1025, 600), 2, 2),
        ((1536, 1536), 2, 1),
        ((4000, 3000), 4, 1),
    ],
)
def test_pictures_are_about_a_thousand_pixels_wide(size, binned, enlarge):
    shown, factor = for_display(flat_xray(size))
    assert (shown.camera.size, factor) == ((size[0] // binned, size[1] // binned), enlarge)
    assert LONG_SIDE / 2 <= max(shown.camera.size) * factor <= LONG_SIDE


@pytest.mark.parametrize("size", [(1024, 700), (512, 400), (100, 90), (1536, 1400), (4000, 3000)])
def test_a_point_is_drawn_where_the_camera_sees_it(size):
    xray = flat_xray(size, spacing_mm=300 / size[0])
    point = np.array([[8.0, -5.0, 12.0]])
    markup = Markup("target", "points", point, ("",))
    empty_drr = np.zeros(for_display(xray)[0].camera.size[::-1])
    canvas = overlay_picture(xray, xray.camera, empty_drr, Overlay(markups=(markup,)), "")
    drawn = drawn_pixels(canvas)
    # A pixel of the X-ray is `scale` pixels of the picture; pixel centres are at whole numbers.
    scale = canvas.image.size[0] / size[0]
    expected = (xray.camera.project(point)[0] + 0.5) * scale - 0.5
    np.testing.assert_allclose(centre_of(drawn), expected, atol=0.9)


def test_a_point_behind_the_source_is_left_out():
    xray = flat_xray((512, 400))
    behind = xray.camera.source_patient - 100 * xray.camera.patient_from_camera[:3, 2]
    ahead = np.array([0.0, 0.0, 0.0])
    canvas = Canvas(np.zeros((400, 512), np.uint8))
    canvas.markup(Markup("m", "line", np.array([behind, behind]), ("a", "b")), xray.camera, (255, 0, 0))
    assert not drawn_pixels(canvas).any()
    canvas.markup(Markup("m", "line", np.array([behind, ahead]), ("", "")), xray.camera, (255, 0, 0))
    np.testing.assert_allclose(centre_of(drawn_pixels(canvas)), xray.camera.project(ahead), atol=0.6)


def test_a_line_joins_its_points():
    xray = flat_xray((1024, 700))
    ends = np.array([[-40.0, 0, -20], [35.0, 10, 25]])
    canvas = Canvas(np.zeros((700, 1024), np.uint8))
    canvas.markup(Markup("screw", "line", ends, ("", "")), xray.camera, (255, 0, 0))
    drawn = drawn_pixels(canvas)
    for x, y in np.rint(np.linspace(*xray.camera.project(ends), 20)).astype(int):
        assert drawn[y - 1 : y + 2, x - 1 : x + 2].any()


def test_an_outline_covers_its_pixels_enlarged():
    border = np.zeros((90, 100), bool)
    border[30, 70] = True
    canvas = Canvas(np.zeros((90, 100), np.uint8), 4)
    canvas.outline(border, (255, 255, 0))
    row, column = np.nonzero(np.array(canvas.image).max(axis=-1))
    assert (row.mean(), column.mean()) == pytest.approx((30 * 4 + 1.5, 70 * 4 + 1.5))
    assert canvas.image.getpixel((70 * 4 + 1, 30 * 4 + 1))[2] == 0


def drawn_pixels(canvas):
    rgb = np.array(canvas.image).astype(int)
    return rgb.max(axis=-1) - rgb.min(axis=-1) > 40


def centre_of(drawn):
    """(x, y) of the middle of the box around the drawn pixels."""
    row, column = np.nonzero(drawn)
    return [(column.min() + column.max()) / 2, (row.min() + row.max()) / 2]


# --- Pictures ---


def patterned_xray():
    """Line integrals with a bright bone in the middle, a masked rim, 64 x 48 pixels."""
    row, column = np.mgrid[:48, :64]
    image = (0.02 * column + np.where(np.hypot(row - 24, column - 32) < 6, 2.0, 0.0)).astype(np.float32)
    mask = np.zeros((48, 64), bool)
    mask[2:-2, 2:-2] = True
    camera = CArm(1000.0, 700.0, 0.0, 0.0).camera((64, 48), (2.0, 2.0))
    return Xray(np.where(mask, image, np.nan).astype(np.float32), camera, mask, "ap")


def test_grey_shows_bone_bright_and_masked_pixels_black():
    xray = patterned_xray()
    picture = grey(xray.line_integrals, xray.mask)
    assert picture.dtype == np.uint8
    assert (picture[~xray.mask] == 0).all()
    assert picture[22:27, 30:35].min() > 200
    assert picture[22:27, 30:35].min() > picture[10, 4:60].max()
    assert not grey(xray.line_integrals, np.zeros_like(xray.mask)).any()


def test_a_grey_png_is_the_drr_pixel_for_pixel(tmp_path):
    drr = np.zeros((48, 64), np.float32)
    drr[10:14, 40:46] = 1.0
    write_grey_png(tmp_path / "drr.png", drr)
    picture = Image.open(tmp_path / "drr.png")
    assert (picture.mode, picture.size) == ("L", (64, 48))
    assert np.array_equal(np.array(picture) > 128, drr > 0)


def test_a_checkerboard_shows_x_ray_and_drr_in_turn():
    xray = patterned_xray()
    drr = np.where(np.indices((48, 64)).sum(axis=0) % 7 == 0, 1.0, 0.0).astype(np.float32)
    board, ours, other = (
        np.array(picture.image).astype(int)
        for picture in (
            checkerboard_picture(xray, drr, ""),
            xray_picture(xray, ""),
            drr_picture(xray, drr, ""),
        )
    )
    assert board.shape == ours.shape == other.shape == (48 * 16, 64 * 16, 3)
    tile, inner = 8 * 16, slice(32, 96)  # tiles of 64 / 8 pixels, 16 times enlarged, without their edges
    sources = []
    for row in range(0, 48 * 16, tile):
        for column in range(0, 64 * 16, tile):
            parts = [p[row : row + tile, column : column + tile][inner, inner] for p in (board, ours, other)]
            from_x_ray, from_drr = (np.abs(parts[0] - part).max() for part in parts[1:])
            same, different = sorted((from_x_ray, from_drr))
            assert same < 10 < 80 < different
            sources.append(from_x_ray < from_drr)
    expected = [(row + column) % 2 == 0 for row in range(6) for column in range(8)]
    assert sources == expected


def a_case():
    """A block of bone, its X-ray without noise, and the density it was rendered from."""
    hu = np.where(block_labels().labels > 0, 800, -1000).astype(np.float32)
    density = Density.from_volume(Volume(hu, GRID))
    camera = CArm(1000.0, 700.0, 0.0, 0.0).camera((256, 240), (0.8, 0.8))
    blank = Xray(np.zeros((240, 256), np.float32), camera, np.ones((240, 256), bool), "ap")
    return density, Xray(view_drr(density, blank, camera.camera_from_patient), camera, blank.mask, "ap")


def coloured(canvas, low, high):
    """Pixels that have a hue: channel ``high`` far above channel ``low``."""
    rgb = np.array(canvas.image).astype(int)
    return rgb[..., high] - rgb[..., low] > 40


def test_an_overlay_is_drawn_at_the_pose_it_is_given_not_at_the_x_rays_own():
    density, xray = a_case()
    shift = np.eye(4)
    shift[0, 3] = 14.0  # camera x: 14 mm * 1000/700 / 0.8 mm, about 25 pixels to the right at the isocenter
    moved = xray.camera.moved(shift @ xray.camera.camera_from_patient)
    middles = []
    for camera in (xray.camera, moved):
        drr = view_drr(density, xray, camera.camera_from_patient)
        canvas = overlay_picture(xray, camera, drr, Overlay(block_labels(), (4,)), "")
        row, column = np.nonzero(coloured(canvas, 0, 2))
        scale = canvas.image.size[0] / 256
        expected = hull(camera.project(block_corners()))
        middles.append(column.mean() / scale)
        assert column.min() / scale == pytest.approx(expected[:, 0].min(), abs=2)
        assert column.max() / scale == pytest.approx(expected[:, 0].max(), abs=2)
        assert row.min() / scale == pytest.approx(expected[:, 1].min(), abs=2)
        assert row.max() / scale == pytest.approx(expected[:, 1].max(), abs=2)
    assert middles[1] - middles[0] == pytest.approx(25, abs=1.5)


def test_vertebrae_and_ribs_have_colours_of_their_own():
    density, xray = a_case()
    drr = view_drr(density, xray, xray.camera.camera_from_patient)
    only = {
        labels: overlay_picture(xray, xray.camera, drr, Overlay(block_labels(), labels), "")
        for labels in ((4,), (9,))
    }
    blue, yellow = (0, 2), (2, 1)
    assert coloured(only[(4,)], *blue).sum() > 100
    assert not coloured(only[(4,)], *yellow).any()
    assert coloured(only[(9,)], *yellow).sum() > 100
    assert not coloured(only[(9,)], *blue).any()


def test_without_a_segmentation_the_edges_of_the_drr_are_drawn():
    density, xray = a_case()
    drr = view_drr(density, xray, xray.camera.camera_from_patient)
    canvas = overlay_picture(xray, xray.camera, drr, Overlay(), "")
    row, column = np.nonzero(coloured(canvas, 0, 2))
    scale = canvas.image.size[0] / 256
    spots = (np.stack([column, row], axis=-1) + 0.5) / scale - 0.5
    corners = hull(xray.camera.project(block_corners()))
    along = np.linspace(corners, np.roll(corners, -1, axis=0), 50).reshape(-1, 2)
    gaps = np.linalg.norm(along[:, None] - spots[None, ::7], axis=-1).min(axis=1)
    assert np.percentile(gaps, 90) < 3


def test_the_drr_has_the_pixels_of_the_pictures():
    camera = Camera((1500, 1200), [[4000.0, 0, 749.5], [0, 4000, 599.5], [0, 0, 1]], np.eye(4), 1000.0)
    camera = camera.moved(CArm(1000.0, 700.0, 0.0, 0.0).camera_from_patient)
    xray = Xray(np.zeros((1200, 1500), np.float32), camera, np.ones((1200, 1500), bool))
    density, _ = a_case()
    drr = view_drr(density, xray, camera.camera_from_patient)
    assert drr.shape == (600, 750)
    row, column = np.nonzero(drr > 0.5 * drr.max())
    spots = np.stack([column, row], axis=-1) * 2 + 0.5  # averaged in pairs
    middle = (spots.min(axis=0) + spots.max(axis=0)) / 2
    expected = camera.project(block_corners())
    np.testing.assert_allclose(middle, (expected.min(axis=0) + expected.max(axis=0)) / 2, atol=12)


# --- What is laid over an X-ray in the scene ---


def test_layers_hold_drr_outlines_and_the_plan_that_projects():
    density, xray = a_case()
    camera = xray.camera
    behind = camera.source_patient + [0, 50, 0]  # the beam runs to anterior, -y
    plan = Markup("screw", "line", np.array([[0.0, 0, 0], behind, [8, -4, 6]]), ("head", "lost", ""))
    variance = np.diag([4.0, 1.0])
    layers = layers_on(
        density, camera, Overlay(block_labels(), (4, 9), (plan,)), lambda camera, point: variance
    )
    assert layers.camera.size == camera.size
    np.testing.assert_array_equal(layers.drr, xray.line_integrals)
    for label, border in structure_outlines(block_labels(), camera, (4, 9)).items():
        assert (layers.outlines[border] == label).mean() > 0.9  # where two cross, one is seen
    assert set(np.unique(layers.outlines)) == {0, 4, 9}
    assert [mark.label for mark in layers.marks] == ["head", "screw"]
    for mark, point in zip(layers.marks, plan.points[[0, 2]], strict=True):
        np.testing.assert_allclose(mark.at, camera.project(point))
        # 95 % within 2.4477 standard deviations of 2 and 1 pixels.
        reach = np.abs(mark.ellipse - mark.at).max(axis=0)
        np.testing.assert_allclose(reach, [4.895, 2.448], atol=1e-3)
        np.testing.assert_array_equal(mark.ellipse[0], mark.ellipse[-1])


def test_layers_of_a_large_xray_have_averaged_pixels_but_marks_in_its_own():
    density, xray = a_case()
    K = xray.camera.K * [[8], [8], [1]]
    large = Camera((2048, 1920), K, xray.camera.camera_from_patient, 1000.0)
    plan = Markup("target", "points", np.zeros((1, 3)), ("t",))
    layers = layers_on(density, large, Overlay(markups=(plan,)), lambda camera, point: np.eye(2))
    assert layers.camera.size == (1024, 960)
    assert layers.drr.shape == layers.outlines.shape == (960, 1024)
    assert not layers.outlines.any()
    np.testing.assert_allclose(layers.marks[0].at, large.project(np.zeros(3)))
