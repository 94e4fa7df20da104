"""Records -> the JSON of one webhook message, as a SIEM reads it. Pure."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from controlplane.notify.notice import RECORDS_EVENT
from gateway.model.moment import rfc3339


@dataclass(frozen=True, slots=True)
class SentRecord:
    """A record on its way out. `fields` None: nothing of it is left, or none of it was taken."""

    record_id: int
    gateway_id: str
    seq: int
    hash: str
    kind: str
    effect: str | None
    line: str | None
    fields: Mapping[str, Any] | None
    received_at: datetime
    is_erased: bool

    @property
    def uid(self) -> str:
        """The same however often it is sent; no other record has it."""
        return f"{self.gateway_id}:{self.seq}"


def batch_body(tenant_id: uuid.UUID, records: Sequence[SentRecord]) -> bytes:
    """One message. `id` tells a record from all others, so that whoever gets one twice knows it."""
    body = {
        "type": RECORDS_EVENT,
        "timestamp": rfc3339(records[-1].received_at),
        "data": {
            "tenantId": str(tenant_id),
            "firstRecordId": records[0].record_id,
            "lastRecordId": records[-1].record_id,
            "records": [_shown(one) for one in records],
        },
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def batch_id(destination: str, records: Sequence[SentRecord]) -> str:
    """The message's id: the same records make the same one."""
    named = "\n".join((destination, *(one.uid for one in records)))
    return "msg_" + hashlib.sha256(named.encode(errors="replace")).hexdigest()[:32]


def _shown(one: SentRecord) -> dict[str, Any]:
    return {
        "id": one.uid,
        "recordId": one.record_id,
        "gatewayId": one.gateway_id,
        "seq": one.seq,
        "hash": one.hash,
        "kind": one.kind,
        "effect": one.effect,
        "receivedAt": rfc3339(one.received_at),
        "erased": one.is_erased,
        "record": one.fields,
    }
