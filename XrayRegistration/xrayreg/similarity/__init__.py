"""How alike an X-ray and a DRR are, with derivatives."""

from .ncc import Comparison, NormalEquations, Term

__all__ = ["Comparison", "NormalEquations", "Term"]
