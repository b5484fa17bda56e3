"""The network, what it learns from, and that it learns."""

import sys
from dataclasses import replace

import numpy as np
import phantom
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.geometry import CArm
from xrayreg.images import read_volume
from xrayreg.learn import (
    Anatomy,
    Looks,
    NetworkConfig,
    PoseNetwork,
    PoseRanges,
    PoseTask,
    Simulation,
    TrainingSettings,
    squared,
    train,
)
from xrayreg.learn.ahead import Ahead
from xrayreg.learn.codes import decode
from xrayreg.learn.network import Prediction, angle
from xrayreg.learn.simulation import CHUNK

SMALL = NetworkConfig(pixels=32, channels=(16, 32), blocks=(1, 1), cells=4)
RANGES = PoseRanges((-30, 30), (-20, 20), (-10, 10), (-10, 10), (-10, 10), (600, 700))


@pytest.fixture(scope="module")
def anatomy(tmp_path_factory) -> Anatomy:
    return Anatomy.of(read_volume(phantom.write_ct(tmp_path_factory.mktemp("ct") / "ct.nii.gz")), 4.0)


@pytest.fixture(scope="module")
def simulation(anatomy) -> Simulation:
    camera = CArm(1000, 650, 0, 0).camera((200, 160), (1.2, 1.2))
    return Simulation((anatomy,), camera, RANGES, SMALL.pixels, clear_batches=0, seed=3)


def test_the_anatomy_is_where_its_bones_are(anatomy):
    # Three bones; the largest by far is the vertebra (16 * 9 * 7), then the rib (5 * 12 * 20).
    assert np.linalg.norm(anatomy.centre - phantom.CENTRE) < 20
    assert set(anatomy.materials) == {"water", "bone"}
    inside = [
        min(
            np.linalg.norm((point - phantom.CENTRE - centre) / np.array(half))
            for _, _, centre, half in phantom.BONES
        )
        for point in anatomy.points
    ]
    assert np.median(inside) < 1.0


def test_a_batch_is_what_its_number_and_seed_say(simulation):
    first, again = simulation.batch(5, [0]), simulation.batch(5, [0])
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.codes, again.codes)
    for other in (simulation.batch(6, [0]), replace(simulation, seed=4).batch(5, [0])):
        assert not torch.equal(first.codes, other.codes)


def test_processes_share_a_batch_by_chunks(simulation):
    both, halves = simulation.batch(2, [0, 1]), [simulation.batch(2, [n]) for n in (0, 1)]
    assert len(both.images) == 2 * CHUNK
    assert torch.equal(both.images, torch.cat([half.images for half in halves]))
    assert torch.equal(both.codes, torch.cat([half.codes for half in halves]))


def test_the_codes_of_a_batch_are_its_poses_and_those_lie_in_the_ranges(simulation):
    batch = simulation.batch(0, [0])
    middle = torch.as_tensor(RANGES.middle)
    poses = decode(batch.codes.double(), simulation.centre, middle, batch.fields)
    torch.testing.assert_close(poses, batch.poses, atol=0.02, rtol=0)
    assert not any(RANGES.outside(pose.numpy(), simulation.centre.numpy()) for pose in batch.poses)
    assert min(simulation.anatomies[0].seen(camera) for camera in batch.cameras) >= 0.5


def test_looks_come_in_over_the_first_batches(simulation):
    clear = replace(simulation, clear_batches=10)
    plain = replace(simulation, looks=Looks.none())
    assert torch.equal(clear.batch(0, [0]).images, plain.batch(0, [0]).images)
    assert torch.equal(clear.batch(10, [0]).images, simulation.batch(10, [0]).images)
    assert not torch.equal(clear.batch(5, [0]).images, simulation.batch(5, [0]).images)
    assert not torch.equal(simulation.batch(0, [0]).images, plain.batch(0, [0]).images)


