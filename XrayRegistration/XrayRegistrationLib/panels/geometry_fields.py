"""The fields for the geometry of an X-ray file that has no camera file."""

from slicer.i18n import tr as _

_INTENSITIES = (None, "transmission", "line_integral", "file")
_SIDES = (None, "source", "detector", "file")
_MISSING = "border: 1px solid #b3261e"


class GeometryFields:
    """Filled from the file as far as it says; the rest stays empty, with a red border, for the user."""

    def __init__(self, ui):
        self._ui = ui
        for edit in self._edits():
            edit.textChanged.connect(self._mark)
        for combo in self._combos():
            combo.currentIndexChanged.connect(self._mark)
        self.fill(None)

    @property
    def shown(self):
        return not self._ui.geometryBox.isHidden()

    def fill(self, found):
        """From a core XrayGeometry; None hides the fields."""
        ui = self._ui
        ui.geometryBox.visible = found is not None
        if found is None:
            return
        column_mm, row_mm = found.pixel_spacing_mm or (None, None)
        distances = (found.source_to_detector_mm, found.source_to_isocenter_mm)
        numbers = (*distances, column_mm, row_mm, found.primary_deg, found.secondary_deg)
        for edit, number in zip(self._edits(), numbers, strict=True):
            edit.text = "" if number is None else repr(number)
        ui.intensityCombo.currentIndex = _INTENSITIES.index(found.intensity)
        ui.seenFromCombo.currentIndex = _SIDES.index(found.seen_from)
        self._mark()

    def read(self):
        """What the fields say, as a core XrayGeometry; None if they are hidden.

        Raises:
            InputError: names the field that is no number.
        """
        from xrayreg.images import XrayGeometry

        ui = self._ui
        if not self.shown:
            return None
        column_mm, row_mm = _number(ui.columnSpacingEdit), _number(ui.rowSpacingEdit)
        return XrayGeometry(
            _number(ui.sourceToDetectorEdit),
            _number(ui.sourceToIsocenterEdit),
            None if None in (column_mm, row_mm) else (column_mm, row_mm),
            _number(ui.primaryAngleEdit),
            _number(ui.secondaryAngleEdit),
            _INTENSITIES[ui.intensityCombo.currentIndex],
            _SIDES[ui.seenFromCombo.currentIndex],
        )

    def _mark(self, value=None):
        for edit in self._edits():
            edit.styleSheet = "" if edit.text.strip() else f"QLineEdit {{ {_MISSING} }}"
        for combo in self._combos():
            combo.styleSheet = "" if combo.currentIndex > 0 else f"QComboBox {{ {_MISSING} }}"

    def _edits(self):
        ui = self._ui
        distances = (ui.sourceToDetectorEdit, ui.sourceToIsocenterEdit)
        return (
            *distances,
            ui.columnSpacingEdit,
            ui.rowSpacingEdit,
            ui.primaryAngleEdit,
            ui.secondaryAngleEdit,
        )

    def _combos(self):
        return (self._ui.intensityCombo, self._ui.seenFromCombo)


def _number(edit):
    """None if the field is empty; a decimal comma is understood."""
    from xrayreg.errors import InputError

    text = edit.text.strip().replace(",", ".").replace("−", "-")
    try:
        return float(text) if text else None
    except ValueError:
        what = _("'{text}' is not a number").format(text=edit.text)
        raise InputError(what, remedy=_("write it as in 0.3")) from None
