"""A view in parallel rays, as of a source at infinity."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from .se3 import apply, inverse, is_rigid


@dataclass(frozen=True)
class ParallelCamera:
    """An orthographic view.

    Frames as of `Camera`, but the camera's origin may lie anywhere on the central ray.

    Attributes:
        size: (columns, rows).
        pixel_spacing_mm: (column, row).
        principal_point: (u, v), pixel, of the ray through the camera's origin.
        camera_from_patient: (4, 4) rigid.

    Raises:
        InputError: if the pose is not rigid, or a spacing or the size is not positive.
    """

    size: tuple[int, int]
    pixel_spacing_mm: tuple[float, float]
    principal_point: tuple[float, float]
    camera_from_patient: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "size", tuple(int(n) for n in self.size))
        object.__setattr__(self, "camera_from_patient", np.array(self.camera_from_patient, dtype=float))
        if min(self.size) < 1 or not min(self.pixel_spacing_mm) > 0:
            raise InputError(f"an image of {self.size} pixels of {self.pixel_spacing_mm} mm cannot be")
        if not is_rigid(self.camera_from_patient):
            raise InputError(
                "camera_from_patient is not a rigid 4x4 transform (rotation with determinant +1)"
            )

    @property
    def patient_from_camera(self) -> np.ndarray:
        return inverse(self.camera_from_patient)

    def moved(self, camera_from_patient: np.ndarray) -> "ParallelCamera":
        """The same camera at another pose."""
        return replace(self, camera_from_patient=camera_from_patient)

    def project(self, points_patient: np.ndarray) -> np.ndarray:
        """Image positions (..., 2), pixel, of points (..., 3), patient, mm."""
        return apply(self.camera_from_patient, points_patient)[..., :2] / self.pixel_spacing_mm + np.array(
            self.principal_point
        )

    def pixel_size_at(self, point_patient: np.ndarray) -> float:
        """The finer pixel spacing, mm; the same at any depth."""
        return min(self.pixel_spacing_mm)

    @property
    def rays(self) -> tuple[np.ndarray, np.ndarray]:
        """As `Camera.rays`; the rays reach to infinity both ways."""
        (column_mm, row_mm), (cu, cv) = self.pixel_spacing_mm, self.principal_point
        origins = np.array([[column_mm, 0, -column_mm * cu], [0, row_mm, -row_mm * cv], [0, 0, 0]])
        return origins, np.array([[0.0, 0, 0], [0, 0, 0], [0, 0, 1]])

    @property
    def has_source(self) -> bool:
        return False
