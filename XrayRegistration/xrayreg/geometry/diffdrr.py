"""Cameras of DiffDRR, of xvr, which builds on it, and of nanodrr.

**DiffDRR** (0.6.1, `Detector`, `read`). World: RAS, mm, its origin in the middle of the volume's box (`read`
moves it there), here the isocenter. In the detector's frame the source is the origin and pixel (column, row)
of an image W x H lies at

    x = s delx (column - (W - 1) / 2) + x0,  y = -dely (row - (H - 1) / 2) + y0,  z = sdd

with s = -1 if `reverse_x_axis`, else +1; mm. A pose is applied after a matrix that the volume's `orientation`
names: world = pose . reorient . detector. Of the four combinations, AP with reversed x and PA without show
the patient as the source sees it; the other two are mirrored, as seen from the detector. (DiffDRR's own
`perspective_projection` differs from its renderer by half a pixel, and by the sign of x0 where x is reversed;
images are what counts here.)

**nanodrr** (0.1.7, `make_k_inv`, `make_rt_inv`). World: RAS as the volume's file has it, mm. K is OpenCV's
but counts pixels from the corner; rt_inv maps the camera, x to the column, y to the row, z away, to the
world. Its PA is mirrored.

**xvr** writes a dictionary with torch: `drr` or `detector` (sdd, height, width, delx, dely, and maybe x0, y0,
orientation, reverse_x_axis), `final_pose` and `init_pose` (1, 4, 4). It crops the X-ray around its middle
(`xray`: `crop`), and may flip it left-right first (`pf_to_af`).
"""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError
from .camera import Camera
from .camera_file import CameraFile
from .frames import LPS_FROM_RAS
from .se3 import inverse, translation

# Axes of the detector's frame in the world (columns), as `diffdrr.data.read` has them.
_REORIENT = {
    "AP": np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]),
    "PA": np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]),
    None: np.eye(4),
}
_HALF_PIXEL = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])  # from the corner to the first pixel's centre
_RIGID = 1e-4


@dataclass(frozen=True)
class DiffdrrView:
    """The parameters of a DiffDRR view, as it names them.

    Attributes:
        sdd: source to detector, mm.
        height, width: pixels.
        delx, dely: pixel spacing, mm.
        x0, y0: shift of the detector, mm, as given to `DRR(x0=..., y0=...)`.
        reverse_x_axis: as given to `DRR`.
        orientation: "AP", "PA" or None, as given to `read`.
        pose: (4, 4), matrix of the RigidTransform.
    """

    sdd: float
    height: int
    width: int
    delx: float
    dely: float
    x0: float
    y0: float
    reverse_x_axis: bool
    orientation: str | None
    pose: np.ndarray


def camera_from_diffdrr(view: DiffdrrView, isocenter: np.ndarray, where: object = None) -> CameraFile:
    """The camera of a DiffDRR view; of a mirrored one, the image is flipped left-right when it is read.

    Args:
        isocenter: (3,) patient LPS, mm: the middle of the volume's box (`Volume.grid.centre_patient`), which
            DiffDRR moves to its origin; (0, 0, 0) for `read(..., center_volume=False)`.

    Raises:
        InputError: for another orientation, lengths that are not positive, or a pose that is not rigid.
    """
    if view.orientation not in _REORIENT:
        raise InputError(f"orientation is {view.orientation!r}, not AP, PA or None", where=where)
    numbers = np.array(
        [view.sdd, view.delx, view.dely, view.height, view.width, view.x0, view.y0], dtype=float
    )
    if not np.isfinite(numbers).all() or numbers[:5].min() <= 0:
        raise InputError("sdd, delx, dely, height and width must be positive numbers", where=where)
    reorient, side = _REORIENT[view.orientation], -1.0 if view.reverse_x_axis else 1.0
    # The camera of the image as seen from the source: of a mirrored one, the columns run the other way.
    mirrored = bool(side * np.linalg.det(reorient[:3, :3]) > 0)
    side = -side if mirrored else side
    K = np.array(
        [
            [view.sdd / view.delx, 0, (view.width - 1) / 2 - side * view.x0 / view.delx],
            [0, view.sdd / view.dely, (view.height - 1) / 2 + view.y0 / view.dely],
            [0, 0, 1],
        ]
    )
    world_from_camera = _rigid(view.pose, where) @ reorient @ np.diag([side, -1, 1, 1])
    patient_from_camera = translation(isocenter) @ LPS_FROM_RAS @ world_from_camera
    return CameraFile(
        (int(view.width), int(view.height)),
        K,
        inverse(patient_from_camera),
        source_to_detector_mm=float(view.sdd),
        flip_columns=mirrored,
    )


