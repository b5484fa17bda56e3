"""DICOM series: every slice at its place, in its units, or a refusal that names slice and position."""

import numpy as np
import pydicom
import pytest
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)
from xrayreg.errors import InputError
from xrayreg.geometry import apply
from xrayreg.images import read_volume

# 2 x 3 x 4 voxels, each value is 100 i + 10 j + k.
INDEX_K, INDEX_J, INDEX_I = np.meshgrid(np.arange(4), np.arange(3), np.arange(2), indexing="ij")
VALUES = (100 * INDEX_I + 10 * INDEX_J + INDEX_K).astype(np.int16)


def save_series(folder, *, series=None, positions=(5.0, 7.5, 10.0, 12.5), compressed=None, **tags):
    """CT slices in reversed file order; HU = 2 p - 1000; tags set, or left out where None."""
    folder.mkdir(exist_ok=True, parents=True)
    own_names, series = series is not None, series or generate_uid()
    for n, z in enumerate(positions):
        meta = pydicom.dataset.FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, generate_uid()
        ds = pydicom.dataset.FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = "1.2.3", series, "CT"
        ds.Rows, ds.Columns, ds.PixelSpacing = 3, 2, [0.5, 0.25]  # row, column
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.ImagePositionPatient = [-1, -2, z]
        ds.InstanceNumber = str(n + 1)
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.RescaleSlope, ds.RescaleIntercept = "2", "-1000"
        ds.PixelData = VALUES[n % 4].astype("<i2").tobytes()
        for keyword, value in tags.items():
            if value is None:
                delattr(ds, keyword)
            else:
                setattr(ds, keyword, value(n) if callable(value) else value)
        if "SeriesDescription" in ds:
            ds.PatientName = "Doe^Jane"
        if compressed is not None:
            ds.compress(compressed)
        ds.save_as(
            folder / f"s_{len(positions) - n}{series[-6:] if own_names else ''}.dcm", enforce_file_format=True
        )
    return folder


def test_dicom_series_is_sorted_by_position(tmp_path):
    volume = read_volume(save_series(tmp_path / "ct"))
    np.testing.assert_array_equal(volume.hu, 2.0 * VALUES - 1000)
    expected = [[0.25, 0, 0, -1], [0, 0.5, 0, -2], [0, 0, 2.5, 5], [0, 0, 0, 1]]
    np.testing.assert_allclose(volume.grid.patient_from_index, expected)


