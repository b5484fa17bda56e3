"""Core objects to MRML nodes: the only place that knows RAS.

The core speaks patient LPS, Slicer patient RAS. Points change their sign in x and y
(`flip_ras_lps`), transforms between two patient-like frames on both sides (`ras_from_lps`), and a
voxel grid on the patient's side alone, because index axes have no anatomy.

Every function takes the scene as its argument and works inside Slicer as well as without the
application (`headless`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import vtk
from xrayreg.geometry import (
    LPS_FROM_RAS,
    Camera,
    detector_from_image,
    flip_ras_lps,
    patient_from_detector,
    ras_from_lps,
)

from . import roles
from .layouts import COLORS
from .mrml import remove_references, vtk_image, vtk_matrix

if TYPE_CHECKING:  # the core's door to registration leads to torch, which a scene does not need
    from xrayreg.images import Markup, Volume, Xray

BONE_WINDOW_HU = (1500.0, 400.0)
"""Window width and level in which bone and soft tissue of a CT can both be told apart, HU."""
DRR_COLORS = "vtkMRMLColorTableNodeCyan"
GREY = "vtkMRMLColorTableNodeGrey"
_PLAN_COLOR = (0.85, 0.1, 0.2)
_POINT_SIZE_MM = 6.0
_MARKUP_CLASSES = {
    "points": "vtkMRMLMarkupsFiducialNode",
    "line": "vtkMRMLMarkupsLineNode",
    "curve": "vtkMRMLMarkupsCurveNode",
}


def add_result(scene):
    """An empty result node."""
    result = scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", scene.GenerateUniqueName(roles.MODULE))
    make_result(result)
    return result


def make_result(node) -> None:
    """Mark a vtkMRMLScriptedModuleNode as this module's."""
    node.SetModuleName(roles.MODULE)
    node.SetAttribute(roles.MODULE_ATTRIBUTE, roles.MODULE)


def next_color(result) -> tuple[float, float, float]:
    """Of the frustum of the next view of a result."""
    return COLORS[result.GetNumberOfNodeReferences(roles.VIEW) % len(COLORS)]


def add_volume(scene, volume: Volume):
    """The CT as vtkMRMLScalarVolumeNode, int16 HU, on its own grid.

    A left-handed grid stays left-handed: voxels keep their array positions and their place in the
    patient. (When Slicer reads such a volume from a file it reverses k, and the place is kept.)
    """
    hu = np.clip(np.rint(volume.hu), -32768, 32767).astype(np.int16)
    node = _add_image(scene, volume.name, hu, LPS_FROM_RAS @ volume.grid.patient_from_index)
    set_window(node, *BONE_WINDOW_HU)
    return node


def add_xray(scene, image: Xray, color: tuple[float, float, float]):
    """One X-ray at its start pose; returns its node, which refers to all the others.

    X-ray and DRR lie on the detector: their grid is theirs in the detector's frame, and the
    transform node above them is the detector's pose. The frustum lies in the camera's frame under
    the camera's pose. Moving the C-arm is therefore a matter of two transforms.
    """
    camera = image.camera
    pose = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", f"{image.name}_patient_from_camera")
    detector = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", f"{image.name}_patient_from_detector")
    frustum = _add_frustum(scene, f"{image.name}_frustum", camera, color)
    frustum.SetAndObserveTransformNodeID(pose.GetID())
    xray = _add_projection(scene, image.name, image.line_integrals, camera, image.mask)
    xray.SetAndObserveTransformNodeID(detector.GetID())
    for role, node in ((roles.CAMERA, pose), (roles.DETECTOR, detector), (roles.FRUSTUM, frustum)):
        xray.SetNodeReferenceID(role, node.GetID())
    _show_mask(xray, image)
    _write_attributes(xray, image)
    place_view(xray, camera)
    return xray


def show_pixels(xray, image: Xray) -> None:
    """Put another picture of the same camera in the place of a view's; its pose and brightness stay."""
    xray.SetAndObserveImageData(vtk_image(_finite(image.line_integrals, image.mask)[None]))
    for role in (roles.MASK, roles.ATTENTION_MAP):
        remove_references(xray, role)
    _show_mask(xray, image)
    xray.SetAttribute(roles.NOTES, json.dumps(list(image.notes)))


def _show_mask(xray, image: Xray) -> None:
    if image.mask.all():
        return
    array = image.mask[None].astype(np.uint8)
    mask = _add_image(xray.GetScene(), f"{image.name}_mask", array, _ras_from_index(image.camera))
    mask.SetHideFromEditors(True)
    xray.SetNodeReferenceID(roles.MASK, mask.GetID())


def place_view(xray, camera: Camera) -> None:
    """Move a view's X-ray, DRR and frustum to where its camera stands."""
    poses = ((roles.CAMERA, camera.patient_from_camera), (roles.DETECTOR, patient_from_detector(camera)))
    for role, patient_from_b in poses:
        xray.GetNodeReference(role).SetMatrixTransformToParent(vtk_matrix(ras_from_lps(patient_from_b)))


def show_drr(xray, drr: np.ndarray, camera: Camera) -> None:
    """Lay a DRR [row, column] over a view's X-ray; it replaces the one before.

    Args:
        camera: of the DRR's pixels; it may have fewer than the X-ray, of the same detector.
    """
    is_new = xray.GetNodeReference(roles.DRR) is None
    node = lay_on_detector(xray, roles.DRR, drr.astype(np.float32), camera)
    if is_new:
        node.GetDisplayNode().SetAndObserveColorNodeID(DRR_COLORS)
    _window_projection(node, drr)


