"""Bones by threshold: on the phantom, whose bones are known, and on boxes that can be counted."""

import numpy as np
import phantom
import pytest
from xrayreg.errors import InputError
from xrayreg.images import Grid, Volume, bones, read_volume, segment_bones


def boxes():
    """1 mm voxels: a box of 20 x 10 x 10 = 2 ml at i 5..24, one of 3 ml at i 30..59, a speck of 8 voxels."""
    hu = np.full((20, 30, 70), -1000, np.float32)
    hu[5:15, 5:15, 5:25] = 400
    hu[5:15, 5:15, 30:60] = 250
    hu[17:19, 2:4, 2:4] = 900
    return Volume(hu, Grid(hu.shape[::-1], np.eye(4)))


def test_parts_are_named_by_size_and_specks_left_out():
    found = segment_bones(boxes())
    assert found.names == {1: "bone 1", 2: "bone 2"}
    assert (found.labels == 1).sum() == 3000
    assert (found.labels[5:15, 5:15, 5:25] == 2).all()
    assert (found.labels > 0).sum() == 5000
    np.testing.assert_array_equal(found.grid.patient_from_index, np.eye(4))


def test_threshold_and_least_size_decide():
    assert segment_bones(boxes(), threshold_hu=300).names == {1: "bone 1"}
    assert len(segment_bones(boxes(), least_ml=0.001).names) == 3
    with pytest.raises(InputError, match=r"at least 2 ml is above 1000 HU .* threshold"):
        segment_bones(boxes(), threshold_hu=1000)


def test_it_can_be_stopped_between_the_steps():
    def stop(step):
        if "joining" in step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_bones(boxes(), report=stop)


def test_the_phantoms_bones_are_found_at_their_place(tmp_path):
    volume = read_volume(phantom.write_ct(tmp_path / "ct.nii.gz"))  # left-handed
    found = segment_bones(volume, least_ml=0.5)
    assert len(found.names) == len(phantom.BONES)
    k, j, i = np.indices(found.labels.shape)
    affine = found.grid.patient_from_index
    points = np.stack([i, j, k], axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    truth = phantom.labels(points)
    np.testing.assert_array_equal(found.labels > 0, truth > 0)
    for label in found.names:
        assert len(np.unique(truth[found.labels == label])) == 1  # one bone each


def test_many_voxels_are_taken_together_where_they_lie(monkeypatch):
    # 70 x 30 x 20 = 42000 voxels; i and j have the finest spacing. Blocks of 2 x 2 x 1: the first lies at
    # index (0.5, 0.5, 0), 0.5 and 0.5 mm; their spacing is 2 mm.
    volume = boxes()
    volume = Volume(volume.hu, Grid(volume.grid.size, np.diag([1.0, 1.0, 3.0, 1.0])))
    monkeypatch.setattr(bones, "_MOST_VOXELS", 12000)
    found = segment_bones(volume, least_ml=1.0)
    np.testing.assert_array_equal(found.grid.size, (35, 15, 20))
    np.testing.assert_allclose(found.grid.patient_from_index @ [0, 0, 0, 1], [0.5, 0.5, 0, 1])
    np.testing.assert_allclose(found.grid.spacing_mm, [2, 2, 3])
    # Blocks that are half air fall below the threshold: of 10 voxels in j from 5 on, the 8 from 6 to 13 are
    # left, of 20 in i the 18 from 6 to 23, of 30 from 30 on all.
    assert (found.labels > 0).sum() * 4 == (18 + 30) * 8 * 10