def test_dicom_series_need_not_be_axial(tmp_path):
    # Sagittal: rows run to posterior, columns to feet, so the normal y x (-z) = -x runs to the right.
    volume = read_volume(
        save_series(
            tmp_path / "ct",
            ImageOrientationPatient=[0, 1, 0, 0, 0, -1],
            ImagePositionPatient=lambda n: [3.0 * n, 0, 0],
        )
    )
    np.testing.assert_allclose(volume.grid.patient_from_index[:3, 2], [-3, 0, 0], atol=1e-9)
    np.testing.assert_allclose(volume.grid.patient_from_index[:3, 3], [9, 0, 0], atol=1e-9)
    np.testing.assert_array_equal(volume.hu[0], 2.0 * VALUES[3] - 1000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"positions": (5.0, 7.5, 12.5, 15.0)},
            "1 slice(s) missing: after the slice at 7.50 mm along the normal (s_3.dcm) the next is 5.00 "
            "mm away, "
            "others 2.50 mm",
        ),
        # 2.5 mm, then 5 mm three times: spacing that changes, not slices that are missing
        (
            {"positions": (0, 2.5, 5, 7.5, 10, 15, 20, 25)},
            "unevenly spaced slices: after the slice at 10.00 mm",
        ),
        ({"positions": (0, 2.5, 5, 8.5, 11)}, "unevenly spaced slices: after the slice at 5.00 mm"),
        (
            {"positions": (5.0, 7.5, 7.5, 10.0)},
            "two slices at 7.50 mm along the normal",
        ),
        (
            {"positions": (5.0, 7.5, 7.5, 10.0), "AcquisitionNumber": lambda n: n // 2 + 1},
            "they differ in AcquisitionNumber (0020,0012) 2 and AcquisitionNumber (0020,0012) 1 - export one",
        ),
        ({"positions": (5.0,)}, "only one slice"),
        # the third of four lies 1 mm beside the line through the others
        (
            {"ImagePositionPatient": lambda n: [0, float(n == 2), 2.0 * n]},
            "lies 1.00 mm off the straight",
        ),
        ({"ImagePositionPatient": lambda n: [0, 2.0 * n, 2.0 * n]}, "stacked 45.0 degrees off their normal"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 2, 0]}, "no pair of perpendicular directions"),
        ({"RescaleSlope": "0"}, "RescaleSlope (0028,1053) is 0, not positive"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "is a localizer (ImageType (0008,0008))"),
        ({"PhotometricInterpretation": "RGB"}, "PhotometricInterpretation (0028,0004) is RGB"),
        ({"Rows": 4}, "PixelData (7FE0,0010) has 12 bytes"),
        (
            {"FrameOfReferenceUID": lambda n: f"1.2.{n // 2}"},
            "(0020,0052) differs between its slices",
        ),
        ({"Rows": 65535, "Columns": 65535}, "65535 x 65535 x 4 voxels, more than"),
        (
            {"GantryDetectorTilt": "12"},
            "(0018,1120) is 12 degrees, but slices are stacked 0.0 degrees",
        ),
        ({"ImagePositionPatient": None}, "ImagePositionPatient (0020,0032) is missing"),
        ({"ImageOrientationPatient": None}, "ImageOrientationPatient (0020,0037) is missing"),
        ({"PixelSpacing": None}, "PixelSpacing (0028,0030) is missing"),
        ({"RescaleIntercept": None}, "RescaleIntercept (0028,1052) is missing"),
        ({"RescaleType": "US"}, "RescaleType (0028,1054) is US, not HU"),
        ({"Modality": "MR"}, "Modality (0008,0060) is MR, not CT"),
        ({"NumberOfFrames": "4"}, "has 4 frames, but PerFrameFunctionalGroupsSequence"),
        ({"PixelSpacing": lambda n: [0.5, 0.25 + 0.1 * (n == 2)]}, "PixelSpacing (0028,0030)"),
    ],
)
def test_dicom_series_that_is_no_ct_grid(tmp_path, options, message):
    folder = save_series(tmp_path / "ct", **options)
    with pytest.raises(InputError) as error:
        read_volume(folder)
    assert message in str(error.value)
    assert str(folder) in str(error.value)
    assert " - " in str(error.value)


def test_each_slice_has_its_own_rescaling(tmp_path):
    # Slope 1, 2, 3, 4 and intercept -1000, -1100, ... by slice.
    volume = read_volume(
        save_series(
            tmp_path / "ct",
            RescaleSlope=lambda n: str(n + 1),
            RescaleIntercept=lambda n: str(-1000 - 100 * n),
        )
    )
    # Voxel (i, j) = (1, 2) is 120 + k: 120 - 1000, 2 * 121 - 1100, 3 * 122 - 1200, 4 * 123 - 1300.
    np.testing.assert_array_equal(volume.hu[:, 2, 1], [-880, -858, -834, -808])


def test_unsigned_and_twelve_bit_pixels(tmp_path):
    stored = (VALUES.astype(int) + 40000).astype("<u2")
    volume = read_volume(
        save_series(
            tmp_path / "u",
            PixelRepresentation=0,
            PixelData=lambda n: stored[n].tobytes(),
            RescaleSlope="1",
            RescaleIntercept="-41000",
        )
    )
    np.testing.assert_array_equal(volume.hu, VALUES - 1000.0)


def test_padding_is_air(tmp_path):
    # Stored 0 (voxel 0, 0 of slice 0) is padding; 1 (the same voxel of slice 1) is 2 * 1 - 1000.
    volume = read_volume(save_series(tmp_path / "ct", PixelPaddingValue=0, RescaleIntercept="-3000"))
    assert volume.hu[0, 0, 0] == -1000
    assert volume.hu[1, 0, 0] == -2998
    assert "4 % of the voxels are padding (PixelPaddingValue (0028,0120)), taken as air" in volume.notes
    padded = VALUES.copy()
    padded[2] = -2000
    # -2000 in 16 bit, written as if unsigned: 63536
    folder = save_series(tmp_path / "signed", PixelData=lambda n: padded[n].tobytes())
    for file in folder.iterdir():
        ds = pydicom.dcmread(file)
        ds.add_new("PixelPaddingValue", "US", 63536)
        ds.save_as(file)
    volume = read_volume(folder)
    assert (volume.hu[2] == -1000).all()
    assert (volume.hu[1] == 2 * VALUES[1] - 1000).all()


