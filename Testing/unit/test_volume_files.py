"""CTs and segmentations of every format land in HU on a grid in patient LPS; what is unclear is refused."""

import json

import numpy as np
import pytest
import SimpleITK
from PIL import Image
from test_dicom_series import save_series
from xrayreg.errors import InputError
from xrayreg.geometry import apply
from xrayreg.images import Grid, LabelMap, read_label_map, read_volume, resample_labels

# 2 x 3 x 4 voxels, each value is 100 i + 10 j + k.
INDEX_K, INDEX_J, INDEX_I = np.meshgrid(np.arange(4), np.arange(3), np.arange(2), indexing="ij")
VALUES = (100 * INDEX_I + 10 * INDEX_J + INDEX_K).astype(np.int16)
OBLIQUE = np.array([[0.8, 0.6, 0], [-0.6, 0.8, 0], [0, 0, 1.0]])


def save(path, array, direction=None, spacing=(1.0, 2.0, 3.0), origin=(10.0, 20.0, 30.0), header=()):
    image = SimpleITK.GetImageFromArray(array)
    if array.ndim == 3:
        image.SetSpacing(spacing)
        image.SetOrigin(origin)
        image.SetDirection((np.eye(3) if direction is None else direction).ravel().tolist())
    for key, value in dict(header).items():
        image.SetMetaData(key, value)
    SimpleITK.WriteImage(image, str(path))
    return path


def save_tiff(path, pages):
    images = [Image.fromarray(page) for page in pages]
    images[0].save(path, save_all=True, append_images=images[1:])
    return path


@pytest.mark.parametrize("ending", ["nii", "nii.gz", "nrrd", "mha", "mhd"])
@pytest.mark.parametrize(
    "direction", [np.eye(3), np.diag([1.0, -1, 1]), OBLIQUE], ids=["LPS", "left-handed", "oblique"]
)
def test_grid_is_the_files_own_in_lps(tmp_path, ending, direction):
    volume = read_volume(save(tmp_path / f"ct.{ending}", VALUES, direction))
    assert volume.grid.size == (2, 3, 4)
    assert volume.hu.dtype == np.float32
    assert volume.hu[3, 2, 1] == 123  # k, j, i
    assert volume.grid.is_left_handed == (np.linalg.det(direction) < 0)
    np.testing.assert_allclose(volume.grid.spacing_mm, [1, 2, 3], atol=1e-5)
    # index (1, 2, 3) is direction @ (1 * 1, 2 * 2, 3 * 3) from the origin
    expected = np.array([10, 20, 30]) + direction @ [1.0, 4, 9]
    np.testing.assert_allclose(apply(volume.grid.patient_from_index, [1, 2, 3]), expected, atol=1e-5)


def test_tiff_stack_is_centred_at_the_origin(tmp_path):
    # 2 x 3 x 4 voxels of 0.5 x 1 x 2 mm: the box is 1 x 3 x 8 mm, the first centre at (-0.25, -1, -3).
    path = save_tiff(tmp_path / "bone.tif", (VALUES + 1024).astype(np.uint16))
    volume = read_volume(path, voxel_mm=(0.5, 1.0, 2.0))
    np.testing.assert_allclose(volume.grid.patient_from_index[:3, 3], [-0.25, -1, -3])
    np.testing.assert_allclose(volume.grid.centre_patient, 0, atol=1e-12)
    np.testing.assert_array_equal(volume.hu, VALUES)  # unsigned: HU + 1024


def test_floating_tiff_is_in_hu(tmp_path):
    path = save_tiff(tmp_path / "ct.tif", VALUES.astype(np.float32) - 1000)
    assert read_volume(path, (1, 1, 1)).hu[0, 0, 0] == -1000


