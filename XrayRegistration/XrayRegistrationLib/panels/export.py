"""The result as files, for other programs and for people."""

from pathlib import Path

import qt
from slicer.i18n import tr as _

from .. import roles


class ExportPanel:
    """Chooses what is written and where; a failed or cancelled export leaves the folder as it was."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        self._export = None
        ui.exportFolder.currentPathChanged.connect(self._on_folder)
        ui.writeButton.clicked.connect(self._on_write)
        ui.cancelExportButton.clicked.connect(self._on_cancel)
        ui.openFolderButton.clicked.connect(self._on_open)
        ui.deidentifyCheckBox.toggled.connect(self._on_deidentify)

    @property
    def busy(self):
        return self._export is not None

    def refresh(self, session):
        ui = self._ui
        registered = session is not None and session.GetAttribute(roles.CONFIDENCE) is not None
        ui.exportButton.enabled = self.busy or (registered and not self._desk.busy)
        ui.cancelExportButton.enabled = self.busy
        self._on_folder()

    def abandon(self):
        """The module closes: nothing is shown any more."""
        if self._export is not None:
            self._export.abandon()
            self._export = None

    def _on_folder(self, path=None):
        ui, path = self._ui, self._ui.exportFolder.currentPath
        ui.writeButton.enabled = bool(path) and not self.busy
        ui.openFolderButton.enabled = bool(path) and Path(path).is_dir()

    def _on_deidentify(self, checked):
        self._ui.sceneCheckBox.enabled = not checked

    def _on_write(self, checked=False):
        ui = self._ui
        try:
            self._desk.ensureDependencies()
            from ..exporting import Export, Wanted

            wanted = Wanted(
                ui.sceneCheckBox.checked and not ui.deidentifyCheckBox.checked,
                ui.transformsCheckBox.checked,
                ui.picturesCheckBox.checked,
                ui.dicomCheckBox.checked,
                ui.reportCheckBox.checked,
                ui.deidentifyCheckBox.checked,
            )
            self._export = Export(
                self._desk.session,
                ui.exportFolder.currentPath,
                wanted,
                on_state=self._on_state,
                on_done=self._on_done,
                on_stopped=self._on_stopped,
            )
        except Exception as error:
            self._desk.show(error)
            return
        self._on_state(_("saving the scene") if wanted.scene else _("starting"))
        self._desk.refresh()

    def _on_cancel(self, checked=False):
        self._ui.cancelExportButton.enabled = False
        self._ui.exportHint.text = _("Stopping")
        self._export.cancel()

    def _on_state(self, text):
        self._ui.exportHint.text = text[:1].upper() + text[1:]

    def _on_done(self, notices):
        self._export = None
        ui = self._ui
        ui.exportFolder.addCurrentPathToHistory()
        done = _("Written to {folder}.").format(folder=ui.exportFolder.currentPath)
        ui.exportHint.text = "\n".join([done, *notices])
        self._desk.refresh()

    def _on_stopped(self, error):
        self._export = None
        self._ui.exportHint.text = _("Nothing was written; the folder is as before.")
        self._desk.refresh()
        if error is not None:
            self._desk.show(error)

    def _on_open(self, checked=False):
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(self._ui.exportFolder.currentPath))
