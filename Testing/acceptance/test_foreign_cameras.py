"""Cameras of other programs at the command line: poses as with camera.json, or one line saying why not."""

import json

import numpy as np
import phantom
import pytest
import SimpleITK as sitk
from looking import read_json
from xrayreg.geometry import (
    CameraFile,
    mayacam_text,
    opencv_yaml,
    projection_matrix,
    rtk_from_camera,
    rtk_xml,
    write_xvr,
)
from xrayreg.images import read_volume


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    return phantom.write_ct(tmp_path_factory.mktemp("phantom") / "ct.nii.gz")


@pytest.fixture(scope="module")
def view(ct):
    return phantom.make_views(ct)[0]


@pytest.fixture
def files(tmp_path, ct, view):
    """The view's start camera in the way of each program, and its X-ray as seen from source and detector."""
    camera = view.start
    calibration = CameraFile(camera.size, camera.K, camera_from_rig=camera.camera_from_patient)
    (tmp_path / "mayacam.txt").write_text(mayacam_text(calibration))
    (tmp_path / "opencv.yml").write_text(opencv_yaml(calibration))
    (tmp_path / "rtk.xml").write_text(rtk_xml([rtk_from_camera(camera)[0]]))
    write_xvr(tmp_path / "xvr.pt", camera, read_volume(ct).grid.centre_patient)
    P = projection_matrix(camera)
    np.savetxt(tmp_path / "matrix.txt", P, fmt="%.17g")
    mirrored = np.array([[-1, 0, camera.size[0] - 1], [0, 1, 0], [0, 0, 1]]) @ P
    np.savetxt(tmp_path / "mirrored.txt", mirrored, fmt="%.17g")
    fields = {"P": mirrored.tolist(), "pixel_origin": "centre", "flip_columns": True}
    (tmp_path / "mirrored.json").write_text(json.dumps(fields))
    phantom.write_camera(tmp_path / "camera.json", camera)
    phantom.write_xray(tmp_path / "frontal.png", view.pixels)
    phantom.write_xray(tmp_path / "seen_from_detector.png", np.ascontiguousarray(view.pixels[:, ::-1]))
    return tmp_path


@pytest.mark.parametrize(
    ("camera", "xray"),
    [
        ("mayacam.txt", "frontal.png"),
        ("opencv.yml", "frontal.png"),
        ("xvr.pt", "frontal.png"),
        ("matrix.txt", "frontal.png"),
        ("matrix.txt#1", "frontal.png"),
        ("mirrored.json", "seen_from_detector.png"),
    ],
)
def test_registration_starts_where_the_other_program_stood(xrayreg, ct, view, files, at_start, camera, xray):
    shot = ("--xray", files / xray, "--camera", f"{files}/{camera}", "--intensity", "transmission")
    answer = xrayreg("register", "--volume", ct, *shot, "--out", files / "out")
    assert answer.code == 0, answer.err
    (found,) = read_json(files / "out" / "registration.json")["views"]
    np.testing.assert_allclose(found["camera_from_patient"], view.start.camera_from_patient, atol=1e-6)
    np.testing.assert_allclose(found["K"], view.start.K, atol=1e-6)
    assert ("flipped left-right" in answer.err) == (camera == "mirrored.json")
    assert ("first one's centre" in answer.err) == camera.startswith("matrix")


def test_a_drr_is_the_same_for_another_programs_camera(xrayreg, ct, files):
    images = []
    for camera in ("camera.json", "xvr.pt"):
        answer = xrayreg("render", "--volume", ct, "--camera", files / camera, "--out", files / "drr.nrrd")
        assert answer.code == 0, answer.err
        images.append(sitk.GetArrayFromImage(sitk.ReadImage(str(files / "drr.nrrd"))))
    np.testing.assert_allclose(images[1], images[0], atol=1e-4)
    assert images[0].max() > 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--camera", "opencv.yml"], ["frontal.png", "nothing says what its values mean", "--intensity"]),
        (["--intensity", "transmission"], ["frontal.png", "--intensity needs a camera file"]),
        (
            ["--camera", "camera.json", "--intensity", "line_integral"],
            ["camera.json", "transmission", "--intensity", "line_integral"],
        ),
        (["--camera", "camera.json", "--intensity", "bright"], ["--intensity", "transmission"]),
        (["--camera", "mirrored.txt"], ["mirrored.txt", "mirrored", "flip_columns"]),
        (["--camera", "rtk.xml"], ["rtk.xml", "where the pixels lie", "RtkDetector"]),
        (["--camera", "matrix.txt#2"], ["matrix.txt", "no camera 2"]),
        (["--camera", "gone.txt#2"], ["gone.txt", "no such file"]),
        (["--camera", "frontal.png"], ["frontal.png", "not a text file"]),
    ],
)
def test_what_cannot_be_read_is_one_line(xrayreg, ct, files, monkeypatch, options, says):
    monkeypatch.chdir(files)
    answer = xrayreg("register", "--volume", ct, "--xray", "frontal.png", *options, "--out", "out")
    line = answer.check_refused()
    assert [part for part in says if part not in line] == []
    assert not (files / "out").exists()


def test_a_drr_needs_the_size_of_its_image(xrayreg, ct, files):
    answer = xrayreg("render", "--volume", ct, "--camera", files / "matrix.txt", "--out", files / "drr.nrrd")
    assert "does not say the image's size" in answer.check_refused()
