"""`/v1/runs`: announce a run, look at runs and their steps, complete or cancel one."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from aiohttp import web
from pydantic import AfterValidator, StringConstraints

from controlplane.api.contract import At, Body, Id, Query, TargetView, View
from controlplane.api.pages import Count, NumberCursor, next_cursor
from controlplane.api.parsing import (
    Line,
    Moment,
    Reason,
    Short,
    parse_body,
    parse_id,
    parse_query,
    storable,
    timestamp,
)
from controlplane.api.routing import Call, answer, route
from controlplane.api.scopes import ScopeBody, ScopedQuery, check_scope
from controlplane.auth import Permission
from controlplane.services.runs.lifecycle import NamedRun, Step
from controlplane.services.runs.places import OTHER
from controlplane.store.runs import RunFilter, RunRow
from gateway.model.codec import JsonValue
from gateway.model.run import RunEvent, RunState

GOAL_LENGTH_MAX = 2_000


Goal = Annotated[str, StringConstraints(max_length=GOAL_LENGTH_MAX), AfterValidator(storable)]


def _free(name: str) -> str:
    if name == OTHER:
        raise ValueError("this name is kept for runs that are too many")
    return name


RunName = Annotated[
    str,
    StringConstraints(pattern=r"^[!-9;-~]{1,128}$"),
    AfterValidator(_free),
]
"""What travels in the proxy credentials of every connection: printable ASCII, no space or colon."""


class Terminal(StrEnum):
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class CreateBody(Body):
    """`agentId` is an agent's name or id; an agent's key may leave it out. Traffic of that agent
    joins the run by `name`, which is the run's id unless it is given."""

    scope: ScopeBody | None = None
    agentId: Line | None = None
    mode: Literal["enforce", "monitor"] = "enforce"
    goal: Goal = ""
    name: RunName | None = None


class CompleteBody(Body):
    terminalStatus: Terminal


class CancelBody(Body):
    """`reason` is what the run's program reads when it is stopped."""

    reason: Reason = "cancelled by a person"
    cancelledBy: Line | None = None


class ListQuery(ScopedQuery):
    """`since`: what was announced or did something from then on."""

    agent: Short | None = None
    status: RunState | None = None
    since: Moment | None = None
    limit: Count = 100
    cursor: NumberCursor | None = None


class StepsQuery(Query):
    limit: Count = 100
    cursor: NumberCursor = 0


class RunView(View):
    """`origin` is `api` for a run that was announced, `gateway` for one that traffic opened;
    `name` is empty for traffic that names no run."""

    runId: Id
    status: RunState
    agent: str
    name: str
    origin: Literal["api", "gateway"]
    mode: Literal["enforce", "monitor"]
    goal: str
    createdAt: At
    startedAt: At | None
    lastStepAt: At | None
    endedAt: At | None
    endedBy: str | None
    endReason: str | None
    stepCount: int
    blockedCount: int
    heldCount: int


class RunsAnswer(View):
    runs: list[RunView]
    nextCursor: str | None


class StepOutcomeView(View):
    outcome: str
    status: int | None
    code: str | None
    at: str | None


class StepView(View):
    """One decision. `actionCount` above 1: the request had more actions than this first one that
    changes something. `outcome` is null while it is open."""

    stepIndex: int
    decisionId: str
    recordId: int
    at: At
    provider: str
    operation: str
    action: str
    kind: str
    target: TargetView
    actionCount: int
    effect: str
    mode: str
    policy: str | None
    rule: str | None
    reasonCode: str
    message: str
    risk: int | None
    approvalId: Id | None
    approvalStatus: str | None
    outcome: StepOutcomeView | None


class StepsAnswer(View):
    steps: list[StepView]
    nextCursor: str | None


async def create(call: Call) -> web.Response:
    """Announce a run."""
    body = await parse_body(call.http, CreateBody)
    check_scope(call.caller, body.scope.scopeId if body.scope is not None else None)
    row = await call.services.runs.create(
        call.caller, NamedRun(body.agentId, body.name, body.mode, body.goal)
    )
    return answer(render_run(row), 201)


