"""The application stand-in for each test, on an empty real scene."""

import os

import pytest

# Qt reads it when it starts; tests have no screen.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture
def application():
    pytest.importorskip("PySide6.QtUiTools", reason="Qt cannot be loaded", exc_type=ImportError)
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    from harness import slicer_application
    from XrayRegistrationLib.headless import headless

    with headless() as opened, slicer_application(opened) as application:
        yield application
