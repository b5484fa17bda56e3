"""Bad inputs as a table: what is wrong, the files that have it, and what the one line must say.

`check` or another command joins by one line in `COMMANDS`.
"""

import gzip
import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import phantom
import pydicom
import SimpleITK as sitk
from PIL import Image
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from xrayreg.images import write_dicom_xray

CAMERA = phantom.nominal_camera(0.0, 0.0)
CARM = phantom.carm(0.0, 0.0)
PIXELS = np.random.default_rng(0).integers(1000, 16000, CAMERA.size[::-1], dtype=np.uint16)


@dataclass(frozen=True)
class BadCase:
    """One bad input.

    Attributes:
        name: what is wrong.
        make: from a folder of good files (`write_good`), which it may change, to the inputs that differ from
            `GOOD`: {"volume": path, ...}; None leaves an input out. Paths are relative to the folder.
        says: parts of the line that must be there: the file or option, the fault.
        commands: those that read it; None: all that take the inputs.
    """

    name: str
    make: Callable[[Path], dict]
    says: tuple[str, ...]
    commands: tuple[str, ...] | None = None


GOOD = {"volume": "ct.nii.gz", "xray": "frontal.png", "camera": "frontal.json", "out": "out"}
_RENDERS = {"volume", "camera", "segmentation", "labels", "voxel_mm", "out", "air_hu", "step_mm"}


def _options(inputs: dict, *names: str) -> list[str]:
    """Each given input as its option; a list of values repeats it."""
    arguments = []
    for name in names:
        values = inputs.get(name)
        for value in values if isinstance(values, list) else [] if values is None else [values]:
            arguments += [f"--{name.replace('_', '-')}", str(value)]
    return arguments


def render_arguments(inputs: dict) -> list[str]:
    given = {"labels": "1" if inputs.get("segmentation") else None, **inputs}
    given["out"] = "drr.nrrd" if inputs["out"] == GOOD["out"] else inputs["out"]
    return ["render", *_options(given, *sorted(_RENDERS))]


def register_arguments(inputs: dict) -> list[str]:
    first = ("volume", "xray", "camera", "frame")  # a camera and a frame stand behind their X-ray
    return ["register", *_options(inputs, *first, *sorted(set(inputs) - set(first)))]


COMMANDS: dict[str, Callable[[dict], list[str]]] = {
    "render": render_arguments,
    "register": register_arguments,
}


def commands_for(case: BadCase, changed: dict) -> tuple[str, ...]:
    """The commands that take the changed inputs."""
    if case.commands is not None:
        return case.commands
    return tuple(COMMANDS) if set(changed) <= _RENDERS - {"out", "labels"} else ("register",)


# --- Good files ---


def write_good(folder: Path) -> None:
    """ct.nii.gz, frontal.png/.json, lateral.png/.json, frontal.dcm, labels.nrrd, series/, landmarks, plan."""
    phantom.write_ct(folder / "ct.nii.gz")
    phantom.write_segmentation(folder / "labels.nrrd", phantom.LEFT_HANDED)
    for name, angles in (("frontal", (0.0, 0.0)), ("lateral", (80.0, 10.0))):
        phantom.write_xray(folder / f"{name}.png", PIXELS)
        phantom.write_camera(folder / f"{name}.json", phantom.nominal_camera(*angles))
    write_dicom_xray(folder / "frontal.dcm", PIXELS, CARM, CAMERA.pixel_spacing_mm)
    phantom.write_plan(folder / "plan.mrk.json", phantom.CENTRE + np.eye(3)[:2] * 9, "LPS")
    points = phantom.CENTRE + np.array(
        [[20, 0, 0], [-20, 5, 9], [0, 9, 20], [5, -9, -20], [9, 20, 0], [0, 0, 0]]
    )
    control = [{"label": f"p{n}", "position": p.tolist()} for n, p in enumerate(points)]
    markup = {"type": "Fiducial", "coordinateSystem": "LPS", "controlPoints": control}
    (folder / "points.mrk.json").write_text(json.dumps({"markups": [markup]}))
    rows = [f"frontal,p{n},{u:.3f},{v:.3f}" for n, (u, v) in enumerate(CAMERA.project(points))]
    (folder / "points.csv").write_text("\n".join(["view,label,u,v", *rows]) + "\n")
    (folder / "series").mkdir()
    write_series(folder / "series")


def write_series(folder: Path, slices: int = 6, **tags) -> None:
    """A CT series as files 0.dcm, 1.dcm, ...; ``tags`` of all slices."""
    series, study = pydicom.uid.generate_uid(), pydicom.uid.generate_uid()
    for number in range(slices):
        meta = pydicom.dataset.FileMetaDataset()
        meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
        meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        one = pydicom.FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        one.SOPClassUID, one.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        one.Modality, one.PatientName, one.PatientID = "CT", "Secret^Name", "SECRET-ID"
        one.StudyInstanceUID, one.SeriesInstanceUID, one.InstanceNumber = study, series, number + 1
        one.ImageOrientationPatient, one.PixelSpacing = [1, 0, 0, 0, 1, 0], [2.0, 2.0]
        one.ImagePositionPatient = [-20, -50, 100 + 10.0 * number]
        one.RescaleSlope, one.RescaleIntercept, one.RescaleType = 1, -1024, "HU"
        one.SamplesPerPixel, one.PhotometricInterpretation = 1, "MONOCHROME2"
        one.Rows, one.Columns, one.BitsAllocated, one.BitsStored, one.HighBit = 30, 32, 16, 16, 15
        one.PixelRepresentation = 0
        one.PixelData = np.full((30, 32), 1024 + number, "<u2").tobytes()
        for keyword, value in tags.items():
            setattr(one, keyword, value)
        one.save_as(folder / f"{number}.dcm", enforce_file_format=True)


