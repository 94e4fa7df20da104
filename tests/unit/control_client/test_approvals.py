"""The desk: what a person is shown, lost replies, outages, and answers that lie."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from gateway.control_client.approvals import (
    LOOKING_MAX,
    ControlPlaneDesk,
    parse_time,
    question_json,
)
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from gateway.model.action import Canonical
from gateway.model.approval import Approval, ApprovalState, Witness
from gateway.model.effect import Effect
from gateway.model.errors import ApprovalError
from gateway.ports import ApprovalAsk
from gateway.process.system import SystemClock
from tests.support.entries import AT, a_decision, an_action, an_exchange
from tests.support.fake_control_plane import KEY, FakeControlPlane, Scripted, fake_control_plane

DIGEST = "d" * 64


@pytest.fixture
async def plane() -> AsyncIterator[FakeControlPlane]:
    """A scripted control plane."""
    async with fake_control_plane() as fake:
        yield fake


@asynccontextmanager
async def desk_at(url: str, seconds_max: float) -> AsyncIterator[ControlPlaneDesk]:
    settings = ControlSettings(
        api_url=url,
        api_key=KEY,
        control_seconds_max=20.0,
        ask_seconds_max=seconds_max,
        consume_seconds_max=seconds_max,
        wait_retry_seconds_max=0.05,
    )
    client = ControlPlaneClient(settings)
    yield ControlPlaneDesk(client, settings, SystemClock())
    await client.close()


@pytest.fixture
async def desk(plane: FakeControlPlane) -> AsyncIterator[ControlPlaneDesk]:
    """A desk at it, with time for some retries."""
    async with desk_at(plane.url, 20) as desk:
        yield desk


@pytest.fixture
async def hasty_desk(plane: FakeControlPlane) -> AsyncIterator[ControlPlaneDesk]:
    """A desk that gives up soon, though not before a busy machine has answered once."""
    async with desk_at(plane.url, 1.0) as desk:
        yield desk


def an_ask(canonical: Canonical | None = None) -> ApprovalAsk:
    canonical = canonical or Canonical((an_action(),), "stripe", "stripe")
    decision = a_decision(Effect.REQUIRE_APPROVAL)
    return ApprovalAsk("dec_1", DIGEST, an_exchange(), canonical, decision, time.monotonic() + 60)


def approval(status: str = "PENDING", **changes: Any) -> dict[str, Any]:
    fields = {
        "approvalId": "apr-1",
        "status": status,
        "requestDigest": DIGEST,
        "expiresAt": "2025-11-21T04:40:00.123456Z",
        "resolvedBy": None,
        "comment": None,
        "terms": {
            "groups": [],
            "quorum": 1,
            "commentRequired": False,
            "escalateTo": [],
            "escalateAfterSeconds": None,
            "requesterLabels": [],
        },
    }
    return {"approval": {**fields, **changes}}


def test_a_batch_is_shown_whole() -> None:
    """Not only what comes first, because the answer is for all of it."""
    actions = tuple(an_action({"n": n}, f"ch_{n}") for n in range(7))
    params = question_json(an_ask(Canonical(actions, "stripe", "stripe")))["params"]
    assert isinstance(params, dict)
    assert [each["target"]["id"] for each in params["actions"]] == [f"ch_{n}" for n in range(7)]


def test_a_question_holds_no_secret() -> None:
    """It is stored and shown by another machine."""
    secret = "sk_live_abcdefghijkl"
    action = an_action({"password": "hunter2", "note": secret}, f"ch_{secret}")
    exchange = an_exchange(f"/v1/{secret}?key={secret}".encode(), secret.encode())
    ask = replace(an_ask(Canonical((action,), "stripe", "stripe")), exchange=exchange)
    text = str(question_json(ask))
    assert secret not in text
    assert "hunter2" not in text


async def test_a_lost_reply_is_asked_for_again(
    plane: FakeControlPlane, desk: ControlPlaneDesk
) -> None:
    """Asking joins, so twice is as good as once."""
    plane.script = ["cut", 503, "garbage"]
    plane.answers["/v1/approvals"] = approval(**question_json(an_ask()))
    found = await desk.ask(an_ask())
    assert (found.approval_id, found.state, found.expires_at) == (
        "apr-1", ApprovalState.PENDING, AT,
    )  # fmt: skip
    bodies = [call.body for call in plane.calls]
    assert len(bodies) == 4
    assert all(body == bodies[0] for body in bodies)


SHOWN: dict[str, Any] = {
    "another act": {"action": "get_balance"},
    "another operation": {"operation": "stripe.balance.retrieve"},
    "another sentence": {"summary": "get_balance"},
    "another target": {"target": {"type": "charge", "id": "ch_2"}},
    "other params": {"params": {"amount": 1}},
    "another place": {"path": "/v1/balance"},
    "nothing at all": {"params": None},
}


@pytest.mark.parametrize("changes", SHOWN.values(), ids=SHOWN)
async def test_a_question_that_says_something_else_is_not_joined(
    plane: FakeControlPlane, desk: ControlPlaneDesk, changes: dict[str, Any]
) -> None:
    """Somebody with a stolen gateway's key asked in harmless words, under the digest of this act:
    a person may have agreed to those. The question is void, and nothing waits for it."""
    forged = {**question_json(an_ask()), **changes}
    plane.answers["/v1/approvals"] = approval("APPROVED", **forged)
    plane.answers["/v1/approvals/apr-1/void"] = approval("CANCELLED")
    with pytest.raises(ApprovalError) as raised:
        await desk.ask(an_ask())
    assert raised.value.code == "approval.other_words"
    assert [call.path for call in plane.calls] == ["/v1/approvals", "/v1/approvals/apr-1/void"]


async def test_a_question_that_shows_another_state_under_the_same_digest_is_not_joined(
    plane: FakeControlPlane, desk: ControlPlaneDesk
) -> None:
    """The person saw an unpaid charge, and the digest is that of the paid one. Another state with
    its own digest is no forgery: the world has changed, and the gateway says so itself."""
    ask = replace(an_ask(), witness=Witness("a" * 64, {"paid": True}))
    for forged, is_joined in (
        ({"hash": "a" * 64, "state": {"paid": True}}, True),
        ({"hash": "a" * 64, "state": {"paid": False}}, False),
        ({"hash": "b" * 64, "state": {"paid": False}}, True),
        (None, True),
    ):
        question = {**question_json(ask), "witness": forged}
        plane.answers["/v1/approvals"] = approval("APPROVED", **question)
        plane.answers["/v1/approvals/apr-1/void"] = approval("CANCELLED")
        if is_joined:
            assert (await desk.ask(ask)).state is ApprovalState.APPROVED
            continue
        with pytest.raises(ApprovalError) as raised:
            await desk.ask(ask)
        assert raised.value.code == "approval.other_words"


async def test_a_lost_consumption_repeats_its_claim(
    plane: FakeControlPlane, desk: ControlPlaneDesk
) -> None:
    """The same claim id, so that the database knows it again."""
    plane.script = ["cut", "cut"]
    plane.answers["/v1/approvals/apr-1/consume"] = approval("CONSUMED")
    found = await desk.consume("apr-1", DIGEST, "dec_1")
    assert found is not None
    assert [call.body for call in plane.calls] == [
        {"requestDigest": DIGEST, "claimId": "dec_1"}
    ] * 3


async def test_what_cannot_be_consumed_is_none(
    plane: FakeControlPlane, desk: ControlPlaneDesk
) -> None:
    """An outcome, asked for once."""
    plane.script = [409]
    assert await desk.consume("apr-1", DIGEST, "dec_1") is None
    assert len(plane.calls) == 1


async def test_an_outage_during_a_wait_is_a_longer_wait(
    plane: FakeControlPlane, desk: ControlPlaneDesk
) -> None:
    """The control plane restarts; the person's answer still arrives."""
    plane.script = ["cut", 503, "cut", "html"]
    plane.answers["/v1/approvals/apr-1"] = approval("APPROVED", resolvedBy="alice")
    found = await desk.wait("apr-1", 10)
    assert (found.state, found.answered_by) == (ApprovalState.APPROVED, "alice")
    assert len(plane.calls) == 5


