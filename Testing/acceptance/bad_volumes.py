"""Bad volumes and segmentations, for `test_bad_inputs.py`."""

# ruff: noqa: E501  a case is a line
import numpy as np
import phantom
import pydicom
import pydicom.fileset
import SimpleITK as sitk
from bad_cases import (
    BadCase,
    bad_slice,
    copied,
    header_with,
    image_as,
    nifti_with,
    truncated,
    write_series,
    written,
)
from PIL import Image

NAN, INF = float("nan"), float("inf")
_SPACE = "space directions: (-2,0,0) (0,2,0) (0,0,2.5)"


def _with_value(value: float):
    array = np.full((6, 7, 8), -500.0, np.float32)
    array[3, 3, 3] = value
    return array


def _two_series(folder):
    (folder / "other").mkdir()
    write_series(folder / "other")
    for path in (folder / "other").iterdir():
        path.rename(folder / "series" / f"other_{path.name}")
    return {"volume": "series"}


def _missing_slice(folder):
    (folder / "series" / "3.dcm").unlink()
    return {"volume": "series"}


def _twice(folder):
    copied(folder, "series/3.dcm", "series/again.dcm")
    return {"volume": "series"}


def _one_slice(folder):
    for number in range(1, 6):
        (folder / "series" / f"{number}.dcm").unlink()
    return {"volume": "series"}


def _cut_slice(length):
    def make(folder):
        path = folder / "series" / "2.dcm"
        path.write_bytes(path.read_bytes()[:length])
        return {"volume": "series"}

    return make


def _dicomdir_only(folder):
    (folder / "disc").mkdir()
    directory = pydicom.fileset.FileSet()
    for path in (folder / "series").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.StudyDate = dataset.StudyTime = dataset.StudyID = dataset.SeriesNumber = "1"
        directory.add(dataset)
    directory.write(folder / "whole")
    (folder / "whole" / "DICOMDIR").rename(folder / "disc" / "DICOMDIR")
    return {"volume": "disc"}


def _empty_folder(folder):
    (folder / "empty").mkdir()
    return {"volume": "empty"}


def _folder_of_folders(folder):
    (folder / "study" / "series" / "none").mkdir(parents=True)
    return {"volume": "study"}


def _modality(modality):
    def make(folder):
        (folder / "other").mkdir()
        write_series(folder / "other", Modality=modality)
        return {"volume": "other"}

    return make


def _folder_named_like_a_file(folder):
    (folder / "folder.nii.gz").mkdir()
    return {"volume": "folder.nii.gz"}


def _without_data(keep: int):
    """A .mhd whose .raw is cut to ``keep`` bytes; missing where 0."""

    def make(folder):
        sitk.WriteImage(sitk.ReadImage(str(folder / "ct.nii.gz")), str(folder / "ct.mhd"))
        raw = folder / "ct.raw"
        raw.write_bytes(raw.read_bytes()[:keep]) if keep else raw.unlink()
        return {"volume": "ct.mhd"}

    return make


def _stack(*sizes):
    def make(folder):
        pages = [Image.fromarray(np.full(size, 1024, np.uint16)) for size in sizes]
        pages[0].save(folder / "stack.tif", save_all=True, append_images=pages[1:])
        return {"volume": "stack.tif", "voxel_mm": "1,1,1"}

    return make


