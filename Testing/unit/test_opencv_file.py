"""OpenCV's calibrations in its three notations, ROS's, and what is refused of them."""

import json

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import CameraFile, opencv_yaml, read_camera_file, read_opencv

K = [[2000.0, 0, 30.5], [0, 1250, 200], [0, 0, 1]]
# A quarter turn about z, rvec (0, 0, pi / 2): x to y, y to -x.
POSE = [[0.0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 800], [0, 0, 0, 1]]
YAML = """%YAML:1.0
---
calibration_time: "Tue Nov  3 12:00:00 2026"
image_width: 400
image_height: 300
flags: 0
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 2000., 0., 30.5, 0., 1250., 200., 0.,
       0., 1. ]
distortion_coefficients: !!opencv-matrix
   rows: 5
   cols: 1
   dt: d
   data: [ 0., 0., 0., 0., 0. ]
rvec: !!opencv-matrix
   rows: 3
   cols: 1
   dt: d
   data: [ 0., 0., 1.5707963267948966 ]
tvec: !!opencv-matrix
   rows: 3
   cols: 1
   dt: d
   data: [ 10., 20., 800. ]
"""
XML = """<?xml version="1.0"?>
<opencv_storage>
<image_Width>400</image_Width>
<image_Height>300</image_Height>
<Camera_Matrix type_id="opencv-matrix">
  <rows>3</rows><cols>3</cols><dt>d</dt>
  <data>2000. 0. 30.5 0. 1250. 200. 0. 0. 1.</data></Camera_Matrix>
<Distortion_Coefficients type_id="opencv-matrix">
  <rows>5</rows><cols>1</cols><dt>d</dt><data>0. 0. 0. 0. 0.</data></Distortion_Coefficients>
<R type_id="opencv-matrix">
  <rows>3</rows><cols>3</cols><dt>d</dt><data>0. -1. 0. 1. 0. 0. 0. 0. 1.</data></R>
<T type_id="opencv-matrix">
  <rows>3</rows><cols>1</cols><dt>d</dt><data>10. 20. 800.</data></T>
</opencv_storage>
"""
JSON = json.dumps(
    {
        "image_width": 400,
        "image_height": 300,
        "camera_matrix": {"type_id": "opencv-matrix", "rows": 3, "cols": 3, "data": np.ravel(K).tolist()},
        "extrinsic": POSE,
    }
)
ROS = """image_width: 400
image_height: 300
camera_name: left
camera_matrix:
  rows: 3
  cols: 3
  data: [2000, 0, 30.5, 0, 1250, 200, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients:
  rows: 1
  cols: 5
  data: [0, 0, 0, 0, 0]
"""
VIEWS = YAML.split("rvec:")[0] + (
    "extrinsic_parameters: !!opencv-matrix\n   rows: 2\n   cols: 6\n   dt: d\n"
    "   data: [ 0., 0., 0., 1., 2., 3., 0., 0., 1.5707963267948966, 10., 20., 800. ]\n"
)


@pytest.mark.parametrize("text", [YAML, XML, JSON])
def test_each_notation_says_the_same(tmp_path, text):
    path = tmp_path / "calibration"
    path.write_text(text)
    file = read_camera_file(path)
    assert file.size == (400, 300)
    np.testing.assert_array_equal(file.K, K)
    np.testing.assert_allclose(file.camera_from_rig, POSE, atol=1e-15)
    assert (file.camera_from_patient, file.intensity) == (None, None)


def test_a_calibration_of_ros_has_no_pose(tmp_path):
    path = tmp_path / "left.yaml"
    path.write_text(ROS)
    file = read_camera_file(path)
    np.testing.assert_array_equal(file.K, K)
    assert file.camera_from_rig is None


def test_one_of_several_views_is_chosen(tmp_path):
    path = tmp_path / "views.yml"
    path.write_text(VIEWS)
    np.testing.assert_allclose(read_camera_file(f"{path}#2").camera_from_rig, POSE, atol=1e-15)
    np.testing.assert_array_equal(read_camera_file(f"{path}#1").camera_from_rig[:3, 3], [1, 2, 3])
    with pytest.raises(InputError, match="holds 2 cameras"):
        read_camera_file(path)


