"""Label maps as Slicer segmentations: named, coloured segments with light closed surfaces."""

from __future__ import annotations

import colorsys
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk
from xrayreg.geometry import LPS_FROM_RAS

if TYPE_CHECKING:
    from xrayreg.images import LabelMap

_SURFACE_PARAMETERS = {"Smoothing factor": "0.3", "Decimation factor": "0.6"}
"""Fewer triangles, so that thirty bones turn smoothly in the 3D view; more of either wears thin ribs away."""

_converter = slicer.vtkSegmentationConverter
_LABELMAP = _converter.GetSegmentationBinaryLabelmapRepresentationName()
_SURFACE = _converter.GetSegmentationClosedSurfaceRepresentationName()


def add_segmentation(scene, label_map: LabelMap, labels: tuple[int, ...] = ()):
    """A vtkMRMLSegmentationNode with one segment per label, each with its closed surface.

    The segments share one label map, numbered 1, 2, ... in their order, which keeps files small; each
    surface is made from the label's own box, which is fast.

    Args:
        labels: values to show, in this order; all values present if empty. Values without a voxel
            are left out.
    """
    boxes = _boxes(label_map.labels, labels)
    surfaces = [_surface(label_map, label, box) for label, box in boxes.items()]
    shared = _shared_image(label_map, boxes)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Segmentation")
    node.SetSourceRepresentationToBinaryLabelmap()
    for name, value in _SURFACE_PARAMETERS.items():
        node.GetSegmentation().SetConversionParameter(name, value)
    for number, (label, surface) in enumerate(zip(boxes, surfaces, strict=True)):
        segment = slicer.vtkSegment()
        segment.SetName(label_map.name_of(label))
        segment.SetColor(_color(number))
        segment.SetLabelValue(number + 1)
        segment.AddRepresentation(_LABELMAP, shared)
        segment.AddRepresentation(_SURFACE, surface)
        node.GetSegmentation().AddSegment(segment, f"label_{label}")
    node.CreateDefaultDisplayNodes()
    return node


def _surface(label_map: LabelMap, label: int, box: tuple[slice, slice, slice]):
    """vtkPolyData, RAS: made by Slicer's own conversion in a segmentation of its own."""
    segment = slicer.vtkSegment()
    segment.SetLabelValue(1)
    inside = (label_map.labels[box] == label).astype(np.uint8)
    segment.AddRepresentation(_LABELMAP, _oriented_image(label_map, inside, box))
    segmentation = slicer.vtkSegmentation()
    segmentation.SetSourceRepresentationName(_LABELMAP)
    for name, value in _SURFACE_PARAMETERS.items():
        segmentation.SetConversionParameter(name, value)
    segmentation.AddSegment(segment, "only")
    segmentation.CreateRepresentation(_SURFACE)
    return segment.GetRepresentation(_SURFACE)


def _shared_image(label_map: LabelMap, boxes: dict[int, tuple[slice, slice, slice]]):
    """All shown labels, renumbered in their order, within the box around all of them."""
    if not boxes:
        return slicer.vtkOrientedImageData()
    union = tuple(
        slice(min(box[axis].start for box in boxes.values()), max(box[axis].stop for box in boxes.values()))
        for axis in range(3)
    )
    values = label_map.labels[union]
    numbers = np.zeros(values.shape, np.uint8 if len(boxes) < 256 else np.uint16)
    for number, (label, box) in enumerate(boxes.items(), start=1):
        inner = tuple(slice(b.start - u.start, b.stop - u.start) for b, u in zip(box, union, strict=True))
        numbers[inner][values[inner] == label] = number
    return _oriented_image(label_map, numbers, union)


def _boxes(labels: np.ndarray, wanted: tuple[int, ...]) -> dict[int, tuple[slice, slice, slice]]:
    """The [k, j, i] bounding box of each wanted label that has voxels."""
    values = wanted or tuple(int(value) for value in np.unique(labels) if value != 0)
    boxes = {}
    for label in values:
        inside = labels == label
        if not inside.any():
            continue
        axes = (inside.any(axis=(1, 2)), inside.any(axis=(0, 2)), inside.any(axis=(0, 1)))
        ends = [np.flatnonzero(axis)[[0, -1]] for axis in axes]
        boxes[label] = tuple(slice(int(first), int(last) + 1) for first, last in ends)
    return boxes


def _oriented_image(label_map: LabelMap, array: np.ndarray, box: tuple[slice, slice, slice]):
    """An [k, j, i] array that fills ``box`` of the label map's grid, at its place in RAS.

    The box is the image's extent, so the grid's own index-to-RAS matrix holds for every part of it.
    On a left-handed grid Slicer would turn surfaces inside out: there i is counted from the other end.
    """
    k, j, i = box
    ras_from_index = LPS_FROM_RAS @ label_map.grid.patient_from_index
    if label_map.grid.is_left_handed:
        last = label_map.grid.size[0] - 1
        array = array[..., ::-1]
        i = slice(last - i.stop + 1, last - i.start + 1)
        ras_from_index[:3, 3] += last * ras_from_index[:3, 0]
        ras_from_index[:3, 0] *= -1
    image = slicer.vtkOrientedImageData()
    image.SetExtent(i.start, i.stop - 1, j.start, j.stop - 1, k.start, k.stop - 1)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(ras_from_index.ravel())
    image.SetGeometryFromImageToWorldMatrix(matrix)
    return image


def _color(number: int) -> tuple[float, float, float]:
    """Bone-like tints that neighbours in the list do not share: hues a golden ratio apart, pale."""
    hue = (0.11 + number * 0.618) % 1
    return colorsys.hsv_to_rgb(hue, 0.22, 0.97)
