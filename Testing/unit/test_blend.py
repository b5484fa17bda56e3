"""The field that is made of what was found."""

from types import SimpleNamespace

import numpy as np
import pytest
from xrayreg.articulate import Bodies, blend_of
from xrayreg.geometry import apply, translation
from xrayreg.images import Grid, LabelMap

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
