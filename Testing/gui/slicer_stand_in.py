"""What of ``slicer`` only the application has: slicer.app with its views, dialogs, scene files, translation.

The wheel brings the real slicer.util; only what needs the application is replaced in it.
"""
# ruff: noqa: N802, N815 - names follow Slicer

import logging
import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import qt_proxy
import scripted_module
import slicer
import slicer.util
from layout_stand_in import LayoutManager
from PySide6 import QtCore, QtWidgets
from qt_proxy import Proxy, ProxyClass
from ui_files import STANDINS, load_ui
from XrayRegistrationLib.bundle import read_mrb, write_mrb


@dataclass
class Person:
    """What the user was shown, and what the test lets the user answer.

    Attributes:
        errors: texts of error messages.
        messages: texts of other messages and of the status bar.
        questions: texts of the confirmations asked for.
        answers: True or False for each confirmation, in turn.
        widget: of the open module.
        selected: names of the modules that were brought to the front by the program.
    """

    errors: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    answers: list[bool] = field(default_factory=list)
    widget: object = None
    selected: list[str] = field(default_factory=list)

    def answer(self, text, windowTitle=None, parent=None, **kwargs) -> bool:
        self.questions.append(text)
        if not self.answers:
            raise AssertionError(f"the test has no answer to: {text}")
        return self.answers.pop(0)

    def see_error(self, text, windowTitle=None, parent=None, standardButtons=None, **kwargs) -> None:
        self.errors.append(text)

    def see(self, text, *args, **kwargs) -> None:
        self.messages.append(text)

    def select_module(self, name) -> None:
        self.selected.append(name)
        if self.widget is not None:
            self.widget.enter()


class StartupCompleted:
    """The signal that the application has started; tests send it."""

    def __init__(self):
        self._slots = []

    def connect(self, slot) -> bool:
        self._slots.append(slot)
        return True

    def emit(self) -> None:
        for slot in self._slots:
            slot()


class SampleDataLogic:
    """Of the Sample Data module: keeps what modules have to offer."""

    @staticmethod
    def registerCustomSampleDataSource(
        category="Custom",
        sampleName=None,
        uris=None,
        fileNames=None,
        nodeNames=None,
        customDownloader=None,
        thumbnailFileName=None,
    ):
        source = SimpleNamespace(
            sampleName=sampleName, customDownloader=customDownloader, thumbnailFileName=thumbnailFileName
        )
        if not len(uris) == len(fileNames) == len(nodeNames or uris):
            raise ValueError("All fields of sample data source must have the same length")
        slicer.modules.sampleDataSources.setdefault(category, []).append(source)


class SlicerApp:
    """``slicer.app``: Slicer's own members here, the rest from QApplication."""

    def __init__(self, opened, application: Proxy, folder: str):
        self._opened, self._application = opened, application
        self._layout = LayoutManager(opened)
        self._settings = qt_proxy.wrap(
            QtCore.QSettings(f"{folder}/Slicer.ini", QtCore.QSettings.Format.IniFormat)
        )
        self.startupCompleted = StartupCompleted()
        self.temporaryPath = folder
        self.applicationName = "Slicer"

    def layoutManager(self):
        return self._layout

    def applicationLogic(self):
        return self._opened.application

    def mrmlScene(self):
        return self._opened.scene

    def testingEnabled(self):
        return False  # in testing mode Slicer would swallow the messages that tests look at

    def mainWindow(self):
        return None

    def settings(self):
        return self._settings

    userSettings = settings

    def pauseRender(self):
        """Nothing is rendered."""

    resumeRender = pauseRender

    def __getattr__(self, name):
        return getattr(self._application, name)


def load_scene(filename, properties=None):
    """slicer.util.loadScene for bundles: clears first unless told otherwise, as Slicer does."""
    if (properties or {}).get("clear", True):
        slicer.mrmlScene.Clear(0)
    try:
        read_mrb(slicer.mrmlScene, filename)
    except OSError as error:
        raise RuntimeError(f"Failed to load node from file: {filename}\n{error}") from error


