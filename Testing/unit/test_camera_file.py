"""camera.json by its contract, and MayaCam calibrations: what they say, and what is refused."""

import json

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import (
    Camera,
    CameraFile,
    CArm,
    apply,
    camera_json,
    exp_se3,
    inverse,
    mayacam_text,
    read_camera_file,
    read_mayacam,
    relative_pose_error,
    translation,
    write_camera_file,
)

POSE = [[0.0, -1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 800], [0, 0, 0, 1]]
# fx = 1000 / 0.5, fy = 1000 / 0.8.
FIELDS = {
    "schema_version": 1,
    "size": [400, 300],
    "K": [[2000.0, 0, 30.5], [0, 1250, 200], [0, 0, 1]],
    "camera_from_patient": POSE,
    "source_to_detector_mm": 1000.0,
    "pixel_spacing_mm": [0.5, 0.8],
    "intensity": "transmission",
}
MAYACAM = """image size
400,300

camera matrix
2000,0,30.5
0,1250,200
0,0,1

rotation
0,-1,0
1,0,0
0,0,1

translation
10
20
800
"""


def save(folder, **change):
    """FIELDS with fields changed, or left out where None."""
    fields = {name: value for name, value in (FIELDS | change).items() if value is not None}
    path = folder / "ap_camera.json"
    path.write_text(json.dumps(fields))
    return path


def test_every_field_is_read(tmp_path):
    file = read_camera_file(save(tmp_path, mask="mask.png"))
    assert file.size == (400, 300)
    np.testing.assert_array_equal(file.K, FIELDS["K"])
    np.testing.assert_array_equal(file.camera_from_patient, POSE)
    assert file.source_to_detector_mm == 1000.0
    assert file.intensity == "transmission"
    assert file.camera_from_rig is None
    camera = file.camera()
    assert (camera.size, camera.source_to_detector_mm) == ((400, 300), 1000.0)
    np.testing.assert_array_equal(camera.camera_from_patient, POSE)


def test_only_schema_size_and_k_are_required(tmp_path):
    path = tmp_path / "least.json"
    path.write_text(json.dumps({name: FIELDS[name] for name in ("schema_version", "size", "K")}))
    file = read_camera_file(path)
    optional = (file.camera_from_patient, file.camera_from_rig, file.source_to_detector_mm)
    assert optional == (None, None, None)
    assert (file.intensity, file.mask) == (None, None)
    with pytest.raises(InputError, match=r"ap\.png: no start pose.*camera_from_patient") as refused:
        file.camera(where="ap.png")
    assert "camera_from_rig" in str(refused.value)


def test_a_mask_is_looked_for_beside_the_camera_file(tmp_path):
    folder = tmp_path / "case" / "cameras"
    folder.mkdir(parents=True)
    assert read_camera_file(save(folder, mask="../mask.png")).mask == folder / "../mask.png"
    elsewhere = tmp_path / "masks" / "round.png"
    assert read_camera_file(save(folder, mask=str(elsewhere))).mask == elsewhere


def test_a_place_in_a_rig_stands_in_for_the_pose(tmp_path):
    file = read_camera_file(save(tmp_path, camera_from_patient=None, camera_from_rig=POSE))
    assert file.camera_from_patient is None
    np.testing.assert_array_equal(file.camera_from_rig, POSE)
    np.testing.assert_array_equal(file.camera().camera_from_patient, POSE)


def test_a_pose_goes_before_the_place_in_the_rig(tmp_path):
    file = read_camera_file(save(tmp_path, camera_from_rig=np.eye(4).tolist()))
    np.testing.assert_array_equal(file.camera().camera_from_patient, POSE)


def test_the_distance_follows_from_spacing_and_k(tmp_path):
    # 0.5 * 2000 = 0.8 * 1250 = 1000.
    file = read_camera_file(save(tmp_path, source_to_detector_mm=None))
    assert file.source_to_detector_mm == 1000.0


