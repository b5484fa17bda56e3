"""Are a volume and its segmentation in one frame?"""

import itertools
import re

import numpy as np

from ..errors import InputError
from ..images import check_fit
from .bodies import Body, Structures, inside, labelled_points, values_at
from .findings import Finding, Fit, from_error

_BONE = re.compile(
    r"vertebra|rib(?!on)|femur|tibia|fibula|patella|hip|pelvis|sacrum|skull|mandible|scapula|clavicle|clavicula|humerus"
    r"|radius|ulna|sternum|talus|calcaneus|metacarp|metatars|bone|ilium|ischium|pubis|coccyx",
    re.IGNORECASE,
)
_NO_BONE = re.compile(r"cartilage|muscle|gland|marrow|nerve|artery|vein|disc", re.IGNORECASE)
_BONE_HU = 100.0
_LEAST_ON_BONE = 0.2  # of a bone's voxels; marrow is darker than its shell
_MUCH_BETTER = 2.0
_LEAST_INSIDE = 0.5
_SHIFTS_MM = (-40.0, -20.0, -10.0, 0.0, 10.0, 20.0, 40.0)
_BELONGS = "check that both come from the same CT and are in the patient's frame"


def overlap_fit(body: Body, structures: Structures, volume: str, segmentation: str) -> Fit:
    """Where the labels lie in the volume.

    Facts: ``labels_inside``, the part of the labelled voxels in the volume's box; ``centres_apart_mm``;
    ``bone_labels_on_bone``, the part of the voxels of labels named as bones above 100 HU.
    """
    points = labelled_points(structures)
    within = inside(points, body.grid)
    apart = float(np.linalg.norm(points.mean(axis=0) - body.grid.centre_patient))
    facts = {"labels_inside": round(float(within.mean()), 3), "centres_apart_mm": round(apart, 1)}
    findings = []
    if not within.any():
        text = f"no label lies in the volume: their middles are {apart:.0f} mm apart"
        remedy = _BELONGS
        if inside(points * [-1, -1, 1], body.grid).mean() > _LEAST_INSIDE:
            remedy = "they would with x and y negated: one of the two was saved as RAS in place of LPS"
        findings.append(Finding("problem", text, remedy))
    elif within.mean() < _LEAST_INSIDE:
        findings.append(
            Finding("assumed", f"only {within.mean():.0%} of the labelled voxels lie in the volume", _BELONGS)
        )
    on_bone, finding = _on_bone(body, structures) if within.any() else (None, None)
    if on_bone is not None:
        facts["bone_labels_on_bone"] = round(on_bone, 3)
    findings += [finding] if finding else []
    if not findings:
        findings = _steps_at_surfaces(body, structures)
    return Fit((volume, segmentation), "one frame", facts, tuple(findings))


def _steps_at_surfaces(body: Body, structures: Structures) -> list[Finding]:
    """Whether the volume's values change where the labels end, whatever they are labels of."""
    try:
        return [Finding("assumed", note, _BELONGS) for note in check_fit(structures.coarse, body.coarse)]
    except InputError as error:
        return [from_error(error)]


def _on_bone(body: Body, structures: Structures) -> tuple[float | None, Finding | None]:
    """The part of the bones' labels that lies on bone; None where none is to be seen."""
    bones = [
        label
        for label in structures.centres
        if _BONE.search(name := structures.names.get(label, "")) and not _NO_BONE.search(name)
    ]
    if not bones or body.coarse.hu.max() < _BONE_HU:
        return None, None
    points = labelled_points(structures, bones)
    if not inside(points, body.grid).any():
        return None, None
    here = _share(points, body)
    if here >= _LEAST_ON_BONE:
        return here, None
    text = f"only {here:.0%} of the labels named as bones lie on bone (above {_BONE_HU:g} HU)"
    shifts = np.array(list(itertools.product(_SHIFTS_MM, repeat=3)))
    shares = [_share(points + shift, body) for shift in shifts]
    best = int(np.argmax(shares))
    turned = _share(points * [-1, -1, 1], body)
    remedy = _BELONGS
    if turned > max(_MUCH_BETTER * here, _LEAST_ON_BONE) and turned >= shares[best]:
        remedy = f"with x and y negated it is {turned:.0%}: one of the two was saved as RAS in place of LPS"
    elif shares[best] > max(_MUCH_BETTER * here, _LEAST_ON_BONE):
        x, y, z = shifts[best]
        remedy = f"shifted by ({x:g}, {y:g}, {z:g}) mm it is {shares[best]:.0%}: {_BELONGS}"
    return here, Finding("problem", text, remedy)


def _share(points: np.ndarray, body: Body) -> float:
    values = values_at(points[:: max(1, len(points) // 4000)], body.coarse)
    known = np.isfinite(values)
    return float((values[known] > _BONE_HU).mean()) if known.mean() > 0.2 else 0.0
