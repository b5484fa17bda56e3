"""NIfTI headers: where the file lies, whichever way it says so; contradictions and gaps are refused."""

import gzip
import struct

import numpy as np
import pytest
import SimpleITK
from xrayreg.errors import InputError
from xrayreg.geometry import apply
from xrayreg.images import read_label_map, read_volume

VALUES = np.arange(24, dtype=np.int16).reshape(4, 3, 2)  # [k, j, i]

# RAS from index: 2 mm along -x, 3 mm along y, 4 mm along z, the first voxel at (10, 20, 30).
FORM = np.array([[-2.0, 0, 0, 10], [0, 3, 0, 20], [0, 0, 4, 30]])
# The same as a quaternion: a half turn about y gives (-x, y, -z), and qfac -1 turns z back.
HALF_TURN = {"quatern": (0, 1, 0), "offset": (10, 20, 30), "pixdim": (-1, 2, 3, 4)}


def nifti(
    path,
    values=VALUES,
    order="<",
    *,
    version=1,
    sform=1,
    qform=0,
    srow=FORM,
    quatern=(0, 0, 0),
    offset=(0, 0, 0),
    pixdim=(1, 2, 3, 4),
    units=2,
    scale=(1, 0),
    dim=None,
    extension=b"",
    datatype=4,
    begin=None,
):
    """A file written byte by byte, as nifti1.h and nifti2.h lay it out."""
    dim = (3, *values.shape[::-1], 1, 1, 1, 1) if dim is None else dim
    head = bytearray(352 if version == 1 else 544)
    block = b""
    if extension:
        size = (len(extension) + 8 + 15) // 16 * 16
        block = struct.pack(order + "2i", size, 0) + extension.ljust(size - 8, b"\0")
        head[-4] = 1
    begin = len(head) + len(block) if begin is None else begin
    pixdim = (*pixdim, 0, 0, 0, 0)

    if version == 1:
        head[344:348] = b"n+1\0"
        fields = [("i", 0, 348), ("8h", 40, *dim), ("2h", 70, datatype, 16), ("8f", 76, *pixdim)]
        fields += [("f", 108, begin), ("2f", 112, *scale), ("b", 123, units), ("2h", 252, qform, sform)]
        fields += [("3f", 256, *quatern), ("3f", 268, *offset), ("12f", 280, *np.ravel(srow))]
    else:
        head[4:12] = b"n+2\0\r\n\x1a\n"
        fields = [("i", 0, 540), ("8q", 16, *dim), ("2h", 12, datatype, 16), ("8d", 104, *pixdim)]
        fields += [("q", 168, begin), ("2d", 176, *scale), ("i", 500, units), ("2i", 344, qform, sform)]
        fields += [("3d", 352, *quatern), ("3d", 376, *offset), ("12d", 400, *np.ravel(srow))]
    for form, at, *numbers in fields:
        struct.pack_into(order + form, head, at, *numbers)
    content = bytes(head) + block + values.astype(values.dtype.newbyteorder(order)).tobytes()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", ["ct.nii", "ct.nii.gz"])
def test_place_and_values(tmp_path, version, order, name):
    volume = read_volume(nifti(tmp_path / name, order=order, version=version))
    np.testing.assert_array_equal(volume.hu, VALUES)
    # Voxel (1, 2, 3): RAS (10 - 2, 20 + 6, 30 + 12) = (8, 26, 42), so LPS (-8, -26, 42).
    np.testing.assert_allclose(apply(volume.grid.patient_from_index, [1, 2, 3]), [-8, -26, 42])


def test_qform_alone(tmp_path):
    volume = read_volume(nifti(tmp_path / "ct.nii", sform=0, qform=1, **HALF_TURN))
    np.testing.assert_allclose(apply(volume.grid.patient_from_index, [1, 2, 3]), [-8, -26, 42], atol=1e-9)
    # 90 degrees about z, quaternion (r, 0, 0, r): i runs along y, j along -x. Voxel (1, 2, 3) at RAS
    # (10 - 6, 20 + 2, 30 + 12) = (4, 22, 42).
    turned = {"quatern": (0, 0, np.sqrt(0.5)), "offset": (10, 20, 30)}
    volume = read_volume(nifti(tmp_path / "ct.nii", sform=0, qform=1, **turned))
    np.testing.assert_allclose(apply(volume.grid.patient_from_index, [1, 2, 3]), [-4, -22, 42], atol=1e-5)


