"""The house rule on imports, read from the sources without running them.

A room is a folder of `xrayreg`. It uses the rooms below it, each by its door (`from ..geometry import
Camera`), and the free files beside them (`errors`). On the third floor `register` lies lowest: a pose
network or a reconstruction may register, and `evaluate` judges all three; a network's start pose reaches
`register` as an argument, so `register` needs to know none of them.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MODULE = Path(__file__).resolve().parents[2] / "XrayRegistration"

MAY_USE = {
    "geometry": set(),
    "images": {"geometry"},
    "render": {"geometry", "images"},
    "similarity": {"geometry", "images"},
}
MAY_USE["deform"] = {"geometry", "images"}
MAY_USE["overlays"] = {"geometry", "images", "render"}
MAY_USE["register"] = {"geometry", "images", "render", "similarity"}
MAY_USE["learn"] = MAY_USE["reconstruct"] = MAY_USE["register"] | {"register"}
MAY_USE["evaluate"] = MAY_USE["register"] | {"register", "learn", "reconstruct"}
MAY_USE["results"] = MAY_USE["register"] | {"register", "deform", "overlays"}
MAY_USE["articulate"] = MAY_USE["results"] | {"results"}
MAY_USE["audit"] = {"geometry", "images"}
MAY_USE["cli"] = MAY_USE["evaluate"] | {
    "evaluate",
    "audit",
    "articulate",
    "deform",
    "overlays",
    "results",
}
FREE = {"__init__", "__main__", "errors"}  # the files that stand beside the rooms, and use none but the cli

APPLICATION = {"slicer", "qt", "vtk", "ctk", "PythonQt", "PySide6", "vtkmodules", "mrml"}
UPPER_STOREY = {"XrayRegistration", "XrayRegistrationLib"}
LIGHT = {*sys.stdlib_module_names, "slicer", "qt", "ctk", "vtk", "SimpleITK", "numpy"}  # in Slicer anyway


def imported(tree: ast.AST, package: list[str]) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of each import, also inside functions; relative ones made absolute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            base = [*above, *([node.module] if node.module else [])]
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def fault_in_core(name: str, room: str, core: Path) -> str | None:
    """Why a file in `room` of the core may not import `name`, or None."""
    top, *rest = name.split(".")
    if top in APPLICATION:
        return "the core knows no Slicer, Qt or VTK"
    if top in UPPER_STOREY:
        return "imports go down"
    if top != "xrayreg" or not rest or rest[0] == room or not is_room(core / rest[0]):
        return None
    if rest[0] not in MAY_USE.get(room, set()):
        return f"{room or 'xrayreg'} does not lie above {rest[0]}"
    return None if by_the_door(rest, core) else f"{rest[0]} is entered by its door"


def is_room(folder: Path) -> bool:
    return folder.is_dir()


def by_the_door(rest: list[str], core: Path) -> bool:
    """Whether nothing behind the room's `__init__.py` is named: `room` or `room.Name`, not `room.file`."""
    if len(rest) != 2:
        return len(rest) == 1
    inside = core.joinpath(*rest)
    return not inside.is_dir() and not inside.with_suffix(".py").is_file()


def faults(module: Path) -> list[str]:
    """Each import in the module's folder that breaks the rule, as `file:line: import name: why`."""
    found = []
    for path in sorted(module.rglob("*.py")):
        place = path.relative_to(module)
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        for line, name in imported(tree, list(place.parts[:-1])):
            if why := fault(name, place, module):
                found.append(f"{place.as_posix()}:{line}: import {name}: {why}")
    return found


def fault(name: str, place: Path, module: Path) -> str | None:
    core = module / "xrayreg"
    if place.parts[0] == "xrayreg":
        room = place.parts[1] if len(place.parts) > 2 else ""
        # `python -m xrayreg` stands where the command line stands.
        return fault_in_core(name, "cli" if place.name == "__main__.py" and not room else room, core)
    top, *rest = name.split(".")
    if top == "XrayRegistration":
        return "imports go down"
    if top == "xrayreg" and rest and is_room(core / rest[0]) and not by_the_door(rest, core):
        return f"{rest[0]} is entered by its door"
    return None


def heavy_at_file_scope(path: Path) -> list[str]:
    """What importing the file itself imports (class bodies and branches included) beyond the light."""
    tree = WithoutFunctions().visit(ast.parse(path.read_text(encoding="utf-8")))
    return [name for _, name in imported(tree, []) if name.split(".")[0] not in LIGHT]


class WithoutFunctions(ast.NodeTransformer):
    def visit_FunctionDef(self, node):
        return None

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815


def test_imports_go_down():
    assert faults(MODULE) == []


def test_every_room_has_its_floor():
    rooms = {path.parent.name for path in (MODULE / "xrayreg").glob("*/__init__.py")}
    files = {path.stem for path in (MODULE / "xrayreg").glob("*.py")}
    assert rooms <= {*MAY_USE}, "give the new room its place in MAY_USE"
    assert files <= FREE, "a file belongs into a room"
    assert "geometry" in rooms


