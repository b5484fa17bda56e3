"""Output folders are whole or untouched; checksums are those that anyone can compute."""

import hashlib
import os

import pytest
from xrayreg.cli.files import say
from xrayreg.errors import InputError
from xrayreg.images import sha256
from xrayreg.results import whole_file, whole_or_nothing


def tree(folder):
    """Everything in a folder, hidden files too: None for a folder, the bytes of a file."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def half_of(name, opened, end=KeyboardInterrupt):
    """Write half a file, then end early."""
    with opened as staging:
        (staging / name).write_text("half")
        raise end("early")


def all_of(opened):
    with opened as staging:
        (staging / "a_first_file").write_text("new")
        (staging / "registration.json").write_text("new")
        (staging / "xrays").mkdir()


@pytest.fixture
def out(tmp_path):
    """A folder of an earlier run, with a file of the user's own."""
    folder = tmp_path / "out"
    (folder / "xrays").mkdir(parents=True)
    (folder / "registration.json").write_text("old")
    (folder / "xrays" / "frontal.dcm").write_text("old")
    (folder / "notes.txt").write_text("the user's own")
    return folder


def test_files_and_folders_arrive_when_the_block_ends(out):
    with whole_or_nothing(out) as staging:
        (staging / "registration.json").write_text("new")
        (staging / "xrays").mkdir()
        (staging / "xrays" / "lateral.dcm").write_text("new")
        assert (out / "registration.json").read_text() == "old"
    assert tree(out) == {
        "notes.txt": b"the user's own",
        "registration.json": b"new",
        "xrays": None,
        "xrays/frontal.dcm": b"old",
        "xrays/lateral.dcm": b"new",
    }
    assert os.listdir(out.parent) == ["out"]


def test_a_folder_that_does_not_exist_is_made_with_those_above_it(tmp_path):
    with whole_or_nothing(tmp_path / "a" / "b") as staging:
        (staging / "x").write_text("new")
        assert not (tmp_path / "a").exists()
    assert tree(tmp_path) == {"a": None, "a/b": None, "a/b/x": b"new"}


def test_a_relative_path_is_meant_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with whole_or_nothing(tmp_path.relative_to(tmp_path) / "out") as staging:
        (staging / "x").write_text("new")
    assert tree(tmp_path) == {"out": None, "out/x": b"new"}


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit, InputError, OSError, ZeroDivisionError])
def test_whatever_ends_the_block_early_leaves_everything_as_it_was(out, end):
    before = tree(out.parent)
    with pytest.raises(end):
        half_of("registration.json", whole_or_nothing(out), end)
    assert tree(out.parent) == before


def test_an_early_end_makes_no_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        half_of("x", whole_or_nothing(tmp_path / "a" / "b"))
    assert tree(tmp_path) == {}


def test_a_file_in_place_of_the_folder_is_refused_and_stays(tmp_path):
    (tmp_path / "out").write_text("the user's own")
    with pytest.raises(InputError, match=r"out: is a file.*--out"), whole_or_nothing(tmp_path / "out"):
        pytest.fail("the block must not run")
    assert tree(tmp_path) == {"out": b"the user's own"}


@pytest.mark.parametrize("name", ["registration.json", "xrays"])
def test_a_folder_in_place_of_a_file_or_the_reverse_is_refused_before_anything_moves(out, name):
    other = out / name
    if other.is_dir():
        (other / "frontal.dcm").unlink()
        other.rmdir()
        other.write_text("a file where a folder will be")
    else:
        other.unlink()
        other.mkdir()
    before = tree(out.parent)
    with pytest.raises(InputError, match=name):
        all_of(whole_or_nothing(out))
    assert tree(out.parent) == before


def test_one_file_arrives_whole_or_not_at_all(tmp_path):
    path = tmp_path / "drr.nrrd"
    with whole_file(path) as staged:
        assert staged.name == path.name  # writers tell the format by it
        staged.write_text("first")
        assert not path.exists()
    assert tree(tmp_path) == {"drr.nrrd": b"first"}
    with pytest.raises(KeyboardInterrupt):
        half_of("", whole_file(path))
    assert tree(tmp_path) == {"drr.nrrd": b"first"}


def test_a_file_in_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="folder does not exist"), whole_file(tmp_path / "no" / "drr.nrrd"):
        pytest.fail("the block must not run")
    assert tree(tmp_path) == {}


def test_the_checksum_of_a_file(tmp_path):
    content = bytes(range(256)) * 10_000  # longer than one block of reading
    (tmp_path / "ct.nii.gz").write_bytes(content)
    assert sha256(tmp_path / "ct.nii.gz") == hashlib.sha256(content).hexdigest()


def test_the_checksum_of_a_folder_is_that_of_its_files_in_the_order_of_their_paths(tmp_path):
    for name in ("I10", "I2", "I1"):
        (tmp_path / name).write_bytes(name.encode() * 3)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "I0").write_bytes(b"may be part of the series")
    expected = hashlib.sha256(b"I1I1I1" + b"I10I10I10" + b"I2I2I2" + b"may be part of the series").hexdigest()
    assert sha256(tmp_path) == expected
    (tmp_path / "I2").write_bytes(b"changed")
    assert sha256(tmp_path) != expected


def test_progress_goes_to_standard_error_with_our_name(capsys):
    say("reading ct.nii.gz")
    assert capsys.readouterr() == ("", "xrayreg: reading ct.nii.gz\n")
