"""Settings of every test: what the collector of garbage looks at, and which plugins stay."""

from __future__ import annotations

import gc
import sys

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Leave what was imported and collected out of every later look for garbage, as it lives to the
    end. What the tests themselves make is still looked at."""
    gc.collect()
    gc.freeze()
    # Without a property its plugin would load the whole library at the end, to say nothing.
    if "hypothesis" not in sys.modules:
        session.config.pluginmanager.unregister(name="hypothesispytest")
