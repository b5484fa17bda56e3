"""Damage that random trials found to crash a reader: refused in one line since.

Each made the program end with a traceback, a signal of a native library, or not at all.
"""

import json

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from PIL import Image
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from xrayreg.errors import InputError
from xrayreg.geometry import CArm, read_camera_file, write_camera_file
from xrayreg.images import (
    frame_count,
    geometry_found,
    read_geometry_file,
    read_landmarks2d,
    read_markups,
    read_volume,
    read_xray,
    write_dicom_xray,
)
from xrayreg.images.pictures import read_pages

CARM = CArm(1000.0, 700.0, 0.0, 0.0)


def refusal(reader, path) -> str:
    with pytest.raises(InputError) as error:
        reader(path)
    line = str(error.value)
    assert path.name in line
    assert line.isprintable()
    assert len(line) < 1500
    return line


@pytest.fixture
def xray(tmp_path):
    path = tmp_path / "x.dcm"
    write_dicom_xray(path, np.full((8, 9), 1000, np.uint16), CARM, (1.0, 1.0))
    return path


def with_raw(path, tag: tuple[int, int], vr: str, value: bytes):
    """A DICOM file one of whose values is these bytes, which pydicom itself would not write."""
    dataset = pydicom.dcmread(path)
    dataset[Tag(tag)] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)
    dataset.save_as(path)
    return path


@pytest.mark.parametrize("reader", [read_xray, frame_count, geometry_found])
@pytest.mark.parametrize(
    ("tag", "vr", "value"),
    [
        ((0x0028, 0x0010), "US", b"\x01\x02\x03"),  # three bytes of 16 bit numbers
        ((0x0018, 0x1510), "FD", b"12345"),  # an angle of five bytes
        ((0x0028, 0x0008), "IS", b"1e400 "),
    ],
)
def test_a_value_that_is_none_of_its_kind_names_the_tag(xray, reader, tag, vr, value):
    line = refusal(reader, with_raw(xray, tag, vr, value))
    assert f"({tag[0]:04X},{tag[1]:04X})" in line


def test_a_shutter_whose_shape_is_a_number(xray):
    assert "ShutterShape (0018,1600) is 100000" in refusal(
        read_xray, with_raw(xray, (0x0018, 0x1600), "IS", b"100000")
    )


@pytest.mark.parametrize("reader", [read_xray, geometry_found])
def test_a_sequence_that_is_a_number(xray, reader):
    line = refusal(reader, with_raw(xray, (0x0018, 0x9462), "US", b"\x07\x00\x08\x00"))
    assert "IsocenterReferenceSystemSequence (0018,9462) is no sequence" in line


def test_damage_in_tags_that_are_not_read_does_not_matter(xray):
    assert read_xray(with_raw(xray, (0x0010, 0x1010), "FD", b"12345")).camera.size == (9, 8)


def test_a_header_line_without_end_does_not_crash_the_nrrd_reader(tmp_path):
    """A field's name of 5000 letters overflows a buffer of ITK's reader: the process ended with a signal."""
    path = tmp_path / "v.nrrd"
    sitk.WriteImage(sitk.Image([3, 4, 5], sitk.sitkInt16), str(path))
    path.write_bytes(path.read_bytes().replace(b"type: ", b"a" * 5000 + b": ", 1))
    assert "more than 1000 letters" in refusal(read_volume, path)


def test_a_metaimage_of_65536_dimensions_does_not_crash_its_reader(tmp_path):
    path = tmp_path / "v.mha"
    sitk.WriteImage(sitk.Image([3, 4, 5], sitk.sitkInt16), str(path))
    path.write_bytes(path.read_bytes().replace(b"NDims = 3", b"NDims = 65536", 1))
    assert "NDims is 65536" in refusal(read_volume, path)


def test_a_header_in_another_encoding(tmp_path):
    path = tmp_path / "v.nrrd"
    sitk.WriteImage(sitk.Image([3, 4, 5], sitk.sitkInt16), str(path))
    path.write_bytes(path.read_bytes().replace(b"\n\n", b"\nk\xe4y:=v\xe4lue\n\n", 1))
    refusal(read_volume, path)


@pytest.mark.parametrize("cut", [8, 9, 30, 120])
def test_a_tiff_cut_in_its_directory(tmp_path, cut):
    path = tmp_path / "p.tif"
    Image.fromarray(np.full((8, 9), 7, np.uint16)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:-cut] if cut < len(content) else content[:10])
    refusal(read_pages, path)


