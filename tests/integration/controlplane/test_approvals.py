"""Approvals over HTTP on a real database: every move, every loser, every clock."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from controlplane.store.embedded import EmbeddedPostgres
from tests.support.control_plane import (
    BY_MESSAGE_ALONE,
    TOLD_SECONDS_MAX,
    Client,
    ask_body,
    limits_with,
    running_plane,
)

STATES = {
    "PENDING": [],
    "APPROVED": ["APPROVE"],
    "DENIED": ["REJECT"],
    "CANCELLED": ["CANCEL"],
    "CONSUMED": ["APPROVE", "CONSUME"],
}
"""How each state that lasts is reached."""


@dataclass(frozen=True)
class Move:
    """From a state by an act to an HTTP status, and the state that it then is in."""

    state: str
    act: str
    status: int
    code: str
    then: str


PENDING_LOST = (409, "APPROVAL_NOT_PENDING")
CONSUME_LOST = (409, "APPROVAL_NOT_CONSUMABLE")

MOVES = {
    "a pending one is approved": Move("PENDING", "APPROVE", 200, "", "APPROVED"),
    "a pending one is rejected": Move("PENDING", "REJECT", 200, "", "DENIED"),
    "a pending one is cancelled": Move("PENDING", "CANCEL", 200, "", "CANCELLED"),
    "a pending one can't be used": Move("PENDING", "CONSUME", *CONSUME_LOST, "PENDING"),
    "an approved one is not approved again": Move("APPROVED", "APPROVE", *PENDING_LOST, "APPROVED"),
    "an approved one can't be rejected": Move("APPROVED", "REJECT", *PENDING_LOST, "APPROVED"),
    "an approved one is withdrawn": Move("APPROVED", "CANCEL", 200, "", "CANCELLED"),
    "an approved one is used": Move("APPROVED", "CONSUME", 200, "", "CONSUMED"),
    "a denied one stays denied": Move("DENIED", "APPROVE", *PENDING_LOST, "DENIED"),
    "a denied one is not denied again": Move("DENIED", "REJECT", *PENDING_LOST, "DENIED"),
    "a denied one can't be cancelled": Move("DENIED", "CANCEL", *PENDING_LOST, "DENIED"),
    "a denied one can't be used": Move("DENIED", "CONSUME", *CONSUME_LOST, "DENIED"),
    "a cancelled one can't be approved": Move("CANCELLED", "APPROVE", *PENDING_LOST, "CANCELLED"),
    "a cancelled one can't be rejected": Move("CANCELLED", "REJECT", *PENDING_LOST, "CANCELLED"),
    "a cancelled one can't be used": Move("CANCELLED", "CONSUME", *CONSUME_LOST, "CANCELLED"),
    "a used one can't be approved": Move("CONSUMED", "APPROVE", *PENDING_LOST, "CONSUMED"),
    "a used one can't be rejected": Move("CONSUMED", "REJECT", *PENDING_LOST, "CONSUMED"),
    "a used one can't be cancelled": Move("CONSUMED", "CANCEL", *PENDING_LOST, "CONSUMED"),
    "a used one can't be used by another": Move("CONSUMED", "CONSUME", *CONSUME_LOST, "CONSUMED"),
}


async def _act(client: Client, approval: dict, act: str, claim: str = "claim"):
    if act == "CONSUME":
        return await client.consume(approval, claim)
    return await client.resolve(approval["approvalId"], act)


async def test_every_move_ends_where_the_table_says(client: Client):
    """Legal moves answer 200 and move; all others answer 409 and move nothing."""
    for name, move in MOVES.items():
        approval = await client.ask()
        for act in STATES[move.state]:
            assert (await _act(client, approval, act, "first")).status == 200, name
        answer = await _act(client, approval, move.act, "second")
        assert (answer.status, answer.code) == (move.status, move.code), name
        assert await client.status_of(approval["approvalId"]) == move.then, name


async def test_an_asked_approval_tells_everything_that_was_asked(client: Client):
    """What the reviewer reads is what the gateway said, with a time limit beside it."""
    body = ask_body(timeout=600, runId="run_7")
    answer = await client.call("POST", "/v1/approvals", body, "gateway")
    assert answer.status == 201
    approval = answer.body["approval"]
    same = [name for name in body if name != "terms"]
    assert {name: approval[name] for name in same} == {name: body[name] for name in same}
    assert approval["terms"] == body["terms"]
    assert approval["status"] == "PENDING"
    assert approval["createdAt"].endswith("Z")
    assert approval["expiresAt"] > approval["createdAt"]
    assert (approval["resolvedAt"], approval["resolvedBy"], approval["consumedAt"]) == (None,) * 3


async def test_the_answer_names_who_gave_it(client: Client):
    """The given name is kept; without one the key's name stands; the key's id is always there."""
    one, two = await client.ask(), await client.ask()
    named = await client.resolve(one["approvalId"], "REJECT", resolvedBy="alice", reason="no")
    plain = await client.resolve(two["approvalId"], "APPROVE")
    assert (named.body["approval"]["resolvedBy"], named.body["approval"]["comment"]) == (
        "alice",
        "no",
    )
    assert plain.body["approval"]["resolvedBy"] == "admin"
    assert uuid.UUID(plain.body["approval"]["resolvedByKey"])
    assert named.body["approval"]["resolvedByKey"] == plain.body["approval"]["resolvedByKey"]


async def test_the_same_act_joins_while_it_is_open_and_is_asked_anew_after(client: Client):
    """PENDING and APPROVED are joined (200); once used, the next ask is a new question (201)."""
    body = ask_body()
    first = await client.call("POST", "/v1/approvals", body, "gateway")
    joined = await client.call("POST", "/v1/approvals", {**body, "decisionId": "d2"}, "gateway")
    assert (first.status, joined.status) == (201, 200)
    approval = first.body["approval"]
    assert joined.body["approval"]["approvalId"] == approval["approvalId"]
    await client.resolve(approval["approvalId"], "APPROVE")
    approved = await client.call("POST", "/v1/approvals", body, "gateway")
    assert approved.body["approval"]["status"] == "APPROVED"
    await client.consume(approval, "c")
    anew = await client.call("POST", "/v1/approvals", body, "gateway")
    assert anew.status == 201
    assert anew.body["approval"]["approvalId"] != approval["approvalId"]


async def test_another_agent_never_joins(client: Client):
    """The same digest from another agent is another question."""
    body = ask_body()
    one = await client.call("POST", "/v1/approvals", body, "gateway")
    two = await client.call("POST", "/v1/approvals", {**body, "agent": "other"}, "gateway")
    assert (one.status, two.status) == (201, 201)


async def test_the_same_claim_reads_its_answer_again(client: Client):
    """A lost reply can be asked for again; another claim or another digest gets nothing."""
    approval = await client.ask()
    await client.resolve(approval["approvalId"], "APPROVE")
    first = await client.consume(approval, "mine")
    again = await client.consume(approval, "mine")
    assert (first.status, again.status) == (200, 200)
    assert again.body["approval"]["consumedAt"] == first.body["approval"]["consumedAt"]
    assert (await client.consume(approval, "theirs")).code == "APPROVAL_NOT_CONSUMABLE"
    forged = {**approval, "requestDigest": "f" * 64}
    assert (await client.consume(forged, "mine")).code == "APPROVAL_NOT_CONSUMABLE"


async def test_an_approval_is_not_used_for_another_act(client: Client):
    """The digest must be the approved one, and a wrong try uses nothing up."""
    approval = await client.ask()
    await client.resolve(approval["approvalId"], "APPROVE")
    forged = await client.consume({**approval, "requestDigest": "e" * 64}, "c")
    assert (forged.status, forged.code) == (409, "APPROVAL_NOT_CONSUMABLE")
    assert (await client.consume(approval, "c")).status == 200


async def test_fifty_concurrent_uses_let_exactly_one_through(client: Client):
    """INVARIANT(consumed-once)."""
    approval = await client.ask()
    await client.resolve(approval["approvalId"], "APPROVE")
    answers = await asyncio.gather(
        *(client.consume(approval, f"claim-{number}") for number in range(50))
    )
    assert sorted(answer.status for answer in answers) == [200] + [409] * 49


async def test_thirty_concurrent_asks_end_in_one_row(client: Client):
    """INVARIANT(one-question)."""
    body = ask_body()
    answers = await asyncio.gather(
        *(client.call("POST", "/v1/approvals", body, "gateway") for _ in range(30))
    )
    assert len({answer.body["approval"]["approvalId"] for answer in answers}) == 1
    assert sorted(answer.status for answer in answers) == [200] * 29 + [201]


async def test_of_approve_and_reject_one_wins(client: Client):
    """Twenty races: one 200, one 409, and the state is the winner's."""
    for _ in range(20):
        approval_id = (await client.ask())["approvalId"]
        yes, no = await asyncio.gather(
            client.resolve(approval_id, "APPROVE"), client.resolve(approval_id, "REJECT")
        )
        assert {yes.status, no.status} == {200, 409}
        expected = "APPROVED" if yes.status == 200 else "DENIED"
        assert await client.status_of(approval_id) == expected


