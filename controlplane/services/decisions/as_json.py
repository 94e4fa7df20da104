"""A decision as JSON: what the API answers and what exports are made of. Pure."""

from __future__ import annotations

from controlplane.services.decisions.from_records import DecisionView
from gateway.model.codec import JsonValue


def decision_json(view: DecisionView) -> dict[str, JsonValue]:
    """As the API shows it."""
    return {
        "decisionId": view.decision_id,
        "at": view.at,
        "agent": view.agent,
        "runId": view.run_id,
        "requestId": view.request_id,
        "provider": view.provider,
        "operation": view.operation,
        "action": view.action,
        "kind": view.kind,
        "target": view.target,
        "params": view.params,
        "actions": view.actions,
        "effect": view.effect,
        "mode": view.mode,
        "policy": view.policy,
        "rule": view.rule,
        "reasonCode": view.reason_code,
        "message": view.message,
        "risk": view.risk,
        "unresolved": view.unresolved,
        "watched": view.watched,
        "limits": view.limits,
        "obligations": view.obligations,
        "approvalId": view.approval_id,
        "approvalStatus": view.approval_status,
        "outcome": view.outcome,
        "status": view.status,
        "gatewayId": view.gateway_id,
        "erased": view.is_erased,
    }
