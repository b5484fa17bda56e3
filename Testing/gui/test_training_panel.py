"""A network trained by clicks, in a process that stands in for the command: to the end, paused, broken."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import phantom
import pytest
from story import run_to_the_end, state, worst_tre
from xrayreg.images import read_volume

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for PythonSlicer is a script")


@pytest.fixture
def python(tmp_path, monkeypatch):
    """PythonSlicer is the stand-in; call it to say what it does half way."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "PythonSlicer"
    fake = Path(__file__).with_name("fake_training.py")
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{fake}" "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("FAKE_TRAINING", "go on")
    return lambda half_way: monkeypatch.setenv("FAKE_TRAINING", half_way)


@pytest.fixture
def out(tmp_path):
    """An empty folder."""
    folder = tmp_path / "networks"
    folder.mkdir()
    return folder


@pytest.fixture
def section(python, desk, out):
    """The section is open and a file named."""
    ui = desk.training._ui
    ui.trainingButton.collapsed = False
    ui.networkFile.currentPath = str(out / "mine.safetensors")
    return ui


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


WRITTEN = ["mine.card.html", "mine.card.json", "mine.safetensors"]


def end(application, desk):
    application.wait_until(lambda: desk.training._training is None)


def half_way(application, ui):
    application.wait_until(lambda: "Step 10," in ui.trainingHint.text)


def pause(application, desk, ui):
    half_way(application, ui)
    application.click(ui.pauseButton)
    end(application, desk)


# --- To the end ---


def test_a_training_ends_with_a_network_that_is_chosen(application, desk, section, out):
    import slicer
    from XrayRegistrationLib import roles

    before = state(slicer.mrmlScene)
    assert not section.pauseButton.enabled
    application.click(section.trainButton)
    assert not section.networkFile.enabled
    assert not section.trainButton.enabled
    end(application, desk)
    assert application.errors == []
    assert names(out) == WRITTEN
    assert state(slicer.mrmlScene) == before
    assert desk.session.GetAttribute(roles.NETWORK) == str(out / "mine.safetensors")
    assert desk.session.GetAttribute(roles.START) == roles.FROM_NETWORK
    card = desk.network._ui.cardLabel.text
    for words in ("38 of 40", "2.3 degrees", "6.1 mm"):
        assert words in card
    assert json.loads((out / "mine.card.json").read_text())["nice"] >= 10
    assert section.trainButton.enabled


def test_the_command_is_given_the_ct_the_c_arm_and_the_ranges(application, desk, section, out, files, python):
    python("wait")
    section.primarySpinBox.value = 30
    section.alongSpinBox.value = 120
    section.minutesSpinBox.value = 4
    application.click(section.trainButton)
    half_way(application, section)
    inputs = out / "mine.training"
    arguments = json.loads((inputs / "arguments.json").read_text())
    given = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    assert arguments[0] == "train"
    assert given == {
        "--volume": "volume.nrrd",
        "--geometry": "camera.json",
        "--ranges": "ranges.json",
        "--out": "mine.safetensors",
        "--minutes": "4",
        "--progress": "json",
    }
    ct, written = read_volume(files.ct), read_volume(inputs / "volume.nrrd")
    np.testing.assert_array_equal(written.hu, np.rint(ct.hu))
    np.testing.assert_allclose(written.grid.patient_from_index, ct.grid.patient_from_index, atol=1e-9)
    camera = json.loads((inputs / "camera.json").read_text())
    assert camera["size"] == [512, 512]
    assert camera["K"] == [[1700, 0, 255.5], [0, 1700, 255.5], [0, 0, 1]]  # 1020 mm by 0.6 mm
    assert json.loads((inputs / "ranges.json").read_text()) == {
        "schema_version": 1,
        "primary_deg": [-30, 30],
        "secondary_deg": [-45, 45],
        "tertiary_deg": [-15, 15],
        "offset_x_mm": [-100, 100],
        "offset_y_mm": [-100, 100],
        "source_to_centre_mm": [580, 820],
    }
    application.click(section.cancelTrainingButton)
    end(application, desk)


def test_an_x_ray_gives_the_middle_of_the_views_and_the_detector(
    application, ready, section, out, files, python
):
    python("wait")
    section.geometryComboBox.currentIndex = 2
    assert section.geometryComboBox.currentText == "lateral"
    application.click(section.trainButton)
    half_way(application, section)
    inputs = out / "mine.training"
    ranges = json.loads((inputs / "ranges.json").read_text())
    (_, primary, secondary) = phantom.VIEWS[1]
    np.testing.assert_allclose(ranges["primary_deg"], [primary - 45, primary + 45], atol=1e-6)
    np.testing.assert_allclose(ranges["secondary_deg"], [secondary - 45, secondary + 45], atol=1e-6)
    size = json.loads((inputs / "camera.json").read_text())["size"]
    assert tuple(size) == files.views[1].start.size
    application.click(section.cancelTrainingButton)
    end(application, desk=ready)


