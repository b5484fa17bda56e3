"""Result folders of the command line, brought into a scene."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from xrayreg.errors import InputError

from .mrml import all_or_nothing, node_ids
from .roles import EXPORTED, SIMILARITY, VIEW, references, result_nodes, view_name

RESULT_FILE = "registration.json"
SCENE_FILE = "scene.mrb"


def scene_file_of(folder: str | Path) -> Path:
    """The scene in a folder that `xrayreg register` or `xrayreg demo` wrote.

    Raises:
        InputError: if it is no such folder, or its scene is missing or damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, remedy="choose the --out folder of xrayreg register")
    try:
        json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"no {RESULT_FILE} in this folder",
            where=folder,
            remedy="choose a folder that xrayreg register or xrayreg demo wrote",
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({error})", where=folder / RESULT_FILE) from None
    path = folder / SCENE_FILE
    if not path.is_file():
        raise InputError(
            f"the result has no {SCENE_FILE}",
            where=folder,
            remedy="run xrayreg again where Slicer's libraries are installed (pip install slicer-core)",
        )
    try:
        with zipfile.ZipFile(path) as bundle:
            is_scene = any(name.endswith(".mrml") for name in bundle.namelist())
    except (OSError, zipfile.BadZipFile):
        is_scene = False
    if not is_scene:
        raise InputError("not a Slicer scene, or damaged", where=path, remedy="run xrayreg again")
    return path


def load_result(scene, folder: str | Path, read_scene: Callable[[Path], None]):
    """Add the result in a folder to the scene and return its result node.

    The scene is as before if anything goes wrong.

    Args:
        read_scene: adds the content of a bundle to ``scene``; slicer.util.loadScene in Slicer.

    Raises:
        InputError: if the folder holds no result.
    """
    path = scene_file_of(folder)
    before = node_ids(scene)
    with all_or_nothing(scene):
        read_scene(path)
        loaded = [node for node in result_nodes(scene) if node.GetID() not in before]
        if not loaded:
            raise InputError("the scene holds no registration", where=path)
        exported = [node for node in loaded if node.GetAttribute(EXPORTED)]
    for node in exported:
        node.RemoveAttribute(EXPORTED)
    return (exported or loaded)[-1]


def summary(result) -> str:
    """One line per view: its name and how well it matches."""
    lines = []
    for xray in references(result, VIEW):
        similarity = json.loads(xray.GetAttribute(SIMILARITY))
        lines.append(f"{view_name(xray)}: similarity {similarity:.3f}")
    return "\n".join(lines)
