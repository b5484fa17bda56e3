"""Rigid registration of a CT with a template by their coarse bone maps; the same result on every run.

Where to begin: at every shift of a few turns of the CT, the correlation of the parts that both show
(D. Padfield, "Masked object registration in the Fourier domain", 2012), so that it matters neither where the
two frames have their origins nor how the CTs are cropped. From the best, SimpleITK's registration goes on.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK

from ..geometry import about, apply, inverse, rotation_angle_deg, translation
from .bone_maps import BoneMap, affine_transform

_TURNS_DEG = (
    (0, 0, 0),
    *(20 * np.vstack([np.eye(3), -np.eye(3)])).tolist(),
    *itertools.product((-17, 17), repeat=3),  # two patients seldom lie turned by more than 30 degrees
)
_SEARCH_MM = 10.0
_FFT_MULTIPLE, _AXES = 12, (0, 1, 2)
_PEAKS, _APART_VOXELS = 3, 4  # of each turn
_REFINED = 2
_LEAST_SHARE = 0.5  # of the bones of the CT that shows less
_MOST_TURN_DEG = 45.0
_FLAT = 1e-3  # without bone, there is nothing to correlate
_FAR_MM, _NEAR_MM = (6.0, 0.5), (1.5, 0.01)  # longest and shortest step
_MOST_STEPS = 80
_SAMPLED, _SEED = 0.25, 7


@dataclass(frozen=True)
class Likeness:
    """How alike a CT and the template are.

    Attributes:
        similarity: correlation of the blurred bone maps where both CTs see, -1 to 1.
        template_share: how much of the template's bone lies in the CT's field of view.
        patient_share: how much of the CT's bone lies in that of the template.
    """

    similarity: float
    template_share: float
    patient_share: float

    @property
    def share(self) -> float:
        """Of the CT that shows less: 1 where all its bones lie in the other's field of view."""
        return max(self.template_share, self.patient_share)


def likeness(template: BoneMap, patient: BoneMap, template_from_patient: np.ndarray) -> Likeness:
    """Of two smooth maps."""
    place = affine_transform(np.linalg.inv(template_from_patient))
    kinds = ((patient.bone, SimpleITK.sitkLinear), (patient.seen, SimpleITK.sitkNearestNeighbor))
    moved, seen = (
        SimpleITK.GetArrayFromImage(SimpleITK.Resample(each, template.bone, place, kind, 0.0))
        for each, kind in kinds
    )
    fixed = SimpleITK.GetArrayFromImage(template.bone)
    both = (seen > 0) & (SimpleITK.GetArrayFromImage(template.seen) > 0)
    one, other = fixed[both].astype(float), moved[both].astype(float)
    whole = SimpleITK.GetArrayFromImage(patient.bone).sum(dtype=float)
    size = (patient.voxel_mm / template.voxel_mm) ** 3
    shares = one.sum() / fixed.sum(dtype=float), other.sum() / (whole * size)
    flat = not both.any() or min(np.ptp(one), np.ptp(other)) < _FLAT
    similarity = 0.0 if flat else float(np.corrcoef(one, other)[0, 1])
    return Likeness(similarity, *(float(min(share, 1.0)) for share in shares))


def best_fit(template: BoneMap, patient: BoneMap) -> tuple[np.ndarray, Likeness] | None:
    """``template_from_patient`` (4, 4), rigid, and how alike they are there. Both maps smooth.

    None where they nowhere show enough of the same.
    """
    fixed = template.at(max(_SEARCH_MM, template.voxel_mm))
    moving = patient.at(fixed.voxel_mm)
    starts = _best(fixed, moving, _places(fixed, moving))[:_REFINED]
    nearer = _best(fixed, moving, [_refined(fixed, moving, start, _FAR_MM) for start in starts])[:1]
    found = _best(template, patient, [_refined(template, patient, place, _NEAR_MM) for place in nearer])
    return (found[0], likeness(template, patient, found[0])) if found else None


def _best(template: BoneMap, patient: BoneMap, places: list[np.ndarray]) -> list[np.ndarray]:
    """The possible ones of ``template_from_patient`` (4, 4), most alike first."""
    rated = [(likeness(template, patient, place), place) for place in places]
    possible = [
        (alike, place)
        for alike, place in rated
        if alike.share >= _LEAST_SHARE and rotation_angle_deg(place) <= _MOST_TURN_DEG
    ]
    return [place for _, place in sorted(possible, key=lambda each: -each[0].similarity)]


