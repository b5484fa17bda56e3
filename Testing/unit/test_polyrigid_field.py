"""The blended field: exact in each body, inverse of its inverse, without folds."""

from dataclasses import replace

import numpy as np
import pytest
from xrayreg.deform import (
    PolyrigidField,
    fold_count,
    inverse_fourth_power,
    inverse_square,
    polypose,
    shapes_of,
)
from xrayreg.errors import InputError
from xrayreg.geometry import about, apply, exp_se3, translation
from xrayreg.images import Grid, LabelMap

SIZE = (48, 40, 36)
SPACING = np.array([1.5, 1.5, 2.0])
# Middle and half axes, voxels, of three bodies.
BODIES = {
    "left": ((14, 20, 18), (6, 8, 9)),
    "right": ((33, 19, 18), (6, 8, 9)),
    "top": ((24, 20, 31), (12, 6, 3)),
}


@pytest.fixture(scope="module")
def segmentation():
    k, j, i = np.indices(SIZE[::-1])
    labels = np.zeros(SIZE[::-1], np.uint8)
    for number, (middle, half) in enumerate(BODIES.values(), start=1):
        inside = sum(((n - m) / h) ** 2 for n, m, h in zip((i, j, k), middle, half, strict=True)) < 1
        labels[inside] = number
    affine = np.diag([*SPACING, 1.0])
    affine[:3, :3] = (
        exp_se3(np.array([0.2, -0.1, 0.3, 0, 0, 0]))[:3, :3] @ affine[:3, :3] @ np.diag([-1, 1, 1])
    )
    affine[:3, 3] = [30, -20, 10]
    return LabelMap(labels, Grid(SIZE, affine), dict(enumerate(BODIES, start=1)))


@pytest.fixture(scope="module")
def shapes(segmentation):
    return shapes_of(segmentation, {name: (number,) for number, name in segmentation.names.items()})


@pytest.fixture(scope="module")
def motions(segmentation):
    rng = np.random.default_rng(2)
    grid = segmentation.grid
    middles = [apply(grid.patient_from_index, np.array(middle, float)) for middle, _ in BODIES.values()]
    twists = np.concatenate([rng.normal(0, 0.12, (3, 3)), rng.normal(0, 2.5, (3, 3))], axis=1)
    return np.stack([about(middle, twist) for middle, twist in zip(middles, twists, strict=True)])


def points_of(segmentation, label):
    k, j, i = np.nonzero(segmentation.labels == label)
    return apply(segmentation.grid.patient_from_index, np.stack([i, j, k], axis=-1).astype(float))


@pytest.mark.parametrize("kernel", [inverse_square, inverse_fourth_power])
def test_each_body_moves_exactly_by_its_motion(segmentation, shapes, motions, kernel):
    field = PolyrigidField(shapes, motions, kernel)
    for label, motion in enumerate(motions, start=1):
        at_rest = points_of(segmentation, label)
        moved = apply(motion, at_rest)
        np.testing.assert_allclose(field.patient_from_rest(at_rest), moved, atol=1e-9)
        np.testing.assert_allclose(field.rest_from_patient(moved), at_rest, atol=1e-9)


def test_what_passes_another_body_on_the_way_stays_rigid(segmentation, shapes):
    """The left one goes past the right one, by 60 mm along the grid's x: half of the way they overlap."""
    grid = segmentation.grid
    past = translation(40 * grid.patient_from_index[:3, 0])
    motions = np.stack([past, np.eye(4), np.eye(4)])
    halfway = translation(20 * grid.patient_from_index[:3, 0])
    assert (shapes.inside(apply(halfway, points_of(segmentation, 1))) == 2).any()
    field = PolyrigidField(shapes, motions)
    for label, motion in enumerate(motions, start=1):
        at_rest = points_of(segmentation, label)
        np.testing.assert_allclose(field.patient_from_rest(at_rest), apply(motion, at_rest), atol=1e-9)
        np.testing.assert_allclose(field.rest_from_patient(apply(motion, at_rest)), at_rest, atol=1e-9)


def test_polyposes_kernel_bends_bodies_a_little(segmentation, shapes, motions):
    field = PolyrigidField(shapes, motions, polypose)
    at_rest = points_of(segmentation, 1)
    off = np.linalg.norm(field.patient_from_rest(at_rest) - apply(motions[0], at_rest), axis=1)
    assert 0.01 < off.max() < 3


def test_the_inverse_undoes_the_field(segmentation, shapes, motions):
    field = PolyrigidField(shapes, motions)
    grid = segmentation.grid
    rng = np.random.default_rng(0)
    points = apply(grid.patient_from_index, rng.uniform(0, 1, (2000, 3)) * (np.array(SIZE) - 1))
    there = field.rest_from_patient(points)
    assert np.linalg.norm(there - points, axis=1).max() > 2
    back = np.linalg.norm(field.patient_from_rest(there) - points, axis=1)
    assert np.percentile(back, 99) < 0.01
    assert back.max() < 0.3  # between bodies that come near each other


def test_one_motion_for_all_is_that_motion_everywhere(shapes, segmentation):
    motion = exp_se3(np.array([0.2, -0.3, 0.1, 5, -8, 12]))
    field = PolyrigidField(shapes, np.stack([motion] * 3))
    points = np.random.default_rng(1).uniform(-80, 80, (100, 3))
    np.testing.assert_allclose(field.patient_from_rest(points), apply(motion, points), atol=1e-9)
    np.testing.assert_allclose(field.rest_from_patient(apply(motion, points)), points, atol=1e-9)


def test_there_are_no_folds(segmentation, shapes, motions):
    field = PolyrigidField(shapes, motions)
    displacements = field.displacements(segmentation.grid)
    assert fold_count(displacements, segmentation.grid) == 0
    # The measure is able to see one: a field that turns the order of points around.
    mirrored = np.zeros_like(displacements)
    k, j, i = np.indices(SIZE[::-1])
    points = apply(segmentation.grid.patient_from_index, np.stack([i, j, k], axis=-1).astype(float))
    mirrored[..., 0] = -2 * points[..., 0]
    assert fold_count(mirrored, segmentation.grid) == np.prod(SIZE)


def test_distances_are_those_to_the_body(shapes, segmentation):
    middle = apply(segmentation.grid.patient_from_index, np.array(BODIES["left"][0], float))
    column = segmentation.grid.patient_from_index[:3, 0] / SPACING[0]
    # Along i the body's half axis is 6 voxels of 1.5 mm, its last voxel the fifth from the middle.
    for beyond in (2.0, 6.0, 12.0):
        point = middle - column * (5.5 * 1.5 + beyond)
        assert shapes.distance(0, point[None])[0] == pytest.approx(beyond, abs=0.9)
    assert shapes.distance(0, middle[None])[0] < -5
    assert shapes.inside(np.stack([middle, middle + 500])).tolist() == [1, 0]
    outside = apply(segmentation.grid.patient_from_index, np.array([-60.0, 20, 18]))
    assert shapes.distance(0, outside[None])[0] == pytest.approx((14 + 60 - 5.5) * 1.5, rel=0.05)


def test_a_body_without_voxels_is_refused(segmentation):
    with pytest.raises(InputError, match=r"tibia.*no voxel"):
        shapes_of(segmentation, {"tibia": (9,)})
    flat = replace(segmentation, labels=segmentation.labels[:1], grid=Grid((*SIZE[:2], 1), np.eye(4)))
    with pytest.raises(InputError, match="thin"):
        shapes_of(flat, {"left": (1,)})
