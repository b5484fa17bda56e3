"""The volume, and what of it is to be seen on the X-rays."""

from slicer.i18n import tr as _

from .. import roles


class PreoperativePanel:
    """Chooses the CT, its segmentation and the plan."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        self._refreshing = False
        ui.volumeSelector.currentNodeChanged.connect(self._on_volume)
        ui.segmentationSelector.currentNodeChanged.connect(self._on_segmentation)
        ui.planSelector.checkedNodesChanged.connect(self._on_plan)

    def refresh(self, session):
        ui = self._ui
        ui.preoperativeButton.enabled = session is not None and not self._desk.busy
        if session is None:
            return
        self._refreshing = True
        ui.volumeSelector.setCurrentNode(session.GetNodeReference(roles.VOLUME))
        ui.segmentationSelector.setCurrentNode(session.GetNodeReference(roles.SEGMENTATION))
        plan = roles.references(session, roles.PLAN)
        for number in range(ui.planSelector.nodeCount()):
            node = ui.planSelector.nodeFromIndex(number)
            ui.planSelector.setCheckState(node, _CHECKED if node in plan else _UNCHECKED)
        self._refreshing = False
        chosen = session.GetNodeReference(roles.VOLUME) is not None
        hint = _("Load the patient's CT (drag it into Slicer), then choose it.")
        ui.preoperativeHint.text = "" if chosen else hint

    def _on_volume(self, node):
        self._refer(roles.VOLUME, node)

    def _on_segmentation(self, node):
        self._refer(roles.SEGMENTATION, node)

    def _on_plan(self):
        session = self._desk.session
        if self._refreshing or session is None:
            return
        session.RemoveNodeReferenceIDs(roles.PLAN)
        for node in self._ui.planSelector.checkedNodes():
            session.AddNodeReferenceID(roles.PLAN, node.GetID())
        self._desk.refresh()

    def _refer(self, role, node):
        session = self._desk.session
        if self._refreshing or session is None:
            return
        session.SetNodeReferenceID(role, node.GetID() if node else None)
        self._desk.refresh()


_UNCHECKED, _CHECKED = 0, 2  # Qt::CheckState
