"""What is read at `/v1/approvals`: questions of gateways and of programs, answers, uses."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, from_json

from controlplane.api.grants import GrantBody
from controlplane.api.pages import Count, NumberCursor
from controlplane.api.parsing import (
    Body,
    Digest,
    Moment,
    Name,
    Query,
    Short,
    Text,
    WaitSeconds,
)
from controlplane.auth import Caller, Permission
from controlplane.faults import ControlFault, Fault
from controlplane.store.approvals import Origin, Question
from gateway.model.action import Kind
from gateway.model.approval import ApprovalEvent, ApprovalState
from gateway.model.codec import canonical_json
from gateway.model.effect import Mode

TIMEOUT_SECONDS_MAX = 30 * 24 * 3600
"""A question that stands for more than a month is no question any more."""

USUAL_TTL_SECONDS = 1800

GroupNames = Annotated[list[Short], Field(default_factory=list, max_length=50)]
Seconds = Annotated[int, Field(ge=1, le=TIMEOUT_SECONDS_MAX)]


class Factor(Body):
    name: Short
    points: Annotated[int, Field(ge=-1000, le=1000)]
    observed: Text


class RiskBody(Body):
    score: Annotated[int, Field(ge=0, le=100)]
    factors: Annotated[list[Factor], Field(default_factory=list, max_length=100)]
    vector: Text = ""


class TargetBody(Body):
    type: Short
    id: Text


class TermsBody(Body):
    groups: GroupNames
    quorum: Annotated[int, Field(ge=1, le=20)] = 1
    timeoutSeconds: Seconds = USUAL_TTL_SECONDS
    witnessRequired: bool = False
    commentRequired: bool = False
    escalateTo: GroupNames
    escalateAfterSeconds: Seconds | None = None
    requesterLabels: Annotated[list[Short], Field(default_factory=list, max_length=20)]


class WitnessBody(Body):
    """The target's state as the gateway read it, redacted; `hash` is over the whole of it."""

    hash: Digest
    state: Annotated[dict[str, Any], Field(max_length=100)]


class HashBody(Body):
    """A state that only its digest is known of, as a program took it: SHA-256 in hexadecimal."""

    hash: Digest
    resourceId: Text = ""


class QuestionBody(Body):
    """A gateway's question (it has a `requestDigest`), or a program's."""

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Read the form that it is, so that what is wrong is said in its words."""
        if cls is not QuestionBody:
            return super().model_validate_json(json_data, **options)
        form: type[QuestionBody] = ProgramBody
        try:
            given = from_json(json_data)
        except ValueError:
            given = None
        if isinstance(given, dict) and not given.keys().isdisjoint(_OF_GATEWAYS):
            form = GatewayBody
        read = form.model_validate_json(json_data, **options)
        assert isinstance(read, cls)
        return read

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        if cls is not QuestionBody:
            return handler(core)
        forms = (GatewayBody.__pydantic_core_schema__, ProgramBody.__pydantic_core_schema__)
        return {"anyOf": [handler(form) for form in forms]}


class RequestBody(Body):
    """What else the request says, redacted: headers that the approval is bound to, and the body,
    null where it can't be shown."""

    headers: Annotated[dict[str, Any], Field(max_length=200)]
    bodyBytes: Annotated[int, Field(ge=0)]
    body: Any = None


class GatewayBody(QuestionBody):
    """One exact act of an agent, asked about by the gateway that holds it."""

    agent: Name
    runId: Short | None = None
    requestDigest: Digest
    decisionId: Name
    provider: Short
    operation: Short
    action: Short
    kind: Kind
    target: TargetBody
    params: Annotated[dict[str, Any], Field(default_factory=dict)]
    authority: Short
    method: Short
    path: Text
    request: RequestBody | None = None
    policy: Short | None = None
    rule: Short | None = None
    reasonCode: Short
    message: Text
    risk: RiskBody
    bundleRevision: Short
    mode: Mode
    terms: TermsBody
    summary: Text
    witness: WitnessBody | None = None


class ProgramBody(QuestionBody):
    """What a program asks in its own name, about a state of which it brings the digest."""

    runId: Short | None = None
    stepIndex: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    policyId: Short | None = None
    ruleId: Short | None = None
    reasonCode: Name
    requestedBy: Name
    witness: HashBody
    ttlSeconds: Seconds = USUAL_TTL_SECONDS
    summary: Text = ""


_OF_GATEWAYS: Final = frozenset({"requestDigest", "decisionId", "agent", "terms"})


class VoidBody(Body):
    """`witness`: what is there now, where the gateway read it."""

    reasonCode: Literal[
        "WITNESS_HASH_MISMATCH", "WITNESS_UNAVAILABLE", "APPROVAL_TERMS_CHANGED", "POLICY_CHANGED"
    ]
    witness: WitnessBody | None = None


