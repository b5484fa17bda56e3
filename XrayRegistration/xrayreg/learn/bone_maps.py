"""Coarse maps of where a CT has bone, by which CTs of several patients are compared and brought together."""

from dataclasses import dataclass

import numpy as np
import SimpleITK

from ..errors import InputError
from ..images import Grid, Volume

_BONE_HU = (150.0, 500.0)
"""From no bone to all bone. Above, bones count alike: metal and thick cortex must not outweigh the rest."""
_SMOOTH_MM = 5.0  # two patients' bones lie about this far apart when they lie as well as they can
_LEAST_BONE_ML = 5.0
_LEAST_VOXELS = 5


@dataclass(frozen=True)
class BoneMap:
    """Share of bone in cubic voxels along the axes of the patient, LPS.

    Attributes:
        bone: SimpleITK image, float32, 0 to 1; 0 outside the field of view.
        seen: SimpleITK image, float32, 1 inside the CT's field of view, 0 outside.
    """

    bone: SimpleITK.Image
    seen: SimpleITK.Image

    @property
    def voxel_mm(self) -> float:
        return self.bone.GetSpacing()[0]

    @property
    def grid(self) -> Grid:
        affine = np.diag([self.voxel_mm] * 3 + [1.0])
        affine[:3, 3] = self.bone.GetOrigin()
        return Grid(self.bone.GetSize(), affine)

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Copies of ``bone`` and ``seen``, [k, j, i]."""
        return SimpleITK.GetArrayFromImage(self.bone), SimpleITK.GetArrayFromImage(self.seen)

    def smooth(self) -> "BoneMap":
        """Blurred; at the edges of the field of view only what lies inside counts."""
        bone, weight = (
            SimpleITK.GetArrayFromImage(SimpleITK.DiscreteGaussian(each, _SMOOTH_MM**2, 32, 0.01, True))
            for each in (self.bone, self.seen)
        )
        seen = SimpleITK.GetArrayFromImage(self.seen)
        blurred = np.divide(bone, weight, out=np.zeros_like(bone), where=seen > 0)
        return map_of((blurred, seen), self.voxel_mm, self.bone.GetOrigin())

    def at(self, voxel_mm: float) -> "BoneMap":
        """Of a smooth map, at another voxel size."""
        size = np.maximum(1, np.ceil(np.array(self.bone.GetSize()) * self.voxel_mm / voxel_mm)).astype(int)
        target = SimpleITK.Image(size.tolist(), SimpleITK.sitkFloat32)
        target.SetSpacing([voxel_mm] * 3)
        target.SetOrigin((self.grid.centre_patient - (size - 1) / 2 * voxel_mm).tolist())
        return self._resampled(target, np.eye(4))

    def moved(self, motion: np.ndarray) -> "BoneMap":
        """Moved within its box by a motion (4, 4)."""
        return self._resampled(self.bone, np.linalg.inv(motion))

    def _resampled(self, target: SimpleITK.Image, self_from_target: np.ndarray) -> "BoneMap":
        place = affine_transform(self_from_target)
        bone = SimpleITK.Resample(self.bone, target, place, SimpleITK.sitkLinear, 0.0)
        return BoneMap(bone, SimpleITK.Resample(self.seen, target, place, SimpleITK.sitkNearestNeighbor, 0.0))


def map_of(arrays: tuple[np.ndarray, np.ndarray], voxel_mm: float, origin: np.ndarray) -> BoneMap:
    """From [k, j, i] arrays of bone and of what is seen; ``origin`` (3,): patient, mm, of the first voxel."""
    images = []
    for array in arrays:
        image = SimpleITK.GetImageFromArray(np.ascontiguousarray(array, dtype=np.float32))
        image.SetSpacing([voxel_mm] * 3)
        image.SetOrigin([float(x) for x in origin])
        images.append(image)
    return BoneMap(*images)


def bone_map(volume: Volume, voxel_mm: float) -> BoneMap:
    """The bones of a CT of any grid, oblique, left-handed or sheared.

    Raises:
        InputError: if it is no CT, or one that is thin or hardly has bones.
    """
    if volume.kind != "ct":
        raise InputError(
            f"it is of kind '{volume.kind}', and only CTs are compared by their bones",
            where=volume.name,
            remedy="leave it out",
        )
    low, high = volume.grid.corners_patient.min(axis=0), volume.grid.corners_patient.max(axis=0)
    size = np.floor((high - low) / voxel_mm).astype(int)
    if size.min() < _LEAST_VOXELS:
        raise InputError(
            f"it is only {(high - low).min():.0f} mm thick, too little to compare",
            where=volume.name,
            remedy="leave it out",
        )
    origin = (low + high) / 2 - (size - 1) / 2 * voxel_mm
    target = SimpleITK.Image(size.tolist(), SimpleITK.sitkFloat32)
    target.SetSpacing([float(voxel_mm)] * 3)
    target.SetOrigin(origin.tolist())
    outside = -1.0
    found = SimpleITK.Resample(
        _in_blocks(volume, voxel_mm),
        target,
        affine_transform(volume.grid.index_from_patient),
        SimpleITK.sitkLinear,
        outside,
        SimpleITK.sitkFloat32,
    )
    bone = SimpleITK.GetArrayFromImage(found)
    if np.maximum(bone, 0).sum() * voxel_mm**3 / 1000 < _LEAST_BONE_ML:
        raise InputError(
            f"less than {_LEAST_BONE_ML:g} ml are bone (above {np.mean(_BONE_HU):g} HU)",
            where=volume.name,
            remedy="give CTs in Hounsfield units that show bones",
        )
    return map_of((np.maximum(bone, 0), bone > outside / 2), voxel_mm, origin)


def _in_blocks(volume: Volume, voxel_mm: float) -> SimpleITK.Image:
    """Means of the bone in blocks of at most ``voxel_mm``; its coordinates are the CT's (i, j, k)."""
    bone = SimpleITK.IntensityWindowing(SimpleITK.GetImageFromArray(volume.hu), *_BONE_HU, 0.0, 1.0)
    factors = np.maximum(1, np.floor(voxel_mm / volume.grid.spacing_mm)).astype(int)
    return SimpleITK.BinShrink(bone, np.minimum(factors, volume.grid.size).tolist())


def affine_transform(a_from_b: np.ndarray) -> SimpleITK.AffineTransform:
    """SimpleITK's form of an affine map (4, 4)."""
    transform = SimpleITK.AffineTransform(3)
    transform.SetMatrix(a_from_b[:3, :3].ravel().tolist())
    transform.SetTranslation(a_from_b[:3, 3].tolist())
    return transform
