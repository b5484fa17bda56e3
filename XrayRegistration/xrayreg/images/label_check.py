"""Whether a segmentation belongs to a volume, by where its labels lie and what the volume holds there."""

from dataclasses import dataclass

import numpy as np
import SimpleITK

from ..errors import InputError
from .label_grids import check_overlap
from .volume import LabelMap, Volume

_CANDIDATES = 30_000
_ACROSS_MM = 5.0
_LEAST_PAIRS = 40
_MOST_PAIRS = 12_000
_CELL_MM = 2.0
_SEARCH = (
    (40.0, 8.0, 6),
    (8.0, 4.0, 3),
    (4.0, 2.0, 2),
    (1.0, 1.0, 1),
)  # mm to either side, step, every n-th pair
_CLIP_HU = (-1000.0, 1000.0)
_STEP_HU = 200.0

_MOST_OUTSIDE = 0.5
_SAID_OUTSIDE = 0.02
_PLAIN_HU, _WEAK_HU, _NO_HU = 80.0, 40.0, 15.0  # chance gives 5 to 18 HU, one small label up to 60
_SAID_MM, _REFUSED_MM = 2.5, 10.0
_LARGE_MM = 150.0
_MANY_LABELS = 5  # one alone may be of soft tissue, which a CT hardly shows


@dataclass(frozen=True)
class LabelFit:
    """How labels lie in a volume.

    Attributes:
        outside: part of the labelled voxels that lies outside the volume's box, 0 to 1.
        labels: how many have surface enough to be judged.
        extent_mm: diagonal of the box around the labels.
        contrast: mean step of the volume's values across the labels' surfaces, HU (`_contrast`).
        shift_mm: (3,) patient mm, the move of the labels that gives most contrast.
        contrast_shifted: with that move.
        contrast_mirrored: labels swapped left and right, with their best move.
    """

    outside: float
    labels: int
    extent_mm: float
    contrast: float
    shift_mm: np.ndarray
    contrast_shifted: float
    contrast_mirrored: float


@dataclass(frozen=True)
class _Pairs:
    """Pairs of points on both sides of labels' surfaces, (n, 3) each, patient mm; number of the label."""

    inner: np.ndarray
    outer: np.ndarray
    label: np.ndarray

    def every(self, step: int) -> "_Pairs":
        return _Pairs(self.inner[::step], self.outer[::step], self.label[::step])

    def mirrored(self) -> "_Pairs":
        """Left and right swapped, about their own middle."""
        flip, middle = np.array([-1.0, 1.0, 1.0]), [2 * self.inner[:, 0].mean(), 0, 0]
        return _Pairs(self.inner * flip + middle, self.outer * flip + middle, self.label)


def check_fit(label_map: LabelMap, volume: Volume) -> tuple[str, ...]:
    """Whether a segmentation belongs to a volume.

    Returns:
        What is odd, for people: a part outside the volume, and in a CT a shift of 2.5 to 10 mm, or labels
        that nothing in it follows. Of small ones shifts and mirroring are said too, and not refused: by
        chance they may fit better elsewhere.

    Raises:
        InputError: if the boxes lie apart, or more than half of the labelled voxels outside the volume; if
            labels that reach over 15 cm fit 10 mm or more away from where they lie (with the shift), or
            mirrored, or five of them nowhere.
    """
    check_overlap(label_map.grid, volume.grid)
    fit = label_fit(label_map, volume)
    if fit.outside > _MOST_OUTSIDE:
        raise InputError(
            f"{100 * fit.outside:.0f} % of its labelled voxels lie outside the volume",
            where="segmentation",
            remedy="check that both come from the same CT and are in the patient's frame",
        )
    notes = ()
    if fit.outside > _SAID_OUTSIDE:
        notes = (f"{100 * fit.outside:.0f} % of the labelled voxels lie outside the volume",)
    misfit = _misfit(fit) if volume.kind == "ct" else None
    if misfit is None:
        return notes
    if _is_plain(fit):
        raise InputError(
            misfit,
            where="segmentation",
            remedy="check that it was made from this CT and saved in the patient's frame; or leave it out",
        )
    return (*notes, misfit)


def _is_plain(fit: "LabelFit") -> bool:
    """Whether a misfit cannot be chance, nor so small that it may be left to the user."""
    if fit.extent_mm < _LARGE_MM:
        return False
    if max(fit.contrast_shifted, fit.contrast_mirrored) < _PLAIN_HU:
        return fit.contrast < _NO_HU and fit.labels >= _MANY_LABELS
    return _is_mirrored(fit) or float(np.linalg.norm(fit.shift_mm)) >= _REFUSED_MM


def _misfit(fit: "LabelFit") -> str | None:
    """In words; None if the labels fit as well in their place as anywhere near."""
    here = f"in its place the CT steps by {fit.contrast:.0f} HU across the labels' surfaces"
    if _is_mirrored(fit):
        return (
            f"it fits the volume with left and right swapped ({here}, swapped by {fit.contrast_mirrored:.0f})"
        )
    distance = float(np.linalg.norm(fit.shift_mm))
    if (
        fit.contrast_shifted >= _WEAK_HU
        and fit.contrast < 0.9 * fit.contrast_shifted
        and distance >= _SAID_MM
    ):
        x, y, z = fit.shift_mm
        return (
            f"it fits the volume better {distance:.0f} mm away ({here}, moved by x {x:+.0f}, y {y:+.0f}, "
            f"z {z:+.0f} mm LPS by {fit.contrast_shifted:.0f})"
        )
    if fit.contrast < _NO_HU:
        return f"its labels follow nothing that the volume shows ({here}, bones have 100)"
    return None


