"""Small files that claim or unpack to much, files that never end, and places that cannot be written."""

# ruff: noqa: E501  a case is a line
import gzip
import json
import os
import struct
import zlib

import pydicom
from bad_cases import PIXELS, BadCase, nifti_with, spoiled_dicom, written
from PIL import Image

_WIDE = 100_000


def _zeros_gzipped(gigabytes: float) -> bytes:
    """Zeros, packed a thousand to one; gzip members follow each other, which readers take as one stream."""
    member = gzip.compress(bytes(1 << 24))
    return member * int(gigabytes * 64)


def _nifti_bomb(folder):
    """A header of 1024 x 1024 x 1024 float64 voxels (8 GiB) in front of zeros that are packed."""
    body = bytearray(gzip.decompress((folder / "ct.nii.gz").read_bytes())[:352])
    for offset, value in ((42, 1024), (44, 1024), (46, 1024), (70, 64), (72, 64)):
        struct.pack_into("<h", body, offset, value)
    (folder / "bomb.nii.gz").write_bytes(gzip.compress(bytes(body)) + _zeros_gzipped(8))
    return {"volume": "bomb.nii.gz"}


def _longer_than_it_says(folder):
    """The CT, then 4 GiB of zeros: a reader that unpacks all of it would need them."""
    (folder / "long.nii.gz").write_bytes((folder / "ct.nii.gz").read_bytes()[:-9000] + _zeros_gzipped(4))
    return {"volume": "long.nii.gz"}


def _nrrd(sizes: str, encoding: str, data: bytes, option: str = "volume", dimension: int = 3):
    directions = (
        "space: left-posterior-superior\nspace directions: (1,0,0) (0,1,0) (0,0,1)\nspace origin: (0,0,0)\n"
    )
    header = (
        f"NRRD0004\ntype: double\ndimension: {dimension}\nsizes: {sizes}\nendian: little\nencoding: {encoding}\n"
        + (directions if dimension == 3 else "")
        + "\n"
    )
    return written(option, "bomb.nrrd", header.encode() + data)


def _png_bomb(folder):
    """65000 x 65000 grey pixels of 16 bit, all 0."""
    side = 65_000
    header = struct.pack(">IIBBBBB", side, side, 16, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(2 * side + 1)) for _ in range(side // 40)) + packer.flush()
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    (folder / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks
        )
    )
    return {"xray": "bomb.png"}


def _tiff_bomb(folder):
    """A 16-bit TIFF whose header says 100000 x 100000."""
    Image.new("I;16", (32, 32)).save(folder / "bomb.tif")
    content = bytearray((folder / "bomb.tif").read_bytes())
    (directory,) = struct.unpack_from("<I", content, 4)
    for entry in range(struct.unpack_from("<H", content, directory)[0]):
        at = directory + 2 + 12 * entry
        if struct.unpack_from("<H", content, at)[0] in (256, 257, 278):  # width, length, rows in a strip
            struct.pack_into("<HII", content, at + 2, 4, 1, _WIDE)
    (folder / "bomb.tif").write_bytes(content)
    return {"xray": "bomb.tif"}


def _many_pages(folder):
    """A TIFF stack of 2000 pages of 4000 x 4000, all in the same packed strip: 60 GiB in a few hundred kilobytes."""
    Image.new("I;16", (4000, 4000)).save(folder / "one.tif", compression="tiff_deflate")
    content = bytearray((folder / "one.tif").read_bytes())
    (first,) = struct.unpack_from("<I", content, 4)
    length = 2 + 12 * struct.unpack_from("<H", content, first)[0]
    at = first
    for _ in range(1999):
        content += b"\0" * (len(content) % 2)
        struct.pack_into("<I", content, at + length, len(content))
        at = len(content)
        content += content[first : first + length] + bytes(4)
    (folder / "bomb.tif").write_bytes(content)
    return {"volume": "bomb.tif", "voxel_mm": "1,1,1"}


def _dicom_of(size: int, frames: int, pixels: bytes):
    def make(folder):
        spoiled_dicom(
            "frontal.dcm",
            "bad.dcm",
            Rows=size,
            Columns=size,
            NumberOfFrames=str(frames).encode(),
            PixelData=pixels,
        )(folder)
        return {"xray": "bad.dcm", "camera": None, "frame": 1}

    return make


def _jpeg_bomb(folder):
    """A JPEG 2000 stream whose own header says 60000 x 60000."""
    Image.fromarray(PIXELS).save(folder / "x.j2k")
    stream = bytearray((folder / "x.j2k").read_bytes())
    size = stream.index(b"\xff\x51")
    struct.pack_into(">II", stream, size + 6, 60_000, 60_000)
    struct.pack_into(">II", stream, size + 22, 60_000, 60_000)
    dataset = pydicom.dcmread(folder / "frontal.dcm")
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEG2000Lossless
    dataset.PixelData = pydicom.encaps.encapsulate([bytes(stream)])
    dataset.save_as(folder / "bad.dcm")
    return {"xray": "bad.dcm", "camera": None}


def _wide_camera(folder):
    """A camera of 100000 x 100000 pixels."""
    fields = json.loads((folder / "frontal.json").read_text()) | {"size": [_WIDE, _WIDE]}
    (folder / "bad.json").write_text(json.dumps(fields))
    return {"camera": "bad.json"}


