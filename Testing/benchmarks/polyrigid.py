"""Bone by bone on chests whose bones have moved: how far each is off, and what is said of it.

    python Testing/benchmarks/polyrigid.py OUT [--seeds 1 2 3] [--views 2] [--apart 30] [--no-ribs]
        [--unlinked] [--field] [--dense]

The cases are those of `polyrigid_cases.py`. The start is the rigid registration of the whole CT from the true
place of the remainder turned and shifted a little, as a C-arm's tags would give it. OUT.jsonl gets a row per
body, OUT.txt the table: bodies seen in every view, and those of them that are accepted. With --dense a field
that knows nothing of bodies (`dense_field.py`) stands beside: how far it leaves each body off, how far it
bends them (root mean square distance from the nearest rigid motion), and where it folds; once from the rigid
pose, and once, at its finest scale, from where the bodies were found (`from_bodies`).
"""

import argparse
import json
import resource
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from dense_field import SCALES, SMOOTHNESS, DenseField, bent_mm, register_dense
from polyrigid_cases import Chest, chest, motions, moved_chest, views
from xrayreg.articulate import Bodies, blend_of
from xrayreg.deform import PolyrigidField, field_grid, fold_count
from xrayreg.geometry import about, apply, inverse
from xrayreg.images import Xray
from xrayreg.register import RegisteredBody, neighbours, register_bodies, register_rigid, taken_apart
from xrayreg.render import Density

_START = np.concatenate([np.radians([3.0, -2.0, 4.0]), [8.0, -6.0, 7.0]])
_SEEN = 0.9  # of a body, in every view


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--apart", type=float, default=30.0, help="degrees from one view to the next")
    parser.add_argument("--no-ribs", action="store_true")
    parser.add_argument("--unlinked", action="store_true")
    parser.add_argument("--field", action="store_true", help="count the folds of the blended field too")
    parser.add_argument(
        "--dense", action="store_true", help="and a dense displacement field, two minutes more"
    )
    parser.add_argument("--smoothness", type=float, default=SMOOTHNESS, help="of that field")
    options = parser.parse_args()
    case, rows = chest(ribs=not options.no_ribs), []
    with options.out.with_suffix(".jsonl").open("w") as file:
        for seed in options.seeds:
            found = measured(case, seed, options)
            file.writelines(json.dumps(row) + "\n" for row in found)
            file.flush()
            rows += found
            print(line_of(f"seed {seed}", found), flush=True)
    report = line_of(f"{options.views} views, {options.apart:g} degrees apart", rows)
    print(report)
    options.out.with_suffix(".txt").write_text(report + "\n")


def measured(case: Chest, seed: int, options: argparse.Namespace) -> list[dict]:
    truth = motions(case, np.random.default_rng(seed))
    angles = [(options.apart * (n - (options.views - 1) / 2), 0.0) for n in range(options.views)]
    at_truth = views(moved_chest(case, truth, seed), case, angles, seed)
    start = about(case.volume.grid.centre_patient, _START)
    xrays = [replace(x, camera=x.camera.moved(x.camera.camera_from_patient @ start)) for x in at_truth]
    begun = time.perf_counter()
    (rig,) = register_rigid(Density.from_volume(case.volume), xrays)
    rigid_s = time.perf_counter() - begun
    placed = [replace(x, camera=view.camera) for x, view in zip(xrays, rig.views, strict=True)]
    begun = time.perf_counter()
    parts = taken_apart(case.volume, case.segmentation, case.bodies)
    links = () if options.unlinked else neighbours(parts.bodies)
    found = register_bodies(parts, placed, links)
    bodies_s = time.perf_counter() - begun
    # Where the views' pose and the body's motion together put a point, against where it is.
    off = inverse(at_truth[0].camera.camera_from_patient) @ found.cameras[0].camera_from_patient
    rows = []
    for each in found.bodies:
        name, points = each.name, each.body.points
        now = apply(truth[name], points)
        rows.append(
            {
                "seed": seed,
                "body": name,
                "start_mm": _mean(points, now),
                "rigid_mm": _mean(apply(off, points), now),
                "tre_mm": _mean(apply(off @ each.patient_from_rest, points), now),
                "seen": min(_seen(x, now) for x in at_truth),
                "verdict": each.verdict,
                "reasons": list(each.reasons),
                "sigma_mm": each.uncertainty.sigma_mm,
                "lead": each.lead,
                "support": each.support,
                "rigid_s": rigid_s,
                "bodies_s": bodies_s,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            }
        )
    if options.field or options.dense:
        blend = blend_of(Bodies(case.segmentation, case.bodies), found, case.volume.grid)
        _add_field(rows, "polyrigid", blend.field, blend.folds, found.bodies)
        print(*blend.notices, sep="\n", flush=True)
    if options.dense:
        off = inverse(at_truth[0].camera.camera_from_patient) @ placed[0].camera.camera_from_patient
        density = Density.from_volume(case.volume)
        for how, start in (("dense", None), ("from_bodies", blend.field.displacements)):
            begun = time.perf_counter()
            scales = SCALES if start is None else SCALES[-1:]
            dense = register_dense(density, placed, options.smoothness, scales, start)
            seconds = time.perf_counter() - begun
            grid = field_grid(case.volume.grid)
            _add_field(rows, how, dense, fold_count(dense.displacements(grid), grid), found.bodies)
            for row, each in zip(rows, found.bodies, strict=True):
                now = apply(truth[each.name], each.body.points)
                row[f"{how}_mm"] = _mean(apply(off, dense.patient_from_rest(each.body.points)), now)
                row[f"{how}_s"] = seconds
    return rows


