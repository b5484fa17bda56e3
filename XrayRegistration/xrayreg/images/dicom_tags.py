"""Reading single DICOM attributes, with errors that name the file, the tag and what to do."""

import math
import zlib
from pathlib import Path

import pydicom
from pydicom.datadict import tag_for_keyword

from ..errors import InputError
from .deflated_files import check_unpacked_size

USE_CAMERA_FILE = "give its geometry by hand (--geometry) or in a camera file (--camera)"

_EXPORT = "export the file again"
_EXPECTED = "give a DICOM file; X-rays may also be PNG, TIFF, NRRD, NIfTI or MetaImage with a camera file"


def tag_name(keyword: str) -> str:
    """`Rows` becomes `Rows (0028,0010)`."""
    tag = pydicom.tag.Tag(tag_for_keyword(keyword))
    return f"{keyword} ({tag.group:04X},{tag.element:04X})"


def read_dataset(path: Path, **options) -> pydicom.Dataset:
    """`pydicom.dcmread`, also for files without preamble; ``options`` are passed on.

    Raises:
        InputError: if the file is missing, holds no DICOM object, or unpacks to too much.
    """
    try:
        check_unpacked_size(Path(path))
        dataset = pydicom.dcmread(path, force=True, **options)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError("no such file", where=path) from None
    except (OSError, ValueError, EOFError, KeyError, NotImplementedError, zlib.error) as error:
        raise InputError(f"cannot be read as DICOM ({error})", where=path, remedy=_EXPECTED) from None
    if "SOPClassUID" not in dataset:
        raise InputError(
            f"no DICOM object: {tag_name('SOPClassUID')} is missing", where=path, remedy=_EXPECTED
        )
    return dataset


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
