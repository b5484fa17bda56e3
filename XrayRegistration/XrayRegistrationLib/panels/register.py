"""Runs the registration, shows it moving, and can be told to stop."""

from slicer.i18n import tr as _

from .. import roles


class RegisterPanel:
    """Run and Cancel; the work is done beside the GUI."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        self._run = None
        self._refreshing = False
        ui.runButton.clicked.connect(self._on_run)
        ui.cancelButton.clicked.connect(self._on_cancel)
        ui.startComboBox.currentTextChanged.connect(self._on_start)
        ui.progressBar.setRange(0, 100)

    @property
    def busy(self):
        return self._run is not None

    def refresh(self, session):
        ui = self._ui
        ready = session is not None and session.GetNodeReference(roles.VOLUME) is not None
        ui.registerButton.enabled = ready and session.GetNumberOfNodeReferences(roles.VIEW) > 0
        ui.runButton.enabled = not self._desk.busy
        start = None if session is None else session.GetAttribute(roles.START)
        self._refreshing = True
        ui.startComboBox.currentIndex = _STARTS.index(start)
        self._refreshing = False
        ui.startComboBox.enabled = not self._desk.busy
        ui.rotationSlider.enabled = ui.translationSlider.enabled = start is None
        ui.cancelButton.enabled = self.busy
        ui.progressBar.visible = self.busy

    def abandon(self):
        """The scene goes away or the module closes: nothing is shown any more."""
        if self._run is not None:
            self._run.abandon()
            self._run = None

    def _on_run(self, checked=False):
        try:
            self._desk.ensureDependencies(self._start == roles.FROM_NETWORK)
            from ..running import Run

            self._run = Run(
                self._desk.session,
                *self._search(),
                on_state=self._on_state,
                on_done=self._on_done,
                on_stopped=self._on_stopped,
            )
        except Exception as error:
            self._desk.show(error)
            return
        self._on_state(_("Starting"), 0)
        self._desk.refresh()
        self._desk.showViews()

    @property
    def _start(self):
        """What is chosen, of `roles.START`."""
        return _STARTS[self._ui.startComboBox.currentIndex]

    def _search(self):
        """How far around the start, in degrees and mm; both 0 only refine it."""
        ui = self._ui
        if self._start == roles.ONLY_REFINE:
            return 0.0, 0.0
        return ui.rotationSlider.value, ui.translationSlider.value

    def _on_start(self, text):
        session = self._desk.session
        if self._refreshing or session is None:
            return
        if self._start is None:
            session.RemoveAttribute(roles.START)
        else:
            session.SetAttribute(roles.START, self._start)
        self._desk.refresh()

    def _on_cancel(self, checked=False):
        self._ui.cancelButton.enabled = False
        self._run.cancel()
        self._ui.registerHint.text = _("Stopping")

    def _on_state(self, text, part):
        self._ui.registerHint.text = text
        self._ui.progressBar.value = int(100 * part)

    def _on_done(self):
        notices, self._run = self._run.notices, None
        done = _("Done. Look at the X-rays, then accept or reject below.")
        self._ui.registerHint.text = "\n".join([done, *notices])
        self._desk.refresh()
        self._desk.showViews()

    def _on_stopped(self, error):
        self._run = None
        self._ui.registerHint.text = _("Not registered; the scene is as before.")
        self._desk.refresh()
        self._desk.blendViews()
        if error is not None:
            self._desk.show(error)


_STARTS = (None, roles.ONLY_REFINE, roles.FROM_NETWORK)  # by the rows of startComboBox; None searches
