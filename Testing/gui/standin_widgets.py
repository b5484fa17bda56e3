"""Stand-ins for the widgets of CTK and Slicer in our panels: their names, their signals, about their looks.

They offer a part of the real members and nothing else; Testing/slicer_names.json holds the real ones.
"""
# ruff: noqa: N801, N802, N815 - names follow CTK and Slicer

from PySide6 import QtCore, QtGui, QtWidgets

UNLIMITED = 16777215  # QWIDGETSIZE_MAX


def stored(kind, default):
    """A property that keeps its value and does nothing else."""
    values = "_stored"

    def read(self):
        return self.__dict__.get(values, {}).get(id(member), default)

    def write(self, value):
        self.__dict__.setdefault(values, {})[id(member)] = value

    member = QtCore.Property(kind, read, write)
    return member


class qMRMLWidget(QtWidgets.QWidget):
    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, parent=None):
        super().__init__(parent)
        self._scene = None

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene):
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A header that shows and hides what lies below it in the same widget.

    Collapsed contents are cut off by the height, not hidden one by one: their ``visible`` stays theirs.
    """

    contentsCollapsed = QtCore.Signal(bool)

    def __init__(self, parent=None):
        super().__init__(parent)
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(6, self._header() + 2, 6, 4)
        policy = QtWidgets.QSizePolicy.Policy
        self.setSizePolicy(policy.Preferred, policy.Preferred)
        self.toggled.connect(self._toggle)

    def _header(self) -> int:
        return self.fontMetrics().height() + 10

    def _toggle(self, open_: bool) -> None:
        self.setMinimumHeight(0 if open_ else self._header())
        self.setMaximumHeight(UNLIMITED if open_ else self._header())
        self.contentsCollapsed.emit(not open_)

    def _collapsed(self) -> bool:
        return not self.isChecked()

    def _collapse(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = QtCore.Property(bool, _collapsed, _collapse)
    flat = stored(bool, False)
    collapsedHeight = stored(int, 10)

    def setCollapsed(self, collapsed: bool) -> None:
        self._collapse(collapsed)

    def sizeHint(self) -> QtCore.QSize:
        if self.layout() and self.isChecked():
            return self.layout().totalSizeHint()
        return QtCore.QSize(self.fontMetrics().horizontalAdvance(self.text()) + 40, self._header())

    minimumSizeHint = sizeHint

    def hitButton(self, position) -> bool:
        return position.y() <= self._header()

    def paintEvent(self, event) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        header = QtCore.QRectF(0.5, 0.5, self.width() - 1, self._header() - 1)
        painter.setPen(self.palette().mid().color())
        painter.setBrush(self.palette().midlight())
        painter.drawRoundedRect(header, 3, 3)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(6, (self._header() - 12) // 2, 12, 12)
        element = QtWidgets.QStyle.PrimitiveElement
        down = element.PE_IndicatorArrowDown if self.isChecked() else element.PE_IndicatorArrowRight
        self.style().drawPrimitive(down, arrow, painter, self)
        painter.setPen(self.palette().buttonText().color())
        painter.drawText(
            header.adjusted(26, 0, -6, 0), QtCore.Qt.AlignmentFlag.AlignVCenter, self.text().replace("&", "")
        )


class ctkPathLineEdit(QtWidgets.QWidget):
    currentPathChanged = QtCore.Signal(str)
    validInputChanged = QtCore.Signal(bool)

    # CTK's Filter values are QDir::Filters
    Dirs, Files, Drives, NoSymLinks, AllEntries = 0x1, 0x2, 0x4, 0x8, 0x7
    Readable, Writable, Executable, Hidden = 0x10, 0x20, 0x40, 0x100
    NoDot, NoDotDot, NoDotAndDotDot = 0x2000, 0x4000, 0x6000

    def __init__(self, parent=None):
        super().__init__(parent)
        self._path = ""
        self._box = QtWidgets.QComboBox(editable=True)
        self._box.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
        self._box.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self._box.editTextChanged.connect(self._changed)
        self._browse = QtWidgets.QToolButton(text="...")
        self._browse.clicked.connect(self.browse)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._box)
        layout.addWidget(self._browse)

    def _changed(self, path: str) -> None:
        if path != self._path:
            self._path = path
            self.currentPathChanged.emit(path)

    def _current(self) -> str:
        return self._path

    def setCurrentPath(self, path: str) -> None:
        self._box.setEditText(path)

    currentPath = QtCore.Property(str, _current, setCurrentPath)
    filters = stored(int, AllEntries)
    nameFilters = stored("QStringList", [])
    settingKey = stored(str, "")
    label = stored(str, "")
    showHistoryButton = stored(bool, True)
    showBrowseButton = QtCore.Property(
        bool, lambda self: not self._browse.isHidden(), lambda self, shown: self._browse.setVisible(shown)
    )

    def comboBox(self):
        return self._box

    def addCurrentPathToHistory(self) -> None:
        if self._path and self._box.findText(self._path) < 0:
            self._box.blockSignals(True)
            self._box.insertItem(0, self._path)
            self._box.setCurrentIndex(0)
            self._box.blockSignals(False)

    def browse(self) -> None:
        raise AssertionError("ctkPathLineEdit.browse would wait for a person: set currentPath instead")


class ctkSliderWidget(QtWidgets.QWidget):
    valueChanged = QtCore.Signal(float)
    valueIsChanging = QtCore.Signal(float)

    STEPS = 1000

    def __init__(self, parent=None):
        super().__init__(parent)
        self._value = 0.0
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self._slider.setRange(0, self.STEPS)
        self._spin = QtWidgets.QDoubleSpinBox(maximum=99.0)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._spin)
        self._slider.valueChanged.connect(self._moved)
        self._slider.sliderReleased.connect(self._settle)
        self._spin.valueChanged.connect(self.setValue)

    def _span(self) -> float:
        return self._spin.maximum() - self._spin.minimum()

    def _moved(self, step: int) -> None:
        """The user drags: without tracking the value waits for the release."""
        value = round(self._spin.minimum() + step / self.STEPS * self._span(), self._spin.decimals())
        if self._slider.isSliderDown() and not self.tracking:
            self.valueIsChanging.emit(value)
        else:
            self.setValue(value)

    def _settle(self) -> None:
        self._moved(self._slider.value())

    def _current(self) -> float:
        return self._value

    def setValue(self, value: float) -> None:
        low, high = self._spin.minimum(), self._spin.maximum()
        value = round(min(max(float(value), low), high), self._spin.decimals())
        changed = value != self._value
        self._value = value
        self._show(value)
        if changed:
            self.valueChanged.emit(value)

    def _show(self, value: float) -> None:
        step = round((value - self._spin.minimum()) / self._span() * self.STEPS) if self._span() else 0
        for widget, shown in ((self._slider, step), (self._spin, value)):
            widget.blockSignals(True)
            widget.setValue(shown)
            widget.blockSignals(False)

    def setRange(self, low: float, high: float) -> None:
        self._spin.blockSignals(True)
        self._spin.setRange(low, high)
        self._spin.blockSignals(False)
        self.setValue(self._value)

    def setMinimum(self, low: float) -> None:
        self.setRange(low, max(low, self._spin.maximum()))

    def setMaximum(self, high: float) -> None:
        self.setRange(min(self._spin.minimum(), high), high)

    def setDecimals(self, decimals: int) -> None:
        self._spin.setDecimals(decimals)

    value = QtCore.Property(float, _current, setValue)
    minimum = QtCore.Property(float, lambda self: self._spin.minimum(), setMinimum)
    maximum = QtCore.Property(float, lambda self: self._spin.maximum(), setMaximum)
    decimals = QtCore.Property(int, lambda self: self._spin.decimals(), setDecimals)
    singleStep = QtCore.Property(
        float, lambda self: self._spin.singleStep(), lambda self, step: self._spin.setSingleStep(step)
    )
    suffix = QtCore.Property(
        str, lambda self: self._spin.suffix(), lambda self, text: self._spin.setSuffix(text)
    )
    prefix = QtCore.Property(
        str, lambda self: self._spin.prefix(), lambda self, text: self._spin.setPrefix(text)
    )
    pageStep = stored(float, 10.0)
    tickInterval = stored(float, 0.0)
    tracking = stored(bool, True)
