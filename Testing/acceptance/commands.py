"""A command of xrayreg and what it leaves."""

import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What a command left: exit code, summary and progress."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        return [line for line in self.err.splitlines() if line.startswith("xrayreg: error: ")]

    def check_refused(self) -> str:
        """Exit code 2, one line that says why, no summary, no traceback; returns the line."""
        assert self.code == 2
        assert self.out == ""
        assert all(line.startswith("xrayreg: ") for line in self.err.splitlines())
        (line,) = self.errors
        assert self.err.splitlines()[-1] == line
        return line


def start_process(*arguments, **options) -> subprocess.Popen:
    """The command line in a process of its own, its output as pipes of text."""
    return subprocess.Popen(
        [sys.executable, "-m", "xrayreg", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
