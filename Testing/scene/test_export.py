"""The command line's way to a scene: what it writes, what it says, what it needs."""

import os
import subprocess
import sys

import pytest
from finding import layers_of, outcome_of
from XrayRegistrationLib import offscreen
from XrayRegistrationLib.export import export_scene


def empty(registration):
    return {view.name: layers_of(view.camera) for view in registration.views}


def test_scene_and_pictures_are_written(opened, opengl, registration, drrs, labels, markups, tmp_path):
    outcome = outcome_of(registration, labels, markups)
    layers = {view.name: layers_of(view.camera, drrs[view.name]) for view in registration.views}
    notices = export_scene(outcome, tmp_path / "out", layers=layers)
    assert notices == []
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["scene.mrb", "slice_frontal.png", "slice_oblique.png", "view3d.png"]


def test_pictures_can_be_left_out(opened, registration, tmp_path):
    assert export_scene(outcome_of(registration), tmp_path, layers=empty(registration), pictures=False) == []
    assert [path.name for path in tmp_path.iterdir()] == ["scene.mrb"]


def test_without_opengl_the_scene_is_written_and_the_packages_are_named(
    opened, registration, tmp_path, monkeypatch
):
    monkeypatch.setattr(offscreen, "_PROBE", "raise SystemExit(3)")
    (notice,) = export_scene(outcome_of(registration), tmp_path, layers=empty(registration))
    assert [path.name for path in tmp_path.iterdir()] == ["scene.mrb"]
    assert "pictures left out" in notice
    assert "libegl1" in notice
    assert "\n" not in notice


def test_without_slicer_core_the_error_says_what_to_install(registration, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "slicer", None)
    with pytest.raises(ImportError, match="pip install 'slicer-core"):
        export_scene(outcome_of(registration), tmp_path, layers=empty(registration))
    assert list(tmp_path.iterdir()) == []


def test_importing_the_writer_imports_neither_slicer_nor_vtk():
    code = "import sys, XrayRegistrationLib.export; print([m for m in ('slicer', 'vtk') if m in sys.modules])"
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path)
    assert done.stdout.strip() == "[]"


def test_a_probe_that_hangs_is_a_problem_too(monkeypatch):
    monkeypatch.setattr(offscreen, "_PROBE", "import time; time.sleep(60)")
    assert "within 0.2 s" in offscreen.opengl_problem(timeout_s=0.2)


def test_a_probe_that_crashes_is_a_problem_not_our_end(monkeypatch):
    monkeypatch.setattr(offscreen, "_PROBE", "import os; os.abort()")
    assert offscreen.PACKAGES in offscreen.opengl_problem()
