"""Static checks of the Slicer module: names, connections and lists that fail only inside Slicer."""

import ast
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

MODULE = Path(__file__).parents[2] / "XrayRegistration"
NAMES = json.loads((Path(__file__).parents[1] / "slicer_names.json").read_text(encoding="utf-8"))
LIBRARY = sorted((MODULE / "XrayRegistrationLib").rglob("*.py"))
UI_FILES = sorted((MODULE / "Resources" / "UI").glob("*.ui"))
SOURCES = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in LIBRARY}
SCRIPT = ast.parse((MODULE / "XrayRegistration.py").read_text(encoding="utf-8"))
# Which code uses which .ui file, and under which name.
PANELS = [
    ("XrayRegistration", ("self", "ui"), SCRIPT),
    ("Preoperative", ("ui",), SOURCES["preoperative"]),
    ("Xrays", ("ui",), SOURCES["xrays"]),
    ("Register", ("ui",), SOURCES["register"]),
    ("Review", ("ui",), SOURCES["review"]),
]
QT_MEMBERS = {
    "QPushButton": {"clicked", "enabled", "text"},
    "QLabel": {"text"},
    "QLineEdit": {"text"},
    "QCheckBox": {"checked", "toggled"},
    "QProgressBar": {"value", "visible", "setRange"},
    "QTableWidget": {
        "currentRow",
        "itemSelectionChanged",
        "resizeColumnsToContents",
        "setColumnCount",
        "setHorizontalHeaderLabels",
        "setItem",
        "setRowCount",
    },
}
OF_EVERY_WIDGET = {"enabled", "toolTip", "visible"}


def ui_of(name: str):
    return ElementTree.parse(MODULE / "Resources" / "UI" / f"{name}.ui").getroot()


def widgets(ui) -> dict[str, str]:
    """Class of each named widget in a .ui file."""
    return {widget.get("name"): widget.get("class") for widget in ui.iter("widget")}


def dotted(node) -> list[str]:
    """["self", "ui", "x"] of the expression self.ui.x."""
    names = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []


def chains(tree) -> list[list[str]]:
    return [chain for node in ast.walk(tree) if (chain := dotted(node))]


@pytest.mark.parametrize(("name", "prefix", "tree"), PANELS, ids=[panel[0] for panel in PANELS])
def test_every_widget_used_in_the_code_is_in_the_ui_file_with_its_members(name, prefix, tree):
    start = len(prefix)
    kinds = widgets(ui_of(name))
    used = [chain for chain in chains(tree) if tuple(chain[:start]) == prefix and len(chain) > start]
    used += [chain for chain in chains(tree) if chain[:2] == ["self", "_ui"] and len(chain) > 2]
    assert used
    for chain in used:
        widget, *member = chain[2:] if chain[:2] == ["self", "_ui"] else chain[start:]
        assert widget in kinds, f"{name}.ui has no {widget}"
        if member:
            kind = kinds[widget]
            known = QT_MEMBERS.get(kind) or {*NAMES["classes"].get(kind, ()), *OF_EVERY_WIDGET}
            assert member[0] in known, f"{kind}.{member[0]}"


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.stem)
def test_properties_set_in_the_ui_files_exist(path):
    for widget in ui_of(path.stem).iter("widget"):
        kind = widget.get("class")
        if kind.startswith(("ctk", "qMRML")):
            for name in (p.get("name") for p in widget.findall("property")):
                assert name in NAMES["classes"][kind] or name in ("toolTip", "text"), f"{kind}.{name}"


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.stem)
def test_every_mrml_widget_follows_the_scene(path):
    ui = ui_of(path.stem)
    top = ui.find("widget").get("name")
    followers = {
        connection.findtext("receiver")
        for connection in ui.iter("connection")
        if connection.findtext("sender") == top
        and connection.findtext("signal") == "mrmlSceneChanged(vtkMRMLScene*)"
        and connection.findtext("slot") == "setMRMLScene(vtkMRMLScene*)"
    }
    mrml = {name for name, kind in widgets(ui).items() if kind.startswith("qMRML") and name != top}
    assert mrml <= followers


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.stem)
def test_custom_widgets_are_declared(path):
    ui = ui_of(path.stem)
    declared = {custom.findtext("class") for custom in ui.iter("customwidget")}
    assert {kind for kind in widgets(ui).values() if not kind.startswith("Q")} == declared


