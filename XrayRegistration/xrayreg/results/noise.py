"""How far points may be off that go with bodies registered each by itself; nothing of gross failure."""

from dataclasses import dataclass

import numpy as np

from ..deform import Blend
from ..geometry import apply, inverse
from ..register import Articulated, PointUncertainty, RegisteredBody


@dataclass(frozen=True)
class BlendNoise(PointUncertainty):
    """Of points as they are now: relative to the views, as the bodies' own are.

    A point's covariance is the mean of what it would be with each of the bodies that move it, by their shares
    in the blend: in a body it is that body's.
    """

    found: Articulated
    blend: Blend

    def of_points(self, points_patient: np.ndarray) -> np.ndarray:
        points = np.atleast_2d(points_patient)
        by_labels = {body.labels: body for body in self.found.bodies}
        shares, total = self.blend.field.shares(points), np.zeros((len(points), 3, 3))
        for labels, share in zip(self.blend.motions, shares.T, strict=True):
            body = by_labels[labels]
            # A body's covariance is of a twist right of its motion: in the frame in which it lay at rest.
            turn = body.patient_from_rest[:3, :3]
            at_rest = body.uncertainty.pose.of_points(apply(inverse(body.patient_from_rest), points))
            total += share[:, None, None] * (turn @ at_rest @ turn.T)
        return total

    def body_at(self, point_patient: np.ndarray) -> RegisteredBody:
        """The body that lay nearest to a point (3,), patient, mm, as it is now; found or not."""
        at_rest = self.blend.field.rest_from_patient(point_patient)
        return min(
            self.found.bodies, key=lambda each: np.linalg.norm(each.body.points - at_rest, axis=1).min()
        )
