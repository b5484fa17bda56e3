"""DICOM Spatial Registration objects (PS3.3 A.39.1, C.20.2): how frames of reference lie to one another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import SpatialRegistrationStorage

from .. import __version__
from ..errors import InputError
from ..geometry import inverse, is_rigid
from .dicom_tags import decimal_string, has_value, numbers, read_dataset, tag_name
from .new_dataset import new_dataset

# How a frame was registered (PS3.16 CID 7100).
_BY_IDENTITY = ("125021", "Frame of Reference Identity")
_BY_IMAGES = ("125024", "Image Content-based Alignment")
_FRAME_TAGS = ["SOPClassUID", "FrameOfReferenceUID"]
_WRITE_AGAIN = "export the registration again"


@dataclass(frozen=True)
class SpatialRegistration:
    """Rigid transforms between frames of reference.

    Attributes:
        frame_of_reference_uid: the registered frame, to which all others are related.
        registered_from: by Frame of Reference UID, (4, 4) to the registered frame, LPS, mm; the registered
            frame itself, with the identity, may be among them.
    """

    frame_of_reference_uid: str
    registered_from: Mapping[str, np.ndarray]

    def between(self, to_uid: str, from_uid: str) -> np.ndarray:
        """(4, 4), points of the frame ``from_uid`` to the frame ``to_uid``.

        Raises:
            KeyError: for a frame that is not in it.
        """
        known = {self.frame_of_reference_uid: np.eye(4), **self.registered_from}
        return inverse(known[to_uid]) @ known[from_uid]


def write_spatial_registration(
    path: str | Path,
    registration: SpatialRegistration,
    *,
    images: Mapping[str, Sequence[Path]],
    description: str,
    label: str = "REGISTRATION",
    study_uid: str | None = None,
) -> None:
    """Write a Spatial Registration object (explicit VR little endian), without a patient's name.

    Args:
        images: by Frame of Reference UID, the DICOM files of the same study that lie in it.
        description: Content Description; 64 characters at most are written.
        label: Content Label, capitals and underscores, 16 characters at most.
        study_uid: the study it belongs to; a new one if None.

    Raises:
        InputError: if a transform is not rigid.
    """
    dataset = new_dataset(path, SpatialRegistrationStorage, study_uid)
    dataset.Modality, dataset.Manufacturer, dataset.SoftwareVersions = "REG", "xrayreg", __version__
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = registration.frame_of_reference_uid, ""
    dataset.SeriesDescription = dataset.ContentDescription = description[:64]
    dataset.ContentLabel, dataset.ContentCreatorName = label, ""
    transforms = {registration.frame_of_reference_uid: np.eye(4), **registration.registered_from}
    references = {uid: [_reference(file) for file in images.get(uid, ())] for uid in transforms}
    items = []
    for uid, transform in transforms.items():
        if not is_rigid(transform):
            raise InputError(f"the transform of frame {uid} is not rigid", where=path)
        method = _BY_IDENTITY if uid == registration.frame_of_reference_uid else _BY_IMAGES
        items.append(_item(uid, transform, method, [reference for _, reference in references[uid]]))
    dataset.RegistrationSequence = items
    series: dict[str, list[Dataset]] = {}
    for series_uid, reference in (pair for pairs in references.values() for pair in pairs):
        series.setdefault(series_uid, []).append(reference)
    if series:
        dataset.ReferencedSeriesSequence = [_series(uid, instances) for uid, instances in series.items()]
    dataset.save_as(path, enforce_file_format=True)


def read_spatial_registration(path: str | Path) -> SpatialRegistration:
    """Read a Spatial Registration object whose transforms are rigid.

    Raises:
        InputError: names the file, the tag, what is missing or malformed, and the remedy.
    """
    path = Path(path)
    dataset = read_dataset(path)
    if dataset.SOPClassUID != SpatialRegistrationStorage:
        raise InputError(
            f"{tag_name('SOPClassUID')} is {pydicom.uid.UID(dataset.SOPClassUID).name}",
            where=path,
            remedy="give a Spatial Registration object",
        )
    registered = _uid(dataset, path)
    items = dataset.get("RegistrationSequence") or ()
    if not items:
        raise InputError(f"{tag_name('RegistrationSequence')} is empty", where=path, remedy=_WRITE_AGAIN)
    return SpatialRegistration(registered, {_uid(item, path): _transform(item, path) for item in items})


def frame_of_reference_uid(path: str | Path) -> str:
    """The Frame of Reference UID of a DICOM file; empty for files of other kinds, and without the tag."""
    try:
        dataset = read_dataset(Path(path), stop_before_pixels=True, specific_tags=_FRAME_TAGS)
    except InputError:
        return ""
    return str(dataset.get("FrameOfReferenceUID") or "")


def _item(uid: str, transform: np.ndarray, method: tuple[str, str], references: list[Dataset]) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodeMeaning = method
    code.CodingSchemeDesignator = "DCM"
    matrix = Dataset()
    matrix.FrameOfReferenceTransformationMatrix = [decimal_string(x) for x in transform.ravel()]
    matrix.FrameOfReferenceTransformationMatrixType = "RIGID"
    registration = Dataset()
    registration.RegistrationTypeCodeSequence = [code]
    registration.MatrixSequence = [matrix]
    item = Dataset()
    item.FrameOfReferenceUID = uid
    item.MatrixRegistrationSequence = [registration]
    if references:
        item.ReferencedImageSequence = references
    return item


def _reference(file: Path) -> tuple[str, Dataset]:
    """Series Instance UID of a file, and the reference to it."""
    header = read_dataset(file, stop_before_pixels=True)
    reference = Dataset()
    reference.ReferencedSOPClassUID = header.SOPClassUID
    reference.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return str(header.SeriesInstanceUID), reference


def _series(uid: str, instances: list[Dataset]) -> Dataset:
    series = Dataset()
    series.SeriesInstanceUID = uid
    series.ReferencedInstanceSequence = instances
    return series


def _uid(dataset: Dataset, path: Path) -> str:
    if not has_value(dataset, "FrameOfReferenceUID"):
        raise InputError(f"{tag_name('FrameOfReferenceUID')} is missing", where=path, remedy=_WRITE_AGAIN)
    return str(dataset.FrameOfReferenceUID)


def _transform(item: Dataset, path: Path) -> np.ndarray:
    matrices = [
        matrix
        for registration in item.get("MatrixRegistrationSequence") or ()
        for matrix in registration.get("MatrixSequence") or ()
    ]
    if len(matrices) != 1:
        raise InputError(
            f"{tag_name('MatrixSequence')} of a frame holds {len(matrices)} matrices",
            where=path,
            remedy="one rigid transform for each frame is read",
        )
    keyword = "FrameOfReferenceTransformationMatrix"
    transform = np.array(numbers(matrices[0], keyword, 16, path, _WRITE_AGAIN)).reshape(4, 4)
    kind = matrices[0].get(f"{keyword}Type")
    if kind != "RIGID" or not is_rigid(transform):
        raise InputError(
            f"{tag_name(keyword)} is not rigid ({tag_name(f'{keyword}Type')} {kind})",
            where=path,
            remedy="register without scaling and shearing",
        )
    return transform
