"""The table of X-rays."""

import json
import tempfile
from pathlib import Path

import qt
from slicer.i18n import tr as _

from .. import layouts, roles
from .geometry_fields import GeometryFields

_THUMBNAIL_PX = 40


class XraysPanel:
    """Adds X-rays at their start poses, shows what was read, and takes them out."""

    def __init__(self, desk, ui):
        self._desk, self._ui = desk, ui
        self._refreshing = False
        self._geometry = GeometryFields(ui)
        ui.xrayPath.currentPathChanged.connect(self._on_path)
        ui.cameraPath.currentPathChanged.connect(self._on_path)
        ui.addButton.clicked.connect(self._on_add)
        ui.removeButton.clicked.connect(self._on_remove)
        ui.frameSlider.valueChanged.connect(self._on_frame)
        ui.maskButton.clicked.connect(self._on_mask)
        ui.removeMasksButton.clicked.connect(self._on_remove_masks)
        ui.xrayTable.itemSelectionChanged.connect(self._on_selection)
        ui.xrayTable.setColumnCount(3)
        ui.xrayTable.setHorizontalHeaderLabels([_("X-ray"), _("Geometry"), _("Similarity")])
        ui.xrayTable.setIconSize(qt.QSize(_THUMBNAIL_PX, _THUMBNAIL_PX))

    def refresh(self, session):
        ui = self._ui
        ready = session is not None and session.GetNodeReference(roles.VOLUME) is not None
        ui.xraysButton.enabled = ready and not self._desk.busy
        views = roles.references(session, roles.VIEW) if ready else []
        ui.xrayTable.setRowCount(len(views))
        for row, node in enumerate(views):
            for column, text in enumerate((roles.view_name(node), _geometry(node), _similarity(node))):
                ui.xrayTable.setItem(row, column, qt.QTableWidgetItem(text))
            ui.xrayTable.item(row, 0).setIcon(_thumbnail(node))
        ui.xrayTable.resizeColumnsToContents()
        ui.xrayTable.resizeRowsToContents()
        ui.addButton.enabled = bool(ui.xrayPath.currentPath)
        self._on_selection()

    def _on_path(self, path=None):
        """Show what the chosen file says about its geometry; why a file is none is told when it is added."""
        ui = self._ui
        ui.addButton.enabled = bool(ui.xrayPath.currentPath)
        try:
            from xrayreg.images import geometry_found

            self._geometry.fill(
                None if ui.cameraPath.currentPath else geometry_found(ui.xrayPath.currentPath)
            )
        except Exception:
            self._geometry.fill(None)
        self._hint()

    def _on_selection(self):
        ui, xray = self._ui, self._selected()
        ui.removeButton.enabled = ui.maskButton.enabled = xray is not None
        ui.removeMasksButton.enabled = (
            xray is not None and xray.GetNumberOfNodeReferences(roles.MASK_CURVE) > 0
        )
        notes = [] if xray is None else json.loads(xray.GetAttribute(roles.NOTES))
        ui.notesLabel.text = "<br>".join(f"• {note}" for note in notes)
        ui.notesLabel.visible = bool(notes)
        self._show_frame_of(xray)
        self._hint()

    def _show_frame_of(self, xray):
        ui = self._ui
        frame, frames = (1, 1) if xray is None else (roles.frame_of(xray), roles.frames_of(xray))
        self._refreshing = True
        ui.frameSlider.maximum = frames
        ui.frameSlider.value = frame
        self._refreshing = False
        for widget in (ui.frameLabel, ui.frameSlider, ui.linkedCheckBox):
            widget.visible = frames > 1

    def _hint(self):
        ui, row = self._ui, self._ui.xrayTable.currentRow()
        if ui.xrayPath.currentPath and self._geometry.shown:
            text = _("Fill in what has a red border, if anything, then add the X-ray.")
        elif not ui.xrayTable.rowCount:
            text = _("Choose an X-ray; DICOM files of C-arms bring their geometry.")
        elif row < 0:
            text = _("Add more X-rays, or register below. Select one to see what was read, or to mask it.")
        elif ui.frameSlider.maximum > 1:
            text = _("A run of frames: choose one with the slider, then register below.")
        else:
            text = _("Mask out what is not the patient, add more X-rays, or register below.")
        ui.xraysHint.text = text

    def _selected(self):
        """The X-ray node of the selected row, or None."""
        session, row = self._desk.session, self._ui.xrayTable.currentRow()
        return None if session is None or row < 0 else session.GetNthNodeReference(roles.VIEW, row)

    def _on_add(self, checked=False):
        ui = self._ui
        first = not roles.references(self._desk.session, roles.VIEW)
        try:
            self._desk.ensureDependencies()
            from ..loading import load_xray

            load_xray(
                self._desk.session, ui.xrayPath.currentPath, ui.cameraPath.currentPath, self._geometry.read()
            )
        except Exception as error:
            self._desk.show(error)
            return
        ui.xrayPath.addCurrentPathToHistory()
        ui.xrayPath.currentPath = ui.cameraPath.currentPath = ""
        self._desk.refresh()
        ui.xrayTable.selectRow(ui.xrayTable.rowCount - 1)
        if first:
            self._desk.arrange(layouts.X_RAYS_AND_3D)
        else:
            self._desk.showViews()

    def _on_remove(self, checked=False):
        from ..pointing import stop_placing
        from ..session import remove_view

        stop_placing()
        remove_view(self._desk.session, self._ui.xrayTable.currentRow())
        self._desk.refresh()
        self._desk.showViews()

    def _on_frame(self, value):
        if self._refreshing:
            return
        from ..cine import show_frames

        runs = [self._selected()]
        if self._ui.linkedCheckBox.checked:
            runs = [
                xray for xray in roles.references(self._desk.session, roles.VIEW) if roles.frames_of(xray) > 1
            ]
        show = self._desk.blendViews
        try:
            if show_frames(runs, int(value)):
                show = self._desk.showViews
        except Exception as error:
            self._desk.show(error)
        self._desk.refresh()
        show()

    def _on_mask(self, checked=False):
        from ..masks import add_mask_curve
        from ..pointing import start_placing

        start_placing(add_mask_curve(self._selected()), several=False)
        self._on_selection()
        self._ui.xraysHint.text = _("Click points around the area; the right mouse button ends it.")

    def _on_remove_masks(self, checked=False):
        from ..masks import remove_mask_curves
        from ..pointing import stop_placing

        stop_placing()
        remove_mask_curves(self._selected())
        self._on_selection()


