"""A refusal, or a failure of the upstream -> the answer that the agent's own SDK raises. Pure.

The status says what is safe to do next. SDKs send a request again by themselves after some
statuses; for what a policy refused that is noise, for what waits it would hide the waiting, and
for what may already have happened it could do it twice. So no refusal has a status that an SDK
repeats, `approval_pending` never has a success status, and an unknown outcome is never retried
for the agent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.enforce import gate
from gateway.enforce.refusal_shapes import GRPC, STYLES, Category, Notice, Style, clean
from gateway.model.action import Canonical
from gateway.model.decision import Decision, ReasonCode
from gateway.model.exchange import Header, Response
from gateway.model.record import Outcome
from gateway.ports import Sent

CATEGORIES: Mapping[str, Category] = {
    ReasonCode.NO_RULE_MATCHED: Category.BLOCKED,
    ReasonCode.NO_POLICY: Category.UNAVAILABLE,
    ReasonCode.POLICY_EVALUATION_FAILED: Category.UNAVAILABLE,
    ReasonCode.AMBIGUOUS_REQUEST: Category.UNREADABLE,
    ReasonCode.BODY_TOO_LARGE: Category.TOO_LARGE,
    ReasonCode.APPROVAL_PENDING: Category.PENDING,
    ReasonCode.APPROVAL_DENIED: Category.NOT_APPROVED,
    ReasonCode.APPROVAL_EXPIRED: Category.NOT_APPROVED,
    ReasonCode.APPROVAL_CANCELLED: Category.NOT_APPROVED,
    ReasonCode.APPROVAL_ALREADY_USED: Category.NOT_APPROVED,
    ReasonCode.APPROVAL_UNAVAILABLE: Category.UNAVAILABLE,
    ReasonCode.HOLDS_FULL: Category.UNAVAILABLE,
    ReasonCode.RECORD_UNAVAILABLE: Category.UNAVAILABLE,
    ReasonCode.DESTINATION_FORBIDDEN: Category.BLOCKED,
    ReasonCode.UPSTREAM_FAILED: Category.UPSTREAM_FAILED,
    ReasonCode.OUTCOME_UNKNOWN: Category.OUTCOME_UNKNOWN,
    ReasonCode.GATEWAY_FAULT: Category.UNAVAILABLE,
    ReasonCode.KILL_SWITCH: Category.BLOCKED,
    ReasonCode.APPROVERS_DIFFER: Category.BLOCKED,
    ReasonCode.APPROVAL_TERMS_CHANGED: Category.NOT_APPROVED,
    ReasonCode.POLICY_CHANGED: Category.NOT_APPROVED,
    ReasonCode.WITNESS_HASH_MISMATCH: Category.NOT_APPROVED,
    ReasonCode.WITNESS_UNAVAILABLE: Category.UNAVAILABLE,
    ReasonCode.BUNDLE_STALE: Category.UNAVAILABLE,
    ReasonCode.LIMIT_STORE_UNAVAILABLE: Category.UNAVAILABLE,
}
"""Every reason code of our own. Those of policies are BLOCKED."""

STATUSES: Mapping[Category, int] = {
    Category.BLOCKED: 403,
    # Precondition Required (RFC 6585): "explain how to resubmit". Not 409, which many a program
    # takes for "it is there already" and three SDKs repeat; not 202, which is success.
    Category.PENDING: 428,
    Category.NOT_APPROVED: 403,
    Category.UNREADABLE: 400,
    Category.TOO_LARGE: 413,
    # Not 503: SDKs would send it again at once, and a closed gateway is no hiccup.
    Category.UNAVAILABLE: 403,
    Category.UPSTREAM_FAILED: 502,
    # Failed Dependency, where no header stops the SDK: it would repeat a 502 or 504 by itself.
    Category.OUTCOME_UNKNOWN: 424,
}

_LEADS: Mapping[Category, str] = {
    Category.BLOCKED: "Checkrein blocked this call",
    Category.PENDING: "Checkrein holds this call",
    Category.NOT_APPROVED: "Checkrein did not let this call pass",
    Category.UNREADABLE: "Checkrein blocked this call because it can be read in two ways",
    Category.TOO_LARGE: "Checkrein blocked this call",
    Category.UNAVAILABLE: "Checkrein blocked this call because it can't govern it now",
    Category.UPSTREAM_FAILED: "Checkrein let this call pass, but it was not sent",
    Category.OUTCOME_UNKNOWN: (
        "Checkrein sent this call and got no complete answer, so it is unknown whether it was "
        "executed; look before sending it again"
    ),
}

_NOT_FOR_HEADERS = re.compile(r"[^A-Za-z0-9_.:-]")
HEADER_CHARACTERS_MAX = 64
"""Longer than our ids and any reason code that people write."""


def refusal(
    canonical: Canonical,
    decision: Decision,
    decision_id: str,
    refuse: gate.Refuse,
    public_url: str = "",
    *,
    is_grpc: bool = False,
) -> Response:
    """Make the answer to a request that is not sent. `public_url` is where agents reach the
    control plane, empty where nobody knows. `is_grpc`: it was a call of gRPC, whose clients read
    nothing else."""
    category = CATEGORIES.get(refuse.code, Category.BLOCKED)
    told, status_url = refuse.message, None
    if category is Category.PENDING and refuse.approval_id and public_url:
        status_url = f"{public_url}/v1/approvals/{_token(refuse.approval_id)}/status"
        told = f"{told}; GET {status_url} with the agent's key says how it stands"
    message = _sentence(
        category,
        told,
        ("rule", decision.rule),
        ("policy", decision.policy),
        ("reason", refuse.code),
        ("approval", refuse.approval_id),
        ("decision", decision_id),
    )
    style = _style(canonical, is_grpc=is_grpc)
    notice = Notice(
        category,
        style.statuses.get(category, STATUSES[category]),
        message,
        clean(refuse.code),
        _token(decision_id),
        clean(decision.policy) if decision.policy else None,
        clean(decision.rule) if decision.rule else None,
        _token(refuse.approval_id) if refuse.approval_id else None,
        refuse.retry_after_seconds,
        status_url,
        detail_code=canonical.refused,
    )
    return _respond(style, notice)


def upstream_failed(
    canonical: Canonical, sent: Sent, decision_id: str, *, is_grpc: bool = False
) -> Response:
    """Make the answer to a request whose upstream gave none.

    A read, or what certainly was not sent, keeps the plain 502 or 504 and may be repeated by the
    SDK. A mutation that may have happened may not.
    """
    style = _style(canonical, is_grpc=is_grpc)
    status, may_repeat = sent.error_status, False
    if sent.outcome is Outcome.NOT_SENT and status == STATUSES[Category.BLOCKED]:
        is_stopped = sent.code == ReasonCode.KILL_SWITCH
        reason = ReasonCode.KILL_SWITCH if is_stopped else ReasonCode.DESTINATION_FORBIDDEN
        category = Category.BLOCKED
    elif sent.outcome is Outcome.NOT_SENT:
        category, reason = Category.UPSTREAM_FAILED, ReasonCode.UPSTREAM_FAILED
        may_repeat = True
    else:
        category, reason = Category.OUTCOME_UNKNOWN, ReasonCode.OUTCOME_UNKNOWN
        may_repeat = bool(canonical.actions) and not canonical.is_mutation
        if not may_repeat and not style.has_retry_switch:
            status = style.statuses.get(category, STATUSES[category])
    message = _sentence(category, sent.message, ("code", sent.code), ("decision", decision_id))
    notice = Notice(
        category,
        status,
        message,
        reason,
        _token(decision_id),
        outcome=sent.outcome.value,
        detail_code=sent.code,
        may_repeat=may_repeat,
    )
    return _respond(style, notice)


def _respond(style: Style, notice: Notice) -> Response:
    # For gRPC it is `grpc-status` that says so.
    assert notice.status >= 400, "a refusal is never a success"
    headers, body = style.shape(notice)
    own: list[Header] = [
        (b"Checkrein-Decision", notice.decision_id.encode()),
        (b"Checkrein-Reason", _token(notice.reason_code).encode()),
        (b"Cache-Control", b"no-store"),
    ]
    if notice.approval_id is not None:
        own.append((b"Checkrein-Approval", notice.approval_id.encode()))
    if notice.retry_after_seconds is not None:
        own.append((b"Retry-After", str(int(notice.retry_after_seconds)).encode()))
    status = notice.status if style.http_status is None else style.http_status
    return Response(status, (*headers, *own), body)


def _sentence(category: Category, message: str, *ids: tuple[str, str | None]) -> str:
    named = ", ".join(f"{name} {clean(value)}" for name, value in ids if value)
    said = clean(message)
    return f"{_LEADS[category]}{': ' + said if said else ''} ({named})"


def _style(canonical: Canonical, *, is_grpc: bool) -> Style:
    if is_grpc:
        return GRPC
    return STYLES.get(canonical.errors, STYLES["problem"])


def _token(text: str) -> str:
    """What may stand in a header: our ids and codes as they are, anything else made harmless."""
    return _NOT_FOR_HEADERS.sub("_", text)[:HEADER_CHARACTERS_MAX]
