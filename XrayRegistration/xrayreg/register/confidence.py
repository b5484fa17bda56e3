"""From evidence to an honest statement: how likely the pose is right, how far off it may be, what to do.

A logistic model gives the probability that the mean TRE is below 2 mm. Of a pose that is right, and of one
that is not, the logarithm of the TRE has a normal distribution whose mean is linear in the same features; the
stated TRE is that of their mixture. The numbers were learned from simulated registrations of real CTs whose
error is known (`Testing/benchmarks/train_confidence.py` writes `confidence_model.py`). On real X-rays they
are an extrapolation: contrast, breathing and what was implanted since the CT are not among what was learned.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from . import confidence_model
from .evidence import Evidence

SUCCESS_MM = 2.0
_ACCEPTED, _REJECTED = 0.95, 0.2  # success probabilities
_LARGEST_P95_MM = 3.0  # of what is accepted
_STRAYED = 1.5


@dataclass(frozen=True)
class Confidence:
    """How far a registration can be trusted.

    Attributes:
        verdict: "accept", "review" or "reject".
        success_probability: that the mean TRE over the anatomy is below 2 mm.
        expected_tre_mm: mean TRE over the anatomy, expected.
        p95_tre_mm: below which it is with 95 %.
        reasons: in words, the gravest first.
    """

    verdict: str
    success_probability: float
    expected_tre_mm: float
    p95_tre_mm: float
    reasons: tuple[str, ...]


def features(evidence: Evidence) -> np.ndarray:
    """What the models see: ratios and logarithms of the evidence, within bounds."""
    e = evidence
    return np.array(
        [
            np.clip(e.similarity / max(e.reachable, 0.05), -0.2, 1.1),
            e.similarity,
            e.agreement,
            np.clip(e.lead, -0.3, 0.5),
            np.clip(e.mirrored_lead, -0.2, 0.3),
            _log(e.sigma_mm),
            _log(e.sigma_seen_mm),
            _log(e.regions_mm),
            _log(e.views_mm) * e.several_views,
            e.several_views,
            e.covered,
            e.inside,
            e.unlike,
        ]
    )


def confidence_in(evidence: Evidence, model: dict | None = None) -> Confidence:
    """The statement on one rig's pose."""
    model = confidence_model.MODEL if model is None else model
    x = (np.clip(features(evidence), model["low"], model["high"]) - model["mean"]) / model["deviation"]
    probability = 1 / (1 + math.exp(-np.clip(_linear(model["success"], x), -30, 30)))
    right = (_linear(model["right"], x), model["right_sigma"])
    wrong = (_linear(model["wrong"], x), model["wrong_sigma"])
    expected = probability * _mean(right) + (1 - probability) * _mean(wrong)
    p95 = _quantile(0.95, ((probability, right), (1 - probability, wrong)))
    grave, doubts = _grave(evidence), _doubts(evidence)
    if grave or probability < _REJECTED:
        verdict = "reject"
    elif probability >= _ACCEPTED and p95 <= _LARGEST_P95_MM and not doubts:
        verdict = "accept"
    else:
        verdict = "review"
    reasons = [*grave, *doubts, *_remarks(evidence)]
    if verdict != "accept" and not grave and not doubts:
        reasons.insert(0, f"the evidence together leaves {100 * (1 - probability):.0f} % for a wrong pose")
    if verdict == "accept":
        reasons.insert(0, "other starts, other parts of the images and the mirrored volume all speak for it")
    return Confidence(verdict, probability, expected, p95, tuple(reasons))


def not_of_a_ct(confidence: Confidence, volume: str) -> Confidence:
    """What is left of a statement where the volume is no CT: never "accept", as errors are known of CTs only.

    Args:
        volume: what it is, in words, as "an MR".
    """
    verdict = "review" if confidence.verdict == "accept" else confidence.verdict
    reason = f"the volume is {volume}; how far to trust that is known of CTs only"
    return replace(confidence, verdict=verdict, reasons=(*confidence.reasons, reason))