def _large_json(folder):
    (folder / "bad.json").write_text('{"schema_version": 1, "K": [' + "1," * 60_000_000 + "1]}")
    return {"camera": "bad.json"}


BOMBS = [
    BadCase("NIfTI zip bomb", _nifti_bomb, ("bomb.nii.gz",)),
    BadCase("NIfTI with a zip bomb behind it", _longer_than_it_says, ("long.nii.gz",)),
    BadCase("NIfTI of 30000 cubed", nifti_with({42: ("<h", 30000), 44: ("<h", 30000), 46: ("<h", 30000)}), ("bad.nii.gz",)),
    BadCase("NRRD zip bomb", _nrrd("1024 1024 1024", "gzip", _zeros_gzipped(8)), ("bomb.nrrd",)),
    BadCase("NRRD of 100000 cubed", _nrrd("100000 100000 100000", "raw", bytes(9)), ("bomb.nrrd",)),
    BadCase("NRRD X-ray of 100000 x 100000", _nrrd("100000 100000", "raw", bytes(9), "xray", 2), ("bomb.nrrd",)),
    BadCase("PNG bomb", _png_bomb, ("bomb.png",)),
    BadCase("TIFF of 100000 x 100000", _tiff_bomb, ("bomb.tif",)),
    BadCase("TIFF stack with one page 2000 times", _many_pages, ("bomb.tif",)),
    BadCase("DICOM of 65535 x 65535", _dicom_of(65535, 1, bytes(1000)), ("bad.dcm",)),
    BadCase("DICOM of a million frames", _dicom_of(1000, 1_000_000, bytes(1000)), ("bad.dcm",)),
    BadCase("JPEG 2000 of 60000 x 60000", _jpeg_bomb, ("bad.dcm",)),
    BadCase("camera of 100000 x 100000", _wide_camera, ("bad.json", "100000")),
    BadCase("camera file of 120 MB", _large_json, ("bad.json",)),
]  # fmt: skip


# --- Files that are no files ---


def _fifo(option: str, name: str, **others):
    """A pipe into which nobody writes: who opens it to read waits for ever."""

    def make(folder):
        os.mkfifo(folder / name)
        return {option: name, **others}

    return make


def _link(option: str, name: str, target: str, **others):
    def make(folder):
        (folder / name).symlink_to(target)
        return {option: name, **others}

    return make


def _loop_in_a_folder(folder):
    """A folder of slices that holds a link to itself."""
    (folder / "loop").mkdir()
    (folder / "loop" / "again").symlink_to("../loop")
    return {"volume": "loop"}


def _fifo_in_a_folder(folder):
    (folder / "pipes").mkdir()
    os.mkfifo(folder / "pipes" / "1.dcm")
    return {"volume": "pipes"}


_LONG = "a" * 5000 + ".nii.gz"
SPECIAL = [
    BadCase("pipe as a volume", _fifo("volume", "p.nrrd"), ("p.nrrd",)),
    BadCase("pipe as a NIfTI", _fifo("volume", "p.nii.gz"), ("p.nii.gz",)),
    BadCase("pipe as a stack", _fifo("volume", "p.tif", voxel_mm="1,1,1"), ("p.tif",)),
    BadCase("pipe of unknown kind", _fifo("volume", "p.dat"), ("p.dat",)),
    BadCase("pipe as an X-ray", _fifo("xray", "p.dcm", camera=None), ("p.dcm",)),
    BadCase("pipe as a camera", _fifo("camera", "p.json"), ("p.json",)),
    BadCase("pipe as a segmentation", _fifo("segmentation", "p.nrrd"), ("p.nrrd",)),
    BadCase("pipe as a plan", _fifo("plan", "p.mrk.json"), ("p.mrk.json",)),
    BadCase("pipe as landmarks", _fifo("landmarks2d", "p.csv", init="landmarks", landmarks3d="points.mrk.json"), ("p.csv",)),
    BadCase("pipe as names", _fifo("names", "p.csv", segmentation="labels.nrrd"), ("p.csv",)),
    BadCase("pipe among slices", _fifo_in_a_folder, ("pipes",)),
    BadCase("link to itself", _link("volume", "me.nrrd", "me.nrrd"), ("me.nrrd",)),
    BadCase("link to itself as an X-ray", _link("xray", "me.png", "me.png"), ("me.png",)),
    BadCase("link to nowhere", _link("camera", "lost.json", "gone.json"), ("lost.json",)),
    BadCase("endless device", _link("camera", "zero.json", "/dev/zero"), ("zero.json",)),
    BadCase("endless volume", _link("volume", "zero.nrrd", "/dev/zero"), ("zero.nrrd",)),
    BadCase("folder in itself", _loop_in_a_folder, ("loop",)),
    BadCase("very long path", lambda folder: {"volume": _LONG}, ("aaa.nii.gz",)),
    BadCase("very long path of an X-ray", lambda folder: {"xray": _LONG}, ("aaa.nii.gz",)),
    BadCase("very long path of a camera", lambda folder: {"camera": _LONG}, ("aaa.nii.gz",)),
    BadCase("very long path of the output", lambda folder: {"out": "b" * 300 + ".nrrd"}, ("bbb",)),
]  # fmt: skip
