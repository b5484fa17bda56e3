"""From a network's answer to start poses: fields of X-rays, several glances, rigs of several views."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.geometry import Camera, CArm, about, inverse, rotation_angle_deg, translation
from xrayreg.images import Xray
from xrayreg.learn import (
    Estimate,
    NetworkConfig,
    PoseNetwork,
    PoseRanges,
    TrainedNetwork,
    combined,
    field_image,
    started_from_network,
)
from xrayreg.learn.codes import encode, fields_of

CENTRE = np.array([20.0, -30.0, 100.0])
SMALL = NetworkConfig(pixels=32, channels=(8, 8), blocks=(1, 1), cells=2)


def xray(pose: np.ndarray, name: str = "a", rig: str = "", size=(120, 90), focal=(300.0, 240.0)) -> Xray:
    K = np.array([[focal[0], 0, 50.0], [0, focal[1], 40.0], [0, 0, 1.0]])
    image = np.random.default_rng(0).normal(size=size[::-1]).astype(np.float32)
    return Xray(image, Camera(size, K, pose, 1000.0), np.ones(size[::-1], dtype=bool), name, rig)


def carm(primary: float, secondary: float = 0.0) -> np.ndarray:
    return CArm(1000, 700, primary, secondary, isocenter=tuple(CENTRE)).camera_from_patient


def network_that_says(code: torch.Tensor, frame: np.ndarray | None = None) -> TrainedNetwork:
    module = PoseNetwork(SMALL).eval()
    with torch.no_grad():
        module.head.bias[:9] = code
        module.head.bias[9:] = torch.log(torch.tensor([0.05, 0.01, 0.02]))
    extra = {} if frame is None else {"network_from_patient": frame}
    return TrainedNetwork(module, PoseRanges(), CENTRE, {}, **extra)


class Says:
    """A network that gives each view a pose that is known."""

    centre = CENTRE

    def __init__(self, **estimates: Estimate):
        self.estimates = estimates

    def estimated(self, xray: Xray) -> Estimate:
        return self.estimates[xray.name]

    def outside(self, camera_from_patient: np.ndarray) -> dict[str, float]:
        return PoseRanges().outside(camera_from_patient, CENTRE)


def test_the_field_shows_the_x_ray_where_its_camera_says():
    """A bright pixel of the X-ray lies in the field where the field's camera projects its ray."""
    taken = xray(np.eye(4), size=(128, 96))
    image = np.zeros((96, 128), dtype=np.float32)
    image[30:34, 100:104] = 1  # its middle: column 101.5, row 31.5
    values, mask, camera = field_image(replace(taken, line_integrals=image), 64)
    rows, columns = np.indices((64, 64))
    found = np.array([(values.numpy() * axis).sum() for axis in (columns, rows)]) / values.numpy().sum()
    ray = taken.camera.ray_directions(np.array([101.5, 31.5]))
    np.testing.assert_allclose(found, (camera.K @ ray)[:2], atol=0.1)
    # The longer way is across: 128 columns of focal 300 are 0.427, 96 rows of 240 are 0.4, nearly square.
    assert mask[32].all()
    assert mask[:, 32].float().mean() == pytest.approx(0.4 / (128 / 300), abs=0.04)


def test_masked_pixels_stay_masked_and_do_not_bleed():
    taken = xray(np.eye(4), size=(128, 128), focal=(300.0, 300.0))
    mask = np.ones((128, 128), dtype=bool)
    mask[:, :64] = False
    image = np.where(mask, 2.0, 1e6).astype(np.float32)
    values, inside, _ = field_image(replace(taken, line_integrals=image, mask=mask), 64)
    assert not inside[:, :31].any()
    assert inside[:, 33:].all()
    assert values[inside].max() == pytest.approx(2.0)


@pytest.mark.parametrize("frame", [None, about(CENTRE, [0.3, -0.2, 0.1, 40, 10, -20])])
def test_a_network_that_says_a_pose_gives_that_pose(frame):
    """Also one that was trained in another frame: the patient's camera sees the same."""
    truth = torch.as_tensor(carm(20, -10))[None]
    taken = xray(np.eye(4))
    middle = torch.as_tensor(PoseRanges().middle)
    code = encode(truth, torch.as_tensor(CENTRE), middle, fields_of([taken.camera]))[0]
    estimate = network_that_says(code.float(), frame).estimated(taken)
    glance = estimate.poses[1]  # the first is the mean with the other fields, to which the code means others
    expected = truth[0].numpy() @ (np.eye(4) if frame is None else frame)
    assert rotation_angle_deg(inverse(expected) @ glance) < 0.01
    np.testing.assert_allclose(glance[:3, 3], expected[:3, 3], atol=0.5)


def test_errors_are_those_expected_or_those_seen_whatever_is_larger():
    poses = np.stack([translation([x, 0, 0]) for x in (-4.0, 4.0)])
    estimate = combined(poses, np.zeros(3), rotation_deg=2.0, across_mm=1.0, depth_mm=3.0)
    np.testing.assert_allclose(estimate.poses[0], np.eye(4), atol=1e-12)
    assert (estimate.rotation_deg, estimate.across_mm, estimate.depth_mm) == pytest.approx((2, 4, 3))


def test_views_alone_start_where_the_network_says_and_the_search_covers_its_doubt():
    said = carm(30, 10) @ about(CENTRE, [0, 0, 0, 8, 0, 0])
    start = started_from_network(Says(a=Estimate(said[None], 4.0, 2.0, 12.0)), [xray(np.eye(4))])
    np.testing.assert_allclose(start.xrays[0].camera.camera_from_patient, said, atol=1e-9)
    assert start.search.rotation_deg[0] == pytest.approx(10.0)  # 2.5 times the expected error
    assert start.search.translation_mm[0] == pytest.approx(30.0)
    assert "off by 4.0 degrees" in start.xrays[0].notes[-1]
    assert start.outside == {}


def test_of_a_rig_each_view_tells_the_depth_of_the_other():
    """Two views at right angles: each is right across its beam and 50 mm off along it."""
    truth = about(CENTRE, [0.1, 0.2, -0.1, 15, -10, 5])
    starts = {"a": carm(0), "b": carm(90)}
    off = [translation([0, 0, 50]) @ starts[name] @ truth for name in starts]
    says = Says(**{n: Estimate(pose[None], 3.0, 1.0, 100.0) for n, pose in zip(starts, off, strict=True)})
    found = started_from_network(says, [xray(pose, name, "rig") for name, pose in starts.items()])
    for each in found.xrays:
        motion = inverse(starts[each.name]) @ each.camera.camera_from_patient
        assert np.linalg.norm((motion @ [*CENTRE, 1] - truth @ [*CENTRE, 1])[:3]) < 0.1
        assert rotation_angle_deg(inverse(motion) @ truth) < 0.01
    assert found.search.translation_mm[0] == 100.0  # each alone doubts its depth


def test_a_pose_outside_of_the_ranges_is_told():
    start = started_from_network(Says(a=Estimate(carm(60)[None], 4.0, 2.0, 12.0)), [xray(np.eye(4))])
    assert start.outside["a"] == pytest.approx({"primary_deg": 15.0})


def test_an_answer_that_is_no_pose_is_refused():
    network = network_that_says(torch.full((9,), float("nan")))
    with pytest.raises(InputError, match="no pose"):
        network.estimated(xray(np.eye(4)))
