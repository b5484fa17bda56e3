"""Training: schedule, average, stopping, going on bit for bit, and refusal of numbers that are none."""

import itertools
import os
import signal
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tiny_task import TinyTask, settings, weights_equal
from torch import nn
from xrayreg.errors import InputError
from xrayreg.learn import TrainingSettings, steps, train
from xrayreg.learn.settings import learning_rate_at
from xrayreg.learn.stopping import stop_requests
from xrayreg.learn.training_state import new_state


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_the_rate_rises_straight_and_falls_as_half_a_cosine():
    how = settings(12, learning_rate=1.0, warmup_share=1 / 6, final_share=0.1)
    rates = [learning_rate_at(step, 12, how) for step in range(12)]
    assert rates[:3] == pytest.approx([0.5, 1.0, 1.0])  # two steps up, then the top of the cosine
    assert rates[11] == pytest.approx(0.1)
    # A third of the way from step 2 to step 11: cos 60 degrees is a half, so 0.1 + 0.9 * 0.75.
    assert rates[5] == pytest.approx(0.775)
    assert learning_rate_at(0, 1, how) == 1.0


def test_training_learns_and_reports_each_step():
    seen = []
    task = TinyTask()
    result = train(task, settings(60), report=seen.append)
    assert [each.step for each in seen] == list(range(1, 61))
    assert {each.steps for each in seen} == {60}
    losses = [each.loss for each in seen]
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])
    assert seen[-1].left_s == 0.0
    assert seen[0].terms == {"error": pytest.approx(seen[0].loss)}
    assert (result.place.step, result.place.steps, result.stopped) == (60, 60, "")
    assert weights_equal(result.weights, task.module.state_dict())


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first, again = (train(TinyTask(), settings(12)).weights for _ in range(2))
    other = train(TinyTask(), settings(12, seed=1)).weights  # the same batches: what drops out is random
    assert weights_equal(first, again)
    assert not weights_equal(first, other)


def test_training_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    task = TinyTask()
    torch.manual_seed(3)
    train(task, settings(2))
    assert torch.equal(torch.rand(1), expected)


class OneWeight:
    """The loss is the weight: the gradient is 1, and AdamW's first steps are the learning rate."""

    def __init__(self):
        self.module = nn.Linear(1, 1, bias=False)
        nn.init.ones_(self.module.weight)
        self.description = {}

    def loss(self, module, number, rank, world):
        return module(torch.ones(1, 1)).sum(), {}


def test_the_average_of_the_weights():
    how = settings(2, learning_rate=0.1, warmup_share=0.0, final_share=1.0, weight_decay=0.0)
    task = OneWeight()
    # The weight is 1, 0.9, 0.8; the decay of the two steps is 1/10, then 2/11.
    after_one = 0.1 * 1.0 + 0.9 * 0.9
    expected = 2 / 11 * after_one + 9 / 11 * 0.8
    assert train(task, how).weights["weight"].item() == pytest.approx(expected, abs=1e-6)
    last = train(OneWeight(), replace(how, average_decay=0.0)).weights["weight"]
    assert last.item() == pytest.approx(0.8, abs=1e-6)


def test_biases_do_not_decay():
    state = new_state(nn.Linear(2, 3), settings(weight_decay=0.5))
    decays = {tuple(p.shape): g["weight_decay"] for g in state.optimiser.param_groups for p in g["params"]}
    assert decays == {(3, 2): 0.5, (3,): 0.0}


def test_long_gradients_are_shortened():
    class Steep(OneWeight):
        def loss(self, module, number, rank, world):
            seen.append(None if self.module.weight.grad is None else self.module.weight.grad.item())
            return 1e6 * module(torch.ones(1, 1)).sum(), {}

    seen = []
    task = Steep()
    train(task, settings(1, clip_norm=2.0))
    assert task.module.weight.grad.item() == pytest.approx(2.0, rel=1e-5)


def test_bfloat16_is_the_networks_precision_and_not_the_tasks():
    class Looking(OneWeight):
        def loss(self, module, number, rank, world):
            inside = []
            hook = self.module.register_forward_hook(lambda *parts: inside.append(parts[-1].dtype))
            outputs = module(torch.ones(1, 1))
            hook.remove()
            seen.append((inside[0], outputs.dtype, (outputs @ outputs).dtype))
            return outputs.sum(), {}

    seen = []
    train(Looking(), settings(1, precision="bfloat16"))
    train(Looking(), settings(1, precision=None))
    assert seen == [(torch.bfloat16, torch.float32, torch.float32), (torch.float32,) * 3]


