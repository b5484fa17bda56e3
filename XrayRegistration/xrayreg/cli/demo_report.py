"""The demo's one-page report: one HTML file that holds its pictures."""

import base64
import html
from pathlib import Path

from .. import __version__
from .pipeline import Result

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2em auto; color: #222 }
h1 { margin-bottom: 0 } .lead { color: #555 } .note { background: #fff4d6; padding: .6em 1em }
table { border-collapse: collapse; margin: 1em 0 } th, td { border: 1px solid #ccc; padding: .3em .8em }
td { text-align: right } td:first-child { text-align: left }
figure { margin: 0 } figcaption { color: #555; margin: .2em 0 1em }
.row { display: grid; grid-template-columns: 1fr 1fr; gap: 1em } img { width: 100%; background: #000 }
"""

_COLUMNS = (
    ("initial_mtre_mm", "mTRE at the start"),
    ("mtre_mm", "mTRE registered"),
    ("max_tre_mm", "largest TRE"),
    ("initial_mpd_mm", "mPD at the start"),
    ("mpd_mm", "mPD registered"),
    ("mrpd_mm", "mRPD registered"),
)

# Beside each other: (kind of overlay picture, caption).
_PAIRS = (
    (
        ("start", "Start: vertebrae, ribs, screw path and target where the C-arm's tags place them"),
        ("", "Registered: the same, at the pose that was found"),
    ),
    (
        ("checkerboard_start", "Start: X-ray and DRR in alternate tiles"),
        ("checkerboard", "Registered: edges run on from tile to tile"),
    ),
    (("xray", "The X-ray"), ("drr", "The DRR at the registered pose")),
)


def write_report(folder: Path, result: Result, metrics: dict, licence: str) -> None:
    """Write report.html beside the pictures it holds."""
    names = [view.name for view in result.registration.views]
    seconds = result.registration.seconds
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>XrayRegistration demo</title>",
        f"<style>{_STYLE}</style><h1>XrayRegistration demo</h1>",
        f"<p class=lead>One chest CT, two C-arm X-rays, one rigid registration. xrayreg {__version__}</p>",
        "<p class=note>Research use only, not a medical device. The X-rays are simulated from the CT by "
        "another projector, with beam hardening, scatter, noise, a tone curve and collimation; a real "
        "patient also breathes and moves between CT and X-ray, so real errors are larger than these.</p>",
        f"<div>{_verdict(result)}</div>",
        _table(metrics),
        f"<p>Errors in mm over {metrics['targets']} points: the centroids of thoracic vertebrae and ribs, "
        "and the plan. TRE: distance in space between a point under the found and the true pose. mPD: mean "
        "distance of its images on the detector. mRPD: mean distance of the point from the ray that shows "
        "it. "
        f"Registration took {seconds['refine']:.1f} s.</p>",
        "<p>Images are shown as the X-ray source sees them, from behind: the patient's left is on the left "
        "of the frontal view.</p>",
    ]
    for name in names:
        parts.append(f"<h2>{html.escape(name)}</h2>")
        for pair in _PAIRS:
            figures = "".join(_figure(folder, _picture(name, kind), caption) for kind, caption in pair)
            parts.append(f"<div class=row>{figures}</div>")
    scene = [
        _figure(folder, "view3d.png", "The scene in Slicer's 3D view: C-arm frustums, X-rays, bones, plan")
    ]
    scene += [_figure(folder, f"slice_{name}.png", f"{name} in Slicer's slice view") for name in names]
    if any(scene):
        parts += ["<h2>In 3D Slicer</h2><p>scene.mrb opens in 3D Slicer 5.12 or newer.</p>", *scene]
    parts.append(f"<h2>Data</h2><p>{html.escape(licence)}</p></html>")
    (folder / "report.html").write_text("\n".join(parts), encoding="utf-8")


def _picture(name: str, kind: str) -> str:
    return f"overlay_{name}_{kind}.png" if kind else f"overlay_{name}.png"


def _verdict(result: Result) -> str:
    alike = ", ".join(
        f"{html.escape(view.name)} {view.initial_similarity:.2f} &rarr; {view.similarity:.2f}"
        for view in result.registration.views
    )
    sure = result.confidence
    reasons = "".join(f"<li>{html.escape(reason)}</li>" for reason in sure.reasons)
    return (
        f"Verdict: <b>{sure.verdict}</b>. Probability of a mean TRE below 2 mm: "
        f"{100 * sure.success_probability:.0f} %; expected TRE {sure.expected_tre_mm:.2f} mm, "
        f"with 95 % below {sure.p95_tre_mm:.2f} mm. Similarity of X-ray and DRR: {alike}.<ul>{reasons}</ul>"
    )


def _table(metrics: dict) -> str:
    head = "".join(f"<th>{title}</th>" for _, title in _COLUMNS)
    rows = [*metrics["views"], {**metrics, "name": "both views"}]
    body = "".join(
        f"<tr><td>{html.escape(row['name'])}</td>"
        + "".join(f"<td>{row[key]:.2f}</td>" for key, _ in _COLUMNS)
        + "</tr>"
        for row in rows
    )
    return f"<table><tr><th></th>{head}</tr>{body}</table>"


def _figure(folder: Path, file: str, caption: str) -> str:
    """A picture with its caption; nothing where the file does not exist."""
    path = folder / file
    if not path.is_file():
        return ""
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    text = html.escape(caption)
    picture = f'<img src="data:image/png;base64,{data}" alt="{text}">'
    return f"<figure>{picture}<figcaption>{text}</figcaption></figure>"
