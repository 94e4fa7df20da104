"""`/v1/approvals`: ask, list, read and await, answer, check, use."""

from __future__ import annotations

from aiohttp import web

from controlplane.api.approval_bodies import (
    ConsumeBody,
    GatewayBody,
    ListQuery,
    ProgramBody,
    QuestionBody,
    ResolveBody,
    RevalidateBody,
    VoidBody,
    WaitQuery,
    gateways_question,
    programs_question,
    stored_json,
)
from controlplane.api.approval_views import (
    ApprovalAnswer,
    ApprovalsAnswer,
    ContextAnswer,
    CountsAnswer,
    ResolvedAnswer,
    RevalidatedAnswer,
    render_approval,
    render_context,
)
from controlplane.api.grants import render_grant
from controlplane.api.pages import next_cursor
from controlplane.api.parsing import parse_body, parse_id, parse_query
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.faults import ControlFault, Fault
from controlplane.services.approvals.lifecycle import Resolution
from controlplane.store.approvals import Through, Wanted
from gateway.model.codec import JsonValue

_PROGRAMS = (Permission.APPROVAL_WRITE, Permission.RUN_WRITE, Permission.AGENT)
"""Whose keys may ask in their own name, and use what they have asked for. None of them answers:
`RunWrite` and `Agent` open no route to it, and who asks is never who approves."""


async def ask(call: Call) -> web.Response:
    """Ask people about one exact act, or about a state of the world.

    The same act of a gateway joins the question that is open; what a program asks is never joined.
    """
    body = await parse_body(call.http, QuestionBody)
    # Each form from those who may ask it: a person can't put words in a gateway's mouth.
    permissions = call.caller.permissions
    if isinstance(body, GatewayBody):
        if permissions.isdisjoint({Permission.GATEWAY, Permission.ADMIN}):
            raise ControlFault(Fault.FORBIDDEN, "only a gateway asks about an act that it holds")
        question = gateways_question(call.caller, body)
        row, is_new = await call.services.approvals.ask(question)
        return answer({"approval": render_approval(row)}, 201 if is_new else 200)
    assert isinstance(body, ProgramBody)
    if permissions.isdisjoint({*_PROGRAMS, Permission.ADMIN}):
        raise ControlFault(Fault.FORBIDDEN, "a gateway asks about acts that it holds")
    row = await call.services.program_approvals.ask(programs_question(call.caller, body))
    return answer({"approval": render_approval(row)}, 201)


async def list_(call: Call) -> web.Response:
    """List approvals, newest first."""
    query = parse_query(call.http, ListQuery)
    wanted = Wanted(
        query.status,
        query.agent,
        query.action,
        query.provider,
        query.run,
        query.since,
        tuple(sorted(call.caller.groups)) if query.mine else None,
    )
    rows = await call.services.approvals.list(call.caller, wanted, query.cursor, query.limit)
    return answer(
        {
            "approvals": [render_approval(row) for row in rows],
            "nextCursor": next_cursor(rows, query.limit, lambda row: row.approval_seq),
        }
    )


async def counts(call: Call) -> web.Response:
    """Count what is open."""
    now = await call.services.approval_context.counts(call.caller)
    return answer(
        {
            "pending": now.pending,
            "mine": now.mine,
            "escalated": now.escalated,
            "approved": now.approved,
        }
    )


async def get(call: Call) -> web.Response:
    """Read an approval; with `waitSeconds`, once it is no longer pending or the time is over."""
    query = parse_query(call.http, WaitQuery)
    row = await call.services.approvals.get(
        call.caller, parse_id(call.http), query.waitSeconds, call.is_gone
    )
    answers = await call.services.approvals.answers(call.caller, row.approval_id)
    return answer({"approval": render_approval(row, answers)})


async def context(call: Call) -> web.Response:
    """Read an approval with all that helps to answer it."""
    return answer(
        render_context(
            await call.services.approval_context.context(call.caller, parse_id(call.http))
        )
    )


