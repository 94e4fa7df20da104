"""A person's answer to one exact act, used once: states, legal moves, and the value."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gateway.model.codec import JsonValue
from gateway.model.dataclass import dataclass
from gateway.model.effect import ApprovalTerms
from gateway.model.moves import open_states_of


class ApprovalState(StrEnum):
    PENDING = "PENDING"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    CONSUMED = "CONSUMED"
    LAPSED = "LAPSED"


class ApprovalEvent(StrEnum):
    APPROVE = "APPROVE"
    REJECT = "REJECT"
    CANCEL = "CANCEL"
    ESCALATE = "ESCALATE"
    EXPIRE = "EXPIRE"
    CONSUME = "CONSUME"
    LAPSE = "LAPSE"


LEGAL_MOVES: Mapping[ApprovalState, Mapping[ApprovalEvent, ApprovalState]] = {
    ApprovalState.PENDING: {
        ApprovalEvent.APPROVE: ApprovalState.APPROVED,
        ApprovalEvent.REJECT: ApprovalState.DENIED,
        ApprovalEvent.CANCEL: ApprovalState.CANCELLED,
        ApprovalEvent.EXPIRE: ApprovalState.EXPIRED,
        ApprovalEvent.ESCALATE: ApprovalState.PENDING,
    },
    ApprovalState.APPROVED: {
        ApprovalEvent.CONSUME: ApprovalState.CONSUMED,
        ApprovalEvent.CANCEL: ApprovalState.CANCELLED,
        ApprovalEvent.LAPSE: ApprovalState.LAPSED,
    },
    ApprovalState.DENIED: {},
    ApprovalState.EXPIRED: {},
    ApprovalState.CANCELLED: {},
    ApprovalState.CONSUMED: {},
    ApprovalState.LAPSED: {},
}
"""What is not in this table can't happen; the database enforces the same, in one statement a
move."""


OPEN_STATES: Final = frozenset(open_states_of(LEGAL_MOVES))
"""In which something can still be done."""

_USUAL_TERMS: Final = ApprovalTerms()


@dataclass(frozen=True, slots=True)
class Witness:
    """A target's state as it was read: the fields that count, and their digest (SHA-256 over the
    canonical JSON of the state, 64 hexadecimal digits)."""

    digest: str
    state: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval as the gateway sees it. `digest` is the `action_digest` that it is bound to.

    `answered_by` and `comment` are None until somebody answered. `expires_at` is microseconds
    since the Unix epoch, UTC: until then it can be answered (PENDING) or used (APPROVED).
    `witness` is the digest of the state that the person was shown, None where none was taken;
    `terms` are those on which people were asked.
    """

    approval_id: str
    state: ApprovalState
    digest: str
    expires_at: int
    answered_by: str | None = None
    comment: str | None = None
    witness: str | None = None
    terms: ApprovalTerms = _USUAL_TERMS
