"""Settings of every test: what the collector of garbage looks at."""

from __future__ import annotations

import gc

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of every later look for garbage, as it lives to the
    end. What the tests themselves make is still looked at."""
    gc.collect()
    gc.freeze()
