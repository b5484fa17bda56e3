"""The numbers of a quality card: by hand, and on X-rays of a small body with a network that is told."""

import json
from dataclasses import replace

import numpy as np
import phantom
import pytest
from xrayreg.evaluate import FreshXrays, quality_of, wilson_interval
from xrayreg.evaluate.fresh_xrays import length_in_rod
from xrayreg.evaluate.judged_view import JudgedView, PoseErrors, pose_errors, tilts, within_reach
from xrayreg.evaluate.quality import QualityCard, share, summary_of, warnings_of, worst
from xrayreg.geometry import Camera, about, carm_rotation, translation
from xrayreg.images import read_volume
from xrayreg.learn import Estimate, PoseRanges
from xrayreg.register import SearchRange
from xrayreg.results import card_page

NARROW = PoseRanges((-20, 20), (-15, 15), (-5, 5), (-15, 15), (-15, 15), (650, 750))


# --- By hand ---


@pytest.mark.parametrize(
    ("successes", "count", "low", "high"),
    [
        (8, 10, 0.49016, 0.94332),  # middle 0.71674, half 0.22658
        (0, 10, 0.0, 0.27754),  # z2 / (n + z2) = 3.84146 / 13.84146
        (10, 10, 0.72246, 1.0),
        (0, 0, 0.0, 1.0),
    ],
)
def test_wilson_interval(successes, count, low, high):
    assert wilson_interval(successes, count) == pytest.approx((low, high), abs=2e-5)


def test_length_of_a_ray_in_the_rod():
    """It is 7 mm thick and 150 mm long; here it lies 700 mm away along x."""
    middle, along = np.array([0.0, 0, 700]), np.array([1.0, 0, 0])
    through, beside, away = [0.0, 0, 1], [0, 2.8, 700], [0, 3.6, 700]
    rays = np.array([through, beside, away, [74, 0, 700], [90, 0, 700]])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    # 2.8 beside the axis 2 * sqrt(3.5^2 - 2.8^2) = 4.2 are left; the fourth ray is oblique.
    expected = [7, 4.2, 0, 7 * np.hypot(74, 700) / 700, 0]
    assert length_in_rod(rays, middle, along) == pytest.approx(expected, abs=2e-2)
    tilted = np.array([1.0, 0, 1]) / np.sqrt(2)
    assert length_in_rod(rays[:1], middle, tilted) == pytest.approx([7 * np.sqrt(2)])


def camera(pose=None) -> Camera:
    K = np.array([[2000.0, 0, 99.5], [0, 1000.0, 99.5], [0, 0, 1]])
    return Camera((200, 200), K, np.eye(4) if pose is None else pose)


def test_errors_of_known_wrong_poses():
    truth = camera()
    points = np.array([[0, 0, 500.0], [51, 0, 500], [0, -51, 500]])
    centre = points[0]
    aside = pose_errors(points, centre, translation(np.array([1.2, -1.6, 0])), truth)
    assert aside == PoseErrors(*map(pytest.approx, (0, 2, 0, 2, 2, 2)))
    # 10 mm further away, what is 51 mm beside the beam is shown 51 * 10 / 510 = 1 mm nearer to it.
    deeper = pose_errors(points, centre, translation(np.array([0, 0, 10.0])), truth)
    assert deeper == PoseErrors(*map(pytest.approx, (0, 0, 10, 2 / 3, 0, 10)))
    turned = pose_errors(points, centre, about(centre, [0, 0, np.pi / 3, 0, 0, 0]), truth)
    # Two of three points move by the chord 2 * 51 * sin(30 degrees) = 51.
    assert turned == PoseErrors(*map(pytest.approx, (60, 0, 0, 34, 34, 34)))
    assert deeper.success
    assert not aside.success


def test_a_pose_that_has_the_points_behind_the_source_is_as_wrong_as_can_be():
    points = np.array([[0, 0, 500.0]])
    behind = pose_errors(points, points[0], translation(np.array([0, 0, -600.0])), camera())
    assert behind.mpd_mm == 9999
    assert behind.depth_mm == pytest.approx(600)
    json.dumps(behind.mpd_mm, allow_nan=False)


@pytest.mark.parametrize(
    ("angles", "expected"),
    [
        ((30, 0, 0), (30, 30, 0)),
        ((-30, 0, 12), (30, -30, 0)),
        ((0, 20, 0), (20, 0, 20)),
        ((0, -20, 40), (20, 0, -20)),
        ((90, 0, 0), (90, 90, 0)),
    ],
)
def test_tilt_of_the_beam(angles, expected):
    pose = np.eye(4)
    pose[:3, :3] = carm_rotation(*angles).T
    assert tilts(pose, PoseRanges()) == pytest.approx(expected, abs=1e-9)