def test_the_size_comes_from_the_image_where_the_file_has_none(tmp_path):
    path = tmp_path / "k.yml"
    path.write_text(YAML.replace("image_width: 400\nimage_height: 300\n", ""))
    assert read_camera_file(path, size=(640, 480)).size == (640, 480)
    with pytest.raises(InputError, match="does not say the image's size"):
        read_camera_file(path)


def test_what_is_written_is_read_back_exactly(tmp_path):
    file = CameraFile((1760, 1761), np.array([[6167.1, 0, 803.7], [0, 6165.6, 1 / 7], [0, 0, 1]]))
    (tmp_path / "k.yml").write_text(opencv_yaml(file))
    again = read_opencv(tmp_path / "k.yml")
    np.testing.assert_array_equal(again.K, file.K)
    assert (again.size, again.camera_from_rig) == ((1760, 1761), None)
    file = CameraFile((400, 300), np.array(K), camera_from_rig=np.array(POSE))
    (tmp_path / "k.yml").write_text(opencv_yaml(file))
    np.testing.assert_array_equal(read_opencv(tmp_path / "k.yml").camera_from_rig, POSE)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[ 0., 0., 0., 0., 0. ]",
            "[ -0.2, 0.04, 0., 0., 0. ]",
            r"\(-0\.2, 0\.04.*undistort",
        ),
        ("camera_matrix", "camera", "holds no camera_matrix"),
        ("2000.", "-2000.", "focal lengths -2000"),
        ("2000.", "far", "'camera_matrix' is no matrix"),
        ("rows: 3", "rows: 4", "'camera_matrix' is no matrix"),
        ("image_width: 400", "image_width: 400.5", "'image_width' is 400.5"),
        ("image_width: 400", "image_width: wide", "'image_width' is wide"),
        ("1.5707963267948966", ".nan", "'rvec' is no matrix"),
        ("tvec", "shift", "only one of rotation and translation"),
        ("[ 10., 20., 800. ]", "[ 10., 20. ]", "'tvec' is no matrix"),
        ("flags: 0", "flags: [", "not a YAML file"),
        ("flags: 0", "flags: &a [1]\nmore: [*a, *a]", "aliases can grow"),
        ("flags: 0", "flags: !!python/object/apply:os.system ['true']", "not a YAML file"),
    ],
)
def test_a_bad_field_is_refused_naming_file_and_field(tmp_path, old, new, message):
    assert old in YAML
    path = tmp_path / "bad.yml"
    path.write_text(YAML.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as refused:
        read_camera_file(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_mirrored_rotation_is_refused(tmp_path):
    path = tmp_path / "bad.xml"
    path.write_text(XML.replace("0. -1. 0. 1. 0. 0. 0. 0. 1.", "0. 1. 0. 1. 0. 0. 0. 0. 1."))
    with pytest.raises(InputError, match="not a proper rotation"):
        read_camera_file(path)


def test_xml_that_grows_is_refused(tmp_path):
    path = tmp_path / "bomb.xml"
    path.write_text('<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><a>&c;</a>')
    with pytest.raises(InputError, match="declares XML entities"):
        read_camera_file(path)
    path.write_text("<opencv_storage><camera_matrix>")
    with pytest.raises(InputError, match="not an XML file"):
        read_camera_file(path)


def test_a_real_calibration_survives_the_way_through_opencv(data, tmp_path):
    calibration = read_camera_file(data / "wrist_biplane/calibration/xr_calib_wrist_cam02.txt")
    (tmp_path / "k.yml").write_text(opencv_yaml(calibration))
    again = read_camera_file(tmp_path / "k.yml")
    np.testing.assert_array_equal(again.K, calibration.K)
    np.testing.assert_array_equal(again.camera_from_rig, calibration.camera_from_rig)
    assert again.size == (1760, 1760)