async def test_a_withdrawal_races_a_use_and_one_wins(client: Client):
    """Never both: what was withdrawn was not used, what was used was not withdrawn."""
    for _ in range(20):
        approval = await client.ask()
        await client.resolve(approval["approvalId"], "APPROVE")
        used, withdrawn = await asyncio.gather(
            client.consume(approval, "c"), client.resolve(approval["approvalId"], "CANCEL")
        )
        assert {used.status, withdrawn.status} == {200, 409}


async def test_a_question_expires_by_the_database_clock(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
):
    """Without any sweeper: it reads EXPIRED, can't be answered, and is asked anew."""
    limits = limits_with(sweep_seconds=3600.0)
    async with running_plane(postgres_server, database_name, data_dir, limits) as client:
        body = ask_body(timeout=1)
        first = (await client.call("POST", "/v1/approvals", body, "gateway")).body["approval"]
        await _until(client, first["approvalId"], "EXPIRED")
        late = await client.resolve(first["approvalId"], "APPROVE")
        assert (late.status, late.code) == (409, "APPROVAL_NOT_PENDING")
        assert late.body["error"]["status"] == "EXPIRED"
        listed = await client.call("GET", "/v1/approvals?status=EXPIRED")
        assert first["approvalId"] in [one["approvalId"] for one in listed.body["approvals"]]
        anew = await client.call("POST", "/v1/approvals", body, "gateway")
        assert anew.status == 201


