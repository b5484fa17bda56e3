"""One step of training a pose network, and its parts, on our renderer and on those of nanodrr and DiffDRR.

    .venv-benchmark/bin/python Testing/benchmarks/training_step.py [--device cuda] [--batch 4] [--rounds 5]

The peers' environment (`make benchmark`) must have MONAI, too. In one run, interleaved; medians; all times
per image. The skull's CT, 128 x 128 pixels, the same camera and random poses for all. See `training_parts.py`
for the step.

1. Same work: the same network (ours), the same image loss, one attenuation, no random looks; only the
   renderer differs. Ours is asked once for the CT as it is, once for the CT averaged to the pixels, as our
   training has it; so is nanodrr. "free" is a renderer that costs nothing: no renderer can make the step
   shorter than that.
2. Recipes: xvr's (resnet18 with group normalisation, mNCC through the renderer, double geodesic; the CT as it
   is, 500 samples per ray) on each renderer, against the step of our own training (two materials, random
   looks, no image loss; its usual batch).

Left out of xvr's recipe, to its advantage: augmentations; the labels of its Dice term, which needs a
segmentation and passes no gradient on. Left out to its disadvantage: bfloat16 and `torch.compile`, which it
has on CUDA alone. Its batch of 116 needs a large graphics card (`--batch 116`): elsewhere time and memory per
image of a small batch stand for it. The learning rate is so low that poses stay where they are.

Memory: by how much a process grows meanwhile, per image, and the most that it holds in a step; each way in a
process of its own (Linux). On CUDA: what torch has allocated.
"""

import argparse
import ctypes
import functools
import gc
import json
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import training_parts as parts
from renderers import medians
from training_parts import ImageSteps, OurNetwork, OurSteps, Scene, XvrsNetwork

SAMPLES = 500
OUR_VIEWS = 64
PARTS = ("images", "network", "gradient", "step")
FREE, OURS = "free", "ours, averaged CT"
RENDERERS = {
    OURS: lambda scene: parts.ours(scene, scene.averaged),
    "ours": lambda scene: parts.ours(scene, scene.density),
    "nanodrr": lambda scene: parts.nanodrr(scene, scene.density, SAMPLES),
    "nanodrr, averaged CT": lambda scene: parts.nanodrr(scene, scene.averaged, SAMPLES),
    "DiffDRR": lambda scene: parts.diffdrr(scene, scene.density, SAMPLES),
    FREE: parts.free,
}
RECIPES = {
    "our training": None,
    "xvr on nanodrr": "nanodrr",
    "xvr on DiffDRR": "DiffDRR",
    "xvr on ours": "ours",
    "xvr on ours, averaged CT": OURS,
}


def ways_of(names: Iterable[str], scene: Scene) -> dict[str, ImageSteps | OurSteps]:
    renderer_of = functools.cache(lambda name: RENDERERS[name](scene))
    ways: dict[str, ImageSteps | OurSteps] = {}
    for name in names:
        if name in RENDERERS:
            ways[name] = ImageSteps(scene, renderer_of(name), OurNetwork)
        elif RECIPES[name]:
            ways[name] = ImageSteps(scene, renderer_of(RECIPES[name]), XvrsNetwork)
        else:
            ways[name] = OurSteps(scene, OUR_VIEWS)
    return ways


def calls_of(name: str, way: ImageSteps | OurSteps) -> dict[str, Callable]:
    if isinstance(way, OurSteps):
        return {"images": way.simulated, "network": way.learned, "step": way.step}
    calls = {"images": way.rendered, "network": way.learned, "gradient": way.gradient, "step": way.step}
    if name in RECIPES:  # the renderers alone are measured already
        del calls["images"], calls["gradient"]
    return calls


def views_of(name: str, batch: int) -> int:
    return OUR_VIEWS if name in RECIPES and RECIPES[name] is None else batch


def times(ways: dict, batch: int, rounds: int, device: str) -> dict[str, dict[str, float]]:
    """Milliseconds per image, by way and part."""

    def finished(call: Callable) -> Callable:
        def run() -> None:
            call()
            if device == "cuda":
                torch.cuda.synchronize()

        return run

    entries = {
        (name, part): finished(call)
        for name, way in ways.items()
        for part, call in calls_of(name, way).items()
    }
    found: dict[str, dict[str, float]] = {name: {} for name in ways}
    for (name, part), seconds in medians(entries, rounds).items():
        found[name][part] = 1000 * seconds / views_of(name, batch)
    return found


