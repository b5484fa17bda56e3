"""The DICOM files of one folder: series of slices, X-rays, and what is neither."""

from pathlib import Path

import pydicom

from ..errors import InputError
from ..images import read_volume
from .bodies import body_of
from .findings import Finding, Item, from_damage, from_error
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
    slices, seen = [], []
    for place in places:
        try:
            dataset = _header(place.path)
            modality = str(dataset.get("Modality") or "")
            if modality in _VOLUME_MODALITIES:
                slices.append((place, dataset))
            elif modality in XRAY_MODALITIES and "Rows" in dataset:
                seen.append(dicom_shot(place, dataset))
            else:
                seen.append(_other(place, dataset))
        except InputError as error:
            seen.append(_unreadable(place, from_error(error)))
        except Exception as error:  # no damaged file may keep the others from being told
            seen.append(_unreadable(place, from_damage(error)))
    return [*([_series(slices)] if slices else []), *seen]


def _unreadable(place: Place, finding: Finding) -> Seen:
    return Seen(place, Item(str(place.path), "unreadable DICOM file", {}, (finding,)))


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
    try:
        facts = {
            "told_by": "content: DICOM headers",
            **origin_facts(dataset),
            "files": len(slices),
            "series": len({str(each.get("SeriesInstanceUID")) for _, each in slices}),
        }
        volume = read_volume(place.path)
        body = body_of(volume)
        item = volume_item(place.path, volume, body, facts)
        return SeenVolume(place, item, body, identity_of(dataset))
    except InputError as error:
        finding = from_error(error)
    except Exception as error:  # as above
        finding = from_damage(error)
    return Seen(place, Item(str(place.path), "unreadable DICOM series", {}, (finding,)))


def _other(place: Place, dataset: pydicom.Dataset) -> Seen:
    """An object that is no image of ours; named, it is a mistake."""
    kind = dataset.SOPClassUID.name
    level = "problem" if place.is_named else "note"
    remedy = "give a CT or MR series, or an XA, RF, DX or CR image" if place.is_named else ""
    finding = Finding(level, f"modality {dataset.get('Modality') or 'unknown'}: not read", remedy)
    return Seen(place, Item(str(place.path), f"other DICOM object ({kind})", {}, (finding,)))
