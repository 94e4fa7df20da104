"""What every `ApprovalDesk` promises: the fake, and the client of a real control plane."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from gateway.control_client.approvals import ControlPlaneDesk
from gateway.control_client.client import ControlPlaneClient
from gateway.control_client.settings import ControlSettings
from gateway.model.action import Canonical
from gateway.model.approval import ApprovalEvent, ApprovalState, Witness
from gateway.model.effect import ApprovalTerms, Effect, Escalation
from gateway.model.errors import ApprovalError
from gateway.ports import ApprovalAsk, ApprovalDesk
from gateway.process.system import SystemClock
from tests.support.control_plane import running_plane
from tests.support.entries import a_decision, an_action, an_exchange
from tests.support.fake_desk import FakeDesk

Answer = Callable[[str, ApprovalEvent], Awaitable[None]]

_RESOLUTIONS = {
    ApprovalEvent.APPROVE: "APPROVE",
    ApprovalEvent.REJECT: "REJECT",
    ApprovalEvent.CANCEL: "CANCEL",
}


@dataclass
class Subject:
    """A desk and the person behind it."""

    desk: ApprovalDesk
    answer: Answer


@pytest.fixture(params=["fake", "control plane"])
def database(request: pytest.FixtureRequest) -> tuple[EmbeddedPostgres, str] | None:
    """The database of the real one; none for the fake. Not in the loop: the server has its own."""
    if request.param == "fake":
        return None
    return request.getfixturevalue("postgres_server"), request.getfixturevalue("database_name")


@pytest.fixture
async def subject(
    database: tuple[EmbeddedPostgres, str] | None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Subject]:
    """Each desk in turn."""
    clock = SystemClock()
    if database is None:
        fake = FakeDesk(clock)

        async def answer_fake(approval_id: str, event: ApprovalEvent) -> None:
            fake.answer(approval_id, event, by="alice", why="seen")

        yield Subject(fake, answer_fake)
        return
    server, name = database
    home = tmp_path_factory.getbasetemp() / name
    home.mkdir(exist_ok=True)
    async with running_plane(server, name, home) as plane:

        async def answer(approval_id: str, event: ApprovalEvent) -> None:
            resolution = _RESOLUTIONS[event]
            told = await plane.resolve(approval_id, resolution, resolvedBy="alice", reason="seen")
            assert told.status == 200, told

        settings = ControlSettings(api_url=plane.url, api_key=plane.keys["gateway"])
        client = ControlPlaneClient(settings)
        yield Subject(ControlPlaneDesk(client, settings, clock), answer)
        await client.close()


def an_ask(digest: str, agent: str = "agent", decision_id: str = "dec_1") -> ApprovalAsk:
    canonical = Canonical((an_action(),), "stripe", "stripe")
    exchange = an_exchange(agent=agent)
    decision = a_decision(Effect.REQUIRE_APPROVAL)
    return ApprovalAsk(decision_id, digest, exchange, canonical, decision, time.monotonic() + 60)


@pytest.fixture
def digest(request: pytest.FixtureRequest) -> str:
    """Of this test's own act."""
    return hashlib.sha256(request.node.name.encode()).hexdigest()


async def test_a_question_is_pending_until_it_is_answered(subject: Subject, digest: str) -> None:
    """Bound to its digest, and open for as long as its terms say."""
    approval = await subject.desk.ask(an_ask(digest))
    assert (approval.state, approval.digest) == (ApprovalState.PENDING, digest)
    assert approval.answered_by is None
    assert 0 < approval.expires_at - SystemClock().now() <= 1_800_000_000
    assert await subject.desk.consume(approval.approval_id, digest, "claim") is None


async def test_the_same_act_joins_whatever_its_params_are(subject: Subject, digest: str) -> None:
    """Lists, objects, texts that are not plain: what was stored is what is asked again."""
    params = {"to": ("a@x.test", "b@x.test"), "deep": {"b": [1, None], "a": True}, "text": "ä\n�"}
    canonical = Canonical((an_action(params),), "stripe", "stripe")
    ask = replace(an_ask(digest), canonical=canonical)
    first = await subject.desk.ask(ask)
    batch = Canonical((an_action(params), an_action()), "stripe", "stripe")
    assert (await subject.desk.ask(ask)).approval_id == first.approval_id
    other = replace(ask, digest=hashlib.sha256(digest.encode()).hexdigest(), canonical=batch)
    assert await subject.desk.ask(other) == await subject.desk.ask(other)


