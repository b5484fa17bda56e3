"""Commands with limits, one after the other; `limited.py` copies a process that has computed nothing.

    python Testing/acceptance/limited_commands.py JOBS ANSWERS

JOBS is JSON: a list of {"arguments": [...], "folder": where it runs, "limits": those of `limited.call`}.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import xrayreg.cli.register  # noqa: F401  what every command needs, before the copies are made
from limited import call
from xrayreg.cli import main


def run(job: dict) -> dict:
    def command():
        os.chdir(job["folder"])
        try:
            return main(job["arguments"])
        except SystemExit as leaving:
            return leaving.code

    ended = call(command, **job["limits"])
    return {
        "code": ended.value,
        "failure": ended.failure,
        "out": ended.out,
        "err": ended.err,
        "grown_bytes": ended.grown_bytes,
    }


if __name__ == "__main__":
    jobs = json.loads(Path(sys.argv[1]).read_text())
    Path(sys.argv[2]).write_text(json.dumps([run(job) for job in jobs]))
