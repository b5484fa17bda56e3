"""MRML nodes to core objects: the way back from `scene`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy
from xrayreg.errors import InputError
from xrayreg.geometry import LPS_FROM_RAS, Camera, flip_ras_lps, inverse, ras_from_lps
from xrayreg.images import Grid, LabelMap, Markup, Volume, Xray, without_polygon

from . import roles
from .mrml import array_of, matrix_array, placing_transform, world_from_index, world_from_node

if TYPE_CHECKING:
    from collections.abc import Sequence

_KINDS = {"vtkMRMLMarkupsLineNode": "line", "vtkMRMLMarkupsCurveNode": "curve"}


@dataclass(frozen=True)
class SceneVolume:
    """A volume as the scene holds it.

    Attributes:
        voxels: [k, j, i], the node's own.
    """

    voxels: np.ndarray
    grid: Grid
    name: str

    def converted(self) -> Volume:
        """For the core; takes up to a second, and so is done by a job.

        Raises:
            InputError: if a voxel is no number.
        """
        return Volume(self.voxels.astype(np.float32), self.grid, self.name)


def volume_of(node) -> SceneVolume:
    """The CT of a scalar volume node, where the scene shows it.

    Raises:
        InputError: if the node holds no image, or lies under a transform that is not linear.
    """
    _require_linear(node)
    if node.GetImageData() is None:
        raise InputError("the volume is empty", where=node.GetName(), remedy="choose or load a CT")
    voxels = array_of(node)
    grid = Grid(voxels.shape[::-1], LPS_FROM_RAS @ world_from_index(node))
    return SceneVolume(voxels, grid, node.GetName())


def label_map_of(node) -> LabelMap:
    """The segments that a segmentation node shows.

    Raises:
        InputError: if there is no segment, or the node lies under a transform that is not linear.
    """
    _require_linear(node)
    segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
    ids = [segmentation.GetNthSegmentID(number) for number in range(segmentation.GetNumberOfSegments())]
    if not ids:
        raise InputError("the segmentation holds no segment", where=node.GetName())
    image, values = _label_image(node, [segmentation.GetSegment(each) for each in ids])
    names = {
        value: segmentation.GetSegment(each).GetName()
        for each, value in zip(ids, values, strict=True)
        if display is None or display.GetSegmentVisibility(each)
    }
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    first = np.eye(4)
    first[:3, 3] = image.GetExtent()[::2]
    labels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    grid = Grid(image.GetDimensions(), LPS_FROM_RAS @ world_from_node(node) @ matrix_array(matrix) @ first)
    return LabelMap(labels, grid, names)


def segment_colors(node) -> dict[str, tuple[float, float, float]]:
    """Red, green and blue of each segment, 0 to 1, by its name; of none if there is no segmentation node."""
    segmentation = None if node is None else node.GetSegmentation()
    count = 0 if segmentation is None else segmentation.GetNumberOfSegments()
    segments = [segmentation.GetNthSegment(number) for number in range(count)]
    return {segment.GetName(): tuple(segment.GetColor()) for segment in segments}


def _label_image(node, segments: list) -> tuple:
    """One image that holds all segments of a node, and the value of each."""
    name = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    images = [segment.GetRepresentation(name) for segment in segments]
    if images[0] is not None and all(image is images[0] for image in images):  # as label maps are loaded
        return images[0], [segment.GetLabelValue() for segment in segments]
    image = slicer.vtkOrientedImageData()  # segments that overlap or are surfaces; takes seconds
    union = slicer.vtkSegmentation.EXTENT_UNION_OF_SEGMENTS
    if not node.GetSegmentation().CreateRepresentation(name) or (
        not node.GenerateMergedLabelmapForAllSegments(image, union)
    ):
        raise InputError("the segmentation cannot be made a label map", where=node.GetName())
    return image, list(range(1, len(segments) + 1))


def markup_of(node) -> Markup:
    """The control points of a markups node, where it was placed; one still being placed is none."""
    numbers = defined_points(node)
    points = np.zeros((len(numbers), 3))
    is_moved = node.GetParentTransformNode() is not None and placing_transform(node) is None
    place = node.GetNthControlPointPosition if is_moved else node.GetNthControlPointPositionWorld
    for point, number in zip(points, numbers, strict=True):
        place(number, point)
    labels = tuple(node.GetNthControlPointLabel(number) for number in numbers)
    return Markup(node.GetName(), _KINDS.get(node.GetClassName(), "points"), flip_ras_lps(points), labels)


def defined_points(node) -> list[int]:
    """The numbers of a markups node's control points that have a place."""
    defined = slicer.vtkMRMLMarkupsNode.PositionDefined
    count = node.GetNumberOfControlPoints()
    return [number for number in range(count) if node.GetNthControlPointPositionStatus(number) == defined]