def test_names_of_slicer_python_exist():
    for tree in (SCRIPT, *SOURCES.values()):
        for chain in chains(tree):
            if chain[0] == "slicer" and len(chain) > 2 and chain[1] in ("util", "packaging"):
                assert chain[2] in NAMES["python"][f"slicer.{chain[1]}"], ".".join(chain)
    for chain in (*chains(SCRIPT), *chains(SOURCES["dependencies"])):
        if chain[0] == "slicer" and len(chain) > 1:
            assert chain[1] in ("util", "mrmlScene", "app", "packaging"), ".".join(chain)
    members = {name for names in NAMES["classes"].values() for name in names}
    assert {"sliceViewNames", "sliceWidget", "sliceLogic", "setMRMLScene", "nodeAddedByUser"} <= members


def test_the_four_classes_have_slicers_bases():
    bases = {node.name: node.bases[0].id for node in SCRIPT.body if isinstance(node, ast.ClassDef)}
    assert bases == {
        "XrayRegistration" + part: "ScriptedLoadableModule" + part for part in ("", "Widget", "Logic", "Test")
    }
    assert set(bases.values()) == set(NAMES["ScriptedLoadableModule"])


def test_no_panel_imports_anything_heavy_with_the_module():
    light = set(sys.stdlib_module_names) | {
        "slicer",
        "vtk",
        "qt",
        "roles",
        "preoperative",
        "register",
        "review",
        "xrays",
    }
    for path in (MODULE / "XrayRegistrationLib" / "panels").glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import):
                assert {alias.name.split(".")[0] for alias in node.names} <= light, path.name
            elif isinstance(node, ast.ImportFrom):
                names = {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
                assert names <= light, path.name


def test_nothing_but_the_standard_library_slicer_and_vtk_is_imported_at_file_scope():
    roots = set()
    for node in SCRIPT.body:
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            roots.add(node.module.split(".")[0])
    assert roots <= set(sys.stdlib_module_names) | {"slicer", "vtk"}


def test_cmake_lists_every_file_of_the_library_and_no_other():
    cmake = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    listed = set(re.findall(r"XrayRegistrationLib/[\w/]+\.py", cmake))
    assert listed == {path.relative_to(MODULE).as_posix() for path in LIBRARY}
    listed = set(re.findall(r"Resources/UI/(\w+\.ui)", cmake))
    assert listed == {path.name for path in UI_FILES}
    for resource in re.findall(r"Resources/\S+", cmake.replace("${MODULE_NAME}", "XrayRegistration")):
        assert (MODULE / resource).is_file(), resource
    assert re.search(r"GLOB_RECURSE XRAYREG_PYTHON_SCRIPTS\s+RELATIVE", cmake)


def test_requirements_are_ranges_and_leave_torch_to_its_extension():
    lines = (MODULE / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    requirements = [line for line in lines if line and not line.startswith("#")]
    assert requirements
    for requirement in requirements:
        assert "==" not in requirement
        assert not requirement.startswith("torch")


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.name)
def test_classes_of_slicer_used_in_the_library_exist(path):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    text = path.read_text(encoding="utf-8")
    names = {chain[1] for chain in chains(ast.parse(text)) if chain[0] == "slicer" and len(chain) > 1}
    names |= set(re.findall(r'"(vtkMRML\w+(?:Node|DisplayableManager\w*))"', text))
    in_the_application = {"app", "packaging", "util"}
    assert [name for name in sorted(names - in_the_application) if not hasattr(slicer, name)] == []
