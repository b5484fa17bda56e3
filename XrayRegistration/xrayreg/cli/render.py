"""`xrayreg render`: a DRR of a volume for a camera."""

import argparse
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from ..geometry import Camera, read_camera_file
from ..images import (
    LabelMap,
    Volume,
    carm_for_dicom,
    check_fit,
    read_label_map,
    resample_labels,
    write_dicom_xray,
    write_drr_nrrd,
)
from ..overlays import write_grey_png
from ..render import PROJECTORS, density_of, render, render_labels
from ..results import refuse_input, whole_file
from .files import say
from .guards import check_air, finite
from .options import add_volume_options, air_hu, label_values, volume_of

_ENDINGS = (".nrrd", ".png", ".dcm")
_DICOM_FULL_SCALE = 16383  # stored value of the open beam


def add_to(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "render",
        help="a DRR of a volume for a camera",
        description="Render a DRR. .nrrd holds line integrals (one channel per label if asked), .png an "
        "8-bit picture (bone bright), .dcm a DICOM XA file with the camera's geometry.",
    )
    add_volume_options(parser)
    parser.add_argument(
        "--camera",
        type=Path,
        required=True,
        help="camera.json with camera_from_patient, or a calibration of another program; of several cameras "
        "in a file, the second is FILE#2",
    )
    parser.add_argument("--segmentation", type=Path, help="label map, for --labels")
    parser.add_argument("--labels", help="one channel per label: 1,2,3")
    parser.add_argument("--projector", choices=PROJECTORS, default="joseph")
    parser.add_argument(
        "--step-mm", type=finite, help="largest step of the projector trilinear (default: half a voxel)"
    )
    parser.add_argument("--out", type=Path, required=True, help="drr.nrrd, drr.png or drr.dcm")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    ending = options.out.suffix.lower()
    if ending not in _ENDINGS:
        raise InputError(f"unknown ending '{ending}'", where=options.out, remedy=f"use {', '.join(_ENDINGS)}")
    if (options.labels is None) != (options.segmentation is None):
        raise InputError("--segmentation and --labels go together", remedy="give both or none")
    if options.labels and ending != ".nrrd":
        raise InputError(
            "only .nrrd holds one channel per label", where=options.out, remedy="use --out drr.nrrd"
        )
    if options.step_mm is not None and not options.step_mm > 0:
        raise InputError(f"--step-mm {options.step_mm:g} is not positive", remedy="leave it out, or give mm")
    if options.labels and (options.step_mm is not None or options.projector != "joseph"):
        raise InputError(
            "--labels are rendered by the projector joseph", remedy="leave out --projector and --step-mm"
        )
    refuse_input(options.out, [options.volume, options.camera, *filter(None, [options.segmentation])])
    volume = volume_of(options)
    check_air(volume, air_hu(options), options.volume)
    camera = _camera(options.camera, volume)
    for note in volume.notes:
        say(f"{volume.name}: {note}")
    density = density_of(volume, air_hu(options))
    say(f"rendering {camera.size[0]} x {camera.size[1]} pixels")
    if options.labels:
        wanted = label_values(options.labels)
        segmentation = read_label_map(options.segmentation)
        _check_present(segmentation, wanted, options.segmentation)
        for note in check_fit(segmentation, volume):
            say(f"{options.segmentation.name}: {note}")
        label_map = resample_labels(segmentation, volume.grid)
        labels = torch.from_numpy(label_map.labels.astype(np.int32))
        image = render_labels(labels, density, camera, wanted).numpy()
    else:
        image = render(density, camera, projector=options.projector, step_mm=options.step_mm).numpy()
    if not image.max() > 0:
        raise InputError(
            "the volume does not project into the image",
            where=options.camera,
            remedy="check camera_from_patient (patient LPS in mm to camera)",
        )
    with whole_file(options.out) as staged:
        _write(staged, ending, image, camera, volume.grid.centre_patient)
    print(
        f"{options.out}: {camera.size[0]} x {camera.size[1]} pixels, largest line integral {image.max():.3f}"
    )
    return 0


def _camera(path: Path, volume: Volume) -> Camera:
    file = read_camera_file(path, isocenter=volume.grid.centre_patient)
    for note in file.notes:
        say(note)
    if file.flip_columns:
        say("the camera is that of a mirrored image; the DRR is as the source sees it")
    return file.camera(where=path)


def _check_present(segmentation: LabelMap, wanted: tuple[int, ...], path: Path) -> None:
    present = [int(label) for label in np.unique(segmentation.labels) if label > 0]
    missing = [label for label in wanted if label not in present]
    if missing:
        raise InputError(
            f"has no label {', '.join(map(str, missing))}",
            where=path,
            remedy=f"--labels takes some of {', '.join(map(str, present))}",
        )


def _write(path: Path, ending: str, image: np.ndarray, camera: Camera, centre: np.ndarray) -> None:
    if ending == ".nrrd":
        write_drr_nrrd(path, image, camera)
    elif ending == ".png":
        write_grey_png(path, image)
    else:
        write_dicom_xray(path, *_as_dicom(image, camera, centre))


def _as_dicom(image: np.ndarray, camera: Camera, centre: np.ndarray) -> tuple:
    """Arguments of `write_dicom_xray`: transmission, the C-arm and the pixel spacing."""
    transmission = np.round(np.exp(-image) * _DICOM_FULL_SCALE).astype(np.uint16)
    return transmission, carm_for_dicom(camera, centre), camera.pixel_spacing_mm
