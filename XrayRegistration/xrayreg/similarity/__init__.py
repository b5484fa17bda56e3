"""How alike an X-ray and a DRR are, with derivatives."""

from .joint import JointEquations, Window
from .ncc import Comparison
from .patches import NormalEquations, PatchEquations, Term
from .shifts import Shifts

__all__ = [
    "Comparison",
    "JointEquations",
    "NormalEquations",
    "PatchEquations",
    "Shifts",
    "Term",
    "Window",
]
