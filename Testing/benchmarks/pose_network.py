"""How often registration succeeds from a network's start, from a frontal start, and how long it takes.

    python Testing/benchmarks/pose_network.py NETWORK OUT [--anatomy skull] [--count 200] [--frontal]

On the fresh X-rays of `network_cases.py` at poses drawn from the network's ranges. ``mpd`` is the mean
projection distance of bone in the field of view, on the detector, scaled back to the bone's depth; below
1 mm counts as success. With --frontal N the first N X-rays are also registered from one fixed start, the
middle of the ranges, by the usual search and by the far one. OUT.jsonl gets a row per X-ray, OUT.txt the
table.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from cases import density_of, volume_of
from network_cases import fresh_cases
from xrayreg.evaluate import projection_distance
from xrayreg.geometry import apply, rotation_angle_deg
from xrayreg.learn import TrainedNetwork, read_pose_network, started_from_network
from xrayreg.register import FAR, NEAR, confidence_in, register_rigid

SUCCESS_MM = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--anatomy", default="skull")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--frontal", type=int, default=0, help="of so many X-rays")
    options = parser.parse_args()
    volume = volume_of(options.anatomy)
    rows = evaluated(
        read_pose_network(options.network, volume),
        volume,
        options.count,
        options.first,
        options.frontal,
        options.out.with_suffix(".jsonl"),
    )
    report = table(rows)
    print(report)
    options.out.with_suffix(".txt").write_text(report + "\n")


def evaluated(network: TrainedNetwork, volume, count: int, first: int, frontal: int, out: Path) -> list[dict]:
    density = density_of(volume)
    rows = []
    with out.open("w") as file:
        for case in fresh_cases(volume, network.ranges, count, first):
            row = {"case": case.name, "network": from_network(network, density, case)}
            if len(rows) < frontal:
                pose = network.ranges.middle_pose(network.centre)
                start = replace(case.xray, camera=case.xray.camera.moved(pose))
                row["frontal, near search"] = registered(density, case, start, NEAR)
                row["frontal, far search"] = registered(density, case, start, FAR)
            rows.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
    return rows


def from_network(network: TrainedNetwork, density, case) -> dict:
    begun = time.perf_counter()
    start = started_from_network(network, [replace(case.xray, camera=case.xray.camera.moved(np.eye(4)))])
    seconds = time.perf_counter() - begun
    row = registered(density, case, start.xrays[0], start.search)
    row["seconds"] += seconds
    row["search_deg"], row["search_mm"] = start.search.rotation_deg[0], start.search.translation_mm[0]
    return row


def registered(density, case, xray, search) -> dict:
    truth = case.xray.camera.camera_from_patient
    begun = time.perf_counter()
    (found,) = register_rigid(density, [xray], search=search)
    seconds = time.perf_counter() - begun
    start = errors(case, xray.camera.camera_from_patient)
    sure = confidence_in(found.evidence)
    return {
        "start_deg": rotation_angle_deg(xray.camera.camera_from_patient[:3, :3] @ truth[:3, :3].T),
        **{f"start_{key}": value for key, value in start.items()},
        **errors(case, found.views[0].camera.camera_from_patient),
        "seconds": seconds,
        "verdict": sure.verdict,
    }


def errors(case, camera_from_patient: np.ndarray) -> dict[str, float]:
    truth = case.xray.camera
    place = apply(truth.camera_from_patient, case.targets)
    apart = apply(camera_from_patient, case.targets) - place
    on_detector = projection_distance(case.targets, truth.moved(camera_from_patient), truth)
    return {
        "tre": float(np.linalg.norm(apart, axis=1).mean()),
        "mpd": float((on_detector * place[:, 2]).mean() / truth.source_to_detector_mm),
    }


def table(rows: list[dict]) -> str:
    lines = [f"{len(rows)} X-rays; success: mPD < {SUCCESS_MM:g} mm"]
    for way in [key for key in rows[0] if key != "case"]:
        part = [row[way] for row in rows if way in row]
        mpd = np.array([each["mpd"] for each in part])
        good = mpd < SUCCESS_MM
        caught = np.array([each["verdict"] != "accept" for each in part])
        caught, failed = int((caught & ~good).sum()), int((~good).sum())
        accepted = 100 * sum(each["verdict"] == "accept" for each in part) / len(part)
        lines += [
            f"{way}: {len(part)}, success {100 * good.mean():.1f} %, {_spread(part, 'seconds')} s",
            f"  start {_spread(part, 'start_deg')} degrees, {_spread(part, 'start_tre')} mm",
            f"  end mPD {_spread(part, 'mpd')} mm, TRE {_spread(part, 'tre')} mm",
            f"  accepted {accepted:.0f} %; {caught} of {failed} failures were not accepted",
        ]
    return "\n".join(lines)


def _spread(part: list[dict], key: str) -> str:
    """Median and 95th percentile."""
    middle, high = np.percentile([each[key] for each in part], [50, 95])
    return f"{middle:.2f} ({high:.2f})"


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
