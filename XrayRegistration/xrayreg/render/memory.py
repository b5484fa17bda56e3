"""A small memory of what was prepared from volumes: least recently used goes first, within a bound."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

import torch

T = TypeVar("T")

BOUND_BYTES = 2 * 1024**3
"""Prepared copies of volumes (packed, averaged) together take at most this, or one if it alone is larger."""


class Memory:
    """Prepared copies of tensors; forgets a copy with its tensor, when that changes, or for want of space."""

    def __init__(self, bound_bytes: int = BOUND_BYTES):
        self.bound_bytes = bound_bytes
        self._lock = threading.RLock()
        self._kept: OrderedDict[Hashable, tuple[int, int, object]] = OrderedDict()

    @property
    def used_bytes(self) -> int:
        with self._lock:
            return sum(size for _, size, _ in self._kept.values())

    def get(self, values: torch.Tensor, what: Hashable, make: Callable[[], tuple[T, int]]) -> T:
        """The copy called ``what`` of ``values``; ``make`` answers it and its bytes where there is none."""
        key = (id(values), what)
        with self._lock:
            version, _, copy = self._kept.get(key, (None, 0, None))
            if version == values._version:
                self._kept.move_to_end(key)
                return copy
            copy, size = make()
            if all(name != id(values) for name, _ in self._kept):
                weakref.finalize(values, self._forget, id(values))
            self._kept[key] = (values._version, size, copy)
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and self.used_bytes > self.bound_bytes:
                self._kept.popitem(last=False)
            return copy

    def _forget(self, name: int) -> None:
        with self._lock:
            for key in [key for key in self._kept if key[0] == name]:
                del self._kept[key]


PREPARED = Memory()
