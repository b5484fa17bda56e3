"""What can honestly be said about a registration before a calibrated confidence model exists."""

from .result import RegisteredView

_HARDLY_ALIKE = 0.2  # below it, X-ray and DRR share next to nothing: another patient, region or a failure
_ALONE = "one view alone: depth along its beam is poorly determined"
_LOOK = "no calibrated confidence in this version: look at the overlays before use"


def judge(views: tuple[RegisteredView, ...], alone: tuple[str, ...] = ()) -> tuple[str, list[str]]:
    """ "review" or "reject" and the reasons in words; never "accept", which needs calibration.

    Args:
        views: registered.
        alone: names of the views that were registered without another.
    """
    reasons = []
    for view in views:
        if view.similarity < _HARDLY_ALIKE:
            reasons.append(
                f"{view.name}: the X-ray hardly resembles the DRR (similarity {view.similarity:.2f})"
            )
        elif view.similarity <= view.initial_similarity:
            reasons.append(
                f"{view.name}: no more alike than at the start (similarity {view.similarity:.2f}, "
                f"was {view.initial_similarity:.2f})"
            )
    if any(view.similarity < _HARDLY_ALIKE for view in views):
        return "reject", reasons
    reasons += [f"{name}: {_ALONE}" for name in alone]
    return "review", [*reasons, _LOOK]
