"""Pixels of DICOM X-rays: every transfer syntax, sizes that are guarded, what values say of the beam."""

import io
import re

import numpy as np
import pydicom
import pytest
from dicom_images import converted, dataset_of, jpeg_12_bit, save, waves, with_frames
from PIL import Image
from pydicom.pixels import pixel_array
from pydicom.uid import (
    MPEG2MPML,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
)
from xrayreg.errors import InputError
from xrayreg.images import deflated_files, dicom_decoding, line_integrals_from_transmission
from xrayreg.images.codestreams import Codestream, codestream_of
from xrayreg.images.dicom_decoding import stored_pixels
from xrayreg.images.dicom_intensity import LOG_RANGE, meaning_of
from xrayreg.images.dicom_pixels import frame_pixels, open_xray
from xrayreg.images.shutters import Shutter, shutters_of, write_shutter
from xrayreg.images.xray import open_beam

LOSSLESS = (
    "ImplicitVRLittleEndian",
    "ExplicitVRLittleEndian",
    "ExplicitVRBigEndian",
    "DeflatedExplicitVRLittleEndian",
    "JPEGLosslessProcess14",  # .57
    "JPEGLosslessProcess14_1",  # .70
    "JPEGLSLossless",
    "JPEG2000Lossless",
    "RLELossless",
)


def read(path, frame=None):
    """As `open_xray` reads a file: Pixel Data stays in it until a frame is asked for."""
    return stored_pixels(pydicom.dcmread(path, defer_size=1 << 10), path, frame)


# --- Transfer syntaxes ---


@pytest.mark.parametrize("syntax", LOSSLESS)
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_every_lossless_syntax_gives_the_pixels_back(tmp_path, syntax, bits):
    pixels = waves(bits=bits)
    plain = save(dataset_of(pixels, bits), tmp_path / "plain.dcm")
    np.testing.assert_array_equal(read(converted(plain, tmp_path / "x.dcm", syntax)), pixels)


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_signed_pixels_keep_their_sign(tmp_path, syntax):
    pixels = waves().astype(np.int16) - 2048
    plain = save(dataset_of(pixels, 12), tmp_path / "plain.dcm")
    found = read(converted(plain, tmp_path / "x.dcm", syntax))
    np.testing.assert_array_equal(found, pixels)
    assert found.min() < 0


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_one_frame_of_a_run_in_every_syntax(tmp_path, syntax):
    run = np.stack([waves(phase=0.3 * n) for n in range(4)])
    plain = save(dataset_of(run, 12), tmp_path / "plain.dcm")
    path = converted(plain, tmp_path / "x.dcm", syntax)
    for number in (1, 3, 4):
        np.testing.assert_array_equal(read(path, number), run[number - 1])


def test_odd_frames_of_8_bits_in_big_endian_words(tmp_path):
    # 3 x 5 = 15 bytes a frame: the second begins in the middle of a word, whose bytes are swapped.
    run = np.arange(45, dtype=np.uint16).reshape(3, 3, 5)
    plain = save(dataset_of(run, 8), tmp_path / "plain.dcm")
    path = converted(plain, tmp_path / "x.dcm", "ExplicitVRBigEndian")
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == ExplicitVRBigEndian
    for number in (1, 2, 3):
        np.testing.assert_array_equal(read(path, number), run[number - 1])


def test_lossy_syntaxes_come_close(tmp_path):
    plain = save(dataset_of(waves(bits=8), 8), tmp_path / "8.dcm")
    for syntax in ("JPEGBaselineProcess1", "JPEGExtendedProcess2_4", "JPEGLSNearLossless", "JPEG2000"):
        found = read(converted(plain, tmp_path / "x.dcm", syntax))
        assert np.abs(found - waves(bits=8).astype(int)).max() <= 2, syntax
    plain = save(dataset_of(waves(bits=12), 12), tmp_path / "12.dcm")
    for syntax in ("JPEGLSNearLossless", "JPEG2000"):
        found = read(converted(plain, tmp_path / "x.dcm", syntax))
        assert np.abs(found - waves(bits=12).astype(int)).max() <= 2, syntax


