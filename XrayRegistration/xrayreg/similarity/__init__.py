"""How alike an X-ray and a DRR are, with derivatives."""

from .ncc import Comparison, NormalEquations, PatchEquations, Term
from .shifts import Shifts

__all__ = ["Comparison", "NormalEquations", "PatchEquations", "Shifts", "Term"]
