"""What headers of NRRD and MetaImage files say about the place of the voxels; ITK would assume it."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import InputError

_SAVE_FROM_SLICER = "save it again from 3D Slicer"
_MOST_HEADER_BYTES = 1 << 20
_NRRD_SPACES = {
    "left-posterior-superior", "lps", "right-anterior-superior", "ras", "left-anterior-superior", "las",
}  # fmt: skip
_MM = ("mm", "millimeter", "millimeters", "millimetre", "millimetres")
_STRAIGHT, _AWRY = 0.9, 0.1  # of a unit vector: 26 degrees off a direction, 6 past a right angle
_FROM_LETTERS = (
    ("R", "L"),
    ("A", "P"),
    ("I", "S"),
)  # of an axis that runs along +x, -x; +y, -y; +z, -z of LPS
_SYNONYMS = {
    "TransformMatrix": ("TransformMatrix", "Orientation", "Rotation"),
    "Offset": ("Offset", "Position", "Origin"),
    "ElementSpacing": ("ElementSpacing", "ElementSize"),
}


@dataclass(frozen=True)
class Header:
    """The text before the voxels of an NRRD or MetaImage file.

    Attributes:
        fields: NRRD's fields and keys, or MetaImage's.
        length: bytes.
    """

    fields: dict[str, str]
    length: int


def read_header(path: Path) -> Header:
    """The header of an NRRD or MetaImage file; of at most 1 MiB."""
    fields: dict[str, str] = {}
    with _opened(path) as file:
        while file.tell() < _MOST_HEADER_BYTES and (raw := file.readline(_MOST_HEADER_BYTES)):
            line = raw.decode("utf-8", errors="replace").strip()
            if not line:
                break
            separator = next((s for s in (":=", ": ", "=") if s in line and not line.startswith("#")), None)
            key, _, value = line.partition(separator or "=")
            if separator:
                fields[key.strip()] = value.strip()
            if key.strip() == "ElementDataFile":
                break
        return Header(fields, file.tell())


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(
            f"cannot be read ({error.strerror})", where=path, remedy="check its permissions"
        ) from None


def voxel_file(header: Header, path: Path) -> Path | None:
    """The file that holds the voxels: the header's own, or the one that it names; None for several."""
    name = next(
        (header.fields[k] for k in ("ElementDataFile", "data file", "datafile") if k in header.fields),
        "LOCAL",
    )
    if name == "LOCAL":
        return path
    return None if name.startswith("LIST") or "%" in name else path.parent / name


def check_metaimage_size(fields: dict[str, str], path: Path) -> None:
    """Raise InputError unless the header tells of voxels; ITK's reader would print its complaints."""
    size = fields.get("DimSize", "").split()
    whole = all(n.isdigit() for n in size) and fields.get("NDims") == str(len(size))
    kind = fields.get("ElementType", "").startswith("MET_")
    if not size or not whole or not kind or "ElementDataFile" not in fields:
        raise InputError(
            "cannot be read: MetaImage field NDims, DimSize, ElementType or ElementDataFile is wrong",
            where=path,
            remedy=_SAVE_FROM_SLICER,
        )


def check_nrrd_place(fields: dict[str, str], path: Path) -> None:
    """Raise InputError unless the header gives a patient space, directions and origin in mm.

    ITK turns the spaces RAS and LAS to LPS itself.
    """
    space = fields.get("space", "missing")
    if space.lower() not in _NRRD_SPACES:
        raise InputError(
            f"NRRD field 'space' is {space}: the file does not say how it lies in the patient",
            where=path,
            remedy=_SAVE_FROM_SLICER,
        )
    for field in ("space directions", "space origin"):
        if field not in fields:
            raise InputError(
                f"NRRD field '{field}' is missing: the file does not say where it lies in the patient",
                where=path,
                remedy=_SAVE_FROM_SLICER,
            )
    units = {unit.strip().lower() for unit in fields.get("space units", "").split('"') if unit.strip()}
    if units - {*_MM, "???", "none"}:
        raise InputError(
            f"NRRD field 'space units' is {fields['space units']}, not mm",
            where=path,
            remedy=_SAVE_FROM_SLICER,
        )


def check_metaimage_place(fields: dict[str, str], path: Path) -> None:
    """Raise InputError unless the header gives directions, origin and voxel size, in mm, consistently."""
    for names in _SYNONYMS.values():
        if not any(name in fields for name in names):
            raise InputError(
                f"MetaImage field {names[0]} is missing: the file does not say how it lies in the patient",
                where=path,
                remedy=_SAVE_FROM_SLICER,
            )
    unit = fields.get("DistanceUnits", "mm").lower()
    if unit not in (*_MM, "?"):
        raise InputError(
            f"MetaImage field DistanceUnits is {unit}, not mm", where=path, remedy=_SAVE_FROM_SLICER
        )
    letters, matrix = fields.get("AnatomicalOrientation", "").upper(), _matrix(fields)
    if matrix is None or len(letters) != 3 or set(letters) - set("RLAPIS"):
        return
    # By the format's own text the letters tell where axes run to, by ITK where they come from.
    code = "".join(_from_letter(axis) for axis in matrix)
    if not (_name(letters, matrix) or _name(letters.translate(str.maketrans("RLAPIS", "LRPASI")), matrix)):
        raise InputError(
            f"MetaImage fields AnatomicalOrientation {letters} and TransformMatrix ({code}) contradict "
            "each other",
            where=path,
            remedy="find out which is right (left and right may be swapped) and correct the other",
        )


def _matrix(fields: dict[str, str]) -> np.ndarray | None:
    """(3, 3); row n is the direction of index axis n. None where ITK will complain itself."""
    text = next(fields[name] for name in _SYNONYMS["TransformMatrix"] if name in fields)
    try:
        values = np.array(text.split(), dtype=float)
    except ValueError:
        return None
    return values.reshape(3, 3) if values.size == 9 else None


def _name(letters: str, matrix: np.ndarray) -> bool:
    """Whether the letters say where the axes come from.

    Oblique axes may share their nearest direction, and the letters are three different ones: there they need
    only not say the reverse.
    """
    for letter, axis in zip(letters, matrix, strict=True):
        along = next(n for n, pair in enumerate(_FROM_LETTERS) if letter in pair)
        component = axis[along] * (1 if letter == _FROM_LETTERS[along][0] else -1)
        if component < (_STRAIGHT if np.abs(axis).max() > _STRAIGHT else -_AWRY):
            return False
    return True


def _from_letter(axis: np.ndarray) -> str:
    along = int(np.argmax(np.abs(axis)))
    return _FROM_LETTERS[along][0 if axis[along] > 0 else 1]
