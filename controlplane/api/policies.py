"""`/v1/policies`: policies, their versions, and which of them are in force."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Self

from aiohttp import web
from pydantic import Field, StringConstraints, model_validator

from controlplane.api.contract import Body
from controlplane.api.pages import Count, NumberCursor, next_cursor
from controlplane.api.parsing import (
    NoBody,
    NoQuery,
    Query,
    Short,
    Text,
    parse_body,
    parse_id,
    parse_number,
    parse_query,
)
from controlplane.api.policy_views import (
    ActivatedAnswer,
    DiffAnswer,
    DraftedAnswer,
    PoliciesAnswer,
    PolicyAnswer,
    VersionAnswer,
    VersionsAnswer,
    render_activated,
    render_diff,
    render_policy,
    render_shown,
    render_version,
    render_whole_version,
)
from controlplane.api.routing import Call, answer, route
from controlplane.auth import Permission
from controlplane.faults import ControlFault, Fault, not_found
from controlplane.services.policies.content import ORGANISATION_SCOPE
from controlplane.services.policies.drafts import DOCUMENT_CHARS_MAX
from controlplane.store.policies import PolicyFilter
from gateway.decide.documents.schema import RULES_MAX
from gateway.decide.documents.seed_rules import WHOLE_SCOPES
from gateway.model.policy_version import VersionState

VERSION_MAX = 2**31 - 1

_ETAG = re.compile(r'(?:W/)?"?([0-9]{1,18})"?')
_NOT_WRITABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What JSON writes as it is, and YAML reads as something else or not at all."""

Document = Annotated[str, StringConstraints(min_length=1, max_length=DOCUMENT_CHARS_MAX)]
Etag = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")]
Version = Annotated[int, Field(ge=1, le=VERSION_MAX)]
Status = Annotated[str, StringConstraints(to_upper=True, pattern="(?i)^(draft|active|archived)$")]
ScopeType = Annotated[str, StringConstraints(to_upper=True, pattern="^[A-Za-z_]{1,32}$")]


class ScopeBody(Body):
    scopeType: Short
    scopeId: Short | None = None


class PolicyBody(Body):
    """Either `document`, a policy in the policy language (YAML or JSON, as text), or its fields:
    `name`, `scope`, `defaultAction` and `rules`."""

    document: Document | None = None
    name: Short | None = None
    scope: ScopeBody | None = None
    description: Text = ""
    defaultAction: Short | None = None
    rules: Annotated[list[dict[str, Any]], Field(max_length=RULES_MAX)] | None = None
    comment: Text | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if (self.document is None) is (self.rules is None):
            raise ValueError("give either `document` or `rules`")
        if self.document is not None and (self.scope, self.defaultAction) != (None, None):
            raise ValueError("a `document` says its scope and its default itself")
        return self


class VersionBody(PolicyBody):
    """As for a new policy; the name may be left out."""

    etag: Etag | None = None


class ActivateBody(NoBody):
    """`version` is the newest draft when left out."""

    version: Version | None = None
    etag: Etag | None = None
    comment: Text | None = None


class DeactivateBody(NoBody):
    etag: Etag | None = None
    comment: Text | None = None


class ListQuery(Query):
    """`status` is of the active version, or else of the newest."""

    scopeId: Short | None = None
    scopeType: ScopeType | None = None
    status: Status | None = None
    name: Short | None = None
    limit: Count = 100
    cursor: NumberCursor | None = None


class VersionsQuery(Query):
    limit: Count = 100
    cursor: Version | None = None


class DiffQuery(Query):
    """What became of version `before` in version `after`."""

    before: Version
    after: Version


async def create(call: Call) -> web.Response:
    """Make a policy: its first version is a draft."""
    body = await parse_body(call.http, PolicyBody)
    name = body.name or "policy"
    shown = await call.services.policies.create(
        call.caller, f"{name[:64]}.yaml", _document(call, body, name), body.description,
        body.comment,
    )  # fmt: skip
    return answer(render_shown(call.caller, shown), 201)


async def list_(call: Call) -> web.Response:
    """List policies, the newest first."""
    query = parse_query(call.http, ListQuery)
    scope_type = ORGANISATION_SCOPE if query.scopeType in WHOLE_SCOPES else query.scopeType
    status = None if query.status is None else VersionState(query.status)
    wanted = PolicyFilter(status, query.name, scope_type, query.scopeId)
    rows = await call.services.policies.list(call.caller, wanted, query.cursor, query.limit)
    return answer(
        {
            "policies": [render_policy(call.caller, row) for row in rows],
            "nextCursor": next_cursor(rows, query.limit, lambda row: row.policy_seq),
        }
    )


async def show(call: Call) -> web.Response:
    """Show a policy as its active version has it, or else the newest."""
    parse_query(call.http, NoQuery)
    shown = await call.services.policies.show(call.caller, parse_id(call.http))
    return answer(render_shown(call.caller, shown))


async def versions(call: Call) -> web.Response:
    """List the versions of a policy, the newest first."""
    query = parse_query(call.http, VersionsQuery)
    rows = await call.services.policies.versions(
        call.caller, parse_id(call.http), query.cursor, query.limit
    )
    return answer(
        {
            "versions": [render_version(call.caller, row) for row in rows],
            "nextCursor": next_cursor(rows, query.limit, lambda row: row.version),
        }
    )


