"""What is odd about a volume's size, values and field of view: said, not refused, as each can be meant."""

import numpy as np

from .truncation import truncation_notes
from .volume import Volume, looks_like_hu

_LEAST_VOXEL_MM, _MOST_VOXEL_MM = 0.05, 10.0
_LEAST_EXTENT_MM, _MOST_EXTENT_MM = 5.0, 2500.0
_SAMPLE = 2_000_000
_METAL_HU, _METAL_ML = 3000.0, 0.5
_MOST_HU = 4000.0
_MASKED_PART = 0.5
_AIR_HU = (-1100.0, -800.0)
_AIR_PART = 0.05


def notes_on(volume: Volume) -> tuple[str, ...]:
    """Lines for people, most serious first; none for an ordinary volume.

    Of every volume: implausible size of voxels or of the whole. Of a CT also: values that are no Hounsfield
    units, everything but an organ masked out, metal, and a body that is cut off at the sides of the field
    of view.
    """
    notes = _size_notes(volume)
    lowest, highest = float(volume.hu.min()), float(volume.hu.max())
    if lowest == highest:
        return (*notes, f"all voxels have the value {lowest:g}: an X-ray of it is empty")
    if volume.kind != "ct":
        return (*notes, *_no_ct_notes(volume, lowest))
    sample = _sample(volume.hu)
    background = _masked_background(sample)
    if background is not None:
        notes.append(
            f"most of it has the one value {background:g} and little is soft tissue: all but some part "
            f"was masked out, while X-rays show the rest too (give --air-hu, {_enough_for(background)})"
        )
    elif not looks_like_hu(lowest):
        notes.append(
            f"no voxel is below -100 (the lowest is {lowest:g}): no Hounsfield units, unless the "
            "surroundings are masked out; if it is an MR, say --kind mr"
        )
    else:
        notes += _air_notes(sample)
        notes += truncation_notes(volume)
    return (*notes, *_metal_notes(volume, highest))


def _enough_for(background: float) -> str:
    """The --air-hu with which masked surroundings count as nothing."""
    return "for single bones about -120" if background < -120 else f"{background:g} or higher"


def _size_notes(volume: Volume) -> list[str]:
    spacing = volume.grid.spacing_mm
    extent = spacing * volume.grid.size
    notes = []
    if spacing.min() < _LEAST_VOXEL_MM or spacing.max() > _MOST_VOXEL_MM:
        shown = " x ".join(f"{s:.3g}" for s in spacing)
        notes.append(f"voxels of {shown} mm are unusual: were metres or microns taken for mm?")
    if extent.min() < _LEAST_EXTENT_MM or extent.max() > _MOST_EXTENT_MM:
        shown = " x ".join(f"{e:.3g}" for e in extent)
        notes.append(f"it is {shown} mm in size, which no part of a body is: check its unit of length")
    return notes


def _no_ct_notes(volume: Volume, lowest: float) -> tuple[str, ...]:
    if volume.kind == "vessels":
        return (
            "only what is brighter than the threshold is rendered, as vessels filled with contrast medium",
        )
    which = "dark" if volume.kind == "mr-inverted" else "bright"
    notes = (
        f"an MR has no attenuation: its {which} tissue is taken as dense, a stand-in for what X-rays see",
    )
    if looks_like_hu(lowest):
        notes += (f"its lowest value is {lowest:g}, as in a CT: if it is one, say --kind ct",)
    return notes


def _sample(hu: np.ndarray) -> np.ndarray:
    """About `_SAMPLE` of the values, evenly spread."""
    flat = hu.reshape(-1)
    step = max(1, len(flat) // _SAMPLE)
    while step > 1 and hu.shape[-1] % step == 0:
        step += 1  # not the same columns again and again
    return flat[::step]


def _masked_background(sample: np.ndarray) -> float | None:
    """The value of masked surroundings, or None.

    Scanned air is noise, or one value where it was clipped; then there is more soft tissue than bone. Masks
    have one value beside which hardly anything but the masked part is left.
    """
    values, counts = np.unique(sample, return_counts=True)
    usual = float(values[counts.argmax()])
    if counts.max() < _MASKED_PART * len(sample):
        return None
    rest = sample[sample != usual]
    soft, bone = int(((rest > -200) & (rest < 100)).sum()), int((rest > 200).sum())
    return usual if usual > -500 or bone > soft else None


def _air_notes(sample: np.ndarray) -> list[str]:
    """Air and lung lie between -1000 and -800 HU; one single value may stand for what was not scanned."""
    values, counts = np.unique(sample, return_counts=True)
    low = sample[(sample < -500) & (sample > -3000) & (sample != values[counts.argmax()])]
    if len(low) < _AIR_PART * len(sample):
        return []
    counts, edges = np.histogram(low, bins=np.arange(-3000.0, -480, 20))
    peak = float(edges[counts.argmax()] + 10)
    if _AIR_HU[0] <= peak <= _AIR_HU[1]:
        return []
    return [f"air lies at {peak:.0f}, not near -1000: these are no Hounsfield units, or they are shifted"]


def _metal_notes(volume: Volume, highest: float) -> list[str]:
    voxel_ml = abs(np.linalg.det(volume.grid.patient_from_index[:3, :3])) / 1000
    metal_ml = float(np.count_nonzero(volume.hu > _METAL_HU)) * voxel_ml
    notes = []
    if metal_ml > _METAL_ML:
        notes.append(
            f"{metal_ml:.1f} ml are above {_METAL_HU:g} HU: metal or dense contrast medium, with streaks"
        )
    if highest > _MOST_HU and metal_ml <= _METAL_ML:
        notes.append(
            f"values reach {highest:.0f}, more than bone and teeth have: metal, or no Hounsfield units"
        )
    return notes
