"""The one exception that means: the input, not the program, is at fault."""

_LONGEST = 600  # characters of one part: values and paths of damaged files can be of any length


class InputError(ValueError):
    """Bad input, described in one line a clinician can act on.

    Args:
        what: what is wrong, with the offending value.
        where: the file, tag or option.
        remedy: what to do about it.

    Attributes:
        what, remedy: as given, in one line each, for reports that set them apart.
    """

    def __init__(self, what: str, *, where: object = None, remedy: str = ""):
        self.what, self.remedy = " ".join(what.split()), " ".join(remedy.split())
        parts = [f"{where}: {what}" if where else what]
        if remedy:
            parts.append(remedy)
        super().__init__(" - ".join(_shown(part) for part in parts))


def _shown(text: str) -> str:
    """In one line, without control characters, and shortened in its middle if it is very long."""
    line = " ".join(
        "".join(c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text).split()
    )
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
