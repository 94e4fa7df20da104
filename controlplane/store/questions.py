"""What is asked of people, as it is stored; where it came from, and through what they answer."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from enum import StrEnum


class Origin(StrEnum):
    """GATEWAY: about one act of an agent's traffic. API: asked by a program in its own name, about
    a digest that it brought; never joined."""

    GATEWAY = "gateway"
    API = "api"


class Through(StrEnum):
    """The channel that a person answered through. GRANT: an earlier answer, for a while."""

    API = "api"
    CLI = "cli"
    DASHBOARD = "dashboard"
    SLACK = "slack"
    EMAIL = "email"
    GRANT = "grant"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of people. `params`, `risk`, `request` and `witness_state` are JSON texts,
    stored as they are; `witness_hash` is None where no witness was read. `requesters` are names of
    people, in small letters, who can't approve it; those whom the agent's `requester_labels` name
    are added when it is stored. `escalate_to` are groups that it is put to as well,
    `escalate_after_seconds` from the asking on or when somebody says so."""

    tenant_id: uuid.UUID
    agent: str
    run_id: str | None
    request_digest: str
    decision_id: str
    provider: str
    operation: str
    action: str
    kind: str
    target_type: str
    target_id: str
    params: str
    authority: str
    method: str
    path: str
    summary: str
    policy: str | None
    rule: str | None
    reason_code: str
    message: str
    risk: str
    bundle_revision: str
    mode: str
    approver_groups: tuple[str, ...]
    quorum: int
    timeout_seconds: int
    witness_required: bool
    witness_hash: str | None
    witness_state: str | None
    origin: Origin = Origin.GATEWAY
    step_index: int | None = None
    requested_by: str | None = None
    resource_id: str | None = None
    requester_labels: tuple[str, ...] = ()
    comment_required: bool = False
    escalate_after_seconds: int | None = None
    escalate_to: tuple[str, ...] = ()
    requesters: tuple[str, ...] = ()
    request: str | None = None
