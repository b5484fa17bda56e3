"""`xrayreg train` and `finetune`: a network in its file, stopping, resuming, and what is refused."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import phantom
import pytest
import torch
from xrayreg.cli import finetune, progress, train, training
from xrayreg.errors import InputError
from xrayreg.images import read_volume
from xrayreg.learn import (
    NetworkConfig,
    in_template_frame,
    read_network,
    read_pose_network,
    volume_sha256,
    write_network,
)

TINY = NetworkConfig(pixels=32, channels=(8, 16), blocks=(1, 1), cells=2)
STEPS = 3


class Tiny:
    """In place of `NetworkConfig` in `train`."""

    pixels = TINY.pixels

    def __new__(cls, pixels: int) -> NetworkConfig:
        return replace(TINY, pixels=pixels)


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch):
    monkeypatch.setattr(train, "NetworkConfig", Tiny)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    phantom.write_ct(folder / "ct.nii.gz")
    phantom.write_camera(folder / "camera.json", phantom.nominal_camera(0.0, 0.0))
    return folder


@pytest.fixture
def arguments(inputs, tmp_path):
    """Of `train`, into a folder of the test's own."""
    files = ["--volume", inputs / "ct.nii.gz", "--geometry", inputs / "camera.json"]
    length = ["--steps", STEPS, "--card-views", 0]
    return ["train", *files, "--out", tmp_path / "N.pt", *length, "--progress", "json"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def events(answer) -> list[dict]:
    return [json.loads(line) for line in answer.err.splitlines() if line.startswith("{")]


def test_train_writes_a_network_and_says_how_it_came_about(xrayreg, arguments, inputs, tmp_path):
    answer = xrayreg(*arguments)
    assert answer.code == 0
    assert answer.out.startswith(f"{tmp_path / 'N.pt'}: trained in {STEPS} steps")
    assert names(tmp_path) == ["N.pt"]
    told = events(answer)
    assert [each["event"] for each in told[-2:]] == ["step", "done"]
    assert told[-2]["step"] == told[-2]["steps"] == STEPS
    assert {"loss", "rotation_deg", "seconds", "left_s"} <= told[-2].keys()
    _, description = read_network(tmp_path / "N.pt")
    assert description["volumes"] == [volume_sha256(read_volume(inputs / "ct.nii.gz"))]
    assert description["agnostic"] is False
    assert description["training"]["steps"] == STEPS
    assert description["training"]["settings"]["seed"] == 0
    assert description["network"]["pixels"] == 32
    assert description["attention"]["images"] == 128


def test_a_quality_card_lies_beside_the_network(xrayreg, arguments, tmp_path):
    answer = xrayreg(*arguments, "--card-views", 2)
    assert answer.code == 0
    assert names(tmp_path) == ["N.card.html", "N.card.json", "N.pt"]
    card = json.loads((tmp_path / "N.card.json").read_text())
    assert [view["number"] for view in card["views"]] == [1, 2]
    assert card["training"]["steps"] == STEPS
    count = card["summary"]["success"]["count"]
    assert f"{count} of 2 fresh simulated X-rays registered within 1 mm" in answer.out
    told = events(answer)[-3:]
    assert told[:2] == [{"event": "card", "done": n, "of": 2} for n in (1, 2)]
    assert told[2]["card"] == str(tmp_path / "N.card.json")


def test_stopped_during_the_card_it_goes_on_with_the_card(xrayreg, arguments, tmp_path, monkeypatch):
    """The training itself is not done again."""
    (judge, seen) = (training.quality_of, [])

    def stopped(*args, stop, **options):
        (tmp_path / "N.stop").touch()
        return judge(*args, stop=stop, **options)

    monkeypatch.setattr(training, "quality_of", stopped)
    assert xrayreg(*arguments, "--card-views", 2).code == 130
    assert names(tmp_path) == ["N.checkpoint"]
    monkeypatch.setattr(training, "quality_of", lambda *args, **options: seen.append(args))
    answer = xrayreg(*arguments, "--card-views", 2, "--resume")
    assert answer.code == 0
    assert len(seen) == 1
    assert [each["event"] for each in events(answer)] == ["done"]


def test_a_network_of_several_patients_finds_its_way_to_another_frame(xrayreg, inputs, tmp_path, data):
    """Two pelves; the network's file holds the first as template, to which the second is brought again."""
    pelvis = data / "pelvis_ct_3mm" / "example_ct.nii.gz"
    together = tmp_path / "cts"
    together.mkdir()
    hips = data / "hipbones_ct" / "pelvisSegmIntensityLPI.mha"
    for number, path in enumerate((hips, pelvis)):
        shutil.copy(path, together / f"{number}{''.join(path.suffixes[-2:])}")
    files = ["--volume", together, "--geometry", inputs / "camera.json", "--out", tmp_path / "N.pt"]
    answer = xrayreg("train", *files, "--steps", 2, "--card-views", 0)
    assert answer.code == 0, answer.err
    _, description = read_network(tmp_path / "N.pt")
    assert description["agnostic"] is True
    assert len(description["volumes"]) == 2
    network = read_pose_network(tmp_path / "N.pt", read_volume(pelvis))
    moved = in_template_frame([read_volume(hips), read_volume(pelvis)])[1].template_from_patient
    np.testing.assert_allclose(network.network_from_patient, moved, atol=0.5)
    chest = read_volume(data / "chest_ct" / "cxr.nii.gz")
    with pytest.raises(InputError, match="same part of the body"):
        read_pose_network(tmp_path / "N.pt", chest)


def test_a_stopped_training_goes_on_to_the_same_network(xrayreg, arguments, tmp_path):
    xrayreg(*arguments)
    whole, _ = read_network(tmp_path / "N.pt")
    (tmp_path / "N.pt").unlink()
    (tmp_path / "N.stop").touch()
    answer = xrayreg(*arguments)
    assert answer.code == 130
    assert answer.out == ""
    assert names(tmp_path) == ["N.checkpoint"]
    checkpoint = str(tmp_path / "N.checkpoint")
    assert events(answer)[-1] == {
        "event": "stopped",
        "reason": "N.stop appeared",
        "checkpoint": checkpoint,
    }
    line = xrayreg(*arguments).check_refused()
    assert "was not finished - add --resume" in line
    assert xrayreg(*arguments, "--resume").code == 0
    assert names(tmp_path) == ["N.pt"]
    resumed, _ = read_network(tmp_path / "N.pt")
    assert all(torch.equal(resumed[name], tensor) for name, tensor in whole.items())


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (["--seed", "1"], "seed 0, now it is 1"),
        (["--steps", "9"], f"steps {STEPS}, now it is 9"),
        (["--learning-rate", "0.5"], "learning_rate 0.002, now it is 0.5"),
        (["--volume", "other.nii.gz"], "with volumes"),
        (["--ranges", "narrow.json"], "with primary_deg"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused(xrayreg, arguments, tmp_path, monkeypatch, more, why):
    (tmp_path / "N.stop").touch()
    xrayreg(*arguments)
    before = (tmp_path / "N.checkpoint").read_bytes()
    monkeypatch.chdir(tmp_path)
    phantom.write_grid(Path("other.nii.gz"), (30, 30, 30), (2, 2, 2), phantom.RIGHT_HANDED, phantom.hu)
    Path("narrow.json").write_text('{"primary_deg": [-5, 5]}')
    line = xrayreg(*arguments, "--resume", *more).check_refused()
    assert f"{tmp_path / 'N.checkpoint'}: was written by training" in line
    assert why in line
    assert (tmp_path / "N.checkpoint").read_bytes() == before


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (["--resume"], "there is no such checkpoint"),
        (["--out", "nowhere/N.pt"], "its folder does not exist"),
        (["--out", "."], "is a folder"),
        (["--out", "N.checkpoint"], "is the name of a checkpoint or stop file"),
        (["--out", "camera.json", "--geometry", "camera.json"], "is an input, too"),
        (["--minutes", "3"], "not allowed with argument --steps"),
        (["--steps", "0"], "steps of training cannot be 0"),
        (["--geometry", "missing.json"], "missing.json: no such file"),
        (["--ranges", "missing.json"], "missing.json: cannot be read"),
        (["--volume", "missing.nii.gz"], "missing.nii.gz"),
    ],
)
def test_what_cannot_be_trained_is_refused_and_nothing_written(
    xrayreg, arguments, tmp_path, monkeypatch, changed, why
):
    monkeypatch.chdir(tmp_path)
    phantom.write_camera(Path("camera.json"), phantom.nominal_camera(0.0, 0.0))
    assert why in xrayreg(*arguments, *changed).check_refused()
    assert names(tmp_path) == ["camera.json"]


