"""Two processes that train together: the gradient and the weights of one, and the same decisions in both."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_task import TinyTask, settings
from two_processes import first_gradient, flat
from xrayreg.errors import InputError
from xrayreg.learn import ALONE, crew_of_environment, train

TESTING = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.skipif(
    not torch.distributed.is_available() or os.name == "nt",
    reason="torchrun joins processes by gloo on Linux",
)


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp("two")
    paths = os.pathsep.join([str(TESTING), *filter(None, sys.path)])
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*launch, TESTING / "two_processes.py", folder],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


def test_each_process_knows_its_place(answers):
    assert [answer["crew"] for answer in answers] == [[0, 2], [1, 2]]


def test_the_gradient_is_that_of_one_process(answers):
    alone = first_gradient(ALONE)
    assert max(map(abs, alone)) > 0.1
    for answer in answers:
        assert answer["gradient"] == pytest.approx(alone, abs=1e-5)


def test_training_ends_with_the_weights_of_one_process(answers):
    assert answers[0]["weights"] == answers[1]["weights"]
    alone = train(TinyTask(dropout=0.0), settings(12))
    assert answers[0]["weights"] == pytest.approx(flat(alone.weights), abs=1e-4)
    assert [answer["steps"] for answer in answers] == [12, 12]


def test_one_process_that_is_asked_to_stop_stops_both_after_the_same_step(answers):
    assert answers[0]["stopped"] == [4, "another process was asked to"]
    assert answers[1]["stopped"] == [4, "asked to"]


def test_only_the_first_process_reports(answers):
    assert [answer["reports"] for answer in answers] == [4, 0]


def test_a_loss_that_is_none_in_one_process_ends_both(answers):
    assert "the loss of step 4 is not finite in another process" in answers[0]["failing"]
    assert "the loss of step 4 is not finite (loss nan, error nan)" in answers[1]["failing"]


def test_without_torchrun_there_is_one_process_and_nothing_to_join(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    with crew_of_environment(torch.device("cpu")) as crew:
        assert (crew.rank, crew.world, crew.leads) == (0, 1, True)
        assert not torch.distributed.is_initialized()
        module = torch.nn.Linear(2, 2)
        assert crew.joined(module) is module
        assert crew.most(2.0, -1.0) == (2.0, -1.0)


def test_malformed_variables_of_torchrun_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "two")
    with pytest.raises(InputError, match="WORLD_SIZE is two"), crew_of_environment(torch.device("cpu")):
        pass