def test_a_registration_goes_on_meanwhile(application, ready, section, files, python):
    python("wait")
    application.click(section.trainButton)
    half_way(application, section)
    assert not ready.busy
    run_to_the_end(application, ready)
    assert worst_tre(ready.session, files) < 1
    assert "Step 10," in section.trainingHint.text
    application.click(section.cancelTrainingButton)
    end(application, ready)
    assert application.errors == []


# --- Progress ---


def test_it_tells_step_loss_error_and_time_left_and_draws_the_loss(application, desk, section, python):
    python("wait")
    application.click(section.trainButton)
    half_way(application, section)
    assert section.trainingHint.text == "Step 10, loss 0.1, off by 4.0 degrees, 5 min left"
    assert section.trainingBar.visible
    assert section.trainingBar.value == 50
    assert not section.curveLabel.pixmap.isNull()
    application.click(section.cancelTrainingButton)
    end(application, desk)
    assert not section.trainingBar.visible


def step(number, loss, **more):
    return json.dumps({"event": "step", "step": number, "steps": 100, "loss": loss, **more})


def test_lines_become_a_curve_without_what_a_resumed_training_did_anew():
    from XrayRegistrationLib.training_log import TrainingLog

    log = TrainingLog()
    for line in (step(10, 4.0), "a warning of some library", step(20, 2.0), step(30, 9.0), step(20, 3.0)):
        log.take(line)
    log.take(json.dumps({"event": "step", "step": 40, "steps": 100, "loss": float("nan")}))
    assert log.losses[:2] == [(10, 4.0), (20, 3.0)]
    assert log.curve(10) == [(10, 4.0), (20, 3.0)]  # what is no number is no point
    assert log.curve(1) == [(15, 3.5)]
    assert log.last_words == "a warning of some library"
    assert log.part == 0.4
    assert log.left_s is None
    log.take(step(50, 1.0, seconds=30, left_s=90))
    assert log.part == 0.25  # of the time, where that is known


def test_the_curve_falls_where_the_loss_falls(application):
    from qt_proxy import raw
    from XrayRegistrationLib.curve import draw_curve

    image = raw(draw_curve([(0, 1.0), (50, 0.0), (100, 0.0)], 200, 100)).toImage()
    assert (image.width(), image.height()) == (200, 100)

    def blue_rows(column):
        colors = [image.pixelColor(column, row) for row in range(100)]
        return [
            row
            for row, color in enumerate(colors)
            if color.alpha() > 200 and color.blue() > 1.5 * color.red()
        ]

    assert max(blue_rows(6)) < 40
    assert min(blue_rows(120)) > 60
    assert min(blue_rows(180)) > 60


# --- Paused ---


def test_a_paused_training_is_resumed_where_it_was(application, desk, section, out, python):
    python("wait")
    application.click(section.trainButton)
    pause(application, desk, section)
    assert application.errors == []
    assert "paused" in section.trainingHint.text
    assert (out / "mine.training" / "mine.checkpoint").read_text() == "10"
    assert not section.trainButton.enabled
    assert not section.pauseButton.enabled
    python("go on")
    application.click(section.resumeButton)
    training = desk.training._training
    end(application, desk)
    assert application.errors == []
    assert names(out) == WRITTEN
    assert "--resume" in json.loads((out / "mine.safetensors").read_text())
    assert [number for number, _ in training.log.losses] == list(range(1, 21))


def test_a_closed_module_pauses_and_an_empty_scene_can_resume(application, desk, section, out, python):
    import slicer

    python("wait")
    application.click(section.trainButton)
    half_way(application, section)
    application.close_module()
    checkpoint = out / "mine.training" / "mine.checkpoint"
    application.wait_until(checkpoint.exists)
    application.wait_until(lambda: "stopped" in (out / "mine.training" / "progress.jsonl").read_text())
    slicer.mrmlScene.Clear()
    desk = application.open_module()
    ui = desk.training._ui
    ui.trainingButton.collapsed = False
    assert not ui.resumeButton.enabled
    ui.networkFile.currentPath = str(out / "mine.safetensors")
    assert "paused" in ui.trainingHint.text
    application.click(ui.resumeButton)
    end(application, desk)
    assert application.errors == []
    assert names(out) == WRITTEN


def test_a_closed_scene_pauses(application, desk, section, out, python):
    import slicer

    python("wait")
    application.click(section.trainButton)
    half_way(application, section)
    slicer.mrmlScene.Clear()
    end(application, desk)
    assert application.errors == []
    assert (out / "mine.training" / "mine.checkpoint").exists()
    application.click(section.cancelTrainingButton)
    assert names(out) == []


def test_the_module_closes_though_the_trainings_folder_is_gone(application, desk, section, out, python):
    python("wait")
    application.click(section.trainButton)
    half_way(application, section)
    folder = out / "mine.training"
    folder.rename(out / "moved away")
    application.close_module()
    assert application.errors == []
    folder.mkdir()
    (out / "moved away" / "mine.stop").touch()  # for the process, which still waits
    (folder / "mine.stop").touch()


