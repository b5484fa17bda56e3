"""What the commands tell the user on the way."""

import sys


def say(line: str) -> None:
    """A line of progress, on standard error."""
    print(f"xrayreg: {line}", file=sys.stderr, flush=True)
