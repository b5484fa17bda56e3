"""CTs of several patients in one frame, so that one network serves them all: that of a template CT.

A pose network of several patients answers with poses about the template. Of a new patient,
``camera_from_patient = camera_from_template @ template_from_patient``; so the template goes with the network,
as a coarse map of its bones.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch

from ..errors import InputError
from ..geometry import is_rigid
from ..images import Grid, LabelMap, Volume
from .bone_maps import BoneMap, bone_map, map_of
from .template_fit import Likeness, best_fit, likeness

_OnGrid = TypeVar("_OnGrid", Volume, LabelMap)

_VOXEL_MM = 6.0
_MOST_VOXELS = 190_000  # of one byte each
_LEAST_SIMILARITY = 0.48
"""CTs of the same part of two patients reach 0.51 even where one is masked to single bones, those of
different parts at most 0.46: measured on four CTs, see docs/networks-agnostic.md."""
_TENSOR = "template.bone"
_REMEDY = "leave it out, or choose a template that shows the same part of the body"


@dataclass(frozen=True)
class Template:
    """The bones of the CT whose patient frame is that of all.

    Attributes:
        bone: [k, j, i] uint8: 0 outside the CT's field of view, 1 without bone, 255 all bone.
        grid: cubic voxels along the axes of the template's patient frame, LPS, mm.
        name: of the CT, for people.
    """

    bone: np.ndarray
    grid: Grid
    name: str

    @property
    def map(self) -> BoneMap:
        """As `bone_maps` has it."""
        share = np.maximum(self.bone.astype(np.float32) - 1, 0) / 254
        return map_of((share, self.bone > 0), self.grid.spacing_mm[0], self.grid.patient_from_index[:3, 3])


@dataclass(frozen=True)
class Fit:
    """Where a CT lies in the template's frame.

    Attributes:
        template_from_patient: (4, 4) rigid, mm.
        before, after: how alike the two are as their frames stand, and after the motion.
    """

    template_from_patient: np.ndarray
    before: Likeness
    after: Likeness


_ITSELF = Fit(np.eye(4), Likeness(1.0, 1.0, 1.0), Likeness(1.0, 1.0, 1.0))


@dataclass(frozen=True)
class Aligned:
    """A CT in the template's frame.

    Attributes:
        volume: the CT, moved there; its voxels are untouched.
        fit: how.
    """

    volume: Volume
    fit: Fit

    @property
    def template_from_patient(self) -> np.ndarray:
        return self.fit.template_from_patient


def template_of(volume: Volume) -> Template:
    """The template that a CT makes, below 200 kB.

    Raises:
        InputError: if it is no CT, or hardly has bones.
    """
    extent = np.ptp(volume.grid.corners_patient, axis=0)
    voxel_mm = max(_VOXEL_MM, float(np.cbrt(extent.prod() / _MOST_VOXELS)))
    found = bone_map(volume, voxel_mm)
    bone, seen = found.arrays
    return Template(np.where(seen > 0, 1 + np.rint(bone * 254), 0).astype(np.uint8), found.grid, volume.name)


def fit_to_template(volume: Volume, template: Template) -> Fit:
    """The rigid motion that brings a CT's bones upon the template's; the same on every run.

    Frames, field of view and crop may differ, and the patient may lie turned by up to some 35 degrees.

    Raises:
        InputError: if it is no CT, or the two do not show the same part of the body.
    """
    fixed, moving = (each.smooth() for each in (template.map, bone_map(volume, template.grid.spacing_mm[0])))
    found = best_fit(fixed, moving)
    if found is None:
        what = f"nowhere has half of its bones in common with the template {template.name}"
        raise InputError(what, where=volume.name, remedy=_REMEDY)
    motion, after = found
    if after.similarity < _LEAST_SIMILARITY:
        raise InputError(
            f"does not fit the template {template.name}: at best their bones correlate by "
            f"{after.similarity:.2f}, and {_LEAST_SIMILARITY:g} is the least of two patients",
            where=volume.name,
            remedy=_REMEDY,
        )
    return Fit(motion, likeness(fixed, moving, np.eye(4)), after)


def in_template_frame(
    volumes: Iterable[Volume],
    template: Template | None = None,
    left_out: Callable[[InputError], None] | None = None,
    report: Callable[[str], None] = lambda step: None,
) -> tuple[Aligned, ...]:
    """CTs of several patients brought into the frame of a template by rigid registration of their bones.

    Args:
        template: None for the first CT, which then keeps its place.
        left_out: is told why each CT was left out that does not fit; None: the first such ends it.
        report: called with each step, in words; an exception that it raises ends the work.

    Returns:
        Those that fit, in the order of ``volumes``.

    Raises:
        InputError: for a CT that does not fit, see ``left_out``; or if less than half fit.
    """
    aligned, count = [], 0
    for volume in volumes:
        count += 1
        report(f"bringing {volume.name} to the template")
        try:
            if template is None:
                template, fit = template_of(volume), _ITSELF
            else:
                fit = fit_to_template(volume, template)
        except InputError as error:
            if left_out is None:
                raise
            left_out(error)
            continue
        aligned.append(Aligned(moved(volume, fit.template_from_patient), fit))
    if not aligned or len(aligned) < count / 2:
        raise InputError(
            f"{len(aligned)} of {count} CTs fit the template",
            where=template.name if template else None,
            remedy="give CTs of one part of the body, or another template",
        )
    return tuple(aligned)


def moved(thing: _OnGrid, motion: np.ndarray) -> _OnGrid:
    """A CT or segmentation in another frame; only its grid changes, nothing is resampled.

    Args:
        motion: (4, 4) new frame from patient, rigid.

    Raises:
        InputError: if ``motion`` is not rigid.
    """
    if not is_rigid(motion):
        raise InputError("the motion is not a rigid 4x4 transform")
    grid = Grid(thing.grid.size, motion @ thing.grid.patient_from_index)
    if isinstance(thing, Volume):  # it is no longer in the frame that DICOM names
        return replace(thing, grid=grid, frame_of_reference_uid="")
    return replace(thing, grid=grid)


def packed_template(template: Template) -> tuple[dict[str, torch.Tensor], dict]:
    """(tensors, JSON-able description) for a network's file; see `unpacked_template`."""
    description = {
        "voxel_mm": float(template.grid.spacing_mm[0]),
        "origin_mm": template.grid.patient_from_index[:3, 3].tolist(),
        "name": template.name,
    }
    return {_TENSOR: torch.from_numpy(template.bone.copy())}, description


def without_template(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The others of a network's file."""
    return {name: tensor for name, tensor in tensors.items() if name != _TENSOR}


def unpacked_template(
    tensors: dict[str, torch.Tensor], description: object, where: object = None
) -> Template:
    """The inverse of `packed_template`; other tensors are let be.

    Raises:
        InputError: if it is damaged; ``where`` names the file.
    """
    bone = tensors.get(_TENSOR)
    try:
        voxel_mm, name = float(description["voxel_mm"]), str(description["name"])
        origin = np.array(description["origin_mm"], dtype=float).reshape(3)
        good = bone.dtype == torch.uint8 and bone.ndim == 3 and bool((bone > 1).any())
        good = good and np.isfinite([voxel_mm, *origin]).all() and voxel_mm > 0
    except (AttributeError, KeyError, TypeError, ValueError):
        good = False
    if not good:
        raise InputError(
            "its template of the anatomy is missing or damaged",
            where=where,
            remedy="take a network that was trained on several CTs",
        )
    affine = np.diag([voxel_mm] * 3 + [1.0])
    affine[:3, 3] = origin
    array = bone.cpu().numpy().copy()
    return Template(array, Grid(array.shape[::-1], affine), name)
