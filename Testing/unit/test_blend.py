"""The field that is made of what was found."""

from types import SimpleNamespace

import numpy as np
import pytest
from xrayreg.articulate import Bodies, blend_of
from xrayreg.deform import PolyrigidField, blended, fold_count, folds, shapes_of
from xrayreg.geometry import about, apply, translation
from xrayreg.images import Grid, LabelMap
from xrayreg.register import PoseUncertainty
from xrayreg.results import BlendNoise

GRID = Grid((40, 12, 12), np.diag([3.0, 3.0, 3.0, 1.0]))


@pytest.fixture(scope="module")
def bodies():
    """Three cubes in a row."""
    labels = np.zeros(GRID.array_shape, np.uint8)
    for label, first in ((1, 3), (2, 18), (3, 33)):
        labels[4:8, 4:8, first : first + 4] = label
    return Bodies(LabelMap(labels, GRID, {}), {"left": (1,), "middle": (2,), "right": (3,)})


def found(**verdicts):
    """Each moved by 2 mm along another axis."""
    return SimpleNamespace(
        bodies=tuple(
            SimpleNamespace(
                name=name, verdict=verdict, patient_from_rest=translation(2.0 * np.eye(3)[number])
            )
            for number, (name, verdict) in enumerate(verdicts.items())
        )
    )


def test_a_rejected_body_goes_with_what_is_around_it(bodies):
    blend = blend_of(bodies, found(left="accept", middle="reject", right="review"), GRID)
    assert blend.left_out == ("middle",)
    assert set(blend.motions) == {(1,), (3,)}
    assert blend.notices == ("not found, so moved with what is around them: middle",)
    middle = np.array([[58.5, 16.5, 16.5]])  # as far from the one as from the other
    np.testing.assert_allclose(blend.field.patient_from_rest(middle) - middle, [[1, 0, 1]], atol=0.05)


def test_where_all_are_rejected_all_count(bodies):
    blend = blend_of(bodies, found(left="reject", middle="reject", right="reject"), GRID)
    assert blend.left_out == ()
    points = apply(GRID.patient_from_index, np.array([[19.5, 5.5, 5.5]]))
    np.testing.assert_allclose(blend.field.patient_from_rest(points) - points, [[0, 2, 0]], atol=1e-9)


def test_where_bodies_meet_the_field_is_smoothed_until_it_does_not_fold(bodies):
    """The left one goes 50 mm to the right, the right one 50 mm to the left: past each other's near sides."""
    by = {"left": translation(np.array([50.0, 0, 0])), "right": translation(np.array([-50.0, 0, 0]))}
    labels = {name: bodies.labels[name] for name in by}
    field = PolyrigidField(shapes_of(bodies.segmentation, labels), np.stack(list(by.values())))
    blend = blended(bodies.segmentation, labels, list(by.values()), GRID)
    bare = field.displacements(blend.grid)
    assert fold_count(bare, blend.grid) > 0
    assert fold_count(blend.displacements, blend.grid) == 0
    changed = int((np.abs(blend.displacements - bare) > 1e-9).any(axis=-1).sum())
    assert 0 < changed <= blend.smoothed < 0.5 * bare.size / 3
    (notice,) = blend.notices
    assert notice.startswith("bodies meet: the blended field is smoothed at")


def test_a_field_without_folds_stays_as_it_is(bodies):
    blend = blend_of(bodies, found(left="accept", middle="accept", right="accept"), GRID)
    np.testing.assert_array_equal(blend.displacements, blend.field.displacements(blend.grid))
    assert blend.notices == ()


def test_a_field_that_still_folds_is_told(bodies, monkeypatch):
    """The two as above, and no round of smoothing."""
    monkeypatch.setattr(folds, "_ROUNDS", 0)
    by = {"left": translation(np.array([50.0, 0, 0])), "right": translation(np.array([-50.0, 0, 0]))}
    labels = {name: bodies.labels[name] for name in by}
    blend = blended(bodies.segmentation, labels, list(by.values()), GRID)
    assert blend.folds == fold_count(blend.displacements, GRID) > 0
    assert f"the blended field folds at {blend.folds} points" in blend.notices[-1]


def test_a_point_is_as_uncertain_as_the_body_that_it_goes_with(bodies):
    """The left one has turned by 90 degrees about z: its x is the patient's y. The right one is sure."""
    left = np.array([15.0, 16.5, 16.5])
    motions = {"left": about(left, np.array([0, 0, np.pi / 2, 0, 0, 0])), "right": np.eye(4)}
    middles = {"left": left, "right": np.array([103.5, 16.5, 16.5])}
    sure = {"left": np.diag([0, 0, 0, 1.0, 4.0, 9.0]), "right": np.zeros((6, 6))}
    each = tuple(
        SimpleNamespace(
            name=name,
            labels=bodies.labels[name],
            verdict="accept",
            patient_from_rest=motion,
            uncertainty=SimpleNamespace(pose=PoseUncertainty(sure[name])),
            body=SimpleNamespace(points=middles[name][None]),
        )
        for name, motion in motions.items()
    )
    labels = {name: bodies.labels[name] for name in motions}
    blend = blended(bodies.segmentation, labels, list(motions.values()), GRID)
    noise = BlendNoise(SimpleNamespace(bodies=each), blend)
    np.testing.assert_allclose(noise.of_points(left), [np.diag([4.0, 1.0, 9.0])], atol=1e-9)
    assert noise.expected_tre_mm(left) == pytest.approx(np.sqrt(14))
    np.testing.assert_allclose(noise.of_points(middles["right"]), np.zeros((1, 3, 3)), atol=1e-9)
    between = (left + middles["right"]) / 2
    np.testing.assert_allclose(noise.of_points(between), [np.diag([2.0, 0.5, 4.5])], atol=0.1)
    assert noise.body_at(left).name == "left"
    assert noise.body_at(middles["right"] - 9).name == "right"
