"""Projection matrices: their parts by hand, every scale, sign and pixel origin, mirrored ones refused."""

import json

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import (
    Camera,
    CArm,
    camera_from_projection_matrix,
    projection_matrix,
    read_camera_file,
    read_projection_matrix,
)

# x_camera = (-y + 10, x + 20, z + 800). With fx = 2000, fy = 1250 and the principal point (30.5, 200), the
# rows are K (R | t):
#   2000 (-y + 10) + 30.5 (z + 800) = -2000 y + 30.5 z + 44400
#   1250 (x + 20) + 200 (z + 800) = 1250 x + 200 z + 185000
#   z + 800
P = np.array([[0.0, -2000, 30.5, 44400], [1250, 0, 200, 185000], [0, 0, 1, 800]])
K = [[2000.0, 0, 30.5], [0, 1250, 200], [0, 0, 1]]
POSE = [[0.0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 800], [0, 0, 0, 1]]
SIZE = (400, 300)
CENTRED = {"pixel_origin": "centre", "in_front": (0, 0, 0)}
# Columns counted the other way: u = 399 - column.
MIRRORED = np.diag([-1.0, 1, 1]) @ P + [[0, 0, 399, 399 * 800], [0, 0, 0, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("scale", [1.0, -1.0, 1e-7, -250.0])
def test_the_parts_are_found_whatever_scale_and_sign(scale):
    file = camera_from_projection_matrix(scale * P, SIZE, **CENTRED)
    np.testing.assert_allclose(file.K, K, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(file.camera_from_patient, POSE, atol=1e-9)
    assert file.size == SIZE
    assert file.camera_from_rig is None
    assert file.source_to_detector_mm is None
    # (0, 0, 200) lies 1000 mm deep: u = 2000 * 10 / 1000 + 30.5, v = 1250 * 20 / 1000 + 200.
    np.testing.assert_allclose(file.camera().project([0, 0, 200]), [50.5, 225], atol=1e-9)


def test_a_skew_is_kept_and_rounding_of_one_is_not():
    skewed = np.array(K) + [[0, 7.0, 0], [0, 0, 0], [0, 0, 0]]
    file = camera_from_projection_matrix(skewed @ np.array(POSE)[:3], SIZE, **CENTRED)
    assert file.K[0, 1] == pytest.approx(7)
    skewed[0, 1] = 1e-4  # of 2000
    assert camera_from_projection_matrix(skewed @ np.array(POSE)[:3], SIZE, **CENTRED).K[0, 1] == 0


@pytest.mark.parametrize(("origin", "shift"), [("centre", 0), ("corner", 0.5), ("one-based", 1)])
def test_pixels_may_be_counted_from_elsewhere(origin, shift):
    file = camera_from_projection_matrix(P, SIZE, pixel_origin=origin, in_front=(0, 0, 0))
    np.testing.assert_allclose(file.K[:2, 2], [30.5 - shift, 200 - shift])
    np.testing.assert_allclose(projection_matrix(file.camera(), origin), P, atol=1e-8)


def test_a_mirrored_image_is_refused_or_flipped_if_told():
    for sign in (1, -1):
        with pytest.raises(InputError, match=r"mirrored.*\(0, 0, 0\).*behind the source.*flip_columns"):
            camera_from_projection_matrix(sign * MIRRORED, SIZE, **CENTRED)
        file = camera_from_projection_matrix(sign * MIRRORED, SIZE, **CENTRED, flip_columns=True)
        assert file.flip_columns
        np.testing.assert_allclose(file.K, K, atol=1e-8)
        np.testing.assert_allclose(file.camera_from_patient, POSE, atol=1e-9)


def test_ras_in_the_place_of_lps_is_no_mirroring_but_the_patient_may_lie_behind():
    ras = P @ np.diag([-1.0, -1, 1, 1])
    assert camera_from_projection_matrix(ras, SIZE, **CENTRED).camera_from_patient[1, 0] == pytest.approx(-1)
    with pytest.raises(InputError, match="behind"):
        camera_from_projection_matrix(P, SIZE, pixel_origin="centre", in_front=(0, 0, -801))


@pytest.mark.parametrize(
    "bad",
    [
        P[:, :3],
        np.full((3, 4), np.nan),
        np.zeros((3, 4)),
        [[2, 0, 0, 5], [0, 2, 0, 5], [0, 0, 0, 1]],  # parallel rays
        [[1, 0, 0, 0], [2, 0, 0, 0], [0, 0, 1, 1]],
    ],
)
def test_what_projects_nothing_is_refused(bad):
    with pytest.raises(InputError, match="projection matrix"):
        camera_from_projection_matrix(bad, SIZE, **CENTRED)


def test_an_unknown_pixel_origin_is_refused():
    with pytest.raises(InputError, match=r"pixel_origin is 'middle'.*centre, corner, one-based"):
        camera_from_projection_matrix(P, SIZE, pixel_origin="middle", in_front=(0, 0, 0))


def test_any_camera_comes_back_from_its_matrix():
    camera = CArm(1020.3, 755.5, 31.7, -12.9, 3.3, (40.0, -55, 800)).camera(
        (1024, 768), (0.29, 0.31), (500, 311)
    )
    file = camera_from_projection_matrix(
        -3 * projection_matrix(camera), camera.size, pixel_origin="centre", in_front=(40, -55, 800)
    )
    np.testing.assert_allclose(file.K, camera.K, rtol=1e-10, atol=1e-7)
    np.testing.assert_allclose(file.camera_from_patient, camera.camera_from_patient, atol=1e-9)


TEXT = "# from a calibration\n0 -2000 30.5 44400\n1250 0 200 185000\n0 0 1 800\n"


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace(" ", ", "),
        TEXT.replace(" ", ";").replace("\n", "\r\n"),
        " ".join(TEXT.splitlines()[1:]),
        json.dumps(P.tolist()),
        json.dumps({"projection_matrix": P.tolist()}),
    ],
)
def test_text_csv_and_json(tmp_path, text):
    path = tmp_path / "camera.dat"
    path.write_text(text)
    file = read_camera_file(path, size=lambda: SIZE, isocenter=(0, 0, 0))
    np.testing.assert_allclose(file.K, K, atol=1e-9)
    np.testing.assert_allclose(file.camera_from_patient, POSE, atol=1e-9)
    assert "from the first one's centre" in file.notes[0]


def test_a_file_of_plastimatch_has_the_image_center_apart(tmp_path):
    # K without its principal point: the rows of P less 30.5 and 200 times the third. The scale is 1 / sid.
    path = tmp_path / "0000.txt"
    path.write_text(
        "30.5 200\n0 -2 0 20\n1.25 0 0 25\n0 0 1e-3 0.8\n"
        "700\n1000\n0 0 1\nExtrinsic\n1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\nIntrinsic\n1 0 0 0\n"
    )
    file = read_camera_file(path, size=SIZE, isocenter=(0, 0, 0))
    np.testing.assert_allclose(file.K, K, atol=1e-9)
    np.testing.assert_allclose(file.camera_from_patient, POSE, atol=1e-9)


def test_several_in_one_file_are_chosen_by_number(tmp_path):
    np.save(tmp_path / "rig.npy", np.stack([P, 2 * P - [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 400]]]))
    (tmp_path / "rig.txt").write_text(TEXT + TEXT.replace(" 800", " 600"))
    for name in ("rig.npy", "rig.txt"):
        path = tmp_path / name
        second = read_camera_file(f"{path}#2", size=SIZE, isocenter=(0, 0, 0))
        # 2 (z + 600): the same source-to-origin depth of 600 in both.
        assert second.camera_from_patient[2, 3] == pytest.approx(600)
        with pytest.raises(InputError, match=r"holds 2 cameras.*#1 to .*#2"):
            read_camera_file(path, size=SIZE, isocenter=(0, 0, 0))
        with pytest.raises(InputError, match="no camera 3"):
            read_camera_file(f"{path}#3", size=SIZE, isocenter=(0, 0, 0))
        with pytest.raises(InputError, match="'left' behind # is no number"):
            read_camera_file(f"{path}#left", size=SIZE, isocenter=(0, 0, 0))


