"""`xrayreg view`: review pictures of a result folder, drawn by Slicer's own views, without Slicer."""

import argparse
from importlib.metadata import entry_points
from pathlib import Path

from ..errors import InputError
from ..results import whole_or_nothing
from .files import say

_VIEWERS = "xrayreg.scene_viewer"


def add_to(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "view",
        help="pictures of a result, as Slicer shows it",
        description="Open the scene.mrb of a result folder without Slicer's application and draw what the "
        "module shows: each X-ray with the DRR, the outlines, the plan and its 95 % ellipses "
        "(slice_NAME.png), and C-arms, X-rays, bones and plan in 3D (view3d.png).",
    )
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="the --out folder of xrayreg register or demo"
    )
    parser.add_argument("--out", type=Path, help="folder for the pictures (default: DIR)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    viewer = next(iter(entry_points(group=_VIEWERS)), None)
    if viewer is None:
        raise InputError("no scene viewer is installed", remedy="pip install 'xrayreg[scene]'")
    out = options.out or options.folder
    say(f"drawing {options.folder}")
    try:
        with whole_or_nothing(out) as folder:
            names = [path.name for path in viewer.load()(options.folder, folder)]
    except ImportError as error:
        raise InputError(str(error)) from None
    print(f"{out}: {', '.join(names)}")
    return 0
