"""What training tells: how often, and in which words."""

import json

import pytest
from xrayreg.cli.progress import JsonLines, Pace, bar_text, teller, tensorboard
from xrayreg.errors import InputError
from xrayreg.learn import Progress


def at(step: int, loss: float, steps: int = 4000, **terms) -> Progress:
    return Progress(step, steps, loss, terms, 1e-3, 31.0, 840.4)


def test_steps_are_told_now_and_then_with_the_mean_since_the_last():
    seconds = iter([0.0, 0.2, 0.4, 0.6, 0.7])
    pace = Pace(0.5, lambda: next(seconds))
    told = [pace.told(at(step, step, 5, turn=10.0 * step)) for step in range(1, 6)]
    assert [each and each.step for each in told] == [1, None, None, 4, 5]
    assert told[3].loss == 3  # of 2, 3 and 4
    assert told[3].terms == {"turn": 30}
    assert told[4].loss == 5  # the last step is told, however soon


def test_json_lines(capsys, tmp_path):
    tell = JsonLines()
    tell.step(at(120, 0.83, rotation_deg=14.2, odd=float("nan")))
    tell.card(12, 40)
    tell.done(tmp_path / "N.pt", tmp_path / "N.card.json")
    tell.stopped("SIGTERM", tmp_path / "N.checkpoint")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines == [
        {"event": "step", "step": 120, "steps": 4000, "loss": 0.83, "rotation_deg": 14.2}
        | {"seconds": 31.0, "left_s": 840.4},
        {"event": "card", "done": 12, "of": 40},
        {"event": "done", "network": f"{tmp_path / 'N.pt'}", "card": f"{tmp_path / 'N.card.json'}"},
        {"event": "stopped", "reason": "SIGTERM", "checkpoint": f"{tmp_path / 'N.checkpoint'}"},
    ]


def test_the_line_for_people():
    text = bar_text(at(1000, 0.8333, rotation_deg=14.24))
    assert text == "step 1000 of 4000 ######.................. loss 0.833, rotation_deg 14.2, 14:00 left"


def test_without_a_terminal_there_are_whole_lines(capsys):
    tell = teller("bar")
    tell.step(at(1, 2.0))
    tell.step(at(2, 2.0))  # too soon
    tell.card(1, 2)
    tell.card(2, 2)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "xrayreg: step 1 of 4000 ........................ loss 2",
        "xrayreg: quality card: X-ray 2 of 2",
    ]


def test_tensorboard_is_optional(tmp_path, monkeypatch):
    with tensorboard(None) as log:
        log(at(1, 1.0))
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match="pip install tensorboard"), tensorboard(tmp_path):
        pass


def test_tensorboard_gets_every_number(tmp_path):
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with tensorboard(tmp_path) as log:
        log(at(1, 0.5, turn=3.0))
        log(at(2, 0.25, turn=2.0))
    events = reading.EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 0.5), (2, 0.25)]
    assert [event.value for event in events.Scalars("turn")] == [3.0, 2.0]
