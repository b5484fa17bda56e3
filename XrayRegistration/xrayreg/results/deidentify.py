"""A result without the names that its files brought along, which often are a patient's."""

from dataclasses import replace

from ..images import Xray
from .outcome import Outcome

_REASON = "de-identified"


def deidentified(outcome: Outcome) -> Outcome:
    """The outcome with its volume, views and plans under plain names, without its files' paths and series.

    Checksums, structures' names, points' labels and the reviewer's comment stay, and so do letters that are
    burned into an X-ray's pixels.
    """
    numbered = list(enumerate(outcome.registration.views, start=1))
    views = tuple(replace(view, xray=nameless(view.xray, number)) for number, view in numbered)
    plan = enumerate(outcome.overlay.markups, start=1)
    markups = tuple(replace(markup, name=f"plan_{number}") for number, markup in plan)
    volume = replace(outcome.registration.volume, name="volume", frame_of_reference_uid="")
    return replace(
        outcome,
        registration=replace(outcome.registration, volume=volume, views=views),
        uncertainties={
            renamed.name: outcome.uncertainties[view.name]
            for (_, view), renamed in zip(numbered, views, strict=True)
        },
        overlay=replace(outcome.overlay, markups=markups),
        inputs={
            kind: [_without_path(file) for file in files] if isinstance(files, list) else _without_path(files)
            for kind, files in outcome.inputs.items()
        },
    )


def nameless(xray: Xray, number: int) -> Xray:
    """The X-ray under a name that tells its place among the views alone."""
    return replace(xray, name=f"view_{number}")


def _without_path(file: dict) -> dict:
    kept = {key: value for key, value in file.items() if key != "series"}  # its UID leads to the patient
    return {"reason": _REASON, **kept, "path": None}
