"""Real X-rays: the wrist's bones together against each alone, and the angles between them.

    python Testing/benchmarks/wrist_together.py OUT [--starts 50] [--searched 4] [--views 1|2]

Both frames, from the same starts: each bone alone (`refine`), then all together (`register_bodies`).

- near: starts within 2 degrees and 2 mm of the reference per axis, refined without a search, so that what
  alone and together differ by is not the search. Repeatability is told from these.
- searched: starts as in `wrist.py`, 20 degrees and 20 mm. Each bone is searched for alone (`register_rigid`),
  and all together go on from there.

Found is a bone as in `wrist.py`. Placed it is within 0.5 mm and 1 degree off its axis, however it is turned
about that, which the references hardly tell; in one view, within 0.5 mm across the beam. The spread is the
root mean square distance of the bone's points from their mean place over the starts that placed it. An angle
is how far two bones have turned against each other from the first frame to the second, of starts that placed
both, alone and together; with the spread that the registration states. OUT.jsonl
gets a row per start, OUT.txt the table, OUT_frame_view.png the bones' outlines from the first start.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from wrist import BONES, FRAMES, bone_of, errors, reference_of, xrays_of
from xrayreg.geometry import about, apply, inverse, rotation_angle_deg
from xrayreg.images import LabelMap, Xray
from xrayreg.overlays import Overlay, overlay_picture, picture_camera, structure_outlines
from xrayreg.register import (
    STAGES,
    Articulated,
    Body,
    Parts,
    SearchRange,
    body_of,
    joint_angle,
    refine,
    register_bodies,
    register_rigid,
)

_NEAR = (2.0, 2.0)  # degrees, mm, either way per axis
_FAR = (20.0, 20.0)
_SEARCH = SearchRange((20.0,) * 3, (20.0,) * 3)
_TOGETHER = tuple(replace(stage, search=None) for stage in STAGES[1:])
_JOINTS = {"ulna to radius": ("radius", "ulna"), "hand to radius": ("radius", BONES[2])}
_WAYS = ("alone", "together")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--starts", type=int, default=50)
    parser.add_argument("--searched", type=int, default=4)
    parser.add_argument("--views", type=int, choices=[1, 2], default=2)
    options = parser.parse_args()
    bodies = tuple(body_of(bone, bone_of(bone)[1]) for bone in BONES)
    lines = []
    with options.out.with_suffix(".jsonl").open("w") as file:
        for kind, starts in (("near", options.starts), ("searched", options.searched)):
            rows = []
            for row, found in runs(kind, starts, bodies, options.views):
                if not rows and kind == "near":
                    draw(options.out, found)
                rows.append(row)
                file.write(json.dumps(row) + "\n")
                file.flush()
            if rows:
                lines += table(kind, rows, bodies, options.views)
                print("\n".join(lines[-_lines_each() :]), flush=True)
    options.out.with_suffix(".txt").write_text("\n".join(lines) + "\n")


def runs(
    kind: str, starts: int, bodies: Sequence[Body], views: int
) -> Iterator[tuple[dict, dict[str, Articulated]]]:
    """A row per start, of both frames, and what was found in each."""
    rng = np.random.default_rng(1)
    limits = np.repeat(_NEAR if kind == "near" else _FAR, 3)
    limits[:3] = np.radians(limits[:3])
    in_rig = {frame: xrays_of(frame, np.eye(4))[:views] for frame in FRAMES}
    for _ in range(starts):
        row, found = {"kind": kind}, {}
        for frame in FRAMES:
            begun = time.perf_counter()
            alone = []
            for body in bodies:
                motion = about(body.whole.grid.centre_patient, rng.uniform(-limits, limits))
                start = reference_of(body.name, frame) @ motion
                alone.append((start, _alone(body, in_rig[frame], start, search=kind == "searched")))
            middle = time.perf_counter()
            begin = [start if kind == "near" else at for start, at in alone]
            together = register_bodies(
                Parts(tuple(bodies), None), in_rig[frame], start=begin, stages=_TOGETHER
            )
            row[frame] = {"alone_s": middle - begun, "together_s": time.perf_counter() - middle}
            for (_, at), body in zip(alone, together.bodies, strict=True):
                row[frame][body.name] = {
                    "alone": _errors(body.name, frame, at, in_rig[frame][0]),
                    "together": _errors(body.name, frame, body.patient_from_rest, in_rig[frame][0])
                    | {"verdict": body.verdict, "sigma_mm": body.uncertainty.sigma_mm},
                }
            found[frame] = together
        row["angles"] = {name: _angles(row, found, *pair) for name, pair in _JOINTS.items()}
        yield row, found


def _alone(body: Body, xrays: Sequence[Xray], start: np.ndarray, search: bool) -> np.ndarray:
    """(4, 4) rig from bone."""
    moved = [replace(x, camera=x.camera.moved(x.camera.camera_from_patient @ start)) for x in xrays]
    if not search:
        *_, last = refine(body.whole, moved, search=None)
        return start @ last.patient_motion
    (rig,) = register_rigid(body.whole, moved, search=_SEARCH)
    return inverse(xrays[0].camera.camera_from_patient) @ rig.views[0].camera.camera_from_patient


def _errors(bone: str, frame: str, found: np.ndarray, xray: Xray) -> dict:
    """And the pose."""
    reference, camera = reference_of(bone, frame), xray.camera.camera_from_patient
    at_reference = replace(xray, camera=xray.camera.moved(camera @ reference))
    return errors(reference, found, camera @ found, np.eye(4), at_reference) | {"pose": found.tolist()}


def _angles(row: dict, found: dict[str, Articulated], one: str, other: str) -> dict[str, float]:
    """From the first frame to the second, degrees; ``stated`` is the spread of ``together``."""
    before, after = (
        tuple(next(b for b in found[frame].bodies if b.name == name) for name in (one, other))
        for frame in FRAMES
    )
    angle, spread = joint_angle(*after, since=before)
    alone, references = (
        [[pose(frame, name) for name in (one, other)] for frame in FRAMES]
        for pose in (
            lambda frame, name: np.array(row[frame][name]["alone"]["pose"]),
            lambda frame, name: reference_of(name, frame),
        )
    )
    return {
        "reference": _turned(*references),
        "alone": _turned(*alone),
        "together": angle,
        "stated": spread,
    }


def _turned(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> float:
    now, then = (inverse(one) @ other for one, other in (after, before))
    return rotation_angle_deg(now @ inverse(then))


def _lines_each() -> int:
    return len(BONES) * len(FRAMES) * len(_WAYS) + len(_JOINTS) + 1


def table(kind: str, rows: list[dict], bodies: Sequence[Body], views: int) -> list[str]:
    lines = []
    for frame in FRAMES:
        for body in bodies:
            lines += [line_of(body, frame, how, [row[frame] for row in rows], views) for how in _WAYS]
    for name, pair in _JOINTS.items():
        use = [row["angles"][name] for row in rows if all(_placed(e, views) for e in _ends(row, pair))]
        if not use:
            lines.append(f"{name}: no start placed both")
            continue
        alone, together, stated = (np.array([each[key] for each in use]) for key in (*_WAYS, "stated"))
        lines.append(
            f"{name}, {FRAMES[0]} to {FRAMES[1]}, {len(use)} starts: references "
            f"{use[0]['reference']:.2f} deg; together "
            f"{np.median(together):.2f}, stated +-{np.median(stated):.2f}, from start to start "
            f"+-{together.std():.3f}; alone {np.median(alone):.2f}, from start to start +-{alone.std():.3f}"
        )
    seconds = [np.median([row[frame][f"{how}_s"] for row in rows for frame in FRAMES]) for how in _WAYS]
    lines.append(f"{kind}, {views} views: alone {seconds[0]:.1f} s, together {seconds[1]:.1f} s, all bones")
    return lines


def line_of(body: Body, frame: str, how: str, rows: list[dict], views: int) -> str:
    found = [row[body.name][how] for row in rows]
    keys = ("mm", "seen_mm", "off_axis_deg", "about_axis_deg")
    mm, seen, off, turn = (np.array([each[key] for each in found]) for key in keys)
    good = (mm < 0.5) & (off < 1) & (turn < 2) if views == 2 else seen < 0.5
    near = [np.array(each["pose"]) for each in found if _placed(each, views)]
    said = f"; expected {np.median([e['sigma_mm'] for e in found]):.2f} mm" if how == "together" else ""
    medians = "{:.2f} mm, {:.2f} across, {:.2f}, {:.2f} deg".format(*map(np.median, (mm, seen, off, turn)))
    return (
        f"{body.name:28} {frame} {how:8} found {good.sum():2} of {len(found)}; medians {medians}; "
        f"placed {len(near)}, spread {spread_mm(body, near):.4f} mm{said}"
    )


def _placed(error: dict, views: int) -> bool:
    if views == 1:
        return error["seen_mm"] < 0.5
    return error["mm"] < 0.5 and error["off_axis_deg"] < 1


def _ends(row: dict, pair: Sequence[str]) -> list[dict]:
    return [row[frame][bone][how] for frame in FRAMES for bone in pair for how in _WAYS]


def spread_mm(body: Body, poses: Sequence[np.ndarray]) -> float:
    if len(poses) < 2:
        return float("nan")
    places = np.stack([apply(pose, body.points) for pose in poses])
    return float(np.sqrt(((places - places.mean(axis=0)) ** 2).sum(axis=2).mean()))


def draw(out: Path, found: dict[str, Articulated]) -> None:
    for frame, together in found.items():
        maps = [
            LabelMap(
                (body.body.whole.values > 0).numpy().astype(np.uint8), body.body.whole.grid, {1: body.name}
            )
            for body in together.bodies
        ]
        names = replace(maps[0], names=dict(enumerate(BONES)))
        for xray in xrays_of(frame, np.eye(4))[: len(together.cameras)]:
            shown, borders = picture_camera(xray.camera), {}
            for number, (bone, body) in enumerate(zip(maps, together.bodies, strict=True)):
                moved = shown.moved(shown.camera_from_patient @ body.patient_from_rest)
                if line := structure_outlines(bone, moved, (1,)):
                    borders[number] = line[1]
            drr = together.drr(shown).numpy()
            overlay = Overlay(names, tuple(borders))
            picture = overlay_picture(
                xray, xray.camera, drr, overlay, f"{frame} {xray.name}", borders=borders
            )
            picture.save(out.with_name(f"{out.name}_{frame}_{xray.name}.png"))


if __name__ == "__main__":
    main()
