"""NIfTI, NRRD, MetaImage, PNG and TIFF files: volumes, label maps or X-rays, told by their content."""

from dataclasses import replace
from pathlib import Path

import SimpleITK
from PIL import Image, UnidentifiedImageError

from ..errors import InputError
from ..images import read_label_map, read_volume
from .bodies import body_of, structures_of
from .findings import Finding, Item, from_error
from .seen import Seen, SeenLabels, SeenVolume
from .volumes import labels_item, looks_like_labels, volume_item
from .walking import Place
from .xrays import picture_shot

_GIVE_VOXEL_SIZE = "give it in mm: --voxel-mm x,y,z"
_GREY = ("L", "I", "F")
_UNSIGNED_16 = ("I;16", "I;16B", "I;16L")
_NAMED_AS_LABELS = ("seg", "label", "mask")


def read_grid(place: Place, names: Path | None) -> Seen:
    """A volume, a label map, or an X-ray of one slice.

    Raises:
        InputError: if it cannot be read as what it is.
    """
    path = place.path
    size, components = _header(path)
    if components == 1 and len([n for n in size if n > 1]) <= 2 and min(size[:2]) > 1:
        facts = {"told_by": "content: one grey image", "size_px": list(size[:2])}
        return picture_shot(place, (int(size[0]), int(size[1])), facts)
    if path.name.lower().endswith(".seg.nrrd"):
        return _labels(place, None, names, {"told_by": "its ending .seg.nrrd"})
    volume = read_volume(path)
    if looks_like_labels(volume):
        del volume
        return _labels(place, None, names, {"told_by": _LABELS_TOLD})
    return _volume(place, volume, {"told_by": _told_volume(path)})


def read_picture_file(place: Place, voxel_mm: tuple | None, names: Path | None) -> Seen | None:
    """A TIFF stack, or an X-ray; None for a coloured picture that a walk came across.

    Raises:
        InputError: if it cannot be read as what it is.
    """
    path = place.path
    try:
        with Image.open(path) as image:
            pages, mode, size = getattr(image, "n_frames", 1), image.mode, image.size
            has_printer_size = pages > 1 and "dpi" in image.info
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"cannot be read as a picture ({error})", remedy="export it again") from None
    if pages == 1:
        if not place.is_named and mode not in (*_GREY, *_UNSIGNED_16):
            return None
        facts = {
            "told_by": "content: one grey picture",
            "size_px": list(size),
            "values": _BITS.get(mode, mode),
        }
        return picture_shot(place, size, facts)
    volume = read_volume(path, voxel_mm or (1.0, 1.0, 1.0))
    if looks_like_labels(volume):
        return _labels(place, voxel_mm or (1.0, 1.0, 1.0), names, {"told_by": _LABELS_TOLD})
    if voxel_mm is None:
        volume = replace(volume, notes=())  # they count in mm
    seen = _volume(place, volume, {"told_by": f"content: {pages} grey pages"})
    findings = list(seen.item.findings)
    facts = {k: v for k, v in seen.item.facts.items() if k != "orientation"}
    facts["frame"] = "its own"
    if mode in _UNSIGNED_16:
        facts["intensity"] = "Hounsfield units + 1024 as stored"
        findings.append(Finding("assumed", "its unsigned values are taken as HU + 1024"))
    findings.append(
        Finding(
            "assumed",
            "columns, rows and pages are taken along x, y and z, their middle as the origin: a TIFF stack "
            "does not say how it lies in the patient",
        )
    )
    if has_printer_size:
        findings.append(Finding("note", "its resolution tags are those of a printer, and are not used"))
    if voxel_mm is not None:
        return SeenVolume(place, Item(str(path), seen.item.kind, facts, tuple(findings)), seen.body)
    facts = {k: v for k, v in facts.items() if k not in ("spacing_mm", "extent_mm", "centre_mm")}
    findings.insert(0, Finding("missing", "a TIFF stack does not know its voxel size", _GIVE_VOXEL_SIZE))
    return Seen(place, Item(str(path), seen.item.kind, facts, tuple(findings)))


_LABELS_TOLD = "content: whole numbers from 0, and most neighbours alike"
_BITS = {"L": "8 bit", "I": "32 bit", "F": "floating point", **dict.fromkeys(_UNSIGNED_16, "16 bit")}


def _volume(place: Place, volume, facts: dict) -> SeenVolume:
    body = body_of(volume)
    return SeenVolume(place, volume_item(place.path, volume, body, facts), body)


def _labels(place: Place, voxel_mm: tuple | None, names: Path | None, facts: dict) -> SeenLabels:
    notes = []
    try:
        label_map = read_label_map(place.path, names, voxel_mm)
    except InputError as error:
        if names is None:
            raise
        label_map = read_label_map(
            place.path, None, voxel_mm
        )  # if that fails too, the names are not to blame
        notes = [from_error(error)]
    else:
        if names is not None:
            facts["names_from"] = str(names)
    structures = structures_of(label_map, place.path.name)
    item = labels_item(place.path, label_map, structures, facts)
    return SeenLabels(place, item.with_findings(*notes), structures)


def _header(path: Path) -> tuple[tuple[int, ...], int]:
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return (0, 0, 0), 1  # the reader of volumes says what is wrong
    return reader.GetSize(), reader.GetNumberOfComponents()


def _told_volume(path: Path) -> str:
    told = "content: a scalar 3-D image whose values vary from voxel to voxel"
    if any(word in path.name.lower() for word in _NAMED_AS_LABELS):
        told += ", though its name is that of a segmentation"
    return told
