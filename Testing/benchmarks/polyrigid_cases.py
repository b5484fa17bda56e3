"""Chests whose bones have moved, each by itself: real CT and labels, known motions, simulated X-rays.

The spine bends as a chain; ribs follow their vertebra and swing about it; collar bones turn where they meet
the breastbone, shoulder blades where they meet the collar bones, arms in their shoulders. Soft tissue follows
a smooth random field of its own. The moved chest is assembled at another sampling (bones pasted over tissue,
not added to it), and X-rayed by another projector with noise, scatter, beam hardening, blur and a tone curve
(`simulate_xray`).
"""

from dataclasses import dataclass, replace

import numpy as np
import SimpleITK
from cases import DATA, remembered
from xrayreg.geometry import Camera, CArm, about, apply, inverse
from xrayreg.images import (
    Grid,
    LabelMap,
    Volume,
    Xray,
    itk_image,
    line_integrals_from_transmission,
    read_label_map,
    read_volume,
)
from xrayreg.render import Density, Detector, render

PIXELS, SPACING_MM = 720, 0.6
SOURCE_TO_DETECTOR_MM, SOURCE_TO_ISOCENTER_MM = 1200.0, 900.0
SAMPLED_MM = 1.2
_DETECTED = 1500.0
SPINE = tuple(f"vertebrae_{name}" for name in [*(f"T{n}" for n in range(1, 13)), "L1"])
ALONE = (
    "scapula_left", "scapula_right", "clavicula_left", "clavicula_right",
    "humerus_left", "humerus_right", "sternum",
)  # fmt: skip
# What turns where it comes nearest to what it follows, by how much, degrees and mm per axis.
_JOINTS = (
    ("sternum", "vertebrae_T6", 3.0, 3.0),
    ("clavicula_left", "sternum", 4.0, 0.7),
    ("clavicula_right", "sternum", 4.0, 0.7),
    ("scapula_left", "clavicula_left", 4.0, 1.0),
    ("scapula_right", "clavicula_right", 4.0, 1.0),
    ("humerus_left", "scapula_left", 5.0, 1.0),
    ("humerus_right", "scapula_right", 5.0, 1.0),
)


@dataclass(frozen=True)
class Chest:
    """The CT, its labels, and what moves."""

    volume: Volume
    segmentation: LabelMap
    bodies: dict[str, tuple[int, ...]]


def chest(ribs: bool = True) -> Chest:
    volume = replace(read_volume(DATA / "chest_ct" / "cxr.nii.gz"), name="chest")
    segmentation = read_label_map(DATA / "chest_ct" / "mask.nii.gz", DATA / "chest_ct" / "structures.csv")
    label_of = {name: label for label, name in segmentation.names.items()}
    voxels = np.bincount(segmentation.labels.ravel(), minlength=max(label_of.values()) + 1)
    groups = {name: (name,) for name in (*SPINE, *ALONE)}
    if ribs:
        groups |= {f"ribs {n}": (f"rib_left_{n}", f"rib_right_{n}") for n in range(1, 13)}
    bodies = {}
    for name, parts in groups.items():
        labels = tuple(label_of[part] for part in parts if voxels[label_of[part]] > 500)
        if len(labels) == len(parts):
            bodies[name] = labels
    return Chest(volume, segmentation, bodies)


