"""What is said of an X-ray by itself."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pydicom

from ..errors import InputError
from ..geometry import Camera, CameraFile, carm_in_words
from ..images import XrayGeometry, completed_geometry, frame_count, geometry_found, read_xray, view_name
from .findings import Finding, Item, from_error, from_note
from .headers import (
    UNKNOWN,
    Identity,
    frame_rate,
    identity_of,
    laterality,
    orientation_in_words,
    origin_facts,
    processing_findings,
)
from .plausible import camera_facts, distance_findings
from .walking import Place

_GIVE_GEOMETRY = (
    "give it in a geometry.json (--geometry) or a camera file (--camera), or type it into the Slicer module"
)
_GIVE_CAMERA = "add a camera file (--camera camera.json) or --geometry geometry.json"


@dataclass(frozen=True)
class Shot:
    """An X-ray that was read.

    Attributes:
        size: (columns, rows).
        camera: None where the geometry is incomplete.
        start: what its pose is worth: "patient"; "isocenter", a C-arm's about the origin, for DICOM does not
            say where the isocenter lies in the patient; "rig", a place in a rig; or "".
        laterality: "L", "R" or another code of DICOM's, "" without one.
        is_picture: no DICOM file.
    """

    place: Place
    item: Item
    name: str
    size: tuple[int, int]
    camera: Camera | None = None
    start: str = ""
    rig: str = ""
    identity: Identity = field(default=UNKNOWN)
    laterality: str = ""
    is_picture: bool = False


def dicom_shot(place: Place, dataset: pydicom.Dataset) -> Shot:
    """An X-ray from a DICOM file."""
    path = place.path
    size = (int(dataset.get("Columns") or 0), int(dataset.get("Rows") or 0))
    shot = Shot(
        place,
        Item(str(path), _kind_of(dataset)),
        view_name(path),
        size,
        identity=identity_of(dataset),
        laterality=laterality(dataset),
    )
    facts = {"told_by": "content: a DICOM header", **origin_facts(dataset), "size_px": list(size)}
    try:
        frames = frame_count(path)
        geometry = geometry_found(path)
    except InputError as error:
        return replace(shot, item=replace(shot.item, facts=facts, findings=(from_error(error),)))
    if frames > 1:
        facts["frames"] = frames
        facts["frames_per_second"] = frame_rate(dataset)
    facts |= _pixel_facts(dataset) | _geometry_facts(geometry, dataset, size)
    findings = distance_findings(
        geometry.source_to_detector_mm, geometry.source_to_isocenter_mm, geometry.pixel_spacing_mm
    )
    if frames > 1:
        findings.append(
            Finding("missing", f"{frames} frames, and nothing says which to take", "choose one (--frame)")
        )
    camera, rig = None, ""
    if geometry.missing:
        text = f"its geometry is incomplete: {', '.join(geometry.missing)}"
        findings.append(Finding("missing", text, _GIVE_GEOMETRY))
    first = 1 if frames > 1 else None
    try:
        if geometry.missing:
            read_xray(path, _any_camera(size, dataset), frame=first)
        else:
            xray = read_xray(path, frame=first)
            camera, rig = xray.camera, xray.rig
            facts |= _beside_the_tags(camera, facts) | _open_part(xray.mask)
            findings += [from_note(note) for note in xray.notes]
    except InputError as error:
        findings.insert(0, from_error(error))
    findings += processing_findings(dataset)
    item = replace(
        shot.item, facts={k: v for k, v in facts.items() if v is not None}, findings=tuple(findings)
    )
    return replace(shot, item=item, camera=camera, rig=rig, start="isocenter" if camera else "")


def picture_shot(place: Place, size: tuple[int, int], facts: dict) -> Shot:
    """An X-ray from a picture, which has no geometry of its own; see `with_camera_file`."""
    kind = "X-ray (picture)"
    return Shot(place, Item(str(place.path), kind, facts), view_name(place.path), size, is_picture=True)


def without_camera(shot: Shot) -> Shot:
    """A picture for which no camera file was found."""
    missing = Finding("missing", "this format holds no geometry", _GIVE_CAMERA)
    return replace(shot, item=shot.item.with_findings(missing))


def with_camera_file(shot: Shot, camera_path: str, file: CameraFile) -> Shot:
    """The X-ray read with its camera file."""
    facts = {**shot.item.facts, "camera_file": camera_path}
    findings: list[Finding] = []
    start, says = file, file.intensity
    if file.camera_from_patient is None and file.camera_from_rig is None:
        start = replace(file, camera_from_patient=np.eye(4))
    frame = 1 if facts.get("frames", 1) > 1 else None
    try:
        try:
            xray = read_xray(shot.place.path, start, frame=frame)
        except InputError:
            if says is not None or not shot.is_picture:
                raise
            xray = read_xray(shot.place.path, replace(start, intensity="transmission"), frame=frame)
            findings.append(
                Finding(
                    "missing",
                    "nothing says what its values mean",
                    "set 'intensity' in its camera file to transmission (bright = little attenuation) or "
                    "line_integral",
                )
            )
    except InputError as error:
        item = replace(shot.item, facts=facts, findings=(from_error(error), *shot.item.findings))
        return replace(shot, item=item)
    facts |= camera_facts(xray.camera) | _open_part(xray.mask)
    if says is not None:
        facts["intensity"] = f"{says} (camera file)"
    findings += [from_note(note) for note in xray.notes]
    kept = [each for each in shot.item.findings if "geometry is incomplete" not in each.text]
    item = replace(shot.item, facts=facts, findings=(*kept, *findings))
    in_rig = file.camera_from_rig is not None
    worth = "patient" if file.camera_from_patient is not None else "rig" if in_rig else ""
    rig = f"rig {Path(camera_path).parent}" if in_rig else ""
    return replace(shot, item=item, camera=xray.camera if worth else None, start=worth, rig=rig)


def with_geometry_file(shot: Shot, geometry_path: Path) -> Shot:
    """The X-ray read with a geometry.json that completes its header."""
    facts = {**shot.item.facts, "geometry_file": str(geometry_path)}
    kept = tuple(each for each in shot.item.findings if "geometry is incomplete" not in each.text)
    frame = 1 if facts.get("frames", 1) > 1 else None
    try:
        geometry = completed_geometry(shot.place.path, geometry_path)
        xray = read_xray(shot.place.path, geometry=geometry, frame=frame)
    except InputError as error:
        level = "missing" if "incomplete" in error.what else "problem"
        item = replace(shot.item, facts=facts, findings=(*kept, from_error(error, level)))
        return replace(shot, item=item)
    facts |= camera_facts(xray.camera) | _open_part(xray.mask)
    facts["carm_angles"] = carm_in_words(geometry.primary_deg, geometry.secondary_deg)
    item = replace(shot.item, facts=facts, findings=(*kept, *map(from_note, xray.notes)))
    return replace(shot, item=item, camera=xray.camera, rig=xray.rig, start="isocenter")


def _kind_of(dataset: pydicom.Dataset) -> str:
    return f"X-ray ({dataset.get('Modality')}, DICOM)"


def _any_camera(size: tuple[int, int], dataset: pydicom.Dataset) -> CameraFile:
    """A stand-in, so that the pixels of a file without geometry are read for once."""
    says = str(dataset.get("PixelIntensityRelationship") or "").strip().upper() in ("LIN", "LOG")
    K = np.array([[1000.0, 0, 0], [0, 1000.0, 0], [0, 0, 1.0]])
    return CameraFile(size, K, np.eye(4), intensity=None if says else "transmission")


def _pixel_facts(dataset: pydicom.Dataset) -> dict:
    """Bits and what the values mean."""
    name = str(dataset.get("PixelIntensityRelationship") or "").strip().upper()
    sign = dataset.get("PixelIntensityRelationshipSign")
    shown = "" if sign in (None, "") else f", sign {int(sign):+d}"
    meanings = {"LIN": "proportional to the beam", "LOG": "logarithm of the beam"}
    meaning = f"{name}{shown}: {meanings[name]}" if name in meanings else "not told by the file"
    inverted = " (shown inverted)" if dataset.get("PhotometricInterpretation") == "MONOCHROME1" else ""
    return {
        "bits": dataset.get("BitsStored"),
        "photometric": f"{dataset.get('PhotometricInterpretation')}{inverted}",
        "intensity": meaning,
    }


def _geometry_facts(geometry: XrayGeometry, dataset: pydicom.Dataset, size: tuple[int, int]) -> dict:
    facts = {}
    if geometry.primary_deg is not None and geometry.secondary_deg is not None:
        facts["carm_angles"] = carm_in_words(geometry.primary_deg, geometry.secondary_deg)
    facts["source_to_detector_mm"] = geometry.source_to_detector_mm
    facts["source_to_isocenter_mm"] = geometry.source_to_isocenter_mm
    if geometry.pixel_spacing_mm is not None:
        facts["imager_pixel_spacing_mm"] = [round(s, 4) for s in geometry.pixel_spacing_mm]
        spacing = np.array(geometry.pixel_spacing_mm)
        facts["field_on_detector_mm"] = [round(float(x), 1) for x in spacing * size]
        if geometry.source_to_detector_mm and geometry.source_to_isocenter_mm:
            back = geometry.source_to_isocenter_mm / geometry.source_to_detector_mm
            facts["field_at_isocenter_mm"] = [round(float(x), 1) for x in spacing * size * back]
    facts["orientation"] = orientation_in_words(dataset) or "not told by the file"
    return {name: value for name, value in facts.items() if value is not None}


def _beside_the_tags(camera: Camera, facts: dict) -> dict:
    """What of a camera the tags did not say in the same words."""
    told = {"pixel_spacing_mm": facts["imager_pixel_spacing_mm"]}
    return {name: value for name, value in camera_facts(camera).items() if told.get(name) != value}


def _open_part(mask: np.ndarray) -> dict:
    return {} if mask.all() else {"unmasked": f"{mask.mean():.0%} of the pixels"}
