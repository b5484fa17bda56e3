"""The equations of many moving parts against those of one image with all their derivatives."""

import pytest
import torch
from xrayreg.similarity import Comparison, Term, Window

ROWS, COLUMNS = 70, 83


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2, 1, ROWS, COLUMNS, generator=generator)
    smooth = torch.nn.functional.avg_pool2d(noise, 5, 1, 2)[:, 0]
    mask = torch.ones(ROWS, COLUMNS, dtype=torch.bool)
    mask[:10, :14] = False
    return smooth[0], mask, smooth[0] + 0.5 * smooth[1]


@pytest.fixture(scope="module")
def windows():
    """In corners, overlapping, in the middle, and one that is everywhere."""
    generator = torch.Generator().manual_seed(1)
    places = [(0, 0, 25, 30), (20, 10, 33, 40), (60, 50, 23, 20), (0, 0, COLUMNS, ROWS), (30, 30, 1, 1)]
    return [Window((c, r), torch.rand(h, w, 6, generator=generator)) for c, r, w, h in places]


@pytest.mark.parametrize(
    "terms",
    [
        (Term(False, 24),),
        (Term(True, 24),),
        (Term(True, None),),
        (Term(False, None), Term(False, 100)),
        (Term(False, 24), Term(True, 12, 2.0)),
    ],
)
def test_the_equations_are_those_of_the_whole_image(images, windows, terms):
    fixed, mask, moving = images
    comparison = Comparison(fixed, mask, terms)
    dense = torch.zeros(ROWS, COLUMNS, 6 * len(windows))
    for number, window in enumerate(windows):
        column, row = window.first
        rows, columns = window.jacobian.shape[:2]
        dense[row : row + rows, column : column + columns, 6 * number : 6 * number + 6] = window.jacobian
    whole, patches = comparison.normal_equations(moving, dense), comparison.patch_equations(moving, dense)
    joint = comparison.joint_equations(moving, windows)
    assert joint.similarity.item() == pytest.approx(whole.similarity.item(), abs=1e-7)
    scale = whole.hessian.abs().max()
    torch.testing.assert_close(joint.hessian, whole.hessian.double(), rtol=0, atol=2e-5 * scale)
    scale = whole.gradient.abs().max()
    torch.testing.assert_close(joint.gradients.sum(dim=0), whole.gradient.double(), rtol=0, atol=2e-5 * scale)
    torch.testing.assert_close(joint.gradients, patches.gradient.double(), rtol=0, atol=2e-6)
    assert torch.equal(joint.centres, patches.centres)
    torch.testing.assert_close(joint.weight, patches.weight.double())
    torch.testing.assert_close(joint.ncc, patches.ncc.double())


def test_without_parts_there_is_still_a_similarity(images):
    fixed, mask, moving = images
    comparison = Comparison(fixed, mask, (Term(True, 24),))
    joint = comparison.joint_equations(moving, [])
    assert joint.similarity.item() == pytest.approx(comparison.similarity(moving).item(), abs=1e-7)
    assert joint.hessian.shape == (0, 0)
    assert joint.gradients.shape[1] == 0
