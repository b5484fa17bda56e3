"""Static checks of the Slicer module: names, connections and lists that fail only inside Slicer."""

import ast
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from source_names import asked_of_the_application, chains, imported, is_light, panels, widgets_used

MODULE = Path(__file__).parents[2] / "XrayRegistration"
NAMES = json.loads((Path(__file__).parents[1] / "slicer_names.json").read_text(encoding="utf-8"))
LIBRARY = sorted((MODULE / "XrayRegistrationLib").rglob("*.py"))
UI_FILES = sorted((MODULE / "Resources" / "UI").glob("*.ui"))
MAIN = MODULE / "XrayRegistration.py"
SOURCES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in (MAIN, *LIBRARY)}
SCRIPT = SOURCES[MAIN]
PANELS = panels(SCRIPT, SOURCES.values())
IN_THE_APPLICATION = {"app", "modules", "mrmlScene", "packaging", "util"}


@pytest.fixture
def qt_names():
    pytest.importorskip(
        "PySide6.QtWidgets", reason="PySide6-Essentials is not installed", exc_type=ImportError
    )
    import qt_names

    return qt_names


def ui_of(name: str):
    return ElementTree.parse(MODULE / "Resources" / "UI" / f"{name}.ui").getroot()


def widgets(ui) -> dict[str, str]:
    """Class of each named widget in a .ui file."""
    return {widget.get("name"): widget.get("class") for widget in ui.iter("widget")}


def members(kind: str, qt_names) -> set[str]:
    """Of a class of Qt, CTK or Slicer."""
    if kind not in NAMES["classes"]:
        return qt_names.members(kind)
    return {*NAMES["classes"][kind], *qt_names.members(NAMES["qt_bases"].get(kind, "QWidget"))}


def signals(kind: str, qt_names) -> set[str]:
    if kind not in NAMES["classes"]:
        return qt_names.signals(kind)
    return {*NAMES["signals"][kind], *qt_names.signals(NAMES["qt_bases"].get(kind, "QWidget"))}


def test_every_ui_file_is_used_once():
    assert sorted(name for name, _, _ in PANELS) == [path.stem for path in UI_FILES]


def test_the_main_steps_are_numbered_from_top_to_bottom():
    files = re.findall(r'_add\("(\w+)\.ui"\)', MAIN.read_text(encoding="utf-8"))
    title = ".//widget[@class='ctkCollapsibleButton']/property[@name='text']/string"
    titles = [ui_of(name).findtext(title, default="") for name in files]
    numbers = [words.split(". ")[0] for words in titles if words[:1].isdigit()]
    assert numbers == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(("name", "names", "tree"), PANELS, ids=[panel[0] for panel in PANELS])
def test_every_widget_used_in_the_code_is_in_the_ui_file_with_its_members(name, names, tree, qt_names):
    kinds = widgets(ui_of(name))
    used = list(widgets_used(tree, names))
    assert used
    for widget, asked in used:
        assert widget in kinds, f"{name}.ui has no {widget}"
        kind = kinds[widget]
        assert not asked or asked[0] in members(kind, qt_names), f"{kind}.{asked[0]}"
        if asked[1:] == ["connect"]:
            assert asked[0] in signals(kind, qt_names), f"{kind}.{asked[0]} is no signal"


@pytest.mark.parametrize("path", UI_FILES, ids=lambda path: path.stem)
def test_properties_set_in_the_ui_files_exist(path, qt_names):
    for widget in ui_of(path.stem).iter("widget"):
        kind = widget.get("class")
        base = NAMES["qt_bases"].get(kind, "QWidget") if kind in NAMES["classes"] else kind
        known = {*NAMES["classes"].get(kind, ()), *qt_names.properties(base)}
        for name in (p.get("name") for p in widget.findall("property")):
            assert name in known, f"{kind}.{name}"


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
def test_widgets_are_of_qt_or_declared_and_known(path, qt_names):
    ui = ui_of(path.stem)
    declared = {custom.findtext("class") for custom in ui.iter("customwidget")}
    kinds = set(widgets(ui).values()) - {"Line"}  # a QFrame, to Qt's Designer
    assert {kind for kind in kinds if qt_names.find(kind) is None} == declared
    assert declared <= set(NAMES["classes"])