def lay_on_detector(xray, role: str, image: np.ndarray, camera: Camera):
    """The volume of one slice under a view's ``role`` with an image [row, column] of ``camera``'s pixels."""
    node = xray.GetNodeReference(role)
    if node is None:
        name = f"{xray.GetName()}_{role.rsplit('.')[-1].lower()}"
        node = _add_image(xray.GetScene(), name, image[None], _ras_from_index(camera))
        node.SetAndObserveTransformNodeID(xray.GetNodeReferenceID(roles.DETECTOR))
        xray.SetNodeReferenceID(role, node.GetID())
        return node
    node.SetIJKToRASMatrix(vtk_matrix(_ras_from_index(camera)))
    node.SetAndObserveImageData(vtk_image(image[None]))
    return node


def add_label_image(scene, name: str, labels: np.ndarray, camera: Camera):
    """An image [row, column] of label numbers as label map of one slice on the detector, by its frame."""
    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", name)
    node.SetIJKToRASMatrix(vtk_matrix(_ras_from_index(camera)))
    node.SetAndObserveImageData(vtk_image(labels[None].astype(np.int16)))
    node.CreateDefaultDisplayNodes()
    return node


def add_markup(scene, markup: Markup):
    """A plan as point list, line or curve node; control points become RAS."""
    node = scene.AddNewNodeByClass(_MARKUP_CLASSES[markup.kind], markup.name)
    node.CreateDefaultDisplayNodes()
    for point, label in zip(flip_ras_lps(markup.points), markup.labels, strict=True):
        node.AddControlPoint(*(float(x) for x in point), label)
    node.SetLocked(True)  # a plan is shown here, not edited by accident
    display = node.GetDisplayNode()
    display.SetOccludedVisibility(True)  # plans lie inside bones
    display.SetOccludedOpacity(0.7)
    display.SetSelectedColor(_PLAN_COLOR)
    display.SetTextScale(2.5)
    display.SetUseGlyphScale(False)
    display.SetGlyphSize(_POINT_SIZE_MM)
    return node


def _write_attributes(xray, image: Xray) -> None:
    camera = image.camera
    values = {
        roles.VIEW_NAME: image.name,
        roles.K: camera.K.tolist(),
        roles.SIZE: list(camera.size),
        roles.SOURCE_TO_DETECTOR_MM: camera.require_source_to_detector(),
        roles.PIXEL_SPACING_MM: list(camera.pixel_spacing_mm),
        roles.INITIAL_CAMERA_FROM_PATIENT: camera.camera_from_patient.tolist(),
        roles.RIG: image.rig,
        roles.NOTES: list(image.notes),
    }
    for name, value in values.items():
        xray.SetAttribute(name, json.dumps(value))


def _add_projection(scene, name: str, image: np.ndarray, camera: Camera, mask: np.ndarray):
    """A one-slice volume in the detector's frame; window and level from the pixels inside the mask."""
    node = _add_image(scene, name, _finite(image, mask)[None], _ras_from_index(camera))
    _window_projection(node, image[mask])
    return node


def _finite(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """float32 with the least value inside the mask where there is none."""
    return np.where(np.isfinite(image), image, image[mask].min()).astype(np.float32)


def _window_projection(node, values: np.ndarray) -> None:
    """From its darkest to its brightest pixels, but for the few at either end."""
    low, high = (float(value) for value in np.percentile(values, [1, 99.5]))
    width = max(high - low, 1e-6)  # a blank image is black
    set_window(node, width, low + width / 2)


def _add_image(scene, name: str, array: np.ndarray, ras_from_index: np.ndarray):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetIJKToRASMatrix(vtk_matrix(ras_from_index))
    node.SetAndObserveImageData(vtk_image(array))
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAndObserveColorNodeID(GREY)
    return node


def _ras_from_index(camera: Camera) -> np.ndarray:
    """Of an image on the detector, in the detector's frame with Slicer's signs."""
    return LPS_FROM_RAS @ detector_from_image(camera)


def set_window(node, width: float, level: float) -> None:
    """Brightness and contrast of a volume, not to be changed by Slicer."""
    display = node.GetDisplayNode()
    display.AutoWindowLevelOff()
    display.SetWindowLevel(width, level)


def _add_frustum(scene, name: str, camera: Camera, color: tuple[float, float, float]):
    """Rays from the source to the detector's outer corners and the detector's outline, as lines."""
    columns, rows = camera.size
    corners_image = [
        (-0.5, -0.5),
        (columns - 0.5, -0.5),
        (columns - 0.5, rows - 0.5),
        (-0.5, rows - 0.5),
    ]
    corners_camera = camera.ray_directions(corners_image) * camera.require_source_to_detector()
    points = vtk.vtkPoints()
    points.SetDataTypeToDouble()
    for point in flip_ras_lps(np.vstack([np.zeros(3), corners_camera])):
        points.InsertNextPoint(point)
    lines = vtk.vtkCellArray()
    for a, b in ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (2, 3), (3, 4), (4, 1)):
        lines.InsertNextCell(2, (a, b))
    mesh = vtk.vtkPolyData()
    mesh.SetPoints(points)
    mesh.SetLines(lines)
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", name)
    node.SetAndObservePolyData(mesh)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetColor(color)
    display.SetLineWidth(3)
    display.SetLighting(False)
    return node