def test_tilt_is_from_the_middle_of_the_ranges_and_of_both_angles_less_than_their_sum():
    pose = np.eye(4)
    pose[:3, :3] = carm_rotation(90, 25).T
    lateral = PoseRanges(primary_deg=(60, 120), secondary_deg=(10, 20))
    assert tilts(pose, lateral) == pytest.approx((10, 0, 10), abs=1e-9)
    pose[:3, :3] = carm_rotation(45, 45).T  # cos 45 * cos 45 = cos 60
    assert tilts(pose, PoseRanges())[0] == pytest.approx(60)


def test_within_reach_of_the_search():
    """Turned about x by 10, about y by 20 and about z by 30 degrees, z first; shifted by 4, 5, 6 mm."""
    centre = np.array([10.0, -40, 70])
    turns = [about(centre, np.eye(6)[axis] * np.radians(10 * axis + 10)) for axis in range(3)]
    motion = translation(np.array([4.0, -5, 6])) @ turns[0] @ turns[1] @ turns[2]
    assert within_reach(SearchRange((10.1, 20.1, 30.1), (4.1, 5.1, 6.1)), motion, centre)
    for axis in range(3):
        less = [0.3 if other == axis else 0.0 for other in range(3)]
        turn = tuple(np.array([10.1, 20.1, 30.1]) - less)
        shift = tuple(np.array([4.1, 5.1, 6.1]) - less)
        assert not within_reach(SearchRange(turn, (9, 9, 9)), motion, centre)
        assert not within_reach(SearchRange((40, 40, 40), shift), motion, centre)


def view(number: int, start_mm: float, mpd_mm: float, verdict: str = "accept") -> JudgedView:
    start = PoseErrors(4.0, start_mm, 0.0, start_mm, start_mm, start_mm)
    found = PoseErrors(0.1, mpd_mm, 0.0, mpd_mm, mpd_mm, mpd_mm)
    place = (10.0, 5.0, 0.0, 11.0, 10.0, 5.0, 0.0, 0.0, 700.0, 1.0, False)
    return JudgedView(number, *place, start, found, start_mm < 50, 20.0, 50.0, verdict, 0.9, 2.0, 0.1, 1.0)


VIEWS = [view(1, 3, 0.2), view(2, 4, 0.5), view(3, 12, 0.1, "review"), view(4, 100, 30.0), view(5, 90, 0.3)]


def test_summary_of_views():
    found = summary_of(VIEWS)
    assert (found["success"]["count"], found["success"]["of"]) == (4, 5)
    assert found["success"]["share"] == 0.8
    assert found["in_reach"]["count"] == 3
    assert found["start"]["mtre_mm"] == {"median": 12, "p90": 96, "worst": 100}  # 90 + 0.6 * 10
    bins = [(b["from_mm"], b["to_mm"], b["count"], b["of"]) for b in found["success_by_start"]]
    assert bins == [(0, 5, 2, 2), (10, 20, 1, 1), (80, None, 1, 2)]
    assert found["verdicts"]["accept"] == {"right": 3, "wrong": 1}
    assert found["verdicts"]["review"] == {"right": 1, "wrong": 0}
    assert [v.number for v in worst(VIEWS)][:2] == [4, 2]


def test_warnings():
    few = warnings_of(summary_of(VIEWS), asked=8)
    assert [line.split()[0] for line in few] == ["only", "1", "stopped", "5"]
    many = [replace(VIEWS[0], number=n + 1) for n in range(40)]
    assert warnings_of(summary_of(many), asked=40) == []
    assert share([True] * 39 + [False])["share"] == 0.975


def test_the_card_as_json_is_strict_and_makes_the_page():
    card = QualityCard(tuple(VIEWS), 5, 3, (256, 256), PoseRanges().as_json, {"steps": 10})
    read = json.loads(json.dumps(card.as_json, allow_nan=False))
    assert read["schema_version"] == 1
    assert read["training"] == {"steps": 10}
    assert [v["success"] for v in read["views"]] == [True, True, True, False, True]
    assert read["views"][3]["found"]["mpd_mm"] == 30
    assert "<b>4 of 5</b> simulated X-rays" in card_page(read, {})


