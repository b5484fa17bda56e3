"""The DICOM files of one folder: series of slices, X-rays, and what is neither."""

from pathlib import Path

import pydicom

from ..errors import InputError
from ..images import read_volume
from .bodies import body_of
from .findings import Finding, Item, from_error
from .headers import identity_of, origin_facts
from .seen import Seen, SeenVolume
from .volumes import volume_item
from .walking import Place
from .xrays import dicom_shot

XRAY_MODALITIES = ("XA", "RF", "DX", "CR")
_VOLUME_MODALITIES = ("CT", "MR", "PT")
_EXPORT_AGAIN = "export it again"


def read_dicom(places: list[Place]) -> list[Seen]:
    """What the DICOM files of one folder are; a file that was named comes alone."""
    headers, seen = [], []
    for place in places:
        try:
            headers.append((place, _header(place.path)))
        except InputError as error:
            seen.append(Seen(place, Item(str(place.path), "unreadable DICOM file", {}, (from_error(error),))))
    slices = [(place, each) for place, each in headers if each.get("Modality") in _VOLUME_MODALITIES]
    if slices:
        seen.append(_series(slices))
    for place, dataset in headers:
        modality = dataset.get("Modality")
        if modality in XRAY_MODALITIES and "Rows" in dataset:
            seen.append(dicom_shot(place, dataset))
        elif modality not in _VOLUME_MODALITIES:
            seen.append(_other(place, dataset))
    return seen


def _header(path: Path) -> pydicom.Dataset:
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    except Exception as error:  # a damaged file can make the parser raise anything
        raise InputError(f"cannot be read as DICOM ({error})", remedy=_EXPORT_AGAIN) from None
    if "SOPClassUID" not in dataset:
        raise InputError("no DICOM object: SOPClassUID (0008,0016) is missing", remedy=_EXPORT_AGAIN)
    return dataset


def _series(slices: list[tuple[Place, pydicom.Dataset]]) -> Seen:
    """The volume of a folder's slices; one file that was named is read as one that holds them all."""
    place, dataset = slices[0]
    if not place.is_named:
        place = Place(place.path.parent, place.folders[:-1])
    facts = {
        "told_by": "content: DICOM headers",
        **origin_facts(dataset),
        "files": len(slices),
        "series": len({str(each.get("SeriesInstanceUID")) for _, each in slices}),
    }
    try:
        volume = read_volume(place.path)
    except InputError as error:
        modality = dataset.Modality
        return Seen(place, Item(str(place.path), f"{modality} series", facts, (from_error(error),)))
    body = body_of(volume)
    return SeenVolume(place, volume_item(place.path, volume, body, facts), body, identity_of(dataset))


def _other(place: Place, dataset: pydicom.Dataset) -> Seen:
    """An object that is no image of ours; named, it is a mistake."""
    kind = dataset.SOPClassUID.name
    level = "problem" if place.is_named else "note"
    remedy = "give a CT or MR series, or an XA, RF, DX or CR image" if place.is_named else ""
    finding = Finding(level, f"modality {dataset.get('Modality') or 'unknown'}: not read", remedy)
    return Seen(place, Item(str(place.path), f"other DICOM object ({kind})", {}, (finding,)))
