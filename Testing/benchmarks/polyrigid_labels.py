"""Bone by bone with poor labels, and with an implant that the CT does not have.

    python Testing/benchmarks/polyrigid_labels.py OUT [--seed 1] [--few] [--cases as-is eroded dilated missing
        swapped implant]

The chest of `polyrigid_cases.py` in two views 30 degrees apart, registered as in `polyrigid.py`; with --few
only 13 bodies, the middle of the spine, its ribs and the breastbone: quicker, but harder, as all other bones
then move as tissue does. But with

- eroded, dilated: every label by 3 mm in all directions, as far as voxels of 2.5 mm allow; dilated labels
  take no voxel from each other,
- missing: no label for T7, which stays where the whole is,
- swapped: T6 and T7 with each other's label,
- implant: screws of 6 mm in both pedicles of T6 to T8, rods of 6 mm along them, of titanium's attenuation, in
  the X-rays alone.

What `xrayreg check` says of the labels is told for each. OUT.jsonl gets a row per body, OUT.txt the table:
the TRE by name, over points of the true bone, of bodies that both views see.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK
from polyrigid import _SEEN, _START, _mean, _seen, _spread
from polyrigid_cases import Chest, chest, motions, moved_chest, views
from xrayreg.audit import check_inputs
from xrayreg.errors import InputError
from xrayreg.geometry import about, apply, inverse
from xrayreg.images import Box, Grid, LabelMap, Volume, box_around
from xrayreg.register import neighbours, register_bodies, register_rigid, taken_apart
from xrayreg.render import Density

_FEW = (*(f"vertebrae_T{n}" for n in range(4, 11)), "sternum", *(f"ribs {n}" for n in range(4, 9)))
_ANGLES = [(-15.0, 0.0), (15.0, 0.0)]
_MARGIN_MM = 3.0
_MISSING, _SWAPPED = "vertebrae_T7", ("vertebrae_T6", "vertebrae_T7")
_FUSED = ("vertebrae_T6", "vertebrae_T7", "vertebrae_T8")
_TITANIUM_HU, _IMPLANT_RADIUS_MM = 11_500.0, 3.0
# From a vertebra's middle to a screw's tip and head, mm: to the left, to the back, up.
_TIP, _HEAD = np.array([9.0, -16.0, 2.0]), np.array([17.0, 26.0, 6.0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--few", action="store_true", help="13 bodies")
    options = parser.parse_args()
    case = chest()
    if options.few:
        case = replace(case, bodies={name: case.bodies[name] for name in _FEW})
    truth = motions(case, np.random.default_rng(options.seed))
    moved = moved_chest(case, truth, options.seed)
    points = {
        body.name: body.points for body in taken_apart(case.volume, case.segmentation, case.bodies).bodies
    }
    lines = []
    with options.out.with_suffix(".jsonl").open("w") as file:
        for name in options.cases:
            given = CASES[name](case)
            inside = with_implant(moved, case, truth) if name == "implant" else moved
            rows, told = measured(name, given, inside, truth, points, options.seed)
            file.writelines(json.dumps(row) + "\n" for row in rows)
            file.flush()
            lines.append(line_of(name, rows, len(case.bodies), told))
            print(lines[-1], flush=True)
    options.out.with_suffix(".txt").write_text("\n".join(lines) + "\n")


def measured(
    name: str, case: Chest, moved: Volume, truth: dict, points: dict, seed: int
) -> tuple[list[dict], list[str]]:
    """A row per body, and what the check says."""
    at_truth = views(moved, case, _ANGLES, seed)
    start = about(case.volume.grid.centre_patient, _START)
    xrays = [replace(x, camera=x.camera.moved(x.camera.camera_from_patient @ start)) for x in at_truth]
    fits = check_inputs(case.volume, xrays, case.segmentation)
    told = [each.text for fit in fits for each in fit.findings if "segmentation" in fit.of]
    (rig,) = register_rigid(Density.from_volume(case.volume), xrays)
    placed = [replace(x, camera=view.camera) for x, view in zip(xrays, rig.views, strict=True)]
    begun = time.perf_counter()
    parts = taken_apart(case.volume, case.segmentation, case.bodies)
    found = register_bodies(parts, placed, neighbours(parts.bodies))
    seconds = time.perf_counter() - begun
    off = inverse(at_truth[0].camera.camera_from_patient) @ found.cameras[0].camera_from_patient
    rows = []
    for each in found.bodies:
        at = points[each.name]
        now = apply(truth[each.name], at)
        rows.append(
            {
                "case": name,
                "seed": seed,
                "body": each.name,
                "rigid_mm": _mean(apply(off, at), now),
                "tre_mm": _mean(apply(off @ each.patient_from_rest, at), now),
                "seen": min(_seen(x, now) for x in at_truth),
                "verdict": each.verdict,
                "reasons": list(each.reasons),
                "seconds": seconds,
            }
        )
    return rows, told


def line_of(name: str, rows: list[dict], bodies: int, told: list[str]) -> str:
    seen = [row for row in rows if row["seen"] >= _SEEN]
    sure = [row for row in seen if row["verdict"] == "accept"]
    worst = max((row["tre_mm"] for row in sure), default=0.0)
    return (
        f"{name}: {len(rows)} of {bodies} bodies; {_spread('rigid', seen, 'rigid_mm')}, "
        f"{_spread('polyrigid', seen, 'tre_mm')};\n"
        f"  {_spread('accepted', sure, 'tre_mm')}, at most {worst:.2f}; {rows[0]['seconds']:.0f} s\n"
        f"  check: {'; '.join(told) or 'nothing to say'}"
    )


def _as_is(case: Chest) -> Chest:
    return case


def _eroded(case: Chest) -> Chest:
    """Bodies of which nothing is left are left out."""
    labels = np.zeros_like(case.segmentation.labels)
    for label, box, mask in _masks(case):
        labels[box][_changed(SimpleITK.BinaryErode, mask, case)] = label
    return _with(case, labels)


def _dilated(case: Chest) -> Chest:
    labels = case.segmentation.labels.copy()
    for label, box, mask in _masks(case):
        labels[box][_changed(SimpleITK.BinaryDilate, mask, case) & (labels[box] == 0)] = label
    return _with(case, labels)


def _missing(case: Chest) -> Chest:
    labels = np.where(np.isin(case.segmentation.labels, case.bodies[_MISSING]), 0, case.segmentation.labels)
    bodies = {name: own for name, own in case.bodies.items() if name != _MISSING}
    return replace(case, segmentation=replace(case.segmentation, labels=labels), bodies=bodies)


def _swapped(case: Chest) -> Chest:
    (a,), (b,) = (case.bodies[name] for name in _SWAPPED)
    other = np.arange(int(case.segmentation.labels.max()) + 1)
    other[[a, b]] = b, a
    labels = other[case.segmentation.labels].astype(case.segmentation.labels.dtype)
    return replace(case, segmentation=replace(case.segmentation, labels=labels))


CASES = {
    "as-is": _as_is,
    "eroded": _eroded,
    "dilated": _dilated,
    "missing": _missing,
    "swapped": _swapped,
    "implant": _as_is,
}


def _masks(case: Chest) -> Iterator[tuple[int, Box, np.ndarray]]:
    """Each label, a box with room around it, and where in that it is."""
    for labels in case.bodies.values():
        for label in labels:
            mask = case.segmentation.labels == label
            box = box_around(mask, [2 * radius for radius in _radius(case)])
            yield label, box, mask[box]


def _changed(how: Callable, mask: np.ndarray, case: Chest) -> np.ndarray:
    image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    return SimpleITK.GetArrayFromImage(how(image, _radius(case))) > 0


def _radius(case: Chest) -> list[int]:
    return [round(_MARGIN_MM / float(spacing)) for spacing in case.segmentation.grid.spacing_mm]


def _with(case: Chest, labels: np.ndarray) -> Chest:
    """With other labels, and the bodies that can still be told from tissue."""
    segmentation: LabelMap = replace(case.segmentation, labels=labels)
    bodies = {}
    for name, own in case.bodies.items():
        try:
            taken_apart(case.volume, segmentation, {name: own})
        except InputError:
            continue
        bodies[name] = own
    return replace(case, segmentation=segmentation, bodies=bodies)


def with_implant(moved: Volume, case: Chest, truth: dict[str, np.ndarray]) -> Volume:
    """The moved chest with screws, which have gone with their vertebrae, and rods from head to head."""
    hu = moved.hu.copy()
    for side in (-1, 1):
        mirror = np.array([side, 1, 1])
        heads = []
        for name in _FUSED:
            voxels = np.argwhere(np.isin(case.segmentation.labels, case.bodies[name]))[:, ::-1]
            middle = apply(case.segmentation.grid.patient_from_index, voxels.mean(axis=0))
            tip, head = (apply(truth[name], middle + mirror * offset) for offset in (_TIP, _HEAD))
            _draw(hu, moved.grid, tip, head)
            heads.append(head)
        for one, other in itertools.pairwise(heads):
            _draw(hu, moved.grid, one, other)
    return replace(moved, hu=hu, name=f"{moved.name} with implant")


def _draw(hu: np.ndarray, grid: Grid, start: np.ndarray, end: np.ndarray) -> None:
    """A round bar."""
    ends = apply(grid.index_from_patient, np.stack([start, end]))
    room = 2 * _IMPLANT_RADIUS_MM / grid.spacing_mm
    low = np.clip(np.floor(ends.min(axis=0) - room), 0, grid.size).astype(int)
    high = np.clip(np.ceil(ends.max(axis=0) + room), 0, grid.size).astype(int)
    k, j, i = np.meshgrid(
        *(np.arange(a, b) for a, b in zip(low[::-1], high[::-1], strict=True)), indexing="ij"
    )
    places = apply(grid.patient_from_index, np.stack([i, j, k], axis=-1).astype(float))
    length = np.linalg.norm(end - start)
    along = (end - start) / length
    at = ((places - start) @ along).clip(0, length)
    apart = np.linalg.norm(places - start - at[..., None] * along, axis=-1)
    part = hu[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
    part[apart < _IMPLANT_RADIUS_MM] = _TITANIUM_HU


if __name__ == "__main__":
    main()
