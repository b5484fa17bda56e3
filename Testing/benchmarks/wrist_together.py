"""Real X-rays: the wrist's bones together, from where each alone was found, against their reference poses.

    python Testing/benchmarks/wrist_together.py OUT [--starts 50] [--views 2]

Starts as in `wrist.py`. Each bone is first registered alone (`register_rigid`), then all together. Found is a
bone as in `wrist.py`; the spread is that of the bones' places over starts, of those within 2 mm. OUT.jsonl
gets a row per start, OUT.txt the table.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from wrist import BONES, FRAMES, bone_of, errors, reference_of, xrays_of
from xrayreg.geometry import about, inverse
from xrayreg.register import (
    STAGES,
    Parts,
    SearchRange,
    body_of,
    joint_angle,
    register_bodies,
    register_rigid,
)

_NEAR = SearchRange((20.0,) * 3, (20.0,) * 3)
_TOGETHER = tuple(replace(stage, search=None) for stage in STAGES[-2:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--views", type=int, choices=[1, 2], default=2)
    options = parser.parse_args()
    lines = []
    with options.out.with_suffix(".jsonl").open("w") as file:
        for frame in FRAMES:
            rows = []
            for row in runs(frame, options.starts, options.views):
                rows.append(row)
                file.write(json.dumps(row) + "\n")
                file.flush()
            for bone in BONES:
                lines += [line_of(bone, frame, how, rows, options.views) for how in ("alone", "together")]
            for line in lines[-2 * len(BONES) :]:
                print(line, flush=True)
    options.out.with_suffix(".txt").write_text("\n".join(lines) + "\n")


def runs(frame: str, starts: int, views: int) -> Iterator[dict]:
    densities = {bone: bone_of(bone)[1] for bone in BONES}
    parts = Parts(tuple(body_of(bone, density) for bone, density in densities.items()), None)
    references = {bone: reference_of(bone, frame) for bone in BONES}
    rng = np.random.default_rng(1)
    in_rig = xrays_of(frame, np.eye(4))[:views]
    for _ in range(starts):
        row, alone, begun = {"frame": frame}, [], time.perf_counter()
        for bone, density in densities.items():
            limits = np.repeat([np.radians(20.0), 20.0], 3)
            motion = about(density.grid.centre_patient, rng.uniform(-limits, limits))
            xrays = xrays_of(frame, references[bone] @ motion)[:views]
            (rig,) = register_rigid(density, xrays, search=_NEAR)
            start, found = xrays[0].camera.camera_from_patient, rig.views[0].camera.camera_from_patient
            alone.append(references[bone] @ motion @ inverse(start) @ found)
        row["alone_s"], begun = time.perf_counter() - begun, time.perf_counter()
        together = register_bodies(parts, in_rig, start=alone, stages=_TOGETHER)
        row["together_s"] = time.perf_counter() - begun
        camera = in_rig[0].camera.camera_from_patient
        for bone, before, body in zip(BONES, alone, together.bodies, strict=True):
            at_reference = replace(in_rig[0], camera=in_rig[0].camera.moved(camera @ references[bone]))
            row[bone] = {
                how: errors(references[bone], found, camera @ found, np.eye(4), at_reference)
                | {"place": found[:3, 3].tolist()}
                for how, found in (("alone", before), ("together", body.patient_from_rest))
            }
            row[bone]["together"] |= {"verdict": body.verdict, "sigma_mm": body.uncertainty.sigma_mm}
        radius, ulna, hand = together.bodies
        row["angles"] = {
            "ulna to radius": joint_angle(radius, ulna),
            "hand to radius": joint_angle(radius, hand),
        }
        yield row


def line_of(bone: str, frame: str, how: str, rows: list[dict], views: int) -> str:
    found = [row[bone][how] for row in rows]
    keys = ("mm", "seen_mm", "off_axis_deg", "about_axis_deg")
    mm, seen, off, turn = (np.array([each[key] for each in found]) for key in keys)
    good = (mm < 0.5) & (off < 1) & (turn < 2) if views == 2 else seen < 0.5
    places = np.array([each["place"] for each in found])[mm < 2]
    spread = places.std(axis=0).max() if len(places) > 1 else float("nan")
    return (
        f"{bone:28} {frame} {how:8} found {100 * good.mean():5.1f} % of {len(found)}; medians "
        f"{np.median(mm):.2f} mm, {np.median(seen):.2f} mm across, {np.median(off):.2f}, "
        f"{np.median(turn):.2f} deg; spread of {len(places)} within 2 mm {spread:.3f} mm; "
        f"{np.median([row[f'{how}_s'] for row in rows]):.1f} s for all bones"
    )


if __name__ == "__main__":
    main()