async def test_an_unused_approval_lapses(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
):
    """After its usable time it can't be used, and the act is asked anew."""
    limits = limits_with(approved_seconds_max=0.3, sweep_seconds=3600.0)
    async with running_plane(postgres_server, database_name, data_dir, limits) as client:
        approval = await client.ask()
        await client.resolve(approval["approvalId"], "APPROVE")
        await _until(client, approval["approvalId"], "LAPSED")
        late = await client.consume(approval, "c")
        assert (late.status, late.code) == (409, "APPROVAL_NOT_CONSUMABLE")
        body = ask_body(requestDigest=approval["requestDigest"])
        assert (await client.call("POST", "/v1/approvals", body, "gateway")).status == 201


async def _until(client: Client, approval_id: str, status: str) -> None:
    """Ask until the database's clock has brought the status; the test's timeout bounds it."""
    deadline = time.monotonic() + 10
    while await client.status_of(approval_id) != status:
        assert time.monotonic() < deadline, f"{status} never came"
        await asyncio.sleep(0.05)


async def test_a_long_poll_ends_at_once_on_an_answer(told: Client):
    """The waiter reads APPROVED long before its 20 seconds are over."""
    approval_id = (await told.ask())["approvalId"]
    waiting = asyncio.create_task(
        told.call("GET", f"/v1/approvals/{approval_id}?waitSeconds=20", key="gateway")
    )
    while told.plane.metrics.waiting.collect()[0].samples[0].value < 1:
        await asyncio.sleep(0.005)
    started = time.monotonic()
    await told.resolve(approval_id, "APPROVE")
    answer = await waiting
    assert answer.body["approval"]["status"] == "APPROVED"
    assert time.monotonic() - started < TOLD_SECONDS_MAX