# --- On X-rays ---


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    return read_volume(phantom.write_ct(tmp_path_factory.mktemp("card") / "ct.nrrd"))


class Told:
    """A network that knows where the X-rays of a seed are from, and is off as it is asked to be.

    Attributes:
        off: motions (4, 4) of the patient by the name of the view.
        seen: the poses that it was shown.
    """

    ranges, reference, network_from_patient = NARROW, phantom.CENTRE, np.eye(4)

    def __init__(self, volume, seed: int, off: dict[str, np.ndarray]):
        self.centre, self.off, self.seen = self.reference, off, []
        self._source = FreshXrays(volume, nominal(), self, seed)

    def estimated(self, xray) -> Estimate:
        self.seen.append(xray.camera.camera_from_patient)
        truth = self._source.xray(int(xray.name.split()[1]) - 1).xray.camera
        pose = truth.camera_from_patient @ self.off.get(xray.name, np.eye(4))
        return Estimate(pose[None], 4.0, 5.0, 15.0)

    def outside(self, camera_from_patient) -> dict[str, float]:
        return {}


def nominal() -> Camera:
    """Where nobody said how far the detector is."""
    return replace(phantom.nominal_camera(0, 0), source_to_detector_mm=None)


def test_fresh_xrays(volume):
    network = Told(volume, 0, {})
    source = FreshXrays(volume, nominal(), network, 0)
    plain, disturbed = source.xray(0), source.xray(1)
    assert np.array_equal(FreshXrays(volume, nominal(), network, 0).xray(1).xray.line_integrals,
                          disturbed.xray.line_integrals)  # fmt: skip
    other = FreshXrays(volume, nominal(), network, 1).xray(0)
    assert not np.allclose(other.xray.camera.camera_from_patient, plain.xray.camera.camera_from_patient)
    for fresh in (plain, disturbed):
        assert NARROW.outside(fresh.xray.camera.camera_from_patient, phantom.CENTRE) == {}
        assert fresh.seen >= 0.5
    assert plain.xray.mask.all()
    assert not disturbed.xray.mask.all()
    assert not plain.disturbed
    assert disturbed.disturbed


def test_fresh_xrays_of_a_network_in_another_frame(volume):
    """A template 300 mm away: the ranges hold there."""
    network = Told(volume, 0, {})
    network.network_from_patient = translation(np.array([0, 0, 300.0]))
    network.reference = phantom.CENTRE + [0, 0, 300.0]
    fresh = FreshXrays(volume, nominal(), network, 0).xray(0)
    assert NARROW.outside(fresh.xray.camera.camera_from_patient, phantom.CENTRE) == {}
    assert NARROW.outside(fresh.network_pose, network.reference) == {}
    assert fresh.seen >= 0.5


def test_quality_of_a_network_that_is_right_near_and_lost(volume):
    """View 1 starts 7 mm beside the truth, view 2 so far off that the body is not in the X-ray."""
    off = {"view 1": translation(np.array([3.0, 6, 2])), "view 2": translation(np.array([900.0, 0, 0]))}
    network, told = Told(volume, 5, off), []
    card = quality_of(
        network, volume, nominal(), views=3, seed=5, progress=lambda *counts: told.append(counts),
        stop=lambda: len(told) == 2,
    )  # fmt: skip
    assert told == [(1, 3), (2, 3)]
    assert card.asked == 3
    near, lost = card.views
    assert near.start.mtre_mm == pytest.approx(7)
    assert near.start.rotation_deg == pytest.approx(0, abs=1e-6)
    assert near.in_reach
    assert near.found.success
    assert near.found.mpd_mm < 0.5
    assert lost.start.mtre_mm == pytest.approx(900)
    assert not lost.in_reach
    assert not lost.found.success
    assert lost.verdict == "reject"
    assert -20 <= near.primary_deg <= 20
    assert not near.disturbed
    assert lost.disturbed
    # No more than the middle of the ranges was told of the poses.
    middle = NARROW.middle_pose(phantom.CENTRE)
    assert np.allclose(network.seen, middle)
    assert list(card.images) == [2, 1]  # the worst first
    assert card.images[1].found.shape == card.images[1].xray.line_integrals.shape
    assert np.corrcoef(card.images[1].found.ravel(), card.images[1].xray.line_integrals.ravel())[0, 1] > 0.9


def test_stopped_before_the_first_view_there_is_no_card(volume):
    assert quality_of(Told(volume, 0, {}), volume, nominal(), stop=lambda: True) is None
