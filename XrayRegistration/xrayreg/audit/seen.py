"""The kinds of inputs, each with what its item says and what comparing it with others needs."""

from dataclasses import dataclass, field

from ..geometry import CameraFile
from ..images import Markup
from .bodies import Body, Structures
from .findings import Item
from .headers import UNKNOWN, Identity
from .walking import Place


@dataclass(frozen=True)
class Seen:
    """Any input."""

    place: Place
    item: Item


@dataclass(frozen=True)
class SeenVolume(Seen):
    """A volume that could be read."""

    body: Body
    identity: Identity = field(default=UNKNOWN)


@dataclass(frozen=True)
class SeenLabels(Seen):
    """A label map that could be read."""

    structures: Structures


@dataclass(frozen=True)
class SeenCamera(Seen):
    """A camera file."""

    file: CameraFile


@dataclass(frozen=True)
class SeenGeometry(Seen):
    """A geometry.json."""


@dataclass(frozen=True)
class SeenPlan(Seen):
    """Markups."""

    markups: tuple[Markup, ...]


@dataclass(frozen=True)
class SeenLandmarks(Seen):
    """Where landmarks are in views: (column, row) by label, by view."""

    views: dict[str, dict[str, tuple[float, float]]]
