"""Small good files of every kind that a reader takes, and what reads them."""

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, RLELossless
from xrayreg.geometry import (
    CameraFile,
    CArm,
    mayacam_text,
    opencv_yaml,
    projection_matrix,
    read_camera_file,
    read_mayacam,
    read_rtk,
    rtk_from_camera,
    rtk_xml,
    write_camera_file,
    write_xvr,
)
from xrayreg.images import (
    Markup,
    Shutter,
    XrayGeometry,
    frame_count,
    geometry_found,
    read_geometry_file,
    read_label_map,
    read_landmarks2d,
    read_landmarks3d,
    read_markups,
    read_volume,
    read_xray,
    thumbnail_png,
    write_dicom_xray,
    write_geometry_file,
    write_markups,
)
from xrayreg.images.label_files import read_names

_SIZE = (20, 16)  # columns, rows
_CARM = CArm(1000.0, 700.0, 30.0, -10.0, 5.0)
_CAMERA = _CARM.camera(_SIZE, (1.2, 1.1))
_VOXEL_MM = (1.0, 1.0, 2.0)
_REAL = {
    "xray_dicom/highdicom_dx_thorax_tiny.dcm": ("frame_count", "geometry_found", "read_xray with a camera"),
    "xray_dicom/NEMA_WG04_RG3_tibia_CR_J2KR.dcm": ("geometry_found", "read_xray with a camera"),
    "xray_dicom/fo-dicom_XA_rubo_96frames.dcm": ("frame_count", "geometry_found"),
    "pelvis_ct_3mm/example_seg.nii.gz": ("read_label_map",),
    "wrist_biplane/calibration/xr_calib_wrist_cam01.txt": ("read_mayacam",),
}


def _xray(path: Path) -> None:
    thumbnail_png(read_xray(path, frame=None if frame_count(path) == 1 else 2).line_integrals)


def _xray_with_camera(path: Path) -> None:
    size = _size_in(path)
    camera = CameraFile(size, _CAMERA.K, _CAMERA.camera_from_patient, intensity="transmission")
    read_xray(path, camera)


def _size_in(path: Path) -> tuple[int, int]:
    """Columns and rows of a real DICOM file, so that more than its size is looked at; else `_SIZE`."""
    try:
        dataset = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
        return int(dataset.Columns), int(dataset.Rows)
    except Exception:
        return _SIZE


READERS: dict[str, Callable[[Path], object]] = {
    "read_xray": _xray,
    "read_xray with a camera": _xray_with_camera,
    "frame_count": frame_count,
    "geometry_found": geometry_found,
    "read_volume": read_volume,
    "read_volume (folder)": lambda path: read_volume(path.parent),
    "read_volume (TIFF)": lambda path: read_volume(path, _VOXEL_MM),
    "read_label_map": read_label_map,
    "read_label_map (TIFF)": lambda path: read_label_map(path, voxel_mm=_VOXEL_MM),
    "read_names": read_names,
    "read_markups": read_markups,
    "read_landmarks3d": read_landmarks3d,
    "read_landmarks2d": read_landmarks2d,
    "read_camera_file": lambda path: read_camera_file(path, size=_SIZE, isocenter=np.zeros(3)).camera(),
    "read_rtk": lambda path: read_rtk(path, _SIZE, detector=rtk_from_camera(_CAMERA)[1]),
    "read_geometry_file": read_geometry_file,
    "read_mayacam": read_mayacam,
}

_XRAY = ("read_xray", "read_xray with a camera", "frame_count", "geometry_found")
_PICTURE = ("read_xray with a camera",)
_GRID = ("read_volume", "read_label_map")


@dataclass(frozen=True)
class Seed:
    """A good file in a folder of its own, with the files that belong to it.

    Attributes:
        readers: the keys of `READERS` that read it.
    """

    path: Path
    readers: tuple[str, ...]


