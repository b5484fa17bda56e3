"""Static checks of the Slicer module: names, connections and lists that fail only inside Slicer."""

import ast
import json
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

MODULE = Path(__file__).parents[2] / "XrayRegistration"
SCRIPT = ast.parse((MODULE / "XrayRegistration.py").read_text(encoding="utf-8"))
UI = ElementTree.parse(MODULE / "Resources" / "UI" / "XrayRegistration.ui").getroot()
NAMES = json.loads((Path(__file__).parent / "slicer_names.json").read_text(encoding="utf-8"))
QT_MEMBERS = {"QPushButton": {"clicked", "enabled", "text"}, "QLabel": {"text"}}
LIBRARY = sorted((MODULE / "XrayRegistrationLib").glob("*.py"))


def widgets() -> dict[str, str]:
    """Class of each named widget in the .ui file."""
    return {widget.get("name"): widget.get("class") for widget in UI.iter("widget")}


def dotted(node) -> list[str]:
    """["self", "ui", "x"] of the expression self.ui.x."""
    names = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []


def chains(tree=SCRIPT) -> list[list[str]]:
    return [chain for node in ast.walk(tree) if (chain := dotted(node))]


def test_every_widget_used_in_the_code_is_in_the_ui_file_with_its_members():
    used = [chain for chain in chains() if chain[:2] == ["self", "ui"] and len(chain) > 2]
    assert used
    for _, _, name, *member in used:
        assert name in widgets()
        if member:
            kind = widgets()[name]
            assert member[0] in QT_MEMBERS.get(kind, NAMES["classes"].get(kind, ())), f"{kind}.{member[0]}"


def test_properties_set_in_the_ui_file_exist():
    for widget in UI.iter("widget"):
        kind = widget.get("class")
        if kind.startswith(("ctk", "qMRML")):
            for name in (p.get("name") for p in widget.findall("property")):
                assert name in NAMES["classes"][kind] or name in ("toolTip", "text"), f"{kind}.{name}"


def test_every_mrml_widget_follows_the_scene():
    top = UI.find("widget").get("name")
    followers = {
        connection.findtext("receiver")
        for connection in UI.iter("connection")
        if connection.findtext("sender") == top
        and connection.findtext("signal") == "mrmlSceneChanged(vtkMRMLScene*)"
        and connection.findtext("slot") == "setMRMLScene(vtkMRMLScene*)"
    }
    mrml = {name for name, kind in widgets().items() if kind.startswith("qMRML") and name != top}
    assert mrml <= followers


def test_custom_widgets_are_declared():
    declared = {custom.findtext("class") for custom in UI.iter("customwidget")}
    used = {kind for kind in widgets().values() if not kind.startswith("Q")}
    assert used == declared


def test_names_of_slicer_python_exist():
    for chain in chains():
        if chain[:2] == ["slicer", "util"] and len(chain) > 2:
            assert chain[2] in NAMES["python"]["slicer.util"], ".".join(chain)
        elif chain[0] == "slicer" and len(chain) > 1:
            assert chain[1] in ("util", "mrmlScene", "app"), ".".join(chain)
    members = {name for names in NAMES["classes"].values() for name in names}
    assert {"sliceViewNames", "sliceWidget", "sliceLogic", "setMRMLScene"} <= members


def test_the_four_classes_have_slicers_bases():
    bases = {node.name: node.bases[0].id for node in SCRIPT.body if isinstance(node, ast.ClassDef)}
    assert bases == {
        "XrayRegistration" + part: "ScriptedLoadableModule" + part for part in ("", "Widget", "Logic", "Test")
    }
    assert set(bases.values()) == set(NAMES["ScriptedLoadableModule"])


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
    listed = set(re.findall(r"XrayRegistrationLib/\w+\.py", cmake))
    assert listed == {f"XrayRegistrationLib/{path.name}" for path in LIBRARY}
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
    assert [name for name in sorted(names) if not hasattr(slicer, name)] == []
