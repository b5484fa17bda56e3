"""Reading X-rays of every kind into the core's one form."""

from pathlib import Path

import numpy as np

from ..errors import InputError
from ..geometry import CameraFile
from .dicom_decoding import frames_in, pixel_layout
from .dicom_frames import FrameChoice, frame_choice
from .dicom_pixels import frame_pixels, open_xray
from .dicom_tags import positive, read_dataset
from .itk_files import ITK_SUFFIXES, read_itk_picture, suffix_of
from .pictures import PICTURE_SUFFIXES, read_picture
from .xray import Xray, line_integrals_from_transmission, open_beam
from .xray_dicom import read_dicom_xray
from .xray_geometry import XrayGeometry, camera_file_from, is_dicom

DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_MAKE_CAMERA_FILE = "add a camera file: --camera camera.json, or --geometry geometry.json"


def read_xray(
    path: str | Path,
    camera_file: CameraFile | None = None,
    name: str | None = None,
    isocenter: tuple[float, float, float] = (0.0, 0.0, 0.0),
    frame: int | str | FrameChoice | None = None,
    geometry: XrayGeometry | None = None,
) -> Xray:
    """Read an X-ray: DICOM XA, RF, DX, CR (told by content), PNG, TIFF, NRRD, NIfTI or MetaImage.

    Row 0 and column 0 come first as the file stores them; flipped is a DICOM file without a camera file,
    where its tags say that it is stored mirrored (`read_dicom_xray`), and one whose camera file says so.
    Views of one rig (camera files with `camera_from_rig`; DICOM files with one Frame of Reference UID) get
    the same `Xray.rig`.

    Args:
        camera_file: K, pose, intensity and mask of the view. May be None for DICOM with complete C-arm
            geometry and with ``geometry``; needed otherwise.
        name: of the view; `view_name` of the file if None.
        isocenter: (3,) patient LPS, mm, for the pose from the C-arm's angles: the volume's centre.
        frame: of a DICOM run of several, counted from 1, or frames combined: `frame_choice` or its text.
        geometry: the C-arm's geometry by hand, complete; a camera file goes before it.

    Raises:
        InputError: names the file, what is missing or contradictory, and the remedy.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", where=path, remedy="check --xray")
    name = name or view_name(path)
    frame = None if frame is None else frame_choice(frame)
    if frame not in (None, FrameChoice("one", (1, 1))) and not is_dicom(path):
        raise InputError(f"has no frame {frame}", where=path, remedy="only DICOM files hold runs of frames")
    if camera_file is None and is_dicom(path):
        found = read_dicom_xray(path, isocenter, frame, geometry)
        rig = found.frame_of_reference_uid
        return Xray(found.line_integrals, found.camera, found.mask, name, rig, found.notes)
    if camera_file is None and geometry is None:
        raise InputError("this format holds no geometry", where=path, remedy=_MAKE_CAMERA_FILE)
    if camera_file is None:
        return _picture_by_hand(path, geometry, name, isocenter)
    camera = camera_file.camera(where=path)
    notes: tuple[str, ...] = ()
    if is_dicom(path):
        dataset = open_xray(path, frame)
        layout = pixel_layout(dataset, path)
        _check_size((layout["columns"], layout["rows"]), camera.size, path)
        keep = _not_empty(_camera_mask(camera_file), path)
        found = frame_pixels(dataset, path, frame, camera_file.intensity, keep)
        image, mask, notes = found.line_integrals, found.mask, found.notes
    else:
        pixels = _read_pixels(path)
        _check_size(pixels.shape[::-1], camera.size, path)
        mask = _not_empty(_camera_mask(camera_file), path)
        image, notes = _line_integrals(pixels, mask, camera_file.intensity, path)
    if camera_file.flip_columns:
        image, mask = (np.ascontiguousarray(each[:, ::-1]) for each in (image, mask))
        notes = ("flipped left-right: by its camera file it is stored as seen from the detector", *notes)
    rig = "rig" if camera_file.camera_from_rig is not None else ""
    return Xray(image, camera, mask, name, rig, (*camera_file.notes, *notes))


def _picture_by_hand(
    path: Path, geometry: XrayGeometry, name: str, isocenter: tuple[float, float, float]
) -> Xray:
    """A picture whose geometry was given by hand; flipped left-right if it is seen from the detector."""
    geometry = geometry.resolved(XrayGeometry())
    pixels = _read_pixels(path)
    camera_file = camera_file_from(geometry, pixels.shape[::-1], isocenter, path)
    notes = ("geometry given by hand",)
    if geometry.seen_from == "detector":
        pixels = np.ascontiguousarray(pixels[:, ::-1])
        notes += ("flipped left-right: seen from the detector",)
    mask = np.ones(pixels.shape, bool)
    image, of_values = _line_integrals(pixels, mask, camera_file.intensity, path)
    return Xray(image, camera_file.camera(where=path), mask, name, "", notes + of_values)


def xray_size(path: str | Path) -> tuple[int, int]:
    """(columns, rows) of an X-ray file; the pixels of DICOM files are not decoded for it.

    Raises:
        InputError: if the file is missing or no image.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", where=path, remedy="check --xray")
    if not is_dicom(path):
        return _read_pixels(path).shape[::-1]
    dataset = read_dataset(path, stop_before_pixels=True)
    columns, rows = (positive(dataset, name, 1, path)[0] for name in ("Columns", "Rows"))
    return int(columns), int(rows)


