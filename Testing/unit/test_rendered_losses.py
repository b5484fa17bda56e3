"""Losses by what poses show: worked numbers, zero at the truth, gradients, and what must not break them."""

from dataclasses import replace

import numpy as np
import phantom
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.geometry import CArm
from xrayreg.images import LabelMap, read_label_map, read_volume
from xrayreg.learn import (
    Anatomy,
    Looks,
    LossWeights,
    NetworkConfig,
    PoseNetwork,
    PoseRanges,
    PoseTask,
    Simulation,
    TrainingSettings,
    new_pose_task,
    structures_of,
    train,
)
from xrayreg.learn.codes import DEPTH, PLACE, encode
from xrayreg.learn.image_losses import dice_loss, ncc_loss
from xrayreg.learn.rendered_losses import rendered_losses
from xrayreg.learn.simulation import CHUNK
from xrayreg.render import render

SMALL = NetworkConfig(pixels=48, channels=(16, 32), blocks=(1, 1), cells=4)
RANGES = PoseRanges((-30, 30), (-20, 20), (-10, 10), (-10, 10), (-10, 10), (600, 700))
BOTH = {"image": 1.0, "dice": 1.0}


@pytest.fixture(scope="module")
def segmentation(tmp_path_factory) -> LabelMap:
    path = tmp_path_factory.mktemp("labels") / "labels.nii.gz"
    labels = read_label_map(phantom.write_segmentation(path, phantom.LEFT_HANDED))
    return replace(labels, names={label: name for label, name, _, _ in phantom.BONES})


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> Anatomy:
    return Anatomy.of(read_volume(phantom.write_ct(tmp_path_factory.mktemp("ct") / "ct.nii.gz")), 2.5)


@pytest.fixture(scope="module")
def simulation(bare, segmentation) -> Simulation:
    anatomy = replace(bare, structures=structures_of(segmentation, bare, 4.0))
    camera = CArm(1000, 650, 0, 0).camera((200, 160), (1.0, 1.0))
    return Simulation((anatomy,), camera, RANGES, SMALL.pixels, looks=Looks.none(), seed=3)


@pytest.fixture(scope="module")
def batch(simulation):
    return simulation.batch(0, [0])


def true_codes(batch, simulation) -> torch.Tensor:
    """In float64: those of the batch are rounded."""
    return encode(batch.poses, simulation.centre, torch.as_tensor(RANGES.middle), batch.fields)


def losses_at(codes, batch, simulation, weights=BOTH, views=4):
    return rendered_losses(weights, views, batch, codes, simulation)


# --- Worked numbers ---

_COLUMNS = torch.tensor([[1.0, -1, 1, -1]] * 4)  # of mean 0 and energy 4 in every 2 x 2 patch, 16 in all


@pytest.mark.parametrize(
    ("moving", "expected"),
    [
        (_COLUMNS, 0.0),
        (-_COLUMNS, 1 + 0.99 / 1.01),  # a hundredth of the energy is common to both
        (_COLUMNS.T, 1 - 0.01 / 1.01),
        (torch.zeros(4, 4), 1 - (0.01 / 1.01) ** 0.5),
        (_COLUMNS + 7, 0.0),
    ],
    ids=["same", "inverse", "unlike", "empty", "brighter"],
)
def test_ncc_of_patterns(moving, expected):
    assert ncc_loss(moving[None], _COLUMNS[None]).tolist() == pytest.approx([expected], abs=1e-5)


@pytest.mark.parametrize(
    ("shift", "expected"), [(0, 0.0), (1, 1 - 5 / 9), (2, 1 - 1 / 9), (10, 1 - 1 / 5)],
    ids=["same", "half", "apart", "gone"],
)  # fmt: skip
def test_dice_of_squares(shift, expected):
    # Two by two pixels; half over: two pixels are common, and one is added everywhere.
    masks = torch.zeros(2, 8, 12)
    masks[0, 2:4, 2:4] = 1
    masks[1, 2:4, 2 + shift : 4 + shift] = 1
    assert dice_loss(masks[1:], masks[:1]).tolist() == pytest.approx([expected])


def test_structures_of_nothing_agree():
    assert dice_loss(torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)).tolist() == [0.0]


