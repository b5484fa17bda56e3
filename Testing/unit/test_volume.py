"""Where voxels lie, what they attenuate, and how averaging keeps both."""

import numpy as np
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.images import WATER_PER_MM, Grid, LabelMap, Volume, attenuation_per_mm, looks_like_hu
from xrayreg.render import Density

# Left-handed: i runs to posterior by 0.5 mm, j to superior by 3 mm, k to the right by 2 mm;
# (i x j) . k = (0.5 * 3, 0, 0) . (-2, 0, 0) < 0.
LEFT_HANDED = np.array([[0, 0, -2, 10], [0.5, 0, 0, -20], [0, 3, 0, 30], [0, 0, 0, 1.0]])
# Oblique: in the x-y plane turned so that i points along (0.8, 0.6); spacing 2 x 5 x 3 mm.
OBLIQUE = np.array([[1.6, -3.0, 0, 100], [1.2, 4.0, 0, 200], [0, 0, 3, 300], [0, 0, 0, 1.0]])


def test_attenuation_by_hand():
    # Water is 0 HU, air -1000 HU; each HU is a thousandth of water; nothing is below air.
    hu = np.array([0, -1000, 1000, -500, -1024], np.float32)
    expected = np.array([1, 0, 2, 0.5, 0]) * 0.0193
    np.testing.assert_allclose(attenuation_per_mm(hu), expected, rtol=1e-6)
    assert attenuation_per_mm(hu).dtype == np.float32
    assert WATER_PER_MM == 0.0193


