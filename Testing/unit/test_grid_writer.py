"""Volumes and label maps that are written lie where they lay when they are read again."""

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.images import Grid, read_label_map, read_volume, write_grid_nrrd

SPACING = np.diag([0.7, 0.8, 2.0])
TURN = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
TILTED = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.28], [0.0, 0.0, 0.96]])  # a gantry's, k leans to j
AXES = {"oblique": TURN, "left-handed": TURN @ np.diag([1.0, 1.0, -1.0]), "sheared": TILTED}


def grid(axes):
    affine = np.eye(4)
    affine[:3, :3] = axes @ SPACING
    affine[:3, 3] = (-11.0, 22.5, -330.0)
    return Grid((5, 4, 3), affine)


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES)
def test_voxels_and_place_come_back(tmp_path, axes):
    place = grid(axes)
    hu = np.arange(60, dtype=np.int16).reshape(3, 4, 5) * 20 - 1000
    write_grid_nrrd(tmp_path / "ct.nrrd", hu, place)
    back = read_volume(tmp_path / "ct.nrrd")
    np.testing.assert_array_equal(back.hu, hu)
    np.testing.assert_allclose(back.grid.patient_from_index, place.patient_from_index, atol=1e-12)
    write_grid_nrrd(tmp_path / "labels.nrrd", (hu > 0).astype(np.uint8), place)
    labels = read_label_map(tmp_path / "labels.nrrd")
    np.testing.assert_array_equal(labels.labels, hu > 0)
    np.testing.assert_allclose(labels.grid.patient_from_index, place.patient_from_index, atol=1e-12)


def test_what_cannot_be_written_is_told(tmp_path):
    with pytest.raises(InputError, match="do not fill a grid"):
        write_grid_nrrd(tmp_path / "ct.nrrd", np.zeros((5, 4, 3), np.int16), grid(TURN))
    with pytest.raises(InputError, match="cannot be written"):
        write_grid_nrrd(tmp_path / "none" / "ct.nrrd", np.zeros((3, 4, 5), np.int16), grid(TURN))
    assert list(tmp_path.iterdir()) == []
