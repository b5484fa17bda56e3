"""Enhanced XA and XRF: one frame's functional groups as the attributes of classic X-ray files.

PS3.3 A.47 and A.48, macros in C.8.19.6. What the classic readers use is taken out of the shared and the
per-frame groups; angles and table positions of a run become those of its first frame and increments.
"""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.datadict import dictionary_VR, tag_for_keyword

from ..errors import InputError
from .carm_angles import POSITION_TAGS, angles_shown
from .dicom_tags import decimal_string, has_value, number, tag_name

ENHANCED_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.12.1.1": "Enhanced XA Image Storage",
    "1.2.840.10008.5.1.4.1.1.12.2.1": "Enhanced XRF Image Storage",
}

_SHARED, _PER_FRAME = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
# The macros whose attributes stand at the top of a classic file. A shutter or collimator has an item for
# each shape, whose attributes do not clash.
_FLATTENED = (
    "PositionerPositionSequence",
    "XRayGeometrySequence",
    "FieldOfViewSequence",
    "FramePixelDataPropertiesSequence",
    "PatientOrientationInFrameSequence",
    "FrameDetectorParametersSequence",
    "FrameAnatomySequence",
    "CollimatorShapeSequence",
    "FrameDisplayShutterSequence",
)
_KEPT = ("IsocenterReferenceSystemSequence", "PixelIntensityRelationshipLUTSequence")
_ANGLES = ("PositionerPrimaryAngle", "PositionerSecondaryAngle")
_TABLE = {
    "TableTopVerticalPosition": "TableVerticalIncrement",
    "TableTopLongitudinalPosition": "TableLongitudinalIncrement",
    "TableTopLateralPosition": "TableLateralIncrement",
}
_TURN = "PositionerIsocenterDetectorRotationAngle"
_STANDS_STILL = 0.01  # degrees
_EXPORT = "export the run as classic X-Ray Angiography, or give a camera file (--camera)"


def is_enhanced(dataset: pydicom.Dataset) -> bool:
    return str(dataset.get("SOPClassUID") or "") in ENHANCED_CLASSES


def classic_frame(dataset: pydicom.Dataset, frame: int, where: Path) -> pydicom.Dataset:
    """Put the functional groups of one frame of an Enhanced XA or XRF file where the classic readers look.

    The data set is changed in its place; groups, pixels and number of frames stay as they are. Patient
    Orientation is the first frame's, as of classic runs, as are the angles, which come with increments for
    each frame; all else is the frame's own.

    Args:
        frame: counted from 1.

    Raises:
        InputError: if there are no functional groups or too few, or if the detector turns during the run.
    """
    shared, frames = _groups(dataset, where)
    if frames and not 1 <= frame <= len(frames):
        raise InputError(
            f"{tag_name(_PER_FRAME)} describes {len(frames)} frames, but frame {frame} is asked for",
            where=where,
            remedy=f"choose one from 1 to {len(frames)}",
        )
    alike, frames = not frames, frames or [pydicom.Dataset()]
    for element in _merged(shared, frames[0 if alike else frame - 1]):
        _copy(element, dataset)
    first = _merged(shared, frames[0])
    if len(frames) > 1:
        _as_run(dataset, [_merged(shared, item) for item in frames], where)
    for keyword in ("PatientOrientation", "IsocenterReferenceSystemSequence"):
        if has_value(first, keyword):
            _copy(first[keyword], dataset)
    return dataset


def undistorted_notes(dataset: pydicom.Dataset) -> tuple[str, ...]:
    """A note if the file says that its pixels are distorted: the camera of a pinhole does not hold then."""
    if str(dataset.get("GeometricalProperties") or "").strip().upper() != "NON_UNIFORM":
        return ()
    most = dataset.get("GeometricMaximumDistortion")
    by = "" if most is None else f" by up to {float(most):g} %"
    return (
        f"the image is distorted{by} ({tag_name('GeometricalProperties')} NON_UNIFORM); it was not corrected",
    )


