"""Figures of a quality card as SVG: a map of the views, curves of the errors, success by start error."""

import math
from collections.abc import Callable, Sequence
from html import escape

# From light to dark and from yellow to blue: told apart without red-green vision, and when printed grey
# (ColorBrewer's YlGnBu).
_SHADES = ("#ffffcc", "#a1dab4", "#41b6c4", "#2c7fb8", "#253494")
_INK, _FAINT, _BLUE, _ORANGE = "#222", "#bbb", "#0072b2", "#d55e00"
_TEXT = 'font-family="system-ui, sans-serif" font-size="13"'


def polar_map(
    views: Sequence[dict], error: Callable[[dict], float], edges: Sequence[float], title: str
) -> str:
    """Where the views were taken from, and how far off each was.

    The middle is the middle of the network's ranges; a view's distance from it is how far its central ray is
    tilted, its direction where to: right towards larger primary angles, up towards larger secondary angles.
    Views that failed are diamonds.

    Args:
        views: of a card's JSON.
        error: of a view, mm.
        edges: of the classes of errors, mm; one less than there are shades.
        title: of the figure.
    """
    step = 15 if max(view["tilt_deg"] for view in views) <= 75 else 30
    rings = max(1, math.ceil(max(view["tilt_deg"] for view in views) / step))
    x0, y0, radius = 230, 175, 150
    parts = []
    for ring in range(1, rings + 1):
        r = radius * ring / rings
        parts.append(f'<circle cx="{x0}" cy="{y0}" r="{r:.1f}" fill="none" stroke="{_FAINT}"/>')
        parts.append(_words(x0 + 0.71 * r + 2, y0 - 0.71 * r - 2, f"{ring * step}°", "start", "#666"))
    parts.append(_line(x0 - radius, y0, x0 + radius, y0, _FAINT))
    parts.append(_line(x0, y0 - radius, x0, y0 + radius, _FAINT))
    parts += [
        _words(x0 + radius + 6, y0 + 4, "LAO", "start"),
        _words(x0 - radius - 6, y0 + 4, "RAO", "end"),
        _words(x0, y0 - radius - 8, "cranial", "middle"),
        _words(x0, y0 + radius + 18, "caudal", "middle"),
    ]
    scale = radius / (rings * step)
    for view in sorted(views, key=error):
        x = x0 + scale * view["tilt_primary_deg"]
        y = y0 - scale * view["tilt_secondary_deg"]
        number, value = view["number"], error(view)
        parts.append(_mark(x, y, _shade(value, edges), view["success"], f"view {number}: {value:.2f} mm"))
    return _svg(460, 400, title, [*parts, *_classes(edges, 368)])


def error_curves(views: Sequence[dict], limit_mm: float, title: str) -> str:
    """The share of views whose error is below what the axis says: before and after registration."""
    curves = (
        ("network's start, in space (TRE)", "start", "mtre_mm", _ORANGE, ' stroke-dasharray="7 4"'),
        ("network's start, in the image (mPD)", "start", "mpd_mm", _BLUE, ' stroke-dasharray="7 4"'),
        ("registered, in space (TRE)", "found", "mtre_mm", _ORANGE, ""),
        ("registered, in the image (mPD)", "found", "mpd_mm", _BLUE, ""),
    )
    left, top, width, height, low, high = 60, 30, 480, 230, 0.01, 1000.0

    def across(mm: float) -> float:
        return left + width * math.log(min(max(mm, low), high) / low) / math.log(high / low)

    def down(part: float) -> float:
        return top + height * (1 - part)

    parts = _shares(left, width, down)
    for mm in (0.01, 0.1, 1, 10, 100, 1000):
        parts.append(_line(across(mm), top, across(mm), top + height, _FAINT))
        parts.append(_words(across(mm), top + height + 18, f"{mm:g}", "middle"))
    parts.append(_words(left + width / 2, top + height + 38, "error below, mm", "middle"))
    parts.append(_line(across(limit_mm), top, across(limit_mm), top + height, _INK, 1.5))
    parts.append(_words(across(limit_mm), top - 6, f"success: below {limit_mm:g} mm", "middle"))
    for number, (name, which, key, colour, dashes) in enumerate(curves):
        values = sorted(view[which][key] for view in views)
        points = [f"{across(low):.1f},{down(0):.1f}"]
        for count, value in enumerate(values):
            for done in (count, count + 1):
                points.append(f"{across(value):.1f},{down(done / len(values)):.1f}")
        points.append(f"{across(high):.1f},{down(1):.1f}")
        drawn = f'fill="none" stroke="{colour}" stroke-width="2.5"{dashes}'
        parts.append(f'<polyline points="{" ".join(points)}" {drawn}/>')
        y = top + height + 62 + 20 * number
        parts.append(f'<polyline points="{left},{y - 4} {left + 40},{y - 4}" {drawn}/>')
        parts.append(_words(left + 50, y, name, "start"))
    return _svg(600, 385, title, parts)


