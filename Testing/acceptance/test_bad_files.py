"""Bombs, full disks, pipes and other files that are none: with limits on memory, disk and time.

All run in one process beside the tests (`limited_commands.py`), each in a copy of it.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bad_bombs import BOMBS, SPECIAL
from bad_cases import COMMANDS, GOOD, commands_for, write_good
from commands import Answer
from looking import contents
from test_bad_inputs import assert_refused

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of processes as Linux has them")

_MEMORY_BYTES = 2 << 30  # addresses that a command may take beside the program
_MOST_GROWTH_BYTES = 700 << 20  # memory that it may really use
_SECONDS = 10


def run_all(jobs: list[dict], folder: Path) -> list[dict]:
    """The commands' answers, in their order."""
    (folder / "jobs.json").write_text(json.dumps(jobs))
    script = Path(__file__).parent / "limited_commands.py"
    subprocess.run([sys.executable, script, folder / "jobs.json", folder / "answers.json"], check=True)
    return json.loads((folder / "answers.json").read_text())


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict:
    """By case and command: the answer, and what lay in the folder before and lies in it now."""
    folder = tmp_path_factory.mktemp("limited")
    good = folder / "good"
    good.mkdir()
    write_good(good)
    jobs, keys, before = [], [], []
    for number, case in enumerate([*BOMBS, *SPECIAL]):
        place = folder / str(number)
        shutil.copytree(good, place)
        changed = case.make(place)
        for command in commands_for(case, changed):
            limits = {"memory_bytes": _MEMORY_BYTES, "seconds": _SECONDS}
            arguments = COMMANDS[command]({**GOOD, **changed})
            jobs.append({"arguments": arguments, "folder": str(place), "limits": limits})
            keys.append((case.name, command))
            before.append(names(place))
    done = run_all(jobs, folder)
    after = [names(Path(job["folder"])) for job in jobs]
    yield {key: found for key, *found in zip(keys, done, before, after, strict=True)}
    shutil.rmtree(folder)


def names(folder: Path) -> list[str]:
    """What lies in a folder and below, pipes and links too, without following links."""
    return sorted(
        os.path.join(place, name) for place, dirs, files in os.walk(folder) for name in dirs + files
    )


@pytest.mark.parametrize("case", [*BOMBS, *SPECIAL], ids=lambda case: case.name)
def test_it_is_refused_within_memory_and_time(answers, case):
    found = {command: answer for (name, command), answer in answers.items() if name == case.name}
    assert found
    for answer, before, after in found.values():
        assert not answer["failure"]
        assert_refused(Answer(answer["code"], answer["out"], answer["err"]), case.says)
        assert answer["grown_bytes"] < _MOST_GROWTH_BYTES
        assert after == before


# --- Places that cannot be written ---


@pytest.fixture
def inputs(tmp_path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    write_good(folder)
    return folder


def test_a_full_disk_leaves_no_part_of_a_file(inputs, tmp_path):
    outs = ("drr.nrrd", "drr.png", "drr.dcm")
    for out in outs:
        (inputs / out).write_bytes(b"of an earlier run")
    before = contents(inputs)
    limits = {"file_bytes": 1000, "seconds": _SECONDS}
    jobs = [
        {"arguments": COMMANDS["render"]({**GOOD, "out": out}), "folder": str(inputs), "limits": limits}
        for out in outs
    ]
    for answer in run_all(jobs, tmp_path):
        assert not answer["failure"]
        assert_refused(Answer(answer["code"], answer["out"], answer["err"]))
    assert contents(inputs) == before


def test_a_full_disk_leaves_no_part_of_a_result(inputs, tmp_path):
    before = contents(inputs)
    refine = ["--search-deg", "0", "--search-mm", "0"]
    job = {
        "arguments": [*COMMANDS["register"](GOOD), *refine],
        "folder": str(inputs),
        "limits": {"file_bytes": 20_000, "seconds": 100},
    }
    (answer,) = run_all([job], tmp_path)
    assert not answer["failure"]
    assert_refused(Answer(answer["code"], answer["out"], answer["err"]))
    assert contents(inputs) == before
    assert not (inputs / "out").exists()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read and write everything"
)
@pytest.mark.parametrize("command", list(COMMANDS))
def test_a_folder_that_may_not_be_written_is_named(inputs, command, xrayreg, monkeypatch):
    (inputs / "closed").mkdir(mode=0o500)
    monkeypatch.chdir(inputs)
    out = "closed/drr.nrrd" if command == "render" else "closed/out"
    assert_refused(xrayreg(*COMMANDS[command]({**GOOD, "out": out})), ("closed",))


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read and write everything"
)
@pytest.mark.parametrize("option", ["volume", "xray", "camera", "plan", "segmentation"])
def test_a_file_that_may_not_be_read_is_named(inputs, option, xrayreg, monkeypatch):
    name = {**GOOD, "plan": "plan.mrk.json", "segmentation": "labels.nrrd"}[option]
    (inputs / name).chmod(0)
    monkeypatch.chdir(inputs)
    assert_refused(xrayreg(*COMMANDS["register"]({**GOOD, option: name})), (name,))


# --- Names that look odd and are fine ---


@pytest.mark.parametrize("name", ["a folder with blanks", "Röntgen 椎骨 ⚕", "it's --out"])
def test_paths_with_blanks_and_letters_of_all_kinds_work(tmp_path, name, xrayreg, at_start, monkeypatch):
    folder = tmp_path / name
    folder.mkdir()
    write_good(folder)
    inputs = {key: str(folder / value) for key, value in GOOD.items()}
    answer = xrayreg(*COMMANDS["register"](inputs))
    assert answer.code == 0, answer.err
    assert (folder / "out" / "report.html").is_file()
    drr = str(folder / f"{name}.nrrd")
    assert xrayreg(*COMMANDS["render"]({**inputs, "out": drr})).code == 0
    assert Path(drr).is_file()
    refused = xrayreg(*COMMANDS["register"]({**inputs, "volume": str(folder / "gone.nii.gz")}))
    assert_refused(refused, (name, "gone.nii.gz"))


def test_names_that_are_no_utf_8_are_refused(inputs, tmp_path):
    """As another system's disk or archive may leave them: Latin-1 letters on a system of UTF-8."""
    options = ("volume", "xray", "camera", "out")
    jobs = []
    for option in options:
        name = os.fsdecode("schräg".encode("latin-1")) + GOOD[option]
        if option != "out":
            shutil.copy(inputs / GOOD[option], inputs / name)
        arguments = COMMANDS["register"]({**GOOD, option: name})
        jobs.append({"arguments": arguments, "folder": str(inputs), "limits": {"seconds": _SECONDS}})
    for option, answer in zip(options, run_all(jobs, tmp_path), strict=True):
        assert not answer["failure"]
        assert_refused(Answer(answer["code"], answer["out"], answer["err"]), (GOOD[option], "UTF-8"))
