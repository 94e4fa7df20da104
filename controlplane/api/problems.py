"""Every fault of the control plane as HTTP: the one table, and the error envelope."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aiohttp import web

from controlplane.faults import ControlFault, Fault


@dataclass(frozen=True, slots=True)
class Problem:
    """Status and code of the envelope; `reason_code` is the finer one, where there is one."""

    status: int
    code: str
    reason_code: str = ""


PROBLEMS: Mapping[Fault, Problem] = MappingProxyType(
    {
        Fault.BAD_REQUEST: Problem(400, "INVALID_ARGUMENT", "BAD_REQUEST"),
        Fault.MALFORMED_JSON: Problem(400, "INVALID_ARGUMENT", "MALFORMED_JSON"),
        Fault.UNAUTHENTICATED: Problem(401, "AUTH_INVALID_CREDENTIALS"),
        Fault.FORBIDDEN: Problem(403, "PERMISSION_DENIED"),
        Fault.NOT_AN_APPROVER: Problem(403, "PERMISSION_DENIED", "NOT_AN_APPROVER"),
        Fault.IS_REQUESTER: Problem(403, "PERMISSION_DENIED", "OWN_REQUEST"),
        Fault.NOT_FOUND: Problem(404, "NOT_FOUND"),
        Fault.NO_SUCH_ROUTE: Problem(404, "NOT_FOUND", "NO_SUCH_ROUTE"),
        Fault.BUNDLE_NONE: Problem(404, "BUNDLE_NONE"),
        Fault.METHOD_NOT_ALLOWED: Problem(405, "METHOD_NOT_ALLOWED"),
        Fault.BODY_TOO_SLOW: Problem(408, "INVALID_ARGUMENT", "BODY_TOO_SLOW"),
        Fault.AGENT_EXISTS: Problem(409, "ALREADY_EXISTS", "AGENT_EXISTS"),
        Fault.KEY_IN_USE: Problem(409, "FAILED_PRECONDITION", "KEY_IN_USE"),
        Fault.KEY_OVER: Problem(409, "FAILED_PRECONDITION", "KEY_OVER"),
        Fault.IDEMPOTENCY_IN_PROGRESS: Problem(409, "ABORTED", "IDEMPOTENCY_IN_PROGRESS"),
        Fault.ANSWERED_BEFORE: Problem(409, "ALREADY_EXISTS", "ANSWERED_BEFORE"),
        Fault.APPROVAL_NOT_PENDING: Problem(409, "APPROVAL_NOT_PENDING"),
        Fault.APPROVAL_NOT_CONSUMABLE: Problem(409, "APPROVAL_NOT_CONSUMABLE"),
        Fault.ESCALATED_BEFORE: Problem(409, "ALREADY_EXISTS", "ESCALATED_BEFORE"),
        Fault.WITNESS_CHANGED: Problem(409, "APPROVAL_NOT_CONSUMABLE", "WITNESS_HASH_MISMATCH"),
        Fault.BUNDLE_NO_KEY: Problem(409, "BUNDLE_NO_KEY"),
        Fault.BUNDLE_UNVERIFIED: Problem(409, "BUNDLE_UNVERIFIED"),
        Fault.POLICY_EXISTS: Problem(409, "ALREADY_EXISTS", "POLICY_EXISTS"),
        Fault.POLICY_CHANGED: Problem(409, "FAILED_PRECONDITION", "POLICY_CHANGED"),
        Fault.POLICY_NOT_ACTIVE: Problem(409, "FAILED_PRECONDITION", "POLICY_NOT_ACTIVE"),
        Fault.POLICY_LAST_ACTIVE: Problem(409, "FAILED_PRECONDITION", "POLICY_LAST_ACTIVE"),
        Fault.CHANNEL_EXISTS: Problem(409, "ALREADY_EXISTS", "CHANNEL_EXISTS"),
        Fault.CHANNEL_NO_KEY: Problem(409, "FAILED_PRECONDITION", "CHANNEL_NO_KEY"),
        Fault.CHANNEL_SEALED: Problem(409, "FAILED_PRECONDITION", "CHANNEL_SEALED"),
        Fault.CHANNEL_UNFIT: Problem(409, "FAILED_PRECONDITION", "CHANNEL_UNFIT"),
        Fault.DELIVERY_PENDING: Problem(409, "FAILED_PRECONDITION", "DELIVERY_PENDING"),
        Fault.LINK_USED: Problem(409, "FAILED_PRECONDITION", "LINK_USED"),
        Fault.RECORD_CONFLICT: Problem(409, "RECORD_CONFLICT"),
        Fault.RECORD_GAP: Problem(409, "RECORD_GAP"),
        Fault.RECORD_KEY_CONFLICT: Problem(409, "RECORD_KEY_CONFLICT"),
        Fault.GATEWAY_TAKEN: Problem(409, "FAILED_PRECONDITION", "GATEWAY_TAKEN"),
        Fault.LOG_UNSIGNED: Problem(409, "FAILED_PRECONDITION", "LOG_UNSIGNED"),
        Fault.LOG_BROKEN: Problem(409, "FAILED_PRECONDITION", "LOG_BROKEN"),
        Fault.ERASURE_HELD: Problem(409, "FAILED_PRECONDITION", "ERASURE_HELD"),
        Fault.ERASURE_TOO_SOON: Problem(409, "FAILED_PRECONDITION", "ERASURE_TOO_SOON"),
        Fault.ERASED_BEFORE: Problem(409, "FAILED_PRECONDITION", "ERASED_BEFORE"),
        Fault.RUN_EXISTS: Problem(409, "ALREADY_EXISTS", "RUN_EXISTS"),
        Fault.RUN_ENDED: Problem(409, "FAILED_PRECONDITION", "RUN_ENDED"),
        Fault.RUN_UNNAMED: Problem(409, "FAILED_PRECONDITION", "RUN_UNNAMED"),
        Fault.INCIDENT_HANDLED: Problem(409, "FAILED_PRECONDITION", "INCIDENT_HANDLED"),
        Fault.OUTCOME_SETTLED: Problem(409, "FAILED_PRECONDITION", "OUTCOME_SETTLED"),
        Fault.STOP_LIFTED: Problem(409, "STOP_LIFTED"),
        Fault.GRANT_OVER: Problem(409, "FAILED_PRECONDITION", "GRANT_OVER"),
        Fault.POLICY_ETAG: Problem(412, "FAILED_PRECONDITION", "POLICY_CHANGED"),
        Fault.BODY_TOO_LARGE: Problem(413, "BODY_TOO_LARGE"),
        Fault.INVALID_ARGUMENT: Problem(422, "INVALID_ARGUMENT", "INVALID_FIELD"),
        Fault.COMMENT_WANTED: Problem(422, "INVALID_ARGUMENT", "COMMENT_WANTED"),
        Fault.IDEMPOTENCY_MISMATCH: Problem(422, "INVALID_ARGUMENT", "IDEMPOTENCY_MISMATCH"),
        Fault.BUNDLE_INVALID: Problem(422, "INVALID_ARGUMENT", "BUNDLE_INVALID"),
        Fault.POLICY_INVALID: Problem(422, "INVALID_ARGUMENT", "POLICY_INVALID"),
        Fault.RECORD_INVALID: Problem(422, "INVALID_ARGUMENT", "RECORD_INVALID"),
        Fault.RECORD_UNSIGNED: Problem(422, "RECORD_UNSIGNED"),
        Fault.RECORD_KEY_INVALID: Problem(422, "INVALID_ARGUMENT", "RECORD_KEY_INVALID"),
        Fault.GRANT_REFUSED: Problem(422, "INVALID_ARGUMENT", "GRANT_REFUSED"),
        Fault.APPROVALS_FULL: Problem(429, "RESOURCE_EXHAUSTED", "APPROVALS_FULL"),
        Fault.IDEMPOTENCY_FULL: Problem(429, "RESOURCE_EXHAUSTED", "IDEMPOTENCY_FULL"),
        Fault.CHANNELS_FULL: Problem(429, "RESOURCE_EXHAUSTED", "CHANNELS_FULL"),
        Fault.LIMITS_FULL: Problem(429, "RESOURCE_EXHAUSTED", "LIMITS_FULL"),
        Fault.POLICIES_FULL: Problem(429, "RESOURCE_EXHAUSTED", "POLICIES_FULL"),
        Fault.POLICY_VERSIONS_FULL: Problem(429, "RESOURCE_EXHAUSTED", "POLICY_VERSIONS_FULL"),
        Fault.POLICY_BUSY: Problem(429, "RESOURCE_EXHAUSTED", "POLICY_BUSY"),
        Fault.RECORD_KEYS_FULL: Problem(429, "RESOURCE_EXHAUSTED", "RECORD_KEYS_FULL"),
        Fault.RUNS_FULL: Problem(429, "RESOURCE_EXHAUSTED", "RUNS_FULL"),
        Fault.INCIDENTS_FULL: Problem(429, "RESOURCE_EXHAUSTED", "INCIDENTS_FULL"),
        Fault.STOPS_FULL: Problem(429, "RESOURCE_EXHAUSTED", "STOPS_FULL"),
        Fault.GRANTS_FULL: Problem(429, "RESOURCE_EXHAUSTED", "GRANTS_FULL"),
        Fault.INTERNAL: Problem(500, "INTERNAL"),
        Fault.UNAVAILABLE: Problem(503, "UNAVAILABLE"),
    }
)

RETRY_AFTER_SECONDS = "1"


def problem_response(fault: ControlFault, request_id: str) -> web.Response:
    """The envelope of a fault. `fault.detail` stands beside the fixed fields of `error`."""
    problem = PROBLEMS[fault.fault]
    error = {
        **fault.detail,
        "code": problem.code,
        "message": fault.message,
        "reason_code": problem.reason_code,
        "request_id": request_id,
    }
    headers = {}
    if problem.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="checkrein"'
    if problem.status in {429, 503}:
        headers["Retry-After"] = RETRY_AFTER_SECONDS
    return web.Response(
        status=problem.status,
        text=json.dumps({"error": error}),
        content_type="application/json",
        headers=headers,
    )
