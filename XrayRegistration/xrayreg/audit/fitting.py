"""Which of the things that were seen fit together.

What was named by the user, or lies beside the only volume of a folder, is meant to go together: what does not
fit is a problem. In a folder of several volumes it only is said that something fits none of them.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ..geometry import Camera, translation
from .beam import beam_fit
from .bodies import Body
from .findings import Finding, Fit
from .order import order_fit
from .overlap import overlap_fit
from .plans import landmarks_fit, on_detector_fit, plan_fit
from .rigs import directions_fit, rig_finding
from .seen import Seen, SeenCamera, SeenLabels, SeenLandmarks, SeenPlan, SeenVolume
from .sides import side_fit
from .walking import nearest, shared
from .xrays import Shot

_MOST_PAIRS = 12
_ISOCENTER = Finding(
    "assumed",
    "the isocenter at the middle of the volume, for DICOM does not say where it lies in the patient",
)


def fits_of(seen: Sequence[Seen]) -> list[Fit]:
    """Everything that can be said of two and more things together."""
    volumes = _of(seen, SeenVolume)
    fits: list[Fit] = []
    for labels in _of(seen, SeenLabels):
        named = filter(None, (side_fit(labels.structures), order_fit(labels.structures)))
        fits += [replace(fit, of=(labels.item.path,)) for fit in named]
        fits += _among(labels, volumes, lambda volume, labels=labels: _overlap(volume, labels))
    for shot in _of(seen, Shot):
        fits += _patients(shot, nearest(shot.place, volumes))
        if shot.start in ("patient", "isocenter"):
            fits += _among(shot, volumes, lambda volume, shot=shot: _beam(volume, shot))
    for plan in _of(seen, SeenPlan):
        fits += _among(plan, volumes, lambda volume, plan=plan: _plan(volume, plan))
        near = nearest(plan.place, [shot for shot in _of(seen, Shot) if shot.start == "patient"])
        fits += [
            on_detector_fit(s.camera, plan.markups, s.item.path, plan.item.path) for s in near[:_MOST_PAIRS]
        ]
    for table in _of(seen, SeenLandmarks):
        near = nearest(table.place, _of(seen, Shot))
        fits.append(landmarks_fit(table.views, {shot.name: shot.size for shot in near}, table.item.path))
    return fits + _rigs(_of(seen, SeenCamera)) + _views(_of(seen, Shot))


def _of(seen: Iterable[Seen], kind: type) -> list:
    return [each for each in seen if isinstance(each, kind)]


def _among(one: Seen, volumes: list[SeenVolume], fit: Callable[[SeenVolume], Fit]) -> list[Fit]:
    """How it fits the volumes beside it; that it does not is a problem only where it should, else a note."""
    near = nearest(one.place, volumes)
    fits = [fit(volume) for volume in near[:_MOST_PAIRS]]
    fitting = [each for each in fits if not _problems(each)]
    if _is_strict(one, near) and not fitting:
        return fits
    others = [each for each in fits if _problems(each)]
    return fitting + [replace(each, findings=tuple(_softer(f) for f in each.findings)) for each in others]


def _problems(fit: Fit) -> list[Finding]:
    return [finding for finding in fit.findings if finding.level == "problem"]


def _softer(finding: Finding) -> Finding:
    return finding if finding.level != "problem" else replace(finding, level="note", remedy="")


def _is_strict(one: Seen, others: list) -> bool:
    """Whether they are meant to go together."""
    return len(others) == 1 or (one.place.is_named and any(other.place.is_named for other in others))


def _overlap(volume: SeenVolume, labels: SeenLabels) -> Fit:
    return overlap_fit(volume.body, labels.structures, volume.item.path, labels.item.path)


def _plan(volume: SeenVolume, plan: SeenPlan) -> Fit:
    return plan_fit(volume.body, plan.markups, volume.item.path, plan.item.path)


def _beam(volume: SeenVolume, shot: Shot) -> Fit:
    camera, side = shot.camera, shot.laterality
    if shot.start == "isocenter":
        camera, side = about_the_middle(camera, volume.body), ""
    fit = beam_fit(volume.body, camera, volume.item.path, shot.item.path, side)
    return replace(fit, findings=(*fit.findings, _ISOCENTER)) if shot.start == "isocenter" else fit


def about_the_middle(camera: Camera, body: Body) -> Camera:
    """A C-arm about the origin, moved to the middle of the volume."""
    return camera.moved(camera.camera_from_patient @ translation(-body.grid.centre_patient))


def _patients(shot: Shot, volumes: list[SeenVolume]) -> list[Fit]:
    """Whether header numbers of the patient are the same; they are compared, never shown."""
    known = [each for each in volumes if each.identity.patient]
    if not shot.identity.patient or not known:
        return []
    same = [each for each in known if each.identity.patient == shot.identity.patient]
    if not same:
        strict = _is_strict(shot, volumes)
        remedy = "see whether both are of one patient" if strict else ""
        text = "two different patients by Patient ID (0010,0020)"
        finding = Finding("problem" if strict else "note", text, remedy)
        return [Fit((known[0].item.path, shot.item.path), "patient", {}, (finding,))]
    volume = same[0]
    facts = {"patient": "one and the same by Patient ID (0010,0020)"}
    facts["study"] = "the same" if shot.identity.study == volume.identity.study else "different ones"
    findings = []
    if shot.identity.frame and shot.identity.frame == volume.identity.frame:
        facts["frame_of_reference"] = "the same"
        text = "by Frame of Reference UID (0020,0052) in one frame; the registration does not rely on that"
        findings.append(Finding("note", text))
    else:
        facts["frame_of_reference"] = (
            "different or not told: the registration finds how they lie to each other"
        )
    return [Fit((volume.item.path, shot.item.path), "patient", facts, tuple(findings))]


def _rigs(cameras: list[SeenCamera]) -> list[Fit]:
    """Camera files of one folder that name a rig start from one place of the patient in it."""
    fits = []
    in_rig = [each for each in cameras if each.file.camera_from_rig is not None]
    for _, group in itertools.groupby(in_rig, key=lambda each: each.place.path.parent):
        first, *others = group
        for other in others:
            finding = rig_finding(first.file, first.item.path, other.file)
            if finding is not None:
                fits.append(Fit((other.item.path,), "rig", {}, (finding,)))
    return fits


def _views(shots: list[Shot]) -> list[Fit]:
    """The angles between the beams of X-rays whose poses are in one frame, and their patients."""
    fits, compared = [], set()
    for one, other in itertools.combinations(shots, 2):
        together = shared(one.place, other.place) == max(len(one.place.folders), len(other.place.folders))
        if not together:
            continue
        if one.place.is_named and _differ(one.identity.patient, other.identity.patient):
            text = "two different patients by Patient ID (0010,0020)"
            finding = Finding("problem", text, "see whether both are of one patient")
            fits.append(Fit((one.item.path, other.item.path), "patient", {}, (finding,)))
        same_rig = one.start != "rig" or one.rig == other.rig
        pair = frozenset(shot.item.facts.get("camera_file", shot.item.path) for shot in (one, other))
        comparable = one.start and one.start == other.start and same_rig and len(pair) == 2
        if comparable and pair not in compared and len(compared) < _MOST_PAIRS:
            compared.add(pair)
            fits.append(directions_fit(one.camera, other.camera, (one.item.path, other.item.path)))
    return fits


def _differ(one: str, other: str) -> bool:
    return bool(one and other and one != other)
