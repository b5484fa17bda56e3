"""The header of NIfTI files, and its two statements of where the voxels lie in the patient.

Fields: nifti1.h and nifti2.h (NIfTI Data Format Working Group, 2004 and 2011).
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import InputError
from ..geometry import LPS_FROM_RAS
from .size_guard import check_size
from .volume import Grid

SAVE_AGAIN = "save it again from 3D Slicer"
VOXEL_TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
"""NIfTI datatype to numpy's, scalar ones."""

LATEST_BEGIN = 1 << 24
"""Bytes of header and extensions at most."""

_MM_OF_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # unknown, metre, millimetre, micron
_UNIT_NAMES = {1: "metres", 3: "microns"}
_TEMPLATES = {3: "Talairach's atlas", 4: "the MNI template", 5: "another template"}
_AGREE_MM = 0.5  # near half turns, quaternions in float32 are off by up to 0.2 mm at the end of a body


@dataclass(frozen=True)
class NiftiHeader:
    """The fields that are used, of either version.

    Attributes:
        order: "<" or ">".
        dim, pixdim, quatern, offset, srow: as in the standard; srow is (3, 4), RAS.
        xyz_unit: the spatial part of xyzt_units.
    """

    order: str
    header_bytes: int
    dim: tuple[int, ...]
    datatype: int
    pixdim: tuple[float, ...]
    vox_offset: float
    scl_slope: float
    scl_inter: float
    qform_code: int
    sform_code: int
    quatern: tuple[float, ...]
    offset: tuple[float, ...]
    srow: np.ndarray
    xyz_unit: int


def read_header(file: BinaryIO, path: Path) -> NiftiHeader:
    start = file.read(540)
    for order in "<>":
        if (
            len(start) >= 348
            and struct.unpack_from(order + "i", start)[0] == 348
            and start[344:347] == b"n+1"
        ):
            return _version_1(start, order)
        if len(start) >= 540 and struct.unpack_from(order + "i", start)[0] == 540 and start[4:7] == b"n+2":
            return _version_2(start, order)
    pair = start[344:347] == b"ni1" or start[4:7] == b"ni2"
    what = "is half of a pair (.hdr and .img)" if pair else "is no NIfTI file: its header has no such mark"
    raise InputError(what, where=path, remedy=SAVE_AGAIN)


def _version_1(start: bytes, order: str) -> NiftiHeader:
    def at(form: str, offset: int) -> tuple:
        return struct.unpack_from(order + form, start, offset)

    slope, inter = at("2f", 112)
    return NiftiHeader(
        order, 348, at("8h", 40), *at("h", 70), at("8f", 76), *at("f", 108), slope, inter, *at("2h", 252),
        at("3f", 256), at("3f", 268), np.array(at("12f", 280)).reshape(3, 4), start[123] & 7,
    )  # fmt: skip


def _version_2(start: bytes, order: str) -> NiftiHeader:
    def at(form: str, offset: int) -> tuple:
        return struct.unpack_from(order + form, start, offset)

    slope, inter = at("2d", 176)
    return NiftiHeader(
        order, 540, at("8q", 16), *at("h", 12), at("8d", 104), *at("q", 168), slope, inter, *at("2i", 344),
        at("3d", 352), at("3d", 376), np.array(at("12d", 400)).reshape(3, 4), at("i", 500)[0] & 7,
    )  # fmt: skip


def checked_size(header: NiftiHeader, path: Path) -> tuple[int, int, int]:
    axes = header.dim[0]
    if not 1 <= axes <= 7:
        raise InputError(f"NIfTI field dim[0] is {axes}, not 1 to 7", where=path, remedy=SAVE_AGAIN)
    size = header.dim[1 : axes + 1]
    check_size(size, path)
    if axes < 3 or any(n != 1 for n in size[3:]) or min(size[:3]) < 2:
        shown = " x ".join(str(n) for n in size)
        raise InputError(
            f"is {shown} voxels, not a scalar 3-D image", where=path, remedy="save one scalar volume"
        )
    if header.datatype not in VOXEL_TYPES:
        raise InputError(
            f"NIfTI field datatype is {header.datatype}, not a scalar 3-D image of numbers",
            where=path,
            remedy="save one scalar volume",
        )
    if not header.header_bytes <= header.vox_offset <= LATEST_BEGIN:
        raise InputError(
            f"NIfTI field vox_offset is {header.vox_offset:g}: voxels cannot begin there",
            where=path,
            remedy=SAVE_AGAIN,
        )
    return size[:3]