def test_the_spacing_follows_from_distance_and_k(tmp_path):
    camera = read_camera_file(save(tmp_path, pixel_spacing_mm=None)).camera()
    assert camera.pixel_spacing_mm == (0.5, 0.8)


def test_rounding_of_a_thousandth_is_no_disagreement(tmp_path):
    # 1000.9 / 0.5 = 2001.8, 0.09 % off 2000.
    assert read_camera_file(save(tmp_path, source_to_detector_mm=1000.9)).source_to_detector_mm == 1000.9


MIRRORED = [[0.0, 1, 0, 10], [1, 0, 0, 20], [0, 0, 1, 800], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": None}, "schema_version is None"),
        ({"schema_version": 2}, "schema_version is 2.*reads schema_version 1"),
        ({"schema_version": "1"}, "schema_version is '1'"),
        ({"size": None}, "'size' is missing"),
        ({"size": [400]}, "'size'"),
        ({"size": [400, 300, 1]}, "'size'"),
        ({"size": [0, 300]}, "size"),
        ({"size": [400.5, 300]}, "size"),
        ({"size": "400x300"}, "'size'"),
        ({"K": None}, "'K' is missing"),
        ({"K": [[2000, 0], [0, 1250]]}, "'K'"),
        ({"K": [[2000, 0, 30.5], [0, 1250, 200], [0, 0]]}, "'K'"),
        ({"K": [[2000, 0, float("nan")], [0, 1250, 200], [0, 0, 1]]}, "'K'"),
        ({"K": [[-2000, 0, 30.5], [0, 1250, 200], [0, 0, 1]]}, "K has focal lengths -2000"),
        ({"K": [[2000, 0, 0], [0, 1250, 0], [30.5, 200, 1]]}, "K must be"),
        # 1020 / 0.5 = 2040, but K has 2000.
        ({"source_to_detector_mm": 1020.0}, "source_to_detector_mm / pixel_spacing_mm = 2040.00, 1275.00"),
        ({"pixel_spacing_mm": [0.8, 0.5]}, "pixel_spacing_mm = 1250.00, 2000.00.*K has 2000.00, 1250.00"),
        (
            {"source_to_detector_mm": None, "pixel_spacing_mm": [0.5, 0.5]},
            "pixel_spacing_mm and K give two .*1000.00 and 625.00",
        ),
        ({"source_to_detector_mm": -1000.0}, "source_to_detector_mm must be positive"),
        ({"source_to_detector_mm": "1 m"}, "'source_to_detector_mm'"),
        ({"pixel_spacing_mm": 0.5}, "'pixel_spacing_mm'"),
        ({"pixel_spacing_mm": [0.5, 0.0]}, "pixel_spacing_mm must be positive"),
        ({"camera_from_patient": MIRRORED}, "'camera_from_patient' is not a rigid.*flip the image"),
        ({"camera_from_rig": MIRRORED}, "'camera_from_rig' is not a rigid"),
        ({"camera_from_patient": POSE[:3]}, "'camera_from_patient'"),
        ({"intensity": "brightness"}, "intensity is 'brightness'.*transmission, line_integral"),
        ({"mask": 5}, "'mask'"),
    ],
)
def test_a_bad_field_is_refused_naming_file_and_field(tmp_path, change, message):
    with pytest.raises(InputError, match=message) as refused:
        read_camera_file(save(tmp_path, **change))
    assert str(tmp_path / "ap_camera.json") in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", "\x00\xff"])
def test_what_is_no_json_object_is_refused(tmp_path, text):
    path = tmp_path / "broken.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"broken\.json"):
        read_camera_file(path)


def test_a_missing_file_or_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: no such file.*--camera"):
        read_camera_file(tmp_path / "none.json")
    with pytest.raises(InputError, match="no such file"):
        read_camera_file(tmp_path)
    with pytest.raises(InputError, match=r"none\.txt: no such file"):
        read_mayacam(tmp_path / "none.txt")
    with pytest.raises(InputError, match="no such file"):
        read_mayacam(tmp_path)


