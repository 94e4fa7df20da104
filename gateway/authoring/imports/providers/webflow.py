"""Webflow's Data API v2, from its Python SDK. Operations are the SDK's paths (`sites.publish`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Call, Judgement, row_of
from gateway.authoring.imports.sdk.fern import calls_of
from gateway.authoring.imports.wires import shape_of
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "webflow"
SOURCES = (
    Source(
        "pypi",
        "webflow",
        "2.0.0",
        "MIT",
        "e04e6236c829d0d405b134a6b724cde19c6c64232caca115e7d40a8204b54a35",
    ),
)
HOSTS = ("api.webflow.com",)
JUDGEMENT = Judgement(
    kinds={"sites.publish": Kind.SEND},
    admin=re.compile(r"^(?:webhooks|token|users)\.\w*(?:create|delete|update|invite)"),
    sends=re.compile(r"publish\w*$"),
    executes=re.compile(r"^orders\.(?!update$)|fulfill$"),
    irreversible=re.compile(r"^orders\.refund$"),
    actions={"orders.refund": "create_refund", "users.invite": "invite_user"},
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: every client of the SDK."""
    found: dict[tuple[str, str], Call] = {}
    calls = sorted(
        calls_of(folders["webflow"] / "webflow/resources", prefix="/v2"),
        key=lambda call: "stream" in call.operation,
    )
    for call in calls:
        found.setdefault((call.method, shape_of(call.template)), call)
    return [NewSection("webflow", [row_of(call, JUDGEMENT) for call in found.values()], HOSTS)]
