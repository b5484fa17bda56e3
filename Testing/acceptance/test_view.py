"""`xrayreg view`: pictures of a result folder, and what it says when there is none."""

import shutil
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import looking
import numpy as np
import pytest
from xrayreg.cli import view

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"

needs_slicer = pytest.mark.skipif(not looking.HAS_SLICER, reason="slicer-core is not installed")
needs_opengl = pytest.mark.skipif(not looking.has_opengl(), reason="Slicer's views cannot be drawn here")


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """The entry points as pyproject.toml has them now, not as they were when the package was installed."""
    groups = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["entry-points"]

    def entry_points(group):
        return [EntryPoint(name, value, group) for name, value in groups[group].items()]

    monkeypatch.setattr(view, "entry_points", entry_points)


@needs_opengl
def test_pictures_of_a_result_are_written(demo, xrayreg, tmp_path):
    answer = xrayreg("view", demo.folder, "--out", tmp_path / "seen")
    assert answer.code == 0
    names = ["slice_frontal.png", "slice_oblique.png", "view3d.png"]
    assert sorted(looking.contents(tmp_path / "seen")) == names
    assert answer.out == f"{tmp_path / 'seen'}: {', '.join(names)}\n"
    for name in names:
        # The same code drew them when the demo was run, from a scene that had not been saved yet.
        now, then = (looking.read_rgb(folder / name) for folder in (tmp_path / "seen", demo.folder))
        assert (np.abs(now - then).max(axis=-1) > 40).mean() < 0.01


@needs_opengl
def test_by_default_the_pictures_are_written_beside_the_result(demo, xrayreg, tmp_path):
    folder = tmp_path / "result"
    folder.mkdir()
    for name in ("scene.mrb", "registration.json"):
        shutil.copy(demo.folder / name, folder / name)
    assert xrayreg("view", folder).code == 0
    assert set(looking.contents(folder)) == {
        "registration.json",
        "scene.mrb",
        "slice_frontal.png",
        "slice_oblique.png",
        "view3d.png",
    }


@needs_slicer
@pytest.mark.parametrize("what", ["nothing", "no result", "no scene", "damaged"])
def test_a_folder_that_is_no_result_is_refused_in_one_line(xrayreg, tmp_path, what):
    folder = tmp_path / "result"
    if what != "nothing":
        folder.mkdir()
    if what in ("no scene", "damaged"):
        (folder / "registration.json").write_text("{}")
    if what == "damaged":
        (folder / "scene.mrb").write_bytes(b"half a file")
    before = looking.contents(tmp_path)
    line = xrayreg("view", folder, "--out", tmp_path / "seen").check_refused()
    assert str(folder) in line
    assert looking.contents(tmp_path) == before


@needs_slicer
def test_without_opengl_the_packages_are_named(demo, xrayreg, tmp_path, monkeypatch):
    from XrayRegistrationLib import offscreen

    monkeypatch.setattr(offscreen, "_PROBE", "raise SystemExit(3)")
    line = xrayreg("view", demo.folder, "--out", tmp_path / "seen").check_refused()
    assert "libegl1" in line
    assert not (tmp_path / "seen").exists()


def test_without_slicers_libraries_one_line_says_what_to_install(xrayreg, tmp_path, monkeypatch):
    monkeypatch.setattr(view, "entry_points", lambda group: [])
    assert "pip install" in xrayreg("view", tmp_path).check_refused()
