"""Which views are on the screen, and where the 3D view looks from."""

from slicer.i18n import tr as _

from .. import layouts, roles, screen
from .boxes import offer


class LayoutPanel:
    """Chooses the arrangement, which is Slicer's and saved with the scene, and moves the 3D camera."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        words = {
            layouts.X_RAYS_AND_3D: _("X-rays and 3D"),
            layouts.X_RAYS: _("X-rays only"),
            layouts.ONE_X_RAY: _("One X-ray, 3D and CT"),
        }
        for kind in layouts.KINDS:
            ui.layoutComboBox.addItem(words[kind])
        ui.layoutComboBox.activated.connect(self._on_layout)
        ui.xrayComboBox.activated.connect(self._on_xray)
        ui.beamButton.clicked.connect(self._on_beam)
        ui.overviewButton.clicked.connect(self._on_overview)

    def refresh(self, session):
        ui = self._ui
        views = [] if session is None else roles.references(session, roles.VIEW)
        ui.viewsButton.enabled = bool(views)
        offer(ui.xrayComboBox, views)
        layout = screen.layout()
        kind = layouts.kind_of(layout)
        ui.layoutComboBox.currentIndex = -1 if kind is None else layouts.KINDS.index(kind)
        if kind == layouts.ONE_X_RAY:
            ui.xrayComboBox.currentIndex = min(layouts.xrays_in(layout).values())
        ui.beamButton.enabled = ui.overviewButton.enabled = kind != layouts.X_RAYS
        beside = kind in (layouts.X_RAYS_AND_3D, layouts.X_RAYS)
        hint = _("The first {count} X-rays are shown.").format(count=layouts.MOST_BESIDE)
        ui.viewsHint.text = hint if beside and len(views) > layouts.MOST_BESIDE else ""

    def _on_layout(self, index=None):
        self._desk.arrange(layouts.KINDS[self._ui.layoutComboBox.currentIndex], self._number)
        screen.show_bones(self._desk.session)

    def _on_xray(self, index=None):
        if layouts.kind_of(screen.layout()) == layouts.ONE_X_RAY:
            self._desk.arrange(layouts.ONE_X_RAY, self._number)

    def _on_beam(self, checked=False):
        screen.show_bones(self._desk.session)
        screen.look_along(self._desk.session, self._number)

    def _on_overview(self, checked=False):
        screen.show_bones(self._desk.session)
        screen.look_at_all_xrays(self._desk.session)

    @property
    def _number(self):
        """The chosen X-ray's, from 0."""
        return max(0, self._ui.xrayComboBox.currentIndex)
