"""How far to trust the result, how it looks, and what the reviewer says."""

import json

from slicer.i18n import tr as _

from .. import roles

_COLORS = {"accept": "#1a7f37", "review": "#9a6700", "reject": "#b3261e"}


class ReviewPanel:
    """The verdict and its reasons first, then the pictures, then the decision."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        ui.blendSlider.valueChanged.connect(self._on_blend)
        ui.outlinesCheckBox.toggled.connect(self._on_outlines)
        ui.planCheckBox.toggled.connect(self._on_plan)
        ui.acceptButton.clicked.connect(self._on_accept)
        ui.rejectButton.clicked.connect(self._on_reject)
        ui.undoButton.clicked.connect(self._on_undo)

    @property
    def blend(self):
        """The DRR's opacity over the X-ray."""
        return self._ui.blendSlider.value

    @property
    def outlines(self):
        return self._ui.outlinesCheckBox.checked

    def refresh(self, session):
        ui = self._ui
        text = None if session is None else session.GetAttribute(roles.CONFIDENCE)
        ui.reviewButton.enabled = text is not None
        if text is None:
            ui.verdictLabel.text = ui.reasonsLabel.text = ui.decisionLabel.text = ""
            return
        sure = json.loads(text)
        verdict = sure["verdict"]
        words = {"accept": _("Looks right"), "review": _("Needs your eye"), "reject": _("Do not use")}
        error = _("Expected error {expected:.1f} mm, 95 % below {p95:.1f} mm").format(
            expected=sure["expected_tre_mm"], p95=sure["p95_tre_mm"]
        )
        headline = f"<b style='color:{_COLORS[verdict]}'>{words[verdict]} ({verdict})</b>"
        ui.verdictLabel.text = f"{headline}<br>{error}"
        ui.reasonsLabel.text = "<br>".join(f"• {reason}" for reason in sure["reasons"])
        decision = session.GetAttribute(roles.DECISION)
        ui.decisionLabel.text = _("Decision: {decision}").format(decision=decision) if decision else ""
        ui.commentEdit.text = session.GetAttribute(roles.COMMENT) or ui.commentEdit.text

    def _on_blend(self, value):
        self._desk.blendViews()

    def _on_outlines(self, checked):
        self._desk.blendViews()

    def _on_plan(self, checked):
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