def test_a_tiff_whose_bits_are_none(tmp_path):
    path = tmp_path / "p.tif"
    Image.fromarray(np.full((8, 9), 7, np.uint16)).save(path)
    content = path.read_bytes()
    at = content.index(b"\x02\x01\x03\x00")  # BitsPerSample (258), a short
    path.write_bytes(content[:at] + b"\x02\x01\x02\x00" + content[at + 4 :])  # a text
    refusal(read_pages, path)


def test_a_picture_that_claims_to_be_too_large(tmp_path):
    path = tmp_path / "p.png"
    Image.new("1", (10_000, 10_000)).convert("L").save(path)
    assert "exceeds limit" in refusal(read_pages, path)


@pytest.mark.parametrize("points", [3, [1, 2], "abc", [None]])
def test_control_points_that_are_none(tmp_path, points):
    path = tmp_path / "m.mrk.json"
    markup = {"type": "Line", "coordinateSystem": "LPS", "controlPoints": points}
    path.write_text(json.dumps({"markups": [markup]}))
    assert "controlPoints" in refusal(read_markups, path)


def test_a_markup_whose_type_is_a_list_and_numbers_beyond_doubles(tmp_path):
    path = tmp_path / "m.mrk.json"
    point = {"position": [10**400, 0, 0]}
    for markup in (
        {"type": ["Line"], "coordinateSystem": "LPS"},
        {"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": [point]},
    ):
        path.write_text(json.dumps({"markups": [markup]}))
        refusal(read_markups, path)


def test_a_jpeg_whose_headers_do_not_follow_each_other_does_not_end_the_process(xray):
    """GDCM throws where nobody can catch it. A byte too many before the scan (FF DA) of a lossless JPEG."""
    image = sitk.Cast(sitk.GaussianSource(sitk.sitkFloat32, [9, 8, 1]), sitk.sitkUInt16)
    packed = xray.with_name("packed.dcm")
    writer = sitk.ImageFileWriter()
    writer.SetCompressor("JPEG")
    writer.UseCompressionOn()
    writer.SetFileName(str(packed))
    writer.Execute(image)
    there, dataset = pydicom.dcmread(packed), pydicom.dcmread(xray)
    (stream,) = pydicom.encaps.generate_frames(there.PixelData, number_of_frames=1)
    at = stream.index(b"\xff\xda")
    dataset.file_meta.TransferSyntaxUID = there.file_meta.TransferSyntaxUID
    dataset.PixelData = pydicom.encaps.encapsulate([stream[:at] + b"\x00" + stream[at:]])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(xray)
    assert "no whole image" in refusal(read_xray, xray)


@pytest.mark.parametrize(
    ("reader", "name"),
    [(read_markups, "m.mrk.json"), (read_camera_file, "c.json"), (read_geometry_file, "g.json")],
)
def test_json_nested_deeper_than_python_goes(tmp_path, reader, name):
    path = tmp_path / name
    path.write_text("[" * 200_000)
    refusal(reader, path)


def test_a_camera_with_a_number_beyond_doubles(tmp_path):
    path = tmp_path / "c.json"
    write_camera_file(path, CARM.camera((9, 8), (1.0, 1.0)))
    fields = json.loads(path.read_text())
    fields["K"][0][0] = 10**400
    path.write_text(json.dumps(fields))
    assert "'K'" in refusal(read_camera_file, path)


def test_control_characters_and_lengths_of_values_do_not_reach_the_terminal(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text("view,label,u,v\nfrontal,p,\x1b[31m" + "a" * 5000 + ",1\n")
    assert "u is '" in refusal(read_landmarks2d, path)


@pytest.mark.parametrize("name", ["%s%n", "slice%03d.raw 1 9 1", "LIST"])
def test_voxels_in_files_that_a_pattern_names(tmp_path, name):
    """ITK hands the pattern to printf; this one made it write to wherever it pleased."""
    assert "several files" in refusal(read_volume, a_metaimage(tmp_path, name))


def test_a_name_that_no_file_can_have(tmp_path):
    assert "which is not there" in refusal(read_volume, a_metaimage(tmp_path, "a" * 600))


def a_metaimage(folder, data: str):
    """The header of a MetaImage whose voxels are in another file."""
    path = folder / "v.mhd"
    sitk.WriteImage(sitk.Image(4, 5, 6, sitk.sitkInt16), str(path))
    header = path.read_text()
    path.write_text(header.replace("ElementDataFile = v.raw", f"ElementDataFile = {data}"))
    assert data in path.read_text()
    return path
