"""The curve of a training's loss, as a small picture for a panel."""

from itertools import pairwise

import qt

_MARGIN = 4
_BLUE, _GREY = "#1f6feb", "#808080"


def draw_curve(points: list, width: int, height: int):
    """A qt.QPixmap of (step, loss), with the highest, the lowest and the last loss; transparent between.

    Args:
        points: at least two, by their steps.
        width, height: in pixels.
    """
    picture = qt.QPixmap(width, height)
    picture.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter()
    painter.begin(picture)
    painter.setRenderHint(qt.QPainter.Antialiasing)
    text_height = painter.fontMetrics().height()
    losses = [loss for _, loss in points]
    (first, _), (last, _), low, high = points[0], points[-1], min(losses), max(losses)
    top, bottom = text_height + _MARGIN, height - text_height - _MARGIN
    right = width - 2 * _MARGIN

    def at(step, loss):
        x = _MARGIN + (step - first) / max(last - first, 1e-12) * (right - _MARGIN)
        y = bottom - (loss - low) / max(high - low, 1e-12) * (bottom - top)
        return round(x), round(y)

    painter.setPen(qt.QPen(qt.QColor(_GREY)))
    painter.drawLine(_MARGIN, bottom + 2, right, bottom + 2)
    painter.drawText(_MARGIN, text_height - 2, f"loss {high:.3g}")
    painter.drawText(_MARGIN, height - _MARGIN, f"{low:.3g}")
    words = f"step {last:.0f}: {losses[-1]:.3g}"
    painter.drawText(right - _MARGIN - 7 * len(words), height - _MARGIN, words)
    pen = qt.QPen(qt.QColor(_BLUE))
    pen.setWidth(2)
    painter.setPen(pen)
    for (step, loss), (next_step, next_loss) in pairwise(points):
        painter.drawLine(*at(step, loss), *at(next_step, next_loss))
    painter.end()
    return picture