async def test_the_same_act_joins(subject: Subject, digest: str) -> None:
    """Pending or approved; another agent's or another act is another question."""
    first = await subject.desk.ask(an_ask(digest))
    again = await subject.desk.ask(an_ask(digest, decision_id="dec_2"))
    assert again.approval_id == first.approval_id
    other_agent = await subject.desk.ask(an_ask(digest, agent="other"))
    other_act = await subject.desk.ask(an_ask(hashlib.sha256(digest.encode()).hexdigest()))
    found = {first.approval_id, other_agent.approval_id, other_act.approval_id}
    assert len(found) == 3
    await subject.answer(first.approval_id, ApprovalEvent.APPROVE)
    joined = await subject.desk.ask(an_ask(digest))
    assert (joined.approval_id, joined.state) == (first.approval_id, ApprovalState.APPROVED)


ANSWERS = {
    "approved": (ApprovalEvent.APPROVE, ApprovalState.APPROVED),
    "denied": (ApprovalEvent.REJECT, ApprovalState.DENIED),
    "cancelled": (ApprovalEvent.CANCEL, ApprovalState.CANCELLED),
}


@pytest.mark.parametrize("what", ANSWERS)
async def test_waiting_ends_with_the_answer(subject: Subject, digest: str, what: str) -> None:
    """Long before the limit, with who answered and why."""
    event, state = ANSWERS[what]
    approval = await subject.desk.ask(an_ask(digest))
    waiting = asyncio.create_task(subject.desk.wait(approval.approval_id, 60))
    await asyncio.sleep(0)
    await subject.answer(approval.approval_id, event)
    async with asyncio.timeout(10):
        answered = await waiting
    assert (answered.state, answered.answered_by, answered.comment) == (state, "alice", "seen")
    assert answered.digest == digest


async def test_waiting_ends_with_the_limit(subject: Subject, digest: str) -> None:
    """Then the approval is as it is, and stands."""
    approval = await subject.desk.ask(an_ask(digest))
    seen = await subject.desk.wait(approval.approval_id, 0.05)
    assert seen.state is ApprovalState.PENDING
    assert (await subject.desk.wait(approval.approval_id, 0)).state is ApprovalState.PENDING


async def test_an_approval_is_used_once(subject: Subject, digest: str) -> None:
    """The same claim may ask again, because a reply may be lost; another gets nothing."""
    approval_id = (await subject.desk.ask(an_ask(digest))).approval_id
    await subject.answer(approval_id, ApprovalEvent.APPROVE)
    consumed = await subject.desk.consume(approval_id, digest, "claim-1")
    assert consumed is not None
    assert (consumed.state, consumed.digest) == (ApprovalState.CONSUMED, digest)
    again = await subject.desk.consume(approval_id, digest, "claim-1")
    assert again is not None
    assert again.state is ApprovalState.CONSUMED
    assert await subject.desk.consume(approval_id, digest, "claim-2") is None
    fresh = await subject.desk.ask(an_ask(digest))
    assert fresh.approval_id != approval_id


async def test_of_many_claims_one_wins(subject: Subject, digest: str) -> None:
    """At the same moment."""
    approval_id = (await subject.desk.ask(an_ask(digest))).approval_id
    await subject.answer(approval_id, ApprovalEvent.APPROVE)
    claims = (subject.desk.consume(approval_id, digest, f"claim-{n}") for n in range(8))
    results = await asyncio.gather(*claims)
    assert sum(result is not None for result in results) == 1


async def test_another_act_cannot_use_it(subject: Subject, digest: str) -> None:
    """The digest must be the one that was approved."""
    approval_id = (await subject.desk.ask(an_ask(digest))).approval_id
    await subject.answer(approval_id, ApprovalEvent.APPROVE)
    other = hashlib.sha256(b"other").hexdigest()
    assert await subject.desk.consume(approval_id, other, "claim") is None
    assert await subject.desk.consume(approval_id, digest, "claim") is not None


