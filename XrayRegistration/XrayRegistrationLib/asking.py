"""Which bones are to be registered each by itself. Light to import."""

import json
from dataclasses import asdict, dataclass

from . import roles


@dataclass(frozen=True)
class Asked:
    """What a session asks for.

    Attributes:
        still: segments that are not ticked: they stay with the rest of the body.
        joined: segments that move together, as the command line's --bodies has them.
        at_rest: a segment of the body that counts as not having moved; empty: the views stay.
        linked: whether neighbours move alike.
    """

    still: tuple[str, ...] = ()
    joined: str = ""
    at_rest: str = ""
    linked: bool = True


def asked_of(session) -> Asked:
    fields = json.loads(session.GetAttribute(roles.BODIES) or "{}")
    return Asked(**{**fields, "still": tuple(fields.get("still", ()))})


def ask(session, asked: Asked) -> None:
    session.SetAttribute(roles.BODIES, json.dumps(asdict(asked)))


def segments_of(node) -> list[str]:
    """The names of the segments that a segmentation node shows; none without a node."""
    if node is None:
        return []
    segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
    ids = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
    shown = [each for each in ids if display is None or display.GetSegmentVisibility(each)]
    return [segmentation.GetSegment(each).GetName() for each in shown]
