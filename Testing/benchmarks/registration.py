"""How far away registration may start, how well it ends, and how long it takes.

    python Testing/benchmarks/registration.py OUT [--starts N] [--deg D] [--mm M] [--pairs]
        [--peer N [--peer-scales S ...]]

Starts are uniform in +-D degrees and +-M mm per axis about the volume's centre, of the X-rays of
`cases.py`; each case's starts are the same in every run. Errors are of `Case.targets`, bone in the field of
view: ``tre`` in space, ``seen`` without the depth direction of the view, ``mpd`` of the isocenter's image,
scaled to the isocenter. OUT.jsonl gets a row per start, OUT.txt the tables, OUT.png distribution and capture
curve. With --peer N, the first N starts of every case also go through the peer of `peer.py`,
with its pyramid of three scales or another.
"""

import argparse
import itertools
import json
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from cases import (  # fmt: skip
    ANATOMIES,
    SOURCE_TO_DETECTOR_MM,
    SOURCE_TO_ISOCENTER_MM,
    Case,
    cases_of,
    density_of,
    random_start,
    volume_of,
)
from PIL import Image, ImageDraw
from xrayreg.evaluate import projection_distance
from xrayreg.geometry import apply
from xrayreg.register import confidence_in, register_rigid

_PAIRS = (("ap", "oblique"), ("ap", "lateral"))
# Seen from the side the two hip bones lie one over the other under 330 mm of tissue that the CT does not
# have: no view that is used, shown apart.
_HARD = ("hips", "lateral")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--starts", type=int, default=13)
    parser.add_argument("--deg", type=float, default=25.0)
    parser.add_argument("--mm", type=float, default=60.0)
    parser.add_argument("--pairs", action="store_true")
    parser.add_argument("--anatomy", choices=list(ANATOMIES), action="append")
    parser.add_argument("--cases", type=int, help="only the first so many of each anatomy")
    parser.add_argument("--peer", type=int, default=0)
    parser.add_argument("--peer-scales", type=float, nargs="+", default=[8.0, 4.0, 2.0])
    options = parser.parse_args()
    rows = []
    with options.out.with_suffix(".jsonl").open("w") as file:
        for anatomy in options.anatomy or ANATOMIES:
            volume = volume_of(anatomy)
            density = density_of(volume)
            cases = {(case.view, case.disturbed): case for case in cases_of(volume)}
            rigs = [[case] for case in cases.values()]
            if options.pairs:
                rigs = [
                    [cases[view, disturbed] for view in pair]
                    for pair in _PAIRS
                    for disturbed in (False, True)
                ]
            for rig in rigs[: options.cases]:
                rng = np.random.default_rng(list("".join(case.name for case in rig).encode()))
                for number in range(options.starts):
                    motion = random_start(rig[0], volume, rng, options.deg, options.mm)
                    row = ours(rig, volume, density, motion)
                    if number < options.peer:
                        row |= peers(rig[0], volume, motion, tuple(options.peer_scales))
                    rows.append(row)
                    file.write(json.dumps(row) + "\n")
                    file.flush()
    report = tables(rows)
    print(report)
    options.out.with_suffix(".txt").write_text(report + "\n")
    picture(rows).save(options.out.with_suffix(".png"))


def ours(rig: list[Case], volume, density, motion: np.ndarray) -> dict:
    xrays = [
        replace(
            case.xray,
            camera=case.xray.camera.moved(case.xray.camera.camera_from_patient @ motion),
            rig="rig",
        )
        for case in rig
    ]
    begun = time.perf_counter()
    (found,) = register_rigid(density, xrays)
    seconds = time.perf_counter() - begun
    statement = confidence_in(found.evidence)
    starts = [errors(case, xray.camera.camera_from_patient) for case, xray in zip(rig, xrays, strict=True)]
    ends = [
        errors(case, view.camera.camera_from_patient) for case, view in zip(rig, found.views, strict=True)
    ]
    return {
        "anatomy": rig[0].anatomy,
        "case": " + ".join(case.name for case in rig),
        "hard": any((case.anatomy, case.view) == _HARD for case in rig),
        "start_tre": float(np.mean([start["tre"] for start in starts])),
        "seconds": seconds,
        **{key: float(np.mean([end[key] for end in ends])) for key in ends[0]},
        "verdict": statement.verdict,
        "p95": statement.p95_tre_mm,
        "evidence": asdict(found.evidence),
    }


def peers(case: Case, volume, motion: np.ndarray, scales: tuple[float, ...]) -> dict:
    from peer import register_like_xvr

    start = case.xray.camera.moved(case.xray.camera.camera_from_patient @ motion)
    above = 100.0 if case.anatomy == "hips" else -1000.0
    pose, seconds, steps = register_like_xvr(volume, case.xray, start, above_hu=above, scales=scales)
    return {
        "peer_seconds": seconds,
        "peer_steps": steps,
        **{f"peer_{key}": value for key, value in errors(case, pose).items()},
    }


