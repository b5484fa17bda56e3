"""The audit of files, and the same checks on inputs that are about to be registered."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import pydicom

from ..errors import InputError
from ..geometry import CameraFile
from ..images import LabelMap, Markup, Volume, Xray
from .beam import beam_fit
from .bodies import body_of, structures_of
from .findings import Audit, Finding, Fit
from .fitting import fits_of
from .headers import UNKNOWN, Identity, identity_of
from .order import order_fit
from .overlap import overlap_fit
from .pairing import with_cameras
from .plans import on_detector_fit, plan_fit
from .plausible import camera_findings
from .reading import Given, read_everything
from .rigs import directions_fit, rig_finding
from .sides import side_fit
from .sniffing import sniff
from .volumes import volume_findings


def audit(
    paths: Sequence[Path],
    voxel_mm: tuple[float, float, float] | None = None,
    names: Path | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Audit:
    """What files and folders are, and which of them fit together.

    Args:
        paths: any mix; folders are walked.
        voxel_mm: (x, y, z) voxel size of TIFF stacks, mm.
        names: CSV with the columns structure,id: names of labels.
        report: called with each step, in words.

    Raises:
        InputError: for a path that is not there. All else that is wrong is a finding.
    """
    seen, left_out = read_everything(list(paths), Given(voxel_mm, names), report)
    seen, fits = with_cameras(seen)
    fits += fits_of(seen)
    return Audit(tuple(each.item for each in seen), tuple(fits), tuple(left_out))


def check_inputs(
    volume: Volume,
    xrays: Sequence[Xray],
    segmentation: LabelMap | None = None,
    markups: Sequence[Markup] = (),
    *,
    air_hu: float = -1000.0,
) -> tuple[Fit, ...]:
    """The audit of what was read for a registration, X-rays at their start poses; a fraction of a second.

    Args:
        air_hu: the HU that counts as nothing.
    """
    body = body_of(volume, air_hu)
    fits = [Fit((volume.name,), "volume", {}, tuple(volume_findings(volume, body)))]
    for xray in xrays:
        fits.append(Fit((xray.name,), "camera", {}, tuple(camera_findings(xray.camera))))
        fits.append(beam_fit(body, xray.camera, volume.name, xray.name))
    if segmentation is not None:
        structures = structures_of(segmentation, "segmentation")
        fits.append(overlap_fit(body, structures, volume.name, "segmentation"))
        fits += filter(None, (side_fit(structures), order_fit(structures)))
    if markups:
        fits.append(plan_fit(body, tuple(markups), volume.name, "plan"))
        fits += [on_detector_fit(xray.camera, tuple(markups), xray.name, "plan") for xray in xrays]
    for one, other in itertools.combinations(xrays, 2):
        if one.rig and one.rig == other.rig:
            fits.append(directions_fit(one.camera, other.camera, (one.name, other.name)))
    return tuple(fits)


def check_patients(volume: Path, xrays: Sequence[Path]) -> tuple[Fit, ...]:
    """Whether DICOM headers tell of different patients; their numbers are compared, never shown."""
    known = [(path, _identity(path)) for path in (volume, *xrays)]
    known = [(path, identity.patient) for path, identity in known if identity.patient]
    text, remedy = "two different patients by Patient ID (0010,0020)", "see whether both are of one patient"
    return tuple(
        Fit((known[0][0].name, path.name), "patient", {}, (Finding("problem", text, remedy),))
        for path, patient in known[1:]
        if patient != known[0][1]
    )


def check_rig(first: CameraFile, first_name: object, other: CameraFile, other_name: object) -> None:
    """Raise InputError if two camera files of one rig place the patient differently in it."""
    finding = rig_finding(first, first_name, other)
    if finding is not None:
        raise InputError(finding.text, where=other_name, remedy=finding.remedy)


def _identity(path: Path) -> Identity:
    """Of a file, or of the first DICOM file of a folder."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    first = next((each for each in files if sniff(each) == "dicom"), None)
    if first is None:
        return UNKNOWN
    return identity_of(pydicom.dcmread(first, stop_before_pixels=True, force=True))