def image_points_of(points, xray) -> np.ndarray:
    """(n, 2) pixel (column, row) of a markups node's points in a view: where their rays meet the detector.

    Points on the X-ray and points of the patient alike: both lie on the ray.
    """
    return camera_of(xray).project(markup_of(points).points)


def labelled_on(xray, role: str) -> list[tuple[str, np.ndarray]]:
    """Label, without blanks around it, and pixel (2,) of each point in a view's list under ``role``."""
    node = xray.GetNodeReference(role)
    if node is None:
        return []
    labels = (label.strip() for label in markup_of(node).labels)
    return list(zip(labels, image_points_of(node, xray), strict=True))


def xray_of(node) -> Xray:
    """The X-ray of a view's node without what is masked by hand; its camera stands where the scene shows it.

    Raises:
        InputError: if the masks leave nothing of it.
    """
    camera = camera_of(node)
    image, mask = array_of(node)[0], node.GetNodeReference(roles.MASK)
    is_open = np.ones(image.shape, bool) if mask is None else array_of(mask)[0] > 0
    for curve in mask_curves_of(node):
        points = vtk_to_numpy(curve.GetCurvePointsWorld().GetData())
        is_open = without_polygon(is_open, camera.project(flip_ras_lps(points)))
    if not is_open.any():
        raise InputError("the masks leave nothing of the X-ray", where=node.GetName(), remedy="remove masks")
    value = {name: json.loads(node.GetAttribute(name)) for name in (roles.VIEW_NAME, roles.RIG, roles.NOTES)}
    return Xray(image, camera, is_open, value[roles.VIEW_NAME], value[roles.RIG], tuple(value[roles.NOTES]))


def mask_curves_of(node) -> list:
    """The closed curves on a view's X-ray whose inside is left out; unfinished ones do not count."""
    curves = roles.references(node, roles.MASK_CURVE)
    return [curve for curve in curves if curve is not None and curve.GetNumberOfControlPoints() >= 3]


def camera_of(node) -> Camera:
    """The camera of a view's node, where the scene shows it."""
    K, size, distance = (
        json.loads(node.GetAttribute(name)) for name in (roles.K, roles.SIZE, roles.SOURCE_TO_DETECTOR_MM)
    )
    matrix = vtk.vtkMatrix4x4()
    node.GetNodeReference(roles.CAMERA).GetMatrixTransformToWorld(matrix)
    return Camera(tuple(size), np.array(K), inverse(ras_from_lps(matrix_array(matrix))), distance)


def markups_of(nodes: Sequence) -> tuple[Markup, ...]:
    """Those of the nodes that have points."""
    return tuple(markup_of(node) for node in nodes if defined_points(node))


def _require_linear(node) -> None:
    parent = placing_transform(node)
    if parent is not None and not parent.IsTransformToWorldLinear():
        raise InputError(
            "lies under a transform that bends it",
            where=node.GetName(),
            remedy="harden the transform first (Data module, right click on the node)",
        )
