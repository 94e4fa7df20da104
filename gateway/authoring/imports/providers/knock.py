"""Knock, from its Python SDK. Operations are the SDK's paths (`workflows.trigger`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.authoring.imports.calls import Judgement, row_of
from gateway.authoring.imports.sdk.stainless import calls_of
from gateway.canonicalize.catalog.file import NewSection, Source
from gateway.model.action import Kind

PROVIDER = "knock"
SOURCES = (
    Source(
        "pypi",
        "knockapi",
        "1.33.0",
        "Apache-2.0",
        "f001b11191166f24a9db9bd0c2ebaa4d22848cde7e26680856f14b288ad73f87",
    ),
)
HOSTS = ("api.knock.app",)
# A user of Knock is somebody who gets messages, and no account that may do anything.
JUDGEMENT = Judgement(
    kinds={
        "users.update": Kind.UPDATE,
        "users.delete": Kind.DELETE,
        "users.merge": Kind.UPDATE,
        "audiences.add_members": Kind.CREATE,
        "audiences.remove_members": Kind.DELETE,
    },
    credentials=re.compile(r"generate_signed_url$"),
    admin=re.compile(r"^(?:tenants|providers)\.(?!list|get)"),
    sends=re.compile(r"^workflows\.trigger$|^messages\.(?:send|resend)$"),
    executes=re.compile(r"^workflows\.cancel$"),
    actions={
        "workflows.trigger": "send_notification",
        "users.update": "update_recipient",
        "users.delete": "delete_recipient",
        "users.merge": "merge_recipient",
    },
    posts_act=True,
)


def sections(folders: Mapping[str, Path]) -> list[NewSection]:
    """One section: every resource of the client."""
    calls = calls_of(folders["knockapi"], "knockapi", "Knock")
    return [NewSection("knock", [row_of(call, JUDGEMENT) for call in calls], HOSTS)]
