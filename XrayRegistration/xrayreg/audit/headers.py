"""What a DICOM header says beside geometry and pixels: whose it is, and how it came about."""

import hashlib
from dataclasses import dataclass

import pydicom

from .findings import Finding

_OF_SIMULATIONS = "SIMULATED"  # the patient of X-rays that xrayreg makes from a CT
_LETTERS = {"L": "left", "R": "right", "P": "back", "A": "front", "H": "head", "F": "feet"}
_SEEN = {
    "LF": ": seen from the front, as usual",
    "RF": ": seen from behind, mirrored against the usual",
    "RH": ": seen from the front, upside down",
    "LH": ": seen from behind, upside down",
}
_LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81")
_SIDES = {"L": "left", "R": "right", "B": "both sides", "U": "unpaired"}


@dataclass(frozen=True)
class Identity:
    """Whose image it is, only to be compared: "" is unknown.

    Attributes:
        patient: a checksum of Patient ID (0010,0020) and its issuer.
        study, frame: Study Instance UID (0020,000D) and Frame of Reference UID (0020,0052).
    """

    patient: str = ""
    study: str = ""
    frame: str = ""


UNKNOWN = Identity()


def identity_of(dataset: pydicom.Dataset) -> Identity:
    """The identity in a header."""
    number = _text(dataset, "PatientID")
    issuer = _text(dataset, "IssuerOfPatientID")
    known = number and number != _OF_SIMULATIONS
    patient = hashlib.sha256(f"{number}\n{issuer}".encode()).hexdigest() if known else ""
    return Identity(patient, _text(dataset, "StudyInstanceUID"), _text(dataset, "FrameOfReferenceUID"))


def origin_facts(dataset: pydicom.Dataset) -> dict:
    """Modality, kind of object, part of the body, side and encoding; nothing that tells of the patient."""
    facts = {"modality": _text(dataset, "Modality"), "object": dataset.SOPClassUID.name}
    syntax = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
    facts["transfer_syntax"] = syntax.name if syntax is not None else ""
    facts["body_part"] = _text(dataset, "BodyPartExamined")
    facts["view_position"] = _text(dataset, "ViewPosition")
    facts["side"] = _SIDES.get(laterality(dataset), "")
    facts["patient_position"] = _text(dataset, "PatientPosition")
    return {name: value for name, value in facts.items() if value}


def laterality(dataset: pydicom.Dataset) -> str:
    """Image Laterality (0020,0062), or else Laterality (0020,0060): L, R, B, U or ""."""
    return _text(dataset, "ImageLaterality") or _text(dataset, "Laterality")


def orientation_in_words(dataset: pydicom.Dataset) -> str:
    """Patient Orientation (0020,0020) in words, "" without it."""
    value = dataset.get("PatientOrientation")
    parts = [] if value is None or isinstance(value, str) else [str(part).strip() for part in value]
    if len(parts) != 2 or not all(part and set(part) <= set(_LETTERS) for part in parts):
        return ""
    rows, columns = ("-".join(_LETTERS[letter] for letter in part) for part in parts)
    seen = _SEEN.get(parts[0][0] + parts[1][0], "")
    return f"stored rows run to the patient's {rows}, columns to the {columns}{seen}"


def processing_findings(dataset: pydicom.Dataset) -> list[Finding]:
    """What was done to the pixels that a registration should know."""
    found = []
    if _text(dataset, "PresentationIntentType") == "FOR PRESENTATION":
        found.append(Finding("note", "processed for presentation: its contrast is not that of the beam"))
    if dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.7":
        found.append(Finding("note", "a secondary capture: a copy whose geometry is often lost"))
    syntax = getattr(dataset, "file_meta", {}).get("TransferSyntaxUID")
    if _text(dataset, "LossyImageCompression") == "01" or syntax in _LOSSY:
        found.append(Finding("note", "compressed with loss: fine edges may be blurred"))
    if _text(dataset, "BurnedInAnnotation") == "YES":
        found.append(Finding("note", "letters are burned into the image (they may tell who the patient is)"))
    return found


def frame_rate(dataset: pydicom.Dataset) -> float | None:
    """Frames a second, or None where nothing says it."""
    for keyword, rate in (
        ("FrameTime", lambda ms: 1000 / ms),
        ("CineRate", float),
        ("RecommendedDisplayFrameRate", float),
    ):
        try:
            value = float(dataset.get(keyword) or 0)
        except (TypeError, ValueError):
            continue
        if value > 0:
            return round(rate(value), 2)
    return None


def _text(dataset: pydicom.Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip()
