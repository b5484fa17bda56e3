"""Pages of HTML that stand alone: no scripts, nothing loaded from elsewhere, pictures inside."""

import base64
from collections.abc import Sequence
from html import escape

from ..register import Confidence

_COLORS = {"accept": "#1a7f37", "review": "#9a6700", "reject": "#b3261e"}
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2em auto; color: #222 }
h1 { margin-bottom: 0 } .lead { color: #555 } .note { background: #fff4d6; padding: .6em 1em }
.verdict { border-left: .5em solid; padding: .2em 1em; margin: 1em 0 } .verdict b { font-size: 1.4em }
.rejected { background: #b3261e; color: #fff; padding: .6em 1em; font-weight: bold }
table { border-collapse: collapse; margin: 1em 0 } th, td { border: 1px solid #ccc; padding: .3em .8em }
td { text-align: right } td:first-child, .facts td { text-align: left }
figure { margin: 0 } figcaption { color: #555; margin: .2em 0 1em }
.row { display: grid; grid-template-columns: 1fr 1fr; gap: 1em } img { width: 100%; background: #000 }
"""
_NOTHING_FROM_ELSEWHERE = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page; ``parts`` are HTML."""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_NOTHING_FROM_ELSEWHERE}">',
            f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>",
            *parts,
            "</body></html>\n",
        ]
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Of numbers, each row with its name first."""
    return f"<table>{_rows(head, rows)}</table>"


def facts(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of words."""
    return f'<table class="facts">{_rows(head, rows)}</table>'


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<tr>{titles}</tr>{body}"


def figure(png: bytes, caption: str) -> str:
    """A picture with its caption."""
    data, text = base64.b64encode(png).decode("ascii"), escape(caption)
    picture = f'<img src="data:image/png;base64,{data}" alt="{text}">'
    return f"<figure>{picture}<figcaption>{text}</figcaption></figure>"


def row(figures: Sequence[str]) -> str:
    """Figures beside each other."""
    return f'<div class="row">{"".join(figures)}</div>'


def verdict(sure: Confidence) -> str:
    """The verdict in its colour, the errors to expect, and the reasons."""
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in sure.reasons)
    return (
        f'<div class="verdict" style="border-color: {_COLORS[sure.verdict]}">'
        f'Verdict: <b style="color: {_COLORS[sure.verdict]}">{escape(sure.verdict)}</b><br>'
        f"Expected TRE {sure.expected_tre_mm:.2f} mm, with 95 % below {sure.p95_tre_mm:.2f} mm; probability "
        f"of a mean TRE below 2 mm: {100 * sure.success_probability:.0f} %.<ul>{reasons}</ul></div>"
    )
