"""A small body with three bones, known in closed form, and everything the command line needs of it.

Whatever is written here is sampled from the formulas at each grid's own voxel centres, so two files of
different grids show the same body without one having been made from the other.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image
from xrayreg.geometry import Camera, CArm, about, write_camera_file
from xrayreg.images import read_volume, write_dicom_xray
from xrayreg.render import Detector, simulate_xray

CENTRE = np.array([12.0, -20.0, 150.0])
"""Of the body, patient LPS, mm: nowhere near the origin, so that a forgotten shift is seen."""

# (label, name, centre from CENTRE, half axes), mm; no symmetry carries one of them into another.
BONES = (
    (1, "vertebrae_L1", (-12.0, 4.0, -14.0), (16.0, 9.0, 7.0)),
    (2, "rib_left_1", (20.0, -10.0, 8.0), (5.0, 12.0, 20.0)),
    (5, "talus", (-16.0, -12.0, 22.0), (9.0, 6.0, 5.0)),
)
_BODY_HALF = (48.0, 34.0, 44.0)
_BONE_HU, _BODY_HU, _AIR_HU = 900, 30, -1000

START_TWIST = np.concatenate([np.radians([4.0, -5.0, 3.0]), [5.0, -4.0, 6.0]])
"""How far the start lies from the truth: rotation vector in rad, shift in mm, about CENTRE."""

VIEWS = (("frontal", 0.0, 0.0), ("lateral", 80.0, 10.0))
_SIZE, _SPACING_MM = (176, 160), (1.2, 1.2)
_SOURCE_TO_DETECTOR_MM, _SOURCE_TO_ISOCENTER_MM = 1000.0, 700.0


def targets() -> np.ndarray:
    """Centres and tips of the bones (n, 3), patient LPS, mm: where errors are measured."""
    signs = np.vstack([np.zeros(3), np.eye(3), -np.eye(3)])
    return np.vstack([CENTRE + centre + signs * half for _, _, centre, half in BONES])


def carm(primary_deg: float, secondary_deg: float) -> CArm:
    """A C-arm whose isocenter is the body's centre."""
    return CArm(
        _SOURCE_TO_DETECTOR_MM, _SOURCE_TO_ISOCENTER_MM, primary_deg, secondary_deg, isocenter=tuple(CENTRE)
    )


def nominal_camera(primary_deg: float, secondary_deg: float) -> Camera:
    """The camera as the C-arm's angles say: the start."""
    return carm(primary_deg, secondary_deg).camera(_SIZE, _SPACING_MM)


def start_motion() -> np.ndarray:
    """(4, 4): true camera_from_patient = start camera_from_patient @ this."""
    return about(CENTRE, START_TWIST)


@dataclass(frozen=True)
class View:
    """One X-ray of the phantom.

    Attributes:
        start, truth: its camera where registration begins and where it should end.
        pixels: [row, column] uint16, brighter = more intensity.
    """

    name: str
    carm: CArm
    start: Camera
    truth: Camera
    pixels: np.ndarray


def make_views(ct: Path) -> list[View]:
    """Simulated with another projector than the one that registers, with noise, scatter and a tone curve."""
    volume = read_volume(ct)
    views = []
    for seed, (name, primary, secondary) in enumerate(VIEWS):
        start = nominal_camera(primary, secondary)
        truth = start.moved(start.camera_from_patient @ start_motion())
        pixels = simulate_xray(volume, truth, Detector(seed=seed), np.ones(_SIZE[::-1], bool))
        views.append(View(name, carm(primary, secondary), start, truth, pixels))
    return views


# --- Files ---


def write_grid(path: Path, size, spacing, direction, sample) -> Path:
    """A volume around CENTRE, its voxel values ``sample`` of their centres (..., 3), patient LPS."""
    direction = np.asarray(direction, dtype=float)
    middle = direction @ ((np.array(size) - 1) / 2 * spacing)
    index = np.stack(np.meshgrid(*map(np.arange, size[::-1]), indexing="ij")[::-1], axis=-1)
    points = CENTRE - middle + (index * spacing) @ direction.T
    image = sitk.GetImageFromArray(sample(points))
    image.SetSpacing([float(s) for s in spacing])
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin((CENTRE - middle).tolist())
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


LEFT_HANDED = np.diag([-1.0, 1.0, 1.0])
RIGHT_HANDED = np.eye(3)


def write_ct(path: Path) -> Path:
    return write_grid(path, (52, 40, 40), (2.0, 2.0, 2.5), LEFT_HANDED, hu)


def write_segmentation(path: Path, direction, spacing=(1.5, 1.0, 2.0), size=(60, 60, 44)) -> Path:
    """On a grid that is not the CT's."""
    return write_grid(path, size, spacing, direction, labels)


def write_plan(path: Path, points_lps, system: str) -> Path:
    """A screw as Slicer saves it, in LPS or RAS."""
    points = np.asarray(points_lps) * ([-1, -1, 1] if system == "RAS" else [1, 1, 1])
    control = [
        {"label": label, "position": list(map(float, p))}
        for label, p in zip(("entry", "tip"), points, strict=True)
    ]
    markup = {
        "type": "Line",
        "name": "screw",
        "coordinateSystem": system,
        "coordinateUnits": "mm",
        "controlPoints": control,
    }
    path.write_text(json.dumps({"markups": [markup]}))
    return path


def write_camera(path: Path, camera: Camera, **changes) -> Path:
    """camera.json of a view that shows transmission; ``changes`` replace fields, None removes one."""
    write_camera_file(path, camera, intensity="transmission")
    fields = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in fields.items() if value is not None}))
    return path


def write_xray(path: Path, pixels: np.ndarray) -> Path:
    """16-bit grey, as a PNG or whatever SimpleITK makes of the ending."""
    if path.suffix == ".png":
        Image.fromarray(pixels).save(path)
    else:
        sitk.WriteImage(sitk.GetImageFromArray(pixels), str(path))
    return path


def write_dicom(path: Path, view: View, **options) -> Path:
    write_dicom_xray(path, view.pixels, view.carm, view.start.pixel_spacing_mm, **options)
    return path


# --- The formulas ---


def labels(points: np.ndarray) -> np.ndarray:
    """(...) uint8 label of each point (..., 3)."""
    result = np.zeros(points.shape[:-1], np.uint8)
    for label, _, centre, half in BONES:
        result[_inside(points, centre, half)] = label
    return result


def hu(points: np.ndarray) -> np.ndarray:
    """(...) int16 HU of each point (..., 3)."""
    body = np.where(_inside(points, (0, 0, 0), _BODY_HALF), _BODY_HU, _AIR_HU)
    return np.where(labels(points) > 0, _BONE_HU, body).astype(np.int16)


def _inside(points, centre, half):
    return (((points - CENTRE - centre) / half) ** 2).sum(axis=-1) < 1
