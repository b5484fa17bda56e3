"""`xrayreg demo`: the main job on a public case, from the CT to the report."""

import argparse
import json
from pathlib import Path

import numpy as np

from ..evaluate import PLAN, DemoView, demo_targets, errors, fetch_demo_case, write_demo_views
from ..images import read_label_map, read_volume, write_markups
from ..overlays import (
    Overlay,
    checkerboard_picture,
    drr_picture,
    outlined_labels,
    overlay_picture,
    view_drr,
    xray_picture,
)
from ..results import refuse_file, whole_or_nothing
from .demo_any_view import angles_of, registered_from_network
from .demo_report import write_report
from .files import say
from .options import AIR_HU
from .pipeline import Inputs, Result, described, register_and_write
from .xrays import Shot, read_xrays


def add_to(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "demo",
        help="the main job on a public chest CT and two simulated C-arm X-rays",
        description="Simulate two C-arm views of a public chest CT, write them as DICOM XA with a wrong "
        "pose, register them and write results, overlays, a Slicer scene and report.html. Then simulate a "
        "view from any angles and register it from the pose that a network gives it. The case is fetched "
        "once (35 MB) and kept in the user's cache.",
    )
    parser.add_argument("--out", type=Path, default=Path("demo-output"), help="folder (default demo-output)")
    parser.add_argument(
        "--view",
        default="-25,15",
        help="primary and secondary angle of the view that the network starts from, degrees (default -25,15; "
        "it knows 45 either way)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    refuse_file(options.out)
    angles = angles_of(options.view)
    case = fetch_demo_case(say)
    say(f"case: {case.licence}")
    volume = read_volume(case.volume)
    segmentation = read_label_map(case.segmentation, case.structures)
    with whole_or_nothing(options.out) as folder:
        say("simulating two C-arm X-rays (another projector than registration uses)")
        views = write_demo_views(volume, folder / "xrays")
        write_markups(folder / "plan.mrk.json", PLAN)
        xrays = read_xrays([Shot(view.path) for view in views], "dicom", volume)
        overlay = Overlay(segmentation, outlined_labels(segmentation), PLAN)
        files = {
            "volume": described(case.volume),
            "xrays": [described(view.path, options.out / view.path.relative_to(folder)) for view in views],
            "segmentation": described(case.segmentation),
        }
        inputs = Inputs(volume, AIR_HU, tuple(xrays), overlay, files)
        result = register_and_write(inputs, folder)
        _write_pictures(result, overlay, folder)
        targets = demo_targets(segmentation)
        metrics = _metrics(result, views, targets)
        found = registered_from_network(inputs, angles, folder / "network", options.out / "network")
        if found is not None:
            view, by_network = found
            _write_pictures(by_network, overlay, folder / "network")
            metrics["network"] = _metrics(by_network, [view], targets)
        (folder / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
        write_report(folder, result, metrics, case.licence)
    print(f"{options.out / 'report.html'}: {_in_words(metrics)}{_from_any_view(metrics)}")
    return 0


def _in_words(metrics: dict) -> str:
    return f"mTRE {metrics['initial_mtre_mm']:.1f} mm at the start, {metrics['mtre_mm']:.2f} mm registered"


def _from_any_view(metrics: dict) -> str:
    return f"; from any view by a network {_in_words(metrics['network'])}" if "network" in metrics else ""


def _write_pictures(result: Result, overlay: Overlay, folder: Path) -> None:
    """X-ray, DRRs, checkerboards and the start's overlay beside the registered one."""
    for view in result.outcome.registration.views:
        name, xray = view.name, view.xray
        start = view_drr(result.density, xray, xray.camera.camera_from_patient)
        end = result.drawings[name].drr
        for canvas, kind in (
            (xray_picture(xray, f"{name}: X-ray"), "xray"),
            (drr_picture(xray, start, f"{name}: DRR at the start"), "drr_start"),
            (drr_picture(xray, end, f"{name}: DRR, registered"), "drr"),
            (checkerboard_picture(xray, start, f"{name}: checkerboard at the start"), "checkerboard_start"),
            (checkerboard_picture(xray, end, f"{name}: checkerboard, registered"), "checkerboard"),
            (overlay_picture(xray, xray.camera, start, overlay, f"{name}: at the start"), "start"),
        ):
            canvas.save(folder / f"overlay_{name}_{kind}.png")


def _metrics(result: Result, views: list[DemoView], points: np.ndarray) -> dict:
    """Errors against the truth: by view, and pooled over all points of all views (the mean)."""
    truth = {view.name: view.truth for view in views}
    by_view = [
        {"name": view.name, **errors(points, view.xray.camera, view.camera, truth[view.name])}
        for view in result.outcome.registration.views
    ]
    pooled = {
        key: (max if key.startswith("max") else np.mean)([view[key] for view in by_view])
        for key in by_view[0]
        if key != "name"
    }
    return {
        "schema_version": 1,
        "targets": len(points),
        **{key: float(value) for key, value in pooled.items()},
        "views": by_view,
    }