def diffdrr_from_camera(camera: Camera, isocenter: np.ndarray, orientation: str | None = "AP") -> DiffdrrView:
    """The DiffDRR view of a camera, as seen from the source: the way back.

    Raises:
        InputError: without a source-to-detector distance, or for a skewed K.
    """
    _check_no_skew(camera)
    reorient = _REORIENT[orientation]
    side = -float(np.sign(np.linalg.det(reorient[:3, :3])))
    sdd, (delx, dely) = camera.require_source_to_detector(), camera.pixel_spacing_mm
    middle = (np.array(camera.size) - 1) / 2
    world_from_camera = LPS_FROM_RAS @ translation(-np.asarray(isocenter)) @ camera.patient_from_camera
    return DiffdrrView(
        sdd=sdd,
        height=camera.size[1],
        width=camera.size[0],
        delx=float(delx),
        dely=float(dely),
        x0=float(side * (middle[0] - camera.K[0, 2]) * delx),
        y0=float((camera.K[1, 2] - middle[1]) * dely),
        reverse_x_axis=side < 0,
        orientation=orientation,
        pose=world_from_camera @ np.diag([side, -1, 1, 1]) @ inverse(reorient),
    )


def camera_from_nanodrr(
    k_inv: np.ndarray, rt_inv: np.ndarray, sdd: float, size: tuple[int, int], where: object = None
) -> CameraFile:
    """The camera of a nanodrr view; of a mirrored one, the image is flipped left-right when it is read.

    Args:
        k_inv, rt_inv: (3, 3) and (4, 4), as `render` takes them.
        sdd: source to detector, mm.
        size: (columns, rows).

    Raises:
        InputError: if they are no camera.
    """
    k_inv, rt_inv = np.array(k_inv, dtype=float), np.array(rt_inv, dtype=float)
    if k_inv.shape != (3, 3) or not np.isfinite(k_inv).all() or not np.linalg.det(k_inv) or not sdd > 0:
        raise InputError("k_inv is no invertible 3x3 matrix, or sdd is not positive", where=where)
    K = _HALF_PIXEL @ np.linalg.inv(k_inv)
    mirrored = rt_inv.shape == (4, 4) and bool(np.linalg.det(rt_inv[:3, :3]) < 0)
    if mirrored:
        K[0, 2] = size[0] - 1 - K[0, 2]
        rt_inv = rt_inv @ np.diag([-1.0, 1, 1, 1])
    return CameraFile(
        (int(size[0]), int(size[1])),
        K / K[2, 2],
        inverse(LPS_FROM_RAS @ _rigid(rt_inv, where)),
        source_to_detector_mm=float(sdd),
        flip_columns=mirrored,
    )


def nanodrr_from_camera(camera: Camera) -> tuple[np.ndarray, np.ndarray, float]:
    """k_inv (3, 3), rt_inv (4, 4) and sdd of a camera: the way back.

    Raises:
        InputError: without a source-to-detector distance, or for a skewed K.
    """
    _check_no_skew(camera)
    k_inv = np.linalg.inv(np.linalg.inv(_HALF_PIXEL) @ camera.K)
    return k_inv, LPS_FROM_RAS @ camera.patient_from_camera, camera.require_source_to_detector()


def uncropped(view: DiffdrrView, crop: int, where: object = None) -> DiffdrrView:
    """The view of the whole X-ray, of which xvr cut ``crop`` pixels from each direction, half on each side.

    Raises:
        InputError: for an odd number, of which the halves differ.
    """
    if crop < 0 or crop % 2:
        raise InputError(f"crop is {crop}, not an even number of pixels", where=where)
    return replace(view, height=view.height + crop, width=view.width + crop)


def _check_no_skew(camera: Camera) -> None:
    if camera.K[0, 1] != 0:
        raise InputError("K has a skew; DiffDRR and nanodrr know rectangular pixels only")


def _rigid(pose: np.ndarray, where: object) -> np.ndarray:
    """The pose with an exactly orthogonal rotation: it was stored in single precision.

    Raises:
        InputError: if it is not rigid by more than rounding.
    """
    pose = np.array(pose, dtype=float)
    ok = pose.shape == (4, 4) and np.isfinite(pose).all() and np.allclose(pose[3], [0, 0, 0, 1])
    if not ok or not np.allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=_RIGID):
        raise InputError("its pose is not a rigid 4x4 transform", where=where)
    left, _, right = np.linalg.svd(pose[:3, :3])
    pose[:3, :3] = left @ right
    if np.linalg.det(pose[:3, :3]) < 0:
        raise InputError("its pose is mirrored (determinant -1)", where=where, remedy="use orientation PA")
    return pose
