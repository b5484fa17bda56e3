"""How far a registration is from the truth.

Every error compares where the *same patient point* comes to lie: ``camera_from_patient @ p`` for the
two poses. Definitions: E. B. van de Kraats et al., "Standardized evaluation methodology for 2-D-3-D
registration", IEEE TMI 24 (2005): TRE (equation 2), projection distance (4), reprojection distance
(5).
"""

import numpy as np

from ..geometry import Camera, apply


def tre(points_patient: np.ndarray, estimated: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Target registration error (n,), mm: the distance between a point under the two poses.

    Args:
        points_patient: (n, 3), patient, mm.
        estimated, truth: (4, 4) camera_from_patient.
    """
    return np.linalg.norm(apply(estimated, points_patient) - apply(truth, points_patient), axis=-1)


def projection_distance(points_patient: np.ndarray, estimated: Camera, truth: Camera) -> np.ndarray:
    """Distance (n,) on the detector between the images of a point under the two poses, mm.

    Raises:
        InputError: if the true camera has no source-to-detector distance.
    """
    pixels = estimated.project(points_patient) - truth.project(points_patient)
    return np.linalg.norm(pixels * truth.pixel_spacing_mm, axis=-1)


def reprojection_distance(points_patient: np.ndarray, estimated: Camera, truth: Camera) -> np.ndarray:
    """Distance (n,), mm, from a point's true place to the ray on which the estimate shows it.

    The ray runs from the source through the image of the point under the estimated pose; depth along
    the ray, which one view hardly sees, does not count.
    """
    at_truth = apply(truth.camera_from_patient, points_patient)
    direction = truth.ray_directions(estimated.project(points_patient))
    direction = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
    return np.linalg.norm(np.cross(at_truth, direction), axis=-1)
