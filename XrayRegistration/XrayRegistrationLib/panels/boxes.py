"""Combo boxes that several panels have."""

from .. import roles


def offer(box, views):
    """Let the user choose one of these X-rays; the choice stays where it can."""
    offer_words(box, [roles.view_name(view) for view in views])


def offer_words(box, names):
    """Let the user choose one of these; the choice stays where it can."""
    chosen = box.currentIndex
    if [box.itemText(number) for number in range(box.count)] != names:
        box.clear()
        box.addItems(names)
        box.currentIndex = min(max(chosen, 0), len(names) - 1)
