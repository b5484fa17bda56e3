"""From evidence to a verdict: reasons in words, orderings that hold however the model was trained."""

import math
from dataclasses import astuple, replace

import numpy as np
import pytest
from xrayreg.register import Confidence, Evidence, confidence_in, least
from xrayreg.register.confidence import features

GOOD = Evidence(
    similarity=0.7,
    reachable=0.75,
    agreement=1.0,
    lead=0.5,
    mirrored_lead=0.2,
    sigma_mm=0.06,
    sigma_seen_mm=0.03,
    regions_mm=0.05,
    views_mm=0.05,
    several_views=1.0,
    covered=1.0,
    inside=1.0,
    unlike=0.1,
)
BAD = replace(
    GOOD, similarity=0.15, agreement=0.0, lead=-0.1, mirrored_lead=-0.1, sigma_mm=0.6, sigma_seen_mm=0.15
)
COUNT = len(features(GOOD))


NEAR, FAR = (math.log(0.5), 0.4), (math.log(20), 0.6)  # mean and deviation of the logarithm of mm


def model(success=0.0, right=NEAR, wrong=FAR, weights=None):
    """A model that ignores the evidence, or weighs the similarity's share of the reachable by ``weights``."""
    return {
        "low": [-10.0] * COUNT,
        "high": [10.0] * COUNT,
        "mean": [0.0] * COUNT,
        "deviation": [1.0] * COUNT,
        "success": [success, *(weights or [0.0] * COUNT)],
        "right": [right[0], *[0.0] * COUNT],
        "right_sigma": right[1],
        "wrong": [wrong[0], *[0.0] * COUNT],
        "wrong_sigma": wrong[1],
    }


SURE = model(success=40.0)


def said(statement, words):
    return any(words in reason for reason in statement.reasons)


def test_good_evidence_is_accepted_and_says_why():
    statement = confidence_in(GOOD)
    assert statement.verdict == "accept"
    assert statement.success_probability > 0.9
    assert statement.p95_tre_mm < 3
    assert statement.reasons == (
        "other starts, other parts of the images and the mirrored volume all speak for it",
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lead": -0.01}, "another pose fits better"),
        ({"mirrored_lead": -0.01}, "the mirrored volume fits better"),
    ],
)
def test_what_fits_better_rejects_however_sure_the_model_is(change, words):
    assert confidence_in(GOOD, SURE).verdict == "accept"
    statement = confidence_in(replace(GOOD, **change), SURE)
    assert statement.verdict == "reject"
    assert words in statement.reasons[0]


def test_an_unlike_xray_is_rejected_naming_both_similarities():
    # 0.2 of 0.8 is 0.16.
    statement = confidence_in(replace(GOOD, similarity=0.15, reachable=0.8), SURE)
    assert statement.verdict == "reject"
    assert "0.15" in statement.reasons[0]
    assert "0.80" in statement.reasons[0]
    assert confidence_in(replace(GOOD, similarity=0.17, reachable=0.8), SURE).verdict == "accept"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lead": 0.02}, "another, different pose fits almost as well"),
        ({"mirrored_lead": 0.01}, "the side cannot be told"),
        ({"agreement": 0.1}, "10 % of other starts"),
        ({"views_mm": 1.6}, "the views pull apart by 1.6 mm"),
        ({"regions_mm": 2.3}, "parts of the images pull apart by 2.3 mm"),
    ],
)
def test_a_doubt_leaves_it_to_review_at_best(change, words):
    doubtful = replace(GOOD, **change)
    statement = confidence_in(doubtful, SURE)
    assert statement.verdict == "review"
    assert said(statement, words)
    assert confidence_in(doubtful).verdict != "accept"


def test_grave_reasons_come_before_doubts_and_remarks():
    statement = confidence_in(replace(GOOD, lead=-0.1, views_mm=2.0, covered=0.4), SURE)
    assert [reason.split(":")[0] for reason in statement.reasons] == [
        "another pose fits better",
        "the views pull apart by 2.0 mm",
        "the volume covers 40 % of the X-ray",
    ]


def test_one_view_names_depth_and_both_errors():
    alone = replace(GOOD, several_views=0.0, views_mm=0.0, sigma_mm=1.2, sigma_seen_mm=0.3)
    statement = confidence_in(alone, SURE)
    (reason,) = [reason for reason in statement.reasons if "depth" in reason]
    assert "1.2 mm" in reason
    assert "0.3 mm" in reason
    assert not said(confidence_in(GOOD, SURE), "depth")


@pytest.mark.parametrize(
    ("success", "verdict"), [(-1.5, "reject"), (-1.3, "review"), (2.9, "review"), (3.0, "accept")]
)
def test_the_verdict_goes_by_the_probability(success, verdict):
    # 1 / (1 + exp(1.386)) = 0.2, 1 / (1 + exp(-2.944)) = 0.95.
    # The wrong branch is narrow and near, so the 95 % stay below 3 mm.
    near = model(success, right=(math.log(0.5), 0.2), wrong=(math.log(2.5), 0.01))
    statement = confidence_in(GOOD, near)
    assert statement.success_probability == pytest.approx(1 / (1 + math.exp(-success)), abs=1e-12)
    assert statement.verdict == verdict


def test_a_likely_pose_with_a_long_tail_is_not_accepted():
    # exp(ln 1.5 + 1.645 * 0.5) = 3.41 mm.
    assert confidence_in(GOOD, model(40.0, right=(math.log(1.5), 0.5))).verdict == "review"


