"""Harness pictures of an arrangement of views: Slicer's own slice and 3D views, put together by us."""

from pathlib import Path
from tempfile import TemporaryDirectory

from layout_stand_in import SCREEN, tiles
from PIL import Image
from XrayRegistrationLib.views import save, slice_window, window_3d

_GAP = 4


def arrangement_picture(opened, manager) -> Image.Image:
    """What the views of a stand-in's layout manager show, each at its place."""
    picture = Image.new("RGB", SCREEN, (235, 235, 235))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tile.png"
        for name, (left, top, width, height) in tiles(manager).items():
            widget = manager.sliceWidget(name)
            if widget is None:
                view = manager.threeDWidget(0).mrmlViewNode()
                save(window_3d(opened, view, (width, height)), path)
            else:
                save(slice_window(opened, widget.sliceLogic(), (width, height)), path)
            with Image.open(path) as tile:
                picture.paste(tile.crop((0, 0, width - _GAP, height - _GAP)), (left, top))
    return picture
