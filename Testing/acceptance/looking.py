"""Looking at overlay pictures and result files with nothing of the project's own code."""

import functools
import importlib.util
import json
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image

HAS_SLICER = importlib.util.find_spec("slicer") is not None


@functools.cache
def has_opengl() -> bool:
    """Whether Slicer's views can be drawn here, without which there are no pictures of the scene."""
    if not HAS_SLICER:
        return False
    from XrayRegistrationLib.offscreen import opengl_problem

    return opengl_problem() is None


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by its path in it; also the hidden ones."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


# --- Geometry, by the formulas of the contract ---


def pose_of(view: dict, field: str = "camera_from_patient") -> np.ndarray:
    return np.array(view[field])


def moved(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """transform @ points (n, 3)."""
    return (np.c_[points, np.ones(len(points))] @ np.asarray(transform).T)[:, :3]


def project(view: dict, points: np.ndarray, field: str = "camera_from_patient") -> np.ndarray:
    """(n, 2) pixels (column, row) of patient points (n, 3): s [u, v, 1] = K (camera_from_patient p)."""
    homogeneous = moved(view[field], points) @ np.array(view["K"]).T
    return homogeneous[:, :2] / homogeneous[:, 2:]


def mean_tre_mm(estimated: np.ndarray, truth: np.ndarray, points: np.ndarray) -> float:
    return float(np.linalg.norm(moved(estimated, points) - moved(truth, points), axis=1).mean())


def check_rigid(transform) -> None:
    transform = np.array(transform)
    assert transform.shape == (4, 4)
    np.testing.assert_allclose(transform[:3, :3] @ transform[:3, :3].T, np.eye(3), atol=1e-9)
    assert np.linalg.det(transform[:3, :3]) > 0.999
    np.testing.assert_array_equal(transform[3], [0, 0, 0, 1])


# --- Pictures: X-rays are grey, so whatever has a colour was drawn on them ---


def read_rgb(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.array(image).astype(int)


def blue(rgb: np.ndarray) -> np.ndarray:
    """Outlines of vertebrae, and edges of a DRR."""
    return (rgb[..., 2] - rgb[..., 0] > 40) & (rgb[..., 2] > rgb[..., 1])


def yellow(rgb: np.ndarray) -> np.ndarray:
    """Outlines of ribs."""
    return (rgb[..., 1] - rgb[..., 2] > 40) & (np.abs(rgb[..., 0] - rgb[..., 1]) < 40)


def red(rgb: np.ndarray) -> np.ndarray:
    """The plan."""
    return rgb[..., 0] - rgb[..., 1] > 60


def picture_scale(rgb: np.ndarray, view: dict) -> float:
    return rgb.shape[1] / view["size"][0]


def in_picture(uv: np.ndarray, scale: float) -> np.ndarray:
    """Image pixels in those of a picture ``scale`` times as large; pixel centres are at whole numbers."""
    return (np.asarray(uv) + 0.5) * scale - 0.5


def silhouette(spots: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """[row, column] bool, True where one of the picture positions (n, 2) falls."""
    column, row = np.rint(spots).astype(int).T
    inside = (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    mask = np.zeros(shape, bool)
    mask[row[inside], column[inside]] = True
    return closed(mask)


def closed(mask: np.ndarray) -> np.ndarray:
    """Without the pinholes that lie between scattered points."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    return sitk.GetArrayFromImage(sitk.BinaryMorphologicalClosing(image, (2, 2))) > 0


def border(mask: np.ndarray) -> np.ndarray:
    """The pixels of a mask that touch its outside; none at the picture's rim."""
    eroded = mask.copy()
    eroded[1:-1, 1:-1] &= mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    result = mask & ~eroded
    result[[0, -1]] = result[:, [0, -1]] = False
    return result


def distance_px(mask: np.ndarray) -> np.ndarray:
    """[row, column] distance of each pixel from the nearest True one."""
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    return sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False)
    ).clip(min=0)


def share_near(pixels: np.ndarray, others: np.ndarray, within_px: float) -> float:
    """The share of the True ``pixels`` that have one of ``others`` within a distance."""
    return float((distance_px(others)[pixels] <= within_px).mean())


def ring(rgb: np.ndarray, spot: np.ndarray, wanted) -> float:
    """The share of ``wanted`` pixels on the circle by which a plan's point is marked, around a position."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    column, row = np.rint(spot[:, None] + 4.5 * np.stack([np.cos(angles), np.sin(angles)])).astype(int)
    return float(wanted(rgb)[row, column].mean())