def test_compressed_slices(tmp_path):
    gdcm = pytest.importorskip("gdcm")
    (tmp_path / "ct").mkdir()
    for file in save_series(tmp_path / "raw", RescaleType="HU", PixelRepresentation=0).iterdir():
        reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
        reader.SetFileName(str(file))
        assert reader.Read()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.SetFileName(str(tmp_path / "ct" / file.name))
        assert writer.Write()
        assert pydicom.dcmread(tmp_path / "ct" / file.name).file_meta.TransferSyntaxUID.is_compressed
    np.testing.assert_array_equal(read_volume(tmp_path / "ct").hu, 2.0 * VALUES - 1000)


def test_run_length_encoded_slices(tmp_path):
    volume = read_volume(save_series(tmp_path / "ct", compressed=RLELossless))
    np.testing.assert_array_equal(volume.hu, 2.0 * VALUES - 1000)


def test_slices_of_a_tilted_gantry_stay_where_they_are(tmp_path):
    # The table moves along z by 4 mm, slices are tilted by 15 degrees about x: columns run along (0, c, s).
    c, s = np.cos(np.radians(15)), np.sin(np.radians(15))
    volume = read_volume(
        save_series(
            tmp_path / "ct",
            ImageOrientationPatient=[1, 0, 0, 0, round(c, 9), round(s, 9)],
            ImagePositionPatient=lambda n: [0, 0, 4.0 * n],
            GantryDetectorTilt="-15",
        )
    )
    # i along x by 0.25, j along (0, c, s) by 0.5, k along z by 4: voxel (1, 2, 3) lies at (0.25, c, s + 12).
    np.testing.assert_allclose(apply(volume.grid.patient_from_index, [1, 2, 3]), [0.25, c, s + 12], atol=1e-6)
    assert any("stacked 15.0 degrees off their normal" in note for note in volume.notes)


def test_a_tilt_that_was_straightened_is_said(tmp_path):
    volume = read_volume(
        save_series(tmp_path / "ct", GantryDetectorTilt="12", ImageType=["DERIVED", "SECONDARY", "AXIAL"])
    )
    assert any("GantryDetectorTilt (0018,1120) is 12 degrees" in note for note in volume.notes)


def test_several_series_are_listed_and_one_is_chosen(tmp_path):
    folder = tmp_path / "ct"
    save_series(folder / "a", series="1.2.111111", SeriesNumber=2, SeriesDescription="Bone 1.0")
    save_series(folder / "b", series="1.2.222222", SeriesNumber=3, positions=(0.0, 1.0, 2.0))
    scout = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "positions": (0.0,)}
    save_series(folder, series="1.2.333333", SeriesNumber=1, **scout)
    (folder / "report.txt").write_text("no image")
    (folder / "DICOMDIR").write_bytes(b"no image either")
    with pytest.raises(InputError) as error:
        read_volume(folder)
    message = str(error.value)
    assert (
        "3 DICOM series: no. 1, 1 CT localizer image, 1.2.333333; no. 2, 'Bone 1.0', 4 CT images, "
        "1.2.111111; "
        "no. 3, 3 CT images, 1.2.222222 - choose one by its number or the end of its UID: --series 2"
        in message
    )
    assert "Doe" not in message
    for wanted in ("2", "1.2.111111", "111"):
        chosen = read_volume(folder, series=wanted)
        assert chosen.grid.size == (2, 3, 4)
        assert any("4 image(s) of other series are not used" in note for note in chosen.notes)
    assert read_volume(folder, series="3").grid.size == (2, 3, 3)
    for wanted, says in (("9", "no series with the number or UID ending '9'"), ("1.2.444", "no series with")):
        with pytest.raises(InputError, match=says):
            read_volume(folder, series=wanted)


def test_localizers_and_other_modalities_are_not_taken(tmp_path):
    folder = save_series(tmp_path / "ct", series="1.2.111111", SeriesNumber=1)
    save_series(folder, series="1.2.222222", SeriesNumber=2, Modality="PT")
    with pytest.raises(InputError, match=r"4 PT images, 1\.2\.222222 - choose one .*--series 1$"):
        read_volume(folder)
    with pytest.raises(InputError, match="is PT, not CT"):
        read_volume(folder, series="2")