async def test_an_approval_that_nobody_knows_is_a_fault(subject: Subject) -> None:
    """Not an outcome: the caller refuses."""
    with pytest.raises(ApprovalError):
        await subject.desk.wait("00000000-0000-4000-8000-000000000000", 1)


async def test_the_witness_of_a_question_comes_back_with_it(subject: Subject, digest: str) -> None:
    """The state that the person was shown, by its digest; who joins gets the first one's."""
    shown = Witness("a" * 64, {"amount": 100, "status": "open"})
    ask = replace(an_ask(digest), witness=shown)
    assert (await subject.desk.ask(ask)).witness == "a" * 64
    later = replace(ask, decision_id="dec_2", witness=Witness("b" * 64, {"amount": 101}))
    approval = await subject.desk.ask(later)
    assert approval.witness == "a" * 64
    assert (await subject.desk.wait(approval.approval_id, 0)).witness == "a" * 64


async def test_the_words_tell_of_the_state_that_was_shown(subject: Subject, digest: str) -> None:
    """Whose charge it is stands in the sentence; another state later is no other question."""
    shown = Witness("a" * 64, {"currency": "usd", "customer": "cus_1"})
    first = await subject.desk.ask(replace(an_ask(digest), witness=shown))
    later = Witness("b" * 64, {"currency": "eur", "customer": "cus_2"})
    for witness in (later, None, shown):
        joined = await subject.desk.ask(replace(an_ask(digest), witness=witness))
        assert joined.approval_id == first.approval_id


async def test_all_terms_come_back_with_the_question(subject: Subject, digest: str) -> None:
    """So that what they are enough for can be told."""
    terms = ApprovalTerms(
        ("finance",),
        2,
        comment_required=True,
        escalation=Escalation(("leads",), 600),
        requester_labels=("owner",),
    )
    asking = replace(a_decision(Effect.REQUIRE_APPROVAL), terms=terms)
    approval = await subject.desk.ask(replace(an_ask(digest), decision=asking))
    assert approval.terms == terms
    assert (await subject.desk.wait(approval.approval_id, 0)).terms.satisfies(terms)


VOID = "WITNESS_HASH_MISMATCH"


async def test_who_joins_is_told_the_terms_of_the_question(subject: Subject, digest: str) -> None:
    """Whatever terms the joining request has: the first asked on its own."""
    strict = replace(a_decision(Effect.REQUIRE_APPROVAL), terms=ApprovalTerms(("finance",), 2))
    first = await subject.desk.ask(replace(an_ask(digest), decision=strict))
    assert (first.terms.groups, first.terms.quorum) == (("finance",), 2)
    joined = await subject.desk.ask(an_ask(digest, decision_id="dec_2"))
    assert joined.approval_id == first.approval_id
    assert (joined.terms.groups, joined.terms.quorum) == (("finance",), 2)
    await subject.desk.void(first.approval_id, "APPROVAL_TERMS_CHANGED")
    assert (await subject.desk.ask(an_ask(digest))).terms.quorum == 1


async def test_what_is_void_is_never_used_and_asked_anew(subject: Subject, digest: str) -> None:
    """Pending or approved; a second time, or after it was used, changes nothing."""
    for event in (None, ApprovalEvent.APPROVE):
        approval_id = (await subject.desk.ask(an_ask(digest))).approval_id
        if event is not None:
            await subject.answer(approval_id, event)
        for _ in range(2):
            await subject.desk.void(approval_id, VOID)
        assert (await subject.desk.wait(approval_id, 0)).state is ApprovalState.CANCELLED
        assert await subject.desk.consume(approval_id, digest, "claim") is None
        assert (await subject.desk.ask(an_ask(digest))).approval_id != approval_id
    used = (await subject.desk.ask(an_ask(digest))).approval_id
    await subject.answer(used, ApprovalEvent.APPROVE)
    await subject.desk.consume(used, digest, "claim")
    await subject.desk.void(used, VOID)
    assert (await subject.desk.wait(used, 0)).state is ApprovalState.CONSUMED
