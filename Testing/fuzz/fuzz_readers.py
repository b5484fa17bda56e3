"""Random damage to every reader: each must read the file or refuse it with an InputError.

    python Testing/fuzz/fuzz_readers.py [--minutes 10] [--seed 0] [--only WORD] [--out build/fuzz]
    python Testing/fuzz/fuzz_readers.py --replay build/fuzz/FOLDER

Good files (`seeds.py`; those of XRAYREG_TEST_DATA too) are damaged (`damage.py`) and read, each in a process
of its own with limits of time and memory (`limited.py`). What is neither read nor refused is kept once per
place in the code, with its file, in a folder of its own under --out; --replay reads it again. The exit code
is 1 if there is any. For Linux.
"""

import argparse
import collections
import hashlib
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch  # noqa: F401  some readers would import it each time
from damage import damaged
from limited import GIB, Ended, call
from seeds import READERS, Seed, make_seeds
from xrayreg.errors import InputError

_SECONDS = 20
_LONGEST_LINE = 1500  # of an error, with its path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0, help="another seed, other damage")
    parser.add_argument("--only", default="", help="only readers with this word in their name")
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"))
    parser.add_argument("--replay", type=Path, help="a folder that an earlier run has kept")
    options = parser.parse_args()
    if options.replay is not None:
        return _replay(options.replay)
    named = os.environ.get("XRAYREG_TEST_DATA")
    with tempfile.TemporaryDirectory() as folder:
        seeds = make_seeds(Path(folder), Path(named) if named else None)
        sound = [_check_sound(seed) for seed in seeds]
        if not all(sound):
            return 1
        return _fuzz(seeds, options)


def _check_sound(seed: Seed) -> bool:
    """A good file must be read by one of its readers at least; says so where it is not."""
    ends = {reader: attempt(seed.path, READERS[reader]) for reader in seed.readers}
    if not any(end.value == "read" for end in ends.values()):
        print(f"{seed.path.name} is no good file:", *((end.value, end.failure) for end in ends.values()))
    return any(end.value == "read" for end in ends.values())


def _fuzz(seeds: list[Seed], options: argparse.Namespace) -> int:
    rng = random.Random(options.seed)
    counts: collections.Counter = collections.Counter()
    kept: dict[str, int] = {}
    wanted = [(seed, [r for r in seed.readers if options.only in r]) for seed in seeds]
    wanted = [(seed, readers) for seed, readers in wanted if readers]
    end = time.monotonic() + 60 * options.minutes
    while time.monotonic() < end:
        seed, readers = rng.choice(wanted)
        good = seed.path.read_bytes()
        bad, done = damaged(good, seed.path.name, rng)
        seed.path.write_bytes(bad)
        for reader in readers:
            ended = attempt(seed.path, READERS[reader])
            counts[reader, ended.value or "neither"] += 1
            if ended.failure:
                _keep(seed.path, reader, done, ended, options.out, kept)
        seed.path.write_bytes(good)
    _report(counts, kept, options.out)
    return 1 if kept else 0


def attempt(path: Path, reader: Callable[[Path], object]) -> Ended:
    """Read a file: the value is "read" or "refused"; anything else is a failure."""

    def read() -> str:
        warnings.simplefilter("ignore")
        try:
            reader(path)
        except InputError as error:
            line = str(error)
            if len(line) > _LONGEST_LINE or not line.isprintable():
                raise AssertionError(f"a bad line: {line[:200]!r}, {len(line)} characters") from error
            return "refused"
        return "read"

    return call(read, seconds=_SECONDS, memory_bytes=GIB)


def _keep(path: Path, reader: str, done: list[str], ended: Ended, out: Path, kept: dict[str, int]) -> None:
    """Save the file, with those beside it, and what happened; once per place in the code."""
    where = _place(ended.failure)
    name = re.sub(r"\W+", "_", f"{reader} {hashlib.sha256(where.encode()).hexdigest()[:8]}")
    kept[f"{name}: {where}"] = kept.get(f"{name}: {where}", 0) + 1
    folder = out / name
    if kept[f"{name}: {where}"] > 1:
        return
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(path.parent, folder)
    report = {
        "reader": reader,
        "file": path.name,
        "damage": done,
        "failure": ended.failure,
        "stderr": ended.err,
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1))
    print(f"{folder}: {where}", flush=True)


def _place(failure: str) -> str:
    """The exception and the last line of our code, or the signal: what makes two failures the same."""
    lines = failure.strip().splitlines()
    ours = [line.strip() for line in lines if "xrayreg" in line and line.strip().startswith("File ")]
    frame = re.sub(r'File ".*/', "", ours[-1]) if ours else ""
    return f"{lines[-1].split(':')[0][:80]} {frame}".strip()


def _report(counts: collections.Counter, kept: dict[str, int], out: Path) -> None:
    print(f"{'reader':26}{'tried':>8}{'read':>8}{'refused':>9}{'neither':>9}")
    for reader in READERS:
        each = [counts[reader, end] for end in ("read", "refused", "neither")]
        print(f"{reader:26}{sum(each):8}{each[0]:8}{each[1]:9}{each[2]:9}")
    print(f"{sum(counts.values())} attempts, {len(kept)} different failures, kept in {out}")
    for place, times in kept.items():
        print(f"{times:6} {place}")


def _replay(folder: Path) -> int:
    report = json.loads((folder / "report.json").read_text())
    ended = attempt(folder / report["file"], READERS[report["reader"]])
    print(ended.value or ended.failure, ended.err, sep="\n")
    return 1 if ended.failure else 0


if __name__ == "__main__":
    sys.exit(main())
