"""Bad inputs of every kind through the command line: one line that helps, and nothing else happens.

The cases are tables in `bad_volumes.py`, `bad_xrays.py` and `bad_texts.py`; bombs, full disks and special
files are in `test_bad_files.py`.
"""

import shutil
from pathlib import Path

import bad_cases
import pytest
from bad_cases import COMMANDS, GOOD, BadCase, commands_for, write_good
from bad_texts import CAMERAS, OPTIONS, POINTS
from bad_volumes import SEGMENTATIONS, VOLUMES
from bad_xrays import XRAYS
from commands import Answer
from looking import contents
from xrayreg.cli import main

CASES = [*VOLUMES, *SEGMENTATIONS, *XRAYS, *CAMERAS, *POINTS, *OPTIONS]
_SECRETS = ("Secret", "SECRET")  # the patient's name and number in the DICOM files


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    write_good(folder)
    return folder


def assert_refused(answer: Answer, says: tuple[str, ...] = ()) -> None:
    """Exit code 2; nothing but progress and one line, with a remedy, that tells no patient's name."""
    line = answer.check_refused()
    assert [part for part in says if part not in line] == [], line
    assert " - " in line, f"no remedy: {line}"
    assert len(line) < 700, line
    assert line.isprintable()
    assert not any(secret in answer.err for secret in _SECRETS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_refused_and_nothing_is_written(case: BadCase, good, tmp_path, monkeypatch, capfd):
    folder = tmp_path / "in"
    shutil.copytree(good, folder)
    changed = case.make(folder)
    monkeypatch.chdir(folder)
    before = contents(folder)
    for command in commands_for(case, changed):
        capfd.readouterr()
        try:
            code = main(COMMANDS[command]({**GOOD, **changed}))
        except SystemExit as leaving:
            code = leaving.code
        assert_refused(Answer(code, *capfd.readouterr()), case.says)
        assert contents(folder) == before


FILES = ("volume", "xray", "camera", "segmentation", "names", "plan", "landmarks2d", "landmarks3d")


@pytest.mark.parametrize(
    "case", [*VOLUMES, *SEGMENTATIONS, *XRAYS, *CAMERAS, *POINTS], ids=lambda case: case.name
)
def test_check_tells_about_it_and_writes_nothing(case: BadCase, good, tmp_path, monkeypatch, capfd):
    """`xrayreg check` reports on all inputs, whatever one of them is."""
    folder = tmp_path / "in"
    shutil.copytree(good, folder)
    inputs = {**GOOD, **case.make(folder)}
    monkeypatch.chdir(folder)
    before = contents(folder)
    capfd.readouterr()
    code = main(["check", *(inputs[name] for name in FILES if inputs.get(name))])
    out, err = capfd.readouterr()
    assert code in (0, 2)
    assert out or err
    assert all(line.startswith("xrayreg: ") for line in err.splitlines())
    assert not any(secret in out + err for secret in _SECRETS)
    assert contents(folder) == before


def test_the_cases_are_spoiled_in_one_thing_only(good, tmp_path, monkeypatch, xrayreg, at_start):
    """What the table calls good is good: else everything would be refused for another reason."""
    monkeypatch.chdir(good)
    for inputs in (
        {},
        {"segmentation": "labels.nrrd", "plan": "plan.mrk.json"},
        {"xray": "frontal.dcm", "camera": None},
        {"init": "landmarks", "landmarks3d": "points.mrk.json", "landmarks2d": "points.csv"},
        {"volume": "series"},
    ):
        given = {**GOOD, **inputs, "out": str(tmp_path / "out")}
        assert xrayreg(*bad_cases.register_arguments(given)).code == 0
    assert xrayreg(*bad_cases.render_arguments({**GOOD, "out": str(tmp_path / "drr.nrrd")})).code == 0
