"""The patient moved by hand until the DRR lies about right: by the mouse on an X-ray, or by sliders."""

from functools import partial

from slicer.i18n import tr as _

from .. import roles
from .boxes import offer

_WHEEL_MM = 10.0


class ManualPanel:
    """Moves the view that is chosen, and those of its rig; DRRs follow."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        self._refreshing = False
        self._dragging = None
        self._sliders = {
            "right_mm": ui.rightSlider,
            "up_mm": ui.upSlider,
            "farther_mm": ui.fartherSlider,
            "turn_deg": ui.turnSlider,
            "tilt_right_deg": ui.tiltRightSlider,
            "tilt_up_deg": ui.tiltUpSlider,
        }
        for name, slider in self._sliders.items():
            slider.valueChanged.connect(partial(self._on_slider, name))
        ui.manualButton.contentsCollapsed.connect(self._on_collapsed)
        ui.viewComboBox.currentTextChanged.connect(self._on_view)
        ui.mouseButton.toggled.connect(self._on_mouse)
        ui.backButton.clicked.connect(self._on_back)

    def refresh(self, session):
        ui = self._ui
        can_start = session is not None and session.GetNodeReference(roles.VOLUME) is not None
        can_start = can_start and session.GetNumberOfNodeReferences(roles.VIEW) > 0
        ui.manualButton.enabled = can_start and not self._desk.busy
        self._refreshing = True
        offer(ui.viewComboBox, self._views() if can_start else [])
        self._refreshing = False
        is_open = ui.manualButton.enabled and not ui.manualButton.collapsed
        is_ready = is_open and self._prepared(session)
        ui.motions.enabled = is_ready
        if not is_ready:
            ui.mouseButton.checked = False
        elif self._dragging is not None:
            self._dragging.watch()
        if is_ready:
            self._show_offsets(session)

    def stop(self):
        """The mouse is Slicer's own again."""
        self._ui.mouseButton.checked = False

    def close(self):
        self._ui.manualButton.collapsed = True

    def _prepared(self, session):
        """Whether DRRs can follow; if not, that is begun."""
        try:
            if not self._desk.preview.ready(session):
                self._desk.ensureDependencies()
                self._desk.preview.prepare(session)
        except Exception as error:
            self.close()
            self._desk.show(error)
            return False
        is_ready = self._desk.preview.ready(session)
        self._ui.manualHint.text = "" if is_ready else _("Preparing the CT")
        return is_ready

    def _chosen(self):
        """The X-ray's node."""
        return self._desk.session.GetNthNodeReference(roles.VIEW, self._ui.viewComboBox.currentIndex)

    def _show_offsets(self, session):
        from xrayreg.errors import InputError

        from ..starting import offsets

        try:
            now = offsets(session, self._chosen())
        except InputError as error:
            self._ui.manualHint.text = str(error)
            return
        self._refreshing = True
        for name, slider in self._sliders.items():
            slider.value = getattr(now, name)
        self._refreshing = False

    def _on_collapsed(self, collapsed):
        session = self._desk.session
        if session is not None and not collapsed:
            from ..starting import start_here

            start_here(session)
        self.refresh(session)

    def _on_view(self, text):
        if not self._refreshing and self._ui.motions.enabled:
            self._show_offsets(self._desk.session)

    def _on_slider(self, name, value):
        from ..starting import set_offset

        if not self._refreshing:
            self._do(set_offset, self._chosen(), name, value)

    def _on_back(self, checked=False):
        from ..starting import back_to_start

        self._do(back_to_start, self._chosen())

    def _on_mouse(self, checked):
        if self._dragging is not None:
            self._dragging.stop()
            self._dragging = None
        if checked:
            from ..dragging import Dragging
            from ..pointing import stop_placing

            stop_placing()
            self._dragging = Dragging(self._views, self._on_drag, self._on_wheel)

    def _views(self):
        return roles.references(self._desk.session, roles.VIEW)

    def _on_drag(self, xray, button, start, end):
        from xrayreg.geometry import shift_by_drag, tilt_by_drag, turn_by_drag

        motions = {"left": shift_by_drag, "right": tilt_by_drag, "shift+left": turn_by_drag}
        self._do(self._drag, xray, motions[button], start, end)

    def _on_wheel(self, xray, notches):
        from xrayreg.geometry import depth_shift

        self._do(self._drag, xray, depth_shift, _WHEEL_MM * notches)

    def _drag(self, session, xray, motion, *how_far):
        from ..nodes import camera_of
        from ..starting import move, pivot_of

        self._ui.viewComboBox.currentIndex = self._views().index(xray)
        move(session, xray, motion(camera_of(xray), pivot_of(session), *how_far))

    def _do(self, change, xray, *how):
        """Change the poses of a view and those that move with it, and let all follow that shows them."""
        from xrayreg.errors import InputError

        from ..starting import moving_together

        session = self._desk.session
        had_result = session.GetAttribute(roles.CONFIDENCE) or xray.GetAttribute(roles.COVARIANCE)
        try:
            change(session, xray, *how)
        except InputError as error:
            self._ui.manualHint.text = str(error)
            self._show_offsets(session)
            return
        self._ui.manualHint.text = ""
        self._desk.preview.show(moving_together(session, xray))
        if had_result:
            self._desk.refresh()
            self._desk.blendViews()
        else:
            self._show_offsets(session)
