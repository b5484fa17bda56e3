"""Where a pose network looks: networks whose weights are set by hand, shares that can be worked out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.geometry import Camera, CArm, intrinsics
from xrayreg.images import Grid, Volume, Xray
from xrayreg.learn import (
    Anatomy,
    NetworkConfig,
    PoseNetwork,
    PoseRanges,
    Shares,
    Simulation,
    TrainedNetwork,
    anatomy_mask,
    attention_audit,
    attention_map,
    attention_of,
    attention_shares,
    attention_warning,
    dense_part,
    xray_shares,
)
from xrayreg.learn.looks import Looks
from xrayreg.overlays import attention_picture

N = 32
EVERYWHERE = [(row, column) for row in (0, 1) for column in (0, 1)]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network_by_hand(*quadrants: tuple[int, int], outputs=range(9)) -> PoseNetwork:
    """The answer comes from these (row, column) quadrants of first maps that keep every fourth pixel."""
    module = PoseNetwork(NetworkConfig(N, (8,), (1,), 2)).eval()
    module.stages = torch.nn.Identity()
    with torch.no_grad():
        module.stem[0].weight.zero_()[:, 0, 2, 2] = 1.0
        weights = module.head.weight.zero_().view(12, 8, 2, 2)
        for row, column in quadrants:
            for output in outputs:
                weights[output, :, row, column] = torch.linspace(-1, 1, 8) + 0.1 * output
    return module


def some_images(count: int) -> torch.Tensor:
    return torch.randn(count, 1, N, N, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("row", "column"), EVERYWHERE)
def test_a_network_that_looks_at_one_quadrant_has_its_attention_there(row, column):
    maps = attention_of(network_by_hand((row, column)), some_images(3))
    half = N // 2
    inside = maps[:, row * half :, column * half :][:, :half, :half]
    assert maps.shape == (3, N, N)
    assert float(maps.min()) >= 0
    torch.testing.assert_close(maps.amax((1, 2)), torch.ones(3))
    assert (inside.square().sum((1, 2)) > 0.8 * maps.square().sum((1, 2))).all()


def test_the_attention_to_a_bright_pixel_is_at_that_pixel():
    images = torch.zeros(1, 1, N, N)
    images[0, 0, 20, 8] = 4.0
    found = attention_of(network_by_hand(*EVERYWHERE), images)[0]
    assert divmod(int(found.argmax()), N) == (20, 8)


@pytest.mark.parametrize("output", [1, 2, 5, 6, 7, 8])
def test_each_number_of_the_pose_draws_attention(output):
    """Entries of the rotation that turn about z, y and x, the place's two, and the depth."""
    maps = attention_of(network_by_hand((0, 1), outputs=[output]), some_images(1))
    assert float(maps[:, : N // 2, N // 2 :].square().sum()) > 0.9 * float(maps.square().sum())


def test_a_radian_a_half_width_and_a_step_of_the_depth_code_count_the_same():
    module = network_by_hand()
    with torch.no_grad():
        weights = module.head.weight.view(12, 8, 2, 2)
        for output, (row, column) in zip((1, 6, 8), EVERYWHERE, strict=False):
            weights[output, :, row, column] = 1e-3
    tile = some_images(1)[..., : N // 2, : N // 2]
    maps = attention_of(module, tile.tile(2, 2))[0].square()
    middles = [maps[16 * row :, 16 * column :][4:12, 4:12] for row, column in EVERYWHERE]
    turn, place, depth, nothing = (float(part.sum()) for part in middles)
    assert turn == pytest.approx(depth, rel=0.02)
    assert place == pytest.approx(depth, rel=0.02)
    assert nothing < 1e-6 < depth


def test_the_predicted_errors_draw_no_attention_nor_does_an_untrained_network():
    assert float(attention_of(network_by_hand((0, 1), outputs=[9, 10, 11]), some_images(1)).sum()) == 0
    assert float(attention_of(network_by_hand(), some_images(1)).sum()) == 0


def test_the_network_is_left_as_it_was_and_gradients_may_be_off():
    module = network_by_hand((0, 0))
    with torch.no_grad():
        first = attention_of(module, some_images(2))
    torch.testing.assert_close(first, attention_of(module, some_images(2)))
    assert not module.stem._forward_hooks
    assert all(parameter.grad is None for parameter in module.parameters())


@pytest.mark.parametrize(
    ("size", "spacing", "columns", "rows"),
    [
        # 41 columns span the field's 32 pixels; 21 rows of the same pixels lie in the middle of it.
        ((41, 21), (1.0, 1.0), (np.arange(41) + 0.5) * 32 / 41 - 0.5, (np.arange(21) - 10) * 32 / 41 + 15.5),
        # Rows twice as high: 21 of them are 42 mm, longer than the 41 columns.
        ((41, 21), (1.0, 2.0), (np.arange(41) - 20) * 32 / 42 + 15.5, (np.arange(21) + 0.5) * 32 / 21 - 0.5),
    ],
)
def test_a_map_lies_on_the_pixels_of_the_x_ray(monkeypatch, size, spacing, columns, rows):
    ramp = torch.arange(N)[:, None] + 100.0 * torch.arange(N)
    monkeypatch.setattr("xrayreg.learn.attention.attention_of", lambda module, images: ramp[None])
    K = intrinsics(1000.0, spacing, (7.3, 33.1))  # the central ray passes beside the image
    camera = Camera(size, K, np.eye(4))
    image = np.random.default_rng(0).random(size[::-1]).astype(np.float32)
    found = attention_map(trained(network_by_hand()), Xray(image, camera, np.ones(size[::-1], bool)))
    ends = (0, N - 1)
    expected = np.clip(rows, *ends)[:, None] + 100 * np.clip(columns, *ends)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected / expected.max(), atol=1e-5)


def trained(module: PoseNetwork, description: dict | None = None) -> TrainedNetwork:
    return TrainedNetwork(module, PoseRanges(), np.zeros(3), description or {})


def test_shares_by_hand():
    maps = np.sqrt([[4.0, 2.0, 0.0, 1.0, 1.0], [3.0, 1.0, 0.0, 5.0, 3.0]])
    anatomy = np.array([[1, 1, 0, 0, 0], [1, 0, 0, 0, 0]], bool)
    collimator = np.array([[0, 0, 0, 0, 1], [0, 0, 0, 0, 1]], bool)
    tools = np.array([[0, 1, 0, 0, 1], [0, 0, 0, 0, 0]], bool)
    found = attention_shares(maps, anatomy, collimator, tools)
    expected = Shares(anatomy=0.35, background=0.35, collimator=0.2, tools=0.1, area=0.2)
    assert vars(found) == pytest.approx(vars(expected))
    # 0.35 / 0.2 inside, 0.65 / 0.8 outside: 1.75 against 0.8125.
    assert found.balanced == pytest.approx(1.75 / (1.75 + 0.8125))


@pytest.mark.parametrize(
    ("maps", "anatomy", "balanced"),
    [
        (np.ones((4, 4)), np.arange(16).reshape(4, 4) < 3, 0.5),  # spread evenly
        (np.ones((4, 4)), np.ones((4, 4), bool), 1.0),
        (np.ones((4, 4)), np.zeros((4, 4), bool), 0.0),
        (np.zeros((4, 4)), np.arange(16).reshape(4, 4) < 3, 0.0),
        (np.eye(4), np.eye(4, dtype=bool), 1.0),
    ],
)
def test_balanced_shares_at_the_ends(maps, anatomy, balanced):
    assert attention_shares(maps, anatomy).balanced == pytest.approx(balanced)


def test_masks_of_another_size_are_refused():
    with pytest.raises(InputError, match="different sizes"):
        attention_shares(np.ones((4, 4)), np.ones((4, 5), bool))


def body_with_bone(place_mm: tuple[float, float, float]) -> Volume:
    """120 mm of water with a bone of 36 mm in it, 6 mm voxels; the middle is the patient's origin."""
    hu = np.zeros((20, 20, 20), np.float32)
    first = np.round((np.array(place_mm) - 18) / 6 + 10).astype(int)
    i, j, k = (slice(n, n + 6) for n in first)
    hu[k, j, i] = 1000.0
    affine = np.diag([6.0, 6.0, 6.0, 1.0])
    affine[:3, 3] = -57.0
    return Volume(hu, Grid((20, 20, 20), affine))


def frontal() -> Camera:
    """The patient's middle is 400 mm from the source, the field there 120 mm wide; x to the right, y down."""
    pose = np.eye(4)
    pose[2, 3] = 400.0
    return Camera((64, 64), intrinsics(800.0, (3.75, 3.75), (31.5, 31.5)), pose)


# The bone lies to the upper left: between 12 and 48 mm from the middle, at 382 to 418 mm from the source.
UPPER_LEFT = (-30.0, -30.0, 0.0)


def test_the_mask_of_the_anatomy_is_where_bone_projects_and_a_little_more():
    mask = anatomy_mask(dense_part(body_with_bone(UPPER_LEFT)), frontal())
    # 213.3 pixels focal length: from 31.5 - 213.3 * 48 / 382 = 4.7 to 31.5 - 213.3 * 12 / 418 = 25.4; the
    # bone's faces are soft by half a voxel, 1.6 pixels, and two pixels are added.
    rows, columns = np.nonzero(mask)
    for found in (rows, columns):
        assert 4.7 - 4.6 <= found.min() <= 4.7 - 1
        assert 25.4 + 1 <= found.max() <= 25.4 + 4.6
    without_bone = replace(body_with_bone(UPPER_LEFT), hu=np.zeros((20, 20, 20), np.float32))
    assert anatomy_mask(dense_part(without_bone), frontal()).mean() > 0.9


def test_a_warning_where_the_network_looked_beside_the_anatomy():
    dense = dense_part(body_with_bone(UPPER_LEFT))
    image = some_images(1)[0, 0].repeat_interleave(2, 0).repeat_interleave(2, 1).numpy()
    xray = Xray(image, frontal(), np.ones((64, 64), bool), "ap")
    pose = frontal().camera_from_patient
    right, wrong = (trained(network_by_hand(place)) for place in ((0, 0), (1, 1)))
    assert attention_warning(right, xray, pose, dense) is None
    text = attention_warning(wrong, xray, pose, dense)
    shares = xray_shares(wrong, xray, pose, dense)
    assert shares.anatomy < 0.2
    assert text.startswith(f"ap: the network looked beside the anatomy ({100 * shares.anatomy:.0f} % of its")
    # Turned by half a turn the bone is at the lower right.
    turned = pose @ np.diag([-1.0, -1.0, 1.0, 1.0])
    assert attention_warning(wrong, xray, turned, dense) is None
    # What is usual for the network counts, too.
    usual = xray_shares(right, xray, pose, dense).balanced
    for lowest, warned in ((usual - 0.01, False), (usual + 0.01, True)):
        network = trained(right.module, {"attention": {"lowest_balanced": lowest}})
        assert (attention_warning(network, xray, pose, dense) is not None) == warned


def test_what_the_collimator_hides_is_told_apart():
    dense = dense_part(body_with_bone(UPPER_LEFT))
    mask = np.ones((64, 64), bool)
    mask[:, 32:] = False
    image = some_images(1)[0, 0].repeat_interleave(2, 0).repeat_interleave(2, 1).numpy()
    found = xray_shares(
        trained(network_by_hand((0, 1))), Xray(image, frontal(), mask), frontal().camera_from_patient, dense
    )
    assert found.collimator > 0.6
    assert found.area < 0.25


def test_the_audit_of_a_network_on_simulated_x_rays():
    """The bone is kept in the upper left of the field."""
    anatomy = Anatomy.of(body_with_bone((0.0, 0.0, 0.0)), 6.0)
    still = {name: (0.0, 0.0) for name in ("primary_deg", "secondary_deg", "tertiary_deg")}
    ranges = PoseRanges(
        **still, offset_x_mm=(-32, -28), offset_y_mm=(-32, -28), source_to_centre_mm=(400.0, 400.0)
    )
    looks = replace(Looks.none(), p_noise=1.0)
    simulation = Simulation((anatomy,), frontal(), ranges, N, looks, zoom=(1.0, 1.0))
    batch = simulation.batch(0, [0])
    assert len(batch.images) == 32
    right, wrong = (attention_audit(network_by_hand(place), [batch]) for place in ((0, 0), (1, 1)))
    assert len(right.shares) == 32
    values = sorted(each.balanced for each in right.shares)
    assert values[1] < right.lowest < values[2]  # a twentieth of 31 steps: between the second and the third
    assert right.warning == ""
    assert "beside the anatomy" in wrong.warning
    assert wrong.as_json["median"]["balanced"] < 0.3 < 0.7 < right.as_json["median"]["balanced"]
    assert right.as_json["lowest_balanced"] == pytest.approx(right.lowest, abs=1e-4)


def test_the_picture_is_coloured_where_the_attention_is():
    rows, columns = 75, 101
    image = np.random.default_rng(0).random((rows, columns)).astype(np.float32)
    camera = CArm(1000.0, 700.0, 0.0, 0.0).camera((columns, rows), (1.0, 1.0))
    xray = Xray(image, camera, np.ones((rows, columns), bool), "ap")
    maps = np.zeros((rows, columns), np.float32)
    maps[50:, 60:] = 1.0
    anatomy = np.zeros((rows, columns), bool)
    anatomy[40:60, 10:30] = True
    picture = np.asarray(attention_picture(xray, maps, "", anatomy).image).astype(int)
    scale = picture.shape[1] / columns
    assert picture.shape[:2] == (round(rows * scale), columns * scale)

    def colour(row, column):
        return picture[round((row + 0.5) * scale) - 2 :, round((column + 0.5) * scale) - 2 :][:4, :4].mean(
            (0, 1)
        )

    red, green, blue = colour(62, 80)
    assert min(red, green) > blue + 100  # yellow
    assert np.ptp(colour(20, 20)) < 1  # grey
    assert colour(50, 10).min() > 150  # the outline
    with pytest.raises(InputError, match="not on the X-ray's pixels"):
        attention_picture(xray, maps[1:], "")


def test_the_picture_of_a_large_x_ray_has_the_attention_at_its_place():
    """2051 pixels are averaged in threes, and the last two cut off."""
    side = 2051
    camera = CArm(1000.0, 700.0, 0.0, 0.0).camera((side, side), (0.2, 0.2))
    xray = Xray(np.zeros((side, side), np.float32), camera, np.ones((side, side), bool), "ap")
    maps = np.zeros((side, side), np.float32)
    maps[1500:1503, 600:603] = 1.0
    picture = np.asarray(attention_picture(xray, maps, "").image).astype(int)
    assert picture.shape[:2] == (683, 683)
    rows, columns = np.nonzero(picture[..., 0] - picture[..., 2] > 30)
    assert (set(rows), set(columns)) == ({500}, {200})
