"""The table of X-rays."""

import json

import qt
from slicer.i18n import tr as _

from .. import roles


class XraysPanel:
    """Adds X-rays at their start poses, and takes them out."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        ui.xrayPath.currentPathChanged.connect(self._on_path)
        ui.addButton.clicked.connect(self._on_add)
        ui.removeButton.clicked.connect(self._on_remove)
        ui.xrayTable.itemSelectionChanged.connect(self._on_selection)
        ui.xrayTable.setColumnCount(3)
        ui.xrayTable.setHorizontalHeaderLabels([_("X-ray"), _("Geometry"), _("Similarity")])

    def refresh(self, session):
        ui = self._ui
        ready = session is not None and session.GetNodeReference(roles.VOLUME) is not None
        ui.xraysButton.enabled = ready and not self._desk.busy
        views = roles.references(session, roles.VIEW) if ready else []
        ui.xrayTable.setRowCount(len(views))
        for row, node in enumerate(views):
            for column, text in enumerate((roles.view_name(node), _geometry(node), _similarity(node))):
                item = qt.QTableWidgetItem(text)
                item.setToolTip("\n".join(json.loads(node.GetAttribute(roles.NOTES))))
                ui.xrayTable.setItem(row, column, item)
        ui.xrayTable.resizeColumnsToContents()
        ui.xraysHint.text = "" if views else _("Choose an X-ray; DICOM files of C-arms bring their geometry.")
        self._on_path()
        self._on_selection()

    def _on_path(self, path=None):
        self._ui.addButton.enabled = bool(self._ui.xrayPath.currentPath)

    def _on_selection(self):
        self._ui.removeButton.enabled = self._ui.xrayTable.currentRow() >= 0

    def _on_add(self, checked=False):
        ui = self._ui
        try:
            self._desk.ensureDependencies()
            from ..loading import load_xray

            load_xray(self._desk.session, ui.xrayPath.currentPath, ui.cameraPath.currentPath)
        except Exception as error:
            self._desk.show(error)
            return
        ui.xrayPath.addCurrentPathToHistory()
        ui.xrayPath.currentPath = ui.cameraPath.currentPath = ""
        self._desk.refresh()
        self._desk.showViews()

    def _on_remove(self, checked=False):
        from ..session import remove_view

        remove_view(self._desk.session, self._ui.xrayTable.currentRow())
        self._desk.refresh()


def _geometry(node):
    """Distance to the detector, pixels and their size, in words."""
    columns, rows = json.loads(node.GetAttribute(roles.SIZE))
    spacing = json.loads(node.GetAttribute(roles.PIXEL_SPACING_MM))
    distance = json.loads(node.GetAttribute(roles.SOURCE_TO_DETECTOR_MM))
    return f"{columns} x {rows}, {spacing[0]:.3g} mm, SID {distance:.0f} mm"


def _similarity(node):
    text = node.GetAttribute(roles.SIMILARITY)
    return "" if text is None else f"{json.loads(text):.2f}"
