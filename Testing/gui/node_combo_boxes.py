"""Stand-ins for Slicer's node selectors, on the nodes of a real scene."""
# ruff: noqa: N801, N802, N815 - names follow Slicer

import weakref

import slicer
from PySide6 import QtCore, QtWidgets
from shiboken6 import Shiboken
from standin_widgets import stored

ROLE = QtCore.Qt.ItemDataRole.UserRole
SCENE_EVENTS = ("NodeAddedEvent", "NodeRemovedEvent", "EndBatchProcessEvent", "EndCloseEvent")
ALIVE = weakref.WeakSet()
"""All selectors, so that their observers can be taken off the scene at the end."""


class Observers:
    """VTK observers that call a widget's method as long as the widget lives."""

    def __init__(self, method):
        self._method = weakref.WeakMethod(method)
        self._tags = []

    def add(self, subject, event) -> None:
        self._tags.append((subject, subject.AddObserver(event, self._call)))

    def _call(self, caller, event) -> None:
        method = self._method()
        if method is not None and Shiboken.isValid(method.__self__):
            method()

    def remove_all(self) -> None:
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._tags.clear()


def setting(kind, default):
    """A property after whose change the list is made anew."""
    plain = stored(kind, default)

    def write(self, value):
        plain.fset(self, value)
        self._rescan()

    return QtCore.Property(kind, plain.fget, write)


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """Lists the nodes of its scene that fit; disabled without a scene."""

    currentNodeChanged = QtCore.Signal(object)
    currentNodeIDChanged = QtCore.Signal(str)
    nodeActivated = QtCore.Signal(object)
    nodeAdded = QtCore.Signal(object)
    nodeAddedByUser = QtCore.Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None
        self._wanted = ""  # chosen before there was a scene
        self._told = ("", "")
        self._listing = []
        self._attributes = []
        self._scene_observers = Observers(self._rescan)
        self._node_observers = Observers(self._refresh)
        self._box = self._make_box()
        self._box.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self._box.setSizeAdjustPolicy(
            QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self._box.setMinimumContentsLength(12)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        self.setEnabled(False)
        ALIVE.add(self)

    def _make_box(self) -> QtWidgets.QComboBox:
        box = QtWidgets.QComboBox()
        box.activated.connect(self._activated)
        box.currentIndexChanged.connect(self._tell)
        return box

    nodeTypes = setting("QStringList", [])
    noneEnabled = setting(bool, False)
    noneDisplay = setting(str, "None")
    addEnabled = setting(bool, True)
    removeEnabled = setting(bool, True)
    renameEnabled = setting(bool, False)
    editEnabled = setting(bool, False)
    showHidden = setting(bool, False)
    showChildNodeTypes = setting(bool, True)
    hideChildNodeTypes = setting("QStringList", [])
    selectNodeUponCreation = stored(bool, True)
    baseName = stored(str, "")
    currentNodeID = QtCore.Property(
        str, lambda self: self._current_id(), lambda self, node_id: self.setCurrentNodeID(node_id)
    )

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene) -> None:
        if scene is self._scene:
            return
        self._scene_observers.remove_all()
        self._scene = scene
        if scene is not None:
            for event in SCENE_EVENTS:
                self._scene_observers.add(scene, getattr(scene, event))
        wanted, self._wanted = self._wanted, ""
        self._rescan()
        if wanted:
            self.setCurrentNodeID(wanted)
        self.setEnabled(scene is not None)

    def addAttribute(self, node_type: str, name: str, value=None) -> None:
        """List nodes of this type only with this attribute, and value if one is given."""
        self._attributes.append((node_type, name, value))
        self._rescan()

    def removeAttribute(self, node_type: str, name: str) -> None:
        self._attributes = [a for a in self._attributes if a[:2] != (node_type, name)]
        self._rescan()

    def nodes(self) -> list:
        if self._scene is None:
            return []
        nodes = (self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes()))
        return [node for node in nodes if self._fits(node)]

    def nodeCount(self) -> int:
        return len(self.nodes())

    def nodeFromIndex(self, index: int):
        return self.nodes()[index]

    def currentNode(self):
        node_id = self._current_id()
        return self._scene.GetNodeByID(node_id) if self._scene is not None and node_id else None

    def setCurrentNode(self, node) -> None:
        if node is not None and not isinstance(node, slicer.vtkMRMLNode):
            raise TypeError(f"setCurrentNode needs a node, not {node!r}")
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def setCurrentNodeID(self, node_id: str) -> None:
        if self._scene is None:
            self._wanted = node_id
            return
        found = self._box.findData(node_id, ROLE) if node_id else -1
        self._box.setCurrentIndex(0 if found < 0 and self.noneEnabled else found)

    def addNode(self, node_type: str = ""):
        node = self._scene.AddNewNodeByClass(node_type or self.nodeTypes[0], self.baseName)
        for fitting, name, value in self._attributes:
            if node.IsA(fitting):
                node.SetAttribute(name, value or "")
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        self._scene.RemoveNode(self.currentNode())

    def _fits(self, node) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        if self.showChildNodeTypes:
            typed = any(node.IsA(kind) for kind in self.nodeTypes)
        else:
            typed = node.GetClassName() in self.nodeTypes
        if not typed or any(node.IsA(kind) for kind in self.hideChildNodeTypes):
            return False
        return all(self._has(node, name, value) for kind, name, value in self._attributes if node.IsA(kind))

    @staticmethod
    def _has(node, name: str, value) -> bool:
        found = node.GetAttribute(name)
        return found is not None and (value is None or found == str(value))

    def _current_id(self) -> str:
        data = self._box.currentData(ROLE)
        return data if isinstance(data, str) else ""

    def _rescan(self) -> None:
        """Other nodes may be there, or other ones may fit."""
        if self._scene is not None and self._scene.IsBatchProcessing():
            return
        self._observe()
        self._relist(self.nodes())

    def _refresh(self) -> None:
        """A node changed; list anew only if that shows, for poses change often while registering."""
        nodes = self.nodes()
        if self._listed(nodes) != self._listing:
            self._relist(nodes)

    @staticmethod
    def _listed(nodes) -> list[tuple[str, str]]:
        return [(node.GetID(), node.GetName()) for node in nodes]

    def _relist(self, nodes) -> None:
        """Fill the list, keep the choice, tell who listens if it had to change."""
        before = {node_id for node_id, _ in self._listing}
        self._listing = self._listed(nodes)
        chosen, row = self._current_id(), self._box.currentIndex()
        self._box.blockSignals(True)
        self._fill(nodes)
        self._box.setCurrentIndex(self._row_after(chosen, row, len(nodes)))
        self._box.blockSignals(False)
        self._tell()
        for node in nodes:
            if node.GetID() not in before:
                self.nodeAdded.emit(node)

    def _observe(self) -> None:
        """Names and attributes of any node may change what is listed, also of one not listed now."""
        self._node_observers.remove_all()
        count = self._scene.GetNumberOfNodes() if self._scene is not None else 0
        for node in (self._scene.GetNthNode(index) for index in range(count)):
            if any(node.IsA(kind) for kind in self.nodeTypes):
                self._node_observers.add(node, "ModifiedEvent")

    def _row_after(self, chosen: str, row: int, count: int) -> int:
        """The row of the node chosen before; else None, or the neighbour of what has gone."""
        found = self._box.findData(chosen, ROLE) if chosen else -1
        if found >= 0:
            return found
        if self.noneEnabled:
            return 0
        return min(max(row, 0), count - 1)

    def _fill(self, nodes) -> None:
        self._box.clear()
        if self._scene is None:
            return
        if self.noneEnabled:
            self._box.addItem(self.noneDisplay)
        for node in nodes:
            self._box.addItem(node.GetName() or "", node.GetID())
        self._fill_actions()

    def _fill_actions(self) -> None:
        if self.addEnabled or self.removeEnabled:
            self._box.insertSeparator(self._box.count())
        for kind in self.nodeTypes if self.addEnabled else ():
            self._box.addItem(f"Create new {self._label(kind)}", ("create", kind))
        if self.removeEnabled:
            one = self._label(self.nodeTypes[0]) if len(self.nodeTypes) == 1 else "node"
            self._box.addItem(f"Delete current {one}", ("delete", ""))

    def _label(self, kind: str) -> str:
        return self._scene.GetTypeDisplayNameByClassName(kind) or "node"

    def _activated(self, row: int) -> None:
        data = self._box.itemData(row, ROLE)
        if not isinstance(data, tuple):
            self.nodeActivated.emit(self.currentNode())
            return
        self.setCurrentNodeID(self._told[0])
        if data[0] == "create":
            self.addNode(data[1])
        elif self.currentNode() is not None:
            self.removeCurrentNode()

    def _tell(self) -> None:
        """As in Slicer the name belongs to the choice: renaming the current node also tells."""
        if isinstance(self._box.currentData(ROLE), tuple):
            return  # an action; nothing chosen yet
        now = (self._current_id(), self._box.currentText() if self._current_id() else "")
        if now != self._told:
            self._told = now
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(now[0])

    def _release(self) -> None:
        self._scene_observers.remove_all()
        self._node_observers.remove_all()