def _places(fixed: BoneMap, moving: BoneMap) -> list[np.ndarray]:
    """``template_from_patient`` (4, 4) of the best shifts of each turn; maps of one voxel size."""
    size = np.array(fixed.bone.GetSize()) + moving.bone.GetSize() - 1
    size = (-(-size // _FFT_MULTIPLE) * _FFT_MULTIPLE).tolist()[::-1]
    spectra = _spectra(fixed.arrays, size)
    centre, corner = moving.grid.centre_patient, np.array(fixed.bone.GetOrigin()) - moving.bone.GetOrigin()
    no_shift = np.array(moving.bone.GetSize()) - 1
    places = []
    for turn in _TURNS_DEG:
        motion = about(centre, np.radians([*turn, 0, 0, 0]))
        turned = [np.flip(array) for array in moving.moved(motion).arrays]
        for peak in _peaks(_correlation(spectra, _spectra(turned, size), size)):
            places.append(translation((peak - no_shift) * fixed.voxel_mm + corner) @ motion)
    return places


def _spectra(arrays: Sequence[np.ndarray], size: list[int]) -> tuple[np.ndarray, ...]:
    """Of the bone, its square, and what is seen; [k, j, i]."""
    bone, seen = (array.astype(float) for array in arrays)
    return tuple(np.fft.rfftn(array, size, _AXES) for array in (bone, bone**2, seen))


def _correlation(
    fixed: tuple[np.ndarray, ...], turned: tuple[np.ndarray, ...], size: list[int]
) -> np.ndarray:
    """Correlation of what both see at every shift ; -1 where that is too little."""
    (f, ff, f_seen), (m, mm, m_seen) = fixed, turned
    pairs = ((f_seen, m_seen), (f, m_seen), (f_seen, m), (ff, m_seen), (f_seen, mm), (f, m))
    count, sum_f, sum_m, sum_ff, sum_mm, sum_fm = (np.fft.irfftn(a * b, size, _AXES) for a, b in pairs)
    count = np.maximum(count, 1.0)
    variances = (sum_ff - sum_f**2 / count) * (sum_mm - sum_m**2 / count)
    whole_f, whole_m = (each[0, 0, 0].real for each in (f, m))
    enough = (sum_f >= _LEAST_SHARE * whole_f) | (sum_m >= _LEAST_SHARE * whole_m)
    enough &= variances > (_FLAT * whole_f * whole_m / count) ** 2
    result = np.full(size, -1.0)
    np.divide(sum_fm - sum_f * sum_m / count, np.sqrt(np.abs(variances)), out=result, where=enough)
    return result


def _peaks(correlation: np.ndarray) -> list[np.ndarray]:
    """Indices (i, j, k) of the highest values that lie apart, highest first."""
    peaks = []
    for _ in range(_PEAKS):
        peak = np.array(np.unravel_index(correlation.argmax(), correlation.shape))
        peaks.append(peak[::-1])
        correlation[tuple(slice(max(0, n - _APART_VOXELS), n + _APART_VOXELS + 1) for n in peak)] = -1
    return peaks


def _refined(
    template: BoneMap, patient: BoneMap, start: np.ndarray, steps_mm: tuple[float, float]
) -> np.ndarray:
    """``template_from_patient`` of the highest correlation near a start."""
    place = SimpleITK.VersorRigid3DTransform()
    centre = template.grid.centre_patient
    patient_from_template = inverse(start)
    place.SetCenter(centre.tolist())
    place.SetMatrix(patient_from_template[:3, :3].ravel().tolist(), 1e-6)
    place.SetTranslation((apply(patient_from_template, centre) - centre).tolist())
    method = SimpleITK.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)  # sums of several threads differ from run to run
    method.SetMetricAsCorrelation()
    method.SetMetricFixedMask(SimpleITK.Cast(template.seen, SimpleITK.sitkUInt8))
    method.SetMetricMovingMask(SimpleITK.Cast(patient.seen, SimpleITK.sitkUInt8))
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(_SAMPLED, _SEED)  # points of the grid are jittered
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(*steps_mm, _MOST_STEPS)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(place, inPlace=True)
    method.Execute(template.bone, patient.bone)
    found = np.eye(4)
    found[:3, :3] = np.reshape(place.GetMatrix(), (3, 3))
    found[:3, 3] = place.TransformPoint((0.0, 0.0, 0.0))
    return inverse(found)
