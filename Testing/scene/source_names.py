"""What the module's code uses by name, read from its source: widgets and their members, Slicer's and Qt's."""

import ast
from collections.abc import Iterator
from pathlib import Path

# What methods of the application's objects return.
RETURNED = {
    "layoutManager": "qSlicerLayoutManager",
    "sliceWidget": "qMRMLSliceWidget",
    "threeDView": "qMRMLThreeDView",
    "threeDWidget": "qMRMLThreeDWidget",
}


def dotted(node) -> list[str]:
    """["self", "ui", "x"] of the expression self.ui.x."""
    names = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else []


def chains(tree) -> list[list[str]]:
    return [chain for node in ast.walk(tree) if (chain := dotted(node))]


def imported(tree) -> Iterator[tuple[str, str]]:
    """(module, name) of every ``from module import name``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield node.module, alias.name


def panels(script, library) -> list[tuple[str, list[list[str]], ast.AST]]:
    """Which code uses which .ui file, and by which names: (name of the file, names, tree).

    The script loads each by ``self._add("Name.ui")``, and keeps its widgets or hands them to a class of
    the library, which calls them ``ui`` or ``self._ui``.
    """
    found = []
    for node in ast.walk(script):
        if isinstance(node, ast.Assign) and (name := _ui_file(node.value)):
            found.append((name, [dotted(target) for target in node.targets], script))
        elif isinstance(node, ast.Call) and dotted(node.func) != ["self", "_add"]:
            for name in filter(None, map(_ui_file, node.args)):
                found.append((name, [["ui"], ["self", "_ui"]], _home(dotted(node.func)[-1], library)))
    return found


def _ui_file(node) -> str:
    """The file's name if this is self._add("Name.ui")."""
    if isinstance(node, ast.Call) and dotted(node.func) == ["self", "_add"]:
        return node.args[0].value.removesuffix(".ui")
    return ""


def _home(name: str, library):
    """The tree that defines a class."""
    return next(
        tree
        for tree in library
        if any(isinstance(node, ast.ClassDef) and node.name == name for node in tree.body)
    )


def widgets_used(tree, names: list[list[str]]) -> Iterator[tuple[str, list[str]]]:
    """(widget, what is asked of it) for all that is reached by ``names``, or by another name given to it."""
    every = chains(tree)
    for name in names:
        for chain in every:
            if chain[: len(name)] == name and len(chain) > len(name):
                yield chain[len(name)], chain[len(name) + 1 :]
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and (value := dotted(node.value))[:-1] in names:
            for alias in filter(None, map(dotted, node.targets)):
                for chain in every:
                    if chain[: len(alias)] == alias:
                        yield value[-1], chain[len(alias) :]


def asked_of_the_application(tree) -> Iterator[tuple[str, str]]:
    """(class, member) for slicer.app and what its methods return, as long as the names can be followed."""
    kinds = {}

    def kind(node) -> str | None:
        if dotted(node) == ["slicer", "app"]:
            return "qSlicerApplication"
        if isinstance(node, ast.Name):
            return kinds.get(node.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and kind(node.func.value):
            return RETURNED.get(node.func.attr)
        return None

    for node in ast.walk(tree):  # assignments come before what is asked of their targets
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and kind(node.value):
            kinds[node.targets[0].id] = kind(node.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (owner := kind(node.value)):
            yield owner, node.attr


def is_light(path: Path, allowed: set[str]) -> bool:
    """Whether a file imports only ``allowed`` modules with itself, and files of the module that do so too."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            absolute, files = [alias.name for alias in node.names], []
        elif isinstance(node, ast.ImportFrom) and not node.level:
            absolute, files = [node.module], []
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module else [alias.name for alias in node.names]
            absolute, files = [], [path.parents[node.level - 1] / f"{name}.py" for name in names]
        else:
            continue
        if not {name.split(".")[0] for name in absolute} <= allowed:
            return False
        if not all(is_light(file, allowed) for file in files):
            return False
    return True