def test_12_bit_extended_jpeg(tmp_path):
    # Every coefficient is rounded to 1, so that a pixel is off by a few at most. The second frame is coarse
    # at sharp edges from 0 to 4095: its overshoot must be cut off at both ends, not wrap round.
    sharp = np.where(np.random.default_rng(0).random((40, 53)) > 0.5, 4095, 0).astype(np.uint16)
    frames = [jpeg_12_bit(waves()), jpeg_12_bit(sharp, quantum=60)]
    dataset = with_frames(dataset_of(np.stack([waves(), sharp]), 12), JPEGExtended12Bit, frames)
    path = save(dataset, tmp_path / "x.dcm")
    assert np.abs(read(path, 1).astype(int) - waves()).max() <= 2
    assert np.abs(read(path, 2).astype(int) - sharp).max() < 200


def test_extended_jpeg_that_says_16_bits_is_refused(tmp_path):
    frame = jpeg_12_bit(waves())
    at = frame.index(b"\xff\xc1") + 4
    frame = frame[:at] + bytes([16]) + frame[at + 1 :]
    path = save(with_frames(dataset_of(waves(), 12), JPEGExtended12Bit, [frame]), tmp_path / "x.dcm")
    with pytest.raises(InputError, match="the compressed image has 16 bits"):
        read(path)


def test_pillow_serves_where_gdcm_cannot(tmp_path, monkeypatch):
    plain = save(dataset_of(waves(), 12), tmp_path / "plain.dcm")
    path = converted(plain, tmp_path / "x.dcm", "JPEG2000Lossless")
    for plugin in ("gdcm", "pillow"):
        monkeypatch.setattr(dicom_decoding, "_plugins", lambda syntax, only=plugin: [only])
        np.testing.assert_array_equal(read(path), waves())


def test_decoders_say_nothing_on_the_side(tmp_path, capfd):
    path = save(
        with_frames(dataset_of(waves(), 12), JPEGExtended12Bit, [jpeg_12_bit(waves())]), tmp_path / "x"
    )
    plain = save(dataset_of(waves(), 12), tmp_path / "plain.dcm")
    for each in (path, *(converted(plain, tmp_path / name, name) for name in LOSSLESS)):
        read(each)
    assert capfd.readouterr() == ("", "")


def test_gdcm_is_asked_first():
    assert dicom_decoding._plugins(JPEGBaseline8Bit)[:2] == ["gdcm", "pillow"]
    assert dicom_decoding._plugins(RLELossless)[0] == "pydicom"


@pytest.mark.parametrize(
    ("syntax", "package"),
    [
        (JPEGLSLossless, "pip install python-gdcm"),
        (HTJ2KLossless, "pip install pylibjpeg pylibjpeg-openjpeg"),
        (MPEG2MPML, "uncompressed"),  # a film, which pydicom has no decoder for
    ],
)
def test_missing_decoder_names_transfer_syntax_and_package(tmp_path, monkeypatch, syntax, package):
    path = save(with_frames(dataset_of(waves()), syntax, [b"1234"]), tmp_path / "x.dcm")
    if syntax == JPEGLSLossless:  # as if GDCM were not there
        monkeypatch.setattr(type(dicom_decoding.get_decoder(syntax)), "is_available", False)
    with pytest.raises(InputError) as error:
        read(path)
    assert f"no decoder for TransferSyntaxUID (0002,0010) {syntax.name}" in str(error.value)
    assert package in str(error.value)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("NEMA_WG04_RG3_tibia_CR_J2KR.dcm", (1760, 1760)),
        ("NEMA_WG04_XA1_UNC.dcm", (1024, 1024)),
        ("fo-dicom_XA_rubo_96frames.dcm", (512, 512)),
        ("highdicom_dx_thorax_tiny.dcm", (169, 211)),
    ],
)
def test_real_files_decode_as_pydicom_does(data, name, shape):
    path = data / "xray_dicom" / name
    expected = pixel_array(path, index=0)
    assert expected.shape == shape
    np.testing.assert_array_equal(read(path, 1), expected)


def test_the_last_frame_of_a_real_run_is_read_alone(data):
    path = data / "xray_dicom" / "fo-dicom_XA_rubo_96frames.dcm"
    dataset = open_xray(path, 96)
    np.testing.assert_array_equal(stored_pixels(dataset, path, 96), pixel_array(path, index=95))
    assert dataset.get_item("PixelData", keep_deferred=True).value is None  # the run was left in its file


