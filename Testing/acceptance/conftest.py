"""The command line as the user meets it, and one run of the demo for all tests that look at it."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import Answer, start_process
from standing_still import stay
from xrayreg.cli import main, pipeline
from xrayreg.evaluate.demo_case import FILES_SHA256


@pytest.fixture
def xrayreg(capsys):
    """The command line in this process."""

    def run(*arguments) -> Answer:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as leaving:
            code = leaving.code
        return Answer(code, *capsys.readouterr())

    return run


@pytest.fixture
def at_start(monkeypatch):
    """Registration finds that nothing has to move, at once; and there is no scene writer."""
    monkeypatch.setattr(pipeline, "register_rigid", stay)
    monkeypatch.setattr(pipeline, "entry_points", lambda group: [])


@pytest.fixture
def process():
    """The command line in a process of its own, run to its end."""

    def run(*arguments) -> Answer:
        started = start_process(*arguments)
        out, err = started.communicate()
        return Answer(started.returncode, out, err)

    return run


@dataclass(frozen=True)
class Demo:
    folder: Path
    answer: Answer


@pytest.fixture(scope="session")
def demo_environment(tmp_path_factory) -> dict[str, str]:
    """Where the test data is there, the demo finds its case in its cache and no package index."""
    case = Path(os.environ.get("XRAYREG_TEST_DATA", "")) / "chest_ct"
    if not all((case / name).is_file() for name in FILES_SHA256):
        return dict(os.environ)
    cache = tmp_path_factory.mktemp("cache")
    (cache / "demo-chest-ct").mkdir()
    for name in FILES_SHA256:
        shutil.copy(case / name, cache / "demo-chest-ct" / name)
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_NO_INDEX": "1"}
    return {**os.environ, **nowhere, "XRAYREG_CACHE": str(cache)}


@pytest.fixture(scope="session")
def demo(demo_environment, tmp_path_factory) -> Demo:
    """One run of `xrayreg demo`."""
    folder = tmp_path_factory.mktemp("demo") / "out"
    started = start_process("demo", "--out", folder, env=demo_environment)
    out, err = started.communicate()
    if "cannot be fetched" in err:
        pytest.skip("the demo's CT is neither in XRAYREG_TEST_DATA nor in the cache, and not to be fetched")
    return Demo(folder, Answer(started.returncode, out, err))
