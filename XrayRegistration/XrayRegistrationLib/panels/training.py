"""Trains a network for the patient, in a process of its own, and shows how it gets on."""

from slicer.i18n import tr as _

from .. import roles
from ..training_log import CANCELLING, PAUSING, PREPARING, RUNNING

_CURVE_POINTS, _CURVE_HEIGHT_PX = 200, 110


class TrainingPanel:
    """Train, Pause, Resume and Cancel; the rest of the module can be used meanwhile."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        self._training = self._session = None  # the training under way, and whose it is
        self._state = None  # of it, as the panels show it
        ui.trainButton.clicked.connect(self._on_train)
        ui.pauseButton.clicked.connect(self._on_pause)
        ui.resumeButton.clicked.connect(self._on_resume)
        ui.cancelTrainingButton.clicked.connect(self._on_cancel)
        ui.networkFile.currentPathChanged.connect(self._on_path)
        ui.trainingBar.setRange(0, 100)
        ui.trainingBar.visible = False

    @property
    def busy(self):
        """While it takes the CT; then it does not need the scene any more."""
        return self._training is not None and self._training.state == PREPARING

    def refresh(self, session):
        ui, running = self._ui, self._training is not None
        has_ct = session is not None and session.GetNodeReference(roles.VOLUME) is not None
        views = roles.references(session, roles.VIEW) if has_ct else []
        names = [_("A typical C-arm, frontal"), *map(roles.view_name, views)]
        if [ui.geometryComboBox.itemText(row) for row in range(ui.geometryComboBox.count)] != names:
            ui.geometryComboBox.clear()
            ui.geometryComboBox.addItems(names)
        ui.networkFile.enabled = not running
        place = None if running else self._place()
        begun = place is not None and place.is_begun
        can_begin = bool(ui.networkFile.currentPath) and not running and not self._desk.busy
        ui.trainButton.enabled = has_ct and can_begin and not begun
        ui.resumeButton.enabled = begun and can_begin
        ui.pauseButton.enabled = running and self._training.state == RUNNING
        ui.cancelTrainingButton.enabled = begun or (running and self._training.state != CANCELLING)
        ui.trainingBar.visible = running
        if begun:
            ui.trainingHint.text = _("The training of this network is paused; resume or cancel it.")
        elif not running and not ui.networkFile.currentPath:
            ui.trainingHint.text = _("Choose where the network is to be written, then train.")

    def abandon(self):
        """The scene goes away; what is being learned is kept."""
        if self.busy:
            self._training.cancel()
        elif self._training is not None:
            self._training.pause()
        self._session = None

    def close(self):
        """The module closes."""
        if self._training is not None:
            self._training.leave()
            self._ended()

    def _place(self):
        """Of the file that is named; None if none is, or its folder is not there."""
        try:
            from ..training_files import place_of

            path = self._ui.networkFile.currentPath
            return place_of(path) if path else None
        except Exception:  # why is told when it is to be written
            return None

    def _on_path(self, path=None):
        self._ui.trainingHint.text = ""
        self._clear_curve()
        self.refresh(self._desk.session)

    def _on_train(self, checked=False):
        self._begin(with_inputs=True)

    def _on_resume(self, checked=False):
        self._begin(with_inputs=False)

    def _begin(self, with_inputs):
        session, ui = self._desk.session, self._ui
        try:
            self._desk.ensureDependencies(True)
            from ..training import Training
            from ..training_files import place_of

            self._training = Training(
                place_of(ui.networkFile.currentPath),
                self._inputs() if with_inputs else None,
                on_change=self._on_change,
                on_done=self._on_done,
                on_paused=self._on_paused,
                on_stopped=self._on_stopped,
            )
        except Exception as error:
            self._training = None
            self._desk.show(error)
            self._desk.refresh()
            return
        self._session = session
        ui.networkFile.addCurrentPathToHistory()
        self._on_change()

    def _inputs(self):
        from ..training_files import Reach, inputs_of

        ui, session = self._ui, self._desk.session
        row = ui.geometryComboBox.currentIndex
        reach = Reach(
            ui.primarySpinBox.value,
            ui.secondarySpinBox.value,
            ui.tertiarySpinBox.value,
            ui.acrossSpinBox.value,
            ui.alongSpinBox.value,
        )
        xray = session.GetNthNodeReference(roles.VIEW, row - 1) if row > 0 else None
        return inputs_of(session, xray, reach, ui.minutesSpinBox.value)

    def _on_pause(self, checked=False):
        self._training.pause()
        self._on_change()

    def _on_cancel(self, checked=False):
        if self._training is None:  # one that is paused
            from ..training_files import remove

            remove(self._place())
            self._on_stopped(None)
            return
        self._training.cancel()
        self._on_change()

    def _on_change(self):
        """The training has something new to tell, or has been asked to do something."""
        ui, training = self._ui, self._training
        if training is None:  # it is just beginning
            return
        ui.trainingHint.text = _in_words(training)
        ui.trainingBar.value = int(100 * training.log.part)
        self._show_curve(training.log)
        if training.state != self._state:
            self._state = training.state
            self._desk.refresh()

    def _show_curve(self, log):
        points = log.curve(_CURVE_POINTS)
        if len(points) > 1:
            from ..curve import draw_curve

            label = self._ui.curveLabel
            label.setPixmap(draw_curve(points, label.width, _CURVE_HEIGHT_PX))

    def _clear_curve(self):
        self._ui.curveLabel.clear()

    def _ended(self):
        self._training = self._state = None

    def _on_done(self):
        from ..networks import choose_network

        training = self._training
        self._ended()
        path = str(training.place.network)
        done = _('Done: {path}. See its quality card under "Start from a network".')
        self._ui.trainingHint.text = done.format(path=path)
        if self._session is not None and self._session.GetScene() is not None:
            choose_network(self._session, path)
        self._desk.refresh()

    def _on_paused(self):
        self._ended()
        self._desk.refresh()

    def _on_stopped(self, error):
        self._ended()
        self._clear_curve()
        self._ui.trainingHint.text = _("Not trained; nothing was written.")
        self._desk.refresh()
        if error is not None:
            self._desk.show(error)


def _in_words(training):
    """What a training is at."""
    log = training.log
    if training.state == PREPARING:
        return _("Preparing: {step}").format(step=training.step)
    if training.state == PAUSING:
        return _("Pausing; what has been learned is being kept")
    if training.state == CANCELLING:
        return _("Stopping")
    if log.card is not None:
        return _("Trying the network on simulated X-rays: {done} of {all}").format(
            done=log.card[0], all=log.card[1]
        )
    if not log.losses:
        return _("Starting; the first time this takes a minute")
    step, loss = log.losses[-1]
    words = [_("Step {step}, loss {loss:.3g}").format(step=step, loss=loss)]
    if log.rotation_deg is not None:
        words.append(_("off by {turn:.1f} degrees").format(turn=log.rotation_deg))
    if log.left_s is not None:
        words.append(_("{left} left").format(left=_duration(log.left_s)))
    return ", ".join(words)


def _duration(seconds):
    return _("{n:.0f} min").format(n=seconds / 60) if seconds >= 90 else _("{n:.0f} s").format(n=seconds)
