"""Points shown in several X-rays, and where they are in the patient."""

import qt
from slicer.i18n import tr as _

from .. import roles
from ..watching import Watch
from .boxes import offer


class PointsPanel:
    """A point in one X-ray draws its line in the others; in two or more X-rays it has a place in 3D."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        self._watch = Watch(desk, self._on_moved)
        ui.placeButton.clicked.connect(self._on_place)
        ui.clearButton.clicked.connect(self._on_clear)

    def refresh(self, session):
        ui = self._ui
        views = [] if session is None else roles.references(session, roles.VIEW)
        ui.pointsButton.enabled = len(views) > 1 and not self._desk.busy
        offer(ui.viewComboBox, views)
        self._follow(session, views)
        self._show(session, views)

    def forget(self):
        """The scene goes away or the module closes: nothing is followed any more."""
        self._watch.only([])

    def _follow(self, session, views):
        if not views:
            self.forget()
            return
        from ..points import watched

        self._watch.only(watched(session))

    def _show(self, session, views):
        ui = self._ui
        shown = []
        if views:
            from ..points import update

            shown = update(session)
        titles = [_("{view}, px").format(view=roles.view_name(node)) for node in views]
        ui.pointsTable.setColumnCount(2 + len(titles))
        ui.pointsTable.setHorizontalHeaderLabels([_("Point"), _("Rays miss, mm"), *titles])
        ui.pointsTable.setRowCount(len(shown))
        for row, point in enumerate(shown):
            for column, text in enumerate(_cells(point, len(views))):
                ui.pointsTable.setItem(row, column, qt.QTableWidgetItem(text))
        ui.pointsTable.resizeColumnsToContents()
        ui.pointsTable.resizeRowsToContents()
        ui.clearButton.enabled = bool(shown)
        ui.pointsHint.text = _hint(session, shown)

    def _on_place(self, checked=False):
        from ..points import place_point

        session = self._desk.session
        place_point(session.GetNthNodeReference(roles.VIEW, self._ui.viewComboBox.currentIndex))
        self.refresh(session)

    def _on_clear(self, checked=False):
        from ..points import clear

        clear(self._desk.session)
        self.refresh(self._desk.session)

    def _on_moved(self, caller=None, event=None):
        session = self._desk.session
        if session is not None:
            self._show(session, roles.references(session, roles.VIEW))


def _cells(point, count):
    """Number, miss and the error in each view; a dash where it is shown but cannot be judged yet."""
    errors = [""] * count
    for order, view in enumerate(point.views):
        errors[view] = "-" if point.place is None else f"{point.place.errors_px[order]:.1f}"
    return [point.number, "" if point.place is None else f"{point.place.miss_mm:.1f}", *errors]


def _hint(session, shown):
    if session is None:
        return ""
    problems = [f"{point.number}: {point.problem}" for point in shown if point.problem]
    if problems:
        return _("Point {what}").format(what="; ".join(problems))
    if session.GetAttribute(roles.CONFIDENCE) is None:
        return _("The X-rays are not registered: lines and points are only as right as where they stand.")
    if any(len(point.views) == 1 for point in shown):
        return _("Show the point in another X-ray too: it lies on the line.")
    return _("Choose an X-ray, press the button and click on the point in that X-ray.")