@pytest.mark.parametrize("tree", SOURCES.values(), ids=[path.stem for path in SOURCES])
def test_names_of_slicers_python_exist(tree):
    python = NAMES["python"]
    used = [
        (".".join(chain[:depth]), chain[depth]) for chain in chains(tree) for depth in range(1, len(chain))
    ]
    for module, name in [*used, *imported(tree)]:
        assert module not in python or name in python[module], f"{module}.{name}"
        assert module != "slicer.modules" or name in NAMES["modules"], f"{module}.{name}"


@pytest.mark.parametrize("tree", SOURCES.values(), ids=[path.stem for path in SOURCES])
def test_names_of_qt_and_of_the_application_exist(tree, qt_names):
    for chain in chains(tree):
        if chain[0] == "qt" and len(chain) > 1:
            kind = qt_names.find(chain[1])
            assert kind is not None, ".".join(chain)
            assert len(chain) < 3 or hasattr(kind, chain[2]), ".".join(chain)
    for kind, member in asked_of_the_application(tree):
        assert member in members(kind, qt_names), f"{kind}.{member}"


def test_the_four_classes_have_slicers_bases():
    bases = {node.name: node.bases[0].id for node in SCRIPT.body if isinstance(node, ast.ClassDef)}
    assert bases == {
        "XrayRegistration" + part: "ScriptedLoadableModule" + part for part in ("", "Widget", "Logic", "Test")
    }
    assert set(bases.values()) == set(NAMES["ScriptedLoadableModule"])


def test_no_panel_imports_anything_heavy_with_the_module():
    allowed = {*sys.stdlib_module_names, "slicer", "vtk", "qt", "ctk"}
    for path in (MODULE / "XrayRegistrationLib" / "panels").glob("*.py"):
        assert is_light(path, allowed), path.name


def test_nothing_but_the_standard_library_slicer_and_vtk_is_imported_at_file_scope():
    assert is_light(MAIN, {*sys.stdlib_module_names, "slicer", "vtk"})


def test_cmake_lists_every_file_of_the_library_and_no_other():
    cmake = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")
    listed = set(re.findall(r"XrayRegistrationLib/[\w/]+\.py", cmake))
    assert listed == {path.relative_to(MODULE).as_posix() for path in LIBRARY}
    listed = set(re.findall(r"Resources/UI/(\w+\.ui)", cmake))
    assert listed == {path.name for path in UI_FILES}
    for resource in re.findall(r"Resources/\S+", cmake.replace("${MODULE_NAME}", "XrayRegistration")):
        assert (MODULE / resource).is_file(), resource
    assert re.search(r"GLOB_RECURSE XRAYREG_PYTHON_SCRIPTS\s+RELATIVE", cmake)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-networks.txt"])
def test_requirements_are_ranges_and_leave_torch_to_its_extension(name):
    lines = (MODULE / "Resources" / name).read_text(encoding="utf-8").splitlines()
    requirements = [line for line in lines if line and not line.startswith("#")]
    assert requirements
    for requirement in requirements:
        assert "==" not in requirement
        assert not requirement.startswith("torch")


@pytest.mark.parametrize("path", [MAIN, *LIBRARY], ids=lambda path: path.name)
def test_classes_of_slicer_used_in_the_module_exist(path):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    text = path.read_text(encoding="utf-8")
    names = {chain[1] for chain in chains(ast.parse(text)) if chain[0] == "slicer" and len(chain) > 1}
    names |= set(re.findall(r'"(vtkMRML\w+(?:Node|DisplayableManager\w*))"', text))
    assert [name for name in sorted(names - IN_THE_APPLICATION) if not hasattr(slicer, name)] == []
