"""Settings of every test: how generated examples are drawn."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

# No deadline: a slow machine is no failure. In CI the same examples each time, so that a change is
# judged by what it changes; everywhere else new ones at every run.
settings.register_profile(
    "checkrein",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("checkrein")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of every later look for garbage, as it lives to the
    end. What the tests themselves make is still looked at."""
    gc.collect()
    gc.freeze()
