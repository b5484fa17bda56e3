"""Volumes and label maps under random places and orientations: what is written and read stays where it was.

More examples: `pytest --hypothesis-profile=long Testing/unit/test_grid_properties.py`.
"""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import assume, given
from hypothesis import strategies as st
from random_motions import motions, numbers, vectors
from xrayreg.geometry import apply
from xrayreg.images import Grid, LabelMap, read_volume, resample_labels

TOLERANCE_MM = 1e-6


@st.composite
def grids(draw) -> Grid:
    """Any orientation, oblique or left-handed, voxels of any shape."""
    rotation = draw(motions())
    handed = np.diag([draw(st.sampled_from([-1.0, 1.0])), 1.0, 1.0])
    spacing = np.array(draw(st.tuples(*[numbers(0.2, 5.0)] * 3)))
    affine = np.eye(4)
    affine[:3, :3] = rotation[:3, :3] @ handed * spacing
    affine[:3, 3] = rotation[:3, 3]
    return Grid(draw(st.tuples(*[st.integers(2, 6)] * 3)), affine)


def place(grid: Grid, index: np.ndarray) -> np.ndarray:
    """A voxel's centre, patient, mm."""
    return apply(grid.patient_from_index, index)


@given(grids(), vectors(-10, 10))
def test_indices_and_places_of_a_grid_are_inverse(grid, index):
    back = apply(grid.index_from_patient, place(grid, index))
    assert np.abs((back - index) * grid.spacing_mm).max() < TOLERANCE_MM
    assert grid.is_left_handed == (np.linalg.det(grid.patient_from_index[:3, :3]) < 0)
    np.testing.assert_allclose(grid.corners_patient.mean(axis=0), grid.centre_patient, atol=TOLERANCE_MM)


def written(folder, grid: Grid, ending: str) -> tuple:
    """A file whose voxels hold their own numbers; and these."""
    values = np.arange(np.prod(grid.size), dtype=np.int16).reshape(grid.array_shape)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(grid.spacing_mm.tolist())
    image.SetDirection((grid.patient_from_index[:3, :3] / grid.spacing_mm).ravel().tolist())
    image.SetOrigin(grid.patient_from_index[:3, 3].tolist())
    path = folder / f"grid{ending}"
    sitk.WriteImage(image, str(path))
    return path, values


# NRRD and MetaImage hold the decimals of a double. NIfTI has 32 bit floats: 6e-8 of an origin up to 500 mm,
# and as much of the way to the corner, up to 6 voxels of 5 mm along three axes.
@pytest.mark.parametrize(("ending", "within_mm"), [(".nrrd", 1e-6), (".mha", 1e-6), (".nii.gz", 2e-4)])
@given(grid=grids())
def test_a_volume_keeps_its_place_and_its_voxels(tmp_path_factory, ending, within_mm, grid):
    path, values = written(tmp_path_factory.getbasetemp(), grid, ending)
    volume = read_volume(path)
    assert np.abs(volume.grid.corners_patient - grid.corners_patient).max() < within_mm
    np.testing.assert_array_equal(volume.hu, values)