VOLUMES = [
    BadCase("empty file", written("volume", "empty.nii.gz", b""), ("empty.nii.gz",)),
    BadCase("empty NRRD", written("volume", "empty.nrrd", b""), ("empty.nrrd",)),
    BadCase("zero bytes", written("volume", "zeros.nrrd", bytes(4096)), ("zeros.nrrd",)),
    BadCase("text named .nii", written("volume", "notes.nii", "No image.\n" * 60), ("notes.nii",)),
    BadCase("text named .mha", written("volume", "notes.mha", "No image.\n" * 60), ("notes.mha",)),
    BadCase("unknown ending", written("volume", "ct.xyz", b"abc"), ("ct.xyz", "DICOM folder")),
    BadCase("NIfTI cut in its header", truncated("volume", "ct.nii.gz", 100), ("cut_ct.nii.gz",)),
    BadCase("NIfTI cut in its voxels", truncated("volume", "ct.nii.gz", 0.5), ("cut_ct.nii.gz",)),
    BadCase("NIfTI with spacing 0", nifti_with({80: ("<f", 0.0)}), ("bad.nii.gz",)),
    BadCase("NIfTI with spacing -1", nifti_with({84: ("<f", -1.0)}), ("bad.nii.gz",)),
    BadCase("NIfTI with spacing NaN", nifti_with({88: ("<f", NAN)}), ("bad.nii.gz",)),
    BadCase("NIfTI with spacing infinite", nifti_with({80: ("<f", INF)}), ("bad.nii.gz",)),
    BadCase("NIfTI with an sform of NaN", nifti_with({280: ("<f", NAN), 256: ("<f", NAN)}), ("bad.nii.gz",)),
    BadCase("NIfTI with no axes", nifti_with({40: ("<h", 0)}), ("bad.nii.gz",)),
    BadCase("NIfTI without voxels", nifti_with({42: ("<h", 0)}), ("bad.nii.gz",)),
    BadCase("NIfTI of unknown type", nifti_with({70: ("<h", 4711)}), ("bad.nii.gz",)),
    BadCase("NIfTI that says not how it lies", nifti_with({252: ("<h", 0), 254: ("<h", 0)}), ("qform_code",)),
    BadCase("NRRD with spacing 0", header_with("a.nrrd", "(0,2,0)", "(0,0,0)"), ("a.nrrd",)),
    BadCase("NRRD with spacing NaN", header_with("a.nrrd", "(0,2,0)", "(0,nan,0)"), ("a.nrrd",)),
    BadCase("NRRD with a flat frame", header_with("a.nrrd", "(0,2,0)", "(0,0,5)"), ("a.nrrd",)),
    BadCase("NRRD without space", header_with("a.nrrd", "space: left", "spice: left"), ("a.nrrd",)),
    BadCase("NRRD with negative size", header_with("a.nrrd", "sizes: 52", "sizes: -52"), ("a.nrrd",)),
    BadCase("NRRD that asks for another file", header_with("a.nrrd", "encoding: raw", "data file: /etc/passwd\nencoding: raw"), ("a.nrrd",)),
    BadCase("MetaImage with spacing 0", header_with("a.mha", "ElementSpacing = 2 2", "ElementSpacing = 2 0"), ("a.mha", "spacing")),
    BadCase("MetaImage with spacing -2", header_with("a.mha", "ElementSpacing = 2 2", "ElementSpacing = 2 -2"), ("a.mha",)),
    BadCase("MetaImage with spacing NaN", header_with("a.mha", "ElementSpacing = 2 2", "ElementSpacing = 2 nan"), ("a.mha",)),
    BadCase("MetaImage of one axis less", header_with("a.mha", "NDims = 3", "NDims = 2"), ("a.mha",)),
    BadCase(".mhd without its .raw", _without_data(0), ("ct.mhd",)),
    BadCase(".mhd with a short .raw", _without_data(1000), ("ct.mhd",)),
    BadCase("NaN voxel", image_as("volume", "nan.nrrd", _with_value(NAN)), ("nan.nrrd", "NaN")),
    BadCase("infinite voxel", image_as("volume", "inf.nii.gz", _with_value(INF)), ("inf.nii.gz", "infinite")),
    BadCase("2-D NIfTI", image_as("volume", "flat.nii.gz", np.zeros((7, 8), np.int16)), ("flat.nii.gz", "3-D")),
    BadCase("4-D NIfTI", image_as("volume", "t.nii.gz", np.zeros((3, 6, 7, 8), np.int16)), ("t.nii.gz", "3-D")),
    BadCase("one slice", image_as("volume", "s.nrrd", np.zeros((1, 7, 8), np.int16)), ("s.nrrd", "1")),
    BadCase("vector image", image_as("volume", "v.nrrd", np.zeros((6, 7, 8, 3), np.int16), vector=True), ("v.nrrd",)),
    BadCase("stack of different pages", _stack((8, 9), (8, 9), (9, 9)), ("stack.tif", "differ")),
    BadCase("stack of one page", _stack((8, 9)), ("stack.tif",)),
    BadCase("folder named like a file", _folder_named_like_a_file, ("folder.nii.gz",)),
    BadCase("empty folder", _empty_folder, ("empty", "no DICOM series")),
    BadCase("folder of folders", _folder_of_folders, ("study", "no DICOM series")),
    BadCase("DICOMDIR only", _dicomdir_only, ("disc",)),
    BadCase("two series", _two_series, ("series", "2 DICOM series")),
    BadCase("missing slice", _missing_slice, ("series", "20.00 mm")),
    BadCase("slice twice", _twice, ("series", "two slices")),
    BadCase("one slice of a series", _one_slice, ("series", "one slice")),
    BadCase("slices of two sizes", bad_slice(Rows=15), ("series",)),
    BadCase("slice cut in its header", _cut_slice(300), ("series",)),
    BadCase("slice cut in its pixels", _cut_slice(-400), ("series",)),
    BadCase("one DICOM slice", lambda folder: {"volume": "series/0.dcm"}, ("0.dcm", "folder of the series")),
    BadCase("slice with spacing 0", bad_slice(PixelSpacing=[0, 2]), ("2.dcm", "PixelSpacing (0028,0030)")),
    BadCase("slice with spacing NaN", bad_slice(PixelSpacing=b"nan\\2 "), ("2.dcm", "PixelSpacing (0028,0030)")),
    BadCase("slice with a text for a number", bad_slice(RescaleSlope=b"one "), ("2.dcm", "RescaleSlope (0028,1053)")),
    BadCase("slice with a text for its place", bad_slice(ImagePositionPatient=b"a\\b\\c "), ("2.dcm", "(0020,0032)")),
    BadCase("slice without a place", bad_slice(ImagePositionPatient=None), ("2.dcm", "(0020,0032)")),
    BadCase("slice without directions", bad_slice(ImageOrientationPatient=[0] * 6), ("series",)),
    BadCase("ultrasound", _modality("US"), ("Modality (0008,0060)", "US")),
    BadCase("PET", _modality("PT"), ("Modality (0008,0060)", "PT")),
    BadCase("X-ray in place of a CT", lambda folder: {"volume": "frontal.dcm"}, ("frontal.dcm",)),
]  # fmt: skip