@pytest.mark.parametrize(
    ("pages", "voxel_mm", "message"),
    [
        (VALUES.astype(np.uint16), None, "--voxel-mm"),
        (VALUES.astype(np.uint16), (1, 1), "not three positive"),
        (VALUES.astype(np.uint16), (1, 1, -1), "not three positive"),
        (VALUES.astype(np.uint8), (1, 1, 1), "uint8"),
        (VALUES.astype(np.uint16) + 32768, (1, 1, 1), "not 12 bit"),
        (VALUES[:1].astype(np.uint16), (1, 1, 1), "not a stack"),
        (np.zeros((2, 4, 5, 3), np.uint8), (1, 1, 1), "mode RGB"),
    ],
)
def test_tiff_that_does_not_say_enough(tmp_path, pages, voxel_mm, message):
    path = save_tiff(tmp_path / "ct.tif", pages)
    with pytest.raises(InputError) as error:
        read_volume(path, voxel_mm)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_voxel_size_is_for_tiff_only(tmp_path):
    path = save(tmp_path / "ct.nrrd", VALUES)
    with pytest.raises(InputError, match=r"ct\.nrrd: has its own voxel size - leave out --voxel-mm"):
        read_volume(path, (1, 1, 1))
    with pytest.raises(InputError, match="leave out --voxel-mm"):
        read_volume(save_series(tmp_path / "ct"), (1, 1, 1))


@pytest.mark.parametrize(
    ("array", "vector"),
    [(VALUES[0], False), (VALUES[:1], False), (np.stack([VALUES, VALUES]), False), (VALUES, True)],
    ids=["2-D", "one slice", "4-D", "vector"],
)
def test_only_scalar_volumes_are_read(tmp_path, array, vector):
    path = tmp_path / "ct.nrrd"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array, isVector=vector), str(path))
    with pytest.raises(InputError, match="not a scalar 3-D image"):
        read_volume(path)


def test_files_that_do_not_say_how_they_lie(tmp_path):
    nrrd = tmp_path / "ct.nrrd"
    nrrd.write_bytes(b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 2 2 2\nencoding: raw\n\n" + bytes(8))
    with pytest.raises(InputError, match="NRRD field 'space' is missing"):
        read_volume(nrrd)
    nifti = save(tmp_path / "ct.nii", VALUES)
    content = bytearray(nifti.read_bytes())
    content[252:256] = bytes(4)  # qform_code and sform_code, two int16
    nifti.write_bytes(content)
    with pytest.raises(InputError, match="qform_code and sform_code are 0"):
        read_volume(nifti)


def test_unreadable_volumes(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_volume(tmp_path / "absent.nrrd")
    for name, says in (
        ("x.nrrd", "cannot be read"),
        ("x.txt", "unknown kind of volume"),
        ("x.mha", "cannot be read"),
    ):
        (tmp_path / name).write_text("no volume")
        with pytest.raises(InputError, match=says) as error:
            read_volume(tmp_path / name)
        assert "\n" not in str(error.value)
    (tmp_path / "x.tif").write_text("no volume")
    with pytest.raises(InputError, match="cannot be read as PNG or TIFF"):
        read_volume(tmp_path / "x.tif", (1, 1, 1))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no DICOM series"):
        read_volume(empty)
    nan = save(tmp_path / "nan.nrrd", np.full((4, 3, 2), np.nan, np.float32))
    with pytest.raises(InputError, match=r"nan\.nrrd: the volume holds NaN"):
        read_volume(nan)


def test_one_slice_of_a_series_points_to_its_folder(tmp_path):
    file = next(save_series(tmp_path / "ct").iterdir())
    with pytest.raises(InputError, match="give the folder of the series"):
        read_volume(file)


# Segmentations -------------------------------------------------------------------------------------------

LABELS = np.zeros((4, 3, 2), np.uint8)
LABELS[1, 2, 0] = 1
LABELS[3, 0, 1] = 7


def test_label_map_with_names_from_csv(tmp_path):
    (tmp_path / "names.csv").write_text("group,structure,id\nbones,radius,1\nbones,ulna,7\n")
    label_map = read_label_map(save(tmp_path / "seg.nii.gz", LABELS), tmp_path / "names.csv")
    np.testing.assert_array_equal(label_map.labels, LABELS)
    assert label_map.names == {1: "radius", 7: "ulna"}
    assert label_map.name_of(9) == "label 9"


def test_slicer_segmentation_brings_its_names(tmp_path):
    header = {
        "Segment0_Name": "femur",
        "Segment0_LabelValue": "7",
        "Segment0_Layer": "0",
        "Segment1_Name": "hip bone",
        "Segment1_LabelValue": "1",
        "Segment1_Layer": "0",
    }
    label_map = read_label_map(save(tmp_path / "s.seg.nrrd", LABELS, header=header))
    assert label_map.names == {7: "femur", 1: "hip bone"}
    header["Segment1_LabelValue"] = "7"
    with pytest.raises(InputError, match="femur and hip bone share the label value 7"):
        read_label_map(save(tmp_path / "s.seg.nrrd", LABELS, header=header))
    del header["Segment1_LabelValue"]
    with pytest.raises(InputError, match="Segment1_LabelValue is missing"):
        read_label_map(save(tmp_path / "s.seg.nrrd", LABELS, header=header))


def test_overlapping_segments_are_refused(tmp_path):
    image = SimpleITK.GetImageFromArray(np.stack([LABELS, LABELS], axis=-1), isVector=True)
    for n in (0, 1):
        image.SetMetaData(f"Segment{n}_Name", f"s{n}")
        image.SetMetaData(f"Segment{n}_LabelValue", "1")
        image.SetMetaData(f"Segment{n}_Layer", str(n))
    SimpleITK.WriteImage(image, str(tmp_path / "s.seg.nrrd"))
    with pytest.raises(InputError, match=r"segments s0 and s1 overlap in 1 voxel.* - in 3D Slicer"):
        read_label_map(tmp_path / "s.seg.nrrd")


def test_label_map_as_tiff_stack(tmp_path):
    label_map = read_label_map(save_tiff(tmp_path / "seg.tif", LABELS), voxel_mm=(1, 1, 1))
    np.testing.assert_array_equal(label_map.labels, LABELS)
    np.testing.assert_allclose(label_map.grid.centre_patient, 0)


def test_whole_numbers_may_be_stored_as_floats(tmp_path):
    label_map = read_label_map(save(tmp_path / "seg.nii", LABELS.astype(np.float32)))
    assert label_map.labels.dtype == np.int32


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (LABELS * np.float32(0.5), "fractional values such as 0.5"),
        (LABELS.astype(np.int16) * -1, "negative label -7"),
        (LABELS * 0, "no label"),
    ],
)
def test_what_is_no_label_map(tmp_path, array, message):
    path = save(tmp_path / "seg.nrrd", array)
    with pytest.raises(InputError) as error:
        read_label_map(path)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}: ")


