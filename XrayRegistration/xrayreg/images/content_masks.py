"""What an X-ray's own pixels say is not the patient: letters, metal, the dark border of its field.

Each function takes line integrals and a mask, both [row, column], and returns a smaller mask. Thresholds are
differences of line integrals (dimensionless), lengths parts of the shorter side of the image: neither depends
on I0 or on the size of the pixels. All are plain heuristics: look at what they leave out.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from .masks import without_polygon
from .xray import Xray

_EXTREME = 0.02  # as far from the brightest or darkest pixel: burned in
_LETTER = 0.7  # a burned-in stroke differs at least so much from what is around it: a factor of 2
_STROKE, _LETTER_SIDE = 0.01, 0.1  # half its width, and the size of a connected piece, at most

_METAL, _METAL_SIDE = 1.2, 0.06  # against its surroundings; half its width
_METAL_DARK = 1.8  # a sixth of I0
_METAL_EDGE, _METAL_STEP = 0.7, 0.004  # change along half its outline at least, within so much on both sides

_BORDER = 1.0  # a border is at least so much darker than the middle
_BORDER_FROM = 1 / 3  # of the way from the middle to the border: beside a collimator it gets dark gradually
_CONVEX = 0.9  # the field fills so much of its convex hull, and of all that is not border
_MARGIN = 0.01  # what is left out inside the edge of the field
_SMALLEST_BORDER = 0.002  # of the image; less is none


def without_burned_in(line_integrals: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Less letters and signs that were written into the pixels, and a rim of two pixels.

    They have the very brightest or darkest value, in thin strokes that stand out sharply. Letters of lead
    that lay in the beam are less black: `without_metal`.
    """
    values = line_integrals[mask]
    brightest, darkest = float(values.min()), float(values.max())
    radius = max(2, round(_STROKE * min(mask.shape)))
    written = np.zeros(mask.shape, bool)
    for sign, end in ((1, darkest), (-1, -brightest)):
        image = sign * line_integrals
        thin = image - _surroundings(image, mask, radius) >= _LETTER
        chosen = mask & thin & (image >= end - _EXTREME)
        written |= _small_pieces(chosen, round(_LETTER_SIDE * min(mask.shape)))
    return mask & ~_grown(written, 2)


