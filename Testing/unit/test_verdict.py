"""What is said of a registration without a calibrated confidence: never "accept"."""

import numpy as np
import pytest
from xrayreg.geometry import CArm
from xrayreg.images import Xray
from xrayreg.register import RegisteredView, judge


def view(name, similarity, initial=0.1):
    camera = CArm(1000.0, 700.0, 0.0, 0.0).camera((4, 3), (1.0, 1.0))
    xray = Xray(np.zeros((3, 4), np.float32), camera, np.ones((3, 4), bool), name)
    return RegisteredView(xray, camera, similarity, initial)


def test_the_best_there_is_is_review_with_the_request_to_look():
    verdict, reasons = judge((view("ap", 1.0), view("lateral", 0.99)))
    assert verdict == "review"
    assert len(reasons) == 1
    assert "look at the overlays" in reasons[0]


def test_one_view_that_is_not_alike_rejects_all():
    verdict, reasons = judge((view("ap", 0.97), view("lateral", 0.11, initial=0.05)))
    assert verdict == "reject"
    assert len(reasons) == 1
    assert reasons[0].startswith("lateral: ")
    assert "0.11" in reasons[0]


@pytest.mark.parametrize(("similarity", "verdict"), [(0.19, "reject"), (-0.3, "reject"), (0.21, "review")])
def test_alike_begins_at_a_fifth(similarity, verdict):
    assert judge((view("ap", similarity, initial=-0.5),))[0] == verdict


def test_no_gain_over_the_start_is_named_but_does_not_reject():
    verdict, reasons = judge((view("ap", 0.6, initial=0.6), view("lateral", 0.7, initial=0.3)))
    assert verdict == "review"
    assert [reason for reason in reasons if reason.startswith("ap: no more alike than at the start")]
    assert not any(reason.startswith("lateral") for reason in reasons)


def test_views_registered_alone_are_named_with_what_one_view_cannot_see():
    verdict, reasons = judge((view("ap", 0.9), view("lateral", 0.9)), alone=("lateral",))
    assert verdict == "review"
    (reason,) = [reason for reason in reasons if "alone" in reason]
    assert reason.startswith("lateral: ")
    assert "depth" in reason


def test_every_reason_is_one_line():
    _, reasons = judge((view("ap", 0.5, initial=0.6),), alone=("ap",))
    assert len(reasons) == 3
    assert not any("\n" in reason for reason in reasons)