def frame_count(path: str | Path) -> int:
    """How many frames an X-ray file holds: 1 but for DICOM runs.

    Raises:
        InputError: if the file is missing or no image.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError("no such file", where=path)
    return frames_in(read_dataset(path, stop_before_pixels=True), path) if is_dicom(path) else 1


def view_name(path: Path) -> str:
    """The file's name without the ending of its format; dots that belong to the name stay."""
    ending = suffix_of(path, ITK_SUFFIXES + PICTURE_SUFFIXES + DICOM_SUFFIXES) or ""
    return path.name[: len(path.name) - len(ending)] or "view"


def _read_pixels(path: Path) -> np.ndarray:
    """[row, column] of a file that is not DICOM."""
    return read_picture(path) if suffix_of(path, PICTURE_SUFFIXES) else read_itk_picture(path)


def _line_integrals(
    pixels: np.ndarray, mask: np.ndarray, intensity: str | None, path: Path
) -> tuple[np.ndarray, tuple[str, ...]]:
    """-ln(I/I0) of a picture, [row, column] float32, and a note that says what I0 is."""
    if not np.isfinite(pixels[mask]).all():
        raise InputError("holds NaN or infinite values", where=path, remedy="mask them in the camera file")
    if intensity == "transmission":
        transmission = pixels.astype(np.float64)
        beam = open_beam(transmission, mask)
        return line_integrals_from_transmission(transmission, mask, beam.intensity, path), (beam.note,)
    if intensity == "line_integral":
        return pixels.astype(np.float32), ()
    raise InputError(
        "nothing says what its values mean",
        where=path,
        remedy="set 'intensity' in its camera file, or --intensity, to transmission (bright = little "
        "attenuation) or line_integral",
    )


def _camera_mask(camera_file: CameraFile) -> np.ndarray:
    """[row, column] bool from the camera file's mask image: its zeros are left out; all True without one."""
    shape = camera_file.size[::-1]
    if camera_file.mask is None:
        return np.ones(shape, dtype=bool)
    if not camera_file.mask.is_file():
        raise InputError("no such mask", where=camera_file.mask, remedy="correct 'mask' in the camera file")
    mask = _read_pixels(camera_file.mask) != 0
    _check_size(mask.shape[::-1], camera_file.size, camera_file.mask)
    return mask


def _not_empty(mask: np.ndarray, path: Path) -> np.ndarray:
    if not mask.any():
        raise InputError("its mask leaves no pixel", where=path, remedy="correct 'mask' in the camera file")
    return mask


def _check_size(found: tuple[int, int], size: tuple[int, int], path: Path) -> None:
    """Both (columns, rows)."""
    if found != tuple(size):
        raise InputError(
            f"is {found[0]} x {found[1]} columns x rows, its camera file says {size[0]} x {size[1]}",
            where=path,
            remedy="use the camera file made for this image; cropped or scaled images need their own",
        )
