"""Reading single DICOM attributes, with errors that name the file, the tag and what to do."""

import math
from pathlib import Path

import pydicom
from pydicom import datadict
from pydicom.datadict import tag_for_keyword
from pydicom.valuerep import format_number_as_ds

from ..errors import InputError
from .deflated_files import check_unpacked_size

USE_CAMERA_FILE = "give its geometry by hand (--geometry) or in a camera file (--camera)"

_EXPORT = "export the file again"
_GROUPS_READ = (0x0008, 0x0018, 0x0020, 0x0028, 0x0054, 0x3002, 0x5200)
_EXPECTED = "give a DICOM file; X-rays may also be PNG, TIFF, NRRD, NIfTI or MetaImage with a camera file"


def tag_name(keyword: str) -> str:
    """`Rows` becomes `Rows (0028,0010)`."""
    tag = pydicom.tag.Tag(tag_for_keyword(keyword))
    return f"{keyword} ({tag.group:04X},{tag.element:04X})"


def read_dataset(path: Path, **options) -> pydicom.Dataset:
    """`pydicom.dcmread`, also for files without preamble; ``options`` are passed on.

    Raises:
        InputError: if the file is missing, holds no DICOM object or unpacks to too much, or a tag that
            matters cannot be decoded.
    """
    try:
        check_unpacked_size(Path(path))
        dataset = pydicom.dcmread(path, force=True, **options)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError("no such file", where=path, remedy="check the path") from None
    except Exception as error:  # a damaged file makes pydicom raise whatever its parsers meet
        raise InputError(
            f"cannot be read as DICOM ({_reason(error)})", where=path, remedy=_EXPECTED
        ) from None
    _decode(dataset, path)
    if "SOPClassUID" not in dataset:
        raise InputError(
            f"no DICOM object: {tag_name('SOPClassUID')} is missing", where=path, remedy=_EXPECTED
        )
    return dataset


def _decode(dataset: pydicom.Dataset, path: Path) -> None:
    """Decode what pydicom would decode when it is asked for, so that all damage shows here.

    Tags that the program never reads (of the patient, private, overlays) may be damaged.
    """
    for tag in [tag for tag in list(dataset.keys()) if tag.group in _GROUPS_READ]:
        try:
            element = dataset[tag]
        except Exception as error:  # as above
            name = datadict.keyword_for_tag(tag) or "an unknown tag"
            raise InputError(
                f"{name} ({tag.group:04X},{tag.element:04X}) cannot be decoded ({_reason(error)})",
                where=path,
                remedy="the file is damaged: copy or export it again",
            ) from None
        is_sequence = element.VR == "SQ"
        if not is_sequence and datadict.dictionary_has_tag(tag) and datadict.dictionary_VR(tag) == "SQ":
            raise InputError(
                f"{tag_name(datadict.keyword_for_tag(tag))} is no sequence", where=path, remedy=_EXPORT
            )
        for item in element.value if is_sequence else ():
            _decode(item, path)


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def decimal_string(value: float) -> str:
    """Of at most 16 characters, the most exact that DICOM allows."""
    return format_number_as_ds(float(value))


def is_dicom_file(file: Path) -> bool:
    """By the mark behind the preamble; some old files lack it."""
    with file.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def has_value(dataset: pydicom.Dataset, keyword: str) -> bool:
    """Whether the attribute is there and not empty."""
    value = dataset.get(keyword)
    return value is not None and not (hasattr(value, "__len__") and len(value) == 0)


def items_of(dataset: pydicom.Dataset, keyword: str, where: Path) -> tuple[pydicom.Dataset, ...]:
    """The items of a sequence; none without it.

    Raises:
        InputError: if the attribute is something else.
    """
    value = dataset.get(keyword)
    if value is not None and not isinstance(value, pydicom.Sequence):
        raise InputError(f"{tag_name(keyword)} is no sequence", where=where, remedy=_EXPORT)
    return tuple(value or ())


def text(dataset: pydicom.Dataset, keyword: str, where: Path, remedy: str = USE_CAMERA_FILE) -> str:
    """A required single text value, upper case, without blanks."""
    _require(dataset, keyword, where, remedy)
    return str(dataset.get(keyword)).strip().upper()


def number(dataset: pydicom.Dataset, keyword: str, where: Path, remedy: str = USE_CAMERA_FILE) -> float:
    """A required single finite number."""
    return numbers(dataset, keyword, 1, where, remedy)[0]


def numbers(
    dataset: pydicom.Dataset, keyword: str, count: int, where: Path, remedy: str = USE_CAMERA_FILE
) -> tuple[float, ...]:
    """Exactly ``count`` required finite numbers.

    Raises:
        InputError: names the file, the tag, what it holds, and the remedy.
    """
    _require(dataset, keyword, where, remedy)
    value = dataset.get(keyword)
    values = value if isinstance(value, (list, tuple, pydicom.multival.MultiValue)) else [value]
    try:
        result = tuple(float(x) for x in values)
    except (TypeError, ValueError):
        result = ()
    if len(result) != count or not all(math.isfinite(x) for x in result):
        expected = "one finite number" if count == 1 else f"{count} finite numbers"
        raise InputError(f"{tag_name(keyword)} is {value!s}, not {expected}", where=where, remedy=remedy)
    return result


def positive(
    dataset: pydicom.Dataset, keyword: str, count: int, where: Path, remedy: str = USE_CAMERA_FILE
) -> tuple[float, ...]:
    """As `numbers`, all above zero."""
    result = numbers(dataset, keyword, count, where, remedy)
    if min(result) <= 0:
        raise InputError(
            f"{tag_name(keyword)} is {dataset.get(keyword)!s}, not positive", where=where, remedy=remedy
        )
    return result


def _require(dataset: pydicom.Dataset, keyword: str, where: Path, remedy: str) -> None:
    if not has_value(dataset, keyword):
        state = "empty" if keyword in dataset else "missing"
        raise InputError(f"{tag_name(keyword)} is {state}", where=where, remedy=remedy)
