"""Opens our module's panel without the Slicer application, presses its buttons and takes its picture.

A test of our code on stand-ins for Slicer's widgets, with a real scene; no proof of Slicer.
"""

import ctypes
import importlib.util
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import node_combo_boxes
import pytest
import qt_proxy
import slicer
import standin_widgets
from PySide6 import QtCore, QtGui, QtWidgets
from shiboken6 import Shiboken
from slicer_stand_in import Person, install

MODULE_FILE = Path(__file__).parents[2] / "XrayRegistration" / "XrayRegistration.py"
PANEL_WIDTH = 420
BEAT_MS = 10
_ANY_WIDTH = (1 << 24) - 1  # Qt's own, QWIDGETSIZE_MAX


@dataclass
class Block:
    """The longest time in which no event was processed."""

    milliseconds: float = 0.0


class Application(Person):
    """What a test does to the application and sees of it; see also Person.

    Attributes:
        exceptions: what slots and observers raised. Qt and VTK print such errors and go on; here they
            fail the test, unless it empties the list.
        panel: the Qt widget around the module's own, after open_module().
    """

    def __init__(self):
        super().__init__()
        self.exceptions: list[str] = []
        self.module = self.panel = None

    def open_module(self, path: Path = MODULE_FILE):
        """Import the module afresh, set up its widget and show it, as when the user opens the module."""
        qt = sys.modules["qt"]
        self.close_module()
        self.module = _imported(path)
        self.panel = slicer.qMRMLWidget()
        qt.QVBoxLayout(self.panel)
        self.panel.setMRMLScene(slicer.mrmlScene)
        self.panel.resize(PANEL_WIDTH, 700)
        self.widget = getattr(self.module, f"{path.stem}Widget")(self.panel)
        self.widget.setup()
        self.panel.show()
        if hasattr(self.widget, "enter"):
            self.widget.enter()
        self.process()
        return self.widget

    def close_module(self) -> None:
        """cleanup() and the end of the panel."""
        if self.widget is not None:
            self.widget.cleanup()
            Shiboken.delete(qt_proxy.raw(self.panel))
            _let_go_of_the_dead()
        self.module = self.widget = self.panel = None

    def click(self, button) -> None:
        """Press a button that the user could press."""
        bare = qt_proxy.raw(button)
        where = f"{type(bare).__name__} '{bare.objectName()}' ({bare.text()})"
        if not bare.isEnabled():
            raise AssertionError(f"{where} is disabled")
        if hidden := _hider(bare):
            raise AssertionError(f"{where} is not to be seen: {hidden}")
        bare.click()

    def process(self, seconds: float = 0.0) -> None:
        """Let events be processed for a while, at least all that wait."""
        application = QtWidgets.QApplication.instance()
        application.processEvents()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            time.sleep(0.001)  # leaves the processor to others while only timers are awaited
            application.processEvents()

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 60) -> None:
        """Process events until the condition holds; an error in a slot ends the wait."""
        end = time.perf_counter() + timeout_s
        before = len(self.exceptions)
        while not condition():
            if len(self.exceptions) > before:
                raise AssertionError(f"an error while waiting:\n{self.exceptions[-1]}")
            if time.perf_counter() > end:
                raise AssertionError(f"not within {timeout_s:g} s; messages: {self.errors + self.messages}")
            self.process(0.002)

    def picture(self, widget, path: str | Path, width: int = PANEL_WIDTH) -> None:
        """PNG of a panel, at the height that its contents need."""
        bare = qt_proxy.raw(widget)
        bare.setFixedWidth(width)  # also of a section whose panel has become wider
        self.process()  # layouts settle; labels wrap at the new width
        height = bare.heightForWidth(width) if bare.hasHeightForWidth() else bare.sizeHint().height()
        bare.resize(width, max(height, bare.minimumSizeHint().height()))
        self.process()
        picture = bare.grab()
        bare.setMinimumWidth(0)
        bare.setMaximumWidth(_ANY_WIDTH)
        if not picture.save(str(path)):
            raise AssertionError(f"no picture could be written to {path}")

    @contextmanager
    def longest_block(self) -> Iterator[Block]:
        """Measures how long the user interface stood still at most, by the gaps in a steady beat."""
        block, last = Block(), time.perf_counter()

        def beat():
            nonlocal last
            now = time.perf_counter()
            block.milliseconds = max(block.milliseconds, (now - last) * 1000)
            last = now

        timer = QtCore.QTimer()
        timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        timer.timeout.connect(beat)
        timer.start(BEAT_MS)
        try:
            yield block
        finally:
            timer.stop()
            beat()


@contextmanager
def slicer_application(opened) -> Iterator[Application]:
    """Slicer's application, as far as the harness has it, around a scene from ``headless()``.

    Raises:
        AssertionError: at the end, if a slot or an observer raised an error that the test did not expect.
    """
    _keep_constants()
    _qt_application()
    application = Application()
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory(prefix="slicer-") as folder:
        install(patch, opened, application, MODULE_FILE, folder)
        patch.setattr(sys, "excepthook", _recorder(application.exceptions))
        try:
            yield application
        finally:
            application.close_module()
            _delete_qt_objects()
    if application.exceptions:
        raise AssertionError("errors in slots or observers:\n" + "\n".join(application.exceptions))


def _qt_application() -> QtWidgets.QApplication:
    """The one of this process, always with the same looks."""
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["harness"])
    application.setStyle("Fusion")
    application.setFont(QtGui.QFont("DejaVu Sans", 9))
    return application


def _keep_constants() -> None:
    """PySide6's wheels count on Python 3.12, where None, True and False last for ever; before, each call of a
    method of Qt takes one reference away from what it returns until there is none and Python stops."""
    if sys.version_info < (3, 12):
        for constant in (None, True, False):
            ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40


def _recorder(exceptions: list[str]):
    def record(kind, error, trace):
        exceptions.append("".join(traceback.format_exception(kind, error, trace)))

    return record


def _imported(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _hider(bare) -> str:
    """What keeps a widget from being seen on an opened panel; empty if nothing does."""
    widget = bare
    while widget is not None:
        if widget.isHidden() and not widget.isWindow():
            return f"'{widget.objectName()}' is hidden"
        parent = widget.parentWidget()
        if isinstance(parent, standin_widgets.ctkCollapsibleButton) and parent.collapsed:
            return f"'{parent.objectName()}' is collapsed"
        widget = parent
    return ""


def _let_go_of_the_dead() -> None:
    """As in Slicer, a widget that is gone observes nothing and keeps no slot."""
    qt_proxy.CONNECTIONS[:] = [each for each in qt_proxy.CONNECTIONS if Shiboken.isValid(each[0])]
    for selector in list(node_combo_boxes.ALIVE):
        if not Shiboken.isValid(selector):
            selector._release()


def _delete_qt_objects() -> None:
    """Nothing of one test may call back into the next."""
    for selector in list(node_combo_boxes.ALIVE):
        selector._release()
    for timer in _timers():
        timer.stop()
    qt_proxy.CONNECTIONS.clear()
    qt_proxy.ERA[0] += 1
    for widget in QtWidgets.QApplication.topLevelWidgets():
        if Shiboken.isValid(widget):
            Shiboken.delete(widget)
    QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)


def _timers() -> list:
    owners = [connection[0] for connection in qt_proxy.CONNECTIONS]
    return [owner for owner in owners if isinstance(owner, QtCore.QTimer) and Shiboken.isValid(owner)]
