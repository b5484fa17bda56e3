"""The first import of torch: garbage waits, and is found afterwards; without torch nothing is loaded."""

import gc
import weakref

import pytest

pytest.importorskip("slicer", reason="slicer-core is not installed")

from XrayRegistrationLib import unheld as module
from XrayRegistrationLib.unheld import unheld


class Circle:
    """Refers to itself, so that only the search for garbage finds it."""

    def __init__(self):
        self.itself = self


def test_garbage_waits_and_is_found_afterwards():
    with unheld():
        assert not gc.isenabled()
        gone = weakref.ref(Circle())
    assert gc.isenabled()
    assert gone() is not None
    gc.collect()
    assert gone() is None


def test_after_an_error_garbage_is_searched_again():
    with pytest.raises(ImportError), unheld():
        raise ImportError("no torch")
    assert gc.isenabled()


def test_who_had_the_search_switched_off_finds_it_off():
    gc.disable()
    try:
        with unheld():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_without_torch_nothing_is_loaded(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(module.ctypes, "CDLL", lambda name: pytest.fail("loads a library"))
    with unheld():
        pass
