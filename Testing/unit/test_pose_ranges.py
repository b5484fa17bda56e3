"""Ranges of poses: files, draws, and how far outside a pose lies."""

import json

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import CArm, carm_angles_of
from xrayreg.learn import PoseRanges, ranges_from_json, read_ranges

CENTRE = np.array([5.0, 100.0, -700.0])
RANGES = PoseRanges((-30, 10), (0, 20), (-5, 5), (-40, 60), (10, 10), (600, 900))


def test_drawn_poses_fill_the_ranges_and_do_not_leave_them():
    poses = RANGES.sample(np.random.default_rng(0), 400, CENTRE)
    angles = np.array([carm_angles_of(pose[:3, :3].T) for pose in poses])
    places = poses[:, :3, :3] @ CENTRE + poses[:, :3, 3]
    low = np.concatenate([angles.min(axis=0), places.min(axis=0)])
    high = np.concatenate([angles.max(axis=0), places.max(axis=0)])
    np.testing.assert_allclose(low, [-30, 0, -5, -40, 10, 600], atol=4)
    np.testing.assert_allclose(high, [10, 20, 5, 60, 10, 900], atol=4)
    assert not any(RANGES.outside(pose, CENTRE) for pose in poses)


def test_the_middle_is_the_c_arm_at_the_middle_of_its_angles():
    expected = CArm(1000, 700, -10, 10, 0).camera_from_patient[:3, :3]
    np.testing.assert_allclose(RANGES.middle, expected, atol=1e-12)


def test_how_far_a_pose_is_outside():
    pose = CArm(1000, 700, 25, -2, 0, tuple(CENTRE)).camera_from_patient
    pose[:3, 3] += [0, 10, 250]  # the centre to (0, 10, 950)
    beyond = RANGES.outside(pose, CENTRE)
    assert beyond == pytest.approx({"primary_deg": 15, "secondary_deg": 2, "source_to_centre_mm": 50})


def test_ranges_go_through_a_file(tmp_path):
    path = tmp_path / "ranges.json"
    path.write_text(json.dumps(RANGES.as_json))
    assert read_ranges(path) == RANGES


def test_what_a_file_leaves_out_keeps_its_default():
    assert ranges_from_json({"primary_deg": [80, 100]}) == PoseRanges(primary_deg=(80, 100))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], "holds no ranges"),
        ({"alpha": [0, 1]}, "unknown range alpha"),
        ({"primary_deg": [10, -10]}, "primary_deg is 10 to -10"),
        ({"primary_deg": 10}, "primary_deg is 10"),
        ({"primary_deg": [0, float("nan")]}, "primary_deg is 0 to nan"),
        ({"secondary_deg": [0, 120]}, "beyond 90"),
        ({"source_to_centre_mm": [0, 500]}, "behind the source"),
        ({"schema_version": 2}, "schema_version 2"),
    ],
)
def test_impossible_ranges_are_refused_by_name(content, words):
    with pytest.raises(InputError, match=words):
        ranges_from_json(content, "ranges.json")


def test_a_file_that_is_no_json_is_refused_by_its_name(tmp_path):
    path = tmp_path / "ranges.json"
    path.write_text("primary: 3")
    with pytest.raises(InputError, match=r"ranges\.json.*JSON"):
        read_ranges(path)
