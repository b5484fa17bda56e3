"""Camera files of every format that can be read."""

from dataclasses import asdict

import numpy as np

from ..geometry import Camera, CameraFile, carm_angles_deg, carm_in_words, read_camera_file
from ..images import read_geometry_file
from .findings import Finding, Item, from_note
from .plausible import camera_facts, camera_findings, distance_findings
from .seen import SeenCamera, SeenGeometry
from .sniffing import camera_format
from .walking import Place

_LENGTHS = ("source_to_detector_mm", "source_to_isocenter_mm", "pixel_spacing_mm")


def read_camera(place: Place) -> SeenCamera:
    """A camera file.

    Raises:
        InputError: if it is none.
    """
    path = place.path
    file = read_camera_file(path)
    pose = next((p for p in (file.camera_from_patient, file.camera_from_rig) if p is not None), None)
    camera = Camera(file.size, file.K, np.eye(4) if pose is None else pose, file.source_to_detector_mm)
    facts = {"told_by": f"content: {camera_format(path)}", "size_px": list(file.size)}
    facts |= camera_facts(camera) | {"pose": _pose(file)}
    if file.camera_from_patient is not None:
        facts["carm_angles"] = carm_in_words(*carm_angles_deg(camera)[:2])
        facts["source_at_mm"] = [round(float(x), 1) for x in camera.source_patient]
    if file.intensity is not None:
        facts["intensity"] = file.intensity
    if file.mask is not None:
        facts["mask"] = str(file.mask)
    notes = [from_note(note) for note in file.notes]
    item = Item(str(path), "camera file", facts, (*camera_findings(camera), *_missing(file), *notes))
    return SeenCamera(place, item, file)


def read_geometry(place: Place) -> SeenGeometry:
    """A geometry.json, which completes what an X-ray's header says.

    Raises:
        InputError: if it is malformed.
    """
    given = read_geometry_file(place.path)
    values = {name: value for name, value in asdict(given.geometry).items() if value is not None}
    facts = {"told_by": "content: geometry.json", **values}
    if given.overrides:
        facts["goes_before_the_header"] = list(given.overrides)
    found = distance_findings(*(values.get(name) for name in _LENGTHS))
    return SeenGeometry(place, Item(str(place.path), "geometry of a C-arm", facts, tuple(found)))


def _pose(file: CameraFile) -> str:
    if file.camera_from_patient is not None:
        return "in the patient" + (", and in a rig" if file.camera_from_rig is not None else "")
    return "in a rig, not in the patient" if file.camera_from_rig is not None else "none"


def _missing(file: CameraFile) -> list[Finding]:
    found = []
    if file.camera_from_patient is None:
        text = "no start pose: camera_from_patient is not given"
        if file.camera_from_rig is not None:
            text = "no start pose in the patient: the rig's frame would be taken as the patient's"
        found.append(
            Finding("missing", text, "add camera_from_patient, or give landmarks (--init landmarks)")
        )
    if file.mask is not None and not file.mask.is_file():
        found.append(Finding("problem", f"no such mask: {file.mask}", "correct 'mask' in the camera file"))
    return found