@pytest.mark.skipif(os.name == "nt", reason="Windows ends the process")
def test_sigterm_ends_the_command_with_130_and_a_checkpoint(xrayreg, arguments, tmp_path, monkeypatch):
    monkeypatch.setattr(progress.JsonLines, "step", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    answer = xrayreg(*arguments)
    assert answer.code == 130
    assert answer.out == ""
    assert events(answer)[-1]["reason"] == "SIGTERM"
    assert names(tmp_path) == ["N.checkpoint"]


def test_finetune_goes_on_from_another_network(xrayreg, arguments, inputs, tmp_path):
    source, out = tmp_path / "N.pt", tmp_path / "M.pt"
    xrayreg(*arguments)
    phantom.write_grid(tmp_path / "o.nrrd", (30, 30, 30), (2, 2, 2), phantom.RIGHT_HANDED, phantom.hu)
    more = ["--from", source, "--volume", tmp_path / "o.nrrd", "--out", out, "--steps", 2, "--card-views", 0]
    assert xrayreg("finetune", *more).code == 0
    (before, old), (after, new) = read_network(source), read_network(out)
    assert new["volumes"] == [volume_sha256(read_volume(tmp_path / "o.nrrd"))] != old["volumes"]
    for same in ("network", "ranges", "geometry"):
        assert new[same] == old[same]
    # Two steps of a small rate: the weights are near the old ones, and no longer them.
    apart = max((after[name] - tensor).abs().max().item() for name, tensor in before.items())
    assert 0 < apart <= 2.1 * finetune._LEARNING_RATE


def test_finetune_refuses_what_is_no_network_of_ours(xrayreg, inputs, tmp_path):
    source = tmp_path / "N.pt"
    more = ["--from", source, "--volume", inputs / "ct.nii.gz", "--out", tmp_path / "M.pt"]
    torch.save({"a": torch.zeros(2)}, source)
    assert "is a pickle" in xrayreg("finetune", *more).check_refused()
    write_network(source, {}, {"volumes": []})
    assert "does not say what it was trained for" in xrayreg("finetune", *more).check_refused()
    assert names(tmp_path) == ["N.pt"]


def test_losses_of_images_and_structures_are_asked_for(xrayreg, arguments, inputs, tmp_path):
    bones = phantom.write_segmentation(tmp_path / "bones.nii.gz", phantom.RIGHT_HANDED)
    more = ["--image-loss", 0.5, "--dice-loss", 1, "--segmentation", bones]
    answer = xrayreg(*arguments, *more)
    assert answer.code == 0, answer.err
    _, description = read_network(tmp_path / "N.pt")
    assert description["loss_weights"]["image"] == 0.5
    assert description["structures"]


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--dice-loss", 1], "need each other"),
        (["--image-loss", -1], "image loss is -1"),
        (["--ranges", "r.json", "--ranges-from", "folder"], "both say the ranges"),
        (["--pixels", 0], "is no network"),
    ],
)
def test_options_of_training_that_mean_nothing_are_refused(xrayreg, arguments, extra, words, tmp_path):
    assert words in xrayreg(*arguments, *extra).check_refused()
    assert names(tmp_path) == []