@pytest.mark.parametrize("verdict_model", [model(-2.0), model(0.5), model(2.5)])
def test_without_a_single_reason_the_evidence_together_is_named(verdict_model):
    statement = confidence_in(GOOD, verdict_model)
    share = round(100 * (1 - statement.success_probability))
    assert f"leaves {share} % for a wrong pose" in statement.reasons[0]


@pytest.mark.parametrize(("success", "mu", "sigma"), [(1e3, math.log(0.5), 0.4), (-1e3, math.log(20), 0.6)])
def test_a_certain_branch_alone_gives_the_errors(success, mu, sigma):
    statement = confidence_in(GOOD, model(success))
    assert statement.success_probability == pytest.approx(float(success > 0), abs=1e-9)
    assert statement.p95_tre_mm == pytest.approx(math.exp(mu + 1.64485 * sigma), rel=1e-3)
    assert statement.expected_tre_mm == pytest.approx(math.exp(mu + sigma**2 / 2), rel=1e-6)


def test_of_two_distant_branches_the_95_percent_lie_in_the_wrong_one():
    # 80 % near 0.5 mm, 20 % near 20 mm: 95 % is where a quarter of the wrong ones lie above, z = 0.67449.
    statement = confidence_in(GOOD, model(math.log(4), (math.log(0.5), 0.1), (math.log(20), 0.3)))
    assert statement.success_probability == pytest.approx(0.8)
    assert statement.p95_tre_mm == pytest.approx(20 * math.exp(0.67449 * 0.3), rel=1e-3)
    expected = 0.8 * 0.5 * math.exp(0.005) + 0.2 * 20 * math.exp(0.045)
    assert statement.expected_tre_mm == pytest.approx(expected, rel=1e-9)


def test_evidence_beyond_what_was_learned_counts_as_its_bound():
    # The weight of the first feature, similarity / reachable, is 3, about a mean of 0.5, deviation 0.25.
    bounded = model(weights=[3.0] + [0.0] * (COUNT - 1))
    bounded.update(mean=[0.5] + [0.0] * (COUNT - 1), deviation=[0.25] + [1.0] * (COUNT - 1))
    bounded["high"] = [0.75] + [10.0] * (COUNT - 1)
    half = confidence_in(replace(GOOD, similarity=0.45, reachable=0.75), bounded)  # 0.6: 3 * 0.4
    assert half.success_probability == pytest.approx(1 / (1 + math.exp(-1.2)))
    for similarity in (0.6, 0.75):  # 0.8 and 1 count as 0.75: 3 * 1
        over = confidence_in(replace(GOOD, similarity=similarity, reachable=0.75), bounded)
        assert over.success_probability == pytest.approx(1 / (1 + math.exp(-3)))


def test_a_pose_far_beyond_what_was_searched_is_rejected():
    assert confidence_in(replace(GOOD, strayed=1.0)).verdict == "accept"
    statement = confidence_in(replace(GOOD, strayed=3.0))
    assert statement.verdict == "reject"
    assert said(statement, "3.0 times as far from its start as was searched")


def test_better_evidence_is_more_probable_and_errs_less():
    bad, good = np.array(astuple(BAD)), np.array(astuple(GOOD))
    steps = [confidence_in(Evidence(*(bad + part * (good - bad)))) for part in np.linspace(0, 1, 5)]
    probabilities = [step.success_probability for step in steps]
    assert probabilities == sorted(probabilities)
    assert probabilities[-1] > probabilities[0] + 0.5
    assert steps[-1].p95_tre_mm < steps[0].p95_tre_mm
    assert steps[-1].expected_tre_mm < steps[0].expected_tre_mm


def test_hopeless_evidence_is_rejected():
    statement = confidence_in(BAD)
    assert statement.verdict == "reject"
    assert statement.success_probability < 0.5
    assert statement.p95_tre_mm > 5


@pytest.mark.parametrize("seed", range(5))
def test_any_evidence_gives_a_probability_and_errors_above_zero(seed):
    generator = np.random.default_rng(seed)
    values = generator.uniform(-1, 1, COUNT) * 10.0 ** generator.integers(-6, 6, COUNT)
    statement = confidence_in(Evidence(*values))
    assert 0 <= statement.success_probability <= 1
    assert 0 < statement.expected_tre_mm < math.inf
    assert 0 < statement.p95_tre_mm < math.inf
    assert statement.verdict in ("accept", "review", "reject")


def test_features_stay_finite_for_evidence_of_nothing():
    assert np.isfinite(features(Evidence(*[0.0] * COUNT))).all()
    # A single view has nothing to say of views that pull apart, be it 0 mm or anything.
    alone = replace(GOOD, several_views=0.0)
    np.testing.assert_array_equal(
        features(replace(alone, views_mm=0.0)), features(replace(alone, views_mm=5.0))
    )


def test_of_several_rigs_the_worst_verdict_and_the_largest_errors_count():
    one = Confidence("review", 0.9, 0.5, 4.0, ("a", "b"))
    other = Confidence("reject", 0.95, 0.6, 2.0, ("b", "c"))
    third = Confidence("accept", 0.99, 0.2, 0.5, ("d",))
    assert least([one, other, third]) == Confidence("reject", 0.95, 0.6, 4.0, ("a", "b", "c", "d"))
    assert least([third]) == third
    # Of equal verdicts the less probable.
    assert least([one, replace(one, success_probability=0.7)]).success_probability == 0.7
