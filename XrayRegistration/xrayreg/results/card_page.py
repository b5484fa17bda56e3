"""The quality card of a pose network as files: numbers for programs, one page for people."""

import io
import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from ..geometry import carm_in_words
from ..images import Xray
from ..overlays import grey
from .card_figures import capture_bars, error_curves, polar_map
from .folders import whole_or_nothing
from .html import facts, figure, page, row, table

Pictures = Mapping[int, tuple[Xray, np.ndarray, np.ndarray]]
"""By view: the X-ray, and the DRRs [row, column] in its pixels at the network's pose and as registered."""

_TITLE = "Quality card of a pose network"
_START_EDGES_MM, _FOUND_EDGES_MM = (5, 10, 20, 40), (0.25, 0.5, 1, 5)
_LISTED = 12
_ERRORS = (
    ("rotation_deg", "Rotation, degrees"),
    ("centre_mm", "Centre across the beam, mm"),
    ("depth_mm", "Centre along the beam, mm"),
    ("mpd_mm", "In the image (mPD), mm"),
    ("across_mm", "Across the beam (TRE without depth), mm"),
    ("mtre_mm", "In space (TRE), mm"),
)
_RANGES = (
    ("primary_deg", "Primary angle (LAO +)", "°"),
    ("secondary_deg", "Secondary angle (cranial +)", "°"),
    ("tertiary_deg", "Turn about the beam", "°"),
    ("offset_x_mm", "Anatomy beside the beam, columns", " mm"),
    ("offset_y_mm", "Anatomy beside the beam, rows", " mm"),
    ("source_to_centre_mm", "Source to anatomy", " mm"),
)


def write_card(network: Path, card: dict, pictures: Pictures) -> tuple[Path, Path]:
    """Write N.card.json and N.card.html beside the network N, both whole or neither.

    Args:
        network: the network's file, of whatever ending.
        card: `QualityCard.as_json`.
        pictures: `QualityCard.images`.

    Returns:
        the two files.
    """
    names = [network.with_suffix(ending).name for ending in (".card.json", ".card.html")]
    texts = [json.dumps(card, indent=1, allow_nan=False) + "\n", card_page(card, pictures)]
    with whole_or_nothing(network.absolute().parent) as folder:
        for name, text in zip(names, texts, strict=True):
            (folder / name).write_text(text, encoding="utf-8")
    return network.with_name(names[0]), network.with_name(names[1])


def card_page(card: dict, pictures: Pictures) -> str:
    """The page: no scripts, nothing loaded from elsewhere."""
    views, summary = card["views"], card["summary"]
    limit = summary["success_below_mm"]
    maps = [
        polar_map(
            views,
            lambda view: view["start"]["mtre_mm"],
            _START_EDGES_MM,
            "Error of the network's start in space (mean TRE), by direction of view",
        ),
        polar_map(
            views,
            lambda view: view["found"]["mpd_mm"],
            _FOUND_EDGES_MM,
            "Error in the image (mPD) after registration, by direction of view",
        ),
    ]
    curves = [
        error_curves(views, limit, "Share of views with errors below, before and after registration"),
        capture_bars(
            summary["success_by_start"],
            "Share of views registered, by how far off the network's start was (TRE), with 95 % intervals",
        ),
    ]
    parts = [
        f"<h1>{_TITLE}</h1>",
        '<p class="lead">Research use only, not a medical device.</p>',
        *_headline(summary),
        *(f'<p class="note">{escape(notice[:1].upper() + notice[1:])}.</p>' for notice in card["notices"]),
        _simulated(card),
        "<h2>By direction of view</h2>",
        row(maps),
        "<p>Each mark is one X-ray. The middle of a map is the middle of the angles that the network knows; "
        "the further out, the more the beam was tilted from there, right towards LAO, up towards cranial. "
        "Diamonds with a thick rim were not registered.</p>",
        "<h2>Errors</h2>",
        row(curves),
        _error_table(summary),
        _definitions(limit),
        "<h2>What registration said of itself</h2>",
        *_verdicts(summary),
        "<h2>The views that ended worst</h2>",
        *_worst(views, pictures),
        "<h2>The network</h2>",
        facts(("Training, and what the network knows", ""), _training(card)),
        f'<p class="lead">{escape(_made(card))}</p>',
    ]
    return page(_TITLE, parts)


def _headline(summary: dict) -> list[str]:
    good, limit = summary["success"], summary["success_below_mm"]
    reach = summary["in_reach"]
    return [
        f'<p style="font-size: 1.3em"><b>{good["count"]} of {good["of"]}</b> simulated X-rays of this CT '
        f"were registered to within {limit:g} mm, starting from the network alone: "
        f"<b>{_percent(good['share'])}</b>. With 95\u00a0% confidence the rate for such X-rays lies between "
        f"{_percent(good['low'])} and {_percent(good['high'])}.</p>",
        f"<p>In {reach['count']} of {reach['of']} the network's start was near enough for the true pose to "
        "lie within the range that registration then searches.</p>",
    ]