def _add_field(
    rows: list[dict],
    name: str,
    field: PolyrigidField | DenseField,
    folds: int,
    bodies: Sequence[RegisteredBody],
) -> None:
    """How far it bends each body, and its folds."""
    for row, each in zip(rows, bodies, strict=True):
        points = each.body.points
        row[f"{name}_bent_mm"] = bent_mm(points, field.patient_from_rest(points))
        row[f"{name}_folds"] = folds
    print(f"{name}: folds at {folds} points", flush=True)


def line_of(name: str, rows: list[dict]) -> str:
    """The table's line."""
    seen = [row for row in rows if row["seen"] >= _SEEN]
    sure = [row for row in seen if row["verdict"] == "accept"]
    text = (
        f"{name}: {len(rows)} bodies; {_spread('start', seen, 'start_mm')}\n"
        f"  {_spread('rigid', seen, 'rigid_mm')}, {_spread('polyrigid', seen, 'tre_mm')}\n"
        f"  {_spread('accepted', sure, 'tre_mm')}\n"
        f"  rigid {np.median([r['rigid_s'] for r in rows]):.0f} s, bodies "
        f"{np.median([r['bodies_s'] for r in rows]):.0f} s, at most {max(r['peak_mb'] for r in rows):.0f} MB"
    )
    for how in ("dense", "from_bodies"):
        if f"{how}_mm" in rows[0]:
            seconds = np.median([row[f"{how}_s"] for row in rows])
            text += f"\n  {_spread(how, seen, f'{how}_mm')}, {seconds:.0f} s"
    for how in ("polyrigid", "dense", "from_bodies"):
        if f"{how}_bent_mm" in rows[0]:
            # Rejected bodies go with what is around them.
            held = [row for row in seen if how != "polyrigid" or row["verdict"] != "reject"]
            bent = [row[f"{how}_bent_mm"] for row in held]
            folds = sum({row["seed"]: row[f"{how}_folds"] for row in rows}.values())
            text += (
                f"\n  {how} bends bodies by {np.median(bent):.2g} mm, at most {max(bent):.2g}; folds {folds}"
            )
    return text


def _spread(name: str, rows: list[dict], key: str) -> str:
    values = [row[key] for row in rows]
    if not values:
        return f"{name} none"
    return f"{name} of {len(values)} {np.median(values):.2f} mm (95 %: {np.percentile(values, 95):.2f})"


def _mean(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b, axis=1).mean())


def _seen(xray: Xray, points: np.ndarray) -> float:
    pixel = xray.camera.project(points)
    return float(((pixel > 0) & (pixel < np.array(xray.camera.size) - 1)).all(axis=1).mean())


if __name__ == "__main__":
    main()
