"""Observers that follow what a panel shows."""

from collections.abc import Callable, Iterable


class Watch:
    """Calls one slot when one of the nodes changes that were named last.

    Args:
        owner: has addObserver and removeObserver, as slicer.util.VTKObservationMixin.
        slot: gets the node and the event.
    """

    def __init__(self, owner, slot: Callable):
        self._owner, self._slot = owner, slot
        self._watched: list[tuple] = []

    def only(self, nodes_and_events: Iterable[tuple]) -> None:
        """Watch these (node, event) pairs and no others; none is allowed."""
        wanted = list(nodes_and_events)
        for pair in self._watched:
            if pair not in wanted:
                self._owner.removeObserver(*pair, self._slot)
        for pair in wanted:
            if pair not in self._watched:
                self._owner.addObserver(*pair, self._slot)
        self._watched = wanted
