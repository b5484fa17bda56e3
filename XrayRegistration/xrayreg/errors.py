"""The one exception that means: the input, not the program, is at fault."""


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
        super().__init__(" ".join(" - ".join(parts).split()))
