"""A registration as Slicer scene and pictures, for the command line.

The core finds `export_scene` and `view_scene` by their entry points (groups `xrayreg.scene_writer` and
`xrayreg.scene_viewer`). Slicer's libraries are imported only when they are called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xrayreg.overlays import Layers
    from xrayreg.results import Outcome

SCENE_FILE = "scene.mrb"


def export_scene(
    outcome: Outcome, out: Path, *, layers: dict[str, Layers], pictures: bool = True
) -> list[str]:
    """Write out/scene.mrb and, where OpenGL is there, out/view3d.png and out/slice_<view>.png.

    Args:
        layers: by view, what is laid over its X-ray where it was found.

    Returns:
        Notices, one line each, about what was left out and what to do about it.

    Raises:
        ImportError: if slicer-core is missing or cannot be loaded.
        OSError: if a file cannot be written.
    """
    _require_slicer()
    from .bundle import write_mrb
    from .headless import headless
    from .offscreen import offscreen_windows, opengl_problem
    from .session import add_outcome
    from .work import found_in

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with headless() as opened, offscreen_windows():
        result = add_outcome(opened.scene, outcome, found_in(outcome, layers))
        write_mrb(opened.scene, out / SCENE_FILE)
        if not pictures:
            return []
        problem = opengl_problem()
        if problem is not None:
            return [f"pictures left out: {problem}"]
        from .views import write_pictures

        write_pictures(opened, result, out)
    return []


def view_scene(folder: Path, out: Path) -> list[Path]:
    """Write view3d.png and slice_<view>.png of the scene in a result folder into ``out``; returns them.

    Raises:
        ImportError: if slicer-core is missing or cannot be loaded.
        InputError: if the folder holds no result, or nothing can be drawn on this machine.
    """
    _require_slicer()
    from xrayreg.errors import InputError

    from .bundle import read_mrb
    from .headless import headless
    from .offscreen import offscreen_windows, opengl_problem
    from .results import load_result
    from .views import write_pictures

    with headless() as opened, offscreen_windows():
        result = load_result(opened.scene, folder, lambda path: read_mrb(opened.scene, path))
        problem = opengl_problem()
        if problem is not None:
            raise InputError(problem)
        return write_pictures(opened, result, out)


def _require_slicer() -> None:
    try:
        import slicer

        slicer.vtkMRMLScene  # noqa: B018 - another package of that name would have none
    except (ImportError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ImportError(
            f"{SCENE_FILE} needs Slicer's libraries - pip install 'slicer-core>=5.12' ({reason})"
        ) from None
