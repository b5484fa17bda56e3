"""Bones that have moved, in the scene: a transform for each, and the field between them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk
from xrayreg.geometry import LPS_FROM_RAS, apply, flip_ras_lps, ras_from_lps

from . import roles
from .mrml import matrix_array, vtk_matrix
from .now import forget_bodies, is_now, show_now

if TYPE_CHECKING:
    from xrayreg.images import Grid

VERDICT_COLORS = {"accept": (0.3, 0.95, 0.6), "review": (1.0, 0.8, 0.1), "reject": (1.0, 0.35, 0.15)}
"""Of outlines on an X-ray; the word stands in the list of outlines."""


@dataclass(frozen=True)
class MovedBody:
    """One body, where it was found.

    Attributes:
        labels: of the label map that was registered.
        segments: their names.
        centre: (3,) at rest, patient LPS, mm.
        verdict: "accept", "review" or "reject".
        moved_mm, turned_deg: how far its middle has gone, and how far it has turned.
        sigma_mm: how far it may be off, one standard deviation.
        kept: what else an export tells: "covariance" (6, 6), "seen" by view, "lead" and "support", as
            `RegisteredBody` and its uncertainty have them.
    """

    name: str
    labels: tuple[int, ...]
    segments: tuple[str, ...]
    centre: tuple[float, float, float]
    verdict: str
    reasons: tuple[str, ...]
    moved_mm: float
    turned_deg: float
    sigma_mm: float
    kept: dict


@dataclass(frozen=True)
class Moved:
    """All bodies.

    Attributes:
        bodies: each with its (4, 4) patient_from_rest.
        remainder: (4, 4) the motion of what is no body.
        displacements: [k, j, i, 3] of the field, ``rest_from_patient(x) - x`` on ``grid``, patient LPS, mm.
    """

    bodies: tuple[tuple[MovedBody, np.ndarray], ...]
    remainder: np.ndarray
    displacements: np.ndarray
    grid: Grid

    def verdict_of(self, label: int) -> str | None:
        return next((body.verdict for body, _ in self.bodies if label in body.labels), None)


def add_bodies(session, moved: Moved) -> None:
    """Bring the motions into a session, in place of any before, and show all as it is now."""
    forget_bodies(session)
    scene, volume = session.GetScene(), session.GetNodeReference(roles.VOLUME)
    for body, patient_from_rest in moved.bodies:
        node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", f"{body.name}_patient_from_rest")
        node.SetMatrixTransformToParent(vtk_matrix(ras_from_lps(patient_from_rest)))
        node.SetAttribute(roles.BODY, json.dumps(asdict(body)))
        session.AddNodeReferenceID(roles.BODY, node.GetID())
    field = add_field(scene, f"{volume.GetName()}_patient_from_rest", moved.displacements, moved.grid)
    session.SetNodeReferenceID(roles.FIELD, field.GetID())
    session.SetAttribute(roles.REMAINDER, json.dumps(np.asarray(moved.remainder).tolist()))
    show_now(session, True)


def add_field(scene, name: str, displacements: np.ndarray, grid: Grid):
    """A vtkMRMLGridTransformNode that brings what is put under it to where it is now.

    Args:
        displacements: [k, j, i, 3] to where a point was, patient LPS, mm: Slicer's "from parent".
    """
    ras_from_index = LPS_FROM_RAS @ grid.patient_from_index
    image = vtk.vtkImageData()
    image.SetDimensions(*(int(n) for n in grid.size))
    image.SetOrigin(*(float(x) for x in ras_from_index[:3, 3]))
    image.SetSpacing(*(float(x) for x in grid.spacing_mm))
    vectors = np.ascontiguousarray(flip_ras_lps(displacements.reshape(-1, 3)), dtype=float)
    image.GetPointData().SetScalars(numpy_to_vtk(vectors, deep=True))
    direction = np.eye(4)
    direction[:3, :3] = ras_from_index[:3, :3] / grid.spacing_mm
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(image)
    transform.SetGridDirectionMatrix(vtk_matrix(direction))
    transform.SetInterpolationModeToCubic()  # as Slicer reads a field from a file
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", name)
    node.SetAndObserveTransformFromParent(transform)
    node.SetAttribute(roles.FIELD, "1")
    return node


def bodies_of(session) -> list[MovedBody]:
    """The bodies whose motions are in the scene."""
    return [_body_of(node) for node in roles.references(session, roles.BODY) if node is not None]


def motions_of(session) -> list[np.ndarray]:
    """(4, 4) patient_from_rest of each, patient LPS, as the scene has them."""
    matrix, found = vtk.vtkMatrix4x4(), []
    for node in roles.references(session, roles.BODY):
        if node is not None:
            node.GetMatrixTransformToParent(matrix)
            found.append(ras_from_lps(matrix_array(matrix)))
    return found


def places_of(session, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the middle (3,) of a body is now, and where the CT shows it; patient LPS, mm."""
    centre = np.array(bodies_of(session)[number].centre)
    now = apply(motions_of(session)[number], centre)
    return now, now if is_now(session) else centre


def _body_of(node) -> MovedBody:
    fields = json.loads(node.GetAttribute(roles.BODY))
    as_tuples = {name: tuple(fields[name]) for name in ("labels", "segments", "centre", "reasons")}
    return MovedBody(**{**fields, **as_tuples})
