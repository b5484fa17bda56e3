"""Does the beam hit the volume?"""

import numpy as np

from ..geometry import Camera, apply
from .bodies import Body
from .findings import Finding, Fit

_CELLS = 32
_FEW, _LITTLE = 0.05, 0.005
_CHECK_START = "check the start pose, or that the volume and the X-ray show the same region"


def beam_fit(body: Body, camera: Camera, volume: str, xray: str, side: str = "") -> Fit:
    """How a volume lies in a view's beam.

    Facts: ``in_beam``, the part of the volume's voxels above air that projects onto the image;
    ``image_covered``, the part of the image that these reach, roughly; ``depth_mm``, from the source, of
    their nearest and farthest; ``field_mm``, the width and height that the image shows at their depth.

    Args:
        camera: at its start pose.
        volume, xray: what they are called in the report.
        side: "L" or "R" where the X-ray's header names a side of the patient, which is compared with the
            side that the beam goes through; else "".
    """
    in_camera = apply(camera.camera_from_patient, body.points)
    depth = in_camera[:, 2]
    before = depth > 0
    if not before.any():
        problem = Finding("problem", "the volume lies behind the source", _CHECK_START)
        return Fit((volume, xray), "beam", {"in_beam": 0.0}, (problem,))
    image = camera.project(body.points[before])
    size = np.array(camera.size)
    hit = ((image >= -0.5) & (image <= size - 0.5)).all(axis=-1)
    facts = {
        "in_beam": round(float(hit.sum() / len(depth)), 3),
        "image_covered": round(_covered(image[hit], size), 3),
        "depth_mm": [round(float(depth.min())), round(float(depth.max()))],
        "field_mm": [round(float(x), 1) for x in size / np.diag(camera.K)[:2] * np.median(depth)],
    }
    findings = []
    if not hit.any():
        u, v = camera.project(body.points.mean(axis=0))
        seen = "behind the source" if np.isnan(u) else f"at column {u:.0f}, row {v:.0f}"
        text = (
            "the beam misses the volume, which does not project into the X-ray: its middle would appear "
            f"{seen} of {size[0]} x {size[1]} pixels"
        )
        findings.append(Finding("problem", text, _CHECK_START))
    else:
        findings += _depth_findings(depth, camera) + _part_findings(**facts)
        findings += _side_findings(body, body.points[before][hit], side)
    return Fit((volume, xray), "beam", facts, tuple(findings))


def _covered(image: np.ndarray, size: np.ndarray) -> float:
    """The part of the image in whose cells points lie."""
    cells = np.clip(((image + 0.5) / size * _CELLS).astype(int), 0, _CELLS - 1)
    return len(np.unique(cells @ [1, _CELLS])) / _CELLS**2


def _depth_findings(depth: np.ndarray, camera: Camera) -> list[Finding]:
    found = []
    if (depth <= 0).any():
        text = f"{(depth <= 0).mean():.0%} of the volume lies at the source or behind it"
        found.append(Finding("assumed", text, _CHECK_START))
    distance = camera.source_to_detector_mm
    if distance is None:
        return found
    beyond = float((depth > distance).mean())
    if beyond == 1:
        text = (
            f"the volume lies behind the detector, {depth.min():.0f} to {depth.max():.0f} mm from the source"
        )
        found.append(Finding("problem", f"{text}; the detector is at {distance:.0f} mm", _CHECK_START))
    elif beyond > _FEW:
        found.append(Finding("assumed", f"{beyond:.0%} of the volume lies behind the detector", _CHECK_START))
    return found


def _part_findings(in_beam: float, image_covered: float, field_mm: list[float], **_) -> list[Finding]:
    if in_beam < _FEW:
        return [Finding("assumed", f"only {in_beam:.1%} of the volume is in the beam", _CHECK_START)]
    if image_covered < _LITTLE:
        text = f"the volume covers {image_covered:.1%} of an image that is {max(field_mm):.0f} mm wide there"
        return [Finding("assumed", text, "check the units of spacings and distances: all are in mm")]
    return []


def _side_findings(body: Body, hit: np.ndarray, side: str) -> list[Finding]:
    """A side that the header names, against where the beam goes through the volume's left and right half."""
    if side not in ("L", "R"):
        return []
    left = float((hit[:, 0] > body.grid.centre_patient[0]).mean())
    told, other = ("left", "right") if side == "L" else ("right", "left")
    if (left if side == "L" else 1 - left) > 0.2:
        return []
    text = f"the X-ray's header says {told}, the beam goes through the {other} half of the volume"
    return [Finding("note", text, "see whether the side is right")]
