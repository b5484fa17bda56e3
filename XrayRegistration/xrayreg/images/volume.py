"""Preoperative volumes and label maps on their own grids."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import InputError

WATER_PER_MM = 0.0193
"""Linear attenuation of water at 70 keV, the effective energy of an abdominal C-arm beam (NIST XCOM)."""


KINDS = ("ct", "mr", "mr-inverted", "vessels")
"""A CT in HU; an MR whose bright tissue is dense, or whose dark is; an angiogram of which vessels count."""


@dataclass(frozen=True)
class Grid:
    """Where a voxel array lies in the patient.

    Attributes:
        size: (i, j, k) voxel counts; arrays are stored [k, j, i].
        patient_from_index: (4, 4) affine; (i, j, k) of a voxel centre to patient LPS, mm. Any
            orientation, oblique, left-handed (determinant < 0) or sheared (a tilted gantry).
    """

    size: tuple[int, int, int]
    patient_from_index: np.ndarray

    def __post_init__(self):
        affine = np.array(self.patient_from_index, dtype=float)
        object.__setattr__(self, "patient_from_index", affine)
        object.__setattr__(self, "size", tuple(int(n) for n in self.size))
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or np.linalg.det(affine[:3, :3]) == 0:
            raise InputError("the volume's index-to-patient matrix is not an invertible affine")

    @cached_property
    def index_from_patient(self) -> np.ndarray:
        return np.linalg.inv(self.patient_from_index)

    @property
    def spacing_mm(self) -> np.ndarray:
        """(3,) voxel spacing along i, j, k, mm."""
        return np.linalg.norm(self.patient_from_index[:3, :3], axis=0)

    @property
    def is_left_handed(self) -> bool:
        return bool(np.linalg.det(self.patient_from_index[:3, :3]) < 0)

    @property
    def centre_patient(self) -> np.ndarray:
        """(3,) centre of the voxel box, patient, mm."""
        middle = (np.array(self.size) - 1) / 2
        return self.patient_from_index[:3, :3] @ middle + self.patient_from_index[:3, 3]

    @property
    def corners_patient(self) -> np.ndarray:
        """(8, 3) outer corners of the voxel box, patient, mm."""
        ends = [(-0.5, n - 0.5) for n in self.size]
        corners = np.array([[i, j, k] for i in ends[0] for j in ends[1] for k in ends[2]])
        return corners @ self.patient_from_index[:3, :3].T + self.patient_from_index[:3, 3]

    @property
    def array_shape(self) -> tuple[int, int, int]:
        return self.size[::-1]


@dataclass(frozen=True)
class Volume:
    """A CT, or another volume that stands for one.

    Attributes:
        hu: [k, j, i] float32, Hounsfield units; of an MR its intensities.
        grid: its place in the patient.
        name: for people.
        notes: what was assumed in reading it, and what is odd about it.
        kind: of `KINDS`.
        frame_of_reference_uid: DICOM's name of the patient's frame; empty where the file has none.
    """

    hu: np.ndarray
    grid: Grid
    name: str = "volume"
    notes: tuple[str, ...] = ()
    kind: str = "ct"
    frame_of_reference_uid: str = ""

    def __post_init__(self):
        _check_shape(self.hu, self.grid, self.name)
        if not np.isfinite(self.hu).all():
            raise InputError(
                "the volume holds NaN or infinite values",
                where=self.name,
                remedy="replace them, by -1000 where there is nothing",
            )


@dataclass(frozen=True)
class LabelMap:
    """A segmentation on its own grid, which may differ from the volume's.

    Attributes:
        labels: [k, j, i] integers, 0 is background.
        grid: its place in the patient.
        names: label value to structure name.
    """

    labels: np.ndarray
    grid: Grid
    names: dict[int, str]

    def __post_init__(self):
        _check_shape(self.labels, self.grid, "segmentation")

    def name_of(self, label: int) -> str:
        return self.names.get(label, f"label {label}")


def looks_like_hu(lowest: float) -> bool:
    """Whether a volume with this lowest value can be a CT in Hounsfield units.

    Around and in a patient there is always something below -100 HU: air (-1000) or at least fat. Values that
    start from 0, as those of MR and of raw CT files, hold no such.
    """
    return lowest < -100


def attenuation_per_mm(hu: np.ndarray, above_hu: float = -1000.0) -> np.ndarray:
    """Linear attenuation, 1/mm, from Hounsfield units by their definition; never negative.

    Args:
        hu: any shape.
        above_hu: the value that counts as nothing. -1000 is air. For a volume masked to single bones,
            the level of soft tissue, because the tissue around the bone is in the X-ray but not in
            the volume.
    """
    return (np.maximum(hu - above_hu, 0) * (WATER_PER_MM / 1000)).astype(np.float32)


def _check_shape(array: np.ndarray, grid: Grid, name: str) -> None:
    if array.shape != grid.array_shape:
        raise InputError(
            f"array shape {array.shape} does not fit the grid [k, j, i] {grid.array_shape}", where=name
        )