# --- Sizes ---


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"Rows": 65535, "Columns": 65535}, "Rows (0028,0010) 65535 x Columns (0028,0011) 65535 is above"),
        (
            {"NumberOfFrames": 2000000},
            "NumberOfFrames (0028,0008) is 2e+06, not a whole number from 1 to 100000",
        ),
        ({"NumberOfFrames": 0}, "NumberOfFrames (0028,0008) is 0"),
        ({"Rows": 0}, "Rows (0028,0010) is 0, not positive"),
        ({"BitsStored": 17, "HighBit": 16}, "BitsStored (0028,0101) 17"),
        ({"HighBit": 15}, "HighBit (0028,0102) 15"),
        ({"PixelRepresentation": 2}, "PixelRepresentation (0028,0103) 2"),
        ({"SamplesPerPixel": 3}, "SamplesPerPixel (0028,0002) is 3, not 1"),
        ({"PixelData": None}, "PixelData (7FE0,0010) is missing"),
    ],
)
def test_headers_that_no_xray_has_are_refused_before_decoding(tmp_path, tags, message):
    path = save(dataset_of(waves(), 12, **tags), tmp_path / "x.dcm")
    with pytest.raises(InputError) as error:
        read(path, 1)
    assert message in str(error.value)
    assert str(path) in str(error.value)


def test_too_few_bytes_are_counted(tmp_path):
    dataset = dataset_of(np.stack([waves()] * 2), 12)  # 2 x 40 x 53 pixels of 2 bytes: 8480
    whole = save(dataset, tmp_path / "whole.dcm").read_bytes()
    path = tmp_path / "cut.dcm"
    path.write_bytes(whole[:-1000])  # the header still says 8480
    says = "has 7480 bytes, but Rows (0028,0010) 40 x Columns (0028,0011) 53 x 2 NumberOfFrames"
    with pytest.raises(InputError) as error:
        read(path, 1)
    assert says in str(error.value)
    assert "need 8480" in str(error.value)
    dataset.PixelData = dataset.PixelData[:-1000]
    with pytest.raises(InputError, match="has 7480 bytes"):
        read(save(dataset, path), 1)
    dataset.PixelData = dataset.PixelData[:4240] + bytes(4240)
    np.testing.assert_array_equal(read(save(dataset, path), 1), waves())


def test_a_deflated_file_may_not_unpack_to_more_than_the_limit(tmp_path, monkeypatch):
    plain = save(dataset_of(np.zeros((2000, 2000), np.uint16)), tmp_path / "plain.dcm")
    path = converted(plain, tmp_path / "x.dcm", "DeflatedExplicitVRLittleEndian")
    assert path.stat().st_size < 20_000  # 8 MB of zeros, nearly a thousand to one
    assert not open_xray(path).pixel_array.any()
    monkeypatch.setattr(deflated_files, "MOST_BYTES", 7 << 20)
    with pytest.raises(InputError, match=r"x\.dcm: unpacks to more than 7 MiB"):
        open_xray(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match="cannot be read as DICOM"):
        open_xray(path)


@pytest.mark.parametrize("syntax", ["JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless"])
def test_a_compressed_image_of_another_size_is_refused(tmp_path, syntax):
    plain = save(dataset_of(waves(), 12), tmp_path / "plain.dcm")
    path = converted(plain, tmp_path / "x.dcm", syntax)
    dataset = pydicom.dcmread(path)
    dataset.Rows = 41
    with pytest.raises(
        InputError, match="the compressed image has 40 rows x 53 columns of 1 samples, not the 41"
    ):
        read(save(dataset, path))


def test_compressed_pixels_that_are_damaged_are_a_one_line_error(tmp_path):
    plain = save(dataset_of(waves(), 12), tmp_path / "plain.dcm")
    for syntax in ("JPEGLosslessProcess14_1", "JPEGLSLossless", "JPEG2000Lossless", "RLELossless"):
        dataset = pydicom.dcmread(converted(plain, tmp_path / "x.dcm", syntax))
        frame = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=1)
        for bad in (b"\xff\xd8\xff\xd9", b"nothing!", frame[:60]):
            broken = with_frames(dataset, dataset.file_meta.TransferSyntaxUID, [bad])
            with pytest.raises(InputError, match="cannot be decoded") as error:
                read(save(broken, tmp_path / "bad.dcm"))
            assert "\n" not in str(error.value)


