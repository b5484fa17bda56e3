"""Harness pictures of views: Slicer's own slice and 3D views, put together by us."""

from pathlib import Path
from tempfile import TemporaryDirectory

from layout_stand_in import SCREEN, tiles
from PIL import Image, ImageDraw, ImageFont
from XrayRegistrationLib.views import save, slice_window, window_3d

WIDTH = 1200
"""Of a picture for the docs, pixels."""
_GAP = 4
_QUALITY = 80


def arrangement_picture(opened, manager) -> Image.Image:
    """What the views of a stand-in's layout manager show, each at its place."""
    picture = Image.new("RGB", SCREEN, (235, 235, 235))
    for name, (left, top, width, height) in tiles(manager).items():
        tile = view_picture(opened, manager, name)
        picture.paste(tile.crop((0, 0, width - _GAP, height - _GAP)), (left, top))
    return picture


def view_picture(opened, manager, name: str) -> Image.Image:
    """What one view of a stand-in's layout manager shows."""
    size, widget = tiles(manager)[name][2:], manager.sliceWidget(name)
    if widget is None:
        window = window_3d(opened, manager.threeDWidget(0).mrmlViewNode(), size)
    else:
        window = slice_window(opened, widget.sliceLogic(), size)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "view.png"
        save(window, path)
        with Image.open(path) as picture:
            return picture.convert("RGB")


def side_by_side(pictures: dict[str, Image.Image]) -> Image.Image:
    """The middle squares of four pictures, two by two, each with its name in the corner."""
    edge = WIDTH // 2
    whole = Image.new("RGB", (WIDTH, WIDTH), (235, 235, 235))
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(24)
    for number, (name, picture) in enumerate(pictures.items()):
        side = min(picture.size)
        left, top = ((length - side) // 2 for length in picture.size)
        square = picture.crop((left, top, left + side, top + side)).resize((edge - _GAP, edge - _GAP))
        corner = (number % 2 * edge, number // 2 * edge)
        whole.paste(square, corner)
        draw.text((corner[0] + 12, corner[1] + 10), name, "white", font, stroke_width=2, stroke_fill="black")
    return whole


def save_small(picture: Image.Image, path: Path) -> None:
    """As a JPEG for the docs."""
    height = round(picture.height * WIDTH / picture.width)
    picture.resize((WIDTH, height), Image.Resampling.LANCZOS).save(path, quality=_QUALITY, optimize=True)