def test_unknown_segmentation_and_bad_names(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_label_map(tmp_path / "absent.nrrd")
    with pytest.raises(InputError, match="export to a label map"):
        read_label_map(save_series(tmp_path / "seg"))
    path = save(tmp_path / "seg.nrrd", LABELS)
    names = tmp_path / "names.csv"
    for text, says in (
        ("name,id\nradius,1\n", "column structure missing"),
        ("structure,id\nradius,one\n", "line 2: id 'one' is no integer"),
        ("structure,id\nradius,1\nulna,1\n", "line 3: id 1 has two names, radius and ulna"),
    ):
        names.write_text(text)
        with pytest.raises(InputError, match=says):
            read_label_map(path, names)


def test_labels_come_to_another_grid_through_the_patient():
    # Labels at 1 mm along +x from x = 0; the volume at 2 mm along -x from x = 3. Volume index i lies at
    # x = 3 - 2 i = 3, 1, -1: label indices 3, 1 and outside.
    labels = np.zeros((2, 2, 4), np.uint8)
    labels[:] = [1, 2, 3, 4]
    volume_from_index = np.diag([-2.0, 1, 1, 1])
    volume_from_index[0, 3] = 3
    moved = resample_labels(
        LabelMap(labels, Grid((4, 2, 2), np.eye(4)), {}), Grid((3, 2, 2), volume_from_index)
    )
    np.testing.assert_array_equal(moved.labels[0, 0], [4, 2, 0])
    assert moved.grid.size == (3, 2, 2)


def test_resampling_oblique_labels_matches_itk(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, (9, 8, 7), dtype=np.uint8)
    moving = save(tmp_path / "seg.nrrd", labels, OBLIQUE, origin=(0.0, 0.0, 0.0))
    fixed = save(
        tmp_path / "ct.nrrd",
        np.zeros((6, 9, 11), np.int16),
        np.diag([1.0, -1, 1]),
        (0.7, 0.9, 2.9),
        (0.137, 9.071, 2.013),  # no voxel centre lies on a face between two others: ties may round either way
    )
    expected = SimpleITK.Resample(
        SimpleITK.ReadImage(str(moving)),
        SimpleITK.ReadImage(str(fixed)),
        SimpleITK.Transform(),
        SimpleITK.sitkNearestNeighbor,
    )
    result = resample_labels(read_label_map(moving), read_volume(fixed).grid)
    np.testing.assert_array_equal(result.labels, SimpleITK.GetArrayFromImage(expected))
    assert (result.labels > 0).sum() > 100


def test_boxes_that_lie_apart_are_refused_with_their_distance():
    label_map = LabelMap(np.ones((2, 2, 2), np.uint8), Grid((2, 2, 2), np.eye(4)), {})
    away = np.eye(4)
    away[:3, 3] = [5, 0, 6]  # boxes end at 1.5 and begin at 4.5 and 5.5: 3 and 4 mm apart, so 5
    with pytest.raises(InputError, match=r"do not overlap: 5\.0 mm apart, centres 7\.8 mm apart"):
        resample_labels(label_map, Grid((2, 2, 2), away))
    empty = np.zeros((2, 2, 2), np.uint8)
    empty[0, 0, 0] = 1
    near = np.eye(4)
    near[:3, 3] = 1
    with pytest.raises(InputError, match="no labelled voxel"):
        resample_labels(LabelMap(empty, label_map.grid, {}), Grid((2, 2, 2), near))


# Real files ----------------------------------------------------------------------------------------------


def test_real_chest_ct_is_left_handed_and_fits_its_labels(data):
    label_map = read_label_map(data / "chest_ct/mask.nii.gz", data / "chest_ct/structures.csv")
    assert label_map.grid.is_left_handed
    assert label_map.grid.size == (512, 512, 133)
    value_of = {name: label for label, name in label_map.names.items()}

    def centre(name):
        k, j, i = (axis.mean() for axis in np.nonzero(label_map.labels == value_of[name]))
        return apply(label_map.grid.patient_from_index, [i, j, k])

    # LPS: +x to the left, +y to posterior, +z to the head.
    assert centre("humerus_left")[0] > centre("humerus_right")[0] + 200
    assert centre("vertebrae_T5")[1] > centre("sternum")[1] + 50
    assert centre("vertebrae_T1")[2] > centre("vertebrae_T12")[2] + 150


def test_real_pelvis_labels_cover_only_their_piece_of_the_ct(data):
    volume = read_volume(data / "pelvis_ct_3mm/example_ct.nii.gz")
    label_map = read_label_map(data / "pelvis_ct_3mm/example_seg.nii.gz")
    moved = resample_labels(label_map, volume.grid)
    assert moved.labels.shape == volume.hu.shape == (112, 101, 122)
    np.testing.assert_array_equal(moved.labels[:30], label_map.labels)
    assert not moved.labels[30:].any()


def test_real_hip_bones(data):
    grid = read_volume(data / "hipbones_ct/pelvisSegmIntensityLPI.mha").grid
    assert grid.size == (337, 182, 250)
    np.testing.assert_allclose(np.diag(grid.patient_from_index), [-1, -1, 1, 1])


def test_real_wrist_bone_has_the_frame_of_its_reference_poses(data):
    bone = json.loads((data / "wrist_biplane/reference_poses.json").read_text())["bones"]["radius"]
    volume = read_volume(data / "wrist_biplane/bones" / bone["file"], (0.390625, 0.390625, 0.625))
    assert list(volume.grid.size) == bone["size"]
    np.testing.assert_allclose(volume.grid.patient_from_index, bone["bone_from_index_at_reference_voxel"])
    assert volume.hu.min() == -1024
