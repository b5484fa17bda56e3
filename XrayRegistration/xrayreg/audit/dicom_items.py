"""The DICOM files of one folder: series of slices, X-rays, and what is neither."""

from dataclasses import replace
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
    return [*_volumes(slices), *seen]


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


def _volumes(slices: list[tuple[Place, pydicom.Dataset]]) -> list[Seen]:
    """The volume of each series; one file that was named is read as one that holds all slices.

    Beside a series that can be read, others such as localizers are only told.
    """
    series: dict[str, list[tuple[Place, pydicom.Dataset]]] = {}
    for place, dataset in slices:
        series.setdefault(str(dataset.get("SeriesInstanceUID") or ""), []).append((place, dataset))
    several = len(series) > 1
    seen = [_series(files, uid if several else None) for uid, files in series.items()]
    if any(isinstance(each, SeenVolume) for each in seen):
        seen = [each if isinstance(each, SeenVolume) else _told(each) for each in seen]
    return seen


def _series(files: list[tuple[Place, pydicom.Dataset]], uid: str | None) -> Seen:
    """A series; ``uid`` is None where it is alone in its folder."""
    place, dataset = files[0]
    if not place.is_named:
        place = Place(place.path.parent, place.folders[:-1])
    try:
        number = str(dataset.get("SeriesNumber") or "?")
        facts = {"told_by": "content: DICOM headers", **origin_facts(dataset), "files": len(files)}
        kind = "mr" if dataset.Modality == "MR" else "ct"
        volume = read_volume(place.path, series=uid, kind=kind)
        body = body_of(volume)
        item = volume_item(place.path, volume, body, facts)
        if uid is not None:
            item = replace(item, facts={**facts, "series": number, **item.facts})
            item = item.with_findings(Finding("missing", "one of several series", "choose it (--series)"))
        return SeenVolume(place, item, body, identity_of(dataset))
    except InputError as error:
        finding = from_error(error)
    except Exception as error:  # as above
        finding = from_damage(error)
    return Seen(place, Item(str(place.path), "unreadable DICOM series", {"files": len(files)}, (finding,)))


def _told(series: Seen) -> Seen:
    """An unreadable series beside a readable one."""
    notes = [Finding("note", f"left out: {each.text}") for each in series.item.findings]
    return replace(series, item=replace(series.item, kind="other DICOM series", findings=tuple(notes)))


def _other(place: Place, dataset: pydicom.Dataset) -> Seen:
    """An object that is no image of ours; named, it is a mistake."""
    kind = dataset.SOPClassUID.name
    level = "problem" if place.is_named else "note"
    remedy = "give a CT or MR series, or an XA, RF, DX or CR image" if place.is_named else ""
    finding = Finding(level, f"modality {dataset.get('Modality') or 'unknown'}: not read", remedy)
    return Seen(place, Item(str(place.path), f"other DICOM object ({kind})", {}, (finding,)))
