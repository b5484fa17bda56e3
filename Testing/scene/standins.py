"""Stand-ins for what only the Slicer application has: enough to import the module and press its button.

They test our code, not Slicer.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

MODULE_FILE = Path(__file__).parents[2] / "XrayRegistration" / "XrayRegistration.py"


class Signal:
    def __init__(self):
        self.slots = []

    def connect(self, slot):
        self.slots.append(slot)

    def emit(self, *values):
        for slot in self.slots:
            slot(*values)


class Widget(SimpleNamespace):
    """A Qt widget as PythonQt shows it: properties are attributes, signals can be connected."""

    def __init__(self, **properties):
        super().__init__(clicked=Signal(), currentPathChanged=Signal(), **properties)

    def setMRMLScene(self, scene):  # noqa: N802
        self.scene = scene

    def addCurrentPathToHistory(self):  # noqa: N802
        self.history = [self.currentPath]


class Module:
    def __init__(self, parent=None):
        self.parent = parent


class ModuleWidget(Module):
    def setup(self):
        self.layout = SimpleNamespace(addWidget=lambda widget: None)

    def resourcePath(self, name):  # noqa: N802
        return str(MODULE_FILE.parent / "Resources" / name)


class ModuleLogic:
    def __init__(self):
        self.isSingletonParameterNode = True


class ModuleTest:
    pass


def import_module(monkeypatch, scene, read_scene):
    """XrayRegistration.py imported as Slicer would, and the messages its errorDisplay shows.

    Args:
        scene: becomes slicer.mrmlScene.
        read_scene: path -> None, becomes slicer.util.loadScene.
    """
    import slicer

    errors = []
    ui = SimpleNamespace(
        resultFolder=Widget(currentPath=""), loadButton=Widget(enabled=False), resultLabel=Widget(text="")
    )
    scripted = ModuleType("slicer.ScriptedLoadableModule")
    scripted.ScriptedLoadableModule = Module
    scripted.ScriptedLoadableModuleWidget = ModuleWidget
    scripted.ScriptedLoadableModuleLogic = ModuleLogic
    scripted.ScriptedLoadableModuleTest = ModuleTest
    i18n = ModuleType("slicer.i18n")
    i18n.tr = lambda text: text
    i18n.translate = lambda context, text: text
    util = SimpleNamespace(
        loadUI=lambda path: Widget(path=path),
        childWidgetVariables=lambda widget: ui,
        errorDisplay=errors.append,
        loadScene=lambda path, properties: read_scene(path),
        resetThreeDViews=lambda: None,
    )
    monkeypatch.setitem(sys.modules, scripted.__name__, scripted)
    monkeypatch.setitem(sys.modules, i18n.__name__, i18n)
    monkeypatch.setattr(slicer, "util", util, raising=False)
    monkeypatch.setattr(slicer, "mrmlScene", scene, raising=False)
    monkeypatch.setattr(slicer, "app", SimpleNamespace(layoutManager=lambda: None), raising=False)
    spec = importlib.util.spec_from_file_location("XrayRegistration", MODULE_FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, ui, errors