def test_frame_headers_tell_the_size():
    # SOI, an APP0 of two bytes, a fill byte, SOF3 of 12 bits, 300 rows, 200 columns, one sample
    jpeg = b"\xff\xd8\xff\xe0\0\4AB\xff\xff\xc3\0\x0b\x0c\x01\x2c\0\xc8\x01\x01\x11\0"
    assert codestream_of(jpeg) == Codestream(300, 200, 1, 12)
    assert codestream_of(jpeg[:12]) is None
    assert codestream_of(b"") is None
    picture = io.BytesIO()
    Image.fromarray(waves(bits=8).astype(np.uint8)).save(picture, "JPEG2000")
    assert codestream_of(picture.getvalue()) == Codestream(40, 53, 1, 8)
    assert JPEG2000Lossless  # its codestream may be wrapped in a JP2 box, as Pillow does


# --- What values say of the beam ---


def pixels_of(values, intensity=None, **tags):
    """`FramePixels` of one row of 16 bit values."""
    dataset = dataset_of(np.array([values], np.uint16), **tags)
    return frame_pixels(dataset, "x.dcm", None, intensity)


def lut(keyword, values, first=0, bits=16, **tags):
    """A sequence with one lookup table."""
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US", [len(values), first, bits])
    item.add_new("LUTData", "OW", np.array(values, "<u2").tobytes())
    for name, value in tags.items():
        setattr(item, name, value)
    return {keyword: pydicom.Sequence([item])}


# 1000, 500, 100, 10 against I0 = 1000: ln 1, 2, 10, 100
EXPECTED = np.log([1, 2, 10, 100])


def test_lin_is_proportional_to_the_intensity():
    np.testing.assert_allclose(pixels_of([1000, 500, 100, 10]).line_integrals[0], EXPECTED, atol=2e-3)


@pytest.mark.parametrize(
    "tags",
    [
        {"PhotometricInterpretation": "MONOCHROME1", "PixelIntensityRelationshipSign": 1},
        {"PresentationLUTShape": "IDENTITY"},
        {"WindowCenter": "40", "WindowWidth": "80"},
        {"PhotometricInterpretation": "MONOCHROME1", "PixelIntensityRelationshipSign": 1}
        | {"PresentationLUTShape": "INVERSE"},
        lut("VOILUTSequence", [65535, 0]),
    ],
)
def test_what_is_for_display_only_changes_nothing(tags):
    found, plain = pixels_of([1000, 500, 100, 10], **tags), pixels_of([1000, 500, 100, 10])
    np.testing.assert_array_equal(found.line_integrals, plain.line_integrals)
    assert found.notes == plain.notes


def test_contradicting_tags_for_display_are_told():
    found = pixels_of([1000, 500], PresentationLUTShape="INVERSE")
    assert found.notes[0].startswith("PresentationLUTShape (2050,0020) INVERSE contradicts MONOCHROME2")
    np.testing.assert_array_equal(found.line_integrals, pixels_of([1000, 500]).line_integrals)


def test_display_pixels_need_somebody_to_say_what_they_mean():
    with pytest.raises(InputError, match=r"PixelIntensityRelationship \(0028,1040\) is DISP, not LIN or LOG"):
        pixels_of([1000, 500], PixelIntensityRelationship="DISP")
    found = pixels_of([1000, 500, 100, 10], "transmission", PixelIntensityRelationship="DISP")
    np.testing.assert_allclose(found.line_integrals[0], EXPECTED, atol=2e-3)
    assert "processed for display" in found.notes[0]
    assert "taken as transmission" in found.notes[0]
    found = pixels_of([3, 2], "line_integral", PixelIntensityRelationship="DISP")
    np.testing.assert_array_equal(found.line_integrals, [[3, 2]])


def test_log_pixels_with_a_table_to_intensities_have_their_true_scale():
    # Values 0 to 3 stand for 10, 100, 500, 1000.
    table = lut("PixelIntensityRelationshipLUTSequence", [10, 100, 500, 1000], LUTFunction="TO_LINEAR")
    found = pixels_of([3, 2, 1, 0], PixelIntensityRelationship="LOG", **table)
    np.testing.assert_allclose(found.line_integrals[0], EXPECTED, atol=2e-3)
    assert "made linear by PixelIntensityRelationshipLUTSequence (0028,9422)" in found.notes
    # In classic XA that is what the Modality LUT is for (PS3.3 C.8.7.1.1.2).
    modality = lut("ModalityLUTSequence", [10, 100, 500, 1000], ModalityLUTType="US")
    found = pixels_of([3, 2, 1, 0], PixelIntensityRelationship="LOG", **modality)
    np.testing.assert_allclose(found.line_integrals[0], EXPECTED, atol=2e-3)
    # A table for display is left alone: LOG, sign +1, over the full range of 65535.
    shown = lut("PixelIntensityRelationshipLUTSequence", [10, 100, 500, 1000], LUTFunction="TO_LOG")
    found = pixels_of([65535, 0], PixelIntensityRelationship="LOG", **shown)
    assert np.ptp(found.line_integrals) == pytest.approx(LOG_RANGE)


