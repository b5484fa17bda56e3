"""Grey pictures from PNG and TIFF files, pixel for pixel."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from ..errors import InputError
from .size_guard import check_size

PICTURE_SUFFIXES = (".png", ".tif", ".tiff")

_MOST_PIXELS = 2**31  # about 1290 cubed
_MIN_IS_WHITE, _PHOTOMETRIC, _SAMPLE_FORMAT = 0, 262, 339
_GREY_MODES = ("L", "I", "F")  # and every I;16


def read_pages(path: Path) -> tuple[np.ndarray, bool]:
    """All pages of a grey PNG or TIFF.

    Returns:
        [page, row, column], row 0 and column 0 first as stored, integers or floats as stored; and whether
        the file holds unsigned integers.

    Raises:
        InputError: for colour, palette or 1 bit pictures, inverted TIFFs and pages of different size.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # from 89 million pixels on
            with Image.open(path) as image:
                unsigned = _check_page(image, path)
                check_size((*image.size, getattr(image, "n_frames", 1)), path)
                pages = _pages(image, path)
    except (InputError, MemoryError):
        raise
    except FileNotFoundError:
        raise InputError("no such file", where=path, remedy="check the path") from None
    except Exception as error:  # a damaged file makes Pillow raise whatever its parsers meet
        raise InputError(
            f"cannot be read as PNG or TIFF ({error or type(error).__name__})",
            where=path,
            remedy="export it again as 16-bit PNG or TIFF",
        ) from None
    if len({page.shape for page in pages}) != 1:
        raise InputError("its pages differ in size", where=path, remedy="export one page size")
    return np.stack(pages), unsigned


def read_picture(path: Path) -> np.ndarray:
    """The only page of a grey PNG or TIFF, [row, column].

    Raises:
        InputError: as `read_pages`, and for several pages.
    """
    pages, _ = read_pages(path)
    if len(pages) != 1:
        raise InputError(f"holds {len(pages)} pages, not one image", where=path, remedy="save one frame")
    return pages[0]


def _pages(image: Image.Image, path: Path) -> list[np.ndarray]:
    """All pages, unpacked once it is known that they are not too many: a small file may name one often."""
    pixels = 0
    for page in ImageSequence.Iterator(image):
        _check_page(page, path)
        pixels += page.width * page.height
        if pixels > _MOST_PIXELS:
            what = f"holds more than {_MOST_PIXELS:,} pixels in all its pages"
            raise InputError(what, where=path, remedy="crop or resample it")
    return [np.array(page) for page in ImageSequence.Iterator(image)]


def _check_page(page: Image.Image, path: Path) -> bool:
    """Whether the page is unsigned; raises for what is not plain grey."""
    if page.mode not in _GREY_MODES and not page.mode.startswith("I;16"):
        raise InputError(
            f"is a picture of mode {page.mode}, not 8, 16 or 32 bit grey",
            where=path,
            remedy="export the unprocessed grey image without colours, palette or transparency",
        )
    tags = getattr(page, "tag_v2", {})
    if tags.get(_PHOTOMETRIC) == _MIN_IS_WHITE:
        raise InputError(
            "TIFF tag PhotometricInterpretation (262) is 0 (white is zero)",
            where=path,
            remedy="save it with black as zero",
        )
    sample_format = tags.get(_SAMPLE_FORMAT, (1,))
    return page.mode != "F" and (sample_format[0] if isinstance(sample_format, tuple) else sample_format) == 1