def without_metal(line_integrals: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Less metal (implants, screws, instruments, lead letters), and a rim of two pixels.

    It is dark (a line integral above 1.8), no wider than 12 % of the image, lets through 3.3 times less (1.2)
    than what is around it, and ends sharply, which a limb in air or a thick bone does not.
    """
    side = min(mask.shape)
    contrast = line_integrals - _surroundings(line_integrals, mask, round(_METAL_SIDE * side))
    chosen = mask & (contrast >= _METAL) & (line_integrals >= _METAL_DARK)
    pieces, count = _pieces(chosen)
    outline = chosen & _grown(~chosen, 1)
    sharp = outline & (_range(line_integrals, max(1, round(_METAL_STEP * side))) >= _METAL_EDGE)
    ends, sharp_ends = (np.bincount(pieces[each], minlength=count + 1) for each in (outline, sharp))
    metal = (np.bincount(pieces.ravel(), minlength=count + 1) >= 4) & (2 * sharp_ends >= ends)
    metal[0] = False
    return mask & ~_grown(metal[pieces], 2)


def field_mask(line_integrals: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Less the dark border beside a collimator or a round field that no tag tells about, and a margin of 1 %.

    The border is dark, and connected with the image's edge; the field within is taken to be convex, as
    apertures are, so that dark anatomy at its edge stays. Without such a border the mask comes back as it is.
    """
    rows, columns = mask.shape
    middle = np.zeros_like(mask)
    middle[rows // 4 : -(rows // 4), columns // 4 : -(columns // 4)] = True
    edge = np.ones_like(mask)
    edge[1:-1, 1:-1] = False
    if not (mask & middle).any() or not (mask & edge).any():
        return mask
    inside = float(np.median(line_integrals[mask & middle]))
    border = float(np.percentile(line_integrals[mask & edge], 95))
    if border - inside < _BORDER:
        return mask
    dark = ~mask | (line_integrals > inside + _BORDER_FROM * (border - inside))
    pieces, count = _pieces(dark)
    at_edge = np.zeros(count + 1, bool)
    at_edge[np.unique(pieces[edge & dark])] = True
    outside = at_edge[pieces] & dark
    light = _opened(~outside, max(1, round(0.005 * min(mask.shape))))
    field = _largest(light)
    hull = _hull_mask(field)
    one_piece = field.sum() >= _CONVEX * max(light.sum(), hull.sum())
    if not one_piece or (mask & ~hull).sum() < _SMALLEST_BORDER * mask.size:
        return mask
    left = mask & ~_grown(~hull, max(1, round(_MARGIN * min(mask.shape))))
    return left if left.any() else mask


MASKS: dict[str, tuple[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]] = {
    "field": ("the dark border of the field", field_mask),
    "markers": ("letters burned into the pixels", without_burned_in),
    "metal": ("metal", without_metal),
}
"""In the order in which they are applied: the border first, which is neither letter nor metal."""


def mask_names(text: str) -> tuple[str, ...]:
    """Names of `MASKS` with commas between, as ``field,metal``, in the order in which they are applied.

    Raises:
        InputError: for a name that is none.
    """
    names = {name.strip() for name in text.lower().split(",")}
    unknown = sorted(names - set(MASKS))
    if unknown:
        raise InputError(f"--mask {text}: '{unknown[0]}' is unknown", remedy=f"any of {','.join(MASKS)}")
    return tuple(name for name in MASKS if name in names)


def masked_by_content(xray: Xray, names: tuple[str, ...]) -> Xray:
    """The X-ray with a smaller mask, and a note for each of `MASKS` that is named.

    Raises:
        InputError: if nothing is left.
    """
    for name, (what, reduce) in MASKS.items():
        if name not in names:
            continue
        mask = reduce(xray.line_integrals, xray.mask)
        part = 100 * (1 - mask.sum() / xray.mask.sum())
        note = f"left out: {what}, {part:.3g} % of the pixels" if part else f"{what}: none found"
        if not mask.any():
            raise InputError(f"{note}, which leaves none", where=xray.name, remedy="leave out --mask")
        xray = replace(xray, mask=mask, notes=(*xray.notes, note))
    return xray


# --- Morphology ---


def _surroundings(image: np.ndarray, mask: np.ndarray, radius: int) -> np.ndarray:
    """The image without what is larger than its surroundings and narrower than 2 radius + 1 pixels.

    The mask's outside says nothing.
    """
    lowest, highest = float(image[mask].min()), float(image[mask].max())
    box = [radius, radius]
    filled = sitk.GetImageFromArray(np.where(mask, image, highest).astype(np.float32))
    eroded = sitk.GetArrayFromImage(sitk.GrayscaleErode(filled, box, sitk.sitkBox))
    kept = sitk.GetImageFromArray(np.where(mask, eroded, lowest).astype(np.float32))
    return sitk.GetArrayFromImage(sitk.GrayscaleDilate(kept, box, sitk.sitkBox))


def _range(image: np.ndarray, radius: int) -> np.ndarray:
    """Largest less smallest value in squares around each pixel."""
    box, pixels = [radius, radius], sitk.GetImageFromArray(image.astype(np.float32))
    largest = sitk.GetArrayFromImage(sitk.GrayscaleDilate(pixels, box, sitk.sitkBox))
    return largest - sitk.GetArrayFromImage(sitk.GrayscaleErode(pixels, box, sitk.sitkBox))


def _pieces(chosen: np.ndarray) -> tuple[np.ndarray, int]:
    """Connected pieces (over corners too) numbered from 1, 0 elsewhere; and how many there are."""
    image = sitk.GetImageFromArray(chosen.astype(np.uint8))
    pieces = sitk.GetArrayFromImage(sitk.ConnectedComponent(image, True))
    return pieces, int(pieces.max())


def _small_pieces(chosen: np.ndarray, side: int) -> np.ndarray:
    """The pieces of at least 4 pixels that fit in a square."""
    pieces, count = _pieces(chosen)
    row, column = np.nonzero(pieces)
    number = pieces[row, column]
    fits = np.bincount(number, minlength=count + 1) >= 4
    for at in (row, column):
        first, last = np.full(count + 1, np.iinfo(np.int64).max), np.full(count + 1, -1)
        np.minimum.at(first, number, at)
        np.maximum.at(last, number, at)
        fits &= last - first < side
    fits[0] = False
    return fits[pieces]


def _largest(chosen: np.ndarray) -> np.ndarray:
    pieces, count = _pieces(chosen)
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    sizes[0] = 0
    return (pieces == sizes.argmax()) & chosen


def _grown(chosen: np.ndarray, radius: int) -> np.ndarray:
    image = sitk.GetImageFromArray(chosen.astype(np.uint8))
    return sitk.GetArrayFromImage(sitk.BinaryDilate(image, [radius, radius], sitk.sitkBall)) > 0


def _opened(chosen: np.ndarray, radius: int) -> np.ndarray:
    image = sitk.GetImageFromArray(chosen.astype(np.uint8))
    return sitk.GetArrayFromImage(sitk.BinaryMorphologicalOpening(image, [radius, radius], sitk.sitkBox)) > 0


def _hull_mask(chosen: np.ndarray) -> np.ndarray:
    """[row, column] bool: the convex hull of pixels, by Andrew's monotone chain over the ends of each row."""
    rows = np.flatnonzero(chosen.any(axis=1))
    if not len(rows):
        return chosen
    first = chosen[rows].argmax(axis=1)
    last = chosen.shape[1] - 1 - chosen[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([first - 0.5, rows], 1), np.stack([last + 0.5, rows], 1)])
    corners = np.unique(np.concatenate([ends + [0, -0.5], ends + [0, 0.5]]), axis=0)

    def half(points: np.ndarray) -> list[np.ndarray]:
        chain: list[np.ndarray] = []
        for point in points:
            while len(chain) > 1 and _turns_right(chain[-2], chain[-1], point):
                chain.pop()
            chain.append(point)
        return chain[:-1]

    hull = np.array(half(corners) + half(corners[::-1]))
    return ~without_polygon(np.ones(chosen.shape, bool), hull)


def _turns_right(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) <= 0
