"""What happens next to a decided request: forward, hold, or refuse. Pure.

INVARIANT(permit): this file alone makes a `Permit`.
"""

from __future__ import annotations

from typing import assert_never

from gateway.model.approval import Approval, ApprovalState
from gateway.model.dataclass import dataclass
from gateway.model.decision import Decision, Permit, ReasonCode
from gateway.model.effect import Effect
from gateway.model.exchange import Exchange
from gateway.model.quick import quick
from gateway.model.stop import Stop


@quick
@dataclass(frozen=True, slots=True)
class Forward:
    permit: Permit


@dataclass(frozen=True, slots=True)
class Hold:
    pass


@dataclass(frozen=True, slots=True)
class Refuse:
    """`code` is a reason code; `message` the sentence that the agent reads.
    `retry_after_seconds` is set where the same action sent again may be answered differently."""

    code: str
    message: str
    approval_id: str | None = None
    retry_after_seconds: int | None = None


Step = Forward | Hold | Refuse

PENDING_RETRY_AFTER_SECONDS = 5
"""How soon a client should send a pending action again: it then waits on the open request
anyway."""


def admit(exchange: Exchange, decision: Decision, decision_id: str) -> Step:
    """Turn a decision into the next step."""
    if decision.passes:
        return Forward(Permit(exchange.request_id, decision_id))
    match decision.effect:
        case Effect.BLOCK:
            return Refuse(decision.reason_code, decision.message)
        case Effect.REQUIRE_APPROVAL:
            if exchange.request.body is None:
                return Refuse(
                    ReasonCode.BODY_TOO_LARGE,
                    "this action needs approval, and its body streams, or is longer than can be "
                    "inspected",
                )
            return Hold()
        case Effect.ALLOW:
            raise AssertionError("an ALLOW passes")
        case _:
            assert_never(decision.effect)


def answer(approval: Approval) -> Refuse | None:
    """The refusal that an approval's state means; None when it is approved and may be consumed."""
    by = f" by {approval.answered_by}" if approval.answered_by else ""
    why = f": {approval.comment}" if approval.comment else ""
    match approval.state:
        case ApprovalState.APPROVED:
            return None
        case ApprovalState.PENDING:
            return Refuse(
                ReasonCode.APPROVAL_PENDING,
                f"waiting for a person to answer approval {approval.approval_id}; "
                "send the same request again to keep waiting",
                approval.approval_id,
                PENDING_RETRY_AFTER_SECONDS,
            )
        case ApprovalState.DENIED:
            code, message = ReasonCode.APPROVAL_DENIED, f"approval was denied{by}{why}"
        case ApprovalState.EXPIRED | ApprovalState.LAPSED:
            code, message = ReasonCode.APPROVAL_EXPIRED, "approval expired before it was used"
        case ApprovalState.CANCELLED:
            code, message = ReasonCode.APPROVAL_CANCELLED, f"approval was cancelled{by}{why}"
        case ApprovalState.CONSUMED:
            return already_used(approval)
        case _:
            assert_never(approval.state)
    return Refuse(code, message, approval.approval_id)


def release(
    exchange: Exchange, decision_id: str, digest: str, consumed: Approval | None
) -> Forward | Refuse:
    """Turn the database's answer to `consume` into the next step; whatever is not this very act,
    consumed, refuses."""
    if (
        consumed is None
        or consumed.state is not ApprovalState.CONSUMED
        or consumed.digest != digest
    ):
        return Refuse(
            ReasonCode.APPROVAL_ALREADY_USED,
            "the approval for this action was already used or is no longer valid",
        )
    return Forward(Permit(exchange.request_id, decision_id, consumed.approval_id))


def pass_through(tunnel_id: str) -> Permit:
    """The permit of a tunnel to a host that configuration names as not inspected."""
    return Permit(tunnel_id, tunnel_id)


def read_witness(read: Exchange, decision_id: str) -> Permit:
    """The permit of the read by which a held request's target is looked at."""
    assert read.request.method in ("GET", "HEAD")
    return Permit(read.request_id, decision_id)


def world_changed(approval: Approval) -> Refuse:
    """The target is not in the state that the person was shown."""
    return Refuse(
        ReasonCode.WITNESS_HASH_MISMATCH,
        "what this action is about has changed since a person was asked; send the request again "
        "to ask anew",
        approval.approval_id,
    )


def terms_changed(approval: Approval) -> Refuse:
    """The rules want more than the terms on which the person was asked."""
    return Refuse(
        ReasonCode.APPROVAL_TERMS_CHANGED,
        "the rules want an approval on stricter terms than it was asked for on; send the request "
        "again to ask anew",
        approval.approval_id,
    )


def is_enough(decision: Decision, approval: Approval) -> bool:
    """Whether people were asked on terms that are strict enough for a decision, and shown what it
    wants them to see."""
    wanted = decision.terms
    if wanted is None:
        return True
    is_shown = approval.witness is not None or not wanted.witness_required
    return is_shown and approval.terms.satisfies(wanted)


def decided_again(decision: Decision, approval: Approval, is_same_act: bool) -> Refuse | None:
    """What the rules of now say to an approval that was asked for by others; None where it
    stands. `is_same_act`: the mappers of now read the request as the act that people saw."""
    if not is_same_act:
        return Refuse(
            ReasonCode.POLICY_CHANGED,
            "this request is read as another action now than the one that a person was asked "
            "about; send it again to ask anew",
            approval.approval_id,
        )
    if decision.effect is Effect.BLOCK and not decision.passes:
        return Refuse(decision.reason_code, decision.message, approval.approval_id)
    return None if is_enough(decision, approval) else terms_changed(approval)


def already_used(approval: Approval) -> Refuse:
    """Another request of the same action has used the approval that this one waited for."""
    return Refuse(
        ReasonCode.APPROVAL_ALREADY_USED,
        "the approval for this action was used by another request",
        approval.approval_id,
    )


def holds_full() -> Refuse:
    """There is no place left to wait at."""
    return Refuse(
        ReasonCode.HOLDS_FULL,
        "too many requests of this agent wait for approval",
        retry_after_seconds=PENDING_RETRY_AFTER_SECONDS,
    )


def stopped(stop: Stop) -> Refuse:
    """The kill switch was pulled while the request waited."""
    return Refuse(ReasonCode.KILL_SWITCH, stop.message)