@given(grid=grids(), other=st.permutations([0, 1, 2]), flips=st.tuples(*[st.booleans()] * 3))
def test_the_order_and_sense_of_the_axes_do_not_matter(tmp_path_factory, grid, other, flips):
    """The same voxels stored along other axes: each value stays at its place in the patient."""
    _, values = written(tmp_path_factory.getbasetemp(), grid, ".nrrd")
    affine, turned = grid.patient_from_index.copy(), values
    affine[:3, :3] = affine[:3, list(other)]
    turned = turned.transpose([2 - other[2 - axis] for axis in range(3)])
    size = np.array(grid.size)[list(other)]
    for axis, flip in enumerate(flips):
        if flip:
            affine[:3, 3] += affine[:3, axis] * (size[axis] - 1)
            affine[:3, axis] *= -1
            turned = np.flip(turned, 2 - axis)
    path, _ = written(tmp_path_factory.getbasetemp(), Grid(tuple(size), affine), ".mha")
    image = sitk.ReadImage(str(path))
    there = sitk.GetImageFromArray(np.ascontiguousarray(turned))
    there.CopyInformation(image)
    sitk.WriteImage(there, str(path))
    volume = read_volume(path)
    for value in (0, values.size // 2, values.size - 1):
        k, j, i = np.argwhere(values == value)[0]
        c, b, a = np.argwhere(volume.hu == value)[0]
        distance = place(volume.grid, np.array([a, b, c])) - place(grid, np.array([i, j, k]))
        assert np.linalg.norm(distance) < TOLERANCE_MM


@given(grid=grids(), flips=st.tuples(*[st.booleans()] * 3))
def test_labels_come_back_from_a_flipped_grid(grid, flips):
    labels = (np.arange(np.prod(grid.size)).reshape(grid.array_shape) % 7).astype(np.int32)
    affine = grid.patient_from_index.copy()
    for axis, flip in enumerate(flips):
        if flip:
            affine[:3, 3] += affine[:3, axis] * (grid.size[axis] - 1)
            affine[:3, axis] *= -1
    other = Grid(grid.size, affine)
    there = resample_labels(LabelMap(labels, grid, {}), other)
    np.testing.assert_array_equal(resample_labels(there, grid).labels, labels)
    expected = np.flip(labels, [2 - axis for axis, flip in enumerate(flips) if flip])
    np.testing.assert_array_equal(there.labels, expected)


@given(
    row=vectors(-1, 1),
    other=vectors(-1, 1),
    spacing=st.tuples(numbers(0.2, 3), numbers(0.2, 3)),
    step=numbers(0.3, 5),
)
def test_a_dicom_series_lies_where_its_tags_say(tmp_path_factory, row, other, spacing, step):
    """Decimal strings of 16 characters: 13 digits; read against the formula of PS3.3 C.7.6.2.1.1."""
    assume(np.linalg.norm(np.cross(row, other)) > 0.1)
    row = row / np.linalg.norm(row)
    column = other - row * (other @ row)
    column /= np.linalg.norm(column)
    first, normal = np.array([12.0, -34.0, 56.0]), np.cross(row, column)
    folder = tmp_path_factory.mktemp("series")
    for number in (2, 0, 1):
        _slice(folder / f"{number}.dcm", row, column, spacing, first + number * step * normal, number)
    grid = read_volume(folder).grid
    for i, j, k in ((0, 0, 0), (4, 0, 0), (0, 3, 1), (4, 3, 2)):
        expected = first + row * spacing[1] * i + column * spacing[0] * j + normal * step * k
        assert np.linalg.norm(place(grid, np.array([i, j, k])) - expected) < TOLERANCE_MM


def _slice(path, row, column, spacing, position, number: int) -> None:
    meta = pydicom.dataset.FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
    one = pydicom.FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    one.SOPClassUID, one.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    one.Modality, one.StudyInstanceUID, one.SeriesInstanceUID = "CT", "1.2", "1.2.3"
    one.InstanceNumber = number + 1
    decimal = pydicom.valuerep.format_number_as_ds
    one.ImageOrientationPatient = [decimal(float(x)) for x in (*row, *column)]
    one.ImagePositionPatient = [decimal(float(x)) for x in position]
    one.PixelSpacing = [decimal(x) for x in spacing]
    one.RescaleSlope, one.RescaleIntercept = 1, -1024
    one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
    one.Rows, one.Columns, one.BitsAllocated, one.BitsStored, one.HighBit = 4, 5, 16, 16, 15
    one.PixelRepresentation = 0
    one.PixelData = np.full((4, 5), number, "<u2").tobytes()
    one.save_as(path, enforce_file_format=True)
