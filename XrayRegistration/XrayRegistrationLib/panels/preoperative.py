"""The volume, and what of it is to be seen on the X-rays."""

import slicer
from slicer.i18n import tr as _

from .. import roles

_MODALITIES = ("CT", "MR")


class PreoperativePanel:
    """Chooses the volume, its segmentation and the plan; finds the bones."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        self._refreshing = False
        self._job = None
        ui.volumeSelector.currentNodeChanged.connect(self._on_volume)
        ui.modalityCombo.currentIndexChanged.connect(self._on_modality)
        ui.segmentationSelector.currentNodeChanged.connect(self._on_segmentation)
        ui.bonesButton.clicked.connect(self._on_bones)
        ui.totalButton.clicked.connect(self._on_total)
        ui.planSelector.checkedNodesChanged.connect(self._on_plan)

    @property
    def busy(self):
        return self._job is not None

    def refresh(self, session):
        ui = self._ui
        ui.preoperativeButton.enabled = session is not None and (self.busy or not self._desk.busy)
        if session is None:
            return
        self._refreshing = True
        ui.volumeSelector.setCurrentNode(session.GetNodeReference(roles.VOLUME))
        ui.modalityCombo.currentIndex = _MODALITIES.index(roles.modality_of(session))
        ui.segmentationSelector.setCurrentNode(session.GetNodeReference(roles.SEGMENTATION))
        plan = roles.references(session, roles.PLAN)
        for number in range(ui.planSelector.nodeCount()):
            node = ui.planSelector.nodeFromIndex(number)
            ui.planSelector.setCheckState(node, _CHECKED if node in plan else _UNCHECKED)
        self._refreshing = False
        for widget in (ui.volumeSelector, ui.modalityCombo, ui.segmentationSelector, ui.planSelector):
            widget.enabled = not self.busy
        chosen = session.GetNodeReference(roles.VOLUME) is not None
        ui.bonesButton.enabled = chosen and ui.modalityCombo.currentIndex == 0
        ui.bonesButton.text = _("Stop") if self.busy else _("Segment bones")
        ui.bonesThreshold.enabled = ui.bonesButton.enabled and not self.busy
        ui.totalButton.visible = hasattr(slicer.modules, "totalsegmentator")
        ui.totalButton.enabled = chosen and not self.busy
        if not self.busy:
            ui.preoperativeHint.text = _hint(session)

    def abandon(self):
        """The scene goes away or the module closes: nothing is shown any more."""
        if self._job is not None:
            self._job.abandon()
            self._job = None

    def _on_volume(self, node):
        self._choose(roles.VOLUME, [node] if node else [])

    def _on_modality(self, index):
        session = self._desk.session
        if self._refreshing or session is None:
            return
        from ..choosing import choose_modality

        choose_modality(session, _MODALITIES[index])
        self._follow()

    def _on_segmentation(self, node):
        self._choose(roles.SEGMENTATION, [node] if node else [])

    def _on_plan(self):
        self._choose(roles.PLAN, list(self._ui.planSelector.checkedNodes()))

    def _on_bones(self, checked=False):
        if self.busy:
            self._job.cancel()
            return
        try:
            self._desk.ensureDependencies()
            from ..segmenting import start_bones

            self._job = start_bones(
                self._desk.session,
                self._ui.bonesThreshold.value,
                on_state=self._on_state,
                on_done=self._on_done,
                on_stopped=self._on_stopped,
            )
        except Exception as error:
            self._desk.show(error)
            return
        self._on_state(_("starting"))
        self._desk.refresh()

    def _on_state(self, text):
        self._ui.preoperativeHint.text = _("Segmenting: {step}").format(step=text)

    def _on_done(self):
        self._job = None
        self._desk.refresh()

    def _on_stopped(self, error):
        self._job = None
        self._desk.refresh()
        if error is not None:
            self._desk.show(error)

    def _on_total(self, checked=False):
        try:
            from ..segmenting import total_segmentation

            total_segmentation(self._desk.session)
        except Exception as error:
            self._desk.show(error)
        self._desk.refresh()

    def _choose(self, role, nodes):
        session = self._desk.session
        if self._refreshing or session is None:
            return
        from ..choosing import choose

        choose(session, role, nodes)
        self._follow()

    def _follow(self):
        """All panels and views follow; a result may be gone."""
        self._desk.refresh()
        self._desk.blendViews()


def _hint(session):
    """What is odd about the volume, else the next step, in a line."""
    volume = session.GetNodeReference(roles.VOLUME)
    if volume is None:
        return _("Load the patient's CT (drag it into Slicer), then choose it.")
    odd = _odd(volume, roles.modality_of(session) == "MR")
    if odd:
        return odd
    if _is_undrawn(session, roles.SEGMENTATION, roles.OUTLINES):
        return _("Register again to see this segmentation on the X-rays.")
    if _is_undrawn(session, roles.PLAN, roles.REPROJECTED):
        return _("Register again to see this plan on the X-rays.")
    if session.GetNodeReference(roles.SEGMENTATION) is None:
        return _("Choose or make a segmentation to see outlines of bones (optional), then add X-rays below.")
    return _("Next, add X-rays below.")


def _is_undrawn(session, chosen, drawn):
    """Whether something was chosen after the registration, so that no X-ray shows it."""
    if session.GetAttribute(roles.CONFIDENCE) is None or session.GetNodeReference(chosen) is None:
        return False
    return all(view.GetNodeReference(drawn) is None for view in roles.references(session, roles.VIEW))


def _odd(volume, is_mr):
    """Why the volume does not look like what it is said to be; empty if it does."""
    try:
        from xrayreg.images import looks_like_hu
    except ImportError:  # a package is missing yet; that is told when it is needed
        return ""
    if volume.GetImageData() is None:
        return _("This volume is empty; choose another one.")
    is_hu = looks_like_hu(volume.GetImageData().GetScalarRange()[0])
    if is_mr and is_hu:
        return _("This volume looks like a CT; if it is one, choose CT as its kind.")
    if not is_mr and not is_hu:
        return _("No voxel is below -100: this is no CT in Hounsfield units. If it is an MR, choose MR.")
    return ""


_UNCHECKED, _CHECKED = 0, 2  # Qt::CheckState
