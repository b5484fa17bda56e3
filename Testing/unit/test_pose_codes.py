"""Poses as networks say them: worked numbers, round trips, and what a code must not depend on."""

import numpy as np
import pytest
import torch
from xrayreg.geometry import Camera, CArm, about
from xrayreg.learn.codes import DEPTH, PLACE, ROTATION, decode, encode, fields_of, rotation_of

CENTRE = torch.tensor([10.0, -20.0, 30.0], dtype=torch.float64)
IDENTITY = torch.eye(3, dtype=torch.float64)


def camera(focal=(200.0, 200.0), size=(100, 100), middle=(49.5, 49.5)) -> Camera:
    K = np.array([[focal[0], 0, middle[0]], [0, focal[1], middle[1]], [0, 0, 1.0]])
    return Camera(size, K, np.eye(4))


def posed(x: float, y: float, z: float, rotation=None) -> torch.Tensor:
    """(1, 4, 4) that puts CENTRE to a point of the camera."""
    pose = np.eye(4)
    pose[:3, :3] = np.eye(3) if rotation is None else rotation
    pose[:3, 3] = np.array([x, y, z]) - pose[:3, :3] @ CENTRE.numpy()
    return torch.as_tensor(pose)[None]


def test_the_field_is_as_wide_as_the_longer_side_and_lies_about_the_images_middle():
    # 200 columns of focal 400 from -0.5 to 199.5 about a principal point at 79.5: rays -0.2 to 0.3.
    fields = fields_of([camera((400.0, 200.0), (200, 40), (79.5, 19.5))])
    assert fields.middle[0].tolist() == pytest.approx([0.05, 0.0])
    assert fields.half.tolist() == pytest.approx([0.25])


def test_a_worked_code():
    # Half width 50 / 200 = 0.25; at 800 mm the half field is 200 mm: its depth code ln 2. 40 mm right of the
    # axis is 0.2 of that. The centre lies off the axis, so the ray to it is turned by atan(40 / 800) about y.
    code = encode(posed(40, 0, 800), CENTRE, IDENTITY, fields_of([camera()]))[0]
    assert code[PLACE].tolist() == pytest.approx([0.2, 0.0])
    assert code[DEPTH].tolist() == pytest.approx([np.log(2.0)])
    turn = np.arctan(40 / 800)
    assert code[ROTATION].tolist() == pytest.approx([np.cos(turn), 0, np.sin(turn), 0, 1, 0])


def test_what_codes_say_is_decoded_again():
    rng = np.random.default_rng(0)
    cameras = [camera(), camera((900.0, 450.0), (300, 120), (10.0, 90.0))] * 10
    rotations = [about(np.zeros(3), [*rng.normal(0, 1.5, 3), 0, 0, 0])[:3, :3] for _ in cameras]
    poses = torch.cat([posed(*rng.uniform(-100, 100, 2), rng.uniform(400, 900), r) for r in rotations])
    middle = torch.as_tensor(CArm(1000, 700, 30, -20, 10).camera_from_patient[:3, :3])
    fields = fields_of(cameras)
    codes = encode(poses, CENTRE, middle, fields)
    torch.testing.assert_close(decode(codes, CENTRE, middle, fields), poses, atol=1e-9, rtol=0)


def test_a_turn_of_the_camera_about_its_source_shows_the_same_rotation():
    # The anatomy only moves across the field; along its ray it looks as before.
    turned = torch.as_tensor(about(np.zeros(3), [0.1, -0.15, 0, 0, 0, 0])) @ posed(0, 0, 700)
    straight, moved = encode(
        torch.cat([posed(0, 0, 700), turned]), CENTRE, IDENTITY, fields_of([camera()] * 2)
    )
    np.testing.assert_allclose(straight[ROTATION], moved[ROTATION], atol=0.02)
    assert (straight[PLACE] - moved[PLACE]).norm() > 0.5


def test_finer_pixels_and_a_longer_distance_with_the_same_field_have_the_same_code():
    coarse, fine = camera(), camera((800.0, 800.0), (400, 400), (199.5, 199.5))
    codes = encode(posed(20, -30, 700).expand(2, 4, 4), CENTRE, IDENTITY, fields_of([coarse, fine]))
    assert torch.allclose(codes[0], codes[1])


def test_half_the_field_at_twice_the_depth_is_the_same_place_and_depth():
    wide, narrow = camera(), camera((400.0, 400.0))
    codes = encode(
        torch.cat([posed(40, 20, 700), posed(40, 20, 1400)]), CENTRE, IDENTITY, fields_of([wide, narrow])
    )
    assert torch.allclose(codes[0, 6:], codes[1, 6:])


@pytest.mark.parametrize("six", [[1.0, 0, 0, 0, 1, 0], [3.0, 1, 2, -1, 0.5, 4], [0, 0, 1e-3, 5, 0, 0]])
def test_any_six_numbers_are_a_rotation(six):
    rotation = rotation_of(torch.tensor([six], dtype=torch.float64))[0].numpy()
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_a_small_change_of_the_pose_is_a_small_change_of_the_code_also_at_half_a_turn():
    # Angles, quaternions and rotation vectors jump there (Zhou et al.).
    before, after = (about(np.zeros(3), [0, 0, turn, 0, 0, 0])[:3, :3] for turn in (3.14, -3.14))
    codes = encode(
        torch.cat([posed(0, 0, 700, before), posed(0, 0, 700, after)]), CENTRE, IDENTITY,
        fields_of([camera()] * 2),
    )  # fmt: skip
    assert (codes[0] - codes[1]).norm() < 0.01


def test_a_code_of_any_size_gives_a_finite_pose():
    code = torch.full((1, 9), 1e4, dtype=torch.float64)
    assert torch.isfinite(decode(code, CENTRE, IDENTITY, fields_of([camera()]))).all()