def test_a_table_that_falls_needs_sign_minus_one():
    table = lut("PixelIntensityRelationshipLUTSequence", [1000, 500, 100, 10], LUTFunction="TO_LINEAR")
    tags = {"PixelIntensityRelationship": "LOG", **table}
    found = pixels_of([0, 1, 2, 3], PixelIntensityRelationshipSign=-1, **tags)
    np.testing.assert_allclose(found.line_integrals[0], EXPECTED, atol=2e-3)
    with pytest.raises(InputError, match="does not rise throughout"):
        pixels_of([0, 1, 2, 3], **tags)


def test_tables_begin_at_their_first_value_and_hold_beyond_their_ends():
    table = lut("ModalityLUTSequence", [10, 100, 500, 1000], first=7, ModalityLUTType="US")
    dataset = dataset_of(np.array([[0, 7, 8, 10, 99]], np.uint16), PixelIntensityRelationship="LOG", **table)
    meaning = meaning_of(dataset, "x.dcm")
    np.testing.assert_array_equal(meaning.signal(dataset.pixel_array), [[10, 10, 100, 1000, 1000]])


def test_a_first_value_below_zero_goes_with_signed_pixels():
    table = lut("ModalityLUTSequence", [10, 100, 500], first=65535, ModalityLUTType="US")  # -1 read as US
    dataset = dataset_of(np.array([[-1, 0, 1]], np.int16), PixelIntensityRelationship="LOG", **table)
    np.testing.assert_array_equal(meaning_of(dataset, "x").signal(dataset.pixel_array), [[10, 100, 500]])


def test_a_modality_lut_that_is_a_straight_line_is_a_rescale():
    # 2 v + 8: 496, 246, 46, 1 become 1000, 500, 100, 10
    straight = lut("ModalityLUTSequence", [2 * v + 8 for v in range(500)], ModalityLUTType="US")
    np.testing.assert_allclose(
        pixels_of([496, 246, 46, 1], **straight).line_integrals[0], EXPECTED, atol=2e-3
    )


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (lut("ModalityLUTSequence", [0, 1, 40], ModalityLUTType="US"), "is no straight line"),
        (lut("ModalityLUTSequence", [0, 1, 2], ModalityLUTType="OD"), "ModalityLUTType (0028,3004) is OD"),
        (lut("ModalityLUTSequence", [0, 1, 2], ModalityLUTType="HU"), "ModalityLUTType (0028,3004) is HU"),
        ({"RescaleType": "HU"}, "RescaleType (0028,1054) is HU"),
        (lut("ModalityLUTSequence", [2, 1, 0], ModalityLUTType="US"), "turns bright into dark"),
        (lut("ModalityLUTSequence", [0, 1]) | {"RescaleSlope": "1"}, "exclude each other"),
        (lut("ModalityLUTSequence", [0, 1], bits=17), "does not fit"),
        ({"BitsStored": None}, "BitsStored (0028,0101) is missing"),
        ({"ImagerPixelSpacing": ["0", "1"]}, "ImagerPixelSpacing (0018,1164) is"),
    ],
)
def test_tables_that_make_no_sense_are_refused(tags, message):
    with pytest.raises(InputError) as error:
        pixels_of([1, 2], **tags)
    assert message in str(error.value)


# --- I0 ---


def test_i0_is_the_beam_beside_the_patient_where_it_is_seen():
    # A quarter of the image is air, 10000 with 2 % noise; the rest a patient of 200 to 5000.
    rng = np.random.default_rng(1)
    image = rng.uniform(200, 5000, (200, 200))
    image[:, :50] = rng.normal(10000, 200, (200, 50))
    beam = open_beam(image, np.ones(image.shape, bool))
    assert beam.intensity == pytest.approx(10000, rel=0.01)
    assert beam.share == pytest.approx(0.25, abs=0.05)
    assert np.percentile(image, 99.9) > 10400  # noise above I0, which the percentile takes for it
    assert re.fullmatch(r"I0 = \d+, the beam beside the patient \(2[0-9.]+ % of the pixels\)", beam.note)


