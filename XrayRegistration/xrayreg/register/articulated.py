"""A patient whose bones have moved, registered: where each is, and how far that can be trusted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..geometry import Camera, inverse, log_se3, nearest_rigid
from ..images import Xray
from .bodies import Body, Parts
from .confidence import Confidence
from .joint_problem import JointProblem, Posture, composite
from .joint_uncertainty import BodyUncertainty, body_uncertainties
from .links import Link
from .polyrigid import JointProgress, refine_bodies
from .rigid import rigs_of
from .stages import STAGES, Stage

_LEAST_LEAD = 6e-4  # of similarity; less than this is chance
_LEAST_SUPPORT = 4e-4
_UNSURE_MM = 1.5
_LEAST_TURN = 1e-6  # rad; below it has no axis


@dataclass(frozen=True)
class RegisteredBody:
    """One body, where it was found.

    Attributes:
        patient_from_rest: (4, 4) its motion since the preoperative scan, patient frame, mm.
        uncertainty: of that, relative to the views.
        lead: how much more alike the images are than with the body at the best different place that was
            found for it; None if none was looked for.
        support: how much more alike they are than without the body.
    """

    body: Body
    patient_from_rest: np.ndarray
    uncertainty: BodyUncertainty
    lead: float | None
    support: float

    @property
    def name(self) -> str:
        return self.body.name

    @property
    def labels(self) -> tuple[int, ...]:
        return self.body.labels

    @property
    def verdict(self) -> str:
        """ "accept", "review" or "reject"; the thresholds come from simulated chests (docs/polyrigid.md)."""
        return self._judged[0]

    @property
    def reasons(self) -> tuple[str, ...]:
        """For the verdict, in words."""
        return self._judged[1]

    @property
    def _judged(self) -> tuple[str, tuple[str, ...]]:
        standing, reasons = self.uncertainty.standing, []
        if standing == "out of view":
            return "reject", ("out of view: it is where its neighbours would bring it",)
        if standing == "undetermined":
            return "reject", (f"these views leave it open by {self.uncertainty.sigma_mm:.0f} mm",)
        if self.lead is not None and self.lead < 0:
            return "reject", ("another, different place fits better",)
        if self.support < 0:
            return "reject", ("the X-rays look more alike without it",)
        if self.support < _LEAST_SUPPORT:
            reasons.append("the X-rays hardly show it")
        if self.lead is None:
            reasons.append("no other place was looked for")
        elif self.lead < _LEAST_LEAD:
            reasons.append("another, different place fits almost as well")
        if standing == "one view":
            reasons.append("one view alone shows it: depth along its beam is the least certain")
        if self.uncertainty.sigma_mm > _UNSURE_MM:
            reasons.append(f"it may well be off by {self.uncertainty.sigma_mm:.1f} mm")
        return "review" if reasons else "accept", tuple(reasons)


@dataclass(frozen=True)
class Articulated:
    """All bodies.

    Attributes:
        parts: the bodies at rest, and what is no body, where it was found.
        remainder: (4, 4) the motion of that as a whole; the identity without a reference.
        cameras: of the views, where they were found.
        similarities: (V,) of the views.
    """

    bodies: tuple[RegisteredBody, ...]
    parts: Parts
    remainder: np.ndarray
    cameras: tuple[Camera, ...]
    similarities: np.ndarray

    def drr(self, camera: Camera) -> torch.Tensor:
        """[row, column] the DRR, the bodies where they are."""
        motions = [inverse(self.remainder) @ each.patient_from_rest for each in self.bodies]
        return composite(self.parts, camera.moved(camera.camera_from_patient @ self.remainder), motions)


def register_bodies(
    parts: Parts,
    xrays: Sequence[Xray],
    links: Sequence[Link] = (),
    reference: int | None = None,
    start: Sequence[np.ndarray] | None = None,
    stages: Sequence[Stage] = STAGES,
    progress: Callable[[JointProgress], None] = lambda state: None,
) -> Articulated:
    """Register every body of a patient in all views.

    Views and bodies can move together unseen, so one of them has to be held: either the first rig's views
    stay where they are given, and the bodies move, or one body is the reference, which counts as at rest.

    Args:
        xrays: their cameras hold the pose of the patient as a whole, as registered rigidly.
        reference: the number of the body that counts as at rest; None holds the first rig's views.
        start: (4, 4) of each body, about where it is; at rest if None.
        progress: called after each step; an exception it raises ends the registration.

    Raises:
        InputError: if no body projects into an X-ray.
    """
    motions = [np.eye(4)] * len(parts.bodies) if start is None else start
    rig_of = rigs_of(xrays)
    posture = Posture(np.stack(motions), np.stack([np.eye(4)] * (max(rig_of) + 1)))
    for state in refine_bodies(parts, xrays, posture, links, stages):
        progress(state)
    posture = replace(state.posture, motions=np.stack([nearest_rigid(m) for m in state.posture.motions]))
    last = stages[-1]
    problem = JointProblem(parts, xrays, rig_of, posture, last.level)
    uncertainties = body_uncertainties(problem, posture, links, last.link_weight)
    alike = problem.similarities(posture)
    held = np.eye(4) if reference is None else inverse(posture.motions[reference])
    bodies = tuple(
        RegisteredBody(
            body,
            held @ motion,
            uncertainties[number],
            state.leads.get(number),
            float(np.mean(alike - problem.similarities(posture, skip=[number]))),
        )
        for number, (body, motion) in enumerate(zip(parts.bodies, posture.motions, strict=True))
    )
    cameras = tuple(
        xray.camera.moved(nearest_rigid(xray.camera.camera_from_patient @ posture.rigs[rig] @ inverse(held)))
        for xray, rig in zip(xrays, rig_of, strict=True)
    )
    return Articulated(bodies, parts.with_tissue(posture.shifts), held, cameras, alike)


def confidence_in_bodies(found: Articulated) -> Confidence:
    """The statement on all bodies together: never "accept", as it rests on few simulated patients.

    Its probability is the share of bodies that are accepted, its TRE what is expected where they were found.
    """
    sure = [body for body in found.bodies if body.verdict == "accept"]
    lost = [body for body in found.bodies if body.verdict == "reject"]
    share = len(sure) / len(found.bodies)
    off = [body.uncertainty.pose.expected_tre_mm(body.body.points) for body in found.bodies]
    reasons = [f"{body.name}: {'; '.join(body.reasons)}" for body in found.bodies if body.reasons]
    reasons.insert(0, f"{len(sure)} of {len(found.bodies)} bodies are found beyond doubt")
    verdict = "reject" if 2 * len(lost) > len(found.bodies) else "review"
    return Confidence(verdict, share, float(np.mean(off)), float(np.percentile(off, 95)), tuple(reasons))


def joint_angle(
    one: RegisteredBody,
    other: RegisteredBody,
    since: tuple[RegisteredBody, RegisteredBody] | None = None,
) -> tuple[float, float]:
    """How far two bodies have turned against each other, and the spread of that, degrees.

    The spread is that of the turn's size, which is the error about its axis (of no turn: about any), of
    independent errors of the bodies; what their links hold is in it.

    Args:
        since: the two where they were before, as other X-rays were registered; else in the preoperative scan.
    """
    pairs = [(one, other)] if since is None else [(one, other), since]
    between = [inverse(a.patient_from_rest) @ b.patient_from_rest for a, b in pairs]
    turn = between[0] if since is None else between[0] @ inverse(between[1])
    # In the rest frame of `one`, to first order; its own errors before count alike along the turn's axis.
    carried = between[0][:3, :3]
    covariance = sum(_turns(a) + carried @ _turns(b) @ carried.T for a, b in pairs)
    vector = log_se3(turn)[:3]
    angle = float(np.linalg.norm(vector))
    variance = np.trace(covariance) / 3
    if angle > _LEAST_TURN:
        axis = vector / angle
        variance = axis @ covariance @ axis
    return float(np.degrees(angle)), float(np.degrees(np.sqrt(variance)))


def _turns(body: RegisteredBody) -> np.ndarray:
    """(3, 3) covariance of its turn, rad2, in its rest frame."""
    return body.uncertainty.pose.covariance[:3, :3]
