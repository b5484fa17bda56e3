"""Results as files: registration.json, transforms, pictures, DICOM, the report.

It lies above `register`, `deform` and `overlays` and below `cli`: the command line and the Slicer module
write the same files by the same functions.
"""

from .card_page import card_page, write_card
from .deidentify import deidentified, nameless
from .dicom import write_dicom
from .files import Drawing, draw, write_body, write_overlay, write_registration, write_transform
from .folders import refuse_file, refuse_input, whole_file, whole_or_nothing
from .html import figure, page, row, table, verdict
from .noise import BlendNoise
from .outcome import Outcome, Review, software_json
from .registration_json import registration_json
from .report import write_report

__all__ = [
    "BlendNoise",
    "Drawing",
    "Outcome",
    "Review",
    "card_page",
    "deidentified",
    "draw",
    "figure",
    "nameless",
    "page",
    "refuse_file",
    "refuse_input",
    "registration_json",
    "row",
    "software_json",
    "table",
    "verdict",
    "whole_file",
    "whole_or_nothing",
    "write_body",
    "write_card",
    "write_dicom",
    "write_overlay",
    "write_registration",
    "write_report",
    "write_transform",
]
