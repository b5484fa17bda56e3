"""Bad X-rays, for `test_bad_inputs.py`."""

# ruff: noqa: E501  a case is a line
import numpy as np
import pydicom
from bad_cases import (
    CAMERA,
    CARM,
    PIXELS,
    BadCase,
    bad_xray,
    image_as,
    picture_as,
    spoiled_dicom,
    truncated,
    written,
)
from PIL import Image
from xrayreg.images import write_dicom_xray

_SIZE = CAMERA.size
_GREY = Image.fromarray((PIXELS >> 8).astype(np.uint8))
_NONE = {"camera": None}


def _rgb_capture(folder):
    spoiled_dicom(
        "frontal.dcm",
        "bad.dcm",
        SOPClassUID=pydicom.uid.SecondaryCaptureImageStorage,
        PhotometricInterpretation="RGB",
        SamplesPerPixel=3,
        PlanarConfiguration=0,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelData=bytes(3 * PIXELS.size),
    )(folder)
    return {"xray": "bad.dcm", **_NONE}


def _cut_in_a_sequence(folder):
    """The Isocenter Reference System Sequence (0018,9462) ends in the middle of its item."""
    content = (folder / "frontal.dcm").read_bytes()
    at = content.index(b"\x18\x00\x62\x94")
    (folder / "bad.dcm").write_bytes(content[: at + 30])
    return {"xray": "bad.dcm", **_NONE}


def _jpeg(damage):
    """frontal.dcm as 8-bit JPEG, the stream damaged."""

    def make(folder):
        _GREY.save(folder / "x.jpg")
        stream = damage((folder / "x.jpg").read_bytes())
        dataset = pydicom.dcmread(folder / "frontal.dcm")
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGBaseline8Bit
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
        dataset.PixelData = pydicom.encaps.encapsulate([stream])
        dataset["PixelData"].VR = "OB"
        dataset.save_as(folder / "bad.dcm")
        return {"xray": "bad.dcm", **_NONE}

    return make


def _run(frame):
    """A run of three frames of which one that it does not have is asked for."""

    def make(folder):
        write_dicom_xray(folder / "run.dcm", np.stack([PIXELS] * 3), CARM, CAMERA.pixel_spacing_mm)
        return {"xray": "run.dcm", "frame": frame, **_NONE}

    return make


def _without_file_meta(folder):
    """What is behind the file meta information only."""
    content = (folder / "frontal.dcm").read_bytes()
    (folder / "bad.dcm").write_bytes(content[content.index(b"\x08\x00\x05\x00") :])
    return {"xray": "bad.dcm", **_NONE}


def _transparent(folder):
    _GREY.convert("RGBA").save(folder / "rgba.png")
    return {"xray": "rgba.png"}