async def resolve(call: Call) -> web.Response:
    """Answer: approve, reject, escalate to the next groups, or cancel.

    It stays pending while its quorum wants more people. Of answers that race, one wins and the
    others get a conflict.
    """
    body = await parse_body(call.http, ResolveBody)
    approval_id, grants = parse_id(call.http), call.services.grants
    offer = None
    if body.grant is not None:
        offer = await grants.offer(call.caller, approval_id, body.grant.wish())
    resolution = Resolution(
        body.event, body.resolvedBy, body.reason, Through(body.through), offer=offer
    )
    row = await call.services.approvals.resolve(call.caller, approval_id, resolution)
    answers = await call.services.approvals.answers(call.caller, row.approval_id)
    rendered: dict[str, JsonValue] = {"approval": render_approval(row, answers)}
    if offer is not None:
        given = await grants.given_with(call.caller, approval_id)
        rendered["grant"] = None if given is None else render_grant(given)
    return answer(rendered)


async def revalidate(call: Call) -> web.Response:
    """Tell whether a state is still the one that was asked about.

    It changes nothing but this: another state of what a program asked about is written down.
    """
    body = await parse_body(call.http, RevalidateBody)
    why_not = await call.services.program_approvals.revalidate(
        call.caller, parse_id(call.http), body.witness.hash, body.witness.resourceId
    )
    return answer({"witnessValid": not why_not, "reasonCode": why_not})


async def consume(call: Call) -> web.Response:
    """Use an approval, once: for the act of a gateway, or on the state that a program brings."""
    body = await parse_body(call.http, ConsumeBody)
    approval_id = parse_id(call.http)
    if body.witness is not None:
        row = await call.services.program_approvals.consume(
            call.caller, approval_id, body.witness.hash, body.witness.resourceId, body.claimId
        )
    else:
        if Permission.GATEWAY not in call.caller.permissions:
            raise ControlFault(Fault.FORBIDDEN, "only a gateway uses an approval of an act")
        assert body.requestDigest is not None
        assert body.claimId is not None
        row = await call.services.approvals.consume(
            call.caller, approval_id, body.requestDigest, body.claimId
        )
    return answer({"approval": render_approval(row)})


async def void(call: Call) -> web.Response:
    """End an open one that a gateway found to be of a world, or on rules, that have changed."""
    body = await parse_body(call.http, VoidBody)
    now = body.witness
    found = None if now is None else (now.hash, stored_json(now.state, "witness.state"))
    row = await call.services.approvals.void(
        call.caller, parse_id(call.http), body.reasonCode, found
    )
    return answer({"approval": render_approval(row)})


_READERS = (Permission.APPROVAL_READ, Permission.ADMIN)

ROUTES = (
    route(
        "POST",
        "/v1/approvals",
        ask,
        Permission.GATEWAY,
        Permission.ADMIN,
        *_PROGRAMS,
        body=QuestionBody,
        answers={200: ApprovalAnswer, 201: ApprovalAnswer},
    ),
    route("GET", "/v1/approvals", list_, *_READERS, query=ListQuery, answers=ApprovalsAnswer),
    route("GET", "/v1/approvals/counts", counts, *_READERS, answers=CountsAnswer),
    route(
        "GET",
        "/v1/approvals/{id}",
        get,
        *_READERS,
        Permission.GATEWAY,
        query=WaitQuery,
        answers=ApprovalAnswer,
    ),
    route("GET", "/v1/approvals/{id}/context", context, *_READERS, answers=ContextAnswer),
    route(
        "POST",
        "/v1/approvals/{id}/resolve",
        resolve,
        Permission.APPROVAL_WRITE,
        Permission.ADMIN,
        body=ResolveBody,
        answers=ResolvedAnswer,
    ),
    route(
        "POST",
        "/v1/approvals/{id}/revalidate",
        revalidate,
        *_PROGRAMS,
        Permission.ADMIN,
        body=RevalidateBody,
        answers=RevalidatedAnswer,
    ),
    route(
        "POST",
        "/v1/approvals/{id}/consume",
        consume,
        *_PROGRAMS,
        Permission.GATEWAY,
        Permission.ADMIN,
        body=ConsumeBody,
        answers=ApprovalAnswer,
    ),
    route(
        "POST",
        "/v1/approvals/{id}/void",
        void,
        Permission.GATEWAY,
        body=VoidBody,
        answers=ApprovalAnswer,
    ),
)