async def version(call: Call) -> web.Response:
    """Show one version with its document."""
    parse_query(call.http, NoQuery)
    shown = await call.services.policies.version(
        call.caller, parse_id(call.http), _version(call.http)
    )
    return answer({"version": render_whole_version(call.caller, shown)})


async def draft(call: Call) -> web.Response:
    """Give a policy a new version, as a draft."""
    body = await parse_body(call.http, VersionBody)
    policy_id = parse_id(call.http)
    name = body.name
    if name is None:
        name = (await call.services.policies.show(call.caller, policy_id)).policy.name
    with _Etag(call.http, body.etag) as etag:
        policy, row = await call.services.policies.draft(
            call.caller, policy_id, _document(call, body, name), body.comment, etag
        )
    shown = await call.services.policies.version(call.caller, policy_id, row.version)
    return answer(
        {"etag": str(policy.revision), "version": render_whole_version(call.caller, shown)}, 201
    )


async def diff(call: Call) -> web.Response:
    """Compare two versions of a policy, line by line and rule by rule."""
    query = parse_query(call.http, DiffQuery)
    found = await call.services.policies.diff(
        call.caller, parse_id(call.http), query.before, query.after
    )
    return answer(render_diff(found))


async def activate(call: Call) -> web.Response:
    """Put a version in force, in the place of the one that was.

    With `etag`, or the header `If-Match`, only when the policy is as the caller saw it.
    """
    body = await parse_body(call.http, ActivateBody)
    policy_id = parse_id(call.http)
    with _Etag(call.http, body.etag) as etag:
        activated = await call.services.policies.activate(
            call.caller, policy_id, body.version, etag, body.comment
        )
    return answer(render_activated(call.caller, activated))


async def deactivate(call: Call) -> web.Response:
    """Take a policy out of force; its active version is archived."""
    body = await parse_body(call.http, DeactivateBody)
    policy_id = parse_id(call.http)
    with _Etag(call.http, body.etag) as etag:
        activated = await call.services.policies.deactivate(
            call.caller, policy_id, etag, body.comment
        )
    return answer(render_activated(call.caller, activated))


_READERS = (Permission.POLICY_READ, Permission.POLICY_WRITE, Permission.ADMIN)
_WRITERS = (Permission.POLICY_WRITE, Permission.ADMIN)

ROUTES = (
    route(
        "POST", "/v1/policies", create, *_WRITERS, body=PolicyBody, answers={201: PolicyAnswer}
    ),
    route("GET", "/v1/policies", list_, *_READERS, query=ListQuery, answers=PoliciesAnswer),
    route("GET", "/v1/policies/{id}", show, *_READERS, answers=PolicyAnswer),
    route(
        "GET", "/v1/policies/{id}/versions", versions, *_READERS,
        query=VersionsQuery, answers=VersionsAnswer,
    ),
    route(
        "POST", "/v1/policies/{id}/versions", draft, *_WRITERS,
        body=VersionBody, answers={201: DraftedAnswer},
    ),
    route("GET", "/v1/policies/{id}/versions/{version}", version, *_READERS, answers=VersionAnswer),
    route("GET", "/v1/policies/{id}/diff", diff, *_READERS, query=DiffQuery, answers=DiffAnswer),
    route(
        "POST", "/v1/policies/{id}/activate", activate, *_WRITERS,
        body=ActivateBody, answers=ActivatedAnswer,
    ),
    route(
        "POST", "/v1/policies/{id}/deactivate", deactivate, *_WRITERS,
        body=DeactivateBody, answers=ActivatedAnswer,
    ),
)  # fmt: skip


class _Etag:
    """The etag that a change is conditioned on, of the header or of the body. Where it is another
    one by now, the header's answer is 412 and the body's 409."""

    def __init__(self, request: web.Request, given: str | None) -> None:
        self._header = request.headers.get("If-Match")
        self._given = given

    def __enter__(self) -> int | None:
        header = self._header
        if header is None or header.strip() == "*":
            return None if self._given is None else int(self._given)
        found = _ETAG.fullmatch(header.strip())
        if found is None:
            raise ControlFault(Fault.POLICY_ETAG, "`If-Match` is no etag of this policy")
        if self._given is not None and int(self._given) != int(found[1]):
            raise ControlFault(Fault.INVALID_ARGUMENT, "`etag`: `If-Match` says another one")
        return int(found[1])

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        is_changed = isinstance(error, ControlFault) and error.fault is Fault.POLICY_CHANGED
        if is_changed and self._header is not None:
            raise ControlFault(Fault.POLICY_ETAG, str(error)) from error


def _document(call: Call, body: PolicyBody, name: str) -> str:
    """The text that is kept: what came as text, or the fields as JSON."""
    if body.document is not None:
        return body.document
    scope = body.scope
    own = (None, str(call.caller.tenant_id))
    if scope is not None and scope.scopeType in WHOLE_SCOPES and scope.scopeId not in own:
        raise not_found("scope")
    fields: dict[str, Any] = {"name": name}
    if scope is not None:
        fields["scope"] = {"scopeType": scope.scopeType}
        if scope.scopeId is not None:
            fields["scope"]["scopeId"] = scope.scopeId
    if body.defaultAction is not None:
        fields["defaultAction"] = body.defaultAction
    text = json.dumps({**fields, "rules": body.rules}, ensure_ascii=False, indent=2)
    return _NOT_WRITABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _version(request: web.Request) -> int:
    number = parse_number(request, "version", VERSION_MAX)
    if number is None:
        raise ControlFault(Fault.NOT_FOUND, "the policy has no such version")
    return number