def make_seeds(folder: Path, data: Path | None) -> list[Seed]:
    """Write all seeds, each into a folder of its own; those of the real ``data`` where it is there."""
    made: list[Seed] = []

    def place(name: str, *readers: str) -> Path:
        path = folder / str(len(made)) / name
        path.parent.mkdir(parents=True)
        made.append(Seed(path, readers))
        return path

    for write in (_dicom_xrays, _pictures, _volumes, _series, _texts):
        write(place)
    for name, readers in _REAL.items():
        if data is not None and (data / name).is_file():
            shutil.copy(data / name, place(Path(name).name, *readers))
    for seed in made:
        seed.path.chmod(0o644)
    return made


def _noise(shape, high: int = 4000) -> np.ndarray:
    return np.random.default_rng(0).integers(1, high, shape, dtype=np.uint16)


def _dicom_xrays(place) -> None:
    shutter = Shutter((1, 17, 2, 14), (9.0, 8.0, 7.0))
    shape = _SIZE[::-1]
    plain = place("plain.dcm", *_XRAY)
    write_dicom_xray(plain, _noise(shape), _CARM, (1.2, 1.1), shutter=shutter)
    run = place("run.dcm", *_XRAY)
    write_dicom_xray(run, _noise((3, *shape)), _CARM, (1.2, 1.1), angle_steps_deg=(2.0, 1.0))
    packed = pydicom.dcmread(plain)
    packed.compress(RLELossless)
    packed.save_as(place("rle.dcm", *_XRAY))
    for name, syntax, kind in (("j2k", JPEG2000Lossless, "JPEG2000"), ("jpeg", JPEGBaseline8Bit, "JPEG")):
        _encapsulated(plain, syntax, kind).save_as(place(f"{name}.dcm", *_XRAY))
    for compressor in ("JPEG", "JPEG2000"):  # lossless, by GDCM
        image = sitk.GetImageFromArray(_noise((1, *shape)))
        written = place(f"gdcm_{compressor}.dcm", *_XRAY)
        writer = sitk.ImageFileWriter()
        writer.SetCompressor(compressor)
        writer.UseCompressionOn()
        writer.SetFileName(str(written))
        writer.Execute(image)
        dataset = pydicom.dcmread(written)
        for element in pydicom.dcmread(plain, stop_before_pixels=True):
            if element.keyword not in ("Rows", "Columns"):
                dataset.add(element)
        dataset.save_as(written)