def _groups(dataset: pydicom.Dataset, where: Path) -> tuple[pydicom.Dataset, list[pydicom.Dataset]]:
    """The shared functional groups, and those of each frame; none where all frames are alike."""
    shared, frames = (list(dataset.get(keyword) or ()) for keyword in (_SHARED, _PER_FRAME))
    if not shared and not frames:
        raise InputError(
            f"{ENHANCED_CLASSES[dataset.SOPClassUID]} without {tag_name(_SHARED)} and {tag_name(_PER_FRAME)}"
            ": its frames are not described",
            where=where,
            remedy=_EXPORT,
        )
    count = int(number(dataset, "NumberOfFrames", where)) if has_value(dataset, "NumberOfFrames") else 1
    if frames and len(frames) != count:
        raise InputError(
            f"{tag_name('NumberOfFrames')} is {count}, but {tag_name(_PER_FRAME)} describes {len(frames)}",
            where=where,
            remedy=_EXPORT,
        )
    return (shared[0] if shared else pydicom.Dataset()), frames


def _merged(shared: pydicom.Dataset, per_frame: pydicom.Dataset) -> pydicom.Dataset:
    """Both groups' attributes flat; the frame's own go before the shared ones."""
    result = pydicom.Dataset()
    for group in (shared, per_frame):
        for keyword in _KEPT:
            if has_value(group, keyword):
                _copy(group[keyword], result)
        for keyword in _FLATTENED:
            _flatten(group.get(keyword) or (), result)
        for item in group.get("TablePositionSequence") or ():
            for position in _TABLE:
                if has_value(item, position):
                    _copy(item[position], result)
    return result


def _flatten(items, result: pydicom.Dataset) -> None:
    shapes = {}
    for item in items:
        for element in item:
            _copy(element, result)
            if element.keyword in ("ShutterShape", "CollimatorShape"):
                shapes.setdefault(element.keyword, []).append(element.value)
    for keyword, values in shapes.items():
        _set(result, keyword, values)


def _as_run(result: pydicom.Dataset, frames: list[pydicom.Dataset], where: Path) -> None:
    """Write the frames' angles and table positions as the first frame's and increments."""
    angles = [_angles_of(result, item, where) for item in frames]
    for keyword, values in zip(_ANGLES, zip(*angles, strict=True), strict=True):
        if None not in values:
            _set(result, f"{keyword}Increment", [decimal_string(value - values[0]) for value in values])
        if has_value(frames[0], keyword):
            _copy(frames[0][keyword], result)
    for keyword, increment in _TABLE.items():
        if all(has_value(item, keyword) for item in frames):
            values = [number(item, keyword, where) for item in frames]
            _set(result, increment, [decimal_string(value - values[0]) for value in values])
    turns = [
        number(item, _TURN, where)
        for frame in frames
        for item in frame.get("IsocenterReferenceSystemSequence") or ()
        if has_value(item, _TURN)
    ]
    if turns and np.ptp(turns) > _STANDS_STILL:
        raise InputError(
            f"{tag_name(_TURN)} changes by {np.ptp(turns):.4g} degrees: the detector turns during the run",
            where=where,
            remedy=_EXPORT,
        )


def _angles_of(
    dataset: pydicom.Dataset, frame: pydicom.Dataset, where: Path
) -> tuple[float | None, float | None]:
    """A frame's angles about the patient, if need be from those about the equipment."""
    alone = pydicom.Dataset()
    for element in (*(dataset[keyword] for keyword in POSITION_TAGS if keyword in dataset), *frame):
        _copy(element, alone)
    return angles_shown(alone, where)


def _copy(element: pydicom.DataElement, target: pydicom.Dataset) -> None:
    """An element of its own, so that changing it does not change the group that it is from."""
    target.add_new(element.tag, element.VR, element.value)


def _set(target: pydicom.Dataset, keyword: str, value: object) -> None:
    target.add_new(tag_for_keyword(keyword), dictionary_VR(keyword), value)
