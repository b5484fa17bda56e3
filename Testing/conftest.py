"""Shared fixtures. Real data lies outside the project; tests that need it say so when it is absent."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Random cases are the same in every run; --hypothesis-profile=long tries more, and others each time.
_SLOW_IS_FINE = {"deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("short", derandomize=True, max_examples=40, database=None, **_SLOW_IS_FINE)
settings.register_profile("long", max_examples=5000, database=None, print_blob=True, **_SLOW_IS_FINE)
settings.load_profile("short")

# As the command line does, before torch is imported: waiting threads sleep instead of spinning.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real CTs and X-rays named by XRAYREG_TEST_DATA."""
    folder = os.environ.get("XRAYREG_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real data not here: set XRAYREG_TEST_DATA to the folder that holds it")
    return Path(folder)