@pytest.mark.parametrize(
    ("how", "named"),
    [("loss", "the loss of step 6 is not finite (loss nan, error nan)"), ("gradient", "0.weight, 0.bias")],
)
def test_a_number_that_is_none_ends_training_and_leaves_the_checkpoint(tmp_path, how, named):
    path = tmp_path / "net.checkpoint"
    train(TinyTask(), settings(9), path, stop=after(3))
    before = path.read_bytes()
    with pytest.raises(InputError) as caught:
        train(TinyTask(spoiled=5, how=how), settings(9, checkpoint_every_s=1e6), path, resume=True)
    assert named in str(caught.value)
    assert "step 6" in str(caught.value)
    assert path.read_bytes() == before


@pytest.fixture
def clock(monkeypatch):
    """Of the steps that are timed: it goes on by a second whenever it is looked at."""
    ticks = itertools.count()
    monkeypatch.setattr(steps, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))


@pytest.mark.usefixtures("clock")
def test_minutes_become_steps_once(tmp_path):
    path = tmp_path / "net.checkpoint"
    how = TrainingSettings(minutes=1.0, learning_rate=0.01)
    # A step takes a second. Three are not timed; the fourth after these is beyond a twentieth of the minute,
    # and leaves 56 seconds.
    first = train(TinyTask(), how, path, stop=after(3 + 4 + 20))
    assert (first.place.step, first.place.steps) == (20, 56)
    assert first.stopped == "asked to"
    last = train(TinyTask(), how, path, resume=True)
    assert last.place.step == last.place.steps == 56
    assert last.place.seconds > first.place.seconds
    # The copy that was timed leaves no trace: a number of steps gives the same.
    assert weights_equal(last.weights, train(TinyTask(), settings(last.place.steps)).weights)


@pytest.mark.usefixtures("clock")
def test_minutes_that_were_stopped_while_steps_were_timed_are_timed_anew(tmp_path):
    path = tmp_path / "net.checkpoint"
    how = TrainingSettings(minutes=0.5, learning_rate=0.01)
    result = train(TinyTask(), how, path, stop=after(2))
    assert (result.place.step, result.place.steps, result.stopped) == (0, 0, "asked to")
    result = train(TinyTask(), how, path, resume=True)
    assert result.place.step == result.place.steps == 28  # two were timed


def test_a_stop_file_ends_training_and_is_removed(tmp_path):
    path, stop = tmp_path / "net.checkpoint", tmp_path / "net.stop"
    result = train(TinyTask(), settings(), path, report=lambda p: stop.touch() if p.step == 4 else None)
    assert (result.place.step, result.stopped) == (5, "net.stop appeared")
    assert not stop.exists()
    assert train(TinyTask(), settings(), path, resume=True).place.step == 40


@pytest.mark.parametrize(("number", "name"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C")])
@pytest.mark.skipif(os.name == "nt", reason="Windows ends the process")
def test_signals_end_training_after_the_step(tmp_path, number, name):
    before = signal.getsignal(number)
    path = tmp_path / "net.checkpoint"
    kill = lambda p: os.kill(os.getpid(), number) if p.step == 4 else None  # noqa: E731
    result = train(TinyTask(), settings(), path, report=kill)
    assert (result.place.step, result.stopped) == (5, name)
    assert signal.getsignal(number) is before


@pytest.fixture
def heard_ctrl_c():
    """As in a terminal; a program in the background may have been told to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_ctrl_c_does_not_wait_and_a_second_sigterm_does(heard_ctrl_c):
    with stop_requests(None, None) as reason:
        signal.raise_signal(signal.SIGINT)
        assert reason() == "Ctrl-C"
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)
        assert reason() == "Ctrl-C"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_training_in_a_thread_takes_no_signals(tmp_path):
    before, inside, results = signal.getsignal(signal.SIGTERM), [], []
    look = lambda _: inside.append(signal.getsignal(signal.SIGTERM))  # noqa: E731
    thread = threading.Thread(target=lambda: results.append(train(TinyTask(), settings(3), report=look)))
    thread.start()
    thread.join()
    assert inside == [before] * 3
    assert results[0].place.step == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": None},
        {"minutes": 3.0},
        {"steps": 0},
        {"steps": None, "minutes": float("nan")},
        {"learning_rate": 0.0},
        {"average_decay": 1.0},
        {"precision": "float16"},
        {"seed": -1},
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(InputError):
        settings(**wrong)


def after(times: int):
    """A stop that is asked for at the ``times``-th question."""
    asked = []
    return lambda: asked.append(1) or len(asked) >= times