def test_soft_masks_agree_with_themselves_and_with_nothing_else():
    half = torch.full((1, 4, 4), 0.5)
    assert dice_loss(half, half).tolist() == pytest.approx([0.0])
    # 2 * 16 * 0.5 + 1 over 16 * 0.25 + 16 + 1
    assert dice_loss(half, 2 * half).tolist() == pytest.approx([1 - 17 / 21])


# --- Structures ---


def test_structures_are_the_bones_largest_first_where_the_segmentation_has_them(bare, segmentation):
    structures = structures_of(segmentation, bare, 1.0)
    assert list(structures) == ["rib_left_1", "vertebrae_L1", "talus"]  # 5 * 12 * 20, 16 * 9 * 7, 9 * 6 * 5
    camera = phantom.carm(0, 0).camera((81, 81), (2.0, 2.0))
    for _, name, centre, half in phantom.BONES:
        lengths = 5.0 * render(structures[name], camera)  # mm
        u, v = camera.project(phantom.CENTRE + np.array(centre))
        rows, columns = torch.meshgrid(torch.arange(81.0), torch.arange(81.0), indexing="ij")
        middle = [float((lengths * place).sum() / lengths.sum()) for place in (columns, rows)]
        assert middle == pytest.approx([u, v], abs=0.4)
        # The frontal beam runs along y; it passes the full ellipsoid in its middle.
        assert float(lengths[round(v), round(u)]) == pytest.approx(2 * half[1], rel=0.12)


def test_structures_without_bone_are_refused(bare, segmentation):
    soft = np.zeros_like(segmentation.labels)
    soft[20:23, 45:50, 28:32] = 4  # beside all three
    assert not (segmentation.labels[soft > 0] > 0).any()
    with pytest.raises(InputError, match="as dense as bone"):
        structures_of(replace(segmentation, labels=soft), bare, 4.0)


def test_structures_are_stretched_with_the_ct(simulation):
    before = simulation.anatomies[0]
    after = before.of_another_shape(np.random.default_rng(1))
    was, now = (anatomy.materials["bone"].grid for anatomy in (before, after))
    stretch = now.patient_from_index @ was.index_from_patient
    assert np.abs(stretch[:3, :3] - np.eye(3)).max() > 0.01
    for name, structure in before.structures.items():
        place = stretch @ structure.grid.patient_from_index
        np.testing.assert_allclose(after.structures[name].grid.patient_from_index, place, atol=1e-9)


# --- Losses of poses ---


def test_they_are_zero_at_the_truth(batch, simulation):
    total, terms = losses_at(true_codes(batch, simulation), batch, simulation)
    assert terms.keys() == BOTH.keys()
    assert float(total) == pytest.approx(0, abs=1e-5)


def test_they_grow_with_the_distance_and_are_means_over_views(batch, simulation):
    truth = true_codes(batch, simulation)
    grown = []
    for step in (0.02, 0.06, 0.15):
        moved = truth.clone()
        moved[:, PLACE] += step
        grown.append(losses_at(moved, batch, simulation)[1])
    for name in BOTH:
        assert grown[0][name] < grown[1][name] < grown[2][name] < 2
    # Only the first of four views is wrong now: a quarter of what it would be alone.
    moved[1:] = truth[1:]
    alone, of_four = (losses_at(moved, batch, simulation, views=n)[1] for n in (1, 4))
    for name in BOTH:
        assert of_four[name] == pytest.approx(alone[name] / 4, abs=1e-5)


@pytest.mark.parametrize("name", BOTH)
def test_gradients_are_those_of_finite_differences_and_point_to_the_truth(batch, simulation, name):
    truth = true_codes(batch, simulation)
    rng = np.random.default_rng(5)
    offset = torch.as_tensor(rng.choice([-0.04, 0.04], (CHUNK, 9)))
    codes = (truth + offset).requires_grad_()
    weights = {name: 1.0}
    total, _ = losses_at(codes, batch, simulation, weights)
    (gradient,) = torch.autograd.grad(total, codes)
    assert not gradient[4:].any()  # views that were not rendered
    step, along = 4e-3, gradient / gradient.norm()
    for direction in (along, offset / offset.norm()):
        ahead, behind = (
            float(losses_at(codes.detach() + sign * step * direction, batch, simulation, weights)[0])
            for sign in (1, -1)
        )
        slope = float((gradient * direction).sum())
        assert slope > 0.05  # against the gradient, and towards the truth, it falls
        assert (ahead - behind) / (2 * step) == pytest.approx(slope, rel=0.05)


