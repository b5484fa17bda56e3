"""Time and memory of bone-by-bone registration against PolyPose's formulation, same case, same run.

    .venv-benchmark/bin/python Testing/benchmarks/polypose.py [--seed 1] [--scales 4 2] [--iterations 51]
        [--run 51 5] [--no-ribs] [--refined]

PolyPose (github.com/eigenvivek/polypose, revision 9e2f5af), written anew: the logarithms of all bodies'
motions are blended at every voxel (weights mass / (1 + d^2), normalised: `weights.py`, "gravity"), their
exponential warps the whole volume (`warp/polyrigid.py`), and what comes out is rendered; here by nanodrr
0.1.7, as xvr now does. Adam at 1e-2 rad and 1 mm maximises xvr's similarity (`peer.py`), 51 steps each at
voxels of 4 mm, 2 mm and the CT's own (`experiments/deepfluoro/models.py`). The last is left out by default,
in their favour; what it would take is told from the two before, by their numbers of voxels. With
`--scales 4 2 1` it is made, too: 9 GB with --no-ribs, more than 24 with all 32 bodies. With --refined ours
does not look for bodies, as theirs does not. A step of a scale takes as long as the next one: with --run
fewer are made at each scale, the time counts as if it were all, and the TRE is that after those that were
made. Each side runs in a process of its own, whose peak of memory beyond what is resident before is taken;
seconds are the processor's, whatever else runs (set OMP_NUM_THREADS=1).
"""

import argparse
import ctypes
import gc
import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np

_PIXELS = 180  # PolyPose compares an eighth of 1436


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scales", type=float, nargs="+", default=[4.0, 2.0])
    parser.add_argument("--iterations", type=int, default=51)
    parser.add_argument("--run", type=int, nargs="+", help="steps made at each scale; all if not given")
    parser.add_argument("--no-ribs", action="store_true")
    parser.add_argument("--refined", action="store_true", help="ours without looking for bodies")
    parser.add_argument("--side", choices=["ours", "theirs"], help="one of them, in this process")
    options = parser.parse_args()
    if options.side:
        print(json.dumps((ours if options.side == "ours" else theirs)(options)))
        return
    found = {}
    for side in ("ours", "theirs"):
        found[side] = row = _in_a_process(side)
        print(
            f"{side:7} {row['seconds']:7.0f} s, {row['peak_mb']:6.0f} MB beyond {row['before_mb']:.0f}, TRE "
            f"{row['tre_mm']:.2f} mm (median of {row['bodies']} bodies; 95 %: {row['p95_mm']:.2f})",
            flush=True,
        )
    for row in found["theirs"]["scales"]:
        print(
            f"  {row['voxel_mm']:g} mm, {row['voxels']} voxels: {row['setup_s']:.0f} s, then "
            f"{row['step_s']:.2f} s a step, {row['made']} of {options.iterations} made; "
            f"{row['peak_mb']:.0f} MB"
        )
    mine, other = found["ours"], found["theirs"]
    print(_ratios(mine, other["seconds"], other["peak_mb"]))
    if len(options.scales) > 1 and other["scales"][-1]["voxels"] < other["voxels"]:
        seconds, peak_mb = _at_full_size(other, options.iterations)
        print(f"the CT's own voxels, extrapolated: {seconds:.0f} s more, {peak_mb:.0f} MB; with them")
        print(_ratios(mine, other["seconds"] + seconds, peak_mb))


def _ratios(mine: dict, seconds: float, peak_mb: float) -> str:
    times, memories = seconds / mine["seconds"], peak_mb / mine["peak_mb"]
    return f"theirs by ours: {times:.1f} times the time, {memories:.1f} times the memory"


