"""A pose network as start: its file, its quality card, and where it looks."""

from html import escape

import qt
from slicer.i18n import tr as _

from .. import roles


class NetworkPanel:
    """Chooses the network from which the registration starts."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        self._refreshing = False
        self._job = None
        ui.networkPath.currentPathChanged.connect(self._on_path)
        ui.anyPatientCheckBox.toggled.connect(self._on_any_patient)
        ui.cardButton.clicked.connect(self._on_card)
        ui.attentionButton.clicked.connect(self._on_attention)

    @property
    def busy(self):
        return self._job is not None

    def refresh(self, session):
        from ..networks import card_of, card_page

        ui = self._ui
        path = "" if session is None else session.GetAttribute(roles.NETWORK) or ""
        ui.networkButton.enabled = session is not None and (self.busy or not self._desk.busy)
        self._refreshing = True
        ui.networkPath.currentPath = path
        ui.anyPatientCheckBox.checked = bool(path) and session.GetAttribute(roles.ANY_PATIENT) is not None
        self._refreshing = False
        ui.anyPatientCheckBox.enabled = bool(path)
        ui.cardLabel.text = _headline(card_of(path)) if path else ""
        ui.cardLabel.visible = bool(ui.cardLabel.text)
        ui.cardButton.enabled = bool(path) and card_page(path).is_file()
        views = [] if session is None else roles.references(session, roles.VIEW)
        can_look = bool(path) and bool(views) and session.GetNodeReference(roles.VOLUME) is not None
        ui.attentionButton.enabled = can_look and not self._desk.busy
        ui.attentionButton.checked = can_look and session.GetAttribute(roles.COMPARE) == roles.ATTENTION
        ui.networkHint.text = self._hint(session, path)

    def abandon(self):
        """The scene goes away or the module closes: nothing is shown any more."""
        if self._job is not None:
            self._job.abandon()
            self._job = None

    def _hint(self, session, path):
        if self.busy:
            return _("Asking the network where it looks")
        if not path:
            return _("Choose a network of this CT, or train one above.")
        if session.GetAttribute(roles.START) != roles.FROM_NETWORK:
            return _('To start from it, choose "From the network" as start below.')
        return _("Registration starts where the network says that the X-rays are.")

    def _on_path(self, path=None):
        session = self._desk.session
        if self._refreshing or session is None:
            return
        from ..networks import choose_network

        choose_network(session, self._ui.networkPath.currentPath)
        self._follow()

    def _on_any_patient(self, checked):
        session = self._desk.session
        if self._refreshing or session is None:
            return
        if checked:
            session.SetAttribute(roles.ANY_PATIENT, "1")
        else:
            session.RemoveAttribute(roles.ANY_PATIENT)

    def _on_card(self, checked=False):
        from ..networks import card_page

        page = card_page(self._desk.session.GetAttribute(roles.NETWORK))
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(page)))

    def _on_attention(self, checked=False):
        from ..networks import forget_attention

        session = self._desk.session
        if session.GetAttribute(roles.COMPARE) == roles.ATTENTION:
            forget_attention(session)
            self._follow()
            return
        try:
            self._desk.ensureDependencies(True)
            from ..attention import start_attention

            self._job = start_attention(session, self._on_looked, self._on_failed)
        except Exception as error:
            self._desk.show(error)
        self._desk.refresh()

    def _on_looked(self):
        self._job = None
        self._follow()

    def _on_failed(self, error):
        self._job = None
        self._desk.refresh()
        self._desk.show(error)

    def _follow(self):
        self._desk.refresh()
        self._desk.blendViews()


def _headline(card):
    """What the quality card found, and its warnings; empty if it does not say."""
    try:
        success, start = card["summary"]["success"], card["summary"]["start"]
        found = _(
            "{count} of {all} simulated X-rays were registered; half of the starts are under {turn:.1f} "
            "degrees and {shift:.1f} mm off."
        ).format(
            count=success["count"],
            all=success["of"],
            turn=start["rotation_deg"]["median"],
            shift=start["mtre_mm"]["median"],
        )
        return "<br>".join([found, *(f"• {escape(notice)}" for notice in card["notices"])])
    except (KeyError, TypeError, ValueError, AttributeError):  # of another version
        return ""