async def test_an_outage_longer_than_the_wait_is_a_fault(
    plane: FakeControlPlane, desk: ControlPlaneDesk
) -> None:
    """Nobody knows the state, so nothing is claimed."""
    plane.script = ["cut"] * 1_000
    with pytest.raises(ApprovalError) as caught:
        await desk.wait("apr-1", 0.2)
    assert caught.value.code == "approval.unavailable"


async def test_a_gone_control_plane_is_a_fault_within_the_deadline(
    plane: FakeControlPlane, hasty_desk: ControlPlaneDesk
) -> None:
    """Asking and consuming give up: with the last answer, or while they wait for one more."""
    plane.script = [503] * 1_000
    async with asyncio.timeout(30):
        with pytest.raises(ApprovalError, match=r"answered 503|did not answer in time"):
            await hasty_desk.ask(an_ask())
        with pytest.raises(ApprovalError, match=r"answered 503|did not answer in time"):
            await hasty_desk.consume("apr-1", DIGEST, "dec_1")
    assert {call.path.rpartition("/")[2] for call in plane.calls} == {"approvals", "consume"}


FINAL: dict[str, Scripted] = {"a wrong key": 401, "no permission": 403, "a bad request": 400}


@pytest.mark.parametrize("what", FINAL)
async def test_what_trying_again_cannot_help_is_not_tried_again(
    plane: FakeControlPlane, desk: ControlPlaneDesk, what: str
) -> None:
    """One call, one fault."""
    calls: tuple[Callable[[], Awaitable[Approval]], ...] = (
        lambda: desk.ask(an_ask()),
        lambda: desk.wait("apr-1", 5),
    )
    for call in calls:
        plane.calls.clear()
        plane.script = [FINAL[what]]
        with pytest.raises(ApprovalError):
            await call()
        assert len(plane.calls) == 1