def test_both_forms_must_agree(tmp_path):
    volume = read_volume(nifti(tmp_path / "ct.nii", qform=1, **HALF_TURN))
    np.testing.assert_allclose(apply(volume.grid.patient_from_index, [0, 0, 0]), [-10, -20, 30])
    # The qform 3 mm aside: every corner is 3 mm off.
    shifted = {**HALF_TURN, "offset": (13, 20, 30)}
    with pytest.raises(InputError, match=r"sform and qform disagree by up to 3\.0 mm"):
        read_volume(nifti(tmp_path / "ct.nii", qform=1, **shifted))
    # Left and right swapped in one: 2 voxels of 2 mm reach from 11 to 7, or from 9 to 13: up to 6 mm off.
    swapped = FORM.copy()
    swapped[0, 0] = 2
    with pytest.raises(InputError, match=r"disagree by up to 6\.0 mm"):
        read_volume(nifti(tmp_path / "ct.nii", srow=swapped, qform=1, **HALF_TURN))
    # 0.2 mm is what rounding can do.
    near = {**HALF_TURN, "offset": (10.2, 20, 30)}
    assert read_volume(nifti(tmp_path / "ct.nii", qform=1, **near)).grid.size == (2, 3, 4)


def test_sheared_sform_is_kept(tmp_path):
    sheared = FORM.copy()
    sheared[1, 2] = 1.0  # each slice 1 mm further to anterior
    volume = read_volume(nifti(tmp_path / "ct.nii", srow=sheared))
    np.testing.assert_allclose(apply(volume.grid.patient_from_index, [1, 2, 3]), [-8, -29, 42])


@pytest.mark.parametrize(("unit", "name", "mm"), [(1, "metres", 1000.0), (3, "microns", 0.001)])
def test_other_units_of_length(tmp_path, unit, name, mm):
    volume = read_volume(nifti(tmp_path / "ct.nii", units=unit + 8, srow=FORM / mm))  # 8: seconds
    np.testing.assert_allclose(apply(volume.grid.patient_from_index, [1, 2, 3]), [-8, -26, 42], rtol=1e-6)
    assert any(f"lengths are in {name}" in note for note in volume.notes)


def test_aligned_is_said(tmp_path):
    assert not any("aligned" in note for note in read_volume(nifti(tmp_path / "ct.nii")).notes)
    notes = read_volume(nifti(tmp_path / "ct.nii", sform=2)).notes
    assert any("sform_code is 2: aligned to some other file" in note for note in notes)


