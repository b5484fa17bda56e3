"""The pinhole camera of an X-ray view."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from .se3 import apply, inverse, is_rigid


@dataclass(frozen=True)
class Camera:
    """An X-ray view: where its source and detector are and how points project.

    Frames: `patient` is DICOM LPS, mm; `camera` has its origin at the source, +z perpendicular to
    the detector, +x to increasing column, +y to increasing row, mm; `image` is (u, v) = (column,
    row), pixel, with the centre of the first pixel at (0, 0).

    Attributes:
        size: (columns, rows).
        K: (3, 3) intrinsics, pixel. Pixels may be non-square, the principal point anywhere.
        camera_from_patient: (4, 4) rigid.
        source_to_detector_mm: needed only where lengths on the detector are asked for.

    Raises:
        InputError: if K is no intrinsic matrix or the pose is not rigid.
    """

    size: tuple[int, int]
    K: np.ndarray
    camera_from_patient: np.ndarray
    source_to_detector_mm: float | None = None

    def __post_init__(self):
        columns, rows = (int(n) for n in self.size)
        object.__setattr__(self, "size", (columns, rows))
        object.__setattr__(self, "K", np.array(self.K, dtype=float))
        object.__setattr__(self, "camera_from_patient", np.array(self.camera_from_patient, dtype=float))
        if columns < 1 or rows < 1:
            raise InputError(f"the image size {self.size} has no pixels")
        check_intrinsics(self.K)
        if not is_rigid(self.camera_from_patient):
            raise InputError(
                "camera_from_patient is not a rigid 4x4 transform (rotation with determinant +1)",
                remedy="a mirrored pose means that the image must be flipped, not the patient",
            )

    @property
    def patient_from_camera(self) -> np.ndarray:
        return inverse(self.camera_from_patient)

    @property
    def source_patient(self) -> np.ndarray:
        """The X-ray source (3,), patient, mm."""
        return self.patient_from_camera[:3, 3]

    @property
    def pixel_spacing_mm(self) -> tuple[float, float]:
        """(column, row) spacing on the detector, mm."""
        sdd = self.require_source_to_detector()
        return sdd / self.K[0, 0], sdd / self.K[1, 1]

    def require_source_to_detector(self) -> float:
        if self.source_to_detector_mm is None:
            raise InputError(
                "the source-to-detector distance of this view is unknown",
                remedy="add source_to_detector_mm to its camera file",
            )
        return self.source_to_detector_mm

    def moved(self, camera_from_patient: np.ndarray) -> "Camera":
        """The same camera at another pose."""
        return replace(self, camera_from_patient=camera_from_patient)

    def moved_as(self, before: np.ndarray, after: np.ndarray) -> "Camera":
        """This camera once its C-arm has gone as it went between two poses (4, 4), camera_from_patient.

        The motion is the same as seen from the camera, so whatever the camera's pose was found to be beside
        ``before``, it is the same beside ``after``.
        """
        return self.moved(after @ inverse(before) @ self.camera_from_patient)

    def project(self, points_patient: np.ndarray) -> np.ndarray:
        """Image positions (..., 2), pixel, of points (..., 3), patient, mm; NaN behind the source."""
        homogeneous = apply(self.camera_from_patient, points_patient) @ self.K.T
        depth = np.where(homogeneous[..., 2:] > 0, homogeneous[..., 2:], np.nan)
        return homogeneous[..., :2] / depth

    def ray_directions(self, points_image: np.ndarray) -> np.ndarray:
        """Camera-frame points (..., 3) with z = 1 on the rays through image points (..., 2)."""
        points_image = np.asarray(points_image, dtype=float)
        ones = np.ones((*points_image.shape[:-1], 1))
        return np.concatenate([points_image, ones], axis=-1) @ np.linalg.inv(self.K).T

    @property
    def rays(self) -> tuple[np.ndarray, np.ndarray]:
        """(3, 3) each: the camera-frame origin and direction, mm, of a pixel's ray from (u, v, 1)."""
        return np.zeros((3, 3)), np.linalg.inv(self.K)

    @property
    def has_source(self) -> bool:
        """Rays start at their origins; of a `ParallelCamera` they come from infinity."""
        return True

    def pixel_size_at(self, point_patient: np.ndarray) -> float:
        """The finer side of a pixel, mm, projected back to the depth of a point (3,), patient."""
        depth = np.linalg.norm(np.asarray(point_patient) - self.source_patient)
        return float(depth) / max(self.K[0, 0], self.K[1, 1])

    def cropped(self, first: tuple[int, int], size: tuple[int, int]) -> "Camera":
        """The camera of the sub-image of ``size`` whose first pixel is ``first`` = (column, row)."""
        K = self.K.copy()
        K[:2, 2] -= first
        return replace(self, size=size, K=K)

    def binning_to(self, pixels: int) -> int:
        """By how much to bin until the longer side has no more than so many pixels."""
        return max(1, -(-max(self.size) // pixels))

    def binned(self, factor: int) -> "Camera":
        """The camera of the image averaged in ``factor`` x ``factor`` blocks; a rest is cut off.

        The centre of the first block lies (factor - 1) / 2 pixels from the centre of its first pixel.
        """
        K = self.K.copy()
        K[:2, 2] = (K[:2, 2] - (factor - 1) / 2) / factor
        K[0, 0] /= factor
        K[0, 1] /= factor
        K[1, 1] /= factor
        return replace(self, size=(self.size[0] // factor, self.size[1] // factor), K=K)


def intrinsics(
    source_to_detector_mm: float,
    pixel_spacing_mm: tuple[float, float],
    principal_point: tuple[float, float],
) -> np.ndarray:
    """K (3, 3) from the source-to-detector distance, (column, row) spacing and (u, v) in pixels."""
    column_mm, row_mm = pixel_spacing_mm
    cx, cy = principal_point
    return np.array(
        [[source_to_detector_mm / column_mm, 0, cx], [0, source_to_detector_mm / row_mm, cy], [0, 0, 1.0]]
    )


def check_intrinsics(K: np.ndarray, where: object = None) -> None:
    """Raise InputError unless K is a 3x3 upper-triangular intrinsic matrix with positive focals.

    Args:
        where: what K is from, for the error.
    """
    if K.shape != (3, 3) or not np.isfinite(K).all():
        raise InputError("K is not a finite 3x3 matrix", where=where)
    if K[0, 0] <= 0 or K[1, 1] <= 0:
        raise InputError(
            f"K has focal lengths {K[0, 0]:g}, {K[1, 1]:g}",
            where=where,
            remedy="both must be positive pixels",
        )
    if not np.allclose([K[1, 0], K[2, 0], K[2, 1]], 0) or not np.isclose(K[2, 2], 1):
        raise InputError("K must be [[fx, s, cx], [0, fy, cy], [0, 0, 1]]", where=where, remedy="correct it")
