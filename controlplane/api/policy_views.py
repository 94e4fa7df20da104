"""Policies and their versions as answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from controlplane.api.contract import At, Id, View
from controlplane.api.parsing import timestamp
from controlplane.auth import Caller
from controlplane.services.policies.diff import PolicyDiff
from controlplane.services.policies.versions import Activated, Shown
from controlplane.store.policies import PolicyRow, RuleRow, VersionRow
from gateway.model.codec import JsonValue
from gateway.model.policy_version import VersionState


class ScopeView(View):
    """`scopeId` is the tenant's, or for `AGENT` the names and patterns of agents."""

    scopeType: str
    scopeId: str


class RuleView(View):
    """`targetType` and `targetSelector` are of rules that were written so; `match` and `when` say
    the same in the policy language."""

    ruleId: str
    priority: int
    targetType: str | None
    targetSelector: str | None
    action: str
    reasonCode: str
    message: str
    enabled: bool
    mode: str
    match: dict[str, Any]
    when: str | None


class PolicyView(View):
    """As the active version has it, or else the newest."""

    policyId: Id
    name: str
    description: str
    scope: ScopeView
    status: VersionState
    version: int
    draftVersion: int | None
    newestVersion: int
    mode: str
    defaultAction: str
    etag: str
    createdBy: str
    createdAt: At
    updatedAt: At


class VersionView(View):
    version: int
    status: VersionState
    digest: str
    scope: ScopeView
    mode: str
    defaultAction: str
    comment: str | None
    createdBy: str
    createdAt: At
    activatedBy: str | None
    activatedAt: At | None
    archivedBy: str | None
    archivedAt: At | None


class WholeVersionView(VersionView):
    document: str
    rules: list[RuleView]


class WholePolicyView(PolicyView):
    document: str
    rules: list[RuleView]


class PolicyAnswer(View):
    """`policyId` and `etag` stand beside the policy too: they are what the next call needs."""

    policyId: Id
    etag: str
    policy: WholePolicyView


class ActivatedAnswer(PolicyAnswer):
    """`bundle` is the one that gateways take now; `isNew` is false where nothing had to change for
    them."""

    bundle: dict[str, Any] | None
    isNew: bool


class PoliciesAnswer(View):
    policies: list[PolicyView]
    nextCursor: str | None


class VersionsAnswer(View):
    versions: list[VersionView]
    nextCursor: str | None


class VersionAnswer(View):
    version: WholeVersionView


class DraftedAnswer(View):
    """`etag` is the policy's new one."""

    etag: str
    version: WholeVersionView


class RuleChangeView(View):
    """`ruleId` is null for the policy itself; `fields` names what differs of a changed one."""

    fate: str
    ruleId: str | None
    action: str
    fields: list[str]


class DiffAnswer(View):
    """`lines` is a unified diff, null where the versions are too long for one; `rules` is what
    differs in meaning."""

    before: int
    after: int
    lines: list[str] | None
    rules: list[RuleChangeView]


class ProblemView(View):
    file: str
    line: int
    column: int
    message: str
    help: str


def render_policy(caller: Caller, row: PolicyRow) -> dict[str, JsonValue]:
    return {
        "policyId": str(row.policy_id),
        "name": row.name,
        "description": row.description,
        "scope": _scope(caller, row.scope_type, row.scope_id),
        "status": row.status.value,
        "version": row.version,
        "draftVersion": row.draft_version,
        "newestVersion": row.newest_version,
        "mode": row.mode,
        "defaultAction": row.default_effect,
        "etag": str(row.revision),
        "createdBy": row.created_by,
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
    }


def render_shown(caller: Caller, shown: Shown) -> dict[str, JsonValue]:
    """The whole answer about one policy."""
    policy: dict[str, JsonValue] = {
        **render_policy(caller, shown.policy),
        "document": shown.version.document,
        "rules": _rules(shown.rules),
    }
    return {"policyId": policy["policyId"], "etag": policy["etag"], "policy": policy}


def render_activated(caller: Caller, activated: Activated) -> dict[str, JsonValue]:
    row = activated.published.row
    bundle: JsonValue = None
    if row is not None:
        bundle = {"sequence": row.sequence, "revision": row.revision}
    return {
        **render_shown(caller, activated.shown),
        "bundle": bundle,
        "isNew": activated.published.is_new,
    }


def render_version(caller: Caller, row: VersionRow) -> dict[str, JsonValue]:
    return {
        "version": row.version,
        "status": row.status.value,
        "digest": row.digest,
        "scope": _scope(caller, row.scope_type, row.scope_id),
        "mode": row.mode,
        "defaultAction": row.default_effect,
        "comment": row.comment,
        "createdBy": row.created_by,
        "createdAt": timestamp(row.created_at),
        "activatedBy": row.activated_by,
        "activatedAt": timestamp(row.activated_at),
        "archivedBy": row.archived_by,
        "archivedAt": timestamp(row.archived_at),
    }


def render_whole_version(caller: Caller, shown: Shown) -> dict[str, JsonValue]:
    return {
        **render_version(caller, shown.version),
        "document": shown.version.document,
        "rules": _rules(shown.rules),
    }


def render_diff(diff: PolicyDiff) -> dict[str, JsonValue]:
    return {
        "before": diff.before,
        "after": diff.after,
        "lines": None if diff.lines is None else list(diff.lines),
        "rules": [
            {
                "fate": one.fate.value,
                "ruleId": one.rule,
                "action": one.effect.value,
                "fields": list(one.fields),
            }
            for one in diff.rules
        ],
    }


def _scope(caller: Caller, scope_type: str, scope_id: str | None) -> JsonValue:
    return {"scopeType": scope_type, "scopeId": scope_id or str(caller.tenant_id)}


def _rules(rules: Sequence[RuleRow]) -> list[JsonValue]:
    return [
        {
            "ruleId": rule.rule_id,
            "priority": rule.priority,
            "targetType": rule.target_type,
            "targetSelector": rule.target_selector,
            "action": rule.effect,
            "reasonCode": rule.reason_code,
            "message": rule.message,
            "enabled": rule.enabled,
            "mode": rule.mode,
            "match": dict(rule.match),
            "when": rule.condition,
        }
        for rule in rules
    ]