def test_a_training_that_still_runs_is_not_run_twice(application, desk, section, out, python):
    python("wait")
    application.click(section.trainButton)
    half_way(application, section)
    first = desk.training._training
    first._timer.stop()  # as if it were another Slicer's
    desk.training._ended()
    desk.refresh()
    application.click(section.resumeButton)
    (message,) = application.errors
    assert "still ran" in message
    assert "resume in a minute" in message
    first._child.wait(10)  # it was asked to pause
    application.click(section.resumeButton)
    end(application, desk)
    assert len(application.errors) == 1
    assert names(out) == WRITTEN


def test_one_that_ended_while_nobody_listened_is_put_in_its_place(application, desk, section, out, python):
    python("wait")
    application.click(section.trainButton)
    pause(application, desk, section)
    folder = out / "mine.training"
    (folder / "mine.safetensors").write_text("learned")
    with (folder / "progress.jsonl").open("a") as told:
        told.write('{"event": "done"}\n')
    application.click(section.resumeButton)
    end(application, desk)
    assert application.errors == []
    assert names(out) == ["mine.safetensors"]


# --- Broken ---


def test_a_cancelled_training_leaves_what_was_there(application, desk, section, out, python):
    python("wait")
    (out / "mine.safetensors").write_text("an older network")
    application.click(section.trainButton)
    half_way(application, section)
    application.click(section.cancelTrainingButton)
    end(application, desk)
    assert application.errors == []
    assert names(out) == ["mine.safetensors"]
    assert (out / "mine.safetensors").read_text() == "an older network"


def test_it_can_be_cancelled_before_the_process_starts(application, desk, section, out):
    application.click(section.trainButton)
    application.click(section.cancelTrainingButton)
    end(application, desk)
    assert application.errors == []
    assert names(out) == []


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("raise", "MemoryError: no room for 7 GB"),
        ("refuse", "camera.json: the beam misses the volume - check the pose"),
        ("vanish", "it ended with code 9 and without a word; is there enough memory?"),
    ],
)
def test_a_broken_training_is_told_in_a_line_and_leaves_nothing(
    application, desk, section, out, python, what, words
):
    import slicer
    from XrayRegistrationLib import roles

    before = state(slicer.mrmlScene)
    python(what)
    application.click(section.trainButton)
    end(application, desk)
    assert application.errors == [f"The training has stopped: {words}"]
    assert names(out) == []
    assert state(slicer.mrmlScene) == before
    assert desk.session.GetAttribute(roles.NETWORK) is None
    assert section.trainButton.enabled


def test_one_that_diverges_says_so_and_keeps_its_checkpoint(application, desk, section, out, python):
    python("diverge")
    application.click(section.trainButton)
    end(application, desk)
    assert application.errors == ["The training has stopped: the loss is not finite at step 10"]
    assert section.resumeButton.enabled
    application.click(section.cancelTrainingButton)
    assert names(out) == []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda desk, ui, out, patch: desk.preoperative._ui.modalityCombo.setCurrentIndex(1), "an MR"),
        (lambda desk, ui, out, patch: ui.networkFile.setCurrentPath(str(out / "a" / "b")), "no such folder"),
        (lambda desk, ui, out, patch: (out / "mine.training").mkdir(), "File exists"),
        (lambda desk, ui, out, patch: patch.setenv("PATH", ""), "PythonSlicer"),
    ],
    ids=["an MR", "no folder", "in the way", "no Python"],
)
def test_what_cannot_be_begun_is_told(application, desk, section, out, monkeypatch, spoil, words):
    spoil(desk, section, out, monkeypatch)
    before = names(out)
    application.click(section.trainButton)
    end(application, desk)
    (message,) = application.errors
    assert words in message
    assert names(out) == before


# --- The command itself ---


def test_the_command_tells_pauses_and_goes_on_as_its_stand_in_does(application, desk, out, monkeypatch):
    from XrayRegistrationLib import training
    from XrayRegistrationLib.training_files import Reach, inputs_of, place_of

    monkeypatch.setattr(training, "python_slicer", lambda: sys.executable)
    ends = []

    def begin(inputs):
        return training.Training(
            place_of(str(out / "mine")),
            inputs,
            on_change=lambda: None,
            on_done=lambda: ends.append("done"),
            on_paused=lambda: ends.append("paused"),
            on_stopped=ends.append,
        )

    run = begin(inputs_of(desk.session, None, Reach(), minutes=30))
    application.wait_until(lambda: run.log.losses or ends, timeout_s=300)
    run.pause()
    application.wait_until(lambda: ends, timeout_s=300)
    assert ends == ["paused"]
    (last, _) = run.log.losses[-1]
    run = begin(None)
    application.wait_until(lambda: run.log.losses[-1][0] > last or len(ends) > 1, timeout_s=300)
    assert run.log.left_s is not None
    run.cancel()
    application.wait_until(lambda: len(ends) > 1)
    assert ends == ["paused", None]
    assert names(out) == []
