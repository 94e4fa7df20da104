"""Records -> OpenTelemetry logs: OTLP/HTTP with JSON, opentelemetry-proto 1.5.

Our own encoder of one message: the packages that have it bring protobuf, a copy of our queue, and
no cursor that survives a crash; the JSON form is a documented and stable one.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from controlplane.notify.notice import NotSent, Outcome, Sent
from controlplane.notify.outbound import OutboundError, post
from controlplane.notify.record_batch import SentRecord
from controlplane.notify.webhook import retry_after_seconds

LOGS_PATH: Final = "/v1/logs"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_INFO: Final = (9, "INFO")
_NOTICE: Final = (10, "INFO2")
_WARN: Final = (13, "WARN")
_ERROR: Final = (17, "ERROR")

_BY_EFFECT: Final = {"ALLOW": _INFO, "REQUIRE_APPROVAL": _NOTICE, "BLOCK": _WARN}
_BY_OUTCOME: Final = {"executed": _INFO, "refused": _WARN, "not_sent": _NOTICE, "unknown": _ERROR}

_COPIED: Final = (
    ("http.request.method", "method"),
    ("url.path", "path"),
    ("http.response.status_code", "status"),
    ("error.type", "code"),
    ("gen_ai.agent.name", "agent"),
    ("checkrein.run", "run"),
    ("checkrein.request.id", "request_id"),
    ("checkrein.provider", "provider"),
    ("checkrein.effect", "effect"),
    ("checkrein.mode", "mode"),
    ("checkrein.policy", "policy"),
    ("checkrein.rule", "rule"),
    ("checkrein.reason_code", "reason_code"),
    ("checkrein.message", "message"),
    ("checkrein.outcome", "outcome"),
    ("checkrein.decision.id", "decision_id"),
    ("checkrein.bundle.revision", "revision"),
)
"""Attributes and the fields of a record that they are: names of the semantic conventions where
there is one."""

_OF_ACTION: Final = (
    ("checkrein.operation", "operation"),
    ("checkrein.action", "action"),
    ("checkrein.action.kind", "kind"),
)


@dataclass(frozen=True, slots=True)
class OtlpAt:
    """The collector's base URL, without a slash at its end, and the headers that it wants."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


async def send_logs(at: OtlpAt, tenant_id: uuid.UUID, records: Sequence[SentRecord]) -> Outcome:
    """Send them once. What a collector that took the message says it dropped is not sent again:
    the specification forbids that."""
    headers = {**at.headers, "content-type": "application/json", "user-agent": "checkrein"}
    try:
        reply = await post(None, at.url + LOGS_PATH, logs_body(tenant_id, records), headers)
    except OutboundError as error:
        return NotSent(error.message)
    if 200 <= reply.status < 300:
        return Sent(_dropped(reply.body))
    return NotSent(
        f"the collector answered {reply.status}",
        retry_after_seconds=retry_after_seconds(reply, datetime.now(UTC)),
    )


def logs_body(tenant_id: uuid.UUID, records: Sequence[SentRecord]) -> bytes:
    """An `ExportLogsServiceRequest`."""
    resource = [("service.name", "checkrein"), ("checkrein.tenant.id", str(tenant_id))]
    request = {
        "resourceLogs": [
            {
                "resource": {"attributes": _attributes(resource)},
                "scopeLogs": [
                    {
                        "scope": {"name": "checkrein.records"},
                        "logRecords": [_log(one) for one in records],
                    }
                ],
            }
        ]
    }
    return json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _log(one: SentRecord) -> dict[str, Any]:
    fields = one.fields or {}
    number, text = _severity(one, fields)
    return {
        "timeUnixNano": str(_nanos(_moment(fields) or one.received_at)),
        "observedTimeUnixNano": str(_nanos(one.received_at)),
        "severityNumber": number,
        "severityText": text,
        "eventName": f"checkrein.{one.kind}",
        # The line as its gateway sealed it: its SHA-256 is `checkrein.record.hash`.
        "body": {"stringValue": one.line or ""},
        "attributes": _attributes(_told(one, fields)),
    }


def _told(one: SentRecord, fields: Mapping[str, Any]) -> list[tuple[str, Any]]:
    told: list[tuple[str, Any]] = [
        ("log.record.uid", one.uid),
        ("checkrein.record.kind", one.kind),
        ("checkrein.record.hash", one.hash),
        ("checkrein.record.seq", one.seq),
        ("checkrein.gateway.id", one.gateway_id),
    ]
    if one.is_erased:
        told.append(("checkrein.record.erased", True))
    told += [(name, fields.get(key)) for name, key in _COPIED]
    host, _, port = str(fields.get("authority") or "").rpartition(":")
    if host and port.isdecimal():
        told += [("server.address", host), ("server.port", int(port[:5]))]
    actions = fields.get("actions")
    first = actions[0] if isinstance(actions, list) and actions else None
    if isinstance(first, dict):
        told += [(name, first.get(key)) for name, key in _OF_ACTION]
        target = first.get("target")
        if isinstance(target, dict):
            told.append(("checkrein.target.type", target.get("type")))
            told.append(("checkrein.target.id", target.get("id")))
    risk = fields.get("risk")
    if isinstance(risk, dict):
        told.append(("checkrein.risk.score", risk.get("score")))
    return told


def _attributes(pairs: Sequence[tuple[str, Any]]) -> list[dict[str, Any]]:
    """Those that have a value of a plain type; 64-bit integers are strings in this JSON."""
    found = []
    for name, value in pairs:
        match value:
            case bool():
                found.append({"key": name, "value": {"boolValue": value}})
            case int():
                if abs(value) < 1 << 63:
                    found.append({"key": name, "value": {"intValue": str(value)}})
            case str():
                found.append({"key": name, "value": {"stringValue": value}})
            case _:
                continue
    return found


def _severity(one: SentRecord, fields: Mapping[str, Any]) -> tuple[int, str]:
    if one.kind == "refusal":
        return _WARN
    outcome = fields.get("outcome")
    if isinstance(outcome, str):
        return _BY_OUTCOME.get(outcome, _INFO)
    return _BY_EFFECT.get(one.effect or "", _INFO)


def _moment(fields: Mapping[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(fields.get("at")))
    except ValueError:
        return None
    return at if at.tzinfo is not None and at > _EPOCH else None


def _nanos(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND * 1_000


def _dropped(body: bytes) -> str | None:
    """How many of them the collector says that it dropped; None where none."""
    try:
        partial = json.loads(body or b"{}").get("partialSuccess") or {}
        count = int(partial.get("rejectedLogRecords") or 0)
    except (ValueError, AttributeError, TypeError, RecursionError):
        return None
    return str(count) if count > 0 else None
