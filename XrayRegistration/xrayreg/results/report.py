"""report.html: one page on a registration, for people."""

from datetime import UTC, datetime
from html import escape
from pathlib import Path

import numpy as np

from ..geometry import angles_in_words, apply, inverse, rotation_angle_deg
from ..overlays import checkerboard_picture
from ..register import RegisteredView
from .files import Drawing
from .html import facts, figure, page, row, table, verdict
from .outcome import Outcome
from .registration_json import error_field, targets_json

_TITLE = "X-ray registration"


def write_report(folder: Path, outcome: Outcome, drawings: dict[str, Drawing]) -> None:
    """Write report.html, which holds its pictures; ``drawings`` by view."""
    parts = [
        f"<h1>{_TITLE}</h1>",
        '<p class="lead">Research use only, not a medical device.</p>',
        *_judged(outcome),
        "<h2>Inputs</h2>",
        facts(("", "File", "SHA-256"), _inputs(outcome.inputs)),
    ]
    centre = outcome.registration.volume.grid.centre_patient
    for view in outcome.registration.views:
        parts.append(f"<h2>{escape(view.name)}</h2>")
        parts.append(facts(("", "Found"), _view_rows(view, centre)))
        parts.append(row(_pictures(view, drawings[view.name], outcome.standing)))
    if outcome.overlay.markups:
        parts += _plan(outcome)
    parts.append(f'<p class="lead">{escape(_made(outcome))}</p>')
    (folder / "report.html").write_text(page(_TITLE, parts), encoding="utf-8")


def _judged(outcome: Outcome) -> list[str]:
    """The verdict, and what a person said; a rejection is not to be overlooked."""
    review, said = outcome.review, verdict(outcome.confidence)
    if review is None:
        return [said, '<p class="note">Not reviewed.</p>']
    comment = f" Comment: {escape(review.comment)}" if review.comment else ""
    if review.decision == "rejected":
        return [f'<p class="rejected">REJECTED by the reviewer: do not use.{comment}</p>', said]
    return [said, f'<p class="note">Reviewer: {escape(review.decision)}.{comment}</p>']


def _inputs(inputs: dict) -> list[tuple[str, str, str]]:
    """Names alone: folders tell of patients."""
    named = [("Volume", inputs["volume"]), *(("X-ray", each) for each in inputs["xrays"])]
    if "segmentation" in inputs:
        named.append(("Segmentation", inputs["segmentation"]))
    return [(what, _name(each), each["sha256"] or "") for what, each in named]


def _name(file: dict) -> str:
    return file.get("reason", "") if file["path"] is None else Path(file["path"]).name


def _view_rows(view: RegisteredView, centre: np.ndarray) -> list[tuple[str, str]]:
    camera = view.camera
    distance, pixel = "unknown", "unknown"
    if camera.source_to_detector_mm is not None:
        distance = f"{camera.source_to_detector_mm:.1f} mm"
        pixel = " x ".join(f"{mm:.4g}" for mm in camera.pixel_spacing_mm) + " mm"
    motion = inverse(view.xray.camera.camera_from_patient) @ camera.camera_from_patient
    moved = float(np.linalg.norm(apply(motion, centre) - centre))
    return [
        ("Similarity of X-ray and DRR", f"{view.initial_similarity:.2f} → {view.similarity:.2f}"),
        ("Source to detector", distance),
        ("Pixel size on the detector", pixel),
        ("C-arm angles", angles_in_words(camera)),
        (
            "From start to found",
            f"the volume's centre by {moved:.1f} mm, turned by {rotation_angle_deg(motion):.1f}°",
        ),
        *(("Note", note) for note in view.xray.notes),
    ]


def _pictures(view: RegisteredView, drawing: Drawing, standing: str) -> list[str]:
    checkerboard = checkerboard_picture(view.xray, drawing.drr, f"{view.name}: checkerboard ({standing})")
    return [
        figure(drawing.overlay, f"{view.name}: outlines and plan at the pose that was found"),
        figure(checkerboard.png(), "X-ray and DRR in alternate tiles: edges run on from tile to tile"),
    ]


def _plan(outcome: Outcome) -> list[str]:
    names = [view.name for view in outcome.registration.views]
    off, said = error_field(outcome), "How far noise leaves each point off if the pose is right"
    if outcome.blend is not None:
        said = "How far each point may be off, one standard deviation, if its bone was found"
    rows = [
        (
            target["markup"],
            target["point"],
            *([f"{target['body']} ({target['verdict']})"] if outcome.blend else []),
            *(f"{target[off][name]:.2f} mm" for name in names),
        )
        for target in targets_json(outcome)
    ]
    return [
        "<h2>Plan</h2>",
        table(("Plan", "Point", *(["At"] if outcome.blend else []), *names), rows),
        f"<p>{said}; of gross failure it tells nothing.</p>",
    ]


def _made(outcome: Outcome) -> str:
    used = outcome.software
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{used['name']} {used['version']}, torch {used['torch']}, {used['device']}. Written {now}."
