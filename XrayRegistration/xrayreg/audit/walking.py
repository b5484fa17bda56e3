"""The files under the paths that were named, and which of them lie beside each other."""

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError

MOST_FILES, DEEPEST = 20_000, 16


@dataclass(frozen=True)
class Place:
    """A file or folder that was reached.

    Attributes:
        path: of it.
        folders: names of the folders it lies in, from the path that was named down, the first of them that
            path itself; () for what was named itself.
    """

    path: Path
    folders: tuple[str, ...] = ()

    @property
    def is_named(self) -> bool:
        return not self.folders


def reached(paths: list[Path]) -> tuple[list[list[Place]], list[str]]:
    """The files of each folder, in the order of their names; what was named comes first, each alone.

    Links to folders are not followed, so that none is walked for ever.

    Returns:
        places, those of one folder together; and links that were left out.

    Raises:
        InputError: for a path that is not there, and for a folder of too many files.
    """
    named, walked, links, count = [], [], [], 0
    for path in dict.fromkeys(paths):
        if not path.exists():
            raise InputError("no such file or folder", where=path, remedy="check the path")
        if not path.is_dir():
            named.append([Place(path)])
            continue
        for folder, below, files in os.walk(path, followlinks=False):
            here = Path(folder)
            inside = (str(path), *here.relative_to(path).parts)
            links += [str(here / name) for name in below if (here / name).is_symlink()]
            shown = sorted(name for name in below if not name.startswith("."))
            below[:] = [] if len(inside) > DEEPEST else shown
            count += len(files)
            if count > MOST_FILES:
                raise InputError(
                    f"holds more than {MOST_FILES} files", where=path, remedy="name the folders of one case"
                )
            places = [Place(here / name, inside) for name in sorted(files) if not name.startswith(".")]
            if places:
                walked.append(places)
    return named + walked, links


def shared(one: Place, other: Place) -> int:
    """How many folders two places have in common, from the named one down."""
    pairs = zip(one.folders, other.folders, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one.folders), len(other.folders)))


def nearest(one: Place, others: list) -> list:
    """Those of ``others``, each with a ``place``, that share the most folders with ``one``."""
    most = max((shared(one, other.place) for other in others), default=0)
    return [other for other in others if shared(one, other.place) == most]
