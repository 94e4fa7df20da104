"""The gate: which step follows a decision, an approval's state, and the database's answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.enforce import gate
from gateway.model.approval import Approval, ApprovalState
from gateway.model.decision import Permit
from gateway.model.effect import Effect, Mode
from tests.support.entries import a_decision, an_exchange

DIGEST = "d" * 64

STEPS: dict[str, tuple[Effect, Mode, bytes | None, gate.Step]] = {
    "an ALLOW is forwarded": (
        Effect.ALLOW, Mode.ENFORCE, b"", gate.Forward(Permit("req_1", "dec_1")),
    ),
    "a BLOCK is refused with its own reason": (
        Effect.BLOCK, Mode.ENFORCE, b"", gate.Refuse("WITHIN_LIMITS", "small refunds pass"),
    ),
    "a REQUIRE_APPROVAL is held": (Effect.REQUIRE_APPROVAL, Mode.ENFORCE, b"", gate.Hold()),
    "a REQUIRE_APPROVAL whose body streams can't be bound": (
        Effect.REQUIRE_APPROVAL, Mode.ENFORCE, None,
        gate.Refuse(
            "BODY_TOO_LARGE",
            "this action needs approval, and its body streams, or is longer than can be inspected",
        ),
    ),
    "an ALLOW may stream": (
        Effect.ALLOW, Mode.ENFORCE, None, gate.Forward(Permit("req_1", "dec_1")),
    ),
    "monitor lets a BLOCK pass": (
        Effect.BLOCK, Mode.MONITOR, b"", gate.Forward(Permit("req_1", "dec_1")),
    ),
    "monitor lets a REQUIRE_APPROVAL pass": (
        Effect.REQUIRE_APPROVAL, Mode.MONITOR, b"", gate.Forward(Permit("req_1", "dec_1")),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("effect", "mode", "body", "step"), STEPS.values(), ids=STEPS.keys())
def test_the_step_after_a_decision(
    effect: Effect, mode: Mode, body: bytes | None, step: gate.Step
) -> None:
    """Forward, hold or refuse."""
    decision = replace(a_decision(effect), mode=mode)
    assert gate.admit(an_exchange(body=body), decision, "dec_1") == step


ANSWERS = {
    ApprovalState.PENDING: ("APPROVAL_PENDING", "waiting for a person to answer approval apr_1"),
    ApprovalState.DENIED: ("APPROVAL_DENIED", "approval was denied by ada: not today"),
    ApprovalState.EXPIRED: ("APPROVAL_EXPIRED", "approval expired before it was used"),
    ApprovalState.LAPSED: ("APPROVAL_EXPIRED", "approval expired before it was used"),
    ApprovalState.CANCELLED: ("APPROVAL_CANCELLED", "approval was cancelled by ada: not today"),
    ApprovalState.CONSUMED: ("APPROVAL_ALREADY_USED", "was used by another request"),
}


@pytest.mark.parametrize("state", ApprovalState)
def test_what_an_approval_means(state: ApprovalState) -> None:
    """Only an APPROVED one may be consumed; only a PENDING one is worth asking again."""
    refuse = gate.answer(Approval("apr_1", state, DIGEST, 0, "ada", "not today"))
    if state is ApprovalState.APPROVED:
        assert refuse is None
        return
    assert refuse is not None
    code, words = ANSWERS[state]
    assert (refuse.code, refuse.approval_id) == (code, "apr_1")
    assert words in refuse.message
    assert (refuse.retry_after_seconds is not None) is (state is ApprovalState.PENDING)


def test_an_answer_without_a_name() -> None:
    """Nobody is named where nobody is known."""
    refuse = gate.answer(Approval("apr_1", ApprovalState.DENIED, DIGEST, 0))
    assert refuse is not None
    assert refuse.message == "approval was denied"


def test_release_needs_what_the_database_consumed() -> None:
    """A permit names the approval; without a consumed one there is none."""
    consumed = Approval("apr_1", ApprovalState.CONSUMED, DIGEST, 0)
    step = gate.release(an_exchange(), "dec_1", DIGEST, consumed)
    assert step == gate.Forward(Permit("req_1", "dec_1", "apr_1"))
    refused = gate.release(an_exchange(), "dec_1", DIGEST, None)
    assert isinstance(refused, gate.Refuse)
    assert refused.code == "APPROVAL_ALREADY_USED"


@pytest.mark.parametrize(
    "wrong",
    [
        Approval("apr_1", ApprovalState.APPROVED, DIGEST, 0),
        Approval("apr_1", ApprovalState.CONSUMED, "e" * 64, 0),
    ],
)
def test_release_of_anything_else_refuses(wrong: Approval) -> None:
    """An approval in another state, or of another act, never becomes a permit."""
    step = gate.release(an_exchange(), "dec_1", DIGEST, wrong)
    assert isinstance(step, gate.Refuse)
    assert step.code == "APPROVAL_ALREADY_USED"


def test_a_tunnel_has_a_permit_of_its_own() -> None:
    """Named after the tunnel, and of no approval."""
    assert gate.pass_through("tun_1") == Permit("tun_1", "tun_1")
