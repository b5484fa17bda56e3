"""registration.json; docs/files.md tells its fields."""

import numpy as np

from ..register import PoseUncertainty, RegisteredBody, RegisteredView, groups, joint_angle
from .noise import BlendNoise
from .outcome import Outcome

SCHEMA_VERSION = 1


def registration_json(outcome: Outcome) -> dict:
    """The content of registration.json."""
    registration, sure, uncertainties = outcome.registration, outcome.confidence, outcome.uncertainties
    fields = {
        "schema_version": SCHEMA_VERSION,
        "software": outcome.software,
        "inputs": outcome.inputs,
        "model": "rigid" if outcome.articulated is None else "polyrigid",
        "views": [_view_json(view, uncertainties[view.name]) for view in registration.views],
        "bodies": _bodies_json(outcome),
        **_joints_json(outcome),
        "targets": targets_json(outcome),
        "confidence": {
            "verdict": sure.verdict,
            "success_probability": round(sure.success_probability, 4),
            "expected_tre_mm": round(sure.expected_tre_mm, 3),
            "p95_tre_mm": round(sure.p95_tre_mm, 3),
            "reasons": list(sure.reasons),
        },
        "timing_s": {stage: round(value, 3) for stage, value in registration.seconds.items()},
    }
    if outcome.review is not None:
        fields["review"] = {"decision": outcome.review.decision, "comment": outcome.review.comment}
    return fields


def _bodies_json(outcome: Outcome) -> list[dict]:
    if outcome.articulated is None:
        return [
            {
                "name": outcome.registration.volume.name,
                "label": None,
                "patient_from_rest": np.eye(4).tolist(),
                "covariance": _body_covariance(outcome),
            }
        ]
    return [_body_json(body) for body in outcome.articulated.bodies]


def _joints_json(outcome: Outcome) -> dict:
    if not outcome.joints:
        return {}
    by_name = {body.name: body for body in outcome.articulated.bodies}
    found = []
    for a, b in outcome.joints:
        angle, spread = joint_angle(by_name[a], by_name[b])
        found.append({"a": a, "b": b, "angle_deg": round(angle, 3), "sigma_deg": round(spread, 3)})
    return {"joints": found}


def _body_json(found: RegisteredBody) -> dict:
    return {
        "name": found.name,
        "label": found.labels[0] if len(found.labels) == 1 else None,
        "labels": list(found.labels),
        "patient_from_rest": found.patient_from_rest.tolist(),
        "covariance": found.uncertainty.pose.covariance.tolist(),
        "verdict": found.verdict,
        "reasons": list(found.reasons),
        "expected_tre_mm": round(found.uncertainty.sigma_mm, 3),
        "seen": [round(float(part), 3) for part in found.uncertainty.seen],
    }


def targets_json(outcome: Outcome) -> list[dict]:
    """Every point of the plan, and how far it may be off in each view; nothing of gross failure.

    By noise alone, if the whole was registered as one.
    """
    noise = {view.name: outcome.noise(view.name) for view in outcome.registration.views}
    return [
        {
            "markup": markup.name,
            "point": label,
            **_at_body(outcome, point),
            error_field(outcome): {name: round(of.expected_tre_mm(point), 3) for name, of in noise.items()},
        }
        for markup in outcome.overlay.markups
        for point, label in zip(markup.points, markup.labels, strict=True)
    ]


def error_field(outcome: Outcome) -> str:
    """The field of a target that tells how far it may be off."""
    return "noise_tre_mm" if outcome.blend is None else "expected_tre_mm"


def _at_body(outcome: Outcome, point: np.ndarray) -> dict:
    if outcome.blend is None:
        return {}
    body = BlendNoise(outcome.articulated, outcome.blend).body_at(point)
    return {"body": body.name, "verdict": body.verdict}


def _body_covariance(outcome: Outcome) -> list | None:
    """That of the views if all moved together."""
    views = outcome.registration.views
    if len(groups([view.xray for view in views])) > 1:
        return None
    return outcome.uncertainties[views[0].name].covariance.tolist()


def _view_json(view: RegisteredView, uncertainty: PoseUncertainty) -> dict:
    return {
        "name": view.name,
        "size": list(view.camera.size),
        "K": view.camera.K.tolist(),
        "camera_from_patient": view.camera.camera_from_patient.tolist(),
        "initial_camera_from_patient": view.xray.camera.camera_from_patient.tolist(),
        "similarity": round(view.similarity, 6),
        "initial_similarity": round(view.initial_similarity, 6),
        "covariance": uncertainty.covariance.tolist(),
    }
