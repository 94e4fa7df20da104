"""A client that doesn't wait long between its tries."""

from __future__ import annotations

import pytest

from gateway.control_client import retry


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first pause; the others grow from it."""
    monkeypatch.setattr(retry, "FIRST_PAUSE_SECONDS", 0.005)