def _thumbnail(node):
    try:
        from xrayreg.images import thumbnail_png

        from ..mrml import array_of
    except ImportError:  # a package is missing yet; that is told when it is needed
        return qt.QIcon()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "thumbnail.png"
        file.write_bytes(thumbnail_png(array_of(node)[0], _THUMBNAIL_PX))
        return qt.QIcon(qt.QPixmap(str(file)))


def _geometry(node):
    """Distance to the detector, pixels and their size, in words; of a run also the frame."""
    columns, rows = json.loads(node.GetAttribute(roles.SIZE))
    spacing = json.loads(node.GetAttribute(roles.PIXEL_SPACING_MM))
    distance = json.loads(node.GetAttribute(roles.SOURCE_TO_DETECTOR_MM))
    text = f"{columns} x {rows}, {spacing[0]:.3g} mm, SID {distance:.0f} mm"
    frames = roles.frames_of(node)
    return (
        text if frames == 1 else text + _(", frame {n} of {all}").format(n=roles.frame_of(node), all=frames)
    )


def _similarity(node):
    """Of the registration; and of which frame, if another one is shown."""
    text = node.GetAttribute(roles.SIMILARITY)
    if text is None:
        return ""
    number, frame = f"{json.loads(text):.2f}", roles.other_registered_frame(node)
    return number if frame is None else number + " " + _("(registered on frame {n})").format(n=frame)
