"""What is written down: every decision, the intent before an act, what became of it.

An entry is a value handed to a `RecordSink`; its durable form is made in `record/` alone.
"""

from __future__ import annotations

from enum import StrEnum

from gateway.model.action import Canonical
from gateway.model.approval import Approval
from gateway.model.dataclass import dataclass
from gateway.model.decision import Context, Decision
from gateway.model.exchange import Authority, Exchange
from gateway.model.quick import quick


class EntryKind(StrEnum):
    """INTENT: decided and about to be sent. DECISION: decided, and nothing is sent now (a
    refusal, or a hold). OUTCOME: what became of it. REFUSAL: bytes that never became an
    exchange. TUNNEL: an opaque passthrough. GATEWAY: the gateway's own life (started, stopped,
    bundle changed)."""

    INTENT = "intent"
    DECISION = "decision"
    OUTCOME = "outcome"
    REFUSAL = "refusal"
    TUNNEL = "tunnel"
    GATEWAY = "gateway"


class Outcome(StrEnum):
    """What became of an act. UNKNOWN: a byte of it may have left and no complete answer came."""

    EXECUTED = "executed"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


@quick
@dataclass(frozen=True, slots=True, eq=False)
class DecisionEntry:
    """A decision with everything that led to it. `sends` tells INTENT from DECISION.

    `context` is what the decision depended on beside the actions. `digest` is the action digest
    of what waits for a person, None otherwise. Written a second time with `sends` once an approval
    was consumed: then `approval` says whose.
    """

    at: int
    decision_id: str
    exchange: Exchange
    canonical: Canonical
    context: Context
    decision: Decision
    sends: bool
    digest: str | None = None
    approval: Approval | None = None


@quick
@dataclass(frozen=True, slots=True, eq=False)
class OutcomeEntry:
    """What became of a decision. `status` is the upstream's, None when no complete head came.

    `code` names the reason when it was not executed (`APPROVAL_DENIED`, `upstream.timed_out`, ...).
    `witness_found` is the digest of the state that the target had, where that is not the approval's
    `witness`.
    """

    at: int
    decision_id: str
    request_id: str
    outcome: Outcome
    status: int | None = None
    code: str | None = None
    duration_us: int = 0
    response_bytes: int = 0
    approval: Approval | None = None
    witness_found: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RefusalEntry:
    """Bytes refused before they became an exchange. `agent` and `authority` as far as known."""

    at: int
    code: str
    message: str
    agent: str | None = None
    authority: Authority | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TunnelEntry:
    """A passthrough tunnel, opened (`closed` False) or closed. Nothing inside was inspected."""

    at: int
    tunnel_id: str
    agent: str
    authority: Authority
    closed: bool = False
    sent_bytes: int = 0
    received_bytes: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class GatewayEntry:
    """An event of the gateway itself: `started`, `stopped`, `policy_loaded`, `policy_refused`,
    `stop_in_force`, `stop_lifted`, `signing_key`, `checkpoint_refused`; `detail` is public.

    `key_proof` comes with `signing_key` alone: the key in `detail` as a note which it signed, and
    the key before it.
    """

    at: int
    event: str
    detail: str = ""
    key_proof: str | None = None


Entry = DecisionEntry | OutcomeEntry | RefusalEntry | TunnelEntry | GatewayEntry