def _simulated(card: dict) -> str:
    xrays = card["xrays"]
    columns, rows = xrays["size"]
    return (
        f"<p>The {xrays['count']} X-rays ({columns} x {rows} pixels) were simulated from the CT itself, at "
        "random poses within the ranges below, none of which was used in training. They were made by another "
        "projector than that of training and registration, with beam hardening, scatter, blur, noise and a "
        "tone curve; every second one also shows a steel rod and is cut by a collimator. They do not show "
        "what real X-rays add: breathing, another position on the table, what was done or implanted since "
        "the CT. <b>On real X-rays expect a lower rate.</b></p>"
    )


def _error_table(summary: dict) -> str:
    columns = ("median", "p90", "worst")
    rows = [
        (name, *(_number(summary[which][key][column]) for which in ("start", "found") for column in columns))
        for key, name in _ERRORS
    ]
    head = [
        f"{which}, {column}"
        for which in ("Start", "Registered")
        for column in ("median", "90\u00a0%", "worst")
    ]
    return table(("Error", *head), rows)


def _definitions(limit: float) -> str:
    return (
        f"<p>An X-ray counts as registered if its mean projection distance (mPD) is below {limit:g} mm: "
        "the distance, in the image, between where bone is shown and where it should be, scaled from the "
        "detector to the bone. TRE is the distance in space; a single view hardly tells the depth along the "
        "beam, so it is larger. 90\u00a0%: nine of ten views are better.</p>"
    )


def _verdicts(summary: dict) -> list[str]:
    verdicts, seconds = summary["verdicts"], summary["seconds"]
    rows = [(name, str(each["right"]), str(each["wrong"])) for name, each in verdicts.items()]
    failed = sum(each["wrong"] for each in verdicts.values())
    caught = failed - verdicts["accept"]["wrong"]
    said = "No X-ray failed" if not failed else f"{caught} of {failed} failures were not accepted"
    return [
        table(("Verdict", "registered", "not registered"), rows),
        f"<p>{said}. A view took {seconds['start']['median']:.2f} s for the network and "
        f"{seconds['register']['median']:.1f} s for registration (median).</p>",
    ]


def _worst(views: Sequence[dict], pictures: Pictures) -> list[str]:
    """A table of them, all failures first, and pictures of those that have any."""
    ordered = sorted(views, key=lambda view: -view["found"]["mpd_mm"])
    failures = [view for view in ordered if not view["success"]]
    listed = ordered[: max(_LISTED, len(failures))]
    rows = [
        (
            str(view["number"]),
            carm_in_words(view["primary_deg"], view["secondary_deg"]).replace(" ", "\u00a0"),
            _number(view["start"]["rotation_deg"]),
            _number(view["start"]["mtre_mm"]),
            _number(view["found"]["mpd_mm"]),
            _number(view["found"]["mtre_mm"]),
            _percent(view["seen"]),
            "yes" if view["disturbed"] else "no",
            view["verdict"] + (f" ({view['note']})" if view["note"] else ""),
        )
        for view in listed
    ]
    head = (
        "View", "Angles", "Start, degrees", "Start, TRE mm", "Registered, mPD mm", "Registered, TRE mm",
        "In the field", "Rod, collimator", "Verdict",
    )  # fmt: skip
    shown = [view for view in listed if view["number"] in pictures]
    return [table(head, rows), *(_three(view, *pictures[view["number"]]) for view in shown)]


def _three(view: dict, xray: Xray, start: np.ndarray, found: np.ndarray) -> str:
    number = view["number"]
    state = "registered" if view["success"] else "NOT registered"
    figures = [
        figure(_png(xray.line_integrals, xray.mask), f"View {number}, {state}: X-ray"),
        figure(_png(start, xray.mask, start > 0), f"DRR at the start, {view['start']['mtre_mm']:.1f} mm off"),
        figure(_png(found, xray.mask, found > 0), f"DRR at the end, mPD {view['found']['mpd_mm']:.2f} mm"),
    ]
    columns = (
        'class="row" style="grid-template-columns: repeat(3, 1fr); max-width: 780px; break-inside: avoid"'
    )
    return f"<div {columns}>{''.join(figures)}</div>"


def _png(image: np.ndarray, mask: np.ndarray, focus: np.ndarray | None = None) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(grey(image, mask, focus)).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _training(card: dict) -> list[tuple[str, str]]:
    """Ranges, and whatever the record of training says."""
    ranges = [
        (name, " to ".join(f"{end:g}{unit}" for end in card["ranges"][key])) for key, name, unit in _RANGES
    ]
    record = [(_title(key), _value(key, value)) for key, value in card["training"].items()]
    return [*record, *ranges, ("Seed of these X-rays", str(card["xrays"]["seed"]))]


def _title(key: str) -> str:
    return {"seconds": "Training time", "volumes": "SHA-256 of the CT"}.get(
        key, key.replace("_", " ").capitalize()
    )


def _value(key: str, value: object) -> str:
    if key == "seconds":
        return f"{value / 60:.1f} minutes"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(name, each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value("", each) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _made(card: dict) -> str:
    used = card["software"]
    others = ", ".join(f"{name} {number}" for name, number in used.items() if name not in ("name", "version"))
    return f"{used['name']} {used['version']}, {others}."


def _percent(part: float) -> str:
    return f"{100 * part:.0f}\u00a0%"


def _number(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"