def test_damaged_slices_are_not_left_out_in_silence(tmp_path):
    folder = save_series(tmp_path / "ct")
    (folder / "s_1.dcm").write_text("no DICOM")  # the last slice: the others are evenly spaced
    with pytest.raises(InputError, match=r"s_1\.dcm: is no DICOM file"):
        read_volume(folder)
    folder = save_series(tmp_path / "cut")
    whole = (folder / "s_1.dcm").read_bytes()
    (folder / "s_1.dcm").write_bytes(whole[:-8])  # half of the 24 bytes of pixels and more
    with pytest.raises(InputError, match=r"s_1\.dcm: PixelData .* has 4 bytes"):
        read_volume(folder)


def test_loops_of_links_end(tmp_path):
    folder = save_series(tmp_path / "ct")
    try:
        (folder / "again").symlink_to(folder, target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    assert read_volume(folder).grid.size == (2, 3, 4)


def test_an_mr_series_needs_no_rescaling_but_has_to_be_asked_for(tmp_path):
    folder = save_series(tmp_path / "mr", Modality="MR", RescaleSlope=None, RescaleIntercept=None)
    with pytest.raises(InputError, match="is MR, not CT - give a CT in Hounsfield units, or say --kind mr"):
        read_volume(folder)
    volume = read_volume(folder, kind="mr")
    np.testing.assert_array_equal(volume.hu, VALUES)
    assert any("an MR has no attenuation: its bright tissue is taken as dense" in n for n in volume.notes)
    with pytest.raises(InputError, match="is CT, not MR - say --kind ct"):
        read_volume(save_series(tmp_path / "ct"), kind="mr")
    with pytest.raises(InputError, match="there is no kind of volume 'pet'"):
        read_volume(folder, kind="pet")


# Enhanced CT ---------------------------------------------------------------------------------------------


def save_enhanced(path, frames=4, shared_position=False):
    """Frames in one file, last slice first; HU = 2 p - 1000 - 10 for each frame after the first."""
    ds = pydicom.dcmread(next(save_series(path.parent / "parts").iterdir()))
    for keyword in ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "RescaleSlope"):
        delattr(ds, keyword)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
    ds.NumberOfFrames, ds.PixelData = frames, VALUES[::-1][:frames].astype("<i2").tobytes()
    shared, measures, plane = (pydicom.Dataset() for _ in range(3))
    measures.PixelSpacing, plane.ImageOrientationPatient = [0.5, 0.25], [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [plane]
    ds.SharedFunctionalGroupsSequence, each = [shared], []
    for n in range(frames):
        group, position, values = (pydicom.Dataset() for _ in range(3))
        position.ImagePositionPatient = [-1, -2, 5.0 if shared_position else 12.5 - 2.5 * n]
        values.RescaleSlope, values.RescaleIntercept, values.RescaleType = "2", str(-1000 - 10 * n), "HU"
        group.PlanePositionSequence, group.PixelValueTransformationSequence = [position], [values]
        each.append(group)
    ds.PerFrameFunctionalGroupsSequence = each
    ds.save_as(path, enforce_file_format=True)
    return path


def test_enhanced_ct(tmp_path):
    volume = read_volume(save_enhanced(tmp_path / "enhanced.dcm"))
    np.testing.assert_allclose(
        volume.grid.patient_from_index, [[0.25, 0, 0, -1], [0, 0.5, 0, -2], [0, 0, 2.5, 5], [0, 0, 0, 1]]
    )
    # Frame n is slice 3 - n, and 10 n HU lower: slice k by 10 (3 - k).
    np.testing.assert_array_equal(volume.hu, 2.0 * VALUES - 1000 - 10 * (3 - INDEX_K))
    with pytest.raises(InputError, match=r"enhanced\.dcm frame 1 and enhanced\.dcm frame 2"):
        read_volume(save_enhanced(tmp_path / "enhanced.dcm", shared_position=True))


# Real files ----------------------------------------------------------------------------------------------


def test_real_skull_phantom_dicom(data):
    volume = read_volume(data / "skull_phantom_ct/dicom")
    assert volume.grid.size == (512, 512, 140)
    np.testing.assert_allclose(volume.grid.spacing_mm, [0.451171875, 0.451171875, 1])
    np.testing.assert_allclose(volume.grid.patient_from_index[:3, 3], [-115.5, -1.85, 694.21])
    assert (volume.hu.min(), volume.hu.max()) == (-1024, 3071)
    # The holder of the head reaches the edge; nothing else is odd.
    assert len(volume.notes) == 1
    assert "cut off at the edge of the CT: posterior (22 cm2)" in volume.notes[0]
