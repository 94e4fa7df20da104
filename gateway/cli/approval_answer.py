"""Sends a person's answer to an approval: for single commands, the watcher and the demo."""

from __future__ import annotations

from typing import Any

from gateway.cli.api import Api
from gateway.cli.session import person_here


def resolve(api: Api, approval_id: str, resolution: str, reason: str | None) -> dict[str, Any]:
    """Send an answer; returns the approval as it then is."""
    body: dict[str, object] = {"resolution": resolution, "resolvedBy": person_here()}
    if reason:
        body["reason"] = reason
    approval: dict[str, Any] = api.post(f"/v1/approvals/{approval_id}/resolve", body)["approval"]
    return approval
