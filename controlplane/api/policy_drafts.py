"""`/v1/policies/check`, `/test` and `/preview`: what a policy would do, before it is kept or in
force."""

from __future__ import annotations

from typing import Annotated, Self
from uuid import UUID

from aiohttp import web
from pydantic import Field, StringConstraints, model_validator

from controlplane.api.contract import Body, View
from controlplane.api.parsing import parse_body
from controlplane.api.policies import Document, Version
from controlplane.api.policy_views import ProblemView
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.services.policies.bundle_check import render_problems
from controlplane.services.policies.findings import Changes, Tried, Warned
from controlplane.services.policies.preview import (
    CASES_CHARS_MAX,
    PREVIEW_COUNT,
    PREVIEW_COUNT_MAX,
    Drafted,
    Previewed,
)
from gateway.model.codec import JsonValue

PolicyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F-]{32,36}$")]
Cases = Annotated[str, StringConstraints(min_length=1, max_length=CASES_CHARS_MAX)]


class DraftBody(Body):
    """Either `document`, or `policyId` with a `version` of it: its newest draft when left out, or
    else its newest version."""

    document: Document | None = None
    policyId: PolicyId | None = None
    version: Version | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.document is None) is (self.policyId is None):
            raise ValueError("give either `document` or `policyId`")
        if self.policyId is None and self.version is not None:
            raise ValueError("`version` is of a `policyId`")
        if self.policyId is not None:
            UUID(self.policyId)
        return self

    def drafted(self) -> Drafted:
        policy_id = None if self.policyId is None else UUID(self.policyId)
        return Drafted(self.document, policy_id, self.version)


class CheckBody(DraftBody):
    pass


class TestBody(DraftBody):
    """`cases` is the text of a file of cases, as `checkrein policies test` takes it."""

    cases: Cases


class PreviewBody(DraftBody):
    """`decisions`: how many of the newest are decided again."""

    decisions: Annotated[int, Field(ge=1, le=PREVIEW_COUNT_MAX)] = PREVIEW_COUNT


class WarningView(View):
    finding: str
    rule: str | None
    line: int
    column: int
    message: str
    help: str


class CheckAnswer(View):
    """`isLinted` is false where there may be more warnings: where there are problems, or too many
    rules or conditions to hold against each other while somebody waits."""

    ok: bool
    name: str | None
    problems: list[ProblemView]
    warnings: list[WarningView]
    isLinted: bool


class FailedCaseView(View):
    name: str
    line: int
    wrong: list[str]


class TestAnswer(View):
    """`untried` are the rules and limits that no case brings to speak, of `rules` in all."""

    ok: bool
    cases: int
    failed: list[FailedCaseView]
    rules: int
    untried: list[str]


class MoveView(View):
    before: str
    after: str
    decisions: int


class SaidView(View):
    effect: str
    by: str


class ExampleView(View):
    decisionId: str
    at: str
    agent: str
    action: str
    target: str
    direction: str
    before: SaidView
    after: SaidView


class ReasonView(View):
    missing: str
    decisions: int


class InexactView(View):
    """Decisions that depend on what their records do not show. `changed` of them seem to change."""

    decisions: int
    changed: int
    because: list[ReasonView]


class PreviewAnswer(View):
    """Of `decisions`, `exact` could be decided again, and `changed` of those get another effect.
    `isCompared`: with what the active policies say now; else with what was recorded. `isComplete`
    is false where time ran out before all were decided."""

    name: str
    decisions: int
    exact: int
    changed: int
    looser: int
    tighter: int
    moves: list[MoveView]
    examples: list[ExampleView]
    inexact: InexactView
    notByPolicy: int
    unreadable: int
    isCompared: bool
    isComplete: bool
    milliseconds: int


async def check(call: Call) -> web.Response:
    """Say all that is wrong with a policy, without keeping it."""
    body = await parse_body(call.http, CheckBody)
    checked = await call.services.policy_preview.check(call.caller, body.drafted())
    return answer(
        {
            "ok": not checked.problems,
            "name": checked.name,
            "problems": render_problems(checked.problems),
            "warnings": [_warning(one) for one in checked.warnings],
            "isLinted": checked.is_linted,
        }
    )


async def test(call: Call) -> web.Response:
    """Run cases against a policy, without keeping either."""
    body = await parse_body(call.http, TestBody)
    tried = await call.services.policy_preview.test(call.caller, body.drafted(), body.cases)
    return answer(_tried(tried))


async def preview(call: Call) -> web.Response:
    """Decide the newest recorded decisions again, as if the policy were in force."""
    body = await parse_body(call.http, PreviewBody)
    previewed = await call.services.policy_preview.preview(
        call.caller, body.drafted(), body.decisions
    )
    return answer(_previewed(previewed))


_READERS = (Permission.POLICY_READ, Permission.POLICY_WRITE, Permission.ADMIN)

ROUTES = (
    route("POST", "/v1/policies/check", check, *_READERS, body=CheckBody, answers=CheckAnswer),
    route("POST", "/v1/policies/test", test, *_READERS, body=TestBody, answers=TestAnswer),
    route(
        "POST", "/v1/policies/preview", preview, *_READERS, body=PreviewBody, answers=PreviewAnswer
    ),
)


def _warning(one: Warned) -> JsonValue:
    return {
        "finding": one.finding,
        "rule": one.rule,
        "line": one.line,
        "column": one.column,
        "message": one.message,
        "help": one.help,
    }


def _tried(tried: Tried) -> dict[str, JsonValue]:
    return {
        "ok": not tried.failed,
        "cases": tried.cases,
        "failed": [
            {"name": one.name, "line": one.line, "wrong": list(one.wrong)} for one in tried.failed
        ],
        "rules": tried.rules,
        "untried": list(tried.untried),
    }


def _previewed(previewed: Previewed) -> dict[str, JsonValue]:
    found = previewed.changes
    return {
        "name": previewed.name,
        "decisions": found.decisions,
        "exact": found.exact,
        "changed": found.changed,
        "looser": found.looser,
        "tighter": found.tighter,
        "moves": [
            {"before": one.before, "after": one.after, "decisions": one.count}
            for one in found.moves
        ],
        "examples": _examples(found),
        "inexact": {
            "decisions": found.inexact,
            "changed": found.inexact_changed,
            "because": [
                {"missing": why, "decisions": count} for why, count in found.inexact_because
            ],
        },
        "notByPolicy": found.not_by_policy,
        "unreadable": found.unreadable,
        "isCompared": previewed.is_compared,
        "isComplete": previewed.is_complete,
        "milliseconds": previewed.milliseconds,
    }


def _examples(found: Changes) -> list[JsonValue]:
    return [
        {
            "decisionId": one.decision_id,
            "at": one.at,
            "agent": one.agent,
            "action": one.action,
            "target": one.target,
            "direction": one.direction,
            "before": {"effect": one.before, "by": one.before_by},
            "after": {"effect": one.after, "by": one.after_by},
        }
        for one in found.examples
    ]
