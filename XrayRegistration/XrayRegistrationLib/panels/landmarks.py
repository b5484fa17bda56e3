"""A start from landmarks: the same points clicked in the CT and on the X-rays."""

import qt
import slicer
from slicer.i18n import tr as _

from .. import roles
from ..watching import Watch
from .boxes import offer


class LandmarksPanel:
    """Places landmarks, shows how far they are off, and starts from them."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        self._refreshing = False
        self._placed, self._changed = Watch(desk, self._on_placed), Watch(desk, self._on_points)
        self._job = None
        ui.landmarkSelector.currentNodeChanged.connect(self._on_list)
        ui.landmarkView.currentTextChanged.connect(self._on_view)
        ui.placeInCtButton.clicked.connect(self._on_place_in_ct)
        ui.placeOnXrayButton.clicked.connect(self._on_place_on_xray)
        ui.landmarkStartButton.clicked.connect(self._on_start)

    def refresh(self, session):
        ui = self._ui
        views = self._views()
        ui.landmarksButton.enabled = bool(views) and not self._desk.busy
        self._refreshing = True
        ui.landmarkSelector.setCurrentNode(session.GetNodeReference(roles.LANDMARKS) if views else None)
        offer(ui.landmarkView, views)
        self._refreshing = False
        self._watch(session, views)
        self._show()

    @property
    def busy(self):
        return self._job is not None

    def abandon(self):
        """The scene goes away or the module closes."""
        self._placed.only([])
        self._changed.only([])
        if self._job is not None:
            self._job.abandon()
            self._job = None

    def _views(self):
        """The X-rays' nodes, once there is a CT."""
        session = self._desk.session
        if session is None or session.GetNodeReference(roles.VOLUME) is None:
            return []
        return roles.references(session, roles.VIEW)

    def _chosen(self):
        """The X-ray's node on which landmarks are placed."""
        return self._desk.session.GetNthNodeReference(roles.VIEW, self._ui.landmarkView.currentIndex)

    def _watch(self, session, views):
        """Points that are placed, dragged, renamed or removed show at once, and so do views that move."""
        lists = [session.GetNodeReference(roles.LANDMARKS)] if views else []
        lists = [node for node in [*lists, *(v.GetNodeReference(roles.LANDMARKS_2D) for v in views)] if node]
        kind, moved = slicer.vtkMRMLMarkupsNode, slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        changes = (kind.PointModifiedEvent, kind.PointRemovedEvent)
        detectors = [(view.GetNodeReference(roles.DETECTOR), moved) for view in views] if lists else []
        self._placed.only((node, kind.PointPositionDefinedEvent) for node in lists)
        self._changed.only([*((node, event) for node in lists for event in changes), *detectors])

    def _show(self):
        """The table, and whose turn it is."""
        ui, views = self._ui, self._views()
        if not views:
            ui.landmarkTable.setRowCount(0)
            return
        from ..landmarking import errors_px, left_out

        rows, out = errors_px(self._desk.session), [left_out(xray) for xray in views]
        ui.landmarkTable.setColumnCount(1 + len(views))
        ui.landmarkTable.setHorizontalHeaderLabels([_("Landmark"), *map(roles.view_name, views)])
        ui.landmarkTable.setRowCount(len(rows))
        for row, (label, errors) in enumerate(rows.items()):
            texts = [_error(error, label in names) for error, names in zip(errors, out, strict=True)]
            for column, text in enumerate([label, *texts]):
                ui.landmarkTable.setItem(row, column, qt.QTableWidgetItem(text))
        ui.landmarkTable.resizeColumnsToContents()
        ui.landmarkTable.resizeRowsToContents()
        self._show_next()

    def _show_next(self):
        from ..landmarking import labels_of, next_label

        ui, xray = self._ui, self._chosen()
        label = next_label(self._desk.session, xray)
        ui.placeOnXrayButton.enabled = label is not None
        if not labels_of(self._desk.session):
            ui.landmarksHint.text = _("Place at least 4 landmarks in the CT, better 6 or more.")
        elif label is None:
            ui.landmarksHint.text = _("All landmarks are placed on this X-ray.")
        else:
            ui.landmarksHint.text = _("Next on {view}: {label}").format(
                view=roles.view_name(xray), label=label
            )

    def _on_list(self, node):
        session = self._desk.session
        if self._refreshing or session is None:
            return
        session.SetNodeReferenceID(roles.LANDMARKS, node.GetID() if node else None)
        self._desk.refresh()

    def _on_view(self, text):
        if not self._refreshing:
            self._show()

    def _on_place_in_ct(self, checked=False):
        from ..landmarking import landmark_list
        from ..now import show_now

        show_now(self._desk.session, False)  # landmarks are places in the CT as it was
        self._place(landmark_list(self._desk.session))

    def _on_place_on_xray(self, checked=False):
        from ..landmarking import landmark_list_on

        self._place(landmark_list_on(self._chosen()))

    def _place(self, points):
        from ..pointing import start_placing

        self._desk.refresh()
        start_placing(points, several=True)

    def _on_placed(self, caller, event):
        from ..landmarking import name_new_point, next_label
        from ..pointing import stop_placing

        for xray in self._views():
            if xray.GetNodeReference(roles.LANDMARKS_2D) is caller:
                name_new_point(self._desk.session, xray)
                if next_label(self._desk.session, xray) is None:
                    stop_placing()
        self._show()

    def _on_points(self, caller, event):
        self._show()

    def _on_start(self, checked=False):
        try:
            self._desk.ensureDependencies()
            from ..jobs import Job
            from ..landmarking import show_start, start_of

            session = self._desk.session

            def done(started):
                self._job = None
                views = show_start(session, started)
                self._desk.refresh()
                if session is self._desk.session:
                    self._desk.drawViews(views)

            self._job = Job(start_of(session), _nothing, done, self._on_failed, _nothing)
        except Exception as error:
            self._desk.show(error)
            return
        self._desk.refresh()

    def _on_failed(self, error):
        self._job = None
        self._desk.refresh()
        self._desk.show(error)


def _error(error, is_left_out):
    """A landmark's error in a view, in words."""
    if error is None:
        return "–"
    text = _("not in the CT") if error != error else f"{error:.1f} px"  # NaN is not itself
    return _("{error}, left out").format(error=text) if is_left_out else text


def _nothing(*_values):
    pass
