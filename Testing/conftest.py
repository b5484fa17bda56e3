"""Shared fixtures. Real data lies outside the project; tests that need it say so when it is absent."""

import os
from pathlib import Path

import pytest

# As the command line does, before torch is imported: waiting threads sleep instead of spinning.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real CTs and X-rays named by XRAYREG_TEST_DATA."""
    folder = os.environ.get("XRAYREG_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real data not here: set XRAYREG_TEST_DATA to the folder that holds it")
    return Path(folder)
