"""Output folders and files that are whole or untouched."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError


def refuse_file(out: Path) -> None:
    """Raise InputError if a file stands where the output folder, or a folder above it, should be."""
    for place in (out, *out.absolute().parents):
        if place.exists() and not place.is_dir():
            raise InputError("is a file, not a folder", where=place, remedy="choose another folder (--out)")


def refuse_input(out: Path, inputs: Iterable[Path]) -> None:
    """Raise InputError if the output would take the place of an input, or lie in a folder of slices."""
    for path in inputs:
        if out.exists() and path.exists() and out.samefile(path):
            raise InputError("is an input, too", where=out, remedy="choose another place (--out)")


@contextmanager
def whole_or_nothing(out: Path) -> Iterator[Path]:
    """A folder to write into, whose files move to ``out`` only if the block ends without an error.

    Files of ``out`` with other names stay. After an error or a cancel ``out`` is as it was.
    """
    refuse_file(out)
    existing = next(parent for parent in (out, *out.absolute().parents) if parent.is_dir())
    staging = Path(tempfile.mkdtemp(prefix=".xrayreg-", dir=existing))
    try:
        yield staging
        targets = {file: out / file.relative_to(staging) for file in sorted(staging.rglob("*"))}
        for file, target in targets.items():
            if target.exists() and target.is_dir() != file.is_dir():
                kind = "a folder, not a file" if target.is_dir() else "a file, not a folder"
                raise InputError(
                    f"is {kind}", where=target, remedy="remove it, or choose another folder (--out)"
                )
        for file, target in targets.items():
            if file.is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def whole_file(out: Path) -> Iterator[Path]:
    """A path of the same ending to write to; moved to ``out`` only if the block ends without an error."""
    if not out.absolute().parent.is_dir():
        raise InputError("its folder does not exist", where=out, remedy="make it, or choose another (--out)")
    if out.is_dir():
        raise InputError("is a folder, not a file", where=out, remedy="choose another file (--out)")
    with tempfile.TemporaryDirectory(prefix=".xrayreg-", dir=out.absolute().parent) as folder:
        staged = Path(folder) / out.name
        yield staged
        os.replace(staged, out)
