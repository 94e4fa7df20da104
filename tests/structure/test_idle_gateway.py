"""What an idle gateway does without: its start and its memory are a budget, and imports creep."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from tests.structure.tree import ROOT

ABSENT: Final = {
    "aiohttp": "the control plane's server; the gateway asks with `gateway.http_client`",
    "asyncpg": "the control plane's database",
    "certifi": "read where the system has no roots of trust",
    "click": "the command",
    "email.parser": "what the standard library's HTTP reads heads with",
    "h2": "loaded when the first agent speaks HTTP/2",
    "hpack": "loaded when the first agent speaks HTTP/2",
    "http.client": "the standard library's blocking client",
    "http.server": "the standard library's blocking server",
    "jinja2": "the dashboard",
    "multiprocessing": "workers are processes of their own",
    "prometheus_client": "the control plane's metrics; the gateway has `gateway.metrics`",
    "pydantic": "the control plane's API bodies; the gateway has `gateway.setting_values`",
    "redis": "the control plane's shared state",
    "rich": "the command",
    "sqlglot": "loaded when a service that takes SQL is first called",
    "controlplane": "another process",
    "gateway.authoring": "what is asked of policies and mappers before they are in force",
    "gateway.cli": "the command",
}
"""What must not be there once the gateway's composition root is, and what it is for."""

_LIST: Final = "import json, sys, gateway.app; print(json.dumps(sorted(sys.modules)))"


def test_an_idle_gateway_has_nothing_that_it_does_not_need() -> None:
    """Each of these takes megabytes or tens of milliseconds from every start."""
    done = subprocess.run(
        [sys.executable, "-c", _LIST], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout))

    assert "gateway.pipeline" in loaded
    assert sorted(loaded & set(ABSENT)) == []
