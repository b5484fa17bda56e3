"""The steps of a registration bone by bone, from coarse and nearly rigid to fine and free."""

from dataclasses import dataclass

from ..similarity import Term
from .levels import Level
from .search import SearchRange

_GRADIENT = (Term(True, 24),)
_BOTH = (Term(False, 24), Term(True, 24))

_AROUND = SearchRange((12.0,) * 3, (20.0,) * 3, candidates=512)


@dataclass(frozen=True)
class Stage:
    """One of the steps from nearly rigid to free.

    Attributes:
        level: what is compared; of ``poses`` there is one.
        link_weight: of half a squared standard deviation of a link, against the mean similarity.
        search: how far from where this stage leaves it each body is searched for by itself; None does not.
        tissue: whether soft tissue moves too; else it stays where an earlier stage left it.
        beside_mm: it is begun from this far to each side, too, all bodies shifted; the best goes on.
    """

    level: Level
    link_weight: float
    search: SearchRange | None = None
    tissue: bool = False
    beside_mm: float = 0.0


_COARSE = Level(96, _GRADIENT, poses=1, margin=0.05, iterations=30, step_px=0.2)
_MIDDLE = Level(192, _GRADIENT, poses=1, margin=0.05, iterations=12, step_px=0.05)
_FINE = Level(384, _BOTH, poses=1, margin=0.05, iterations=15, step_px=0.02)

# First neighbours hardly part, and all go where most of them are; then each finds its own place.
STAGES = (
    Stage(_COARSE, 3e-2, beside_mm=15.0),
    Stage(_COARSE, 3e-3, tissue=True),
    Stage(_MIDDLE, 2e-4, _AROUND, tissue=True),
    Stage(_MIDDLE, 1e-4, _AROUND, tissue=True),
    Stage(_MIDDLE, 1e-4, _AROUND, tissue=True),
    Stage(_FINE, 1e-4, _AROUND),
)
