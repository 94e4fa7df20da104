"""Expected failures of the control plane: one closed set of codes, one exception.

`api/problems.py` turns every code into HTTP; nothing else knows both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from gateway.model.codec import JsonValue
from gateway.model.errors import CheckreinError

_NO_DETAIL: Mapping[str, JsonValue] = MappingProxyType({})


class Fault(StrEnum):
    MALFORMED_JSON = "request.malformed_json"
    INVALID_ARGUMENT = "request.invalid_argument"
    BODY_TOO_LARGE = "request.body_too_large"
    BODY_TOO_SLOW = "request.body_too_slow"
    BAD_REQUEST = "request.bad"
    NO_SUCH_ROUTE = "request.no_such_route"
    METHOD_NOT_ALLOWED = "request.method_not_allowed"
    UNAUTHENTICATED = "auth.invalid_credentials"
    FORBIDDEN = "auth.permission_denied"
    NOT_FOUND = "resource.not_found"
    KEY_IN_USE = "key.in_use"
    KEY_OVER = "key.over"
    IDEMPOTENCY_MISMATCH = "idempotency.mismatch"
    IDEMPOTENCY_IN_PROGRESS = "idempotency.in_progress"
    IDEMPOTENCY_FULL = "idempotency.too_many"
    AGENT_EXISTS = "agent.exists"
    NOT_AN_APPROVER = "approval.not_an_approver"
    ANSWERED_BEFORE = "approval.answered_before"
    IS_REQUESTER = "approval.own_request"
    COMMENT_WANTED = "approval.comment_wanted"
    APPROVAL_NOT_PENDING = "approval.not_pending"
    APPROVAL_NOT_CONSUMABLE = "approval.not_consumable"
    ESCALATED_BEFORE = "approval.escalated_before"
    WITNESS_CHANGED = "approval.witness_changed"
    APPROVALS_FULL = "approval.too_many_pending"
    LIMITS_FULL = "limit.too_many_uses"
    GRANT_REFUSED = "grant.refused"
    GRANT_OVER = "grant.over"
    GRANTS_FULL = "grant.too_many_in_force"
    STOPS_FULL = "stop.too_many_in_force"
    STOP_LIFTED = "stop.lifted"
    RUN_EXISTS = "run.exists"
    RUN_ENDED = "run.ended"
    RUN_UNNAMED = "run.unnamed"
    RUNS_FULL = "run.too_many"
    INCIDENT_HANDLED = "incident.handled"
    INCIDENTS_FULL = "incident.too_many"
    OUTCOME_SETTLED = "outcome.settled"
    BUNDLE_NONE = "bundle.none"
    BUNDLE_INVALID = "bundle.invalid"
    BUNDLE_NO_KEY = "bundle.no_key"
    BUNDLE_UNVERIFIED = "bundle.unverified"
    POLICY_EXISTS = "policy.exists"
    POLICY_INVALID = "policy.invalid"
    POLICY_CHANGED = "policy.changed"
    POLICY_ETAG = "policy.other_etag"
    POLICY_NOT_ACTIVE = "policy.not_active"
    POLICY_LAST_ACTIVE = "policy.last_active"
    POLICIES_FULL = "policy.too_many"
    POLICY_VERSIONS_FULL = "policy.too_many_versions"
    POLICY_BUSY = "policy.busy"
    CHANNEL_EXISTS = "channel.exists"
    CHANNEL_NO_KEY = "channel.no_key"
    CHANNEL_SEALED = "channel.sealed"
    CHANNEL_UNFIT = "channel.unfit"
    CHANNELS_FULL = "channel.too_many"
    DELIVERY_PENDING = "delivery.pending"
    LINK_USED = "link.used"
    RECORD_CONFLICT = "record.conflict"
    RECORD_GAP = "record.gap"
    RECORD_INVALID = "record.invalid"
    RECORD_UNSIGNED = "record.unsigned"
    RECORD_KEY_CONFLICT = "record.key_conflict"
    RECORD_KEY_INVALID = "record.key_invalid"
    GATEWAY_TAKEN = "gateway.taken"
    RECORD_KEYS_FULL = "record.too_many_keys"
    LOG_UNSIGNED = "log.unsigned"
    ERASURE_HELD = "erasure.held"
    ERASURE_TOO_SOON = "erasure.too_soon"
    ERASED_BEFORE = "erasure.before"
    LOG_BROKEN = "log.broken"
    UNAVAILABLE = "store.unavailable"
    INTERNAL = "internal.fault"


class ControlFault(CheckreinError):
    """One expected failure. `detail` joins the error envelope and is public."""

    def __init__(
        self, fault: Fault, message: str, detail: Mapping[str, JsonValue] = _NO_DETAIL
    ) -> None:
        super().__init__(fault.value, message, retryable=fault is Fault.UNAVAILABLE)
        self.fault = fault
        self.detail = detail


def not_found(what: str) -> ControlFault:
    """One answer for what is not there and for what is another tenant's."""
    return ControlFault(Fault.NOT_FOUND, f"there is no such {what}")


class StartError(CheckreinError):
    """The control plane can't start. `help` says what to do about it."""

    def __init__(self, code: str, message: str, help_text: str) -> None:
        super().__init__(code, message)
        self.help = help_text
