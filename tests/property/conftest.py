"""Settings of the properties: how their examples are drawn."""

from __future__ import annotations

import tests.support.drawn  # noqa: F401
