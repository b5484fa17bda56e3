"""Enhanced XA files for tests: the classic attributes of a file, spread over functional groups."""

from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

ENHANCED_XA = "1.2.840.10008.5.1.4.1.1.12.1.1"

# Where each classic attribute goes; what is not named stays at the top.
_GROUPS = {
    "PositionerPositionSequence": ("PositionerPrimaryAngle", "PositionerSecondaryAngle"),
    "XRayGeometrySequence": ("DistanceSourceToDetector", "DistanceSourceToPatient"),
    "FieldOfViewSequence": ("FieldOfViewOrigin", "FieldOfViewRotation", "FieldOfViewHorizontalFlip"),
    "FramePixelDataPropertiesSequence": ("ImagerPixelSpacing",),
    "PatientOrientationInFrameSequence": ("PatientOrientation",),
    "IsocenterReferenceSystemSequence": (),
}
_GONE = (
    "EstimatedRadiographicMagnificationFactor",
    "PositionerMotion",
    "PositionerPrimaryAngleIncrement",
    "PositionerSecondaryAngleIncrement",
)


def make_enhanced(path: Path, angles=(), per_frame=(), without=(), shared=None) -> Path:
    """Rewrite a classic file in its place.

    Args:
        angles: (primary, secondary) of each frame, in the place of the file's own.
        per_frame: names of the sequences that are written for each frame and not as shared.
        without: names of sequences that are left out.
        shared: {sequence: {attribute: value}} to add to the shared groups.
    """
    dataset = pydicom.dcmread(path)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = ENHANCED_XA
    groups = {name: _taken(dataset, name, keywords) for name, keywords in _GROUPS.items()}
    geometry = groups["XRayGeometrySequence"]
    geometry.DistanceSourceToIsocenter = float(geometry.DistanceSourceToPatient)
    del geometry.DistanceSourceToPatient
    for keyword in _GONE:
        if keyword in dataset:
            delattr(dataset, keyword)
    for name, values in (shared or {}).items():
        for keyword, value in values.items():
            setattr(groups.setdefault(name, Dataset()), keyword, value)
    count = int(dataset.get("NumberOfFrames") or 1)
    frames = [Dataset() for _ in range(count)]
    common = Dataset()
    for name, item in groups.items():
        if name in without:
            continue
        for target in frames if name in per_frame else [common]:
            setattr(target, name, [Dataset(item)])
    for frame, (primary, secondary) in zip(frames, angles, strict=False):
        item = Dataset()
        item.PositionerPrimaryAngle, item.PositionerSecondaryAngle = str(primary), str(secondary)
        frame.PositionerPositionSequence = [item]
    dataset.SharedFunctionalGroupsSequence = [common]
    dataset.PerFrameFunctionalGroupsSequence = frames
    dataset.save_as(path)
    return path


def _taken(dataset: Dataset, name: str, keywords: tuple[str, ...]) -> Dataset:
    if name in dataset:
        item = dataset[name].value[0]
        delattr(dataset, name)
        return item
    item = Dataset()
    for keyword in keywords:
        if keyword in dataset:
            item[keyword] = dataset[keyword]
            delattr(dataset, keyword)
    return item
