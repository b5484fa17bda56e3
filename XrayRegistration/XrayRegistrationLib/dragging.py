"""X-rays moved with the mouse in Slicer's slice views.

We are asked before the view's own handling of the mouse, and keep from it what starts on an X-ray of ours,
but for clicks that place points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import qt
from xrayreg.geometry import flip_ras_lps

from .mrml import matrix_array
from .nodes import camera_of
from .pointing import is_placing
from .slices import slice_widgets

_PRIORITY = 10.0  # the views' own is 0
_BUTTONS = {"LeftButtonPressEvent": "left", "RightButtonPressEvent": "right"}
_RELEASES = {"LeftButtonReleaseEvent": "left", "RightButtonReleaseEvent": "right"}
_NOTCHES = {"MouseWheelForwardEvent": 1, "MouseWheelBackwardEvent": -1}


@dataclass
class _Drag:
    """A button held on an X-ray: the pixel (2,) that was followed to, and where the mouse has gone since."""

    widget: object
    xray: object
    button: str
    at: np.ndarray
    position: tuple[int, int] | None = None


class Dragging:
    """Watches the mouse until `stop`.

    Args:
        views: the X-ray nodes that may be dragged, asked anew at each press.
        on_drag: with the X-ray, the button ("left", "right" or "shift+left"), and the pixels (2,) that the
            mouse came from and has come to.
        on_wheel: with the X-ray and +1 for a notch away from the user, -1 towards.
    """

    def __init__(self, views: Callable[[], list], on_drag: Callable, on_wheel: Callable[[object, int], None]):
        self._views, self._on_drag, self._on_wheel = views, on_drag, on_wheel
        self._watched: list[tuple] = []
        self._drag: _Drag | None = None
        self._soon = qt.QTimer()
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self._follow)
        self.watch()

    def watch(self) -> None:
        """Also in views that have come with another layout."""
        known = [interactor for interactor, _ in self._watched]
        for widget in slice_widgets():
            interactor = widget.sliceView().interactor()
            if interactor not in known:
                tags: dict[str, int] = {}
                self._watched.append((interactor, tags))
                for event in (*_BUTTONS, "MouseMoveEvent", *_RELEASES, *_NOTCHES):
                    tags[event] = interactor.AddObserver(
                        event, partial(self._handle, widget, tags), _PRIORITY
                    )

    def stop(self) -> None:
        for interactor, tags in self._watched:
            for tag in tags.values():
                interactor.RemoveObserver(tag)
        self._soon.stop()
        self._watched, self._drag = [], None

    def _handle(self, widget, tags: dict[str, int], interactor, event: str) -> None:
        take = self._press if self._drag is None else self._go_on
        if take(widget, interactor, event):
            interactor.GetCommand(tags[event]).SetAbortFlag(1)

    def _press(self, widget, interactor, event: str) -> bool:
        """Whether the event is ours: a button pressed or the wheel rolled on an X-ray."""
        xray = self._xray_in(widget)
        if xray is None or event not in {**_BUTTONS, **_NOTCHES} or is_placing():
            return False
        if event in _NOTCHES:
            self._on_wheel(xray, _NOTCHES[event])
            return True
        button = "shift+left" if event.startswith("Left") and interactor.GetShiftKey() else _BUTTONS[event]
        self._drag = _Drag(widget, xray, button, _pixel(widget, interactor.GetEventPosition(), xray))
        return True

    def _go_on(self, widget, interactor, event: str) -> bool:
        """While a button is held all is ours; moves are gathered, they may come faster than views follow."""
        if event == "MouseMoveEvent":
            self._drag.position = interactor.GetEventPosition()
            self._soon.start()
        elif event in _RELEASES and self._drag.button.endswith(_RELEASES[event]):
            self._follow()
            self._drag = None
        return True

    def _follow(self) -> None:
        drag = self._drag
        if drag is None or drag.position is None:
            return
        start, drag.at = drag.at, _pixel(drag.widget, drag.position, drag.xray)
        drag.position = None
        self._on_drag(drag.xray, drag.button, start, drag.at)

    def _xray_in(self, widget):
        shown = widget.mrmlSliceCompositeNode().GetBackgroundVolumeID()
        return next((xray for xray in self._views() if xray.GetID() == shown), None)


def _pixel(widget, position: tuple[int, int], xray) -> np.ndarray:
    """(2,) pixel (column, row) of an X-ray at a place on the screen."""
    ras = matrix_array(widget.mrmlSliceNode().GetXYToRAS()) @ [*position, 0, 1]
    return camera_of(xray).project(flip_ras_lps(ras[:3]))
