"""`/v1/approvals/{id}/status`: what an agent may know of an answer that it waits for.

An agent's key sees its own approvals and none besides: another one's is like one that is not there.
It never sees who may answer, what they were shown, or what else was asked.
"""

from __future__ import annotations

from aiohttp import web

from controlplane.api.contract import At, Id, Query, View
from controlplane.api.parsing import WaitSeconds, parse_id, parse_query, timestamp
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.faults import not_found
from gateway.model.approval import ApprovalState


class StatusQuery(Query):
    """With `waitSeconds` the answer comes as soon as the approval is no longer pending."""

    waitSeconds: WaitSeconds = 0


class StatusAnswer(View):
    """`reason` is what the person who answered wrote."""

    approvalId: Id
    status: ApprovalState
    expiresAt: At
    resolvedAt: At | None
    reasonCode: str
    reason: str | None


async def status(call: Call) -> web.Response:
    """Read, or await, what became of an approval."""
    query = parse_query(call.http, StatusQuery)
    approval_id = parse_id(call.http)
    approvals = call.services.approvals
    row = await approvals.get(call.caller, approval_id, 0, call.is_gone)
    if call.caller.agent not in (None, row.question.agent):
        raise not_found("approval")
    if query.waitSeconds > 0:
        row = await approvals.get(call.caller, approval_id, query.waitSeconds, call.is_gone)
    return answer(
        {
            "approvalId": str(row.approval_id),
            "status": row.status_now,
            "expiresAt": timestamp(row.expires_at),
            "resolvedAt": timestamp(row.resolved_at),
            "reasonCode": row.question.reason_code,
            "reason": row.comment,
        }
    )


ROUTES = (
    route(
        "GET", "/v1/approvals/{id}/status", status,
        Permission.AGENT, Permission.APPROVAL_READ, Permission.GATEWAY, Permission.ADMIN,
        query=StatusQuery, answers=StatusAnswer,
    ),
)  # fmt: skip
