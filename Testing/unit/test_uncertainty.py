"""The covariance of a pose: what it leaves of points, by hand; whether results scatter as it says."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from test_register import CENTRE, DENSITY, TARGETS, VIEWS, final, started
from test_register import truth as truth  # the fixture
from xrayreg.geometry import about, apply, exp_se3
from xrayreg.register import DEFAULT_LEVELS, PoseUncertainty, gather, refine
from xrayreg.register.uncertainty import block_sums, pose_uncertainty
from xrayreg.similarity import PatchEquations


def spd(seed):
    """A (6, 6) covariance of turns of about 0.2 degrees and shifts of about 0.3 mm, all correlated."""
    root = np.random.default_rng(seed).normal(size=(6, 6)) * np.array([[0.0015] * 3 + [0.15] * 3]).T
    return root @ root.T


def moved_points(covariance, points, count=10000):
    """(count, n, 3) where drawn twists put the points."""
    twists = np.random.default_rng(7).multivariate_normal(np.zeros(6), covariance, count)
    motions = np.stack([exp_se3(twist) for twist in twists])
    return points @ motions[:, :3, :3].transpose(0, 2, 1) + motions[:, None, :3, 3]


# --- Of points. ---


def test_a_shift_moves_every_point_alike():
    uncertainty = PoseUncertainty(np.diag([0, 0, 0, 1.0, 4, 9]))
    points = np.array([[0.0, 0, 0], [100, -50, 30]])
    np.testing.assert_allclose(uncertainty.of_points(points), [np.diag([1, 4, 9])] * 2)
    assert uncertainty.expected_tre_mm(points) == pytest.approx(np.sqrt(14))


def test_a_turn_about_z_moves_a_point_along_its_circle():
    # (30, 40, 0) at 50 mm from the axis, 0.01 rad: 0.5 mm along (-0.8, 0.6, 0).
    uncertainty = PoseUncertainty(np.diag([0, 0, 1e-4, 0, 0, 0]))
    points = np.array([[30.0, 40, 0], [0, 0, 70]])
    tangent = np.array([-0.8, 0.6, 0])
    on_circle, on_axis = uncertainty.of_points(points)
    np.testing.assert_allclose(on_circle, 0.25 * np.outer(tangent, tangent), atol=1e-15)
    np.testing.assert_allclose(on_axis, 0, atol=1e-15)
    assert uncertainty.expected_tre_mm(points[:1]) == pytest.approx(0.5)
    # Root mean square, not mean: 0.5 and 0.
    assert uncertainty.expected_tre_mm(points) == pytest.approx(0.5 / np.sqrt(2))


def test_a_turn_and_a_shift_that_go_together_leave_their_centre_in_place():
    # About (10, 0, 0): omega_z = t goes with v = -t z x (10, 0, 0) = (0, -10 t, 0).
    twist = np.array([0, 0, 1, 0, -10.0, 0])
    uncertainty = PoseUncertainty(1e-4 * np.outer(twist, twist))
    still, moving = uncertainty.of_points(np.array([[10.0, 0, 0], [40, 0, 5]]))
    np.testing.assert_allclose(still, 0, atol=1e-15)
    np.testing.assert_allclose(moving, np.diag([0, 0.09, 0]), atol=1e-15)  # 30 mm * 0.01


def test_points_scatter_as_drawn_twists_move_them():
    covariance = spd(0)
    points = np.array([[20.0, -30, 60], [-50, 10, 0]])
    drawn = moved_points(covariance, points)
    for number, expected in enumerate(PoseUncertainty(covariance).of_points(points)):
        np.testing.assert_allclose(np.cov(drawn[:, number].T), expected, atol=0.05 * np.trace(expected))


@pytest.mark.parametrize("name", list(VIEWS))
def test_the_image_of_a_point_scatters_as_drawn_twists_project_it(name):
    camera = VIEWS[name].camera((256, 256), (0.9, 0.9))
    covariance, point = spd(1), CENTRE + [15, -10, 30]
    pixels = camera.project(moved_points(covariance, point[None])[:, 0])
    expected = PoseUncertainty(covariance).in_image(camera, point)
    np.testing.assert_allclose(np.cov(pixels.T), expected, atol=0.05 * np.trace(expected))
    # Its ellipse of 2.45 standard deviations holds 95 %.
    away = pixels - camera.project(point[None])[0]
    inside = np.einsum("ni,ij,nj->n", away, np.linalg.inv(expected), away) < 2.45**2
    assert inside.mean() == pytest.approx(0.95, abs=0.015)


# --- From patches. ---


def equations(centres, gradients, hessians):
    count = len(centres)
    return PatchEquations(
        *(torch.as_tensor(np.array(part, dtype=float)) for part in (centres, np.ones(count), np.ones(count))),
        torch.as_tensor(np.array(hessians, dtype=float)),
        torch.as_tensor(np.array(gradients, dtype=float)),
    )


def test_blocks_sum_their_patches_and_those_without_any_are_left_out():
    # 2 x 2 blocks of an image 20 wide and 10 high: left above, right above, right below; one on the edge.
    centres = [(1, 1), (9.9, 4.9), (10, 0), (20, 9), (19, 10)]
    gradients = np.arange(1, 6)[:, None] * np.eye(6)[0]
    hessians = np.arange(1, 6)[:, None, None] * np.eye(6)
    sums, matrices = block_sums(equations(centres, gradients, hessians), (20, 10), 2)
    assert sums[:, 0].tolist() == [3, 3, 9]
    assert (sums[:, 1:] == 0).all()
    np.testing.assert_allclose(matrices, np.array([3, 3, 9])[:, None, None] * np.eye(6))


def problem_of(*sizes, centre=(0, 0, 0)):
    views = [SimpleNamespace(camera=SimpleNamespace(size=size)) for size in sizes]
    return SimpleNamespace(views=views, centre=np.array(centre, dtype=float))


# 6 blocks of 10 pixels each way; two patches, in blocks of their own.
APART = [(5, 5), (35, 5)]


def test_the_covariance_is_the_scatter_between_two_inverse_hessians():
    # H = 2 * diag(4) = 8 I, gradients +-g along x: centred squares 2 g^2, times 2 / (2 - 1): 4 g^2; g = 2.
    part = equations(APART, [2 * np.eye(6)[3], -2 * np.eye(6)[3]], [4 * np.eye(6)] * 2)
    covariance = pose_uncertainty(problem_of((60, 60)), np.eye(4), [part]).covariance
    expected = np.zeros((6, 6))
    expected[3, 3] = 16 / 64
    np.testing.assert_allclose(covariance, expected, rtol=1e-6)


def test_what_pulls_all_blocks_alike_is_no_scatter():
    part = equations(APART, [np.ones(6)] * 2, [np.eye(6)] * 2)
    covariance = pose_uncertainty(problem_of((60, 60)), np.eye(4), [part]).covariance
    np.testing.assert_allclose(covariance, 0, atol=1e-12)


def test_of_two_equal_views_the_variance_is_half_of_one():
    part = equations(APART, [np.arange(6.0), -np.arange(6.0)], [np.eye(6)] * 2)
    one = pose_uncertainty(problem_of((60, 60)), np.eye(4), [part]).covariance
    two = pose_uncertainty(problem_of((60, 60), (60, 60)), np.eye(4), [part, part]).covariance
    np.testing.assert_allclose(two, one / 2, rtol=1e-6)


def test_the_covariance_counts_twists_at_the_registered_pose_not_at_the_centre():
    # Turns about the centre (100, 0, 0), left of a motion that put the anatomy there from the origin.
    turning = np.eye(6)[2]
    part = equations(APART, [turning, -turning], [np.eye(6)] * 2)  # H = 2 I, scatter 4: variance 1 rad^2
    motion = exp_se3([0.3, -0.2, 0.5, 7, 8, 9])
    centre = np.array([100.0, 0, 0])
    found = pose_uncertainty(problem_of((60, 60), centre=centre), motion, [part]).covariance
    # exp(twist about the centre) motion = motion exp(twist'), by differences.
    step = 1e-6
    points = np.array([[10.0, 20, 30], [-40, 5, 60]])
    moved = apply(np.linalg.inv(motion) @ about(centre, step * turning) @ motion, points)
    for each, way in zip(PoseUncertainty(found).of_points(points), (moved - points) / step, strict=True):
        np.testing.assert_allclose(each, np.outer(way, way), rtol=1e-3, atol=1e-3)


def test_a_direction_that_nothing_shows_stays_finite():
    seen = np.diag([1.0, 1, 1, 1, 1, 0])
    part = equations(APART, [np.ones(6), -np.ones(6)], [seen] * 2)
    covariance = pose_uncertainty(problem_of((60, 60)), np.eye(4), [part]).covariance
    assert np.isfinite(covariance).all()
    assert covariance[5, 5] > 1e6 * covariance[4, 4]


# --- Against what happens. ---


def test_results_of_noisy_copies_scatter_as_the_covariance_expects(truth):
    # Noise of 0.01 is some 2.5 times that of the X-rays themselves, which all copies share.
    start = about(CENTRE, [*np.radians([0.3, -0.4, 0.3]), 0.5, -0.6, 0.4])
    generator = np.random.default_rng(0)
    found, expected = [], []
    for number in range(8):
        noisy = [
            replace(xray, line_integrals=xray.line_integrals + noise.astype(np.float32))
            for xray, noise in zip(truth, generator.normal(0, 0.01, (2, 256, 256)), strict=True)
        ]
        xrays = started(noisy, start)
        motion = final(refine(DENSITY, xrays, DEFAULT_LEVELS[-1:], search=None)).patient_motion
        found.append(apply(start @ motion, TARGETS))
        if number < 2:
            expected.append(gather(DENSITY, started(xrays, motion))[1].expected_tre_mm(TARGETS))
    scatter = np.sqrt(np.var(found, axis=0, ddof=1).sum(axis=1).mean())
    print(f"expected {np.mean(expected):.4f} mm, scatter {scatter:.4f} mm")
    assert 0.5 < np.mean(expected) / scatter < 2