def motions(case: Chest, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """(4, 4) of each body, patient frame, since the CT: 3 to 15 degrees, 3 to 25 mm."""
    for _ in range(1000):
        found = _drawn(case, rng)
        sizes = np.array([_size(found[name], _middle(case, labels)) for name, labels in case.bodies.items()])
        if (sizes >= 3).all() and (sizes[:, 0] <= 15).all() and (sizes[:, 1] <= 25).all():
            return found
    raise RuntimeError("no plausible motion was drawn")


def _drawn(case: Chest, rng: np.random.Generator) -> dict[str, np.ndarray]:
    middles = {name: _middle(case, labels) for name, labels in case.bodies.items()}
    spine = [name for name in SPINE if name in case.bodies]
    root = len(spine) // 2
    bend = rng.normal(0, 1.0, 3)  # degrees from one vertebra to the next, the same way all along
    found = {spine[root]: about(middles[spine[root]], _twist(rng, 5.0, 8.0))}
    for order in (range(root + 1, len(spine)), range(root - 1, -1, -1)):
        for n in order:
            step = 1 if n > root else -1
            before, here = spine[n - step], spine[n]
            joint = (middles[before] + middles[here]) / 2
            turn = np.concatenate([np.radians(step * bend + rng.normal(0, 0.5, 3)), rng.normal(0, 0.4, 3)])
            found[here] = found[before] @ about(joint, turn)
    for name in case.bodies:
        if name.startswith("ribs"):
            follow = f"vertebrae_T{name.split()[1]}"
            turn = np.radians([rng.normal(0, 2.5), *rng.normal(0, 0.7, 2)])
            hinge = np.concatenate([turn, rng.normal(0, 0.7, 3)])
            found[name] = found[follow] @ about(middles[follow], hinge)
    for name, follow, deg, mm in _JOINTS:
        if name in case.bodies:
            joint = (
                middles[name] if name == "sternum" else _meeting(case, case.bodies[name], case.bodies[follow])
            )
            found[name] = found[follow] @ about(joint, _twist(rng, deg, mm))
    return found


def _twist(rng: np.random.Generator, deg: float, mm: float) -> np.ndarray:
    return np.concatenate([np.radians(rng.normal(0, deg, 3)), rng.normal(0, mm, 3)])


def _size(motion: np.ndarray, middle: np.ndarray) -> tuple[float, float]:
    turn = np.degrees(np.arccos(np.clip((np.trace(motion[:3, :3]) - 1) / 2, -1, 1)))
    return float(turn), float(np.linalg.norm(apply(motion, middle) - middle))


_MIDDLES: dict[tuple, np.ndarray] = {}
_MEETINGS: dict[tuple, np.ndarray] = {}


def _meeting(case: Chest, one: tuple[int, ...], other: tuple[int, ...]) -> np.ndarray:
    """(3,) between the nearest voxels of two bodies, patient, mm."""
    if (one, other) not in _MEETINGS:
        rng = np.random.default_rng(0)
        points = []
        for labels in (one, other):
            places = np.argwhere(np.isin(case.segmentation.labels, labels))
            places = places[rng.choice(len(places), min(3000, len(places)), replace=False)][:, ::-1]
            points.append(apply(case.segmentation.grid.patient_from_index, places.astype(float)))
        apart = np.linalg.norm(points[0][:, None] - points[1][None], axis=2)
        i, j = np.unravel_index(np.argmin(apart), apart.shape)
        _MEETINGS[one, other] = (points[0][i] + points[1][j]) / 2
    return _MEETINGS[one, other]


def _middle(case: Chest, labels: tuple[int, ...]) -> np.ndarray:
    if labels not in _MIDDLES:
        k, j, i = np.nonzero(np.isin(case.segmentation.labels, labels))
        middle = np.array([i.mean(), j.mean(), k.mean()])
        _MIDDLES[labels] = apply(case.segmentation.grid.patient_from_index, middle)
    return _MIDDLES[labels]


def moved_chest(case: Chest, by: dict[str, np.ndarray], seed: int, tissue_mm: float = 8.0) -> Volume:
    """The chest after the motions, assembled at `SAMPLED_MM`."""
    rng = np.random.default_rng([seed, 7])
    source = case.volume.grid
    low, high = source.corners_patient.min(axis=0), source.corners_patient.max(axis=0)
    affine = np.diag([SAMPLED_MM] * 3 + [1.0])
    affine[:3, 3] = low
    grid = Grid(tuple(int(n) for n in np.ceil((high - low) / SAMPLED_MM)), affine)
    bones = np.isin(case.segmentation.labels, [label for labels in case.bodies.values() for label in labels])
    rim = SimpleITK.GetArrayFromImage(
        SimpleITK.BinaryDilate(SimpleITK.GetImageFromArray(bones.astype(np.uint8)), [3, 3, 1])
    )
    tissue = np.where(rim > 0, np.minimum(case.volume.hu, 60), case.volume.hu)
    knots = rng.normal(0, tissue_mm / 2, (3, 5, 5, 5))
    hu = _warped(tissue, source, grid, knots)
    for name, labels in case.bodies.items():
        mask = np.isin(case.segmentation.labels, labels)
        box = tuple(
            slice(max(0, w[0] - 3), w[-1] + 4)
            for w in (np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != n))) for n in range(3))
        )
        first = np.eye(4)
        first[:3, 3] = [each.start for each in box][::-1]
        part = Grid(mask[box].shape[::-1], source.patient_from_index @ first)
        _paste(hu, grid, case.volume.hu[box], mask[box], part, by[name])
    return Volume(hu, grid, name=f"moved chest {seed}")