def test_the_slicer_module_imports_nothing_heavy_at_file_scope():
    scripted_module = MODULE / "XrayRegistration.py"
    if not scripted_module.is_file():
        pytest.skip("XrayRegistration.py is not written yet")
    assert heavy_at_file_scope(scripted_module) == []


def house(folder: Path, place: str, source: str) -> Path:
    """A tiny house with all rooms and one file of interest."""
    for room in MAY_USE:
        (folder / "xrayreg" / room).mkdir(parents=True)
        (folder / "xrayreg" / room / "__init__.py").touch()
    (folder / "xrayreg" / "errors.py").touch()
    (folder / "xrayreg" / "geometry" / "se3.py").touch()
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    (folder / place).write_text(source)
    return folder


@pytest.mark.parametrize(
    ("place", "source", "why"),
    [
        ("xrayreg/geometry/bad.py", "from ..images import Volume", "geometry does not lie above images"),
        ("xrayreg/images/bad.py", "import xrayreg.render", "images does not lie above render"),
        ("xrayreg/images/bad.py", "from .. import render", "images does not lie above render"),
        (
            "xrayreg/render/bad.py",
            "def f():\n    from ..similarity import a",
            "render does not lie above similarity",
        ),
        ("xrayreg/register/bad.py", "from ..learn import Network", "register does not lie above learn"),
        ("xrayreg/learn/bad.py", "from ..evaluate import tre", "learn does not lie above evaluate"),
        ("xrayreg/evaluate/bad.py", "from xrayreg.cli import main", "evaluate does not lie above cli"),
        ("xrayreg/images/bad.py", "from ..audit import audit", "images does not lie above audit"),
        ("xrayreg/audit/bad.py", "from ..render import render", "audit does not lie above render"),
        ("xrayreg/errors.py", "from .geometry import Camera", "xrayreg does not lie above geometry"),
        ("xrayreg/images/bad.py", "from ..geometry.se3 import inverse", "geometry is entered by its door"),
        ("xrayreg/images/bad.py", "from ..geometry import se3", "geometry is entered by its door"),
        ("xrayreg/images/bad.py", "import xrayreg.geometry.se3", "geometry is entered by its door"),
        (
            "xrayreg/register/deep/bad.py",
            "from ...geometry.se3 import exp",
            "geometry is entered by its door",
        ),
        (
            "XrayRegistrationLib/bad.py",
            "from xrayreg.geometry.se3 import exp",
            "geometry is entered by its door",
        ),
        ("XrayRegistrationLib/bad.py", "import XrayRegistration", "imports go down"),
        ("xrayreg/cli/bad.py", "from XrayRegistrationLib.export import export_scene", "imports go down"),
        ("xrayreg/images/bad.py", "import slicer", "no Slicer"),
        ("xrayreg/images/bad.py", "import vtk.util.numpy_support", "no Slicer"),
        ("xrayreg/images/bad.py", "from vtkmodules.util import numpy_support", "no Slicer"),
        ("xrayreg/images/bad.py", "from PySide6 import QtCore", "no Slicer"),
    ],
)
def test_a_broken_rule_is_found_with_its_place(tmp_path, place, source, why):
    (found,) = faults(house(tmp_path, place, source))
    assert found.startswith(f"{place}:{len(source.splitlines())}: ")
    assert why in found


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("xrayreg/images/good.py", "from ..geometry import Camera\nfrom ..errors import InputError"),
        ("xrayreg/geometry/good.py", "from .se3 import inverse\nfrom xrayreg.geometry.se3 import exp"),
        ("xrayreg/register/deep/good.py", "from ...geometry import Camera\nfrom ..levels import f"),
        ("xrayreg/learn/good.py", "from ..register import register"),
        ("xrayreg/evaluate/good.py", "from ..learn import Network"),
        ("xrayreg/cli/good.py", "from .. import __version__, evaluate\nfrom ..evaluate import tre"),
        ("xrayreg/__main__.py", "from .cli import main"),
        ("XrayRegistrationLib/good.py", "import slicer, vtk\nfrom xrayreg.geometry import Camera"),
        ("XrayRegistration.py", "import slicer\nfrom XrayRegistrationLib import widget"),
    ],
)
def test_a_kept_rule_is_not_complained_of(tmp_path, place, source):
    assert faults(house(tmp_path, place, source)) == []


def test_heavy_imports_at_file_scope_are_found_and_those_in_functions_are_not(tmp_path):
    path = tmp_path / "XrayRegistration.py"
    path.write_text(
        "import os, vtk, torch\n"
        "from slicer.ScriptedLoadableModule import *\n"
        "try:\n    import xrayreg.render\nexcept ImportError:\n    import scipy\n"
        "class Logic:\n    import pydicom\n    def run(self):\n        import SimpleITK, monai\n"
    )
    assert sorted(heavy_at_file_scope(path)) == ["pydicom", "scipy", "torch", "xrayreg.render"]