class ListQuery(Query):
    """`mine`: only those that the caller's key may approve by its groups."""

    status: ApprovalState | None = None
    agent: Short | None = None
    action: Short | None = None
    provider: Short | None = None
    run: Short | None = None
    since: Moment | None = None
    mine: bool = False
    limit: Count = 100
    cursor: NumberCursor | None = None


class WaitQuery(Query):
    waitSeconds: WaitSeconds = 0


class ResolveBody(Body):
    """`DENY` is another spelling of REJECT."""

    resolution: Literal["APPROVE", "REJECT", "DENY", "ESCALATE", "CANCEL"]
    resolvedBy: Name | None = None
    reason: Text | None = None
    through: Literal["api", "cli"] = "api"
    grant: GrantBody | None = None

    @model_validator(mode="after")
    def _grants_only_what_it_approves(self) -> Self:
        if self.grant is not None and self.resolution != "APPROVE":
            raise ValueError("a `grant` goes with APPROVE alone")
        return self

    @property
    def event(self) -> ApprovalEvent:
        is_no = self.resolution == "DENY"
        return ApprovalEvent.REJECT if is_no else ApprovalEvent(self.resolution)


class ConsumeBody(Body):
    """By a gateway: the digest of the act. By a program: the digest of the state of now."""

    requestDigest: Digest | None = None
    witness: HashBody | None = None
    claimId: Name | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.requestDigest is None) == (self.witness is None):
            raise ValueError("give `requestDigest` or `witness`")
        if self.requestDigest is not None and self.claimId is None:
            raise ValueError("`claimId` is missing")
        return self


class RevalidateBody(Body):
    witness: HashBody


def gateways_question(caller: Caller, body: GatewayBody) -> Question:
    """The question as it is stored."""
    witness, terms = body.witness, body.terms
    return Question(
        tenant_id=caller.tenant_id,
        agent=body.agent,
        run_id=body.runId,
        request_digest=body.requestDigest,
        decision_id=body.decisionId,
        provider=body.provider,
        operation=body.operation,
        action=body.action,
        kind=body.kind,
        target_type=body.target.type,
        target_id=body.target.id,
        params=stored_json(body.params, "params"),
        authority=body.authority,
        method=body.method,
        path=body.path,
        summary=body.summary,
        policy=body.policy,
        rule=body.rule,
        reason_code=body.reasonCode,
        message=body.message,
        risk=canonical_json(body.risk.model_dump()).decode(),
        bundle_revision=body.bundleRevision,
        mode=body.mode,
        approver_groups=tuple(terms.groups),
        quorum=terms.quorum,
        timeout_seconds=terms.timeoutSeconds,
        witness_required=terms.witnessRequired,
        witness_hash=None if witness is None else witness.hash,
        witness_state=None if witness is None else stored_json(witness.state, "witness.state"),
        requester_labels=tuple(terms.requesterLabels),
        comment_required=terms.commentRequired,
        escalate_after_seconds=terms.escalateAfterSeconds,
        escalate_to=tuple(terms.escalateTo),
        request=None if body.request is None else stored_json(body.request.model_dump(), "request"),
    )


def programs_question(caller: Caller, body: ProgramBody) -> Question:
    """The question as it is stored. Whoever asks can't approve: neither who the program says it is
    nor the person whose key it uses; a shared admin's key is nobody's."""
    is_shared = Permission.ADMIN in caller.permissions
    requesters = {body.requestedBy} if is_shared else {body.requestedBy, caller.key_name}
    resource = body.witness.resourceId
    said = body.summary or f"{body.requestedBy} asks for {resource or 'an approval'}"
    about = canonical_json(body.model_dump(mode="json"))
    return Question(
        tenant_id=caller.tenant_id,
        agent=caller.agent or body.requestedBy,
        run_id=body.runId,
        request_digest=hashlib.sha256(b"checkrein.asked.v1" + about).hexdigest(),
        decision_id="",
        provider="",
        operation="",
        action="",
        kind=Kind.UNKNOWN,
        target_type="resource" if resource else "",
        target_id=resource,
        params="{}",
        authority="",
        method="",
        path="",
        summary=said,
        policy=body.policyId,
        rule=body.ruleId,
        reason_code=body.reasonCode,
        message=body.reasonCode,
        risk=canonical_json({"factors": [], "score": 0, "vector": ""}).decode(),
        bundle_revision="",
        mode=Mode.ENFORCE,
        approver_groups=(),
        quorum=1,
        timeout_seconds=body.ttlSeconds,
        witness_required=True,
        witness_hash=body.witness.hash,
        witness_state="{}",
        origin=Origin.API,
        step_index=body.stepIndex,
        requested_by=body.requestedBy,
        resource_id=resource or None,
        requesters=tuple(sorted(name.strip().lower() for name in requesters)),
    )


def stored_json(value: dict[str, Any], name: str) -> str:
    """JSON as it is stored."""
    try:
        return canonical_json(value).decode()
    except (ValueError, RecursionError):
        raise ControlFault(
            Fault.INVALID_ARGUMENT,
            f"`{name}`: may hold no floating-point number and no invalid text",
        ) from None
