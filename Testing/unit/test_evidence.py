"""What speaks for a pose and against it: at the true pose, away from it, mirrored, in noise, in one view."""

from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from test_register import AWAY, DENSITY, SMALL, errors_mm, started
from test_register import truth as truth  # the fixture
from xrayreg.errors import InputError
from xrayreg.geometry import exp_se3
from xrayreg.register import Evidence, gather
from xrayreg.render import Density


@pytest.fixture(scope="module")
def at_truth(truth):
    return gather(DENSITY, truth)


@pytest.fixture(scope="module")
def of_one_view(truth):
    return gather(DENSITY, truth[:1])


def test_everything_speaks_for_the_true_pose(at_truth):
    evidence, _, better = at_truth
    assert better is None
    assert evidence.agreement == 1
    assert evidence.lead > 0.3
    assert evidence.mirrored_lead > 0
    assert evidence.several_views == 1
    # The X-rays are cropped to the volume, and show all of it.
    assert evidence.covered > 0.9
    assert evidence.inside == 1
    # Tissue without bone is noise: about half of the patches show nothing of the volume.
    assert 0.2 < evidence.unlike < 0.6


def test_at_the_true_pose_the_similarity_is_nearly_what_can_be_reached(at_truth):
    evidence, _, _ = at_truth
    assert 0.7 * evidence.reachable < evidence.similarity < 1.05 * evidence.reachable
    assert evidence.reachable < 0.9  # the noise takes its part


def test_at_the_true_pose_nothing_pulls_further_than_a_voxel(at_truth):
    evidence, uncertainty, _ = at_truth
    assert 0 < evidence.views_mm < 0.5
    assert 0 < evidence.regions_mm < 1
    assert 0.01 < evidence.sigma_seen_mm < evidence.sigma_mm < 0.5
    covariance = uncertainty.covariance
    np.testing.assert_allclose(covariance, covariance.T, rtol=1e-6, atol=1e-12)
    assert np.linalg.eigvalsh(covariance).min() > 0


def test_the_values_are_those_of_the_fields_in_order(at_truth):
    evidence, _, _ = at_truth
    assert evidence == Evidence(*astuple(evidence))


def test_8_degrees_and_20_mm_off_a_better_pose_is_found_and_leads_back(truth):
    xrays = started(truth, AWAY)
    evidence, _, better = gather(DENSITY, xrays)
    assert evidence.lead < 0
    assert evidence.agreement < 0.2
    assert evidence.similarity < 0.6 * evidence.reachable
    assert min(errors_mm(xrays, np.eye(4))) > 17
    assert max(errors_mm(xrays, better)) < 3  # on the right of the poses


def test_of_a_mirrored_volume_the_mirrored_one_fits_better(truth, at_truth):
    mirrored, _, _ = gather(Density(DENSITY.values.flip(2), DENSITY.grid), truth)
    assert mirrored.mirrored_lead < 0 < at_truth[0].mirrored_lead
    assert mirrored.similarity < at_truth[0].similarity


def test_nothing_speaks_for_a_pose_in_pure_noise(truth):
    noise = np.random.default_rng(0).normal(3, 1, (2, 256, 256)).astype(np.float32)
    xrays = [replace(xray, line_integrals=image) for xray, image in zip(truth, noise, strict=True)]
    evidence, _, _ = gather(DENSITY, xrays)
    assert abs(evidence.similarity) < 0.1
    assert abs(evidence.lead) < 0.1
    assert abs(evidence.mirrored_lead) < 0.1
    assert evidence.agreement < 0.2
    assert evidence.unlike > 0.9


def test_one_view_alone_says_little_along_its_beam(of_one_view, at_truth):
    evidence, uncertainty, _ = of_one_view
    assert evidence.several_views == 0
    assert evidence.views_mm == 0
    assert evidence.sigma_mm > 2 * evidence.sigma_seen_mm
    assert evidence.sigma_mm > 2 * at_truth[0].sigma_mm
    # The patient's y axis is the beam of "ap", but for 6 degrees.
    at_centre = uncertainty.of_points(DENSITY.grid.centre_patient)[0]
    assert at_centre[1, 1] > 4 * max(at_centre[0, 0], at_centre[2, 2])


def test_the_lowest_view_counts(truth, of_one_view):
    blank = np.random.default_rng(1).normal(3, 1, (256, 256)).astype(np.float32)
    evidence, _, _ = gather(DENSITY, [truth[0], replace(truth[1], line_integrals=blank)])
    assert of_one_view[0].similarity > 0.3
    assert abs(evidence.similarity) < 0.1


def test_half_of_the_volume_beside_the_image_is_told(truth, of_one_view):
    # Only the left half of the columns: the inner corners of the volume's right side project outside.
    half = truth[0].cropped((0, 0), (128, 256))
    evidence, _, _ = gather(DENSITY, [half])
    assert evidence.inside == 0.5
    assert of_one_view[0].inside == 1


def test_a_volume_outside_the_xray_is_refused(truth):
    with pytest.raises(InputError, match="does not project into the X-ray"):
        gather(DENSITY, started(truth, exp_se3([0, 0, 0, 300, 0, 300])))


def test_nothing_is_changed_in_place_and_the_second_time_is_as_the_first(truth):
    xrays = started(truth, SMALL)
    images = [xray.line_integrals.copy() for xray in xrays]
    masks = [xray.mask.copy() for xray in xrays]
    cameras = [(xray.camera.K.copy(), xray.camera.camera_from_patient.copy()) for xray in xrays]
    values, affine = DENSITY.values.clone(), DENSITY.grid.patient_from_index.copy()
    evidence, uncertainty, _ = gather(DENSITY, xrays)
    again, same, _ = gather(DENSITY, xrays)
    np.testing.assert_allclose(astuple(again), astuple(evidence), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(same.covariance, uncertainty.covariance, rtol=1e-3, atol=1e-9)
    for xray, image, mask, (K, pose) in zip(xrays, images, masks, cameras, strict=True):
        np.testing.assert_array_equal(xray.line_integrals, image)
        np.testing.assert_array_equal(xray.mask, mask)
        np.testing.assert_array_equal(xray.camera.K, K)
        np.testing.assert_array_equal(xray.camera.camera_from_patient, pose)
    assert torch.equal(DENSITY.values, values)
    np.testing.assert_array_equal(DENSITY.grid.patient_from_index, affine)
