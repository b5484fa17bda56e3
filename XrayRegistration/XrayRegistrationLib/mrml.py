"""What is asked of nodes of any kind: their voxels, their place, their removal."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from .roles import FIELD, references


def node_ids(scene) -> set[str]:
    return {scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())}


@contextmanager
def all_or_nothing(scene) -> Iterator[None]:
    """Nodes that are added inside are taken out again if an error leaves the block."""
    before = node_ids(scene)
    try:
        yield
    except Exception:
        for node_id in node_ids(scene) - before:
            node = scene.GetNodeByID(node_id)  # removing one node may take others along
            if node is not None:
                scene.RemoveNode(node)
        raise


def remove_node(node) -> None:
    """Take a node out of the scene, with its display and storage nodes."""
    scene, belonging = node.GetScene(), []
    if node.IsA("vtkMRMLDisplayableNode"):
        belonging += [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
    if node.IsA("vtkMRMLStorableNode"):
        belonging += [node.GetNthStorageNode(n) for n in range(node.GetNumberOfStorageNodes())]
    for each in (node, *belonging):
        if each is not None:
            scene.RemoveNode(each)


def remove_references(node, role: str) -> None:
    """Take the nodes that ``node`` refers to under ``role`` out of the scene, and forget them."""
    belonging = references(node, role)
    node.RemoveNodeReferenceIDs(role)
    for each in belonging:
        if each is not None:  # the user may have deleted it
            remove_node(each)


def array_of(volume_node) -> np.ndarray:
    """A view [k, j, i] of a volume node's voxels."""
    image = volume_node.GetImageData()
    voxels = vtk_to_numpy(image.GetPointData().GetScalars())
    return voxels.reshape(image.GetDimensions()[::-1])


def matrix_array(matrix) -> np.ndarray:
    """(4, 4) of a vtkMatrix4x4."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def placing_transform(node):
    """The transform above a node that says where it lies, or None.

    The field that shows it as it is now does not count: the node is still what it was when it was scanned.
    """
    parent = node.GetParentTransformNode()
    return None if parent is None or parent.GetAttribute(FIELD) else parent


def world_from_node(node) -> np.ndarray:
    """(4, 4) from a node's own frame to RAS, mm: the transforms above it."""
    matrix = vtk.vtkMatrix4x4()
    parent = placing_transform(node)
    if parent is not None:
        parent.GetMatrixTransformToWorld(matrix)
    return matrix_array(matrix)


def world_from_index(volume_node) -> np.ndarray:
    """(4, 4) from a volume node's (i, j, k) to RAS, mm, with the transforms above it."""
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    return world_from_node(volume_node) @ matrix_array(matrix)


def vtk_image(array: np.ndarray):
    image = vtk.vtkImageData()
    image.SetDimensions(array.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
    return image


def vtk_matrix(array: np.ndarray):
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, dtype=float).ravel())
    return matrix
