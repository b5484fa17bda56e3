"""Checkpoints: going on bit for bit, also after kill -9; damaged, foreign and unfit ones are refused."""

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tiny_task import TinyTask, settings, weights_equal
from xrayreg.errors import InputError
from xrayreg.learn import train
from xrayreg.learn.tensor_files import read_tensors, write_tensors

TESTING = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stopped_at(step: int, path: Path, **changed) -> None:
    asked = []
    train(TinyTask(), settings(40, **changed), path, stop=lambda: asked.append(1) or len(asked) >= step)


@pytest.fixture
def checkpoint(tmp_path) -> Path:
    path = tmp_path / "net.checkpoint"
    stopped_at(5, path)
    return path


@pytest.mark.parametrize("step", [1, 17, 39])
def test_a_resumed_run_is_that_of_one_that_was_not_stopped(tmp_path, step):
    whole = train(TinyTask(), settings(40), tmp_path / "whole.checkpoint")
    path = tmp_path / "net.checkpoint"
    stopped_at(step, path)
    assert read_tensors(path, "checkpoint")[1]["step"] == step
    again = train(TinyTask(), settings(40), path, resume=True)
    assert weights_equal(again.weights, whole.weights)
    tensors = [read_tensors(tmp_path / name, "checkpoint")[0] for name in ("whole.checkpoint", path.name)]
    assert weights_equal(*tensors)  # the last weights and the optimiser's memory, too
    assert {name.split("/")[0] for name in tensors[0]} == {"weights", "average", "optimiser"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_kill_9_in_the_middle_loses_no_more_than_the_last_steps(tmp_path):
    path = tmp_path / "net.checkpoint"
    code = "import tiny_task, pathlib; tiny_task.slow_training(pathlib.Path('.'), 60, 0.02)"
    paths = os.pathsep.join([str(TESTING), *filter(None, [os.environ.get("PYTHONPATH")]), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}
    )
    try:
        until = time.monotonic() + 300
        while time.monotonic() < until and (not path.exists() or step_of(path) < 8):
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 8 <= step_of(path) < 60
    steps = []
    resumed = train(TinyTask(), settings(60), path, lambda p: steps.append(p.step), resume=True)
    assert steps[-1] == resumed.place.steps == 60
    assert steps[0] > 8
    assert weights_equal(resumed.weights, train(TinyTask(), settings(60)).weights)
    assert [each.name for each in tmp_path.iterdir()] == ["net.checkpoint"]


def step_of(path: Path) -> int:
    return read_tensors(path, "checkpoint")[1]["step"]


def test_a_finished_run_has_nothing_left_to_do(tmp_path):
    path = tmp_path / "net.checkpoint"
    whole = train(TinyTask(), settings(4), path)
    seen = []
    again = train(TinyTask(), settings(4), path, seen.append, resume=True)
    assert seen == []
    assert again.stopped == ""
    assert weights_equal(again.weights, whole.weights)


def test_kernels_laid_out_channels_last_come_back_as_they_were(checkpoint):
    task = TinyTask()
    train(task, settings(40), checkpoint, resume=True)
    assert task.module[0].weight.is_contiguous(memory_format=torch.channels_last)


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def cut_in_header(path):
    path.write_bytes(path.read_bytes()[:200])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-50] ^= 4
    path.write_bytes(content)


def make_pickle(path):
    path.write_bytes(pickle.dumps({"weights": [1.0]}, protocol=4))


def make_torch(path):
    torch.save({"weights": torch.zeros(3)}, path)


def make_text(path):
    path.write_text("no tensors here")


def make_foreign(path):
    save_file({"conv.weight": torch.zeros(3, 3)}, path, {"format": "pt"})


def make_other_kind(path):
    write_tensors(path, {"a": torch.zeros(2)}, "network", {})


def make_newer(path):
    tensors, description = read_tensors(path, "checkpoint")
    write_tensors(path, tensors, "checkpoint", {**description, "schema_version": 99})


def make_beyond_the_end(path):
    tensors, description = read_tensors(path, "checkpoint")
    write_tensors(path, tensors, "checkpoint", {**description, "step": 41})


def lose_a_moment(path):
    tensors, description = read_tensors(path, "checkpoint")
    del tensors["optimiser/4.bias/exp_avg"]
    write_tensors(path, tensors, "checkpoint", description)


def spoil_a_weight(path):
    tensors, description = read_tensors(path, "checkpoint")
    tensors["weights/4.bias"][0] = float("nan")
    write_tensors(path, tensors, "checkpoint", description)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (Path.unlink, "no such file"),
        (lambda path: path.write_bytes(b""), "not a safetensors file"),
        (cut, "is damaged"),
        (cut_in_header, "is cut off"),
        (flip_a_bit, "its checksum is another"),
        (make_pickle, "is a pickle"),
        (make_torch, "is a pickle"),
        (make_text, "not a safetensors file"),
        (make_foreign, "is no checkpoint of ours"),
        (make_other_kind, "is a network, not a checkpoint"),
        (make_newer, "schema_version 99"),
        (make_beyond_the_end, "does not say how far"),
        (lose_a_moment, "has no tensor 4.bias/exp_avg"),
        (spoil_a_weight, "weight 4.bias is not finite"),
    ],
)
def test_what_is_no_whole_checkpoint_is_refused_in_one_line(checkpoint, damage, why):
    damage(checkpoint)
    with pytest.raises(InputError) as caught:
        train(TinyTask(), settings(40), checkpoint, resume=True)
    assert why in str(caught.value)
    assert str(caught.value).startswith(f"{checkpoint}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "changed", "why"),
    [
        ({}, {"steps": 41}, "steps 40, now it is 41"),
        ({}, {"seed": 1}, "seed 0, now it is 1"),
        ({}, {"learning_rate": 0.02}, "learning_rate 0.01, now it is 0.02"),
        ({"seed": 1}, {}, "seed 0, now it is 1"),
        ({"width": 8}, {}, "width 16, now it is 8"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(checkpoint, task, changed, why):
    with pytest.raises(InputError) as caught:
        train(TinyTask(**task), settings(**{"steps": 40, **changed}), checkpoint, resume=True)
    assert why in str(caught.value)


def test_a_network_of_another_shape_is_refused(checkpoint):
    task = TinyTask(width=8)
    task.description = TinyTask().description
    with pytest.raises(InputError, match=r"is of shape \(16, 1, 3, 3\), not \(8, 1, 3, 3\)"):
        train(task, settings(40), checkpoint, resume=True)


def test_another_time_between_checkpoints_does_not_matter(checkpoint):
    assert train(TinyTask(), settings(40, checkpoint_every_s=5.0), checkpoint, resume=True).place.step == 40


def test_a_failed_write_leaves_the_old_file(checkpoint, monkeypatch):
    before = checkpoint.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_tensors(checkpoint, {"a": torch.zeros(2)}, "checkpoint", {})
    assert checkpoint.read_bytes() == before
    assert [each.name for each in checkpoint.parent.iterdir()] == [checkpoint.name]


def test_a_checkpoint_is_json_and_tensors(checkpoint):
    content = checkpoint.read_bytes()
    length = int.from_bytes(content[:8], "little")
    entry = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["xrayreg"])
    assert entry["kind"] == "checkpoint"
    assert entry["description"]["settings"]["steps"] == 40
