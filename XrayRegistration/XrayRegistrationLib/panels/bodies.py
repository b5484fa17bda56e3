"""Bones that have moved each by itself: which, where they are now, and how far each can be trusted."""

from html import escape

import qt
from slicer.i18n import tr as _

from .. import roles
from .boxes import offer_words
from .verdicts import COLORS

_MOST_MM = 99  # more than this is no figure


class BodiesPanel:
    """Ticks bones, registers them beside the GUI, and shows them in a table."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        self._run = None
        self._refreshing = False
        ui.boneList.itemChanged.connect(self._on_asked)
        ui.joinedEdit.editingFinished.connect(self._on_asked)
        ui.restComboBox.currentIndexChanged.connect(self._on_asked)
        ui.linkedCheckBox.toggled.connect(self._on_asked)
        ui.allButton.clicked.connect(self._on_all)
        ui.noneButton.clicked.connect(self._on_none)
        ui.runBonesButton.clicked.connect(self._on_run)
        ui.cancelBonesButton.clicked.connect(self._on_cancel)
        ui.bodyTable.itemSelectionChanged.connect(self._on_selection)
        ui.nowCheckBox.toggled.connect(self._on_now)
        ui.bonesBar.setRange(0, 100)
        ui.bodyTable.setColumnCount(5)
        ui.bodyTable.setHorizontalHeaderLabels(
            [_("Bone"), _("Verdict"), _("Moved, mm"), _("Turned, deg"), _("\u00b1 mm")]
        )

    @property
    def busy(self):
        return self._run is not None

    def refresh(self, session):
        from ..asking import segments_of
        from ..now import is_now

        ui = self._ui
        names = [] if session is None else segments_of(session.GetNodeReference(roles.SEGMENTATION))
        registered = session is not None and session.GetAttribute(roles.CONFIDENCE) is not None
        ready = registered and bool(names)
        ui.bonesButton.enabled = self.busy or (ready and not self._desk.busy)
        self._refreshing = True
        self._show_asked(session, names)
        bodies = self._bodies(session)
        self._show_bodies(bodies)
        ui.nowCheckBox.checked = bool(bodies) and is_now(session)
        self._refreshing = False
        for widget in (ui.boneList, ui.allButton, ui.noneButton, ui.joinedEdit, ui.restComboBox):
            widget.enabled = not self.busy
        ui.linkedCheckBox.enabled = ui.runBonesButton.enabled = not self.busy
        ui.nowCheckBox.enabled = bool(bodies) and not self.busy
        for widget in (ui.bodyTable, ui.bodyReasonsLabel, ui.nowCheckBox):
            widget.visible = bool(bodies)
        ui.cancelBonesButton.enabled = ui.bonesBar.visible = self.busy
        if not self.busy and not bodies:
            ui.bonesHint.text = _hint(registered, bool(names))

    def abandon(self):
        """The scene goes away or the module closes: nothing is shown any more."""
        if self._run is not None:
            self._run.abandon()
            self._run = None

    def _show_asked(self, session, names):
        from ..asking import asked_of

        if session is None:
            return
        ui, asked = self._ui, asked_of(session)
        if [ui.boneList.item(row).text() for row in range(ui.boneList.count)] != names:
            ui.boneList.clear()
            ui.boneList.addItems(names)
        for row, name in enumerate(names):
            ui.boneList.item(row).setCheckState(qt.Qt.Unchecked if name in asked.still else qt.Qt.Checked)
        if ui.joinedEdit.text != asked.joined:
            ui.joinedEdit.text = asked.joined
        offer_words(ui.restComboBox, [_("None: the views stay"), *names])
        ui.restComboBox.currentIndex = names.index(asked.at_rest) + 1 if asked.at_rest in names else 0
        ui.linkedCheckBox.checked = asked.linked

    def _bodies(self, session):
        if session is None or not session.GetNumberOfNodeReferences(roles.BODY):
            return []
        from ..bodies import bodies_of

        return bodies_of(session)

    def _show_bodies(self, bodies):
        table = self._ui.bodyTable
        table.setRowCount(len(bodies))
        for row, body in enumerate(bodies):
            sigma = f"{body.sigma_mm:.1f}" if body.sigma_mm < _MOST_MM else f"> {_MOST_MM}"
            figures = (f"{body.moved_mm:.1f}", f"{body.turned_deg:.1f}", sigma)
            for column, text in enumerate((body.name, body.verdict, *figures)):
                item = qt.QTableWidgetItem(text)
                item.setToolTip("\n".join(body.reasons) or _("Nothing speaks against it."))
                if column == 1:
                    item.setForeground(qt.QBrush(qt.QColor(COLORS[body.verdict])))
                table.setItem(row, column, item)
        table.resizeColumnsToContents()
        table.resizeRowsToContents()
        self._show_reasons(bodies)

    def _show_reasons(self, bodies):
        row = self._ui.bodyTable.currentRow()
        if not 0 <= row < len(bodies):
            self._ui.bodyReasonsLabel.text = _("Select a bone to see it, and why it is judged so.")
            return
        body = bodies[row]
        reasons = "; ".join(body.reasons) or _("nothing speaks against it")
        word = f"<b style='color:{COLORS[body.verdict]}'>{body.verdict}</b>"
        self._ui.bodyReasonsLabel.text = f"{escape(body.name)}: {word}: {escape(reasons)}"

    def _on_asked(self, value=None):
        session = self._desk.session
        if self._refreshing or session is None:
            return
        from ..asking import Asked, ask

        ui, box = self._ui, self._ui.restComboBox
        items = [ui.boneList.item(row) for row in range(ui.boneList.count)]
        still = tuple(item.text() for item in items if item.checkState() != qt.Qt.Checked)
        at_rest = box.currentText if box.currentIndex > 0 else ""
        ask(session, Asked(still, ui.joinedEdit.text, at_rest, ui.linkedCheckBox.checked))

    def _on_all(self, checked=False):
        self._tick(qt.Qt.Checked)

    def _on_none(self, checked=False):
        self._tick(qt.Qt.Unchecked)

    def _tick(self, state):
        self._refreshing = True
        for row in range(self._ui.boneList.count):
            self._ui.boneList.item(row).setCheckState(state)
        self._refreshing = False
        self._on_asked()

    def _on_run(self, checked=False):
        self._on_asked()  # what is being typed counts
        try:
            self._desk.ensureDependencies()
            from ..bodies_running import BodiesRun

            self._run = BodiesRun(self._desk.session, self._on_state, self._on_done, self._on_stopped)
        except Exception as error:
            self._desk.show(error)
            return
        self._on_state(_("Starting"), 0)
        self._desk.refresh()

    def _on_cancel(self, checked=False):
        self._ui.cancelBonesButton.enabled = False
        self._run.cancel()
        self._ui.bonesHint.text = _("Stopping")

    def _on_state(self, text, part):
        self._ui.bonesHint.text = text[:1].upper() + text[1:]
        self._ui.bonesBar.value = int(100 * part)

    def _on_done(self):
        notices, self._run = self._run.notices, None
        done = _("Done. Look at each bone's verdict and outline, then accept or reject below.")
        self._ui.bonesHint.text = "\n".join([done, *notices])
        self._desk.refresh()
        self._desk.blendViews()

    def _on_stopped(self, error):
        self._run = None
        self._desk.refresh()
        self._ui.bonesHint.text = _("Not registered bone by bone; the scene is as before.")
        if error is not None:
            self._desk.show(error)

    def _on_selection(self):
        if self._refreshing:
            return
        session, row = self._desk.session, self._ui.bodyTable.currentRow()
        bodies = self._bodies(session)
        self._show_reasons(bodies)
        if 0 <= row < len(bodies):
            from ..bodies import places_of
            from ..screen import centre_on

            centre_on(session, *places_of(session, row))

    def _on_now(self, checked):
        session = self._desk.session
        if self._refreshing or session is None:
            return
        from ..now import show_now

        try:
            show_now(session, checked)
        except Exception as error:
            self._desk.show(error)
        self._desk.refresh()
        self._desk.blendViews()


def _hint(registered, has_bones):
    if not registered:
        return _("Register the X-rays above first, as a whole.")
    if not has_bones:
        return _("Choose or make a segmentation of the bones in the first section, and show its segments.")
    return _("Tick the bones that may have moved since the CT. This takes minutes.")
