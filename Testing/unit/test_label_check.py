"""Segmentations of another patient, shifted or mirrored, are found by what the CT holds at their surfaces."""

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.images import Grid, LabelMap, Volume, check_fit, label_fit, read_label_map, read_volume

# A body of 0 HU, 160 x 120 x 200 mm in voxels of 2 mm, with two bones of 500 HU of different shape.
GRID = Grid((100, 80, 110), np.array([[2.0, 0, 0, -100], [0, 2, 0, -80], [0, 0, 2, -110], [0, 0, 0, 1]]))


def bones():
    k, j, i = np.meshgrid(*(np.arange(n) for n in GRID.array_shape), indexing="ij")
    labels = np.zeros(GRID.array_shape, np.uint8)
    labels[(abs(i - 30) < 5) & (abs(j - 40) < 6) & (abs(k - 55) < 45)] = 1
    labels[np.hypot(i - 70, np.hypot(j - 35, (k - 40) / 2)) < 9] = 2
    hu = np.full(GRID.array_shape, -1000.0, np.float32)
    hu[(abs(i - 50) < 40) & (abs(j - 40) < 30) & (abs(k - 55) < 50)] = 0
    hu[labels > 0] = 500
    return labels, Volume(hu, GRID)


def moved(labels, *, by=(0, 0, 0), mirrored=False):
    motion = np.eye(4)
    motion[:3, 3] = by
    if mirrored:
        motion[0, 0] = -1
    return LabelMap(labels, Grid(GRID.size, motion @ GRID.patient_from_index), {})


def test_labels_in_their_place_pass():
    labels, volume = bones()
    assert check_fit(moved(labels), volume) == ()


@pytest.mark.parametrize("by", [(16, 0, 0), (0, -20, 8), (1, -2, 24)])
def test_the_shift_is_found(by):
    labels, volume = bones()
    fit = label_fit(moved(labels, by=by), volume)
    np.testing.assert_allclose(fit.shift_mm, np.negative(by), atol=1.5)
    with pytest.raises(InputError, match=r"it fits the volume better .* mm away"):
        check_fit(moved(labels, by=by), volume)


def test_a_small_shift_is_said_with_its_size():
    labels, volume = bones()
    (note,) = check_fit(moved(labels, by=(0, 6, 0)), volume)
    assert "fits the volume better 6 mm away" in note
    assert "moved by x +0, y -6, z +0 mm LPS" in note


def test_mirrored_labels_are_refused():
    labels, volume = bones()
    with pytest.raises(InputError, match="it fits the volume with left and right swapped"):
        check_fit(moved(labels, mirrored=True), volume)


def test_labels_outside_the_volume():
    labels, volume = bones()
    beside = np.eye(4)
    beside[0, 3] = 150  # the labels from x = -48 .. 56 come to 102 .. 206, the volume ends at 99
    with pytest.raises(InputError, match="100 % of its labelled voxels lie outside the volume"):
        check_fit(LabelMap(labels, Grid(GRID.size, beside @ GRID.patient_from_index), {}), volume)
    # A volume of slices 0 .. 59 of 110; of the long bone's slices 11 .. 99, 40 of 89 lie outside.
    half = Volume(volume.hu[:60], Grid((100, 80, 60), GRID.patient_from_index))
    (note,) = check_fit(LabelMap(np.where(labels == 1, labels, 0), GRID, {}), half)
    assert note.startswith(("44 %", "45 %", "46 %"))


def test_an_mr_is_not_judged_by_its_values():
    labels, volume = bones()
    mr = Volume(volume.hu, GRID, kind="mr")
    assert check_fit(moved(labels, by=(16, 0, 0)), mr) == ()


# Real data -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chest(data):
    volume = read_volume(data / "chest_ct/cxr.nii.gz")
    return volume, read_label_map(data / "chest_ct/mask.nii.gz", data / "chest_ct/structures.csv")


@pytest.mark.parametrize("millimetres", [0, 5, 15, 30])
def test_shifts_of_a_real_segmentation(chest, millimetres):
    volume, segmentation = chest
    motion = np.eye(4)
    motion[2, 3] = millimetres
    aside = LabelMap(
        segmentation.labels, Grid(segmentation.grid.size, motion @ segmentation.grid.patient_from_index), {}
    )
    if millimetres == 0:
        assert check_fit(aside, volume) == ()
    elif millimetres == 5:
        assert "z -5 mm LPS" in check_fit(aside, volume)[0]
    else:
        with pytest.raises(InputError, match=f"z -{millimetres} mm LPS"):
            check_fit(aside, volume)


def test_a_real_segmentation_mirrored(chest):
    volume, segmentation = chest
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[0, 3] = 2 * segmentation.grid.centre_patient[0]
    grid = Grid(segmentation.grid.size, mirror @ segmentation.grid.patient_from_index)
    with pytest.raises(InputError, match="left and right swapped"):
        check_fit(LabelMap(segmentation.labels, grid, {}), volume)


def test_the_segmentation_of_another_scan(data):
    # The labels were made from the 30 slices, not from the whole CT that has the same frame.
    labels = read_label_map(data / "pelvis_ct_3mm/example_seg.nii.gz")
    assert check_fit(labels, read_volume(data / "pelvis_ct_3mm/example_ct_sm.nii.gz")) == ()
    with pytest.raises(InputError, match="its labels follow nothing that the volume shows"):
        check_fit(labels, read_volume(data / "pelvis_ct_3mm/example_ct.nii.gz"))