def test_json_says_size_pixel_origin_and_mirroring(tmp_path):
    path = tmp_path / "p.json"
    fields = {"P": MIRRORED.tolist(), "size": [400, 300], "pixel_origin": "centre", "flip_columns": True}
    path.write_text(json.dumps(fields))
    file = read_camera_file(path, isocenter=(0, 0, 0))
    assert (file.size, file.flip_columns, file.notes) == (SIZE, True, ())
    np.testing.assert_allclose(file.K, K, atol=1e-8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1 2 3\n4 5 6\n", "not rows of a 3x4"),
        (b"1 2 3 4\n1 2 3 4\n", "not rows of a 3x4"),
        (b"1,2,3\n" * 5, "MayaCam 1.0"),
        (b"0 one 2 3\n", "no camera file"),
        (b'{"P": [[1, 2], [3, 4]]}', "not 3x4 numbers"),
        (b'{"P": "camera"}', "not 3x4 numbers"),
        (json.dumps({"P": P.tolist(), "size": "big"}).encode(), "size big"),
        (json.dumps({"P": P.tolist(), "pixel_origin": "middle"}).encode(), "pixel_origin is 'middle'"),
        (json.dumps({"P": P.tolist(), "flip_columns": 1}).encode(), "flip_columns"),
        (b"\x93NUMPY\x01\x00", "not a .npy file"),
        (b"\x93NUMPY\x01\x00\x10\x00{'a': ", "not a .npy file"),
    ],
)
def test_a_malformed_file_is_refused_naming_it(tmp_path, content, message):
    path = tmp_path / "matrix.any"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as refused:
        read_camera_file(path, size=SIZE, isocenter=(0, 0, 0))
    assert str(path) in str(refused.value)


def test_pickled_objects_in_npy_are_not_loaded(tmp_path):
    np.save(tmp_path / "p.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"not a \.npy file"):
        read_projection_matrix(tmp_path / "p.npy", SIZE, (0, 0, 0))


def test_what_the_file_cannot_say_is_asked_for(tmp_path):
    path = tmp_path / "p.txt"
    path.write_text(TEXT)
    with pytest.raises(InputError, match="does not say the image's size"):
        read_camera_file(path, isocenter=(0, 0, 0))
    with pytest.raises(InputError, match=r"whether the image is mirrored.*point of the patient"):
        read_camera_file(path, size=SIZE)


def test_a_number_sign_may_belong_to_the_name(tmp_path):
    path = tmp_path / "case#2"
    path.write_text(TEXT)
    assert read_camera_file(path, size=SIZE, isocenter=(0, 0, 0)).size == SIZE
    assert read_camera_file(f"{path}#1", size=SIZE, isocenter=(0, 0, 0)).size == SIZE


def test_a_camera_in_front_of_nothing_is_a_plain_camera():
    # The matrix that OpenCV makes of identity: the world is the camera's frame.
    file = camera_from_projection_matrix(
        np.array(K) @ np.eye(3, 4), SIZE, pixel_origin="centre", in_front=(0, 0, 1)
    )
    assert isinstance(file.camera(), Camera)
    np.testing.assert_allclose(file.camera_from_patient, np.eye(4), atol=1e-12)