def save_scene(filename, properties=None):
    """slicer.util.saveScene for bundles: says by True or False whether it worked."""
    try:
        write_mrb(slicer.mrmlScene, filename)
    except OSError as error:
        logging.error("Failed to save scene to file: %s\n%s", filename, error)
        return False
    return True


def install(patch, opened, person: Person, module_file, folder: str) -> None:
    """Put all stand-ins in their places; ``patch`` (pytest.MonkeyPatch) takes them out again."""
    qt = qt_proxy.QtModule("qt")
    qt.QApplication  # noqa: B018 - must exist before anything else asks for a font or a style
    patch.setitem(sys.modules, "qt", qt)
    patch.setitem(sys.modules, "ctk", _widgets_module())
    application = qt_proxy.wrap(QtWidgets.QApplication.instance())
    for name in (name for name in STANDINS if name.startswith("qMRML")):
        patch.setattr(slicer, name, ProxyClass(STANDINS[name]), raising=False)
    patch.setattr(slicer, "mrmlScene", opened.scene, raising=False)
    patch.setattr(slicer, "app", SlicerApp(opened, application, folder), raising=False)
    modules = SimpleNamespace(**{module_file.stem.lower(): SimpleNamespace(path=str(module_file))})
    modules.sampleDataSources = {}
    patch.setattr(slicer, "modules", modules, raising=False)
    _install_submodules(patch)
    _install_util(patch, person)


def _widgets_module() -> ModuleType:
    ctk = ModuleType("ctk")
    for name, kind in STANDINS.items():
        if name.startswith("ctk"):
            setattr(ctk, name, ProxyClass(kind))
    return ctk


def _install_submodules(patch) -> None:
    i18n = ModuleType("slicer.i18n")
    i18n.tr = lambda text: text
    i18n.translate = lambda context, text: text
    scripted = ModuleType("slicer.ScriptedLoadableModule")
    for name in ("", "Widget", "Logic", "Test"):
        kind = f"ScriptedLoadableModule{name}"
        setattr(scripted, kind, getattr(scripted_module, kind))
    sample_data = ModuleType("SampleData")
    sample_data.SampleDataLogic = SampleDataLogic
    patch.setitem(sys.modules, "SampleData", sample_data)
    for module in (i18n, scripted, _packaging()):
        patch.setitem(sys.modules, module.__name__, module)
        patch.setattr(slicer, module.__name__.split(".")[1], module, raising=False)


def _packaging() -> ModuleType:
    """Slicer's package manager; it installs nothing and notes in ``asked`` who asked it to."""
    packaging = ModuleType("slicer.packaging")
    packaging.asked = []
    packaging.load_requirements = lambda path: path.read_text().split()
    packaging.pip_ensure = lambda requirements, requester=None: packaging.asked.append(requester)
    return packaging


def _install_util(patch, person: Person) -> None:
    util = slicer.util
    patch.setattr(util, "loadUI", lambda path: qt_proxy.wrap(load_ui(path)))
    patch.setattr(util, "errorDisplay", person.see_error)
    for name in ("warningDisplay", "infoDisplay", "messageBox", "delayDisplay", "showStatusMessage"):
        patch.setattr(util, name, person.see)
    for name in ("confirmOkCancelDisplay", "confirmYesNoDisplay", "confirmRetryCloseDisplay"):
        patch.setattr(util, name, person.answer)
    patch.setattr(util, "selectModule", person.select_module)
    patch.setattr(util, "getModuleWidget", lambda module: person.widget)
    patch.setattr(util, "loadScene", load_scene)
    patch.setattr(util, "saveScene", save_scene)
    patch.setattr(util, "mainWindow", lambda: None)
    patch.setattr(util, "modulePath", lambda name: getattr(slicer.modules, name.lower()).path)
    for name in ("pip_install", "pip_uninstall"):
        patch.delattr(util, name, raising=False)
