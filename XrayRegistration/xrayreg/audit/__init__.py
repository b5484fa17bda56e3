"""What each input is, whether inputs fit together, and what is assumed, missing or contradictory."""

from .checking import audit, check_inputs, check_patients, check_rig
from .findings import LEVELS, Audit, Finding, Fit, Item, as_json, raise_problems, warnings
from .report import report_lines

__all__ = [
    "LEVELS",
    "Audit",
    "Finding",
    "Fit",
    "Item",
    "as_json",
    "audit",
    "check_inputs",
    "check_patients",
    "check_rig",
    "raise_problems",
    "report_lines",
    "warnings",
]
