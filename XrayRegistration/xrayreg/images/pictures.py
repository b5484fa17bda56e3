"""Grey pictures from PNG and TIFF files, pixel for pixel."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence, UnidentifiedImageError

from ..errors import InputError
from .size_guard import check_size

PICTURE_SUFFIXES = (".png", ".tif", ".tiff")

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
        with Image.open(path) as image:
            unsigned = _check_page(image, path)
            check_size((*image.size, getattr(image, "n_frames", 1)), path)
            pages = [_page(page, path) for page in ImageSequence.Iterator(image)]
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError("no such file", where=path) from None
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise InputError(f"cannot be read as PNG or TIFF ({error})", where=path) from None
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


def _page(page: Image.Image, path: Path) -> np.ndarray:
    _check_page(page, path)
    return np.array(page)


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
