"""Loads .ui files with the stand-in widgets in the places of Slicer's."""

import xml.etree.ElementTree as ElementTree

import checkable_combo_box
import node_combo_boxes
import standin_widgets
from PySide6 import QtCore, QtWidgets
from PySide6.QtUiTools import QUiLoader

STANDINS = {
    kind.__name__: kind
    for kind in (
        standin_widgets.qMRMLWidget,
        standin_widgets.ctkCollapsibleButton,
        standin_widgets.ctkPathLineEdit,
        standin_widgets.ctkSliderWidget,
        node_combo_boxes.qMRMLNodeComboBox,
        checkable_combo_box.qMRMLCheckableNodeComboBox,
    )
}


def load_ui(path: str) -> QtWidgets.QWidget:
    """The widget of a .ui file with its connections.

    Raises:
        RuntimeError: if the file is not there or needs what is neither Qt nor a stand-in.
    """
    try:
        tree = ElementTree.parse(path)
    except OSError as error:
        raise RuntimeError(f"Could not load UI file: file not found {path}") from error
    top = tree.getroot()
    _check_classes(top)
    flags = _take_flags(top)
    connections = _take_connections(top)
    widget = _loaded(top)
    for name, member, value in flags:
        setattr(_named(widget, name), member, value)
    for connection in connections:
        _connect(widget, connection)
    return widget


def _check_classes(top) -> None:
    for element in top.iter("widget"):
        kind = element.get("class")
        if kind not in STANDINS and not hasattr(QtWidgets, kind) and kind != "Line":
            raise RuntimeError(f"there is no stand-in for {kind} yet")


def _take_flags(top) -> list[tuple]:
    """Enum properties of stand-ins out of the file: the loader knows only enums made in C++."""
    found = []
    for element in top.iter("widget"):
        kind = STANDINS.get(element.get("class"))
        for member in element.findall("property") if kind else ():
            words = member.findtext("set") or member.findtext("enum")
            if words and words.startswith(element.get("class")):
                value = 0
                for word in words.split("|"):
                    value |= getattr(kind, word.split("::")[-1])
                found.append((element.get("name"), member.get("name"), value))
                element.remove(member)
    return found


def _take_connections(top) -> list:
    """Out of the file too: the loader finds no signals and slots with MRML types on Python widgets."""
    found = top.findall("connections/connection")
    for parent in top.findall("connections"):
        top.remove(parent)
    return found


def _loaded(top) -> QtWidgets.QWidget:
    loader = QUiLoader()
    for kind in {element.get("class") for element in top.iter("widget")} & set(STANDINS):
        loader.registerCustomWidget(STANDINS[kind])  # takes milliseconds for each
    buffer = QtCore.QBuffer()
    buffer.setData(ElementTree.tostring(top))
    buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
    widget = loader.load(buffer)
    if widget is None:
        raise RuntimeError(loader.errorString())
    return widget


def _connect(widget, connection) -> None:
    sender, receiver = (_named(widget, connection.findtext(end)) for end in ("sender", "receiver"))
    signal, slot = (connection.findtext(end).split("(")[0] for end in ("signal", "slot"))
    getattr(sender, signal).connect(getattr(receiver, slot))


def _named(widget, name: str):
    found = widget if widget.objectName() == name else widget.findChild(QtCore.QObject, name)
    if found is None:
        raise RuntimeError(f"the UI file connects '{name}', which is not in it")
    return found