def grid_of(header: NiftiHeader, size: tuple[int, int, int], path: Path) -> tuple[Grid, tuple[str, ...]]:
    forms = {}
    if header.sform_code > 0:
        forms["sform"] = _checked_form("sform", np.vstack([header.srow, [0, 0, 0, 1]]), path)
    if header.qform_code > 0:
        forms["qform"] = _checked_form("qform", _qform(header, path), path)
    if not forms:
        raise InputError(
            "NIfTI fields qform_code and sform_code are 0: the file does not say how it lies in the patient",
            where=path,
            remedy=SAVE_AGAIN,
        )
    unit = _MM_OF_UNIT.get(header.xyz_unit)
    if unit is None:
        raise InputError(
            f"NIfTI field xyzt_units is {header.xyz_unit}, no unit of length", where=path, remedy=SAVE_AGAIN
        )
    to_mm = LPS_FROM_RAS @ np.diag([unit, unit, unit, 1.0])
    grids = {name: Grid(size, to_mm @ form) for name, form in forms.items()}
    notes = _check_codes(header, path)
    if header.xyz_unit in _UNIT_NAMES:
        notes += (f"lengths are in {_UNIT_NAMES[header.xyz_unit]} (NIfTI field xyzt_units), taken as such",)
    if len(grids) == 2:
        _check_agree(grids["sform"], grids["qform"], path)
    return next(iter(grids.values())), notes


def _checked_form(name: str, form: np.ndarray, path: Path) -> np.ndarray:
    if not np.isfinite(form).all() or abs(np.linalg.det(form[:3, :3])) < 1e-12:
        raise InputError(f"NIfTI field {name} is no invertible matrix", where=path, remedy=SAVE_AGAIN)
    return form


def _qform(header: NiftiHeader, path: Path) -> np.ndarray:
    """RAS from index by nifti1.h, "METHOD 2"; the unit quaternion's first part follows from the others."""
    spacing = np.array(header.pixdim[1:4])
    if not (spacing > 0).all():
        raise InputError(
            f"NIfTI field pixdim is {', '.join(f'{s:g}' for s in spacing)}: voxel sizes must be positive",
            where=path,
            remedy=SAVE_AGAIN,
        )
    b, c, d = header.quatern
    rest = 1.0 - (b * b + c * c + d * d)
    if not rest > -1e-4:
        raise InputError("NIfTI field quatern is no unit quaternion", where=path, remedy=SAVE_AGAIN)
    a = np.sqrt(max(rest, 0.0))
    if rest < 1e-7:  # a half turn, in rounded numbers
        b, c, d = np.array([b, c, d]) / np.sqrt(b * b + c * c + d * d)
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    spacing[2] *= -1.0 if header.pixdim[0] < 0 else 1.0
    form = np.eye(4)
    form[:3, :3], form[:3, 3] = rotation * spacing, header.offset
    return form


def _check_codes(header: NiftiHeader, path: Path) -> tuple[str, ...]:
    """Template space is no patient's; "aligned" may be another scan's frame."""
    name = "sform" if header.sform_code > 0 else "qform"
    code = header.sform_code if header.sform_code > 0 else header.qform_code
    if code in _TEMPLATES:
        raise InputError(
            f"NIfTI field {name}_code is {code}: it lies in the space of {_TEMPLATES[code]}, not of the "
            "patient",
            where=path,
            remedy="give the volume as the scanner made it",
        )
    if code == 1:
        return ()
    return (f"NIfTI field {name}_code is {code}: aligned to some other file, taken as the patient's frame",)


def _check_agree(sform: Grid, qform: Grid, path: Path) -> None:
    apart = float(np.linalg.norm(sform.corners_patient - qform.corners_patient, axis=1).max())
    if apart > _AGREE_MM:
        raise InputError(
            f"NIfTI fields sform and qform disagree by up to {apart:.1f} mm: the file lies in two places",
            where=path,
            remedy="find out which is right and set the other's code to 0, or convert the DICOM series again",
        )