XRAYS = [
    BadCase("DICOM cut in its meta information", truncated("xray", "frontal.dcm", 150, **_NONE), ("cut_frontal.dcm",)),
    BadCase("DICOM cut in its header", truncated("xray", "frontal.dcm", 700, **_NONE), ("cut_frontal.dcm",)),
    BadCase("DICOM cut in a sequence", _cut_in_a_sequence, ("bad.dcm",)),
    BadCase("DICOM cut in its pixels", truncated("xray", "frontal.dcm", 0.5, **_NONE), ("cut_frontal.dcm", "ixel")),
    BadCase("text named .dcm", written("xray", "notes.dcm", "No image.\n" * 60, **_NONE), ("notes.dcm", "DICOM")),
    BadCase("empty .dcm", written("xray", "empty.dcm", b"", **_NONE), ("empty.dcm",)),
    BadCase("zero bytes named .dcm", written("xray", "zeros.dcm", bytes(4096), **_NONE), ("zeros.dcm",)),
    BadCase("only the DICM mark", written("xray", "mark.dcm", bytes(128) + b"DICM", **_NONE), ("mark.dcm",)),
    BadCase("DICOM without meta information", _without_file_meta, ("bad.dcm", "TransferSyntaxUID (0002,0010)")),
    BadCase("RGB secondary capture", _rgb_capture, ("bad.dcm", "RGB")),
    *(
        BadCase(f"modality {name}", bad_xray(Modality=name), ("bad.dcm", "Modality (0008,0060)", name))
        for name in ("MR", "US", "PT", "CT")
    ),
    BadCase("no rows", bad_xray(Rows=0), ("bad.dcm", "Rows (0028,0010)")),
    BadCase("no pixels", bad_xray(PixelData=None), ("bad.dcm", "PixelData (7FE0,0010)")),
    BadCase("more rows than pixels", bad_xray(Rows=4000), ("bad.dcm", "ixel")),
    BadCase("100000 x 100000 without the pixels", bad_xray(Rows=65535, Columns=65535), ("bad.dcm", "ixel")),
    BadCase("more bits stored than allocated", bad_xray(BitsStored=24), ("bad.dcm", "BitsStored (0028,0101)")),
    BadCase("no bits", bad_xray(BitsAllocated=0), ("bad.dcm", "BitsAllocated (0028,0100)")),
    BadCase("17 bits", bad_xray(BitsAllocated=17), ("bad.dcm", "BitsAllocated (0028,0100)")),
    BadCase("pixel representation 7", bad_xray(PixelRepresentation=7), ("bad.dcm", "PixelRepresentation (0028,0103)")),
    BadCase("no pixel representation", bad_xray(PixelRepresentation=None), ("bad.dcm", "PixelRepresentation (0028,0103)")),
    BadCase("three samples of grey", bad_xray(SamplesPerPixel=3), ("bad.dcm", "SamplesPerPixel (0028,0002)")),
    BadCase("all pixels black", bad_xray(PixelData=bytes(2 * PIXELS.size)), ("black",)),
    BadCase("private transfer syntax", bad_xray(TransferSyntaxUID="1.2.3.4.5"), ("bad.dcm", "TransferSyntaxUID (0002,0010)")),
    BadCase("MPEG", bad_xray(TransferSyntaxUID=pydicom.uid.MPEG2MPML), ("bad.dcm", "TransferSyntaxUID (0002,0010)", "MPEG")),
    BadCase("uncompressed that says JPEG", bad_xray(TransferSyntaxUID=pydicom.uid.JPEGBaseline8Bit), ("bad.dcm",)),
    BadCase("JPEG stream cut", _jpeg(lambda stream: stream[:300]), ("bad.dcm", "decoded")),
    BadCase("JPEG stream corrupted", _jpeg(lambda stream: stream[:2] + bytes(400) + stream[402:]), ("bad.dcm", "decoded")),
    BadCase("JPEG stream of another size", _jpeg(lambda stream: stream.replace(_SIZE[1].to_bytes(2, "big") + _SIZE[0].to_bytes(2, "big"), b"\x00\x20\x00\x20", 1)), ("bad.dcm",)),
    BadCase("nonsense orientation", bad_xray(PatientOrientation=["UP", "DOWN"]), ("bad.dcm", "PatientOrientation (0020,0020)")),
    BadCase("no orientation", bad_xray(PatientOrientation=None), ("bad.dcm", "PatientOrientation (0020,0020)")),
    BadCase("an angle is missing", bad_xray(PositionerSecondaryAngle=None), ("bad.dcm", "(0018,1511)")),
    BadCase("a text for an angle", bad_xray(PositionerPrimaryAngle=b"left"), ("bad.dcm", "(0018,1510)")),
    BadCase("a text for the distance", bad_xray(DistanceSourceToDetector=b"1 m "), ("bad.dcm", "(0018,1110)")),
    BadCase("a text for the number of frames", bad_xray(NumberOfFrames=b"many"), ("bad.dcm", "(0028,0008)")),
    BadCase("-1 frames", bad_xray(NumberOfFrames=b"-1"), ("bad.dcm", "(0028,0008)")),
    BadCase("a text for a shutter", bad_xray(ShutterShape="CIRCULAR", CenterOfCircularShutter=b"a\\b ", RadiusOfCircularShutter=5), ("bad.dcm", "(0018,1610)")),
    *(
        BadCase(f"distance {value!r}", bad_xray(DistanceSourceToDetector=value), ("bad.dcm", "(0018,1110)"))
        for value in (b"0 ", b"-1", b"nan ", b"inf ", b"1e9 ", b"1e400 ")
    ),
    BadCase("isocenter behind the detector", bad_xray(DistanceSourceToPatient=1000), ("bad.dcm", "(0018,1111)")),
    BadCase("spacing 0", bad_xray(ImagerPixelSpacing=[0, 1]), ("bad.dcm", "ImagerPixelSpacing (0018,1164)")),
    BadCase("one spacing", bad_xray(ImagerPixelSpacing=[1]), ("bad.dcm", "ImagerPixelSpacing (0018,1164)")),
    BadCase("frame 0", _run(0), ("run.dcm", "frame 0", "1 to 3")),
    BadCase("frame 4 of 3", _run(4), ("run.dcm", "frame 4", "1 to 3")),
    BadCase("no frame of 3", _run(None), ("run.dcm", "--frame")),
    BadCase("frame of a picture", lambda folder: {"frame": 2}, ("frontal.png", "frame 2")),
    BadCase("palette PNG", picture_as("palette.png", _GREY.convert("P")), ("palette.png", "mode P")),
    BadCase("RGBA PNG", _transparent, ("rgba.png", "RGBA")),
    BadCase("1-bit TIFF", picture_as("bits.tif", _GREY.convert("1")), ("bits.tif", "mode 1")),
    BadCase("several pages", picture_as("pages.tif", _GREY, _GREY), ("pages.tif", "2 pages")),
    BadCase("PNG cut", truncated("xray", "frontal.png", 0.5), ("cut_frontal.png",)),
    BadCase("text named .png", written("xray", "notes.png", "No image.\n" * 60), ("notes.png",)),
    BadCase("text named .tif", written("xray", "notes.tif", "No image.\n" * 60), ("notes.tif",)),
    BadCase("X-ray of NaN", image_as("xray", "nan.nrrd", np.full(PIXELS.shape, np.nan, np.float32)), ("nan.nrrd", "NaN")),
    BadCase("vector X-ray", image_as("xray", "v.nrrd", np.zeros((*PIXELS.shape, 3), np.uint8), vector=True), ("v.nrrd", "component")),
    BadCase("CT in place of an X-ray", lambda folder: {"xray": "ct.nii.gz"}, ("ct.nii.gz",)),
    BadCase("CT slice in place of an X-ray", lambda folder: {"xray": "series/0.dcm"}, ("0.dcm", "CT")),
    BadCase("folder in place of an X-ray", lambda folder: {"xray": "series"}, ("series",)),
    BadCase("picture without a camera", lambda folder: _NONE, ("frontal.png", "--camera"), ("register",)),
]  # fmt: skip