def _at_full_size(row: dict, iterations: int) -> tuple[float, float]:
    """Seconds and MB that a scale of the CT's own voxels would take, on a line through the last two."""
    coarse, fine = row["scales"][-2:]
    ratio = (row["voxels"] - fine["voxels"]) / (fine["voxels"] - coarse["voxels"])

    def beyond(key: str) -> float:
        return fine[key] + ratio * (fine[key] - coarse[key])

    return beyond("setup_s") + iterations * beyond("step_s"), beyond("peak_mb")


def _in_a_process(side: str) -> dict:
    command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
    return json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    )


def _case(options: argparse.Namespace):
    from polyrigid_cases import chest, motions, moved_chest, views

    case = chest(ribs=not options.no_ribs)
    truth = motions(case, np.random.default_rng(options.seed))
    moved = moved_chest(case, truth, options.seed)
    return case, truth, views(moved, case, [(-15.0, 0.0), (15.0, 0.0)], options.seed)


def _row(seconds: float, before_mb: float, found: dict, truth: dict, points: dict) -> dict:
    from xrayreg.geometry import apply

    off = [
        np.linalg.norm(apply(found[name], at) - apply(truth[name], at), axis=1).mean()
        for name, at in points.items()
    ]
    return {
        "seconds": seconds,
        "before_mb": before_mb,
        "peak_mb": _peak_mb() - before_mb,
        "tre_mm": float(np.median(off)),
        "p95_mm": float(np.percentile(off, 95)),
        "bodies": len(off),
    }


def _peak_mb() -> float:
    return _status("VmHWM")