def capture_bars(bins: Sequence[dict], title: str) -> str:
    """Success by the error of the start, with 95 % intervals."""
    left, top, width, height = 60, 30, 480, 230

    def down(part: float) -> float:
        return top + height * (1 - part)

    parts = _shares(left, width, down)
    slot = width / max(len(bins), 1)
    for number, each in enumerate(bins):
        middle = left + slot * (number + 0.5)
        bar = f'x="{middle - 0.3 * slot:.1f}" width="{0.6 * slot:.1f}"'
        y, tall = down(each["share"]), height * each["share"]
        parts.append(f'<rect {bar} y="{y:.1f}" height="{tall:.1f}" fill="#9ecae1" stroke="{_BLUE}"/>')
        parts.append(_line(middle, down(each["low"]), middle, down(each["high"]), _INK, 1.5))
        for end in ("low", "high"):
            parts.append(_line(middle - 6, down(each[end]), middle + 6, down(each[end]), _INK, 1.5))
        upper = "more" if each["to_mm"] is None else f"{each['to_mm']:g}"
        parts.append(_words(middle, top + height + 18, f"{each['from_mm']:g} to {upper}", "middle"))
        parts.append(_words(middle, top + height + 36, f"{each['count']} of {each['of']}", "middle", "#666"))
    parts.append(_words(left + width / 2, top + height + 60, "error of the network's start, mm", "middle"))
    return _svg(600, 330, title, parts)


def _shares(left: float, width: float, down: Callable[[float], float]) -> list[str]:
    parts = []
    for percent in (0, 25, 50, 75, 100):
        y = down(percent / 100)
        parts.append(_line(left, y, left + width, y, _FAINT))
        parts.append(_words(left - 6, y + 4, f"{percent} %", "end"))
    return parts


def _classes(edges: Sequence[float], y: float) -> list[str]:
    """The legend of `polar_map`."""
    names = [*(f"< {edge:g}" for edge in edges), f"≥ {edges[-1]:g} mm"]
    parts = []
    for number, (shade, name) in enumerate(zip(_SHADES, names, strict=True)):
        x = 50 + 78 * number
        parts += [_mark(x, y, shade, True), _words(x + 12, y + 4, name, "start")]
    parts += [_mark(50, y + 22, "#fff", False), _words(64, y + 26, "not registered", "start")]
    return parts


def _shade(value: float, edges: Sequence[float]) -> str:
    return _SHADES[sum(value >= edge for edge in edges)]


def _mark(x: float, y: float, shade: str, success: bool, tip: str = "") -> str:
    title = f"<title>{escape(tip)}</title>" if tip else ""
    if success:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6" fill="{shade}" stroke="{_INK}">{title}</circle>'
    corners = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in ((0, -9), (9, 0), (0, 9), (-9, 0)))
    return f'<polygon points="{corners}" fill="{shade}" stroke="{_ORANGE}" stroke-width="3">{title}</polygon>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}"/>'


def _words(x: float, y: float, text: str, anchor: str, colour: str = _INK) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" {_TEXT}>{escape(text)}</text>'
    )


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<figure style="break-inside: avoid"><svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'viewBox="0 0 {width} {height}" width="100%" aria-label="{escape(title)}">{"".join(parts)}</svg>'
        f"<figcaption>{escape(title)}</figcaption></figure>"
    )
