"""Sends a person's answer to an approval: for single commands, the watcher and the demo."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gateway.cli.api import Api
from gateway.cli.grant_options import GrantOptions, grant_body
from gateway.cli.session import person_here


def resolve(api: Api, approval_id: str, resolution: str, reason: str | None) -> dict[str, Any]:
    """Send an answer; returns the approval as it then is."""
    approval: dict[str, Any] = _send(api, approval_id, resolution, reason)["approval"]
    return approval


def resolve_granting(
    api: Api, approval_id: str, reason: str | None, options: GrantOptions
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Send a yes that is to hold for a while; the approval, and the grant that came of it. None
    while others have to say the same.

    Raises:
        CommandError: the options don't fit the act.
    """
    asked = api.get(f"/v1/approvals/{approval_id}")["approval"]
    answered = _send(api, approval_id, "APPROVE", reason, {"grant": grant_body(options, asked)})
    return answered["approval"], answered.get("grant")


def _send(
    api: Api,
    approval_id: str,
    resolution: str,
    reason: str | None,
    more: Mapping[str, object] = MappingProxyType({}),
) -> dict[str, Any]:
    body = {"resolution": resolution, "resolvedBy": person_here(), "through": "cli", **more}
    if reason:
        body["reason"] = reason
    return api.post(f"/v1/approvals/{approval_id}/resolve", body)
