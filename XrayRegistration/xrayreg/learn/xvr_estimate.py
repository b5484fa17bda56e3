"""A network of xvr that is asked as ours are: what it says of the X-rays of one patient."""

from dataclasses import dataclass, replace

import numpy as np

from ..geometry import Camera, camera_from_diffdrr, diffdrr_from_camera, zxy_angles
from ..images import Volume, Xray
from .estimate import Estimate, combined
from .xvr_checkpoint import XvrNetwork

# xvr's networks say nothing of their errors: as much is expected of each, so that a search covers it.
_ROTATION_DEG, _ACROSS_MM, _DEPTH_MM = 6.0, 12.0, 30.0
_TURN_DEG = 360.0


@dataclass(frozen=True)
class XvrEstimator:
    """An `XvrNetwork` with the patient's CT: an `Estimator`.

    Attributes:
        volume, patient_from_template: as `XvrNetwork.poses` takes them.
    """

    network: XvrNetwork
    volume: Volume
    patient_from_template: np.ndarray | None = None

    @property
    def centre(self) -> np.ndarray:
        """(3,) the middle of the volume's box, patient, mm."""
        return self.volume.grid.centre_patient

    def estimated(self, xray: Xray) -> Estimate:
        """What xvr predicts first; the expected errors are assumed, or larger where its two answers differ.

        Raises:
            InputError: as `XvrNetwork.poses`.
        """
        poses = self.network.poses(xray, self.volume, self.patient_from_template)
        estimate = combined(poses, self.centre, _ROTATION_DEG, _ACROSS_MM, _DEPTH_MM)
        return replace(estimate, poses=poses)

    def outside(self, camera_from_patient: np.ndarray) -> dict[str, float]:
        """By how much a pose (4, 4) lies outside of those of the network's training, deg or mm.

        By xvr's names; empty inside, and where the checkpoint does not tell them.
        """
        if not self.network.ranges:
            return {}
        detector, centre = self.network.detector, self.centre
        if self.patient_from_template is not None:
            camera_from_patient, centre = camera_from_patient @ self.patient_from_template, np.zeros(3)
        size, K = (detector.height,) * 2, camera_from_diffdrr(detector.view(np.eye(4)), centre).K
        camera = Camera(size, K, camera_from_patient, detector.sdd)
        pose = diffdrr_from_camera(camera, centre, detector.orientation).pose
        values = [*np.degrees(zxy_angles(pose[:3, :3])), *(pose[:3, :3].T @ pose[:3, 3])]
        found = {}
        for (name, (low, high)), value, is_angle in zip(
            self.network.ranges.items(), values, [True] * 3 + [False] * 3, strict=True
        ):
            beyond = _beyond_turn(value, low, high) if is_angle else max(low - value, value - high, 0.0)
            if beyond > 0:
                found[name] = float(beyond)
        return found


def _beyond_turn(value: float, low: float, high: float) -> float:
    """By how much an angle lies outside of a range, the shorter way round."""
    above = (value - low) % _TURN_DEG
    return max(0.0, min(above - (high - low), _TURN_DEG - above))
