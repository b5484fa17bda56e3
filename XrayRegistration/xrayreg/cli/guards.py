"""Inputs that no command takes, whatever it does with the others."""

import argparse
import math
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import InputError
from ..images import Volume


def finite(text: str) -> float:
    """An option's number, neither NaN nor infinite; argparse names the option where it is none."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


def check_air(volume: Volume, air_hu: float, where: Path) -> None:
    """Raise InputError if --air-hu leaves nothing of the volume."""
    highest = float(volume.hu.max())
    if not highest > air_hu:
        raise InputError(
            f"the highest value is {highest:g}: --air-hu {air_hu:g} leaves nothing of the volume",
            where=where,
            remedy="choose a lower --air-hu, or give a CT in HU",
        )


def refuse_special_files(options: argparse.Namespace) -> None:
    """Raise InputError for pipes, devices and links that go round: reading them would not end.

    What is not there is left to the command, which knows what it was for.
    """
    for path in _paths(vars(options).values()):
        if any("\ud800" <= letter <= "\udfff" for letter in str(path)):
            what = "its name has letters that are not UTF-8"  # on which SimpleITK aborts
            raise InputError(what, where=path, remedy="rename it")
        try:
            mode = path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot be opened ({reason})", where=path, remedy="check the path") from None
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise InputError("is a pipe or a device, no file", where=path, remedy="give a file or a folder")


def _paths(values) -> Iterator[Path]:
    """All paths among the values of options, also in their lists and dictionaries."""
    for value in values:
        if isinstance(value, Path):
            yield value
        elif isinstance(value, (list, dict)):
            yield from _paths(value.values() if isinstance(value, dict) else value)
