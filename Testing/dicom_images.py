"""Small DICOM X-rays and runs for tests, in any transfer syntax, with pixels known beforehand."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, XRayAngiographicImageStorage, generate_uid


def waves(rows: int = 40, columns: int = 53, bits: int = 12, phase: float = 0.0) -> np.ndarray:
    """[row, column] uint16 that rises and falls smoothly from 0 to 2**bits - 1."""
    row, column = np.mgrid[:rows, :columns]
    wave = (np.sin(row / 9 + phase) + np.cos(column / 11 - phase) + 2) / 4
    return np.round(wave * (2**bits - 1)).astype(np.uint16)


def dataset_of(pixels: np.ndarray, bits: int = 16, **tags) -> pydicom.Dataset:
    """An uncompressed XA image, or a run where ``pixels`` is [frame, row, column]; ``tags`` are set or, where
    None, removed."""
    dataset = pydicom.Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = XRayAngiographicImageStorage
    dataset.SOPInstanceUID = generate_uid()
    dataset.Modality = "XA"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    signed = pixels.dtype.kind == "i"
    dataset.BitsAllocated = 8 if bits <= 8 else 16
    dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = bits, bits - 1, int(signed)
    dataset.PixelIntensityRelationship = "LIN"
    data = pixels.astype(f"<{'i' if signed else 'u'}{dataset.BitsAllocated // 8}").tobytes()
    dataset.add_new("PixelData", "OW", data + b"\0" * (len(data) % 2))
    for keyword, value in tags.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def save(dataset: pydicom.Dataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def converted(source: Path, target: Path, syntax: str) -> Path:
    """The same image in another transfer syntax, by GDCM; ``syntax`` is its name there."""
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(source))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(target))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return target


def with_frames(dataset: pydicom.Dataset, syntax: pydicom.uid.UID, frames: list[bytes]) -> pydicom.Dataset:
    """The data set with frames that were compressed elsewhere."""
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].VR = "OB"
    return dataset


# --- A JPEG encoder for 12 bit samples (ITU-T T.81, extended sequential), which no package here has ---

_COSINES = np.array(
    [
        [np.sqrt((1 if k == 0 else 2) / 8) * np.cos((2 * n + 1) * k * np.pi / 16) for n in range(8)]
        for k in range(8)
    ]
)
_ZIGZAG = sorted(range(64), key=lambda i: (i // 8 + i % 8, (i // 8 if (i // 8 + i % 8) % 2 else i % 8)))
_DC = list(range(16))
_AC = [0, 0xF0] + [run << 4 | size for run in range(16) for size in range(1, 15)]  # 226 codes of 8 bits each


def jpeg_12_bit(pixels: np.ndarray, quantum: int = 1) -> bytes:
    """Extended sequential JPEG of [row, column]; each code has 8 bits, each coefficient the same quantum."""
    stream: list[int] = []

    def put(value: int, count: int) -> None:
        stream.extend((value >> n) & 1 for n in range(count - 1, -1, -1))

    def put_coefficient(codes: list[int], run: int, value: int) -> None:
        size = abs(value).bit_length()
        put(codes.index(run << 4 | size), 8)
        put(value if value > 0 else value + (1 << size) - 1, size)

    rows, columns = pixels.shape
    padded = np.pad(pixels.astype(float), ((0, -rows % 8), (0, -columns % 8)), mode="edge") - 2048
    last = 0
    for top in range(0, padded.shape[0], 8):
        for left in range(0, padded.shape[1], 8):
            block = _COSINES @ padded[top : top + 8, left : left + 8] @ _COSINES.T
            values = np.rint(block / quantum).astype(int).ravel()[_ZIGZAG].tolist()
            put_coefficient(_DC, 0, values[0] - last)
            last, run = values[0], 0
            for value in values[1:]:
                run = run + 1 if value == 0 else run
                while value and run > 15:
                    put(_AC.index(0xF0), 8)
                    run -= 16
                if value:
                    put_coefficient(_AC, run, value)
                    run = 0
            if run:
                put(_AC.index(0), 8)
    stream += [1] * (-len(stream) % 8)
    data = np.packbits(stream).tobytes().replace(b"\xff", b"\xff\0")
    frame = bytes([12]) + rows.to_bytes(2, "big") + columns.to_bytes(2, "big") + b"\1\1\x11\0"
    return (
        b"\xff\xd8"
        + _segment(0xDB, bytes([0] + [quantum] * 64))
        + _segment(0xC1, frame)
        + _segment(0xC4, bytes([0x00] + [0] * 7 + [len(_DC)] + [0] * 8 + _DC))
        + _segment(0xC4, bytes([0x10] + [0] * 7 + [len(_AC)] + [0] * 8 + _AC))
        + _segment(0xDA, b"\1\1\0\0\x3f\0")
        + data
        + b"\xff\xd9"
    )


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content
