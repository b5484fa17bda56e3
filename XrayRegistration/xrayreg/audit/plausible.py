"""Whether the numbers of a camera are those of an X-ray machine, in the units they should have."""

import math

import numpy as np

from ..geometry import Camera
from .findings import Finding

LEAST_SID_MM, MOST_SID_MM = 300.0, 3000.0
LEAST_PIXEL_MM, MOST_PIXEL_MM = 0.02, 5.0
_MOST_BEAM_DEG, _WIDE_BEAM_DEG, _LEAST_BEAM_DEG = 75.0, 45.0, 0.5
_MOST_METRES, _OFF_CENTRE = 10.0, 1.0


def distance_findings(
    source_to_detector_mm: float | None,
    source_to_isocenter_mm: float | None = None,
    pixel_spacing_mm: tuple[float, float] | None = None,
) -> list[Finding]:
    """Distances and pixel spacing (column, row), each None where unknown."""
    found = []
    for name, value in (
        ("source-to-detector", source_to_detector_mm),
        ("source-to-isocenter", source_to_isocenter_mm),
    ):
        least = LEAST_SID_MM if name == "source-to-detector" else LEAST_SID_MM / 2
        if value is None or least <= value <= MOST_SID_MM:
            continue
        text = f"a {name} distance of {value:g} mm is no X-ray machine's"
        if value < _MOST_METRES:
            remedy = f"it looks like metres: give {value * 1000:g} mm"
        elif value < least:
            remedy = f"it looks like centimetres: give {value * 10:g} mm"
        else:
            remedy = "correct it; it is in mm"
        found.append(Finding("problem", text, remedy))
    both = source_to_detector_mm is not None and source_to_isocenter_mm is not None
    if both and source_to_isocenter_mm >= source_to_detector_mm:
        found.append(
            Finding(
                "problem",
                f"the isocenter, {source_to_isocenter_mm:g} mm from the source, is not before the detector, "
                f"{source_to_detector_mm:g} mm from it",
                "correct the one that is wrong",
            )
        )
    if pixel_spacing_mm is not None and not all(
        LEAST_PIXEL_MM <= s <= MOST_PIXEL_MM for s in pixel_spacing_mm
    ):
        shown = " x ".join(f"{s:g}" for s in pixel_spacing_mm)
        found.append(
            Finding("problem", f"a pixel of {shown} mm is no X-ray detector's", "correct it; it is in mm")
        )
    return found


def camera_findings(camera: Camera) -> list[Finding]:
    """Distances, and the angle of the beam, which tells whether K is in pixels."""
    found = []
    if camera.source_to_detector_mm is not None:
        found = distance_findings(camera.source_to_detector_mm, None, camera.pixel_spacing_mm)
    focals = camera.K[0, 0], camera.K[1, 1]
    beam = max(beam_deg(camera))
    if beam > _MOST_BEAM_DEG:
        found.append(
            Finding(
                "problem",
                f"a beam of {beam:.0f} degrees is no X-ray machine's: K's focal lengths, {focals[0]:.0f} and "
                f"{focals[1]:.0f}, are too short for {camera.size[0]} x {camera.size[1]} pixels",
                "give them in pixels: source-to-detector distance / pixel spacing",
            )
        )
    elif beam > _WIDE_BEAM_DEG:
        found.append(Finding("note", f"a beam of {beam:.0f} degrees is wide for an X-ray machine"))
    elif beam < _LEAST_BEAM_DEG:
        found.append(Finding("note", f"a beam of {beam:.2f} degrees: nearly parallel rays hold no depth"))
    if max(focals) > 1.2 * min(focals):
        found.append(
            Finding("note", f"pixels are not square: focal lengths {focals[0]:.0f}, {focals[1]:.0f}")
        )
    off = np.abs(camera.K[:2, 2] / (np.array(camera.size) - 1 + 1e-9) - 0.5).max()
    if off > _OFF_CENTRE:
        at = f"({camera.K[0, 2]:.0f}, {camera.K[1, 2]:.0f})"
        found.append(Finding("assumed", f"the principal point {at} lies far outside the image"))
    return found


def beam_deg(camera: Camera) -> tuple[float, float]:
    """Full angles of the beam across columns and rows, degrees."""
    return tuple(
        2 * math.degrees(math.atan(n / 2 / f))
        for n, f in zip(camera.size, (camera.K[0, 0], camera.K[1, 1]), strict=True)
    )


def camera_facts(camera: Camera) -> dict:
    """K, distance and spacing, in the units of their names."""
    facts = {
        "focal_px": [round(float(camera.K[0, 0]), 1), round(float(camera.K[1, 1]), 1)],
        "principal_point_px": [round(float(camera.K[0, 2]), 1), round(float(camera.K[1, 2]), 1)],
        "beam_deg": [round(angle, 1) for angle in beam_deg(camera)],
    }
    if camera.source_to_detector_mm is not None:
        facts["source_to_detector_mm"] = round(camera.source_to_detector_mm, 2)
        facts["pixel_spacing_mm"] = [round(float(s), 4) for s in camera.pixel_spacing_mm]
    return facts
