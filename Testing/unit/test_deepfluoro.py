"""DeepFluoro's cameras, in a file of its structure, by hand."""

import sys

import numpy as np
import pytest
from xrayreg.errors import InputError
from xrayreg.geometry import (
    CArm,
    camera_from_deepfluoro,
    deepfluoro_from_camera,
    read_camera_file,
    read_deepfluoro,
)

h5py = pytest.importorskip("h5py")

INTRINSIC = np.array([[-5000.0, 0, 767.5], [0, -5000, 767.5], [0, 0, 1]])
# World (a, b, c) to camera (c + 1, a + 2, b + 3).
EXTRINSIC = np.array([[0.0, 0, 1, 1], [1, 0, 0, 2], [0, 1, 0, 3], [0, 0, 0, 1]])
# World (a, b, c) to volume (a + 10, b + 20, c + 30), so that p is at (z - 29, x - 8, y - 17) of the camera.
TO_PELVIS = np.array([[1.0, 0, 0, 10], [0, 1, 0, 20], [0, 0, 1, 30], [0, 0, 0, 1]])
POINT = (11.0, -783, 31)  # camera (2, 3, -800)
# u = -5000 * 2 / -800 + 767.5 = 780, of the flipped image 1535 - 780; v = -5000 * 3 / -800 + 767.5.
PIXEL = (755.0, 786.25)


def write(path, **change):
    """A file with one projection of one specimen, as the data set has them."""
    datasets = {
        "proj-params/intrinsic": INTRINSIC,
        "proj-params/extrinsic": EXTRINSIC,
        "proj-params/num-cols": 1536,
        "proj-params/num-rows": 1536,
        "proj-params/pixel-col-spacing": 0.194,
        "proj-params/pixel-row-spacing": 0.194,
        "17-1882/projections/005/gt-poses/cam-to-pelvis-vol": TO_PELVIS,
        "17-1882/projections/005/gt-poses/cam-to-left-femur-vol": TO_PELVIS + np.eye(4, k=3),
        "17-1882/projections/005/rot-180-for-up": 0,
    }
    with h5py.File(path, "w") as file:
        for name, value in datasets.items():
            value = change.get(name.rsplit("/", 1)[1].replace("-", "_"), value)
            if value is not None:
                file[name] = value
    return path


def test_by_hand():
    file = camera_from_deepfluoro(INTRINSIC, EXTRINSIC, TO_PELVIS, (1536, 1536), (0.194, 0.194))
    np.testing.assert_allclose(file.camera().project(POINT), PIXEL)
    np.testing.assert_allclose(file.K, [[5000, 0, 767.5], [0, 5000, 767.5], [0, 0, 1]], atol=1e-9)
    assert file.source_to_detector_mm == pytest.approx(970)
    assert file.flip_columns
    # The source is the origin of the camera: z = 29, x = 8, y = 17.
    np.testing.assert_allclose(file.camera().source_patient, [8, 17, 29], atol=1e-9)


def test_a_file_by_content_and_path(tmp_path):
    path = write(tmp_path / "full.data")
    for choice in ("17-1882/005", "17-1882/5", "17-1882/005/pelvis"):
        file = read_camera_file(f"{path}#{choice}")
        np.testing.assert_allclose(file.camera().project(POINT), PIXEL)
    # The femur's volume lies 1 mm further in x.
    femur = read_camera_file(f"{path}#17-1882/005/left-femur")
    np.testing.assert_allclose(femur.camera().project([12, -783, 31]), PIXEL)


def test_any_camera_comes_back():
    camera = CArm(1020.3, 755.5, 31.7, -12.9, 3.3, (12.0, -34, 56)).camera(
        (320, 240), (0.3, 0.3), (150.2, 100.9)
    )
    intrinsic, to_pelvis = deepfluoro_from_camera(camera)
    file = camera_from_deepfluoro(intrinsic, np.eye(4), to_pelvis, camera.size, (0.3, 0.3))
    np.testing.assert_allclose(file.K, camera.K, rtol=1e-10, atol=1e-8)
    np.testing.assert_allclose(file.camera_from_patient, camera.camera_from_patient, atol=1e-9)
    assert file.source_to_detector_mm == pytest.approx(1020.3)


@pytest.mark.parametrize(
    ("choice", "change", "message"),
    [
        (None, {}, r"holds many cameras.*specimen/number/body.*17-1882"),
        ("17-1882", {}, "holds many cameras"),
        ("17-1882/005/head", {}, "holds many cameras"),
        ("17-1882/006", {}, "has no 17-1882/projections/006/gt-poses/cam-to-pelvis-vol"),
        ("18-0000/005", {}, "has no 18-0000/projections"),
        ("17-1882/005", {"intrinsic": None}, "has no proj-params/intrinsic"),
        ("17-1882/005", {"intrinsic": np.eye(4)}, r"proj-params/intrinsic is of shape \(4, 4\)"),
        ("17-1882/005", {"intrinsic": -INTRINSIC}, "negative focal lengths"),
        ("17-1882/005", {"extrinsic": np.diag([1.0, 1, -1, 1])}, "not a rigid"),
        ("17-1882/005", {"cam_to_pelvis_vol": np.full((4, 4), np.nan)}, "no finite numbers"),
        ("17-1882/005", {"pixel_col_spacing": 0.0}, "spacing is not positive"),
        ("17-1882/005", {"num_cols": b"many"}, "num-cols is no finite numbers"),
    ],
)
def test_what_is_missing_or_malformed_is_named(tmp_path, choice, change, message):
    path = write(tmp_path / "bad.h5", **change)
    with pytest.raises(InputError, match=message) as refused:
        read_camera_file(path if choice is None else f"{path}#{choice}")
    assert str(path) in str(refused.value)


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "damaged.h5"
    path.write_bytes(write(tmp_path / "whole.h5").read_bytes()[:300])
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        read_deepfluoro(path, "17-1882/005")


def test_without_h5py_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"pip install 'xrayreg\[deepfluoro\]'"):
        read_deepfluoro(tmp_path / "any.h5", "17-1882/005")