def doubted(confidence: Confidence, doubts: Sequence[str]) -> Confidence:
    """What is left of a statement where something else speaks against it, in words: not "accept"."""
    if not doubts:
        return confidence
    verdict = "review" if confidence.verdict == "accept" else confidence.verdict
    return replace(confidence, verdict=verdict, reasons=(*doubts, *confidence.reasons))


def least(statements: Sequence[Confidence]) -> Confidence:
    """Of several rigs' statements one for all: the worst of each."""
    worst = min(statements, key=lambda each: (_ORDER.index(each.verdict), each.success_probability))
    reasons = dict.fromkeys(reason for each in statements for reason in each.reasons)
    return Confidence(
        worst.verdict,
        worst.success_probability,
        max(each.expected_tre_mm for each in statements),
        max(each.p95_tre_mm for each in statements),
        tuple(reasons),
    )


_ORDER = ("reject", "review", "accept")


def _grave(e: Evidence) -> list[str]:
    reasons = []
    if e.lead < 0:
        reasons.append("another pose fits better: the registration ended in the wrong place")
    if e.mirrored_lead < 0:
        reasons.append("the mirrored volume fits better: check the side, and how the image is flipped")
    if e.similarity < 0.2 * e.reachable:
        reasons.append(
            f"the X-ray hardly resembles the DRR (similarity {e.similarity:.2f}, this volume could reach "
            f"{e.reachable:.2f}): another patient or region, or a failure"
        )
    if e.strayed > _STRAYED:
        reasons.append(
            f"the pose lies {e.strayed:.1f} times as far from its start as was searched: check the start and "
            "the camera's distances and pixel size, or give another view"
        )
    return reasons


def _doubts(e: Evidence) -> list[str]:
    reasons = []
    if 0 <= e.lead < 0.08:
        reasons.append("another, different pose fits almost as well")
    if 0 <= e.mirrored_lead < 0.03:
        reasons.append("the mirrored volume fits almost as well: the side cannot be told from these X-rays")
    if e.agreement < 0.2:
        reasons.append(f"{100 * e.agreement:.0f} % of other starts came to this pose")
    if e.views_mm > 1:
        reasons.append(f"the views pull apart by {e.views_mm:.1f} mm: check their relative geometry")
    if e.regions_mm > 1:
        reasons.append(f"parts of the images pull apart by {e.regions_mm:.1f} mm: something moved or bent")
    return reasons


def _remarks(e: Evidence) -> list[str]:
    reasons = []
    if not e.several_views:
        reasons.append(
            f"one view alone: depth along its beam is the least certain (noise alone moves points by "
            f"{e.sigma_mm:.1f} mm in space, {e.sigma_seen_mm:.1f} mm across the beam)"
        )
    if e.inside < 0.3:
        reasons.append("most of the volume projects outside the X-ray")
    if e.covered < 0.5:
        reasons.append(f"the volume covers {100 * e.covered:.0f} % of the X-ray")
    return reasons


def _linear(weights: Sequence[float], x: np.ndarray) -> float:
    """The first weight is the constant."""
    return float(weights[0] + np.dot(weights[1:], x))


def _mean(log_normal: tuple[float, float]) -> float:
    return math.exp(log_normal[0] + log_normal[1] ** 2 / 2)


def _quantile(level: float, mixture: Sequence[tuple[float, tuple[float, float]]]) -> float:
    """Of a mixture of log-normal distributions (share, (mu, sigma)), by bisection."""
    low, high = math.log(1e-3), math.log(1e3)
    for _ in range(60):
        middle = (low + high) / 2
        below = sum(
            share * 0.5 * (1 + math.erf((middle - mu) / (sigma * math.sqrt(2))))
            for share, (mu, sigma) in mixture
        )
        low, high = (middle, high) if below < level else (low, middle)
    return math.exp(high)


def _log(value: float) -> float:
    return math.log(max(value, 1e-3))