def _encapsulated(plain: Path, syntax: str, kind: str) -> pydicom.FileDataset:
    dataset = pydicom.dcmread(plain)
    bits = 8 if kind == "JPEG" else 16
    stream = io.BytesIO()
    Image.fromarray((dataset.pixel_array >> (16 - bits) // 2).astype(f"uint{bits}")).save(stream, kind)
    dataset.PixelData = encapsulate([stream.getvalue()])
    dataset["PixelData"].VR = "OB"
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def _pictures(place) -> None:
    pixels = _noise(_SIZE[::-1])
    for name in ("16.png", "16.tif"):
        Image.fromarray(pixels).save(place(name, *_PICTURE))
    Image.fromarray((pixels >> 4).astype(np.uint8)).save(place("8.png", *_PICTURE))
    Image.fromarray(pixels).save(place("lzw.tif", *_PICTURE), compression="tiff_lzw")
    for name in ("xray.nrrd", "xray.mha", "xray.nii.gz"):
        sitk.WriteImage(sitk.GetImageFromArray(pixels), str(place(name, *_PICTURE)), useCompression=True)
    for compression in (None, "tiff_deflate"):
        pages = [Image.fromarray(page) for page in _noise((4, 9, 8))]
        path = place("stack.tif", "read_volume (TIFF)", "read_label_map (TIFF)")
        pages[0].save(path, save_all=True, append_images=pages[1:], compression=compression)


def _volumes(place) -> None:
    image = sitk.GetImageFromArray((np.arange(6 * 7 * 8).reshape(6, 7, 8) % 5).astype(np.int16))
    image.SetSpacing((1.0, 1.5, 2.0))
    image.SetOrigin((-10.0, 20.0, 30.0))
    image.SetDirection((0, 1, 0, 1, 0, 0, 0, 0, 1))  # left-handed
    for name in ("v.nrrd", "v.nhdr", "v.nii", "v.nii.gz", "v.mha", "v.mhd"):
        sitk.WriteImage(image, str(place(name, *_GRID)))
    for name in ("packed.nrrd", "packed.mha"):
        sitk.WriteImage(image, str(place(name, *_GRID)), useCompression=True)
    for number in range(5):
        image.SetMetaData(f"Segment{number}_Name", f"bone {number}")
        image.SetMetaData(f"Segment{number}_LabelValue", str(number))
        image.SetMetaData(f"Segment{number}_Layer", "0")
    sitk.WriteImage(image, str(place("bones.seg.nrrd", "read_label_map")), useCompression=True)


def _series(place) -> None:
    """Five CT slices, of which the first is damaged."""
    path = place("0.dcm", "read_volume (folder)", "frame_count", "geometry_found")
    write_slices(path.parent, _noise((5, 9, 8), 2000))


def write_slices(folder: Path, stored: np.ndarray) -> None:
    """A CT series, [slice, row, column] uint16 of HU + 1024, 1 x 1 x 2 mm, named 0.dcm, 1.dcm, ..."""
    series, study, frame = (pydicom.uid.generate_uid() for _ in range(3))
    for number, pixels in enumerate(stored):
        meta = pydicom.dataset.FileMetaDataset()
        meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
        meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        dataset = pydicom.FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        dataset.SOPClassUID, dataset.SOPInstanceUID = meta[0x20002].value, meta[0x20003].value
        dataset.Modality, dataset.PatientName, dataset.PatientID = "CT", "Fuzz^Case", "1"
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = (
            study,
            series,
            frame,
        )
        dataset.SeriesNumber, dataset.InstanceNumber = 1, number + 1
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = (
            [0, 0, 2.0 * number],
            [1, 0, 0, 0, 1, 0],
        )
        dataset.PixelSpacing, dataset.SliceThickness = [1.0, 1.0], 2.0
        dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = 1, -1024, "HU"
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.Rows, dataset.Columns = pixels.shape
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = (
            16,
            16,
            15,
            0,
        )
        dataset.PixelData = pixels.astype("<u2").tobytes()
        dataset.save_as(folder / f"{number}.dcm", enforce_file_format=True)


def _texts(place) -> None:
    camera = place("camera.json", "read_camera_file")
    write_camera_file(camera, _CAMERA, intensity="transmission")
    rig = read_camera_file(camera)
    rig = CameraFile(rig.size, rig.K, camera_from_rig=rig.camera_from_patient)
    place("mayacam.txt", "read_mayacam").write_text(mayacam_text(rig))
    place("opencv.yml", "read_camera_file").write_text(opencv_yaml(rig))
    place("rtk.xml", "read_rtk", "read_camera_file").write_text(rtk_xml([rtk_from_camera(_CAMERA)[0]]))
    matrix = projection_matrix(_CAMERA)
    np.savetxt(place("matrix.txt", "read_camera_file"), matrix)
    np.save(place("matrix.npy", "read_camera_file"), matrix)
    write_xvr(place("xvr.pt", "read_camera_file"), _CARM.camera((20, 16), (1.2, 1.2)), np.zeros(3))
    geometry = XrayGeometry(1000.0, 700.0, (1.2, 1.1), 30.0, -10.0, "transmission", "detector")
    write_geometry_file(place("geometry.json", "read_geometry_file"), geometry)
    points = np.arange(12.0).reshape(4, 3)
    markups = tuple(Markup(kind, kind, points, ("a", "b", "c", "d")) for kind in ("points", "line", "curve"))
    write_markups(place("plan.mrk.json", "read_markups"), markups)
    write_markups(place("landmarks.mrk.json", "read_landmarks3d"), markups[:1])
    place("landmarks.csv", "read_landmarks2d").write_text(
        "view,label,u,v\nfrontal,L1,4,3.5\nlateral,L1,2,1\n"
    )
    place("names.csv", "read_names").write_text("structure,id\nL1,1\nL2,2\n")
