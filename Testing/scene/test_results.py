"""Result folders brought into a scene; the scene is untouched when something is wrong."""

import shutil

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from xrayreg.errors import InputError
from XrayRegistrationLib import roles
from XrayRegistrationLib.bundle import read_mrb, write_mrb
from XrayRegistrationLib.headless import headless
from XrayRegistrationLib.results import load_result, summary


@pytest.fixture
def folder(opened, result, tmp_path):
    write_mrb(opened.scene, tmp_path / "scene.mrb")
    (tmp_path / "registration.json").write_text('{"schema_version": 1}')
    return tmp_path


@pytest.fixture
def scene(opened):
    """Another scene, with something of the user's own in it."""
    with headless() as other:
        other.scene.AddNewNodeByClass("vtkMRMLModelNode", "the user's own")
        yield other.scene


def load(scene, folder):
    return load_result(scene, folder, lambda path: read_mrb(scene, path))


def nodes(scene) -> list[str]:
    return [scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())]


def test_a_result_folder_arrives_in_the_scene(scene, folder):
    result = load(scene, folder)
    assert result.GetNodeReference(roles.VOLUME).GetName() == "preop CT"
    assert summary(result) == "frontal: similarity 0.970\noblique: similarity 0.970"


def test_two_results_stand_side_by_side(scene, folder):
    first, second = load(scene, folder), load(scene, folder)
    assert [node.GetID() for node in roles.result_nodes(scene)] == [first.GetID(), second.GetID()]
    assert first.GetNodeReference(roles.VIEW).GetID() != second.GetNodeReference(roles.VIEW).GetID()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: shutil.rmtree(f), "no such folder"),
        (lambda f: (f / "registration.json").unlink(), "no registration.json"),
        (lambda f: (f / "registration.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "scene.mrb").unlink(), "has no scene.mrb"),
        (lambda f: (f / "scene.mrb").write_bytes(b"half a file"), "not a Slicer scene, or damaged"),
    ],
)
def test_a_damaged_folder_is_named_and_the_scene_stays(scene, folder, damage, message):
    damage(folder)
    before = nodes(scene)
    with pytest.raises(InputError, match=message):
        load(scene, folder)
    assert nodes(scene) == before


def test_a_scene_without_a_registration_is_taken_out_again(scene, folder):
    with headless() as other:
        other.scene.AddNewNodeByClass("vtkMRMLModelNode", "something else")
        write_mrb(other.scene, folder / "scene.mrb")
    before = nodes(scene)
    with pytest.raises(InputError, match="holds no registration"):
        load(scene, folder)
    assert nodes(scene) == before


def test_what_was_read_before_an_error_is_taken_out_again(scene, folder):
    def read_and_fail(path):
        read_mrb(scene, path)
        raise RuntimeError("Slicer could not read a file")

    before = nodes(scene)
    with pytest.raises(RuntimeError):
        load_result(scene, folder, read_and_fail)
    assert nodes(scene) == before
