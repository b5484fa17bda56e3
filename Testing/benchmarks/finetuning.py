"""Success over training time: a network from scratch, one of another patient, and that one fine-tuned.

    python Testing/benchmarks/finetuning.py OUT [--patient pelvis] [--other hips] [--count 40]
        [--scratch 1 3 6 15] [--tuned 0.5 1 3] [--agnostic 15]

Minutes on this machine. Each duration is a training of its own, with a schedule that ends with it. The
agnostic network sees the other patient's CT alone, in random shapes; it is brought to the patient by the
template, as `read_pose_network` does. All are judged on the same fresh X-rays of the patient
(`network_cases.py`). OUT.jsonl gets a row per network, OUT.txt the table, OUT.png the curve.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from cases import density_of, volume_of, with_tissue
from network_cases import fresh_cases, panel_camera
from pose_network import SUCCESS_MM, from_network
from xrayreg.learn import (
    NetworkConfig,
    PoseRanges,
    PoseTask,
    TrainedNetwork,
    TrainingSettings,
    fit_to_template,
    new_pose_task,
    pose_network,
    template_of,
    train,
)

_RATE, _RATE_TUNED = 2e-3, 5e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--patient", default="pelvis")
    parser.add_argument("--other", default="hips")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--scratch", type=float, nargs="+", default=[1, 3, 6, 15])
    parser.add_argument("--tuned", type=float, nargs="+", default=[0.5, 1, 3])
    parser.add_argument("--agnostic", type=float, default=15)
    options = parser.parse_args()
    patient = volume_of(options.patient)
    rows = []

    def judge(kind: str, minutes: float, network: TrainedNetwork) -> None:
        rows.append({"kind": kind, "minutes": minutes, **judged(network, patient, options.count)})
        print(json.dumps(rows[-1]), flush=True)
        with options.out.with_suffix(".jsonl").open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")

    agnostic = trained(_of_others(options.other), options.agnostic, _RATE)
    template = template_of(volume_of(options.other))
    frame = fit_to_template(patient, template).template_from_patient
    judge("agnostic", 0, replace(network_of(agnostic), network_from_patient=frame))
    for minutes in options.tuned:
        task = _of_patient(patient, clear_batches=0)
        task.module.load_state_dict(agnostic.module.state_dict())
        judge("fine-tuned", minutes, network_of(trained(task, minutes, _RATE_TUNED)))
    for minutes in options.scratch:
        judge("from scratch", minutes, network_of(trained(_of_patient(patient), minutes, _RATE)))
    report = "\n".join(_line(row) for row in rows)
    options.out.with_suffix(".txt").write_text(report + "\n")
    draw(rows, options.patient, options.out.with_suffix(".png"))


def draw(rows: list[dict], patient: str, path: Path) -> None:
    """Share of X-rays registered, and how far starts are off, over minutes of training on this patient."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for kind, marker in (("from scratch", "o"), ("fine-tuned", "s"), ("agnostic", "D")):
        part = [row for row in rows if row["kind"] == kind]
        minutes = [row["minutes"] for row in part]
        left.plot(minutes, [100 * row["success"] for row in part], marker=marker, label=kind)
        right.plot(minutes, [row["start_deg"] for row in part], marker=marker, label=kind)
    left.set(ylabel="X-rays registered, %", ylim=(0, 102), title=f"{patient}: mPD below {SUCCESS_MM:g} mm")
    right.set(ylabel="degrees", ylim=(0, None), title="starts off by (median)")
    for axes in (left, right):
        axes.set_xlabel("minutes of training on this patient")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=80)


def _of_patient(volume, clear_batches: int = 300) -> PoseTask:
    return new_pose_task([volume], panel_camera(), PoseRanges(), NetworkConfig(), clear_batches=clear_batches)


def _of_others(name: str) -> PoseTask:
    volume = volume_of(name)
    task = new_pose_task(
        [with_tissue(volume) if name == "hips" else volume], panel_camera(), PoseRanges(), NetworkConfig()
    )
    task.simulation = replace(task.simulation, shapes=True)
    return task


def trained(task: PoseTask, minutes: float, rate: float) -> PoseTask:
    train(task, TrainingSettings(minutes=minutes, learning_rate=rate))
    return task


def network_of(task: PoseTask) -> TrainedNetwork:
    return pose_network(task.module.state_dict(), task.description, "benchmark")


def judged(network: TrainedNetwork, volume, count: int) -> dict:
    """Of the X-rays: how many are registered from the network's start, and how far the starts were off."""
    density = density_of(volume)
    rows = [from_network(network, density, case) for case in fresh_cases(volume, network.ranges, count)]
    return {
        "count": count,
        "success": float(np.mean([row["mpd"] < SUCCESS_MM for row in rows])),
        "start_deg": float(np.median([row["start_deg"] for row in rows])),
        "start_tre": float(np.median([row["start_tre"] for row in rows])),
        "seconds": float(np.median([row["seconds"] for row in rows])),
    }


def _line(row: dict) -> str:
    return (
        f"{row['kind']:13} {row['minutes']:5.1f} min: {100 * row['success']:5.1f} % of {row['count']}; start "
        f"{row['start_deg']:.1f} degrees, {row['start_tre']:.0f} mm; {row['seconds']:.2f} s"
    )


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