async def test_what_was_answered_is_used_while_others_wait_for_their_look(
    plane: FakeControlPlane, desk: ControlPlaneDesk
) -> None:
    """Its judgement is of now: behind a thousand looks it would be of some while ago."""
    plane.answers["/v1/approvals/apr-1/consume"] = approval("CONSUMED")
    async with AsyncExitStack() as taken, asyncio.timeout(5):
        for _ in range(LOOKING_MAX):
            await taken.enter_async_context(desk._looking.take(1))
        found = await desk.consume("apr-1", DIGEST, "dec_1")
    assert found is not None
    assert found.state is ApprovalState.CONSUMED


LIES: dict[str, dict[str, Any]] = {
    "another digest": approval("CONSUMED", requestDigest="e" * 64),
    "another approval": approval("CONSUMED", approvalId="apr-2"),
    "not consumed": approval("APPROVED"),
    "a state that is none": approval("MAYBE"),
    "no state": {"approval": {"approvalId": "apr-1"}},
    "no time": approval("CONSUMED", expiresAt="soon"),
    "a time without an offset": approval("CONSUMED", expiresAt="2026-01-01T00:00:00"),
    "no approval": {"approval": None},
}


@pytest.mark.parametrize("what", LIES)
async def test_a_lying_control_plane_releases_nothing(
    plane: FakeControlPlane, hasty_desk: ControlPlaneDesk, what: str
) -> None:
    """A consumption counts only for the very act that was asked about."""
    plane.answers["/v1/approvals/apr-1/consume"] = LIES[what]
    with pytest.raises(ApprovalError):
        await hasty_desk.consume("apr-1", DIGEST, "dec_1")


async def test_an_answer_about_another_act_is_not_waited_for(
    plane: FakeControlPlane, desk: ControlPlaneDesk
) -> None:
    """Asking checks the digest, waiting the id."""
    plane.answers["/v1/approvals"] = approval(requestDigest="e" * 64)
    plane.answers["/v1/approvals/apr-1"] = approval("APPROVED", approvalId="apr-2")
    with pytest.raises(ApprovalError, match="another action"):
        await desk.ask(an_ask())
    with pytest.raises(ApprovalError, match="another action"):
        await desk.wait("apr-1", 5)


def test_a_time_is_read_to_the_microsecond() -> None:
    """Whatever its offset."""
    assert parse_time("2025-11-21T04:40:00.123456Z") == AT
    assert parse_time("2025-11-21T05:40:00.123456+01:00") == AT