def test_what_is_written_is_read_back_exactly(tmp_path):
    camera = CArm(1020.3, 755.5, 31.7, -12.9, 3.3).camera((1024, 768), (0.291, 0.317), (500.7, 311.1))
    write_camera_file(tmp_path / "camera.json", camera, intensity="line_integral")
    file = read_camera_file(tmp_path / "camera.json")
    assert file.size == (1024, 768)
    np.testing.assert_array_equal(file.K, camera.K)
    np.testing.assert_array_equal(file.camera_from_patient, camera.camera_from_patient)
    assert file.source_to_detector_mm == 1020.3
    assert file.intensity == "line_integral"


def test_a_camera_without_distance_is_written_without_distance_and_spacing(tmp_path):
    camera = Camera((400, 300), FIELDS["K"], POSE)
    assert set(camera_json(camera)) == {"schema_version", "size", "K", "camera_from_patient"}
    write_camera_file(tmp_path / "camera.json", camera)
    assert read_camera_file(tmp_path / "camera.json").source_to_detector_mm is None


def test_mayacam_by_hand(tmp_path):
    (tmp_path / "cam.txt").write_text(MAYACAM)
    file = read_mayacam(tmp_path / "cam.txt")
    assert file.size == (400, 300)
    np.testing.assert_array_equal(file.K, FIELDS["K"])
    np.testing.assert_array_equal(file.camera_from_rig, POSE)
    # x_camera = R x_rig + t: (1, 2, 0) -> (-2 + 10, 1 + 20, 800).
    np.testing.assert_array_equal(apply(file.camera_from_rig, [1, 2, 0]), [8, 21, 800])


def test_mayacam_with_windows_line_ends(tmp_path):
    (tmp_path / "cam.txt").write_bytes(MAYACAM.replace("\n", "\r\n").encode())
    np.testing.assert_array_equal(read_mayacam(tmp_path / "cam.txt").camera_from_rig, POSE)


