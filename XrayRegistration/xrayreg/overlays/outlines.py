"""Outlines of anatomy on an X-ray: where the projected structure ends."""

from dataclasses import replace

import numpy as np
import SimpleITK as sitk
import torch

from ..geometry import Camera
from ..images import LabelMap, box_around, grid_of
from ..render import Density, render_labels

_THIN_MM = 0.5  # rays that cross less of a structure than this do not count as inside it
_STEEP_PERCENT = 88  # of a DRR's pixels are less steep than where an edge begins
_LEAST_SLOPE = 0.002  # of a DRR's range per pixel; below, nothing is an edge
_COARSE = 2  # path lengths are rendered at this fraction of the image and interpolated


def structure_outlines(label_map: LabelMap, camera: Camera, labels: tuple[int, ...]) -> dict[int, np.ndarray]:
    """The outline of each projected structure, [row, column] bool; those out of view are left out.

    Outlines are computed by us because Slicer projects along parallel lines and an X-ray does not.
    """
    label_map = _cut_out(label_map, labels)
    if label_map is None:
        return {}
    density = Density(torch.ones(label_map.grid.array_shape), label_map.grid)
    # Whole blocks also at the far edges of an odd image.
    padded = replace(camera, size=tuple(n + -n % _COARSE for n in camera.size))
    coarse = padded.binned(_COARSE)
    # Hard: interpolated lengths would reach a voxel beyond the structure.
    numbers = torch.from_numpy(label_map.labels.astype(np.int32))
    lengths_mm = render_labels(numbers, density, coarse, labels, soft=False)
    outlines = {}
    for label, length_mm in zip(labels, lengths_mm, strict=True):
        if not length_mm.any():
            continue
        inside = (length_mm > _THIN_MM).float()
        # Smoothed by a pixel: steps of single voxels are no anatomy.
        smooth = torch.nn.functional.avg_pool2d(inside[None, None], 3, 1, 1, count_include_pad=False)
        fine = torch.nn.functional.interpolate(
            smooth, size=padded.size[::-1], mode="bicubic", align_corners=False
        )
        inside = fine[0, 0, : camera.size[1], : camera.size[0]].numpy() > 0.5
        if inside.any():
            outlines[label] = border(inside)
    return outlines


def _cut_out(label_map: LabelMap, labels: tuple[int, ...]) -> LabelMap | None:
    """The box of a label map that holds these labels; None if they have no voxel."""
    box = box_around(np.isin(label_map.labels, labels), (1, 1, 1))
    if box is None:
        return None
    return LabelMap(label_map.labels[box], grid_of(box, label_map.grid), label_map.names)


def outlined_labels(segmentation: LabelMap) -> tuple[int, ...]:
    """The labels to outline: the vertebrae and ribs where names tell them, else all that are present."""
    present = [int(label) for label in np.unique(segmentation.labels) if label > 0]
    bones = [k for k in present if segmentation.name_of(k).startswith(("vertebra", "rib"))]
    return tuple(bones or present)


def edges(drr: np.ndarray) -> np.ndarray:
    """The edges of a DRR, [row, column] bool (Canny): its steepest places, however steep those are.

    Bones are faint before a thick body and soft in fine pixels: smoothing and threshold go by the image.
    """
    sigma_px = max(1.5, max(drr.shape) / 250)
    image = sitk.GetImageFromArray(drr.astype(np.float32))
    smooth = sitk.GetArrayFromImage(sitk.SmoothingRecursiveGaussian(image, sigma_px))
    steep = float(np.percentile(np.hypot(*np.gradient(smooth)), _STEEP_PERCENT))
    steep = max(steep, _LEAST_SLOPE * float(np.percentile(drr, 99.5)), 1e-9)
    found = sitk.CannyEdgeDetection(
        image / steep, lowerThreshold=0.4, upperThreshold=1.0, variance=[sigma_px**2] * 2
    )
    return sitk.GetArrayFromImage(found) > 0


def border(inside: np.ndarray) -> np.ndarray:
    """Pixels of a region that touch its outside; the image's rim is no border."""
    padded = np.pad(inside, 1, mode="edge")
    eroded = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return inside & ~eroded