def _is_mirrored(fit: "LabelFit") -> bool:
    return fit.contrast_mirrored >= max(_WEAK_HU, 1.5 * fit.contrast_shifted)


def label_fit(label_map: LabelMap, volume: Volume) -> LabelFit:
    """Compare the steps of the volume's values across the labels' surfaces: in place, shifted, and mirrored.

    What a label is need not be known: at its right place, the step across its surface has one sign and
    size, whatever that is; elsewhere steps average out. Shifts of up to 40 mm are tried.
    """
    points, labels = _points_in(label_map)
    index = points @ volume.grid.index_from_patient[:3, :3].T + volume.grid.index_from_patient[:3, 3]
    outside = float(((index < -0.5) | (index > np.array(volume.grid.size) - 0.5)).any(axis=1).mean())
    extent_mm = float(np.linalg.norm(np.ptp(points, axis=0)))
    pairs, values = _pairs(points, labels, label_map), _Values(volume)
    if not len(pairs.label):
        return LabelFit(outside, 0, extent_mm, 0.0, np.zeros(3), 0.0, 0.0)
    shift, shifted = _best_shift(values, pairs)
    mirrored = _best_shift(values, pairs.mirrored())[1]
    number = int(pairs.label.max()) + 1
    return LabelFit(outside, number, extent_mm, _contrast(values, pairs, 0.0), shift, shifted, mirrored)


class _Values:
    """The volume's values in cells of about 2 mm, with a rim of the lowest."""

    def __init__(self, volume: Volume):
        factors = np.minimum(
            np.maximum(1, np.round(_CELL_MM / volume.grid.spacing_mm)).astype(int), volume.grid.size
        )
        cells = SimpleITK.GetArrayFromImage(
            SimpleITK.BinShrink(SimpleITK.GetImageFromArray(volume.hu), factors.tolist())
        )
        cells = np.pad(np.clip(cells, *_CLIP_HU), 1, mode="edge")
        self._cells, self._most = cells.ravel(), np.array(cells.shape[::-1]) - 1
        self._strides = np.array([1, cells.shape[2], cells.shape[1] * cells.shape[2]])
        index_from_cell = np.diag([*map(float, factors), 1.0])
        index_from_cell[:3, 3] = (factors - 1) / 2 - factors  # the rim comes first
        self._cell_from_patient = np.linalg.inv(volume.grid.patient_from_index @ index_from_cell)

    def at(self, points: np.ndarray) -> np.ndarray:
        """(n,) of points (n, 3), patient mm."""
        affine = self._cell_from_patient
        cell = np.rint(points @ affine[:3, :3].T + affine[:3, 3]).astype(np.intp)
        return self._cells[np.clip(cell, 0, self._most) @ self._strides]


def _points_in(label_map: LabelMap) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3), patient mm, drawn from all labelled voxels, and their labels."""
    rng = np.random.default_rng(0)
    flat = np.flatnonzero(label_map.labels)
    drawn = flat[rng.integers(0, len(flat), _CANDIDATES)]
    k, j, i = np.unravel_index(drawn, label_map.labels.shape)
    affine = label_map.grid.patient_from_index
    points = np.stack([i, j, k], axis=1) @ affine[:3, :3].T + affine[:3, 3]
    return points, label_map.labels[k, j, i]


def _pairs(points: np.ndarray, labels: np.ndarray, label_map: LabelMap) -> _Pairs:
    """Those of the points from which 5 mm in some direction lead out of their label, and where to."""
    rng = np.random.default_rng(1)
    aside = rng.normal(size=points.shape)
    ends = points + _ACROSS_MM * aside / np.linalg.norm(aside, axis=1, keepdims=True)
    affine = label_map.grid.index_from_patient
    index = np.rint(ends @ affine[:3, :3].T + affine[:3, 3]).astype(np.intp)
    known = ((index >= 0) & (index < label_map.grid.size)).all(axis=1)
    i, j, k = np.where(known[:, None], index, 0).T
    crosses = known & (label_map.labels[k, j, i] != labels)
    _, number, count = np.unique(labels[crosses], return_inverse=True, return_counts=True)
    enough = np.flatnonzero(crosses)[count[number] >= _LEAST_PAIRS]
    enough = enough[:_MOST_PAIRS]
    return _Pairs(points[enough], ends[enough], np.unique(labels[enough], return_inverse=True)[1])


def _contrast(values: _Values, pairs: _Pairs, shift: np.ndarray | float) -> float:
    """Steps from outer to inner point, clipped to 200 HU: mean of each label, then of their sizes."""
    steps = np.clip(values.at(pairs.inner + shift) - values.at(pairs.outer + shift), -_STEP_HU, _STEP_HU)
    return float(np.abs(np.bincount(pairs.label, steps)).sum()) / len(steps)


def _best_shift(values: _Values, pairs: _Pairs) -> tuple[np.ndarray, float]:
    """(3,) mm, and its contrast: coarse steps over the whole reach on few pairs, then finer ones."""
    best = np.zeros(3)
    for reach, step, thin in _SEARCH:
        offsets = np.arange(-reach, reach + step / 2, step)
        shifts = best + np.stack(np.meshgrid(offsets, offsets, offsets), axis=-1).reshape(-1, 3)
        some = pairs.every(thin)
        best = max(shifts, key=lambda shift: _contrast(values, some, shift))
    return best, _contrast(values, pairs, best)