def test_mayacam_text_is_read_back_exactly(tmp_path):
    pose = exp_se3([0.3, -0.7, 1.1, 10.123456789, -20, 1 / 3])
    file = CameraFile((1760, 1761), np.array([[6167.1, 0.01, 803.7], [0, 6165.6, 1 / 7], [0, 0, 1]]))
    file = CameraFile(file.size, file.K, camera_from_rig=pose)
    (tmp_path / "cam.txt").write_text(mayacam_text(file))
    found = read_mayacam(tmp_path / "cam.txt")
    assert found.size == file.size
    np.testing.assert_array_equal(found.K, file.K)
    np.testing.assert_array_equal(found.camera_from_rig, pose)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("image size\n400,300\n", "", "'image size' is missing or malformed"),
        ("400,300", "400", "image size"),
        ("400,300", "400;300", "'image size' is missing or malformed"),
        ("400,300", "400,300,1", "image size"),
        ("400,300", "0,300", "image size"),
        ("camera matrix", "matrix", "'camera matrix' is missing or malformed"),
        ("0,1250,200\n", "0,1250\n", "'camera matrix' is missing or malformed"),
        ("2000,0,30.5", "-2000,0,30.5", "focal lengths"),
        ("0,-1,0\n", "", "'rotation' is missing or malformed"),
        ("0,-1,0\n", "0,1,0\n", "'rotation' is not a proper rotation"),
        ("0,-1,0\n1,0,0\n0,0,1\n", "0,-1\n1,0\n0,0\n", "'rotation' is missing or malformed"),
        ("10\n20\n800\n", "10\n20\n", "'translation' is missing or malformed"),
        ("10\n20\n800\n", "10,1\n20,2\n800,3\n", "'translation' is missing or malformed"),
        ("800\n", "far\n", "'translation' is missing or malformed"),
        ("800\n", "nan\n", "'translation' is missing or malformed"),
    ],
)
def test_a_malformed_mayacam_file_is_refused_naming_file_and_section(tmp_path, old, new, message):
    assert old in MAYACAM
    path = tmp_path / "cam.txt"
    path.write_text(MAYACAM.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as refused:
        read_mayacam(path)
    assert str(path) in str(refused.value)


def test_a_picture_is_no_mayacam_file(tmp_path):
    (tmp_path / "cam.txt").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(InputError, match="not a MayaCam text file"):
        read_mayacam(tmp_path / "cam.txt")


def test_two_views_of_a_rig_disagree_by_3_mm_and_10_degrees():
    # rig_from_patient of the first is a shift of 5 mm; of the second, a shift of 8 mm after a turn of 10.
    turn = exp_se3([0, 0, np.radians(10), 0, 0, 0])
    rigs = [exp_se3([0.1, 0.2, 0.3, 10, 20, 700]), exp_se3([-1.1, 0.2, 0.3, 40, 20, 900])]
    motions = [translation([5, 0, 0]), translation([8, 0, 0]) @ turn]
    views = [
        CameraFile((400, 300), np.array(FIELDS["K"]), rig @ motion, rig)
        for rig, motion in zip(rigs, motions, strict=True)
    ]
    np.testing.assert_allclose(relative_pose_error(*views), (3, 10), atol=1e-9)
    np.testing.assert_allclose(relative_pose_error(views[0], views[0]), (0, 0), atol=1e-9)


@pytest.fixture(scope="module")
def wrist(data):
    folder = data / "wrist_biplane"
    cameras = [read_mayacam(folder / f"calibration/xr_calib_wrist_cam0{n}.txt") for n in (1, 2)]
    bones = json.loads((folder / "reference_poses.json").read_text())["bones"]
    return cameras, bones


def test_real_calibrations_as_they_are_written(wrist):
    (first, second), _ = wrist
    assert first.size == second.size == (1760, 1760)
    expected = [[6167.35342293, 0, 803.741292437], [0, 6165.63244754, 865.698104164], [0, 0, 1]]
    np.testing.assert_array_equal(first.K, expected)
    np.testing.assert_array_equal(
        second.camera_from_rig[:3, 3], [-135.747285386, -87.5774698666, 1152.28037649]
    )


def test_real_calibrations_survive_rewriting(wrist, tmp_path):
    for camera in wrist[0]:
        (tmp_path / "cam.txt").write_text(mayacam_text(camera))
        again = read_mayacam(tmp_path / "cam.txt")
        np.testing.assert_array_equal(again.K, camera.K)
        np.testing.assert_array_equal(again.camera_from_rig, camera.camera_from_rig)


def test_real_views_cross_at_110_degrees_and_both_see_every_bone(wrist):
    cameras, bones = wrist
    # The third rows of the two R: 0.6073 * -0.9543 + 0.0124 * 0.0021 + 0.7944 * 0.2989 = -0.3421.
    axes = [inverse(camera.camera_from_rig)[:3, 2] for camera in cameras]
    assert np.degrees(np.arccos(axes[0] @ axes[1])) == pytest.approx(110.003, abs=1e-3)
    for bone in bones.values():
        for frame in bone["frames"].values():
            centre = np.array(frame["rig_from_bone_reference"])[:3, 3]
            for camera in cameras:
                pixel = camera.camera().project(centre)
                assert (pixel > 0).all()
                assert (pixel < 1760).all()


def test_a_mirrored_image_is_said_in_camera_json(tmp_path):
    file = CameraFile((400, 300), np.array(FIELDS["K"]), np.array(POSE), flip_columns=True)
    write_camera_file(tmp_path / "camera.json", file)
    assert read_camera_file(tmp_path / "camera.json").flip_columns is True
    assert read_camera_file(save(tmp_path)).flip_columns is False
    with pytest.raises(InputError, match="'flip_columns' is neither true nor false"):
        read_camera_file(save(tmp_path, flip_columns="yes"))


def test_mayacam_is_told_by_its_content(tmp_path):
    (tmp_path / "camera.json").write_text(MAYACAM)
    np.testing.assert_array_equal(read_camera_file(tmp_path / "camera.json").camera_from_rig, POSE)