def _image(values: np.ndarray, grid: Grid) -> SimpleITK.Image:
    return itk_image(np.ascontiguousarray(values, dtype=np.float32), grid)


def _warped(values: np.ndarray, source: Grid, grid: Grid, knots: np.ndarray) -> np.ndarray:
    """Sampled through a smooth displacement, given at 5 x 5 x 5 places of the box."""
    low, high = grid.corners_patient.min(axis=0), grid.corners_patient.max(axis=0)
    coarse = SimpleITK.GetImageFromArray(np.ascontiguousarray(np.moveaxis(knots, 0, -1)), isVector=True)
    coarse.SetSpacing(((high - low) / 4).tolist())
    coarse.SetOrigin(low.tolist())
    like = _image(np.zeros(grid.array_shape, np.uint8), grid)
    small = SimpleITK.Resample(like, [n // 8 for n in grid.size], SimpleITK.Transform(), SimpleITK.sitkLinear,
                               like.GetOrigin(), [8.3 * SAMPLED_MM] * 3, like.GetDirection())  # fmt: skip
    field = SimpleITK.Resample(coarse, small, SimpleITK.Transform(), SimpleITK.sitkLinear, 0.0)
    transform = SimpleITK.DisplacementFieldTransform(SimpleITK.Cast(field, SimpleITK.sitkVectorFloat64))
    moved = SimpleITK.Resample(_image(values, source), like, transform, SimpleITK.sitkLinear, -1000.0)
    return SimpleITK.GetArrayFromImage(moved).astype(np.float32)


def _paste(
    hu: np.ndarray, grid: Grid, values: np.ndarray, mask: np.ndarray, part: Grid, motion: np.ndarray
) -> None:
    corners = apply(grid.index_from_patient @ motion, part.corners_patient)
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, grid.size)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, grid.size)
    if not (high > low).all():
        return
    first = np.eye(4)
    first[:3, 3] = low
    like = _image(
        np.zeros(tuple((high - low)[::-1]), np.uint8),
        Grid(tuple(high - low), grid.patient_from_index @ first),
    )
    back = inverse(motion)
    transform = SimpleITK.AffineTransform(3)
    transform.SetMatrix(back[:3, :3].ravel().tolist())
    transform.SetTranslation(back[:3, 3].tolist())
    sampled = [
        SimpleITK.GetArrayFromImage(
            SimpleITK.Resample(_image(each, part), like, transform, SimpleITK.sitkLinear, fill)
        )
        for each, fill in ((values, -1000.0), (mask, 0.0))
    ]
    i, j, k = (slice(a, b) for a, b in zip(low, high, strict=True))
    here = hu[k, j, i]
    hu[k, j, i] = np.where(sampled[1] > 0, sampled[1] * sampled[0] + (1 - sampled[1]) * here, here)


def views(volume: Volume, case: Chest, angles: list[tuple[float, float]], seed: int) -> list[Xray]:
    """X-rays by a calibrated rig, their cameras at the truth of the remainder: the CT's own frame."""
    xrays = []
    rng = np.random.default_rng([seed, 3])
    isocenter = case.volume.grid.centre_patient + rng.uniform(-10, 10, 3)
    for number, (primary, secondary) in enumerate(angles):
        carm = CArm(
            SOURCE_TO_DETECTOR_MM, SOURCE_TO_ISOCENTER_MM, primary, secondary, isocenter=tuple(isocenter)
        )
        camera = carm.camera((PIXELS, PIXELS), (SPACING_MM, SPACING_MM))
        mask = np.ones((PIXELS, PIXELS), bool)
        detector = Detector(seed=100 * seed + number, photons=_photons(volume, camera), gamma=0.8)
        pixels = remembered(volume, camera, detector, mask)
        image = line_integrals_from_transmission(pixels.astype(float), mask)
        xrays.append(Xray(image, camera, mask, f"view{number}", rig="rig"))
    return xrays


def _photons(volume: Volume, camera: Camera) -> float:
    middle = camera.cropped((PIXELS // 4, PIXELS // 4), (PIXELS // 2, PIXELS // 2)).binned(9)
    passing = float(np.exp(-render(Density.from_volume(volume), middle).double().numpy()).mean())
    return round(min(_DETECTED / passing, 4e5))