async def list_(call: Call) -> web.Response:
    """List runs, newest first."""
    query = parse_query(call.http, ListQuery)
    check_scope(call.caller, query.scopeId)
    rows = await call.services.runs.list(
        call.caller, RunFilter(query.agent, query.status, query.since), query.cursor, query.limit
    )
    return answer(
        {
            "runs": [render_run(row) for row in rows],
            "nextCursor": next_cursor(rows, query.limit, lambda row: row.run_seq),
        }
    )


async def get(call: Call) -> web.Response:
    """Read one run."""
    return answer(render_run(await call.services.runs.get(call.caller, parse_id(call.http))))


async def steps(call: Call) -> web.Response:
    """List what a run did, in order."""
    query = parse_query(call.http, StepsQuery)
    found = await call.services.runs.steps(
        call.caller, parse_id(call.http), query.cursor, query.limit
    )
    return answer(
        {
            "steps": [_render_step(step) for step in found],
            "nextCursor": next_cursor(found, query.limit, lambda step: step.row.step_index),
        }
    )


async def complete(call: Call) -> web.Response:
    """Say that a run is done."""
    body = await parse_body(call.http, CompleteBody)
    is_done = body.terminalStatus is Terminal.COMPLETED
    event = RunEvent.COMPLETE if is_done else RunEvent.FAIL
    row = await call.services.runs.complete(call.caller, parse_id(call.http), event)
    return answer(render_run(row))


async def cancel(call: Call) -> web.Response:
    """End a run and stop its traffic."""
    body = await parse_body(call.http, CancelBody)
    row = await call.services.runs.cancel(
        call.caller, parse_id(call.http), body.cancelledBy, body.reason
    )
    return answer(render_run(row))


_READERS = (Permission.RUN_READ, Permission.RUN_WRITE, Permission.AGENT, Permission.ADMIN)
_WRITERS = (Permission.RUN_WRITE, Permission.AGENT, Permission.ADMIN)

ROUTES = (
    route("POST", "/v1/runs", create, *_WRITERS, body=CreateBody, answers={201: RunView}),
    route("GET", "/v1/runs", list_, *_READERS, query=ListQuery, answers=RunsAnswer),
    route("GET", "/v1/runs/{id}", get, *_READERS, answers=RunView),
    route("GET", "/v1/runs/{id}/steps", steps, *_READERS, query=StepsQuery, answers=StepsAnswer),
    route(
        "POST",
        "/v1/runs/{id}/complete",
        complete,
        *_WRITERS,
        body=CompleteBody,
        answers=RunView,
    ),
    route(
        "POST",
        "/v1/runs/{id}/cancel",
        cancel,
        Permission.RUN_WRITE,
        Permission.ADMIN,
        body=CancelBody,
        answers=RunView,
    ),
)


def render_run(row: RunRow) -> dict[str, JsonValue]:
    return {
        "runId": str(row.run_id),
        "status": row.status.value,
        "agent": row.agent,
        "name": row.name,
        "origin": row.origin,
        "mode": row.mode,
        "goal": row.goal,
        "createdAt": timestamp(row.created_at),
        "startedAt": timestamp(row.started_at),
        "lastStepAt": timestamp(row.last_step_at),
        "endedAt": timestamp(row.ended_at),
        "endedBy": row.ended_by,
        "endReason": row.end_reason,
        "stepCount": row.step_count,
        "blockedCount": row.blocked_count,
        "heldCount": row.held_count,
    }


def _render_step(step: Step) -> dict[str, JsonValue]:
    row = step.row
    return {
        "stepIndex": row.step_index,
        "decisionId": row.decision_id,
        "recordId": row.record_id,
        "at": timestamp(row.decided_at),
        "provider": row.provider,
        "operation": row.operation,
        "action": row.action,
        "kind": row.kind,
        "target": {"type": row.target_type, "id": row.target_id},
        "actionCount": row.action_count,
        "effect": row.effect,
        "mode": row.mode,
        "policy": row.policy,
        "rule": row.rule,
        "reasonCode": row.reason_code,
        "message": row.message,
        "risk": row.risk,
        "approvalId": str(row.approval_id) if row.approval_id is not None else None,
        "approvalStatus": row.approval_status,
        "outcome": None
        if step.outcome is None
        else {
            "outcome": step.outcome,
            "status": step.outcome_status,
            "code": step.outcome_code,
            "at": step.outcome_at,
        },
    }
