"""The page of a quality card: what it says, where its marks lie; written whole or not at all."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from xrayreg.geometry import Camera
from xrayreg.images import Xray
from xrayreg.results import card_page, write_card
from xrayreg.results.card_figures import capture_bars, error_curves, polar_map

SVG = "{http://www.w3.org/2000/svg}"
ERRORS = ("rotation_deg", "centre_mm", "depth_mm", "mpd_mm", "across_mm", "mtre_mm")
RANGES = ("primary_deg", "secondary_deg", "tertiary_deg", "offset_x_mm", "offset_y_mm", "source_to_centre_mm")


def view(number: int, tilt: tuple[float, float, float], start_mm: float, mpd_mm: float) -> dict:
    return {
        "number": number,
        "primary_deg": tilt[1],
        "secondary_deg": tilt[2],
        "tilt_deg": tilt[0],
        "tilt_primary_deg": tilt[1],
        "tilt_secondary_deg": tilt[2],
        "seen": 0.75,
        "disturbed": number % 2 == 0,
        "start": dict.fromkeys(ERRORS, start_mm),
        "found": dict.fromkeys(ERRORS, mpd_mm),
        "success": mpd_mm < 1,
        "verdict": "accept" if mpd_mm < 1 else "review",
        "note": "",
    }


VIEWS = [view(1, (30, 30, 0), 8, 0.1), view(2, (15, 0, -15), 90, 7.5), view(3, (45, -45, 0), 12, 0.3)]


def card() -> dict:
    def spread(low: float) -> dict:
        return {"median": low, "p90": 2 * low, "worst": 3 * low}

    part = {"count": 2, "of": 3, "share": 2 / 3, "low": 0.208, "high": 0.939}
    return {
        "schema_version": 1,
        "software": {"name": "xrayreg", "version": "1.2", "torch": "2.13"},
        "training": {"ct": "<b>Doe</b>", "seconds": 744.0, "steps": 1500, "versions": {"monai": "1.6"}},
        "ranges": {name: [-5.0, 45.0] for name in RANGES},
        "xrays": {"count": 3, "seed": 7, "size": [256, 192]},
        "summary": {
            "success_below_mm": 1.0,
            "success": part,
            "in_reach": part,
            "start": {name: spread(4.0) for name in ERRORS},
            "found": {name: spread(0.2) for name in ERRORS},
            "success_by_start": [
                {"from_mm": 5.0, "to_mm": 10.0, **part},
                {"from_mm": 80.0, "to_mm": None, **part},
            ],
            "verdicts": {
                "accept": {"right": 2, "wrong": 0},
                "review": {"right": 0, "wrong": 1},
                "reject": {"right": 0, "wrong": 0},
            },
            "seconds": {"start": spread(0.03), "register": spread(1.1)},
        },
        "notices": ["the network looks <elsewhere>"],
        "views": VIEWS,
    }


def pictures() -> dict:
    rows, columns = np.indices((24, 32))
    drr = np.hypot(rows - 12, columns - 16).clip(0, 10).astype(np.float32)
    camera = Camera((32, 24), np.array([[100.0, 0, 16], [0, 100, 12], [0, 0, 1]]), np.eye(4))
    return {2: (Xray(drr, camera, rows > 3), drr, drr[:, ::-1])}


def words(page: str) -> str:
    return re.sub(r"<[^>]+>", "", page).replace("\N{NO-BREAK SPACE}", " ")


class Balanced(HTMLParser):
    """Fails at a tag that closes another one than the last that is open."""

    def __init__(self):
        super().__init__()
        self.open, self.names = [], set()

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.names.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def svg(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])


def test_what_the_page_says():
    text = words(card_page(card(), pictures()))
    assert "2 of 3 simulated X-rays of this CT were registered to within 1 mm" in text
    assert "67 %. With 95 % confidence the rate for such X-rays lies between 21 % and 94 %" in text
    assert "On real X-rays expect a lower rate." in text
    assert "1 of 1 failures were not accepted" in text
    assert "Training time12.4 minutes" in text
    assert "Primary angle (LAO +)-5° to 45°" in text
    assert "The network looks &lt;elsewhere&gt;." in text
    assert "View 2, NOT registered" in text


def test_the_page_is_sound_and_stands_alone():
    text = card_page(card(), pictures())
    page = Balanced()
    page.feed(text)
    assert page.open == []
    assert "script" not in page.names
    assert "&lt;b&gt;Doe&lt;/b&gt;" in text
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg"}
    assert text.count("data:image/png;base64,") == 3


def test_the_view_that_ended_worst_is_listed_first():
    table = words(card_page(card(), {})).split("The views that ended worst")[1]
    assert table.index("LAO 0.0°, CAUD 15.0°") < table.index("RAO 45.0°") < table.index("LAO 30.0°")


def test_places_and_shapes_in_the_polar_map():
    """The largest tilt is 45 degrees, 150 px from the middle (230, 175); cranial is up."""
    drawn = svg(polar_map(VIEWS, lambda each: each["found"]["mpd_mm"], (0.25, 0.5, 1, 5), "map"))
    marks = {
        mark.find(f"{SVG}title").text: mark for mark in drawn.iter() if mark.find(f"{SVG}title") is not None
    }
    place = {name: (mark.get("cx"), mark.get("cy")) for name, mark in marks.items()}
    assert place["view 1: 0.10 mm"] == ("330.0", "175.0")
    assert place["view 3: 0.30 mm"] == ("80.0", "175.0")
    failed = marks["view 2: 7.50 mm"]
    assert failed.tag == f"{SVG}polygon"
    corners = np.array([corner.split(",") for corner in failed.get("points").split()], dtype=float)
    assert corners.mean(axis=0) == pytest.approx([230, 225])
    shades = {name: mark.get("fill") for name, mark in marks.items()}
    assert len(set(shades.values())) == 3


def test_the_curves_pass_their_values():
    """0.01 to 1000 mm are five decades of 96 px from 60 on; half of two views is half of 230 px below 30."""
    two = [view(1, (0, 0, 0), 10, 0.1), view(2, (0, 0, 0), 100, 1)]
    lines = [line.get("points") for line in svg(error_curves(two, 1.0, "curves")).iter(f"{SVG}polyline")]
    start, found = lines[0].split(), lines[4].split()
    assert start == ["60.0,260.0", "348.0,260.0", "348.0,145.0", "444.0,145.0", "444.0,30.0", "540.0,30.0"]
    assert found[1:5] == ["156.0,260.0", "156.0,145.0", "252.0,145.0", "252.0,30.0"]


def test_bars_of_success_by_start():
    bins = [{"from_mm": 5.0, "to_mm": None, "count": 1, "of": 4, "share": 0.25, "low": 0.05, "high": 0.7}]
    drawn = svg(capture_bars(bins, "bars"))
    (bar,) = drawn.iter(f"{SVG}rect")
    assert (bar.get("y"), bar.get("height")) == ("202.5", "57.5")
    assert {"5 to more", "1 of 4"} <= {text.text for text in drawn.iter(f"{SVG}text")}


def test_files_beside_the_network(tmp_path):
    network = tmp_path / "skull.v2.pt"
    network.write_bytes(b"weights")
    numbers, page = write_card(network, card(), pictures())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "skull.v2.card.html", "skull.v2.card.json", "skull.v2.pt",
    ]  # fmt: skip
    assert json.loads(numbers.read_text(encoding="utf-8")) == card()
    assert page.read_text(encoding="utf-8") == card_page(card(), pictures())
    assert network.read_bytes() == b"weights"


@pytest.mark.parametrize("spoilt", ["summary", "views"])
def test_a_card_that_cannot_be_drawn_leaves_the_old_files(tmp_path, spoilt):
    network = tmp_path / "skull.pt"
    before = [path.read_bytes() for path in write_card(network, card(), {})]
    with pytest.raises(KeyError):
        write_card(network, {name: part for name, part in card().items() if name != spoilt}, {})
    with pytest.raises(ValueError, match="JSON"):
        write_card(network, card() | {"notices": [], "training": {"seconds": float("nan")}}, {})
    after = sorted(tmp_path.iterdir(), reverse=True)
    assert [path.name for path in after] == ["skull.card.json", "skull.card.html"]
    assert [path.read_bytes() for path in after] == before
