"""Structures of a segmentation as X-rays show them: what the Dice loss of pose networks compares."""

import numpy as np
import torch

from ..errors import InputError
from ..images import Grid, LabelMap, resample_labels
from ..render import Density
from .anatomy import Anatomy, dense_of

_MOST = 8  # each is a DRR of its own
_SOLID_MM = 5.0  # a ray through so much of a structure meets 63 % of it


def structures_of(segmentation: LabelMap, anatomy: Anatomy, voxel_mm: float) -> dict[str, Density]:
    """The structures that X-rays show best, at most 8, by name: those with most of what is as dense as bone.

    Contrast medium counts, too. The DRR of a structure says how much of it a ray passes, 1 for 5 mm.

    Args:
        voxel_mm: they are averaged to voxels of about this.

    Raises:
        InputError: if the segmentation lies elsewhere than the CT, or no structure holds anything dense.
    """
    dense = dense_of(anatomy.materials)
    labels = resample_labels(segmentation, dense.grid).labels
    amounts = np.bincount(labels.ravel(), dense.values.cpu().double().numpy().ravel())
    amounts[0] = 0
    chosen = [int(label) for label in np.argsort(-amounts, kind="stable")[:_MOST] if amounts[label] > 0]
    if not chosen:
        raise InputError(
            "no structure of the segmentation is as dense as bone",
            where=anatomy.name,
            remedy="segment bones, or train without the Dice loss",
        )
    return {
        segmentation.name_of(label): _solid(segmentation, label, voxel_mm, dense.values.device)
        for label in chosen
    }


def _solid(segmentation: LabelMap, label: int, voxel_mm: float, device: torch.device) -> Density:
    """A structure in the box around it, with an empty voxel about it on each side."""
    inside = segmentation.labels == label
    box = []
    for axis in range(3):
        there = np.flatnonzero(inside.any(axis=tuple({0, 1, 2} - {axis})))
        box.append((int(there[0]), int(there[-1]) + 1))
    values = np.pad(inside[tuple(slice(*ends) for ends in box)], 1).astype(np.float32) / _SOLID_MM
    index_from_box = np.eye(4)
    index_from_box[:3, 3] = [first - 1 for first, _ in box[::-1]]
    grid = Grid(values.shape[::-1], segmentation.grid.patient_from_index @ index_from_box)
    return Density(torch.from_numpy(values).to(device), grid).to_spacing(voxel_mm)