def test_several_anatomies_take_turns(simulation, anatomy):
    pair = replace(simulation, anatomies=(anatomy, replace(anatomy, name="other")))
    assert [pair.batch(n, [0]).anatomy.name for n in range(3)] == [anatomy.name, "other", anatomy.name]


def test_the_squared_camera_has_the_field_of_the_longer_side():
    camera = CArm(1000, 650, 0, 0).camera((200, 160), (1.2, 1.2))
    square = squared(camera, 50)
    for u, v in ((-0.5, 79.5), (199.5, 79.5)):  # the middles of its left and right edge
        ray = camera.ray_directions(np.array([u, v]))
        np.testing.assert_allclose((square.K @ ray)[:2], [(u + 0.5) / 4 - 0.5, 24.5], atol=1e-9)
    narrow = squared(camera, 50, zoom=2.0)
    assert narrow.K[0, 0] == pytest.approx(2 * square.K[0, 0])


def test_an_untrained_network_says_the_middle_and_one_size_fits_its_images():
    outputs = PoseNetwork(SMALL)(torch.randn(3, 1, 32, 32))
    assert outputs.shape == (3, 12)
    assert torch.equal(Prediction.of(outputs).codes, torch.tensor([[1.0, 0, 0, 0, 1, 0, 0, 0, 0]] * 3))


def test_the_angle_of_rotations():
    turn = torch.tensor([[[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]])
    assert float(angle(turn, torch.eye(3)[None])) == pytest.approx(np.pi / 2, abs=1e-5)


def test_a_network_learns_the_poses_of_the_phantom(simulation):
    """What it says of the place is soon better than the middle, then the rotation."""
    clear = replace(simulation, looks=Looks.none())
    torch.manual_seed(0)
    said = []
    train(
        PoseTask(PoseNetwork(SMALL), clear, views=CHUNK),
        TrainingSettings(steps=80, learning_rate=4e-3, average_decay=0.9),
        report=lambda state: said.append((state.terms["rotation_deg"], state.terms["place"])),
    )
    first, last = np.mean(said[:5], axis=0), np.mean(said[-5:], axis=0)
    assert last[0] < 0.85 * first[0]
    assert last[1] < 0.6 * first[1]


def test_a_batch_that_processes_cannot_share_evenly_is_refused(simulation):
    task = PoseTask(PoseNetwork(SMALL), simulation, views=CHUNK)
    with pytest.raises(InputError, match="2 processes cannot share"):
        task.loss(task.module, 0, 0, 2)


def test_a_network_of_another_size_than_its_images_is_refused(simulation):
    with pytest.raises(InputError, match="64 pixels, not 32"):
        PoseTask(PoseNetwork(replace(SMALL, pixels=64)), simulation)


@pytest.mark.parametrize("wrong", [{"channels": (12,), "blocks": (1,)}, {"blocks": (1,)}, {"pixels": 0}])
def test_shapes_that_are_no_network_are_refused(wrong):
    with pytest.raises(InputError):
        replace(SMALL, **wrong)


def test_without_monai_the_remedy_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai.networks.nets.resnet", None)
    with pytest.raises(InputError, match="pip install"):
        PoseNetwork(SMALL)


def test_an_empty_volume_is_refused(tmp_path):
    def air(points):
        return np.full(points.shape[:-1], -1000, np.int16)

    empty = phantom.write_grid(tmp_path / "air.nii.gz", (8,) * 3, (2.0,) * 3, phantom.RIGHT_HANDED, air)
    with pytest.raises(InputError, match="nothing that attenuates"):
        Anatomy.of(read_volume(empty), 4.0)


def test_batches_made_ahead_are_those_asked_for(simulation):
    ahead, other = Ahead(), replace(simulation, seed=9)
    asked = [(simulation, 3), (simulation, 4), (simulation, 0), (other, 1), (simulation, 2), (simulation, 3)]
    for source, number in asked:
        found = ahead.batch(source, number, range(1))
        expected = source.batch(number, range(1))
        assert torch.equal(found.images, expected.images)
        assert torch.equal(found.codes, expected.codes)
