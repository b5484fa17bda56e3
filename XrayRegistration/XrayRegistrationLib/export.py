"""A registration as Slicer scene and pictures, for the command line.

The core finds `export_scene` by its entry point (group `xrayreg.scene_writer`). Slicer's libraries are
imported only when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from xrayreg.images import LabelMap, Markup
    from xrayreg.register import Registration

SCENE_FILE = "scene.mrb"


def export_scene(
    registration: Registration,
    out: Path,
    *,
    drrs: dict[str, np.ndarray],
    segmentation: LabelMap | None = None,
    labels: tuple[int, ...] = (),
    markups: tuple[Markup, ...] = (),
    pictures: bool = True,
) -> list[str]:
    """Write out/scene.mrb and, where OpenGL is there, out/view3d.png and out/slice_<view>.png.

    Args:
        drrs: [row, column] float32 line integrals at the registered pose, by view name.
        labels: the structures of ``segmentation`` to show; all of them if empty.
        markups: plans and landmarks, patient LPS, mm.

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
    from .scene import add_registration

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with headless() as opened, offscreen_windows():
        result = add_registration(
            opened.scene, registration, drrs, segmentation=segmentation, labels=labels, markups=markups
        )
        write_mrb(opened.scene, out / SCENE_FILE)
        if not pictures:
            return []
        problem = opengl_problem()
        if problem is not None:
            return [f"pictures left out: {problem}"]
        from .views import write_pictures

        write_pictures(opened, result, out)
    return []


def _require_slicer() -> None:
    try:
        import slicer

        slicer.vtkMRMLScene  # noqa: B018 - another package of that name would have none
    except (ImportError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise ImportError(
            f"scene.mrb needs Slicer's libraries - pip install 'slicer-core>=5.12' ({reason})"
        ) from None