def differences(ways: dict) -> list[str]:
    """How far the renderers' images are from nanodrr's, which has the CT as it is, too."""
    truth = ways["nanodrr"].fixed.double()
    lines = ["| image against nanodrr's, of the largest line integral | mean | largest |", "|---|---|---|"]
    for name in RENDERERS:
        if name not in ("nanodrr", FREE):
            error = (ways[name].fixed.double() - truth).abs() / truth.max()
            lines.append(f"| {name} | {float(error.mean()):.1e} | {float(error.max()):.1e} |")
    return lines


def memory_of(name: str, options: argparse.Namespace) -> dict[str, float]:
    """MB by part, of a process of its own."""
    command = [sys.executable, __file__, "--memory-of", name]
    for option in ("batch", "device", "pixels", "threads"):
        command += [f"--{option}", str(getattr(options, option))]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(output.splitlines()[-1])


def measured_memory(name: str, batch: int, pixels: int, device: str) -> dict[str, float]:
    way = ways_of([name], Scene.of(batch, pixels, device))[name]
    calls = calls_of(name, way)
    calls["step"]()  # what stays: the optimiser's moments, kept copies of the volume
    peaks = {part: _peak(call, device) for part, call in calls.items()}
    grown = {part: (peak - before) / 1e6 for part, (before, peak) in peaks.items()}
    return {**grown, "process": peaks["step"][1] / 1e6}


def _peak(call: Callable, device: str) -> tuple[int, int]:
    """Bytes in use before, and at most meanwhile."""
    gc.collect()
    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        torch.cuda.synchronize()
        return before, torch.cuda.max_memory_allocated()
    ctypes.CDLL(None).malloc_trim(0)  # memory kept for later use would not grow
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    call()
    return before, max(before, _status("VmHWM"))


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def table(names: Iterable[str], reference: str, ms: dict, memory: dict, batch: int) -> list[str]:
    """Milliseconds and MB per image; the ratio of the steps to that of ``reference``."""
    columns = ["batch", *(f"{part} ms" for part in PARTS), "ratio"]
    columns += [*(f"{part} MB" for part in PARTS), "process MB"]
    lines = [f"| | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
    for name in names:
        views, used = views_of(name, batch), memory.get(name, {})
        cells = [str(views), *(f"{ms[name][part]:.1f}" if part in ms[name] else "" for part in PARTS)]
        cells.append(f"{ms[name]['step'] / ms[reference]['step']:.1f}")
        cells += [f"{used[part] / views:.1f}" if part in used else "" for part in PARTS]
        cells.append(f"{used['process']:.0f}" if used else "")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def bounds(ms: dict) -> list[str]:
    own, least, training = ms[OURS], ms[FREE]["step"], ms["our training"]
    lines = [
        f"Our step: {100 * own['network'] / own['step']:.0f} % is the network,"
        f" {100 * least / own['step']:.0f} % all but rendering."
        f" Our training's step: {100 * training['network'] / training['step']:.0f} % is the network."
    ]
    for name in ("nanodrr", "DiffDRR"):
        step = ms[name]["step"]
        lines.append(
            f"{name}: {step / own['step']:.1f} times our step, where {step / least:.1f} times is the most"
            f" that any renderer can reach; images {ms[name]['images'] / own['images']:.0f} times,"
            f" gradient {ms[name]['gradient'] / own['gradient']:.0f} times."
        )
    return lines


def report(options: argparse.Namespace) -> str:
    scene = Scene.of(options.batch, options.pixels, options.device)
    ways = ways_of([*RENDERERS, *RECIPES], scene)
    ms = times(ways, options.batch, options.rounds, options.device)
    asked = [] if options.no_memory else [name for name in ways if name != FREE]
    memory = {name: memory_of(name, options) for name in asked}
    size, averaged = scene.density.grid.size, scene.averaged.grid.size
    place = torch.cuda.get_device_name() if options.device == "cuda" else platform.machine()
    return "\n".join(
        [
            f"{place}, {torch.get_num_threads()} threads, torch {torch.__version__}; {options.pixels} x",
            f"{options.pixels} pixels; CT {size}, averaged {averaged};",
            f"nanodrr 0.1.7, DiffDRR 0.6.1, {SAMPLES} samples per ray; medians of {options.rounds} rounds.",
            "",
            *differences(ways),
            "",
            "Same work",
            "",
            *table(RENDERERS, OURS, ms, memory, options.batch),
            "",
            *bounds(ms),
            "",
            "Recipes",
            "",
            *table(RECIPES, "our training", ms, memory, options.batch),
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--pixels", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("build/training_step.txt"))
    parser.add_argument("--memory-of", choices=(*RENDERERS, *RECIPES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    if options.memory_of:
        print(json.dumps(measured_memory(options.memory_of, options.batch, options.pixels, options.device)))
        return
    found = report(options)
    print(found)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(found + "\n")


if __name__ == "__main__":
    main()