def errors(case: Case, camera_from_patient: np.ndarray) -> dict[str, float]:
    truth = case.xray.camera
    difference = apply(camera_from_patient, case.targets) - apply(truth.camera_from_patient, case.targets)
    isocenter = apply(truth.patient_from_camera, np.array([0.0, 0, SOURCE_TO_ISOCENTER_MM]))
    on_detector = projection_distance(isocenter[None], truth.moved(camera_from_patient), truth)[0]
    return {
        "tre": float(np.linalg.norm(difference, axis=1).mean()),
        "seen": float(np.linalg.norm(difference[:, :2], axis=1).mean()),
        "mpd": float(on_detector * SOURCE_TO_ISOCENTER_MM / SOURCE_TO_DETECTOR_MM),
    }


def tables(rows: list[dict]) -> str:
    lines = [
        f"{'case':34} {'n':>4} {'mPD<1':>6} {'seen<2':>6} {'TRE<1':>6} {'seen med':>8} {'TRE med':>8} "
        f"{'s':>5}"
    ]
    usual = [row for row in rows if not row["hard"]]
    names = dict.fromkeys(row["case"] for row in rows)
    groups = [(name, [row for row in rows if row["case"] == name]) for name in names]
    groups += [(f"all {name}", [r for r in usual if r["anatomy"] == name]) for name in ANATOMIES]
    groups += [("all (without hips lateral)", usual), ("all", rows)]
    for name, part in groups:
        if not part:
            continue
        tre, seen, mpd, seconds = (
            np.array([r[key] for r in part]) for key in ("tre", "seen", "mpd", "seconds")
        )
        lines.append(
            f"{name:34} {len(part):4} {100 * (mpd < 1).mean():6.1f} {100 * (seen < 2).mean():6.1f} "
            f"{100 * (tre < 1).mean():6.1f} {np.median(seen):8.3f} {np.median(tre):8.3f} "
            f"{np.median(seconds):5.2f}"
        )
    seen = np.array([row["seen"] for row in usual])
    parts = (5, 25, 50, 75, 90, 95, 99)
    lines.append("seen, percentiles " + ", ".join(f"{p}: {np.percentile(seen, p):.3f}" for p in parts))
    for verdict in ("accept", "review", "reject"):
        part = [row for row in rows if row["verdict"] == verdict]
        wrong = sum(row["tre"] > 10 for row in part)
        lines.append(f"{verdict}: {len(part)}, of them {wrong} off by more than 10 mm")
    lines.append(f"TRE below the stated p95: {100 * np.mean([r['tre'] <= r['p95'] for r in rows]):.1f} %")
    both = [row for row in usual if "peer_seconds" in row]
    if both:
        ratio = np.median([row["peer_seconds"] / row["seconds"] for row in both])
        lines.append(f"peer: {len(both)} starts, median time {ratio:.0f} times ours")
        for key, who in (("", "ours"), ("peer_", "peer")):
            seen = np.array([row[f"{key}seen"] for row in both])
            good = seen[seen < 2]
            lines.append(
                f"  {who}: seen < 2 mm {100 * (seen < 2).mean():.0f} %, median of these "
                f"{np.median(good):.3f} mm, median time "
                f"{np.median([row[f'{key}seconds'] for row in both]):.1f} s"
            )
    return "\n".join(lines)


def picture(rows: list[dict]) -> Image.Image:
    """Left: share of starts (without the hard ones) below an error; right: success by the start's error."""
    usual = [row for row in rows if not row["hard"]]
    seen, start = (np.array([row[key] for row in usual]) for key in ("seen", "start_tre"))
    image = Image.new("RGB", (1100, 470), "white")
    draw = ImageDraw.Draw(image)
    at = np.logspace(-2, 2, 200)
    _axes(draw, 60, "seen error below ... mm (log)", ["0.01", "0.1", "1", "10", "100"], "share of starts")
    _line(draw, 60, np.linspace(0, 1, 200), [(seen < x).mean() for x in at])
    edges = np.linspace(0, 120, 9)
    _axes(draw, 610, "TRE of the start, mm", [f"{x:.0f}" for x in edges[::2]], "share with seen < 2 mm")
    middles, shares = [], []
    for low, high in itertools.pairwise(edges):
        inside = (start >= low) & (start < high)
        if inside.any():
            middles.append((low + high) / 240)
            shares.append((seen[inside] < 2).mean())
    _line(draw, 610, middles, shares, dots=True)
    return image


def _axes(draw: ImageDraw.ImageDraw, left: int, below: str, ticks: list[str], beside: str) -> None:
    draw.rectangle([left, 40, left + 440, 400], outline="black")
    for number, tick in enumerate(ticks):
        x = left + 440 * number / (len(ticks) - 1)
        draw.text((x - 8, 405), tick, fill="black")
        draw.line([x, 40, x, 400], fill="#ddd")
    for share in (0, 0.25, 0.5, 0.75, 1):
        draw.text((left - 38, 394 - 360 * share), f"{share:.2f}", fill="black")
        draw.line([left, 400 - 360 * share, left + 440, 400 - 360 * share], fill="#ddd")
    draw.text((left + 150, 430), below, fill="black")
    draw.text((left, 20), beside, fill="black")


def _line(draw: ImageDraw.ImageDraw, left: int, x, y, dots: bool = False) -> None:
    points = [(left + 440 * a, 400 - 360 * b) for a, b in zip(x, y, strict=True)]
    draw.line(points, fill="#0060c0", width=2)
    for a, b in points if dots else []:
        draw.ellipse([a - 4, b - 4, a + 4, b + 4], fill="#0060c0")


if __name__ == "__main__":
    main()