def test_attenuation_above_a_tissue_counts_only_what_exceeds_it():
    # Above -124 HU: 876 HU is 1000 HU more, as much as water; -124 and less is nothing.
    hu = np.array([876, -124, -125, -1024], np.float32)
    np.testing.assert_allclose(attenuation_per_mm(hu, above_hu=-124), [0.0193, 0, 0, 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("affine", "voxel", "patient"),
    [
        # 10 - 2 * 3, -20 + 0.5 * 1, 30 + 3 * 2.
        (LEFT_HANDED, (1, 2, 3), (4, -19.5, 36)),
        # 100 + 1.6 * 1 - 3 * 2, 200 + 1.2 * 1 + 4 * 2, 300 + 3 * 3.
        (OBLIQUE, (1, 2, 3), (95.6, 209.2, 309)),
    ],
)
def test_place_of_a_voxel_and_back(affine, voxel, patient):
    grid = Grid((3, 5, 7), affine)
    np.testing.assert_allclose((grid.patient_from_index @ [*voxel, 1])[:3], patient, atol=1e-12)
    np.testing.assert_allclose((grid.index_from_patient @ [*patient, 1])[:3], voxel, atol=1e-12)
    # (1, 2, 3) is the middle of 3 x 5 x 7 voxels.
    np.testing.assert_allclose(grid.centre_patient, patient, atol=1e-12)


def test_the_middle_of_an_even_grid_lies_between_its_voxels():
    # 4 voxels of 0.5 mm from -20: the middle index is 1.5, at -20 + 0.75.
    np.testing.assert_allclose(Grid((4, 1, 1), LEFT_HANDED).centre_patient, [10, -19.25, 30])


def test_corners_lie_half_a_voxel_outside_the_outer_voxels():
    # x: 10 - 2 * (-0.5 .. 6.5); y: -20 + 0.5 * (-0.5 .. 2.5); z: 30 + 3 * (-0.5 .. 4.5).
    corners = Grid((3, 5, 7), LEFT_HANDED).corners_patient
    expected = {(x, y, z) for x in (11, -3) for y in (-20.25, -18.75) for z in (28.5, 43.5)}
    assert {tuple(corner) for corner in corners} == expected


def test_corners_of_an_oblique_grid():
    # Index (-0.5, -0.5, -0.5): 100 - 0.8 + 1.5, 200 - 0.6 - 2, 300 - 1.5.
    corners = Grid((3, 5, 7), OBLIQUE).corners_patient
    assert np.abs(corners - [100.7, 197.4, 298.5]).max(axis=1).min() < 1e-9
    # Index (2.5, -0.5, 6.5): 100 + 4 + 1.5, 200 + 3 - 2, 300 + 19.5.
    assert np.abs(corners - [105.5, 201, 319.5]).max(axis=1).min() < 1e-9


def test_spacing_and_handedness():
    np.testing.assert_allclose(Grid((3, 5, 7), LEFT_HANDED).spacing_mm, [0.5, 3, 2])
    np.testing.assert_allclose(Grid((3, 5, 7), OBLIQUE).spacing_mm, [2, 5, 3])
    assert Grid((3, 5, 7), LEFT_HANDED).is_left_handed
    assert not Grid((3, 5, 7), OBLIQUE).is_left_handed


@pytest.mark.parametrize(
    "affine",
    [
        np.eye(3),
        np.diag([1.0, 0, 1, 1]),
        np.where(LEFT_HANDED == 10, np.nan, LEFT_HANDED),
    ],
)
def test_a_grid_without_an_inverse_is_refused(affine):
    with pytest.raises(InputError, match="index-to-patient"):
        Grid((3, 5, 7), affine)


def test_arrays_are_stored_k_j_i():
    grid = Grid((3, 5, 7), LEFT_HANDED)
    assert Volume(np.zeros((7, 5, 3), np.float32), grid).grid is grid
    with pytest.raises(InputError, match=r"ct: array shape \(3, 5, 7\) does not fit .* \(7, 5, 3\)"):
        Volume(np.zeros((3, 5, 7), np.float32), grid, "ct")
    with pytest.raises(InputError, match=r"segmentation: array shape \(3, 5, 7\)"):
        LabelMap(np.zeros((3, 5, 7), int), grid, {})


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_volume_with_holes_is_refused(value):
    hu = np.zeros((7, 5, 3), np.float32)
    hu[1, 2, 0] = value
    with pytest.raises(InputError, match="ct: the volume holds NaN or infinite values"):
        Volume(hu, Grid((3, 5, 7), LEFT_HANDED), "ct")


def test_a_label_without_a_name_is_called_by_its_number():
    labels = LabelMap(np.zeros((7, 5, 3), int), Grid((3, 5, 7), LEFT_HANDED), {1: "femur"})
    assert (labels.name_of(1), labels.name_of(2)) == ("femur", "label 2")


def density(values, affine=LEFT_HANDED):
    values = torch.as_tensor(values, dtype=torch.float64)
    return Density(values, Grid(tuple(values.shape[::-1]), affine))


def test_density_of_a_volume():
    hu = np.zeros((7, 5, 3), np.float32)
    hu[6, 4, 2] = 1000
    found = Density.from_volume(Volume(hu, Grid((3, 5, 7), LEFT_HANDED)))
    assert found.values.dtype == torch.float32
    assert found.values[6, 4, 2] == pytest.approx(2 * 0.0193)
    assert found.values[0, 0, 0] == pytest.approx(0.0193)


def test_averaging_pairs_along_i_by_hand():
    # 1 2 | 3 4 | 5 and the air beyond it: 1.5, 3.5, 2.5. The pair (0, 1) is centred at i = 0.5, 0.25 mm
    # behind voxel 0, and the pairs lie 1 mm apart.
    small = density([[[1, 2, 3, 4, 5]]]).shrunk((2, 1, 1))
    assert small.values.tolist() == [[[1.5, 3.5, 2.5]]]
    assert small.grid.size == (3, 1, 1)
    expected = [[0, 0, -2, 10], [1, 0, 0, -19.75], [0, 3, 0, 30], [0, 0, 0, 1]]
    np.testing.assert_allclose(small.grid.patient_from_index, expected)


def test_factors_count_i_j_k_though_arrays_are_k_j_i():
    small = density(np.zeros((7, 5, 3))).shrunk((3, 2, 1))
    assert small.grid.size == (1, 3, 7)
    assert tuple(small.values.shape) == (7, 3, 1)
    np.testing.assert_allclose(small.grid.spacing_mm, [1.5, 6, 2])
    # The first block is centred on index (1, 0.5, 0): 10, -20 + 0.5, 30 + 1.5.
    np.testing.assert_allclose(small.grid.patient_from_index[:3, 3], [10, -19.5, 31.5])


@pytest.mark.parametrize("factors", [(2, 2, 2), (3, 1, 4), (5, 7, 2)])
@pytest.mark.parametrize("affine", [LEFT_HANDED, OBLIQUE])
def test_averaging_keeps_the_total_attenuation_and_its_middle(factors, affine):
    # Sum of attenuation times voxel size, and the mean place of it; with a remainder in every axis.
    rng = np.random.default_rng(0)
    full = density(rng.random((11, 9, 8)), affine)
    small = full.shrunk(factors)

    def total_and_centroid(body):
        index = np.stack(np.meshgrid(*(np.arange(n) for n in body.grid.size), indexing="ij"), axis=-1)
        places = index @ body.grid.patient_from_index[:3, :3].T + body.grid.patient_from_index[:3, 3]
        weights = body.values.numpy().transpose(2, 1, 0)
        size = abs(np.linalg.det(body.grid.patient_from_index[:3, :3]))
        return weights.sum() * size, (weights[..., None] * places).sum(axis=(0, 1, 2)) / weights.sum()

    (full_total, full_middle), (small_total, small_middle) = map(total_and_centroid, (full, small))
    assert small_total == pytest.approx(full_total, rel=1e-12)
    # Within a block the mass may lie off its centre: by much less than a block on average.
    assert (np.abs(small_middle - full_middle) < 0.1 * np.max(small.grid.spacing_mm)).all()


def test_averaging_equal_blocks_keeps_the_place_of_every_voxel():
    # A volume that repeats each value twice in every axis is its own average, block by block.
    coarse = np.random.default_rng(0).random((3, 4, 5))
    small = density(coarse.repeat(2, 0).repeat(2, 1).repeat(2, 2), OBLIQUE).shrunk((2, 2, 2))
    np.testing.assert_allclose(small.values.numpy(), coarse, atol=1e-15)
    # Voxel (1, 2, 0) is the block of voxels (2..3, 4..5, 0..1), centred at (2.5, 4.5, 0.5):
    # 100 + 4 - 13.5, 200 + 3 + 18, 301.5.
    np.testing.assert_allclose((small.grid.patient_from_index @ [1, 2, 0, 1])[:3], [90.5, 221, 301.5])


def test_a_volume_that_is_coarse_enough_is_left_alone():
    full = density(np.zeros((7, 5, 3)))
    assert full.shrunk((1, 1, 1)) is full
    assert full.to_spacing(0.5) is full


@pytest.mark.parametrize(
    ("spacing_mm", "size"),
    [
        # Voxels are 0.5 x 3 x 2 mm, 30 x 5 x 7 of them: factors are the rounded ratios, at least 1.
        (1.1, (15, 5, 7)),  # 2.2, 0.37, 0.55
        (3.2, (5, 5, 4)),  # 6.4, 1.07, 1.6
        (100.0, (1, 1, 1)),  # 200, 33, 50
    ],
)
def test_to_spacing_averages_only_what_is_finer(spacing_mm, size):
    assert density(np.zeros((7, 5, 30))).to_spacing(spacing_mm).grid.size == size


@pytest.mark.parametrize(
    ("lowest", "is_hu"), [(-1024, True), (-3024, True), (-150, True), (-100, False), (-5, False), (0, False)]
)
def test_hounsfield_units_reach_below_fat(lowest, is_hu):
    assert looks_like_hu(lowest) == is_hu