# --- Segmentations: `register` outlines them, `render` makes channels of them ---


def labels(change) -> object:
    """labels.nrrd with its array changed."""

    def make(folder):
        image = sitk.ReadImage(str(folder / "labels.nrrd"))
        result = sitk.GetImageFromArray(change(sitk.GetArrayFromImage(image)))
        result.CopyInformation(image)
        sitk.WriteImage(result, str(folder / "bad.nrrd"))
        return {"segmentation": "bad.nrrd"}

    return make


def _placed(**changes):
    """labels.nrrd at another place."""

    def make(folder):
        image = sitk.ReadImage(str(folder / "labels.nrrd"))
        if "origin" in changes:
            image.SetOrigin(changes["origin"])
        if "direction" in changes:
            image.SetDirection(changes["direction"])
        sitk.WriteImage(image, str(folder / "bad.nrrd"))
        return {"segmentation": "bad.nrrd"}

    return make


def _absent_label(folder):
    return {"segmentation": "labels.nrrd", "labels": "999"}


_BOTH = ("render", "register")
_FARAWAY = (phantom.CENTRE + [0.0, 900.0, 0.0]).tolist()
SEGMENTATIONS = [
    BadCase("mask of another patient", _placed(origin=_FARAWAY), ("segmentation", "mm apart"), _BOTH),
    # Turned half about z: from the first voxel's corner the box runs away from the CT.
    BadCase("mask that lies elsewhere by its directions", _placed(direction=(1, 0, 0, 0, -1, 0, 0, 0, -1)), ("segmentation",), _BOTH),
    BadCase("empty mask", labels(np.zeros_like), ("bad.nrrd", "no label"), _BOTH),
    BadCase("fractional mask", labels(lambda a: a * np.float32(0.4)), ("bad.nrrd", "fractional"), _BOTH),
    BadCase("negative labels", labels(lambda a: -a.astype(np.int16)), ("bad.nrrd", "negative"), _BOTH),
    BadCase("mask of NaN", labels(lambda a: np.where(a > 0, NAN, 0)), ("bad.nrrd", "nan"), _BOTH),
    BadCase("label that is not there", _absent_label, ("labels.nrrd", "999"), ("render",)),
    BadCase("names without columns", written("names", "n.csv", "a,b\n1,2\n", segmentation="labels.nrrd"), ("n.csv", "structure")),
    BadCase("names without numbers", written("names", "n.csv", "structure,id\nL1,one\n", segmentation="labels.nrrd"), ("n.csv", "one")),
    BadCase("names in another encoding", written("names", "n.csv", "structure,id\nWirbelsäule,1\n".encode("latin-1"), segmentation="labels.nrrd"), ("n.csv",)),
    BadCase("text as a segmentation", written("segmentation", "l.nrrd", "no labels"), ("l.nrrd",), _BOTH),
]  # fmt: skip