def test_i0_is_the_percentile_where_the_patient_fills_the_image():
    image = np.random.default_rng(2).uniform(200, 5000, (200, 200))
    beam = open_beam(image, np.ones(image.shape, bool))
    assert (beam.intensity, beam.share) == (np.percentile(image, 99.9), 0)
    assert "no beam beside the patient is seen" in beam.note


def test_air_outside_the_mask_is_not_taken_for_the_beam():
    image = np.random.default_rng(2).uniform(200, 5000, (200, 200))
    image[:, :50] = 10000
    mask = np.ones(image.shape, bool)
    mask[:, :50] = False
    assert open_beam(image, mask).share == 0


def test_line_integrals_of_callers_without_i0_are_as_before():
    image, mask = np.array([[1000.0, 100.0, 10.0, 0.0]]), np.ones((1, 4), bool)
    beam = np.percentile(image, 99.9)
    np.testing.assert_allclose(
        line_integrals_from_transmission(image, mask)[0],
        -np.log([1000 / beam, 100 / beam, 10 / beam, 1e-3]),
        rtol=1e-6,
    )


# --- What is left out ---


def test_polygonal_shutters_and_collimators_leave_what_they_enclose():
    # A triangle with corners at (row, column) = (1, 1), (1, 7), (7, 1), counted from 1: pixels on its edges
    # are covered; open are those with row >= 2, column >= 2, row + column <= 7 (the edge has 8).
    dataset = pydicom.Dataset()
    dataset.CollimatorShape = "POLYGONAL"
    dataset.VerticesOfThePolygonalCollimator = [1, 1, 1, 7, 7, 1]
    (shutter,) = shutters_of(dataset, "x.dcm")
    row, column = np.mgrid[1:10, 1:11]
    np.testing.assert_array_equal(shutter.mask((9, 10)), (row >= 2) & (column >= 2) & (row + column <= 7))


def test_several_shutters_leave_what_all_leave(tmp_path):
    square = ((1.0, 1.0), (12.0, 1.0), (12.0, 12.0), (1.0, 12.0))
    shutter = Shutter((2, 12, 3, 15), (8.0, 9.0, 6.0), square)
    dataset = pydicom.Dataset()
    write_shutter(dataset, shutter)
    assert list(dataset.ShutterShape) == ["RECTANGULAR", "CIRCULAR", "POLYGONAL"]
    dataset.CollimatorShape = "RECTANGULAR"
    dataset.CollimatorLeftVerticalEdge, dataset.CollimatorRightVerticalEdge = 0, 99
    dataset.CollimatorUpperHorizontalEdge, dataset.CollimatorLowerHorizontalEdge = 7, 99
    row, column = np.mgrid[:20, :30]
    expected = (column >= 2) & (column <= 11) & (row >= 7) & (row <= 11)
    expected &= (column - 8) ** 2 + (row - 9) ** 2 <= 36
    found = np.ones((20, 30), bool)
    for each in shutters_of(dataset, "x.dcm"):
        found &= each.mask((20, 30))
    np.testing.assert_array_equal(found, expected)
    flipped = shutter.flipped((20, 30), columns=True, rows=True)
    np.testing.assert_array_equal(flipped.mask((20, 30)), shutter.mask((20, 30))[::-1, ::-1])


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"ShutterShape": "POLYGONAL"}, "VerticesOfThePolygonalShutter (0018,1620) is missing"),
        (
            {"ShutterShape": "POLYGONAL", "VerticesOfThePolygonalShutter": [1, 1, 1, 7, 7]},
            "VerticesOfThePolygonalShutter (0018,1620) has 5 numbers",
        ),
        ({"ShutterShape": "BITMAP"}, "ShutterShape (0018,1600) is BITMAP"),
    ],
)
def test_shutters_that_cannot_be_told_are_refused(tags, message):
    with pytest.raises(InputError) as error:
        pixels_of([1000, 500], **tags)
    assert message in str(error.value)


def test_burned_in_letters_are_told():
    assert not any("burned" in note for note in pixels_of([1000, 500], BurnedInAnnotation="NO").notes)
    (note,) = (note for note in pixels_of([9, 5], BurnedInAnnotation="YES").notes if "burned" in note)
    assert "BurnedInAnnotation (0028,0301) YES" in note
