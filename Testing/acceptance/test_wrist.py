"""The radius of a real wrist in two real X-rays, by the command line, against the reference poses.

The references are a consensus of independent fits, good to about 0.3 mm, 0.5 degrees off the bone's long
axis and 1 to 2 degrees about it; the limits here are a little wider.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from looking import (
    blue,
    border,
    contents,
    in_picture,
    moved,
    picture_scale,
    pose_of,
    project,
    read_json,
    read_rgb,
    share_near,
    silhouette,
)
from PIL import Image, ImageSequence
from xrayreg.geometry import read_mayacam

VOXEL_MM = np.array([0.390625, 0.390625, 0.625])
FRAMES = ("0002", "0099")


@pytest.fixture(scope="module")
def wrist(data) -> Path:
    folder = data / "wrist_biplane"
    if not folder.is_dir():
        pytest.skip("the wrist is not among the test data")
    return folder


@pytest.fixture(scope="module")
def bone_points(wrist) -> np.ndarray:
    """The bone's voxels (n, 3), mm: i, j, k = column, row, page along x, y, z, the box's centre at 0."""
    with Image.open(wrist / "bones" / "rad_dcm_cropped.tif") as stack:
        voxels = np.stack([np.array(page) for page in ImageSequence.Iterator(stack)])
    k, j, i = np.nonzero(voxels > 1100)
    fine = np.stack(np.meshgrid(*[(-0.25, 0.25)] * 3), axis=-1).reshape(-1, 1, 3)
    index = np.stack([i, j, k], axis=-1) + fine
    return ((index - (np.array(voxels.shape[::-1]) - 1) / 2) * VOXEL_MM).reshape(-1, 3)


def camera_file(wrist: Path, camera: str, frame: str, rig_from_bone: np.ndarray, folder: Path) -> Path:
    """The MayaCam calibration as camera.json, with the start and a mask of the round field."""
    calibration = read_mayacam(wrist / "calibration" / f"xr_calib_wrist_{camera}.txt")
    with Image.open(xray_path(wrist, camera, frame)) as image:
        open_field = np.array(image) > 5
    Image.fromarray((open_field * 255).astype(np.uint8)).save(folder / f"{camera}_mask.png")
    fields = {
        "schema_version": 1,
        "size": list(calibration.size),
        "K": calibration.K.tolist(),
        "camera_from_rig": calibration.camera_from_rig.tolist(),
        "camera_from_patient": (calibration.camera_from_rig @ rig_from_bone).tolist(),
        "intensity": "transmission",
        "mask": f"{camera}_mask.png",
    }
    path = folder / f"{camera}.json"
    path.write_text(json.dumps(fields))
    return path


def xray_path(wrist: Path, camera: str, frame: str) -> Path:
    return wrist / "xrays" / f"xr_rad_uln_{camera}_UND.{frame}.tif"


@pytest.mark.parametrize("frame", FRAMES)
def test_the_radius_comes_back_to_the_reference(xrayreg, wrist, bone_points, tmp_path, frame):
    poses = read_json(wrist / "reference_poses.json")["bones"]["radius"]["frames"][frame]
    start, reference = (np.array(poses[f"rig_from_bone_{name}"]) for name in ("start", "reference"))
    arguments = ["--volume", wrist / "bones" / "rad_dcm_cropped.tif", "--air-hu", -124]
    arguments += ["--voxel-mm", ",".join(map(str, VOXEL_MM)), "--init", "camera"]
    for camera in ("cam01", "cam02"):
        arguments += ["--xray", xray_path(wrist, camera, frame)]
        arguments += ["--camera", camera_file(wrist, camera, frame, start, tmp_path)]
    answer = xrayreg("register", *arguments, "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    result = read_json(tmp_path / "out" / "registration.json")
    assert off_by(start, reference)[0] > 10
    for camera, view in zip(("cam01", "cam02"), result["views"], strict=True):
        calibration = read_mayacam(wrist / "calibration" / f"xr_calib_wrist_{camera}.txt")
        rig_from_bone = np.linalg.inv(calibration.camera_from_rig) @ pose_of(view)
        distance_mm, off_axis_deg, about_axis_deg = off_by(rig_from_bone, reference)
        assert distance_mm < 0.5
        assert off_axis_deg < 1
        assert about_axis_deg < 2
        assert view["similarity"] > view["initial_similarity"]
        check_bone_is_outlined(tmp_path / "out" / f"overlay_{view['name']}.png", view, bone_points)
    assert result["confidence"]["verdict"] in ("accept", "review")
    assert len(contents(tmp_path / "out")) >= 5


def off_by(estimated: np.ndarray, reference: np.ndarray) -> tuple[float, float, float]:
    """Distance of the bone's origin (mm), turn of its long axis z and turn about it (degrees)."""
    turn = reference[:3, :3].T @ estimated[:3, :3]
    about = np.arctan2(turn[1, 0] - turn[0, 1], turn[0, 0] + turn[1, 1])
    distance = np.linalg.norm(moved(estimated, np.zeros((1, 3))) - moved(reference, np.zeros((1, 3))))
    return (
        float(distance),
        float(np.degrees(np.arccos(turn[2, 2].clip(-1, 1)))),
        abs(float(np.degrees(about))),
    )


def check_bone_is_outlined(path: Path, view: dict, bone_points: np.ndarray) -> None:
    """Without a segmentation the DRR's edges are drawn: around the bone and inside it, nowhere else."""
    rgb = read_rgb(path)
    scale = picture_scale(rgb, view)
    bone = silhouette(in_picture(project(view, bone_points), scale), rgb.shape[:2])
    assert share_near(blue(rgb), bone, 3) > 0.98
    assert share_near(border(bone), blue(rgb), 4) > 0.8