def _forget_the_peak() -> float:
    """The peak begins anew at what is resident now, MB: making the case does not count (Linux)."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return _status("VmRSS")


def _status(name: str) -> float:
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith(f"{name}:"))
    return int(line.split()[1]) / 1024


def ours(options: argparse.Namespace) -> dict:
    from xrayreg.register import STAGES, neighbours, register_bodies, taken_apart

    case, truth, xrays = _case(options)
    stages = tuple(replace(stage, search=None) for stage in STAGES) if options.refined else STAGES
    before, begun = _forget_the_peak(), time.process_time()
    parts = taken_apart(case.volume, case.segmentation, case.bodies)
    found = register_bodies(parts, xrays, neighbours(parts.bodies), stages=stages)
    seconds = time.process_time() - begun
    by_name = {each.name: each.patient_from_rest for each in found.bodies}
    return _row(seconds, before, by_name, truth, {body.name: body.points for body in parts.bodies})


def theirs(options: argparse.Namespace) -> dict:
    import torch
    from nanodrr.data import Subject
    from nanodrr.drr import render
    from peer import nanodrr_view, scalar_image, similarity_on, standardised
    from xrayreg.geometry import exp_se3, inverse, translation
    from xrayreg.register import taken_apart
    from xrayreg.render import Density

    case, truth, xrays = _case(options)
    points = {b.name: b.points for b in taken_apart(case.volume, case.segmentation, case.bodies).bodies}
    density = Density.from_volume(case.volume)
    before, begun = _forget_the_peak(), time.process_time()
    images = [xray.binned(xray.camera.binning_to(_PIXELS)) for xray in xrays]
    similarity, size = similarity_on(torch.device("cpu")), images[0].camera.size[::-1]
    fixed = [
        standardised(torch.from_numpy(x.line_integrals.astype(np.float32))[None, None], size) for x in images
    ]
    cameras = [nanodrr_view(x.camera, "cpu") for x in images]
    centre = case.volume.grid.centre_patient
    turns = torch.zeros(len(case.bodies), 3, requires_grad=True)
    shifts = torch.zeros(len(case.bodies), 3, requires_grad=True)
    rows = []
    for number, scale in enumerate(options.scales):
        _forget_the_peak()
        entered = time.process_time()
        coarse = density.to_spacing(scale)
        weights, places, to_grid = _blending(case, coarse.grid, centre)
        subject = Subject.from_images(scalar_image(coarse.values.numpy(), coarse.grid), convert_to_mu=False)
        still = subject.image.detach()
        optimiser = torch.optim.Adam(
            [{"params": [turns], "lr": 1e-2}, {"params": [shifts], "lr": 1.0}], maximize=True
        )
        setup_s, steps_s = time.process_time() - entered, []
        made = options.iterations if options.run is None else options.run[number]
        for _ in range(made):
            entered = time.process_time()
            twists = weights @ torch.cat([turns, shifts], dim=1)
            warped = to_grid(_moved(places, twists))
            subject._image_hu = torch.nn.functional.grid_sample(
                still, warped[None].to(still), align_corners=True, padding_mode="border"
            )
            value = 0.0
            for (pose, k_inverse, distance), target in zip(cameras, fixed, strict=True):
                drr = render(subject, k_inverse, pose, distance, *size)
                value = value + similarity(target, standardised(drr, size)) / len(cameras)
            optimiser.zero_grad()
            value.mean().backward()
            optimiser.step()
            steps_s.append(time.process_time() - entered)
        rows.append(
            {
                "voxel_mm": scale,
                "voxels": coarse.values.numel(),
                "setup_s": setup_s,
                "step_s": float(np.median(steps_s)),
                "made": made,
                "peak_mb": _peak_mb() - before,
            }
        )
    left = sum((options.iterations - row["made"]) * row["step_s"] for row in rows)
    seconds = time.process_time() - begun + left
    logs = torch.cat([turns, shifts], dim=1).detach().double().numpy()
    found = {
        name: inverse(translation(centre) @ exp_se3(log) @ translation(-centre))
        for name, log in zip(case.bodies, logs, strict=True)
    }
    row = _row(seconds, before, found, truth, points)
    peak = {"peak_mb": max(each["peak_mb"] for each in rows)}
    return row | peak | {"scales": rows, "voxels": density.values.numel()}


def _blending(case, grid, centre: np.ndarray):
    """Weights (n, K) and places (n, 3), mm from the centre, of all voxels; from places to grid_sample."""
    import SimpleITK
    import torch
    from xrayreg.geometry import apply
    from xrayreg.images import resample_labels

    labels = resample_labels(case.segmentation, grid).labels
    weights = []
    for group in case.bodies.values():
        mask = np.isin(labels, group)
        image = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
        image.SetSpacing(grid.spacing_mm.tolist())
        found = SimpleITK.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
        distance = SimpleITK.GetArrayFromImage(found)
        weights.append((mask.sum() / (1 + np.maximum(distance, 0) ** 2)).astype(np.float32).ravel())
    weights = torch.from_numpy(np.stack(weights, axis=-1))
    weights = weights / weights.sum(dim=1, keepdim=True)
    k, j, i = np.indices(grid.array_shape)
    index = np.stack([i, j, k], axis=-1).reshape(-1, 3).astype(float)
    places = torch.from_numpy((apply(grid.patient_from_index, index) - centre).astype(np.float32))
    turn = torch.from_numpy(grid.index_from_patient[:3, :3].astype(np.float32))
    first = torch.from_numpy(apply(grid.index_from_patient, centre).astype(np.float32))
    last = torch.tensor(grid.size, dtype=torch.float32) - 1

    def to_grid(moved):
        return (2 * (moved @ turn.T + first) / last - 1).reshape(*grid.array_shape, 3)

    return weights, places, to_grid


def _moved(places, twists):
    """Places (n, 3), each by its own twist (n, 6): the exponential of every voxel."""
    import torch

    omega, v = twists[:, :3], twists[:, 3:]
    square = (omega * omega).sum(dim=1, keepdim=True)
    angle = (square + 1e-12).sqrt()
    b, c = (1 - angle.cos()) / (square + 1e-12), (angle - angle.sin()) / (angle * (square + 1e-12))
    velocity = torch.cross(omega, places, dim=1) + v
    once = torch.cross(omega, velocity, dim=1)
    return places + velocity + b * once + c * torch.cross(omega, once, dim=1)


if __name__ == "__main__":
    main()