# --- Ways to spoil them; each returns what `BadCase.make` takes ---


def spoiled_dicom(source: str, target: str, **tags) -> Callable[[Path], None]:
    """A copy with tags set, removed (None), or set to bytes as they stand in the file."""

    def spoil(folder: Path) -> None:
        dataset = pydicom.dcmread(folder / source)
        for keyword, value in tags.items():
            tag = Tag(tag_for_keyword(keyword))
            vr = dictionary_VR(keyword)
            vr = "US" if vr == "US or SS" else vr
            if value is None:
                del dataset[tag]
            elif isinstance(value, bytes) and keyword != "PixelData":
                dataset[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
            elif keyword == "TransferSyntaxUID":
                continue
            else:
                dataset.add_new(tag, "OW" if keyword == "PixelData" else vr, value)
        dataset.save_as(folder / target)
        if "TransferSyntaxUID" in tags:  # pydicom writes none that does not fit the pixels
            old, new = (
                _syntax(uid) for uid in (dataset.file_meta.TransferSyntaxUID, tags["TransferSyntaxUID"])
            )
            (folder / target).write_bytes((folder / target).read_bytes().replace(old, new, 1))

    return spoil


def _syntax(uid: str) -> bytes:
    """The Transfer Syntax UID (0002,0010) as it stands in a file."""
    value = uid.encode() + b"\0" * (len(uid) % 2)
    return struct.pack("<HH2sH", 2, 0x10, b"UI", len(value)) + value


def bad_xray(**tags) -> Callable[[Path], dict]:
    """frontal.dcm with other tags, without a camera file."""

    def make(folder: Path) -> dict:
        spoiled_dicom("frontal.dcm", "bad.dcm", **tags)(folder)
        return {"xray": "bad.dcm", "camera": None}

    return make


def bad_slice(**tags) -> Callable[[Path], dict]:
    """The third slice of the series with other tags."""

    def make(folder: Path) -> dict:
        spoiled_dicom("series/2.dcm", "series/2.dcm", **tags)(folder)
        return {"volume": "series"}

    return make


def bad_camera(**changes) -> Callable[[Path], dict]:
    """frontal.json with other fields; None removes one."""

    def make(folder: Path) -> dict:
        fields = json.loads((folder / "frontal.json").read_text()) | changes
        kept = {name: value for name, value in fields.items() if value is not None}
        (folder / "bad.json").write_text(json.dumps(kept))
        return {"camera": "bad.json"}

    return make


def written(option: str, name: str, content: bytes | str, **others) -> Callable[[Path], dict]:
    """A file with this content, for this input."""

    def make(folder: Path) -> dict:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return {option: name, **others}

    return make


def truncated(option: str, source: str, length: float, **others) -> Callable[[Path], dict]:
    """The first part of a good file: so many bytes, or such a share."""

    def make(folder: Path) -> dict:
        content = (folder / source).read_bytes()
        name = f"cut_{source}"
        (folder / name).write_bytes(content[: int(length if length > 1 else length * len(content))])
        return {option: name, **others}

    return make


def nifti_with(fields: dict[int, tuple[str, float]], option: str = "volume") -> Callable[[Path], dict]:
    """ct.nii.gz with header fields {offset: (struct code, value)}."""

    def make(folder: Path) -> dict:
        body = bytearray(gzip.decompress((folder / "ct.nii.gz").read_bytes()))
        for offset, (code, value) in fields.items():
            struct.pack_into(code, body, offset, value)
        (folder / "bad.nii.gz").write_bytes(gzip.compress(bytes(body), 1))
        return {option: "bad.nii.gz"}

    return make


def header_with(name: str, old: str, new: str, option: str = "volume") -> Callable[[Path], dict]:
    """The CT as NRRD or MetaImage (by ``name``) whose header has ``new`` in place of ``old``."""

    def make(folder: Path) -> dict:
        sitk.WriteImage(sitk.ReadImage(str(folder / "ct.nii.gz")), str(folder / name))
        content = (folder / name).read_bytes()
        assert old.encode() in content[:2000], content[:600]
        (folder / name).write_bytes(content.replace(old.encode(), new.encode(), 1))
        return {option: name}

    return make


def image_as(
    option: str, name: str, array: np.ndarray, vector: bool = False, **others
) -> Callable[[Path], dict]:
    """An image of these values, written by SimpleITK as the name's ending says, at the CT's place."""

    def make(folder: Path) -> dict:
        image = sitk.GetImageFromArray(array, isVector=vector)
        if image.GetDimension() == 3:
            image.SetOrigin((phantom.CENTRE - 20).tolist())
        sitk.WriteImage(image, str(folder / name))
        return {option: name, **others}

    return make


def picture_as(name: str, image: Image.Image, *more: Image.Image) -> Callable[[Path], dict]:
    """An X-ray that Pillow writes."""

    def make(folder: Path) -> dict:
        image.save(folder / name, **({"save_all": True, "append_images": list(more)} if more else {}))
        return {"xray": name}

    return make


def copied(folder: Path, source: str, target: str) -> None:
    """A file or a folder once more."""
    (shutil.copytree if (folder / source).is_dir() else shutil.copy)(folder / source, folder / target)