async def test_a_long_poll_ends_with_what_there_is(client: Client):
    """Nobody answered: it is PENDING still, and 200."""
    approval_id = (await client.ask())["approvalId"]
    answer = await client.call("GET", f"/v1/approvals/{approval_id}?waitSeconds=0.2")
    assert (answer.status, answer.body["approval"]["status"]) == (200, "PENDING")


async def test_a_long_poll_on_one_replica_wakes_by_an_answer_on_the_other(
    told: Client, postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
):
    """Two control planes share the database and nothing else."""
    async with running_plane(postgres_server, database_name, data_dir) as other:
        approval_id = (await told.ask())["approvalId"]
        waiting = asyncio.create_task(
            told.call("GET", f"/v1/approvals/{approval_id}?waitSeconds=20")
        )
        while told.plane.metrics.waiting.collect()[0].samples[0].value < 1:
            await asyncio.sleep(0.005)
        started = time.monotonic()
        await other.resolve(approval_id, "REJECT")
        assert (await waiting).body["approval"]["status"] == "DENIED"
        assert time.monotonic() - started < TOLD_SECONDS_MAX


async def test_shutdown_ends_long_polls_with_an_answer(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
):
    """A stopping control plane answers its waiters instead of cutting them off."""
    at = (postgres_server, database_name, data_dir)
    async with running_plane(*at, BY_MESSAGE_ALONE) as client:
        approval_id = (await client.ask())["approvalId"]
        waiting = asyncio.create_task(
            client.call("GET", f"/v1/approvals/{approval_id}?waitSeconds=20")
        )
        while client.plane.metrics.waiting.collect()[0].samples[0].value < 1:
            await asyncio.sleep(0.005)
        started = time.monotonic()
        await client.plane.stop()
        assert (await waiting).body["approval"]["status"] == "PENDING"
        assert time.monotonic() - started < TOLD_SECONDS_MAX


async def test_lists_are_newest_first_and_page_without_gap_or_repeat(client: Client):
    """Seven questions of one agent in pages of three."""
    asked = [(await client.ask(agent="pager"))["approvalId"] for _ in range(7)]
    seen: list[str] = []
    cursor = ""
    for _ in range(4):
        page = (await client.call("GET", f"/v1/approvals?agent=pager&limit=3{cursor}")).body
        seen += [one["approvalId"] for one in page["approvals"]]
        if page["nextCursor"] is None:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert seen == asked[::-1]


async def test_an_agent_can_not_bury_the_queue(
    postgres_server: EmbeddedPostgres, database_name: str, data_dir: Path
):
    """Beyond the limit of open questions the next one is refused; an answer makes room."""
    limits = limits_with(pending_count_max_per_agent=2)
    async with running_plane(postgres_server, database_name, data_dir, limits) as client:
        one = await client.ask(agent="flooder")
        await client.ask(agent="flooder")
        body = ask_body(agent="flooder")
        full = await client.call("POST", "/v1/approvals", body, "gateway")
        assert (full.status, full.code) == (429, "RESOURCE_EXHAUSTED")
        assert full.headers["Retry-After"]
        await client.resolve(one["approvalId"], "REJECT")
        assert (await client.call("POST", "/v1/approvals", body, "gateway")).status == 201


@pytest.mark.parametrize("path", ["", "/resolve", "/consume"])
async def test_an_unknown_approval_is_not_found(client: Client, path: str):
    """Unknown ids and texts that are no id get the same 404."""
    body = {
        "resolve": {"resolution": "APPROVE"},
        "consume": {"requestDigest": "0" * 64, "claimId": "c"},
    }
    key = "gateway" if path == "/consume" else "admin"
    for approval_id in (str(uuid.uuid4()), "nonsense"):
        method = "POST" if path else "GET"
        sent = body[path.strip("/")] if path else None
        answer = await client.call(method, f"/v1/approvals/{approval_id}{path}", sent, key)
        assert (answer.status, answer.code) == (404, "NOT_FOUND")
