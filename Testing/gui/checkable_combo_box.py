"""Stand-in for Slicer's selector of several nodes."""
# ruff: noqa: N801, N802, N815 - names follow Slicer

from node_combo_boxes import ROLE, qMRMLNodeComboBox
from PySide6 import QtCore, QtWidgets


class _CheckBoxes(QtWidgets.QComboBox):
    """Shows the names of all checked items."""

    def paintEvent(self, event) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionComboBox()
        self.initStyleOption(option)
        checked = QtCore.Qt.CheckState.Checked
        items = [self.model().item(row) for row in range(self.count())]
        option.currentText = ", ".join(item.text() for item in items if item.checkState() == checked)
        painter.drawComplexControl(QtWidgets.QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_ComboBoxLabel, option)


class qMRMLCheckableNodeComboBox(qMRMLNodeComboBox):
    """Each node has a check box."""

    checkedNodesChanged = QtCore.Signal()

    def _make_box(self) -> QtWidgets.QComboBox:
        self._checked = set()
        box = _CheckBoxes()
        box.view().pressed.connect(self._pressed)
        box.currentIndexChanged.connect(self._tell)
        return box

    def checkedNodes(self) -> list:
        return [node for node in self.nodes() if node.GetID() in self._checked]

    def uncheckedNodes(self) -> list:
        return [node for node in self.nodes() if node.GetID() not in self._checked]

    def allChecked(self) -> bool:
        return not self.uncheckedNodes()

    def noneChecked(self) -> bool:
        return not self.checkedNodes()

    def checkState(self, node):
        states = QtCore.Qt.CheckState
        return states.Checked if node.GetID() in self._checked else states.Unchecked

    def setCheckState(self, node, state) -> None:
        checked = int(getattr(state, "value", state)) == QtCore.Qt.CheckState.Checked.value
        if not self._fits(node) or checked == (node.GetID() in self._checked):
            return
        (self._checked.add if checked else self._checked.discard)(node.GetID())
        self._relist(self.nodes())
        self.checkedNodesChanged.emit()

    def check(self, node) -> None:
        self.setCheckState(node, QtCore.Qt.CheckState.Checked)

    def uncheck(self, node) -> None:
        self.setCheckState(node, QtCore.Qt.CheckState.Unchecked)

    def _pressed(self, index) -> None:
        node = self._scene.GetNodeByID(index.data(ROLE) or "")
        if node is not None:
            (self.uncheck if node.GetID() in self._checked else self.check)(node)

    def _relist(self, nodes) -> None:
        super()._relist(nodes)
        listed = {node.GetID() for node in nodes}
        if not self._checked <= listed:
            self._checked &= listed
            self.checkedNodesChanged.emit()

    def _fill(self, nodes) -> None:
        self._box.clear()
        for node in nodes:
            self._box.addItem(node.GetName() or "", node.GetID())
            item = self._box.model().item(self._box.count() - 1)
            item.setFlags(QtCore.Qt.ItemFlag.ItemIsUserCheckable | QtCore.Qt.ItemFlag.ItemIsEnabled)
            item.setCheckState(self.checkState(node))