@pytest.mark.parametrize(("part", "value"), [(PLACE, 6.0), (DEPTH, -3.9), (DEPTH, 9.0)])
def test_a_pose_that_misses_the_volume_gives_finite_losses_and_gradients(batch, simulation, part, value):
    codes = true_codes(batch, simulation)
    codes[:, part] = value
    codes.requires_grad_()
    total, _ = losses_at(codes, batch, simulation)
    total.backward()
    assert torch.isfinite(total)
    assert torch.isfinite(codes.grad).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_codes_that_say_no_pose_give_no_number(batch, simulation, value):
    codes = true_codes(batch, simulation)
    codes[1] = value
    total, terms = losses_at(codes, batch, simulation)
    assert torch.isnan(total)
    assert np.isnan(list(terms.values())).all()


def test_processes_that_share_a_batch_have_its_mean(simulation):
    both, *halves = (simulation.batch(1, chunks) for chunks in ([0, 1], [0], [1]))
    whole, first, second = (losses_at(b.codes + 0.03, b, simulation)[0] for b in (both, *halves))
    assert float(whole) == pytest.approx(float(first + second) / 2, rel=1e-5)


# --- In training ---


def task_of(simulation, **weights) -> PoseTask:
    torch.manual_seed(0)
    weights = LossWeights(**{"after_batches": 2, "views": 4, **weights})
    return PoseTask(PoseNetwork(SMALL), simulation, CHUNK, weights=weights)


def loss_and_gradient(task, number):
    task.module.zero_grad()
    loss, terms = task.loss(task.module, number, 0, 1)
    loss.backward()
    return loss.detach(), task.module.head.weight.grad.clone(), terms


def test_they_come_in_late_weighted_and_are_the_same_each_time(simulation):
    plain, weighted = task_of(simulation), task_of(simulation, image=0.5, dice=0.25)
    assert torch.equal(loss_and_gradient(plain, 1)[0], loss_and_gradient(weighted, 1)[0])
    before, _, without = loss_and_gradient(plain, 2)
    after, gradient, terms = loss_and_gradient(weighted, 2)
    assert terms.keys() - without.keys() == {"image", "dice"}
    assert float(after - before) == pytest.approx(0.5 * terms["image"] + 0.25 * terms["dice"], rel=1e-4)
    again = loss_and_gradient(weighted, 2)
    assert torch.equal(after, again[0])
    assert torch.equal(gradient, again[1])


def test_a_training_does_not_go_on_with_other_weights(simulation, tmp_path):
    checkpoint = tmp_path / "n.checkpoint"
    settings = TrainingSettings(steps=2)
    train(task_of(simulation, image=0.5), settings, checkpoint, stop=lambda: True)
    with pytest.raises(InputError, match="checkpoint"):
        train(task_of(simulation, image=0.6), settings, checkpoint, resume=True)
    assert train(task_of(simulation, image=0.5), settings, checkpoint, resume=True).place.step == 2


def test_the_task_of_a_patient_takes_weights_and_segmentation(tmp_path, segmentation):
    volume = read_volume(phantom.write_ct(tmp_path / "ct.nii.gz"))
    camera = CArm(1000, 650, 0, 0).camera((200, 160), (1.0, 1.0))
    weights = LossWeights(dice=0.3)
    task = new_pose_task([volume], camera, RANGES, SMALL, weights=weights, segmentation=segmentation)
    assert task.description["loss_weights"]["dice"] == 0.3
    assert task.description["structures"] == [["rib_left_1", "vertebrae_L1", "talus"]]


def test_a_dice_loss_without_a_segmentation_is_refused(simulation, bare):
    with pytest.raises(InputError, match="needs a segmentation"):
        task_of(replace(simulation, anatomies=(bare,)), dice=0.1)


@pytest.mark.parametrize(
    "wrong",
    [{"image": -1.0}, {"dice": float("nan")}, {"views": 0}, {"views": CHUNK + 1}, {"after_batches": -1}],
)
def test_weights_that_mean_nothing_are_refused(wrong):
    with pytest.raises(InputError):
        LossWeights(**wrong)
