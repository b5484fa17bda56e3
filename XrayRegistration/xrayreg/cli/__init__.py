"""The command line: one file per command.

Exit codes: 0 done; 2 bad input (one line on standard error); 3 finished but the verdict is `reject`;
130 cancelled. Progress goes to standard error, one summary line to standard output.
"""

import argparse
import os
import sys
import warnings

from .. import __version__
from ..errors import InputError
from .files import say, without_native_noise

BAD_INPUT, CANCELLED = 2, 130


class _OneLineParser(argparse.ArgumentParser):
    """Usage errors in one line, like every other bad input."""

    def error(self, message: str):
        say(f"error: {message} - see {self.prog} --help")
        sys.exit(BAD_INPUT)


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    # Read when torch is imported below. Spinning threads make the many small steps of a registration
    # ten times slower on a machine with other work to do.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from . import check, demo, finetune, register, render, train, view
    from .guards import refuse_special_files

    parser = _OneLineParser(
        prog="xrayreg",
        description="Register X-rays with a preoperative CT. Research use only, not a medical device.",
    )
    parser.add_argument("--version", action="version", version=f"xrayreg {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (demo, check, render, register, train, finetune, view):
        command.add_to(commands)
    options = parser.parse_args(arguments)
    try:
        with without_native_noise(), warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")  # pydicom's hold values, names of patients too
            refuse_special_files(options)
            return options.run(options)
    except InputError as error:
        say(f"error: {error}")
        return BAD_INPUT
    except KeyboardInterrupt:
        say("cancelled; nothing was written")
        return CANCELLED
    except MemoryError:
        what = getattr(options, "volume", None) or options.command
        say(f"error: {what}: not enough memory - crop or resample the volume, or close other programs")
        return BAD_INPUT
    except OSError as error:
        say(f"error: {error.filename or 'file'}: {error.strerror or error} - check path and free space")
        return BAD_INPUT
