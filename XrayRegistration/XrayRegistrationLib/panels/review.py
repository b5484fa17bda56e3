"""How far to trust the result, how it looks, and what the reviewer says."""

import json

import qt
from slicer.i18n import tr as _

from .. import roles
from .verdicts import COLORS

_FLICKER_MS = 500
_BLENDED = (roles.BLEND, roles.ATTENTION)  # not opaque


class ReviewPanel:
    """The verdict and its reasons first, then the pictures, then the decision."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        self._refreshing = False
        self._commented = None  # the result that the comment is about
        self._flicker, self._drr_is_up = qt.QTimer(ui.reviewButton), True  # both end together
        self._flicker.setInterval(_FLICKER_MS)
        self._flicker.timeout.connect(self._on_flicker)
        ui.compareComboBox.currentIndexChanged.connect(self._on_compare)
        ui.blendSlider.valueChanged.connect(self._on_blend)
        ui.outlinesCheckBox.toggled.connect(self._on_outlines)
        ui.structureList.itemChanged.connect(self._on_structure)
        ui.planCheckBox.toggled.connect(self._on_plan)
        ui.acceptButton.clicked.connect(self._on_accept)
        ui.rejectButton.clicked.connect(self._on_reject)
        ui.undoButton.clicked.connect(self._on_undo)

    @property
    def look(self):
        """The opacity of what lies over the X-ray, whether there are outlines, and how both are compared."""
        mode = self._mode
        opacity = self._ui.blendSlider.value if mode in _BLENDED else 1.0
        if mode == roles.FLICKER:
            opacity = float(self._drr_is_up)
        return opacity, self._ui.outlinesCheckBox.checked, mode

    def blend_only(self):
        """As if the user had chosen so, for what cannot be compared in another way."""
        self._desk.session.SetAttribute(roles.COMPARE, roles.BLEND)
        self.refresh(self._desk.session)

    def pause(self):
        """Nothing moves while nobody looks, or there is nothing to look at any more."""
        self._flicker.stop()

    @property
    def _mode(self):
        """How the session's images are compared; they are blended while the DRR is on the move."""
        session = self._desk.session
        if session is None or self._desk.register.busy:
            return roles.BLEND
        mode = session.GetAttribute(roles.COMPARE) or roles.BLEND
        is_gone = mode == roles.ATTENTION and not _looked(roles.references(session, roles.VIEW))
        return roles.BLEND if is_gone else mode

    def refresh(self, session):
        ui = self._ui
        text = None if session is None else session.GetAttribute(roles.CONFIDENCE)
        views = [] if session is None else roles.references(session, roles.VIEW)
        drawn = any(view.GetNodeReference(roles.DRR) is not None for view in views)
        ui.reviewButton.enabled = drawn or text is not None or _looked(views)
        for widget in (ui.commentEdit, ui.acceptButton, ui.rejectButton, ui.undoButton):
            widget.enabled = text is not None and not self._desk.bodies.busy
        self._refresh_pictures(views, drawn)
        about = None if session is None else (session.GetID(), text)
        if about != self._commented:
            self._commented, ui.commentEdit.text = about, ""
        if text is None:
            ui.verdictLabel.text = ui.reasonsLabel.text = ui.decisionLabel.text = ""
            return
        sure = json.loads(text)
        verdict = sure["verdict"]
        words = {"accept": _("Looks right"), "review": _("Needs your eye"), "reject": _("Do not use")}
        error = _("Expected error {expected:.1f} mm, 95 % below {p95:.1f} mm").format(
            expected=sure["expected_tre_mm"], p95=sure["p95_tre_mm"]
        )
        headline = f"<b style='color:{COLORS[verdict]}'>{words[verdict]} ({verdict})</b>"
        odd = _not_registered(session, views)
        told = "".join(f"<br><b style='color:{COLORS['reject']}'>{text}</b>" for text in odd)
        ui.verdictLabel.text = f"{headline}<br>{error}{told}"
        ui.acceptButton.enabled = ui.acceptButton.enabled and not odd
        ui.reasonsLabel.text = "<br>".join(f"• {reason}" for reason in sure["reasons"])
        decision = session.GetAttribute(roles.DECISION)
        ui.decisionLabel.text = _("Decision: {decision}").format(decision=decision) if decision else ""
        ui.commentEdit.text = session.GetAttribute(roles.COMMENT) or ui.commentEdit.text

    def _refresh_pictures(self, views, drawn):
        from ..overlays import outlined

        ui, mode = self._ui, self._mode
        self._refreshing = True
        self._offer_comparisons(views)
        ui.compareComboBox.setCurrentIndex(roles.COMPARISONS.index(mode))
        ui.compareComboBox.enabled = not self._desk.register.busy
        ui.blendSlider.enabled = mode in _BLENDED
        ui.structureList.clear()
        for number, structure in enumerate(outlined(views)):
            ui.structureList.addItem(structure.name)
            item = ui.structureList.item(number)
            item.setCheckState(qt.Qt.Checked if structure.shown else qt.Qt.Unchecked)
            item.setIcon(_swatch(structure.color))
        ui.structureList.visible = ui.structureList.count > 0
        if marks := [node for view in views for node in roles.references(view, roles.REPROJECTED)]:
            ui.planCheckBox.checked = any(node.GetDisplayVisibility() for node in marks)
        self._refreshing = False
        if mode == roles.FLICKER and drawn:
            self._flicker.start()
        else:
            self._flicker.stop()

    def _offer_comparisons(self, views):
        """The network's attention, the last, only while there is a map of it."""
        box, words = self._ui.compareComboBox, list(_comparisons().values())
        if not _looked(views):
            del words[-1]
        if box.count != len(words):
            box.clear()
            box.addItems(words)

    def _on_compare(self, index=None):
        session = self._desk.session
        if self._refreshing or session is None:
            return
        session.SetAttribute(roles.COMPARE, roles.COMPARISONS[self._ui.compareComboBox.currentIndex])
        self._desk.refresh()
        self._desk.blendViews()

    def _on_flicker(self):
        self._drr_is_up = not self._drr_is_up
        self._desk.blendViews()

    def _on_blend(self, value):
        self._desk.blendViews()

    def _on_outlines(self, checked):
        self._desk.blendViews()

    def _on_structure(self, item=None):
        if self._refreshing:
            return
        from ..overlays import show_structure

        views = roles.references(self._desk.session, roles.VIEW)
        for number in range(self._ui.structureList.count):
            item = self._ui.structureList.item(number)
            show_structure(views, item.text(), item.checkState() == qt.Qt.Checked)

    def _on_plan(self, checked):
        if self._refreshing:
            return
        for xray in roles.references(self._desk.session, roles.VIEW):
            for node in roles.references(xray, roles.REPROJECTED):
                node.SetDisplayVisibility(checked)

    def _on_accept(self, checked=False):
        self._decide("accepted")

    def _on_reject(self, checked=False):
        self._decide("rejected")

    def _decide(self, decision):
        from ..session import decide

        decide(self._desk.session, decision, self._ui.commentEdit.text)
        self._desk.refresh()

    def _on_undo(self, checked=False):
        from ..session import undo

        undo(self._desk.session)
        self._desk.refresh()
        self._desk.showViews()


def _comparisons():
    """In words, in the order of `roles.COMPARISONS`."""
    return {
        roles.BLEND: _("Blending"),
        roles.CHECKERBOARD: _("Checkerboard"),
        roles.DIFFERENCE: _("Difference"),
        roles.EDGES: _("Edges of the DRR"),
        roles.FLICKER: _("Flicker"),
        roles.ATTENTION: _("Attention of the network"),
    }


def _looked(views):
    """Whether it is known where a network looks."""
    return any(view.GetNodeReference(roles.ATTENTION_MAP) is not None for view in views)


def _not_registered(session, views):
    """What is seen that the verdict is not about, in words."""
    from xrayreg.errors import InputError

    from ..choosing import check_place, check_registered

    found = []
    for check, node in [(check_place, session), *((check_registered, view) for view in views)]:
        try:
            check(node)
        except InputError as error:
            found.append(str(error))
    return found


def _swatch(color):
    """A small square in a color of red, green and blue, 0 to 1."""
    picture = qt.QPixmap(12, 12)
    picture.fill(qt.QColor(*(round(255 * part) for part in color)))
    return qt.QIcon(picture)