def test_scaling(tmp_path):
    # 0.5 * 23 - 1000 at the last voxel; slope 0 means unscaled
    assert read_volume(nifti(tmp_path / "ct.nii", scale=(0.5, -1000))).hu[3, 2, 1] == -988.5
    assert read_volume(nifti(tmp_path / "ct.nii", scale=(0, 7))).hu[3, 2, 1] == 23


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sform": 0}, "qform_code and sform_code are 0"),
        ({"sform": 4}, "sform_code is 4: it lies in the space of the MNI template"),
        ({"sform": 0, "qform": 3, **HALF_TURN}, "qform_code is 3: it lies in the space of Talairach's atlas"),
        ({"srow": FORM * 0}, "sform is no invertible matrix"),
        ({"srow": FORM * np.nan}, "sform is no invertible matrix"),
        ({"sform": 0, "qform": 1, "pixdim": (1, 0, 3, 4)}, "pixdim is 0, 3, 4: voxel sizes must be positive"),
        ({"sform": 0, "qform": 1, "quatern": (1, 1, 1)}, "quatern is no unit quaternion"),
        ({"units": 5}, "xyzt_units is 5"),
        ({"dim": (9, 2, 3, 4, 1, 1, 1, 1)}, "dim[0] is 9"),
        ({"dim": (4, 2, 3, 2, 2, 1, 1, 1)}, "2 x 3 x 2 x 2 voxels, not a scalar 3-D image"),
        ({"dim": (3, 2, 0, 4, 1, 1, 1, 1)}, "2 x 0 x 4 voxels"),
        ({"dim": (3, 2, 3, 5, 1, 1, 1, 1)}, "says 60 bytes of voxels, the file holds 48: it is cut off"),
        (
            {"dim": (3, 30000, 30000, 30000, 1, 1, 1, 1)},
            "30000 x 30000 x 30000 voxels, more than",
        ),
        ({"datatype": 128}, "datatype is 128, not a scalar"),
        ({"scale": (np.nan, 0)}, "scl_slope and scl_inter are nan"),
        ({"begin": 10}, "vox_offset is 10: voxels cannot begin there"),
    ],
)
def test_what_is_refused(tmp_path, options, message):
    path = nifti(tmp_path / "ct.nii", **options)
    with pytest.raises(InputError) as error:
        read_volume(path)
    assert message in str(error.value)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_packed_files_that_lie_about_their_size(tmp_path):
    # A header that claims 1.2 thousand million voxels before 48 bytes: deflate packs 1032 to 1 at best.
    with pytest.raises(InputError, match="it is cut off or its header is wrong"):
        read_volume(nifti(tmp_path / "ct.nii.gz", dim=(3, 1000, 1000, 1200, 1, 1, 1, 1)))
    # A stream that goes on for 50 MB after the last voxel is not unpacked.
    bomb = nifti(tmp_path / "bomb.nii.gz", np.zeros((50, 1000, 500), np.int16), dim=(3, 2, 3, 4, 1, 1, 1, 1))
    assert read_volume(bomb, kind="mr").grid.size == (2, 3, 4)
    whole = nifti(tmp_path / "cut.nii.gz").read_bytes()
    (tmp_path / "cut.nii.gz").write_bytes(whole[:-12])
    with pytest.raises(InputError, match="cannot be read as NIfTI"):
        read_volume(tmp_path / "cut.nii.gz")


def test_same_as_itk(tmp_path):
    image = SimpleITK.GetImageFromArray(VALUES)
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((-100, 50, 7))
    image.SetDirection((0.8, 0.6, 0, -0.6, 0.8, 0, 0, 0, -1))
    SimpleITK.WriteImage(image, str(tmp_path / "ct.nii.gz"))
    volume = read_volume(tmp_path / "ct.nii.gz")
    expected = image.TransformIndexToPhysicalPoint((1, 2, 3))
    np.testing.assert_allclose(apply(volume.grid.patient_from_index, [1, 2, 3]), expected, atol=1e-4)
    np.testing.assert_array_equal(volume.hu, VALUES)


def test_names_of_total_segmentator(tmp_path):
    xml = (
        b'<?xml version="1.0"?><CaretExtension><VolumeInformation Index="0"><LabelTable>'
        b'<Label Key="1" Red="1" Alpha="1"><![CDATA[hip_left]]></Label>'
        b'<Label Key="2" Red="0" Alpha="1">sacrum &amp; S1</Label>'
        b"</LabelTable></VolumeInformation></CaretExtension>"
    )
    labels = np.zeros((4, 3, 2), np.int16)
    labels[1, 1] = 1
    label_map = read_label_map(nifti(tmp_path / "seg.nii.gz", labels, extension=xml))
    assert label_map.names == {1: "hip_left", 2: "sacrum & S1"}
    np.testing.assert_array_equal(label_map.labels, labels)


def test_real_names_of_total_segmentator(data):
    names = read_label_map(data / "pelvis_ct_3mm/example_seg.nii.gz").names
    assert (names[1], names[25], names[77]) == ("spleen", "sacrum", "hip_left")
