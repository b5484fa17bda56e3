"""The similarity of an X-ray and DRRs: a weighted mean of terms."""

from collections.abc import Sequence

import torch

from .joint import JointEquations, Window, joint_equations
from .patches import NormalEquations, PatchEquations, PatchwiseNcc, Term


class Comparison:
    """A fixed X-ray ready to be compared with many DRRs.

    Args:
        fixed: [row, column] line integrals.
        mask: [row, column] bool; pixels outside do not count.
        terms: what to compare; similarity is their weighted mean.

    Raises:
        InputError: if the mask leaves nothing to compare, or what it leaves is blank.
    """

    def __init__(self, fixed: torch.Tensor, mask: torch.Tensor, terms: tuple[Term, ...]):
        total = sum(term.weight for term in terms)
        self._terms = [(term.weight / total, PatchwiseNcc(fixed, mask, term)) for term in terms]

    def similarity(self, moving: torch.Tensor) -> torch.Tensor:
        """Weighted mean of the NCCs (...) of DRRs [..., row, column], in [-1, 1]; differentiable."""
        return sum(weight * term.similarity(moving) for weight, term in self._terms)

    def normal_equations(self, moving: torch.Tensor, jacobian: torch.Tensor) -> NormalEquations:
        """For DRRs [..., row, column] and their derivatives [..., row, column, 6]."""
        parts = [term.normal_equations(moving, jacobian) * weight for weight, term in self._terms]
        return sum(parts[1:], parts[0])

    def joint_equations(self, moving: torch.Tensor, windows: Sequence[Window]) -> JointEquations:
        """For one DRR [row, column] of several parts, each with a motion, so a derivative, of its own."""
        parts = [joint_equations(term, moving, windows, weight) for weight, term in self._terms]
        return sum(parts[1:], parts[0])

    def patch_equations(self, moving: torch.Tensor, jacobian: torch.Tensor) -> PatchEquations:
        """For one DRR [row, column], its derivative [row, column, 6] and the patches of all terms."""
        parts = [term.patch_equations(moving, jacobian, weight) for weight, term in self._terms]
        fields = ("centres", "weight", "ncc", "hessian", "gradient")
        return PatchEquations(*(torch.cat([getattr(part, field) for part in parts]) for field in fields))
