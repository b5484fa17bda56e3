"""The demo's one-page report: one HTML file that holds its pictures."""

import html
from pathlib import Path

from .. import __version__
from ..results import figure, page, row, table, verdict
from .pipeline import Result

_TITLE = "XrayRegistration demo"

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

_NETWORK_PAIRS = (
    (
        ("start", "Start: where the network places vertebrae, ribs, screw path and target"),
        ("", "Registered from there"),
    ),
    _PAIRS[1],
)


def write_report(folder: Path, result: Result, metrics: dict, licence: str) -> None:
    """Write report.html beside the pictures it holds."""
    registration = result.outcome.registration
    names, seconds = [view.name for view in registration.views], registration.seconds
    alike = ", ".join(
        f"{html.escape(view.name)} {view.initial_similarity:.2f} &rarr; {view.similarity:.2f}"
        for view in registration.views
    )
    parts = [
        f"<h1>{_TITLE}</h1>",
        f'<p class="lead">One chest CT, two C-arm X-rays, one rigid registration. xrayreg {__version__}</p>',
        '<p class="note">Research use only, not a medical device. The X-rays are simulated from the CT by '
        "another projector, with beam hardening, scatter, noise, a tone curve and collimation; a real "
        "patient also breathes and moves between CT and X-ray, so real errors are larger than these.</p>",
        verdict(result.outcome.confidence),
        f"<p>Similarity of X-ray and DRR: {alike}.</p>",
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
        parts += [
            row([_figure(folder, _picture(name, kind), text) for kind, text in pair]) for pair in _PAIRS
        ]
    parts += _from_any_view(folder / "network", metrics.get("network"))
    scene = [
        _figure(folder, "view3d.png", "The scene in Slicer's 3D view: C-arm frustums, X-rays, bones, plan")
    ]
    scene += [_figure(folder, f"slice_{name}.png", f"{name} in Slicer's slice view") for name in names]
    if any(scene):
        parts += ["<h2>In 3D Slicer</h2><p>scene.mrb opens in 3D Slicer 5.12 or newer.</p>", *scene]
    parts.append(f"<h2>Data</h2><p>{html.escape(licence)}</p>")
    (folder / "report.html").write_text(page(_TITLE, parts), encoding="utf-8")


def _from_any_view(folder: Path, metrics: dict | None) -> list[str]:
    """The part on the view whose start a network found; nothing where there was none."""
    if metrics is None:
        return []
    (name,) = (view["name"] for view in metrics["views"])
    return [
        "<h2>From any view, by a network</h2>",
        "<p>The network was trained on simulated X-rays of this CT. Of this view it was told nothing but the "
        "image and the detector: neither the C-arm's angles nor where the patient lies. Depth is what a "
        "single view tells least.</p>",
        table(
            ("", *(title for _, title in _COLUMNS)),
            [(name, *(f"{metrics[key]:.2f}" for key, _ in _COLUMNS))],
        ),
        *(
            row([_figure(folder, _picture(name, kind), text) for kind, text in pair])
            for pair in _NETWORK_PAIRS
        ),
    ]


def _picture(name: str, kind: str) -> str:
    return f"overlay_{name}_{kind}.png" if kind else f"overlay_{name}.png"


def _table(metrics: dict) -> str:
    rows = [*metrics["views"], {**metrics, "name": "both views"}]
    return table(
        ("", *(title for _, title in _COLUMNS)),
        [(each["name"], *(f"{each[key]:.2f}" for key, _ in _COLUMNS)) for each in rows],
    )


def _figure(folder: Path, file: str, caption: str) -> str:
    """A picture with its caption; nothing where the file does not exist."""
    path = folder / file
    return figure(path.read_bytes(), caption) if path.is_file() else ""
