"""Races about one approval: it ends in one state, and losers get a conflict."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from tests.support.control_plane import Answer, Client, ask_body

ROUNDS = 8
FANS = 6
"""How many do each of two things at once."""

VOIDED = {"reasonCode": "POLICY_CHANGED", "witness": {"hash": "b" * 64, "state": {"x": 2}}}


async def resolve(client: Client, approval_id: str, what: str) -> Answer:
    return await client.resolve(approval_id, what, resolvedBy=what)


async def void(client: Client, approval_id: str, _: str) -> Answer:
    path = f"/v1/approvals/{approval_id}/void"
    return await client.call("POST", path, VOIDED, "gateway")


RACES = {
    "two clicks": (("APPROVE", "APPROVE"), {"APPROVED"}),
    "approve against deny": (("APPROVE", "REJECT"), {"APPROVED", "DENIED"}),
    "deny against cancel": (("REJECT", "CANCEL"), {"DENIED", "CANCELLED"}),
    "deny against a policy change": (("REJECT", "VOID"), {"DENIED", "CANCELLED"}),
    "approve against a policy change": (("APPROVE", "VOID"), {"CANCELLED"}),
}


async def test_one_answer_wins_and_the_others_hear_so(client: Client):
    """Of twelve at once one is taken, two where what was approved can still be ended."""
    for name, (moves, ends) in RACES.items():
        for _ in range(ROUNDS):
            approval_id = (await client.ask())["approvalId"]
            acts = [
                (void if move == "VOID" else resolve)(client, approval_id, move)
                for _ in range(FANS)
                for move in moves
            ]
            told = await asyncio.gather(*acts)
            counted = Counter(one.status for one in told)
            assert set(counted) == {200, 409}, name
            end = await client.status_of(approval_id)
            assert end in ends, name
            can_follow = end == "CANCELLED" and "APPROVE" in moves
            assert counted[200] in ({1, 2} if can_follow else {1}), name


async def test_an_escalation_against_an_answer(client: Client):
    """Each is taken at most once, and an answered question is not escalated afterwards."""
    for _ in range(ROUNDS):
        approval_id = (await client.ask())["approvalId"]
        told = await asyncio.gather(
            *(
                resolve(client, approval_id, move)
                for _ in range(FANS)
                for move in ("ESCALATE", "APPROVE")
            )
        )
        taken = [one.body["approval"] for one in told if one.status == 200]
        assert {one.status for one in told} == {200, 409}
        assert len(taken) <= 2
        assert await client.status_of(approval_id) == "APPROVED"


async def test_an_answer_against_the_end_of_its_time(client: Client):
    """It is approved or expired; who was told that they approved, did."""
    for _ in range(2):
        approval_id = (await client.ask(**timed(1)))["approvalId"]
        taken = []

        async def answer_late(late_seconds: float, of: str, taken: list[Answer]) -> None:
            await asyncio.sleep(late_seconds)
            taken.append(await resolve(client, of, "REJECT"))

        await asyncio.gather(
            *(answer_late(0.9 + n / 50, approval_id, taken) for n in range(2 * FANS))
        )
        done = [one for one in taken if one.status == 200]
        assert len(done) <= 1
        assert await client.status_of(approval_id) == ("DENIED" if done else "EXPIRED")


def timed(seconds: int) -> dict[str, Any]:
    return {"terms": {**ask_body()["terms"], "timeoutSeconds": seconds}}


async def test_what_a_voided_worlds_reviewer_is_shown(client: Client):
    """The state that was found instead, whoever won."""
    approval = await client.ask(witness={"hash": "a" * 64, "state": {"x": 1, "y": 0}})
    body = {"reasonCode": "WITNESS_HASH_MISMATCH", "witness": VOIDED["witness"]}
    path = f"/v1/approvals/{approval['approvalId']}"
    assert (await client.call("POST", f"{path}/void", body, "gateway")).status == 200
    context = (await client.call("GET", f"{path}/context")).body
    assert context["changes"] == [
        {"field": "x", "before": 1, "after": 2},
        {"field": "y", "before": 0, "after": None},
    ]
    assert context["approval"]["comment"] == "WITNESS_HASH_MISMATCH"
